"""The estimators of run_growth.py, and the work that their docstrings state."""

import math
from typing import NamedTuple

from skrec.autoencoder import (
    CDAE,
    GaussianMixtureVAE,
    ItemAutoRec,
    MultDAE,
    MultVAE,
    RBMRecommender,
    RecVAE,
    StackedAutoencoder,
    UserAutoRec,
)
from skrec.decomposition import BPR, WMF, BiasedMF, GraphFilter, PureSVD
from skrec.dummy import DummyRecommender
from skrec.ensemble import LLORMA, LOCA
from skrec.linear_model import EASE, SANSA, SLIM
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


class Facts(NamedTuple):
    """A matrix in numbers: users, items, entries, and pairs of items within the users."""

    m: int
    n: int
    e: int
    pairs: int


class Case(NamedTuple):
    """An estimator, and the work of its fit: what grows, times constants that do not count."""

    estimator: object
    stated: str
    work: object

    @property
    def name(self):
        """As in the table."""
        return type(self.estimator).__name__


def _dense(facts):
    return facts.m * facts.n


def _entries(facts):
    return facts.e


def _pairs(facts):
    return facts.pairs


def _wmf(facts, d=64, steps=3):
    return 4 * d * (2 * steps + 2) * facts.e + 2 * d**2 * (steps + 1) * (facts.m + facts.n)


def _als(facts, d=16):
    return 2 * d**2 * facts.e + d**3 / 3 * (facts.m + facts.n)


def _memory(facts):
    """Work of CMN with at most 50 neighbours, and RMSProp's numbers for each batch of 128."""
    batches = math.ceil(5 * facts.e / 128)
    return 12 * 2 * 5 * facts.e * 50 * 50 + batches * (2 * facts.m + facts.n) * 50


def _graph(batch):
    def work(facts):
        return math.ceil(facts.e / batch) * facts.e

    return work


def _sweep(batch, d, weights):
    """A pass over the entries, and Adam's pass over all vectors for each batch."""

    def work(facts):
        return 10 * facts.e * weights + math.ceil(facts.e / batch) * (facts.m + facts.n) * d

    return work


ONE = {"max_iter": 1, "random_state": 0}
EPOCH = {**ONE, "device": "cpu"}
NO_STOP = {**EPOCH, "early_stopping": False}
CASES = [
    Case(DummyRecommender(), "entries", _entries),
    Case(ItemKNN(), "pairs", _pairs),
    Case(UserKNN(), "not stated: rows are kept", None),
    Case(P3alpha(100), "pairs", _pairs),
    Case(RP3beta(100), "pairs", _pairs),
    Case(EASE(), "pairs, items^3", lambda facts: facts.pairs + facts.n**3),
    Case(SANSA(density=0.002), "pairs, items (m^3, m = entries an item)",
         lambda facts: facts.pairs + facts.n * (2 * 0.001 * facts.n) ** 3 / 3),
    Case(SLIM(), "not stated: by the weights that are found", None),
    Case(PureSVD(64, random_state=0), "entries", _entries),
    Case(GraphFilter(64, random_state=0), "entries", _entries),
    Case(WMF(64, **ONE), "entries, users + items", _wmf),
    Case(BPR(64, **ONE), "entries", _entries),
    Case(BiasedMF(16, solver="als", **ONE), "entries, users + items", _als),
    Case(LOCA(EASE(), n_estimators=5, random_state=0), "pairs, items^3",
         lambda facts: facts.pairs + facts.n**3),
    Case(LLORMA(n_estimators=5, **ONE), "entries", _entries),
    Case(MultDAE(**NO_STOP), "users x items", _dense),
    Case(MultVAE(**NO_STOP), "users x items", _dense),
    Case(RecVAE(**NO_STOP), "users x items", _dense),
    Case(GaussianMixtureVAE(**NO_STOP), "users x items", _dense),
    Case(UserAutoRec(**EPOCH), "users x items", _dense),
    Case(ItemAutoRec(**EPOCH), "users x items", _dense),
    Case(StackedAutoencoder(**EPOCH), "users x items", _dense),
    Case(RBMRecommender(**ONE), "entries", _entries),
    Case(CDAE(**EPOCH), "entries, vectors for each batch of users",
         lambda facts: 40 * facts.e * 50 + facts.m / 100 * (facts.m + 2 * facts.n) * 50),
    # A number of Adam's pass moves 28 bytes, and counts as 100 flops.
    Case(YouTubeRecommender(n_negatives=1024, **EPOCH), "users x negatives, vectors for each batch",
         lambda facts: 6 * facts.m * 1024 * 128 + facts.m / 50 * 100 * facts.n * 128),
    Case(GMF(**EPOCH), "entries, vectors for each batch", _sweep(256, 64, 5 * 64)),
    Case(MLPRecommender(**EPOCH), "entries", _entries),
    Case(NeuMF(**EPOCH), "entries", _entries),
    Case(ResidualMF(**ONE), "entries", _entries),
    Case(LightGCN(**EPOCH), "batches x entries", _graph(2048)),
    Case(SpectralCF(**EPOCH), "batches x entries", _graph(4096)),
    Case(CMN(pretraining=None, max_neighbors=50, **EPOCH), "entries, vectors for each batch",
         _memory),
]  # fmt: skip
