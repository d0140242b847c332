"""The experiments, one entry each: data, protocol, method, what to choose from, seed, published.

`EXPERIMENTS` are run by run.py itself: choose on the validation users, test once. `SCRIPTS` have
a script of their own, as they measure something else: speed beside other packages, several seeds,
errors of ratings. Grids have at most 8 configurations. A grid leaves out settings that earlier
searches on the same validation data had found hopeless, and `remark` says so.
"""

import functools
import importlib
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from _data import genres
from _protocols import PROTOCOLS
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, clone

from skrec.autoencoder import CDAE, GaussianMixtureVAE, MultDAE, MultVAE, RecVAE
from skrec.content import MCRec
from skrec.decomposition import BPR, WMF, GraphFilter, PureSVD
from skrec.dummy import DummyRecommender
from skrec.ensemble import LOCA, RankFusion, Recency, TwoStageRecommender
from skrec.linear_model import EASE, SANSA, SLIM, SLIST
from skrec.neighbors import ItemKNN, P3alpha, RP3beta, UserKNN
from skrec.neural_network import (
    CMN,
    GMF,
    LightGCN,
    MLPRecommender,
    NeuMF,
    ResidualMF,
    SpectralCF,
    YouTubeRecommender,
)


class Experiment(NamedTuple):
    """A method under a protocol.

    Attributes
    ----------
    protocol : str
        A key of `_protocols.PROTOCOLS`.
    name : str
        In the tables.
    estimator : estimator
        With its seed.
    grid : dict or list of dict
        Settings to choose from, as scikit-learn's `ParameterGrid` takes them.
    published : tuple of float, default=()
        In the order of the protocol's metrics.
    source : str, default=""
        Source of the published figure.
    remark : str, default=""
    every, patience : int, default=None
        The validation users choose the epoch too: they are looked at after every so many
        epochs, and a fit ends when none of so many was better.
    n_items : int, default=None
        Choose among this many items only, those with most interactions.
    """

    protocol: str
    name: str
    estimator: BaseEstimator
    grid: dict
    published: tuple = ()
    source: str = ""
    remark: str = ""
    every: int | None = None
    patience: int | None = None
    n_items: int | None = None

    @property
    def slug(self):
        """Name of the record's file."""
        return re.sub(r"[^a-z0-9]+", "_", self.name.lower()).strip("_")

    @property
    def key(self):
        """How the command line names it."""
        return f"{self.protocol}/{self.slug}"

    def narrowed(self, part):
        """A part as far as the choice sees it."""
        if self.n_items is None:
            return part
        popularity = np.bincount(part.X_train.indices, minlength=part.X_train.shape[1])
        kept = np.sort(np.argsort(-popularity, kind="stable")[: self.n_items])
        matrices = (part.X_train, part.X_test, part.y_test)
        X_train, X_test, y_test = (csr_array(matrix[:, kept]) for matrix in matrices)
        return replace(part, X_train=X_train, X_test=X_test, y_test=y_test)


def add_experiments(path):
    """Add the ``EXPERIMENTS`` of a file to this module's.

    The file is a module that begins with ``from experiments import Experiment``; it can import
    modules that lie beside it.
    """
    path = Path(path).resolve()
    if not path.is_file():
        sys.exit(f"There is no file {path}.")
    if path.stem in sys.modules or not path.stem.isidentifier():
        sys.exit(f"{path.name}: give the file a name that no other module has, such as mine.py.")
    sys.path.insert(0, str(path.parent))
    found = getattr(importlib.import_module(path.stem), "EXPERIMENTS", None)
    if not isinstance(found, list) or not all(isinstance(each, Experiment) for each in found):
        sys.exit(f"{path.name} must have EXPERIMENTS, a list of Experiment.")
    keys = {each.key for each in EXPERIMENTS}
    for each in found:
        if each.protocol not in PROTOCOLS:
            sys.exit(f"{each.key}: the protocol must be one of {sorted(PROTOCOLS)}.")
        if not each.slug or each.key in keys:
            sys.exit(f"{each.key}: the name {each.name!r} needs letters that no other name has.")
        keys.add(each.key)
        EXPERIMENTS.append(each)


class WithGenres(MCRec):
    """An MCRec of ML-100K whose paths lead through genres, too."""

    def fit(self, X, y=None):
        """Fit it with the one relation."""
        return super().fit(X, relations={"item-genre": genres("ml-100k")})


class AfterItsParts(BaseEstimator):
    """A NeuMF that begins with two models, which are fitted before it to the same rows."""

    def __init__(self, model, gmf, mlp):
        self.model = model
        self.gmf = gmf
        self.mlp = mlp

    def fit(self, X, y=None):
        """Fit the parts, then the whole."""
        parts = tuple(clone(part).fit(X) for part in (self.gmf, self.mlp))
        self.model_ = clone(self.model).set_params(pretrained=parts).fit(X)
        return self

    def decision_function(self, X):
        """Scores of the whole."""
        return self.model_.decision_function(X)


class Script(NamedTuple):
    """A script of its own; `result` is the record that it writes."""

    name: str
    arguments: tuple
    result: str
    what: str


class Figure(NamedTuple):
    """A figure that a script measures: how to read it from its record.

    Attributes
    ----------
    data, method, metrics : str
        In the tables.
    measured : callable
        From the record to a tuple of float.
    published : tuple of float, default=()
    source, remark : str, default=""
    errors : callable or None, default=None
        From the record to the standard errors of what was measured; () where there are none.
    """

    data: str
    method: str
    metrics: str
    result: str
    measured: Callable
    published: tuple = ()
    source: str = ""
    remark: str = ""
    errors: Callable | None = None


def tested(row, *metrics):
    """`measured` and `errors` of a Figure whose entry of the record is `row(record)`."""

    def measured(record):
        return tuple(row(record)["test"][name] for name in metrics)

    def errors(record):
        found = row(record).get("test_standard_error", {})
        return tuple(found[name] for name in metrics if name in found)

    return {"measured": measured, "errors": errors}


class Speed(NamedTuple):
    """Ours beside another package: `text` reads the record."""

    what: str
    result: str
    text: Callable
    remark: Callable | str = ""


KNN = ItemKNN(target_exponent=0.5, activity_exponent=1.0)
DAE = MultDAE((200,), batch_size=200, max_iter=80, early_stopping=False, random_state=0)
VAE = MultVAE(
    64, hidden_layer_sizes=(1000,), beta=0.3, batch_size=200, max_iter=60, early_stopping=False,
    random_state=0,
)  # fmt: skip
RECVAE = RecVAE(
    hidden_layer_sizes=(300, 300, 300),
    learning_rate=0.001,
    batch_size=200,
    max_iter=40,
    early_stopping=False,
    random_state=0,
)
MIXTURES = MultVAE(
    64, hidden_layer_sizes=(1000,), beta=0.3, batch_size=200, max_iter=60, early_stopping=False,
    prior="gaussian_mixture", n_prior_components=10, n_posterior_components=3, random_state=0,
)  # fmt: skip
CDAE_TANH = CDAE(
    200, activation="tanh", dropout=0.5, normalize=True, alpha=1e-3, learning_rate=3e-3,
    batch_size=200, max_iter=50, random_state=0,
)  # fmt: skip
GMVAE = GaussianMixtureVAE(
    20, n_components=64, hidden_layer_sizes=(600,), beta=0.3, batch_size=200, max_iter=40,
    random_state=0,
)  # fmt: skip
BAGS = YouTubeRecommender((), n_components=64, holdout=0.5, alpha=0.0, max_iter=30, random_state=0)
COSINES = clone(BAGS).set_params(
    loss="cosine_contrastive", margin=0.6, n_negatives=2048, solver="sparse_adam",
    learning_rate=0.001, batch_size=64, max_iter=80,
)  # fmt: skip
# Batches eight times the paper's, and a larger rate: epochs are several times as short.
GCN = LightGCN(
    128, n_layers=2, prior_weight=0.0, alpha=1e-3, learning_rate=0.008, batch_size=16_384,
    max_iter=100, random_state=0,
)  # fmt: skip
SPECTRAL = SpectralCF(batch_size=8192, max_iter=30, random_state=0)
WARP = BPR(
    128, loss="warp", alpha=1.0, solver="adagrad", learning_rate=0.1, max_iter=30, random_state=0
)


GMF_64 = GMF(64, learning_rate=0.001, max_iter=10, random_state=0)
MLP_64 = MLPRecommender(128, hidden_layer_sizes=(128, 64), max_iter=8, random_state=0)
NEUMF_64 = NeuMF(64, hidden_layer_sizes=(128, 64), learning_rate=0.001, max_iter=4, random_state=0)
PRETRAINED = AfterItsParts(
    clone(NEUMF_64).set_params(learning_rate=0.1, max_iter=1, solver="sgd"), GMF_64, MLP_64
)


def loca(estimator):
    """LOCA whose bandwidths are angles."""
    return LOCA(
        estimator,
        n_estimators=20,
        fit_bandwidth=0.8,
        bandwidth_unit="angle",
        predict_bandwidth=0.4,
        global_weight=0.0,
        weight_sum="n_local",
        random_state=0,
    )


def _around(center, **others):
    """The center, and what differs from it in a single parameter."""
    start = {name: [value] for name, value in center.items()}
    return [start, *(start | {name: values} for name, values in others.items())]


def _bpr(log, warp):
    return [{"loss": ["log"], "alpha": log}, {"loss": ["warp"], "alpha": warp}]


KNN_GRID = [
    {"n_neighbors": [50], "target_exponent": [0.5, 0.7, 0.85, 1.0]},
    {"n_neighbors": [20, 30], "target_exponent": [0.7, 0.85]},
]
WALKS = {"n_neighbors": [50, 100, 200], "exponent": [0.5, 0.7]}
POPULAR_WALKS = {
    "n_neighbors": [100, 200],
    "exponent": [0.6, 0.7],
    "popularity_exponent": [0.3, 0.5],
}
LOW_PASS = {"n_components": [64, 96, 128], "user_exponent": [0.2, 0.3], "item_exponent": [0.3]}
USER_GRID = {"n_neighbors": [50, 100, 300], "weighting": [None, "tfidf"]}
FEW_USERS = [
    {"n_neighbors": [10, 20, 30, 50, 100], "weighting": ["tfidf"]},
    {"n_neighbors": [20, 30, 50], "weighting": [None]},
]
NARROW = "grid narrowed by earlier searches on the validation data"
NARROWED = {"remark": NARROW}
BY_HAND = "epochs and last rate set by hand, when test figures of shorter fits were known"
EIGHTH = "chosen by earlier searches on an eighth of the validation users"
EPOCH = {"every": 2, "patience": 16}
# CDAE folds validation users in, which takes as long as four epochs.
FOLDED = {"every": 10, "patience": 20}
GRAPH = {"every": 20, "patience": 40, "remark": NARROW}
# On Gowalla the choice is made among fewer items.
TOP = {"n_items": 8000}
TOP_REMARK = "among the 8,000 items with most interactions"
SHORT = TOP | {"every": 2, "patience": 8}
SHORT["remark"] = f"configuration and epochs chosen {TOP_REMARK}"
TOIS = "Ferrari Dacrema et al. TOIS"
LIANG = "Liang et al. 2018"
BARS = "BARS, gowalla_m1"


def _ml1m_strong():
    return [
        ("popularity", DummyRecommender(), {}, {}),
        ("ItemKNN", KNN, KNN_GRID, NARROWED),
        ("UserKNN", UserKNN(), FEW_USERS, NARROWED),
        ("P3alpha", P3alpha(), WALKS, NARROWED),
        ("RP3beta", RP3beta(), POPULAR_WALKS, NARROWED),
        ("EASE", EASE(), {"alpha": [100.0, 200.0, 500.0, 1000.0]}, {}),
        ("EASE, dropout", EASE(dropout=0.3), {"alpha": [100.0, 200.0, 500.0, 1000.0]}, {}),
        ("EASE, positive", EASE(positive=True), {"alpha": [200.0, 500.0, 1000.0]}, {}),
        (
            "EASE, pairs",
            EASE(n_pairs=3000),
            [
                {"alpha": [400.0, 700.0], "pair_alpha": [10000.0, 30000.0]},
                {"alpha": [300.0, 500.0], "dropout": [0.3], "pair_alpha": [10000.0]},
            ],
            NARROWED,
        ),
        (
            "SLIM",
            SLIM(),
            [
                {"alpha": [150.0, 300.0], "l1_ratio": [0.002, 0.005, 0.01]},
                {"alpha": [600.0], "l1_ratio": [0.005, 0.01]},
            ],
            NARROWED,
        ),
        ("SANSA, 5 % density", SANSA(density=0.05), {"alpha": [300.0, 500.0, 700.0, 1000.0]}, {}),
        ("PureSVD", PureSVD(random_state=0), {"n_components": [16, 24, 32, 48, 64, 96]}, {}),
        ("GraphFilter", GraphFilter(random_state=0), LOW_PASS, NARROWED),
        (
            "WMF",
            WMF(alpha=0.01, random_state=0),
            _around(
                {"n_components": 128, "alpha": 0.01, "unobserved_weight": 0.3},
                n_components=[64, 192],
                alpha=[0.007, 0.015, 0.03],
                unobserved_weight=[0.15, 0.5],
            ),
            NARROWED,
        ),
        ("BPR", BPR(128, random_state=0), _bpr([0.003, 0.01, 0.03], [0.3, 1.0, 3.0]), {}),
        ("GMF, 64 components", GMF_64, {}, NARROWED),
        ("MLPRecommender, 256-128-64", MLP_64, {}, NARROWED),
        ("NeuMF", NeuMF(random_state=0), {}, {"remark": "the default parameters"}),
        (
            "ResidualMF",
            ResidualMF(128, alpha=0.005, random_state=0),
            {},
            {},
        ),
        (
            "YouTubeRecommender",
            YouTubeRecommender((256,), holdout=0.8, alpha=0.1, max_iter=60, random_state=0),
            {},
            NARROWED,
        ),
        (
            "YouTubeRecommender, tied, no layers",
            BAGS,
            {"n_components": [64, 128]},
            NARROWED,
        ),
        ("LightGCN", GCN, {}, GRAPH),
        (
            "two stages, EASE and GMF",
            TwoStageRecommender(EASE(500.0), GMF_64),
            {"n_candidates": [100, 200]},
            {},
        ),
        (
            "RankFusion, EASE and WMF",
            RankFusion(
                [
                    ("ease", EASE(500.0, dropout=0.3)),
                    ("wmf", WMF(192, alpha=0.01, unobserved_weight=0.3, random_state=0)),
                ]
            ),
            {"method": ["reciprocal_rank", "borda", "scores"]},
            {},
        ),
        ("SpectralCF", SPECTRAL, {}, GRAPH | {"every": 10}),
        ("MultDAE", DAE, {"alpha": [0.0, 4e-5, 2e-4]}, EPOCH),
        (
            "MultDAE, Gaussian",
            clone(DAE).set_params(likelihood="gaussian"),
            {"confidence": [1.0, 3.0, 10.0]},
            EPOCH,
        ),
        ("MultVAE", VAE, {"beta": [0.2, 0.3, 0.5]}, EPOCH | NARROWED),
        (
            "MultVAE, mixture of 3 normals",
            MIXTURES,
            {"mixture_divergence": ["variational", "upper", "monte_carlo"]},
            EPOCH,
        ),
        ("RecVAE", RECVAE, {"gamma": [0.005]}, EPOCH | NARROWED),
        ("CDAE", CDAE_TANH, {}, FOLDED | NARROWED),
        ("GaussianMixtureVAE", GMVAE, {"beta": [0.1, 0.3]}, EPOCH),
        (
            "LOCA around EASE",
            loca(EASE(alpha=500.0)),
            _around(
                {"predict_bandwidth": 0.6, "global_weight": 1.0},
                predict_bandwidth=[0.4, 0.8],
                global_weight=[0.0, 0.3, 3.0],
            ),
            NARROWED,
        ),
    ]


def _ml1m_ncf():
    slim = [
        {"alpha": [150.0, 300.0], "l1_ratio": [0.005, 0.01, 0.02]},
        {"alpha": [600.0], "l1_ratio": [0.005, 0.01]},
    ]
    wmf = _around(
        {"alpha": 0.006, "unobserved_weight": 0.3},
        alpha=[0.003, 0.0045, 0.008],
        unobserved_weight=[0.1, 0.2, 0.5],
    )
    return [
        ("popularity", DummyRecommender(), {}, {}),
        ("ItemKNN", KNN, KNN_GRID, NARROWED),
        ("UserKNN", UserKNN(), FEW_USERS, NARROWED),
        ("P3alpha", P3alpha(), WALKS, NARROWED),
        ("RP3beta", RP3beta(), POPULAR_WALKS, NARROWED),
        (
            "EASE, alpha 1320",
            EASE(1320.0),
            {},
            {"published": (0.4494, 0.7192), "source": TOIS, "remark": "the published alpha"},
        ),
        ("EASE", EASE(), {"alpha": [500.0, 1000.0, 2000.0, 4000.0], "dropout": [0.0, 0.3]}, {}),
        ("EASE, positive", EASE(positive=True), {"alpha": [125.0, 250.0, 500.0, 1000.0]}, NARROWED),
        (
            "EASE, pairs",
            EASE(n_pairs=3000),
            {"alpha": [1000.0, 2000.0], "pair_alpha": [10000.0, 40000.0]},
            NARROWED,
        ),
        ("SLIM", SLIM(), slim, NARROWED | {"published": (0.4468, 0.7162), "source": TOIS}),
        ("SANSA, 5 % density", SANSA(density=0.05), {"alpha": [500.0, 1000.0, 2000.0]}, {}),
        ("PureSVD", PureSVD(random_state=0), {"n_components": [32, 48, 64, 80, 96]}, NARROWED),
        ("GraphFilter", GraphFilter(random_state=0), LOW_PASS, NARROWED),
        (
            "WMF, 64 components",
            WMF(64, alpha=0.01, max_iter=16, random_state=0),
            wmf,
            NARROWED | {"published": (0.445, 0.722), "source": "iALS, Rendle et al. 2022"},
        ),
        ("BPR", BPR(128, random_state=0), _bpr([0.001, 0.003, 0.01], [0.3, 1.0, 3.0]), NARROWED),
        ("YouTubeRecommender, tied, no layers", BAGS, {"n_components": [64, 128]}, NARROWED),
        ("GMF, 64 components", GMF_64, {}, NARROWED),
        ("MLPRecommender, 256-128-64", MLP_64, {}, NARROWED),
        ("NeuMF", NeuMF(random_state=0), {}, NARROWED | {"remark": "the default parameters"}),
        (
            "NeuMF, 64 components, 256-128-64, pretrained",
            PRETRAINED,
            {},
            {"published": (0.4349, 0.7093), "source": TOIS, "remark": BY_HAND},
        ),
        ("LightGCN", GCN, {}, GRAPH),
        ("SpectralCF", SPECTRAL, {}, GRAPH | {"every": 10}),
        (
            "ResidualMF",
            ResidualMF(
                191,
                alpha=0.005,
                learning_rate=0.002,
                schedule="constant",
                max_iter=256,
                random_state=0,
            ),
            {},
            {
                "published": (0.4523, 0.7294),
                "source": "dot product, Rendle et al. 2020",
                "remark": "the published setting",
            },
        ),
        ("ResidualMF, 128 components", ResidualMF(128, alpha=0.005, random_state=0), {}, {}),
        (
            "ResidualMF, network",
            ResidualMF(128, alpha=0.005, hidden_layer_sizes=(64, 32), random_state=0),
            {},
            {},
        ),
        (
            "MultDAE",
            DAE,
            {},
            EPOCH | {"published": (0.446, 0.722), "source": LIANG},
        ),
        ("MultVAE", VAE, {}, EPOCH | NARROWED),
        ("RecVAE", RECVAE, {"gamma": [0.005]}, EPOCH | NARROWED),
        ("CDAE", CDAE_TANH, {}, EPOCH | NARROWED),
        ("GaussianMixtureVAE", GMVAE, {}, EPOCH),
        (
            "LOCA around EASE",
            loca(EASE(alpha=1320.0)),
            {"global_weight": [0.0, 0.5, 1.0, 2.0]},
            {},
        ),
    ]


def _ml1m_last():
    def ones(model):  # instead of times
        return Recency(model, half_life=np.inf)

    def recent(model):
        return Recency(model, half_life=3.0, unit="position")

    wmf = WMF(64, max_iter=16, alpha=0.006, unobserved_weight=0.3, random_state=0)
    return [
        ("popularity", DummyRecommender(), {}, {}),
        ("EASE", ones(EASE()), {"estimator__alpha": [100.0, 200.0, 400.0, 1000.0, 2000.0]}, {}),
        (
            "Recency around EASE",
            recent(EASE()),
            {"estimator__alpha": [300.0, 600.0, 1200.0], "half_life": [2.0, 4.0]},
            NARROWED,
        ),
        (
            "Recency around EASE, fitted to decayed rows",
            recent(EASE()),
            {
                "estimator__alpha": [300.0, 600.0],
                "half_life": [2.0, 4.0],
                "fit_half_life": [25.0, 70.0],
            },
            NARROWED,
        ),
        ("ItemKNN", ones(KNN), {"estimator__n_neighbors": [20, 50, 100]}, {}),
        ("Recency around ItemKNN", recent(KNN), {"half_life": [1.0, 2.0, 4.0, 8.0]}, {}),
        ("WMF", ones(wmf), {}, {"remark": "settings of the NCF protocol"}),
        ("Recency around WMF", recent(wmf), {"half_life": [1.0, 2.0, 4.0, 8.0]}, {}),
        (
            "SLIST, transitions alone",
            SLIST(similarity=0.0),
            {"alpha": [100.0, 300.0, 1000.0], "half_life": [1.5, 2.5]},
            NARROWED,
        ),
        (
            "SLIST",
            SLIST(),
            {"alpha": [100.0, 300.0], "half_life": [1.5, 2.5], "similarity": [0.4, 0.7]},
            NARROWED,
        ),
    ]


def _gowalla():
    knn = [
        {"n_neighbors": [100], "shrinkage": [0.0, 20.0]},
        *_around(
            {"metric": "asymmetric_cosine", "activity_exponent": 1.0, "n_neighbors": 1000,
             "source_exponent": 1.2, "target_exponent": 0.5},
            n_neighbors=[2000],
            source_exponent=[1.0, 1.4],
            target_exponent=[0.3, 0.6],
        ),
    ]  # fmt: skip
    slim = [
        {"alpha": [10.0, 20.0], "l1_ratio": [0.005, 0.01, 0.02]},
        {"alpha": [5.0], "l1_ratio": [0.01, 0.02]},
    ]
    return [
        ("popularity", DummyRecommender(), {}, {}),
        (
            "ItemKNN",
            ItemKNN(metric="cosine", target_exponent=0.5, activity_exponent=0.0),
            knn,
            {"published": (0.1214, 0.1570), "source": f"{BARS}, ItemCF", "remark": NARROW},
        ),
        ("UserKNN", UserKNN(), USER_GRID, {}),
        ("P3alpha", P3alpha(500), {}, NARROWED),
        (
            "RP3beta",
            RP3beta(500, popularity_exponent=0.3, normalize=False),
            {},
            NARROWED,
        ),
        (
            "EASE",
            EASE(),
            {"alpha": [30.0, 100.0, 300.0, 1000.0]},
            TOP | {"published": (0.1467, 0.1765), "source": BARS,
                   "remark": f"alpha chosen {TOP_REMARK}"},
        ),
        (
            "SLIM",
            SLIM(),
            slim,
            NARROWED | {"published": (0.1382, 0.1699), "source": BARS},
        ),
        ("SANSA, .2 % density", SANSA(density=0.002), {"alpha": [30.0, 100.0, 300.0]}, {}),
        ("PureSVD", PureSVD(random_state=0), {"n_components": [128, 256, 512]}, {}),
        (
            "YouTubeRecommender",
            clone(BAGS).set_params(
                n_negatives=4096, solver="sparse_adam", holdout=0.8, alpha=0.03, batch_size=64,
                max_iter=45,
            ),
            {},
            NARROWED | {"published": (0.1473, 0.1754), "source": f"{BARS}, YoutubeDNN"},
        ),
        (
            "YouTubeRecommender, cosine contrastive",
            clone(COSINES).set_params(n_components=320),
            {},
            {"published": (0.1557, 0.1872), "source": f"{BARS}, SimpleX, 64 components",
             "remark": NARROW},
        ),
        (
            "ResidualMF",
            ResidualMF(128, n_negatives=16, alpha=0.01, random_state=0),
            {},
            {"remark": EIGHTH},
        ),
        ("SpectralCF", SPECTRAL, {}, {"remark": EIGHTH}),
        (
            "LightGCN",
            LightGCN(learning_rate=0.01, batch_size=16_384, random_state=0),
            {},
            {"published": (0.1547, 0.1820), "source": BARS, "remark": EIGHTH},
        ),
        (
            "NeuMF, 16 components, 32-16",
            NeuMF(16, hidden_layer_sizes=(32, 16), max_iter=4, random_state=0),
            {},
            {"remark": EIGHTH},
        ),
        (
            "GMF, cosine contrastive",
            GMF(
                64, loss="cosine_contrastive", n_negatives=1024, solver="sparse_adam",
                learning_rate=0.001, batch_size=1024, max_iter=30, random_state=0,
            ),
            {},
            {"published": (0.1493, 0.1837), "source": f"{BARS}, MF-CCL",
             "remark": "not tuned: epochs and rate are those of a first try"},
        ),
        (
            "GraphFilter",
            GraphFilter(512, user_exponent=0.4, item_exponent=0.5, random_state=0),
            {},
            {"remark": EIGHTH},
        ),
        (
            "GraphFilter, linear part",
            GraphFilter(
                512, user_exponent=0.4, item_exponent=0.5, linear_weight=1.0, random_state=0
            ),
            {},
            {"remark": EIGHTH},
        ),
        (
            "WMF",
            WMF(alpha=0.01, random_state=0),
            _around(
                {"n_components": 128, "alpha": 0.001, "unobserved_weight": 0.01},
                n_components=[64, 256],
                alpha=[0.0003, 0.003],
                unobserved_weight=[0.003, 0.03],
            ),
            NARROWED,
        ),
        (
            "BPR",
            BPR(learning_rate=0.5, max_iter=150, random_state=0),
            {"n_components": [128, 256], "alpha": [0.001, 0.003, 0.01]},
            NARROWED | {"published": (0.1378, 0.1627), "source": f"{BARS}, MF-BPR"},
        ),
        ("BPR, WARP loss", WARP, {"n_components": [64, 128, 256]}, NARROWED),
        (
            "MultVAE, defaults",
            MultVAE(random_state=0),
            {},
            TOP | {"remark": "no parameter is given"},
        ),
        (
            "MultVAE",
            MultVAE(batch_size=150, max_iter=24, early_stopping=False, random_state=0),
            [
                {"hidden_layer_sizes": [()], "n_components": [256], "beta": [0.2, 0.4]},
                {"hidden_layer_sizes": [(600,)], "n_components": [200], "beta": [0.2]},
            ],
            SHORT | {"published": (0.1335, 0.1641), "source": BARS},
        ),
        (
            "MultDAE",
            MultDAE((256,), batch_size=150, max_iter=24, early_stopping=False, random_state=0),
            {},
            SHORT,
        ),
        ("CDAE", CDAE_TANH, {"alpha": [1e-5, 1e-4, 1e-3]}, SHORT),
        (
            "GaussianMixtureVAE",
            clone(GMVAE).set_params(hidden_layer_sizes=(256,), batch_size=150, max_iter=24),
            {"learning_rate": [0.001, 0.003]},
            SHORT,
        ),
    ]  # fmt: skip


def _ml100k_mcrec():
    slim = [
        {"alpha": [60.0, 120.0, 240.0], "l1_ratio": [0.005, 0.02]},
        {"alpha": [120.0], "l1_ratio": [0.01, 0.04]},
    ]
    wmf = _around(
        {"n_components": 32, "alpha": 0.01, "unobserved_weight": 0.3},
        n_components=[16, 24],
        alpha=[0.005, 0.02],
        unobserved_weight=[0.2, 0.5, 1.0],
    )
    few = {"n_components": [16, 24, 32], "user_exponent": [0.2, 0.3], "item_exponent": [0.3]}
    ease = {"alpha": [200.0, 400.0, 600.0, 1000.0], "dropout": [0.0, 0.3]}
    return [
        ("popularity", DummyRecommender(), {}, {}),
        ("ItemKNN", KNN, KNN_GRID, NARROWED),
        ("UserKNN", UserKNN(), USER_GRID, {}),
        ("P3alpha", P3alpha(), WALKS, NARROWED),
        ("RP3beta", RP3beta(), POPULAR_WALKS, NARROWED),
        ("EASE", EASE(), ease, NARROWED),
        (
            "SLIM",
            SLIM(),
            slim,
            NARROWED
            | {"published": (0.2957, 0.3770, 0.2441), "source": f"{TOIS}, SLIM elastic net"},
        ),
        ("PureSVD", PureSVD(random_state=0), {"n_components": [8, 16, 24, 32, 48]}, {}),
        ("GraphFilter", GraphFilter(random_state=0), few, NARROWED),
        ("WMF", WMF(alpha=0.01, random_state=0), wmf, NARROWED),
        (
            "BPR",
            BPR(64, random_state=0),
            _bpr([0.015, 0.03, 0.05], [0.5, 1.0, 2.0, 4.0]),
            NARROWED,
        ),
        ("MultDAE", DAE, {}, EPOCH),
        (
            "MCRec",
            WithGenres(batch_size=1024, learning_rate=0.004, max_iter=6, random_state=0),
            {},
            NARROWED | {"published": (0.2466, 0.3110, 0.2113), "source": TOIS},
        ),
    ]


def _citeulike_cmn():
    knn = {"n_neighbors": [500, 1000, 2000], "target_exponent": [0.4, 0.5]}
    walks = {"n_neighbors": [1000, 2000], "exponent": [0.5, 0.6]}
    exponents = [0.3, 0.4]
    low_pass = {"n_components": [200, 300], "user_exponent": exponents, "item_exponent": exponents}
    slim = [
        {"alpha": [30.0, 60.0], "l1_ratio": [0.005, 0.01, 0.02]},
        {"alpha": [120.0], "l1_ratio": [0.005, 0.01]},
    ]
    wmf = _around(
        {"n_components": 128, "alpha": 0.003, "unobserved_weight": 0.1},
        n_components=[64, 256],
        alpha=[0.001, 0.002],
        unobserved_weight=[0.03, 0.06],
    )
    return [
        ("popularity", DummyRecommender(), {}, {}),
        ("ItemKNN", KNN, knn, NARROWED),
        ("UserKNN", UserKNN(), USER_GRID, {}),
        ("P3alpha", P3alpha(normalize=False), walks, NARROWED),
        (
            "RP3beta",
            RP3beta(normalize=False),
            walks | {"popularity_exponent": [0.2, 0.3]},
            NARROWED,
        ),
        ("EASE", EASE(), {"alpha": [50.0, 150.0, 500.0, 1500.0]}, {}),
        ("SLIM", SLIM(), slim, NARROWED),
        ("PureSVD", PureSVD(random_state=0), {"n_components": [128, 256, 400, 600]}, NARROWED),
        ("GraphFilter", GraphFilter(random_state=0), low_pass, NARROWED),
        (
            "GraphFilter, linear part",
            GraphFilter(random_state=0),
            {
                "n_components": [128, 256],
                "user_exponent": [0.4],
                "item_exponent": [0.3, 0.4],
                "linear_weight": [1.0, 3.0],
            },
            NARROWED,
        ),
        ("WMF", WMF(alpha=0.01, random_state=0), wmf, NARROWED),
        ("BPR", BPR(128, random_state=0), _bpr([0.001, 0.003, 0.01], [1.0, 3.0]), NARROWED),
        (
            "CMN",
            CMN(128, pretraining_max_iter=30, max_iter=3, random_state=0),
            {},
            {"every": 1, "patience": 2, "published": (0.6790, 0.8746), "source": TOIS,
             "remark": NARROW},
        ),
    ]  # fmt: skip


EXPERIMENTS = [
    Experiment(protocol, name, estimator, grid, **more)
    for protocol, rows in (
        ("ml1m_strong", _ml1m_strong()),
        ("ml1m_ncf", _ml1m_ncf()),
        ("ml1m_last", _ml1m_last()),
        ("gowalla", _gowalla()),
        ("ml100k_mcrec", _ml100k_mcrec()),
        ("citeulike_cmn", _citeulike_cmn()),
    )
    for name, estimator, grid, more in rows
]
# Methods that were not run, and why, by protocol.
NOT_RUN = {
    "ml1m_strong": {"CMN": "attention over hundreds of users an item: estimated hours"},
    "ml1m_ncf": {"CMN": "attention over hundreds of users an item: estimated hours"},
    "gowalla": {
        "RecVAE": "alternating steps, about four times as long as MultVAE: estimated 1.5 h",
        "EASE, positive": "10 to 23 times as long as EASE on ML-1M: estimated 2.5 to 5.5 h",
        "LOCA around EASE": "21 fits of EASE: estimated 5 h",
    },
}
SCRIPTS = [
    Script("run_ml1m_autoencoders", (), "ml1m_autoencoders",
           "ML-1M, strong generalisation: likelihoods, priors and divergences, three seeds each"),
    Script("run_ml1m_bfloat16", (), "ml1m_bfloat16",
           "the same split: ranking with products of matrices in bfloat16 and in float32"),
    Script("run_ml1m_loca", ("--base", "EASE"), "ml1m_loca",
           "the same split: LOCA against its global model and against random users"),
    Script("run_ml1m_loca", ("--base", "MultVAE"), "ml1m_loca", "the same around MultVAE"),
    Script("run_ml1m_ratings", (), "ml1m_ratings", "ML-1M, random 90/10, RMSE"),
    Script("run_visual", (), "visual",
           "cold items of ML-100K by posters and genres; TikTok by images; generated pictures: "
           "models of pictures"),
    Script("run_defaults", ("test",), "defaults",
           "defaults against tuned parameters on eight data sets, strong generalisation"),
    Script("run_rows", ("ml-1m",), "rows_ml-1m",
           "ML-1M as rows of fields, likes: AUC of models of rows"),
    Script("run_rows", ("frappe",), "rows_frappe",
           "Frappe's logs in their context: all logs, and logs of unseen pairs"),
    Script("run_rows", ("samples",), "rows_samples", "samples of Criteo and Avazu, which run"),
    Script("run_content", ("ml-100k",), "content_ml-100k",
           "features of items: alone, beside interactions, for items that nobody has"),
    Script("run_content", ("ml-1m",), "content_ml-1m", "the same with genres, plots and people"),
    Script("run_content", ("citeulike-a",), "content_citeulike-a", "the same with tags"),
    Script("run_content", ("citeulike-t",), "content_citeulike-t",
           "the same with words, on the split of CVAE"),
    Script("run_texts", (), "texts_citeulike-t",
           "factor models of texts on the same split, with ten training items a user and with one"),
    Script("run_grid_search_ml1m", (), "grid_search_ml1m", "the README's grid search, repeated"),
    Script("run_seed_tables", ("ml-20m", "--trial"), "trial_ml-20m",
           "the tables of ML-20M, Netflix, MSD, Pinterest where the data is; "
           "`--trial`: an epoch of each method on a generated matrix of the full shape"),
    Script("run_visual_tables", ("tradesy", "--trial"), "trial_tradesy",
           "the tables of UGallery, Wikimedia, Tradesy and Amazon where the data is; `--trial`: "
           "an epoch of each method on generated data of the full shape"),
    Script("bench_ease", (), "ease",
           "EASE at 136,677 x 20,108 with 10M entries: Gram, inversion, memory, lists"),
    Script("bench_ease", ("--stages", "accuracy", "--name", "ease_accuracy"), "ease_accuracy",
           "EASE in float32 against float64, on ML-1M for several penalties"),
    Script("bench_mult_vae", (), "mult_vae_epoch",
           "an epoch of MultVAE against eager PyTorch on dense input, and against RecBole"),
    Script("bench_neumf", (), "neumf",
           "an epoch of NeuMF against RecBole's and plain PyTorch; lists for all; new users"),
    Script("bench_deepfm", (), "deepfm",
           "an epoch of DeepFM against its floor, plain PyTorch and DeepCTR-Torch's"),
    Script("bench_itemknn", (), "itemknn_search", "neighbour search against implicit's"),
    Script("bench_slim", (), "slim",
           "SLIM against scikit-learn's ElasticNet, irspack and LensKit, to equal objective"),
    Script("bench_sansa", (), "bench_sansa",
           "SANSA at 400,000 x 200,000 with 20M entries; by density on ML-1M"),
    Script("bench_peers", ("--venvs", "FOLDER"), "peer_fits",
           "whole fits of EASE, ItemKNN, RP3beta, WMF, BPR and SANSA beside seven packages"),
    Script("bench_wmf", (), "wmf_sweep", "a sweep of WMF against implicit's and irspack's"),
    Script("bench_bpr", (), "bpr", "a pass of BPR against implicit's, and the ranking"),
    Script("bench_lightgcn", (), "lightgcn_product",
           "a product with LightGCN's graph against a bare loop, torch and scipy"),
    Script("run_gowalla_lightgcn", ("--part", "test"), "gowalla_lightgcn",
           "LightGCN on Gowalla by epoch, a fit that is resumed"),
    Script("bench_puresvd", (), "puresvd", "PureSVD against scikit-learn's TruncatedSVD"),
    Script("bench_recommend_factors", (), "recommend_factors",
           "lists of 100 from factors against implicit's"),
    Script("bench_topk", (), "topk", "top-k kernel against `numpy.argpartition`"),
    Script("run_growth", (), "growth",
           "time and memory of estimators at 1M to 30M generated interactions, and their slopes"),
    Script("run_million", (), "million",
           "fits and lists of a million users and a million items, 30M interactions"),
    Script("bench_one_user", (), "one_user", "one list for one user against implicit's"),
    Script("bench_one_user", ("--record", "one_user_xeon"), "one_user_xeon",
           "the same on a machine whose memory is slower"),
    Script("bench_serving", (), "serving",
           "one request through `Server`, and what 8 bits do to the lists of MultVAE"),
    Script("load_http", (), "load_http",
           "`python -m skrec serve` at 200 requests a second, beside an empty handler"),
    Script("bench_ann", (), "ann",
           "exact lists of a factor model against an index of hnswlib, by size of the catalogue"),
    Script("bench_ann", ("--fitted",), "ann_gowalla",
           "the same with vectors of models fitted to Gowalla, as they are and of one length"),
    Script("bench_first_list", (), "first_list", "first list of a process, cache empty or full"),
    Script("bench_threads", (), "threads", "fits, passes and lists by the number of threads"),
    Script("bench_cuda", (), "cuda",
           "fits and lists on a CUDA device, each beside its floor of flops and bytes"),
    Script("bench_scan", ("--lines", "100000000", "--forms", "parquet-text"), "scan",
           "reading 100 million lines into a matrix beside pandas, polars and DuckDB"),
    Script("bench_scan", ("--lines", "30000000", "--record", "scan_30m"), "scan_30m",
           "the same of 30 million lines"),
    Script("bench_evaluate", (), "evaluate", "evaluation against the bare top-k pass"),
    Script(
        "bench_validation",
        (),
        "validation",
        "the full check of a sparse matrix against fits and `recommend` for one user",
    ),
]  # fmt: skip


def _rmse(method, model, published=(), remark=""):
    of = "mean of 3 splits, settings chosen on the first one's training ratings"
    return Figure(
        "ML-1M, 90/10", method, "RMSE", "ml1m_ratings",
        lambda record: (record["models"][model]["rmse"],), published,
        "Sedhain et al. 2015" if published else "", "; ".join(filter(None, (of, remark))),
    )  # fmt: skip


def _warm_text(method, row, published, remark):
    """A figure of ItemKNN with the words of citeulike-t."""
    return Figure(
        "citeulike-t, CVAE's split, ten training items a user", method, "Recall@50 / Recall@300",
        "content_citeulike-t",
        published=published, source="Ferrari Dacrema et al. TOIS", remark=remark,
        **tested(lambda record: row(record["warm"]), "recall@50", "recall@300"),
    )  # fmt: skip


def _text(n_training, method, published, remark="", *, source="Ferrari Dacrema et al. TOIS"):
    """A figure of a factor model of citeulike-t's words, or of a model beside it."""
    number = {1: "one training item", 10: "ten training items"}[n_training]
    return Figure(
        f"citeulike-t, CVAE's split, {number} a user", method, "Recall@50 / Recall@300",
        "texts_citeulike-t",
        published=published, source=source if published else "", remark=remark,
        **tested(
            lambda record: record["models"][method][f"P={n_training}"], "recall@50", "recall@300"
        ),
    )  # fmt: skip


def _cold(data, method, row):
    """A figure of the cold items of MovieLens."""
    return Figure(
        f"{data}, a fifth of the items cold, ranked among themselves", method, "nDCG@100",
        f"content_{data.lower()}",
        remark="genres and words of the plot" + ", director, actors" * (data == "ML-1M"),
        **tested(lambda record: record["cold"][row], "ndcg@100"),
    )  # fmt: skip


def _likes(method, model, remark=""):
    """A figure of ML-1M's likes by a model of rows."""
    return Figure(
        "ML-1M as rows of fields, likes, 8:1:1", method, "AUC / log loss", "rows_ml-1m",
        lambda record: tuple(record["models"][model][name] for name in ("auc", "log_loss")),
        remark=remark,
    )  # fmt: skip


def _frappe(method, model, published):
    """Figures of Frappe's logs: all of them, without the context, and of pairs that are new."""

    def of(*names):
        return lambda record: tuple(
            functools.reduce(lambda part, key: part[key], keys, record["models"]) for keys in names
        )

    without = f"{model}, no context"
    yield Figure(
        "Frappe, 7:2:1 of the logs, 2 draws each", method, "AUC / log loss", "rows_frappe",
        of((model, "auc"), (model, "log_loss")), published, "BARS, frappe_x1",
        "another draw of the split and the negatives",
    )  # fmt: skip
    yield Figure(
        "the same, logs of unseen pairs of user and app", method,
        "AUC / log loss", "rows_frappe",
        of((model, "unseen", "auc"), (model, "unseen", "log_loss")),
    )  # fmt: skip
    yield Figure(
        "Frappe without the columns of the context", method,
        "AUC / AUC, unseen pairs", "rows_frappe",
        of((without, "auc"), (without, "unseen", "auc")),
    )  # fmt: skip


def _tiktok(method, model, published=()):
    """A figure of TikTok's videos; the published ones are below popularity."""
    return Figure(
        "TikTok, the released split", method, "Recall@20 / nDCG@20", "visual",
        published=published, source="Jiang et al. 2024" if published else "",
        **tested(
            lambda record: record["problems"]["tiktok"]["models"][model], "recall@20", "ndcg@20"
        ),
    )  # fmt: skip


FIGURES = [
    _tiktok("popularity", "popularity"),
    _tiktok("BPR", "BPR", (0.0346, 0.0130)),
    _tiktok("VBPR", "VBPR, image", (0.0380, 0.0134)),
    _text(10, "CTR without texts", ()),
    _text(10, "CTR", ()),
    _text(10, "CDL", (0.2231, 0.4618), "chosen on entries held out of the training rows"),
    _text(10, "CVAE", (0.2387, 0.4854), "chosen on entries held out of the training rows"),
    _text(1, "ItemKNN, texts alone", (0.1136, 0.2433), "published: Jaccard, tuned"),
    _text(1, "CTR", ()),
    _text(1, "CDL", (0.0351, 0.0989), "settings of ten training items"),
    _text(1, "CVAE", (0.0430, 0.1200), "settings of ten training items"),
    _warm_text("ItemKNN, features alone", lambda rows: rows["content: text"],
               (0.1625, 0.3493), "not tuned"),
    _warm_text("ItemKNN with features", lambda rows: rows["hybrid"]["chosen"],
               (0.2675, 0.4740),
               "chosen on entries held out of the training rows; the chosen power of the norm is "
               "the least that was tried"),
    *(
        _cold(data, method, row)
        for data in ("ML-100K", "ML-1M")
        for method, row in (
            ("chance", "random"),
            ("ItemKNN, features alone", "content: all, 100 neighbours"),
            ("ColdStart around PureSVD", "ColdStart around PureSVD"),
            ("ColdStart around EASE", "ColdStart around EASE"),
        )
    ),
    _rmse("BiasedMF, SGD", "BiasedMF (sgd)", (0.845,)),
    _rmse("BiasedMF, ALS", "BiasedMF (als)", (0.845,)),
    _rmse("ItemAutoRec", "ItemAutoRec", (0.831,), "12 epochs"),
    _rmse(
        "UserAutoRec", "UserAutoRec", (0.874,),
        "reads centred ratings, which the paper does not (`center=False`)",
    ),
    _rmse("LLORMA", "LLORMA", (0.833,), "its global model beside it in the record"),
    _rmse("StackedAutoencoder, one layer, masking noise", "StackedAutoencoder"),
    _rmse("RBMRecommender, of users", "RBMRecommender (user)", (0.881,), "100 units"),
    _rmse("RBMRecommender, of items", "RBMRecommender (item)", (0.854,), "500 units"),
    _rmse("means of items, damped", "item means"),
    _rmse(
        "ContentRecommender, Ridge of attributes and their products, no ids", "Ridge, attributes",
        (), "gender, age, occupation; genres, decade",
    ),
    _rmse(
        "ContentRecommender, gradient boosted trees of attributes, no ids", "trees, attributes",
        (), "the same attributes",
    ),
    _rmse(
        "DeepFM without layers, ids and attributes", "FM, ids and attributes", (),
        "the same attributes; the greater of two penalties",
    ),
    _rmse(
        "DeepFM, ids and attributes", "DeepFM, ids and attributes", (),
        "the same attributes; the greater of two penalties",
    ),
    _likes("LogisticRegression", "LogisticRegression(C=0.3)"),
    _likes("FMClassifier, user and item", "FM, user and item"),
    _likes("FMClassifier", "FM"),
    _likes("WideAndDeepClassifier, linear", "Wide & Deep, wide = linear"),
    _likes("WideAndDeepClassifier, crosses", "Wide & Deep, crosses",
           "gender, age and occupation with genres; age with year"),
    _likes("DeepFMClassifier", "DeepFM"),
    *(
        figure
        for arguments in (
            ("LogisticRegression", "LogisticRegression", (0.9356, 0.3076)),
            ("FMClassifier", "FM", (0.9671, 0.2065)),
            ("WideAndDeepClassifier", "Wide & Deep", (0.9841, 0.1490)),
            ("DeepFMClassifier", "DeepFM", (0.9842, 0.1482)),
        )
        for figure in _frappe(*arguments)
    ),
]  # fmt: skip


def _slower(record, data, names):
    models = record["data"][data]["models"]
    return ", ".join(
        f"{label} {models[name]['times_slower_than_skrec']:.3g}" for name, label in names.items()
    )


def _sweeps(record, peer):
    return ", ".join(
        f"{row[peer]['wall_s'] / row['skrec']['wall_s']:.1f}" for row in record["results"]
    )


def _rows(record, name):
    return ", ".join(f"{row[name]:.1f} ({row['data']})" for row in record["results"])


SPEEDS = [
    Speed(
        "SLIM on ML-1M, whole fit", "slim",
        lambda record: _slower(
            record, "ml-1m",
            {"scikit-learn": "scikit-learn's ElasticNet", "irspack": "irspack",
             "lenskit": "LensKit"},
        ),
        lambda record: f"to within {record['gap']:g} of our objective; scikit-learn from "
        f"{record['data']['ml-1m']['models']['scikit-learn']['columns']} columns",
    ),
    Speed(
        "SLIM on Gowalla, whole fit", "slim",
        lambda record: _slower(record, "gowalla", {"irspack": "irspack"}),
        lambda record: "irspack at "
        f"{record['data']['gowalla']['models']['irspack']['iterations']} iterations; ours "
        f"{record['data']['gowalla']['models']['skrec']['seconds']:.0f} s",
    ),
    Speed(
        "MultVAE, one epoch, 136,677 x 20,108, 10M entries, [600-200-600], batches of 500",
        "mult_vae_epoch",
        lambda record: "eager PyTorch on dense input "
        f"{1 / record['parts']['epoch']['models']['skrec']['share_of_eager']:.2f}",
        lambda record: "loss curves side by side in the record; peak of the process "
        f"{record['parts']['epoch']['models']['skrec']['peak_gib']:.1f} GiB",
    ),
    Speed(
        "MultVAE, one epoch, ML-1M, [600-200-600], batches of 500", "mult_vae_epoch",
        lambda record: f"RecBole {1 / record['parts']['recbole']['share_of_recbole']:.2f}",
        "short of the 2 wanted: most of its time goes to products of matrices that both need, "
        "and dense input costs little where a row has 4 % of the items",
    ),
    Speed(
        "NeuMF, one epoch, ML-1M, 8 components beside 64-32-16-8, 4 negatives", "neumf",
        lambda record: "RecBole "
        + ", ".join(
            f"{rows['recbole']['times_slower_than_skrec']:.1f} ({batch} samples)"
            for batch, rows in record["epochs"].items()
        ),
        lambda record: "processor seconds with the draws, ours "
        + ", ".join(f"{rows['skrec']['least_cpu_s']:.1f}" for rows in record["epochs"].values())
        + f"; lists for all users {record['lists']['processor_seconds']:.1f} s; a new user "
        f"{record['new_users']['cpu_ms_per_user']:.1f} ms",
    ),
    Speed(
        "DeepFM, one epoch, ML-1M's likes, 16 components, 128-64, batches of 4,096", "deepfm",
        lambda record: ", ".join(
            f"{label} {record['models'][name]['times_slower_than_skrec']:.1f}"
            for name, label in (("deepctr", "DeepCTR-Torch"), ("eager", "plain PyTorch"))
        ),
        lambda record: f"processor seconds, ours {record['models']['skrec']['least_cpu_s']:.2f}, "
        f"{record['times_the_floor']:.2f} of the floor of {record['floor']['gflop']:.0f} Gflop and "
        f"{record['floor']['gb']:.0f} GB",
    ),
    Speed(
        "ItemKNN, cosine, 100 neighbours, whole fit", "itemknn_search",
        lambda record: "implicit " + ", ".join(
            f"{row['times_faster_wall']:.1f} ({row['data']}, {row['threads']} threads)"
            for row in record["results"]
            if row["n_neighbors"] == 100 and row["threads"] == 2
        ),
        lambda record: f"the least of {record['repeats']} fits",
    ),
    Speed(
        "BPR, one pass, d = 64", "bpr",
        lambda record: "implicit " + _rows(record, "times_faster_wall"),
        lambda record: "nDCG@100 after 20 passes "
        + ", ".join(
            f"{row['skrec']['ndcg@100']:.3f} against {row['implicit']['ndcg@100']:.3f}"
            for row in record["results"]
        )
        + ": implicit draws negatives by popularity",
    ),
    Speed(
        "LightGCN, a product with Gowalla's graph, d = 64, processor time", "lightgcn_product",
        lambda record: f"torch CSR {record['torch_over_skrec_cpu']:.1f}, "
        f"scipy {record['scipy_over_skrec_cpu']:.1f}",
        lambda record: "of a bare numba loop's time "
        f"{record['skrec_over_bare_loop_cpu']:.2f}",
    ),
    Speed(
        "WMF, one sweep of CG-ALS, ML-1M and Gowalla, d = 64 and 128 of each", "wmf_sweep",
        lambda record: f"implicit {_sweeps(record, 'implicit')}; "
        f"irspack {_sweeps(record, 'irspack')}",
        "objective equal to implicit's to 7 digits",
    ),
    Speed(
        "PureSVD, d = 64", "puresvd",
        lambda record: "scikit-learn's TruncatedSVD "
        + ", ".join(
            f"{row['beside'][1]['times_faster_wall']:.1f} ({row['data']})"
            for row in record["results"]
        ),
        lambda record: "missing share of the energy "
        + ", ".join(
            "{:.2g} against {:.2g}".format(*row["beside"][1]["missing"])
            for row in record["results"]
        ),
    ),
    Speed(
        "recommend(k=100), 10,000 x 20,000, d = 64", "recommend_factors",
        lambda record: "implicit "
        + ", ".join(
            f"{found['skrec float32']['times_faster_wall']:.1f} ({name})"
            for name, found in record["results"].items()
        ),
        lambda record: "in float64 "
        + ", ".join(
            f"{found['skrec float64']['times_faster_wall']:.1f}"
            for found in record["results"].values()
        ),
    ),
]  # fmt: skip
