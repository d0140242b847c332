"""The settings of models that read features of items which run_defaults.py tries."""

from _defaults_case import Case, each
from _defaults_features import WORDS

from skrec.content import (
    CDL,
    CTR,
    CVAE,
    IBR,
    VBPR,
    DeepFM,
    VisRank,
    WideAndDeep,
)

# Their users are known by number: the test entries are other items of the same users.
_FIELDS = ("ml-100k", "ml-latest-small", "frappe", "citeulike-a", "citeulike-t", "amazon-beauty")


def _tied(*settings):
    names = ("alpha", "item_alpha", "unobserved_weight")
    return [dict(zip(names, setting, strict=True)) for setting in settings]


def _rows(name, estimator):
    grid = [
        {"learning_rate": 0.003, "alpha": 0.0},
        {"learning_rate": 0.001, "alpha": 0.0},
        {"learning_rate": 0.003, "alpha": 1e-5},
        {"learning_rate": 0.003, "alpha": 1e-4},
    ]
    return Case(name, estimator, grid, _FIELDS, "known")


CONTENT = [
    Case(
        "VisRank",
        VisRank(),
        [
            *each(aggregate=["mean", "max"], center=[False, True]),
            *each(aggregate=["top_k"], n_neighbors=[3, 10]),
        ],
        WORDS, "narrow", features="vectors",
    ),
    Case(
        "IBR",
        IBR(random_state=0),
        [
            *each(aggregate=["max", "mean"], n_components=[20, 50], alpha=[1e-3]),
            *each(aggregate=["max", "mean"], n_components=[20], alpha=[1e-4, 1e-2]),
        ],
        WORDS, "narrow", features="vectors",
    ),
    Case(
        "VBPR",
        VBPR(random_state=0),
        [
            *each(alpha=[0.01, 0.03, 0.1], feature_rate=[0.3]),
            *each(alpha=[0.03], feature_rate=[0.1, 1.0]),
        ],
        WORDS, "narrow", features="vectors",
    ),
    Case(
        "CTR",
        CTR(random_state=0),
        _tied(
            (1, 1, "auto"), (1, 1, 0.01), (1, 1, 0.1), (0.3, 1, 0.01), (3, 1, 0.01), (1, 0.1, 0.01),
            (1, 10, 0.01), (1, 1, 0.03), (3, 3, 0.1), (0.3, 1, "auto"), (3, 1, "auto"),
            (1, 3, "auto"), (3, 3, "auto"), (10, 3, "auto"),
        ),
        WORDS, "narrow", features="words",
    ),
    Case(
        "CDL",
        CDL(random_state=0),
        _tied(
            (2, 0.15, "auto"), (2, 0.15, 0.01), (2, 0.15, 0.1), (0.5, 0.15, 0.01), (2, 1, 0.01),
            (5, 1, 0.1), (0.5, 0.15, "auto"), (5, 0.15, "auto"), (2, 1, "auto"), (5, 1, "auto"),
        ),
        WORDS, "narrow", features="words",
    ),
    Case(
        "CVAE",
        CVAE(random_state=0),
        _tied(
            (7, 0.04, "auto"), (7, 0.04, 0.01), (7, 0.04, 0.1), (2, 0.04, 0.01), (7, 0.3, 0.01),
            (7, 0.3, 0.1), (2, 0.04, "auto"), (20, 0.04, "auto"), (7, 0.01, "auto"),
            (7, 0.3, "auto"),
        ),
        WORDS, "narrow", features="words",
    ),
    *(
        Case(
            f"{name}, all items", model,
            _tied(*((alpha, item_alpha, weight) for weight in ("auto", 0.01, 0.03, 0.1)), *more),
            ("citeulike-a", "citeulike-t", "amazon-beauty"), "wide", features="words",
        )
        for name, model, alpha, item_alpha, more in (
            ("CTR", CTR(random_state=0), 1, 1, [(0.1, 1, 0.01), (3, 1, "auto"), (3, 3, 0.1)]),
            ("CDL", CDL(random_state=0), 2, 0.15, []),
            ("CVAE", CVAE(random_state=0), 7, 0.04, []),
        )
    ),
    _rows("DeepFM", DeepFM(random_state=0)),
    _rows("WideAndDeep", WideAndDeep(random_state=0)),
]  # fmt: skip
