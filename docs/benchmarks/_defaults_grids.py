"""The settings that run_defaults.py tries, old defaults among them."""

from _defaults_case import Case, each
from _defaults_content import CONTENT
from _defaults_neural import NEURAL

from skrec.autoencoder import ItemAutoRec, RBMRecommender, StackedAutoencoder, UserAutoRec
from skrec.decomposition import BPR, WMF, BiasedMF, GraphFilter, PureSVD
from skrec.dummy import DummyRecommender
from skrec.ensemble import LLORMA, LOCA
from skrec.linear_model import EASE, SANSA, SLIM
from skrec.neighbors import ItemKNN, P3alpha, RP3beta, UserKNN

LOCAL = ("ml-100k", "ml-latest-small", "ml-1m", "citeulike-a", "citeulike-t", "amazon-beauty")
RATINGS = ("ml-100k", "ml-latest-small", "ml-1m", "jester-1")


# Models around other models, or of content: they have no setting of their own to choose here.
AROUND_OTHERS = (
    "CalibratedReranker", "ColdStart", "ContentRecommender", "Fallback", "ImplicitRecommender",
    "MMR", "RankFusion", "Recency", "ReservedSlots", "SLIST", "TwoStageRecommender",
)  # fmt: skip


def mean_row_rule(X):
    """Five mean row lengths, at least 100."""
    return round(max(100.0, 5.0 * X.nnz / X.shape[0]), 1)


def _loca(weight_sum, fit, predict, weight, unit="users"):
    return {
        "weight_sum": weight_sum, "fit_bandwidth": fit, "predict_bandwidth": predict,
        "global_weight": weight, "bandwidth_unit": unit,
    }  # fmt: skip


def _ease(X):
    return [
        *each(alpha=[50.0, 150.0, 250.0, 500.0, 1000.0], dropout=[0.0, 0.3]),
        {"alpha": mean_row_rule(X), "dropout": 0.0},
        {"alpha": mean_row_rule(X), "dropout": 0.3},
    ]


def implicit(n_components, exponent, alpha, weight):
    """A setting of WMF."""
    return {
        "n_components": n_components, "frequency_exponent": exponent, "alpha": alpha,
        "unobserved_weight": weight,
    }  # fmt: skip


def _wide_wmf(X):
    largest = 11 * X.nnz / (X.shape[0] * X.shape[1])
    return [
        implicit(64, 1.0, 0.01, 0.1),
        *(implicit(64, 1.0, float(f"{s * largest:.3g}"), 0.1) for s in (0.03, 0.05, 0.1)),
        implicit(64, 0.5, 0.1, 0.1),
        implicit(64, 0.5, 0.3, 0.1),
        implicit(64, 0.0, 1.0, 0.1),
        implicit(64, 0.0, 3.0, 0.1),
        implicit(64, 1.0, float(f"{0.05 * largest * 101 / 11:.3g}"), 0.01),
    ]


def _wmf(X):
    density = X.nnz / (X.shape[0] * X.shape[1])

    def share(weight, of_largest):
        return float(f"{of_largest * (1 + weight) / weight * density:.3g}")

    return [
        implicit(64, 1.0, 0.01, 0.1),
        implicit(64, 1.0, 0.003, 0.1),
        implicit(64, 1.0, 0.001, 0.1),
        implicit(64, 1.0, share(0.1, 0.03), 0.1),
        implicit(64, 1.0, share(0.1, 0.05), 0.1),
        implicit(64, 1.0, share(0.1, 0.1), 0.1),
        implicit(64, 0.5, 0.03, 0.1),
        implicit(64, 0.5, 0.1, 0.1),
        implicit(64, 0.5, 0.3, 0.1),
        implicit(64, 0.5, 0.1, 0.03),
        implicit(64, 0.0, 1.0, 0.1),
        implicit(64, 0.0, 3.0, 0.1),
        implicit(128, 0.5, 0.1, 0.1),
    ]


CASES = [
    Case("DummyRecommender", DummyRecommender(), [{}]),
    Case(
        "ItemKNN",
        ItemKNN(),
        [
            *each(
                weighting=[None, "tfidf", "bm25"], n_neighbors=[50, 100, 300], metric=["cosine"],
                activity_exponent=[0.0], target_exponent=[0.5],
            ),
            *each(
                weighting=[None, "tfidf"], n_neighbors=[100], metric=["asymmetric_cosine"],
                activity_exponent=[1.0], target_exponent=[0.3, 0.7],
            ),
            *each(
                weighting=[None], n_neighbors=[100], metric=["cosine"],
                activity_exponent=[0.5, 1.0], target_exponent=[0.5],
            ),
            *each(
                weighting=[None], n_neighbors=[100], metric=["asymmetric_cosine"],
                activity_exponent=[1.0], target_exponent=[0.5],
            ),
        ],
    ),
    Case(
        "UserKNN",
        UserKNN(),
        [
            *each(weighting=[None, "tfidf", "bm25"], n_neighbors=[30, 50, 100, 300]),
            *each(weighting=[None], n_neighbors=[50], popularity_exponent=[0.5, 1.0]),
        ],
    ),
    Case("P3alpha", P3alpha(), each(n_neighbors=[50, 100, 300], exponent=[0.5, 0.7, 1.0])),
    Case(
        "RP3beta",
        RP3beta(),
        each(
            n_neighbors=[100, 300], exponent=[0.6, 0.7, 0.8], popularity_exponent=[0.2, 0.4, 0.6]
        ),
    ),
    Case("PureSVD", PureSVD(random_state=0), each(n_components=[16, 32, 64, 128, 256])),
    Case(
        "GraphFilter",
        GraphFilter(random_state=0),
        [
            {"n_components": size, "user_exponent": exponent, "item_exponent": exponent}
            for size in (64, 128, 256)
            for exponent in (0.3, 0.5)
        ],
    ),
    Case("SLIM", SLIM(), each(alpha=[30.0, 50.0, 100.0, 300.0], l1_ratio=[0.005, 0.01, 0.05])),
    Case("EASE", EASE(), _ease),
    Case("SANSA", SANSA(), each(alpha=[50.0, 150.0, 250.0, 500.0])),
    Case("WMF", WMF(random_state=0), _wmf),
    Case(
        "BPR",
        BPR(random_state=0),
        [
            *each(
                n_components=[64], loss=["log"], alpha=[0.003, 0.01, 0.03], learning_rate=[0.2],
                max_iter=[50],
            ),
            *each(
                n_components=[64], loss=["warp"], alpha=[0.3, 1.0, 3.0], learning_rate=[0.1],
                max_iter=[30],
            ),
            *each(
                n_components=[128], loss=["log"], alpha=[0.01], learning_rate=[0.2], max_iter=[50],
            ),
            *each(
                n_components=[128], loss=["warp"], alpha=[1.0], learning_rate=[0.1], max_iter=[30],
            ),
        ],
    ),
    Case(
        "WMF, all items",
        WMF(random_state=0),
        _wide_wmf,
        ("amazon-beauty", "citeulike-t", "ml-latest-small"),
        "wide",
    ),
    Case("EASE(250), of LOCA", EASE(250.0), [{}], LOCAL, "local"),
    Case(
        "LOCA",
        LOCA(EASE(250.0), random_state=0),
        [
            _loca("n_local", 0.8, 0.4, 0.0, "angle"),
            _loca("n_users", 0.5, 0.25, 0.0),
            _loca("n_users", 0.8, 0.25, 0.0),
            _loca("n_users", 0.8, 0.25, 1.0),
            _loca("n_users", 0.8, 0.5, 0.0),
            _loca("n_users", 0.95, 0.25, 0.0),
            _loca("n_users", 0.95, 0.25, 1.0),
        ],
        LOCAL,
        "local",
    ),
    Case(
        "ItemKNN, ratings",
        ItemKNN(feedback="rating"),
        [
            {
                "metric": metric, "target_exponent": 0.7, "activity_exponent": activity,
                "deviation": deviation, "n_neighbors": 100,
            }
            for deviation in (None, "both")
            for metric, activity in (
                ("cosine", 0.0), ("asymmetric_cosine", 0.0), ("cosine", 1.0),
                ("asymmetric_cosine", 1.0),
            )
        ],
        RATINGS,
        "ratings",
    ),
    Case(
        "UserKNN, ratings",
        UserKNN(feedback="rating"),
        each(n_neighbors=[50, 100, 300], deviation=[None, "both"]),
        RATINGS,
        "ratings",
    ),
    *NEURAL,
    *CONTENT,
    Case(
        "BiasedMF",
        BiasedMF(random_state=0),
        [
            {"alpha": 0.05, "penalty_unit": 1.0},
            *each(alpha=[0.03, 0.05, 0.07, 0.1, 0.15], penalty_unit=["spread"]),
        ],
        RATINGS,
        "ratings",
    ),
    Case(
        "LLORMA",
        LLORMA(random_state=0),
        [
            *each(alpha=[0.02, 0.04, 0.1], n_components=[20]),
            *each(alpha=[0.04, 0.1], n_components=[5]),
        ],
        RATINGS,
        "ratings",
    ),
    Case(
        "UserAutoRec",
        UserAutoRec(random_state=0),
        each(alpha=[100.0, 300.0, 1000.0], max_iter=[20, 60]),
        RATINGS,
        "ratings",
    ),
    Case(
        "ItemAutoRec",
        ItemAutoRec(random_state=0),
        each(alpha=[50.0, 200.0, 400.0, 800.0], max_iter=[15, 60]),
        RATINGS,
        "ratings",
    ),
    Case(
        "StackedAutoencoder",
        StackedAutoencoder(random_state=0),
        each(hidden_layer_sizes=[(500,), (500, 100, 500)], alpha=[100.0, 300.0, 1000.0]),
        RATINGS,
        "ratings",
    ),
    Case(
        "RBMRecommender",
        RBMRecommender(random_state=0),
        each(learning_rate=[0.02, 0.05], max_iter=[20, 50], conditional=[False, True]),
        RATINGS,
        "ratings",
    ),
]  # fmt: skip
