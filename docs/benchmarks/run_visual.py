"""Recommenders that read pictures: cold items of ML-100K by posters, TikTok's videos, and the
pictures of `skrec.datasets.make_interactions`.

    SKREC_DATA=../shared/data python docs/benchmarks/run_visual.py
    SKREC_DATA=... python docs/benchmarks/run_visual.py --only ml100k_cold --models VisRank

Each problem has models by name, each with the features that it reads and the settings to choose
from. The first metric chooses, on a part of the training interactions that is split as the test is;
the best one then learns from all of the training interactions and is tested once. A model that is
run alone replaces its own entry of the record. To add one: a line in MODELS.

Items are in an order that is drawn, so that equal scores are ordered by chance: those of MovieLens
are nearly in the order of their popularity.
"""

import argparse
import json
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from _data import genres, interactions
from _record import RESULTS, as_json, cost_row, environment, means_and_errors
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.decomposition import PCA

from skrec.content import DVBPR, IBR, VBPR, CuratorNet, VisRank
from skrec.datasets import make_interactions
from skrec.decomposition import BPR
from skrec.dummy import DummyRecommender
from skrec.metrics import evaluate
from skrec.model_selection import holdout_split
from skrec.utils._measure import Cost

NAME = "visual"


class Split(NamedTuple):
    """A split: training and held-out interactions, and the items that are ranked.

    `items` None: all that a user has not.
    """

    X: csr_array
    y: csr_array
    items: np.ndarray | None = None


class Problem(NamedTuple):
    """A split to choose on, one to test on, features by name, and how recall is divided."""

    protocol: str
    validation: Split
    test: Split
    features: dict
    metrics: tuple
    normalize: str


class Model(NamedTuple):
    """A recommender, the name of its features, and the settings to choose from."""

    estimator: object
    features: str | None = None
    candidates: tuple = ({},)


def _ones(log, chosen, shape, order):
    """A matrix of ones with the items in another order; order[i] is the new place of item i."""
    user, item = log["user"][chosen], order[log["item"][chosen]]
    return csr_array((np.ones(len(user)), (user, item)), shape=shape)


def _moved(table, order):
    moved = np.empty_like(table)
    moved[order] = table
    return moved


def _standardised(table, known=None):
    """Columns of mean 0 and deviation 1 over the known rows; the others stay zero."""
    known = np.ones(len(table), bool) if known is None else known
    found = np.zeros(table.shape)
    part = table[known].astype(np.float64)
    found[known] = (part - part.mean(axis=0)) / np.maximum(part.std(axis=0), 1e-9)
    return found


def _without(X, items):
    """The entries of some columns, and of all others."""
    chosen = np.zeros(X.shape[1], bool)
    chosen[items] = True
    parts = []
    for kept in (~chosen[X.indices], chosen[X.indices]):
        pointers = np.concatenate([[0], np.cumsum(kept)])[X.indptr]
        parts.append(csr_array((X.data[kept], X.indices[kept], pointers), shape=X.shape))
    return parts


def ml100k_cold():
    """Ratings >= 4 of ML-100K; a fifth of the items is held out whole."""
    log, shape = interactions("ml-100k"), (943, 1682)
    order = np.random.RandomState(5).permutation(1682)
    X = _ones(log, log["rating"] >= 4, shape, order)
    cold = np.random.RandomState(0).permutation(1682)[: int(0.2 * 1682)]
    train, test = _without(X, order[cold])
    warm = np.flatnonzero(np.bincount(train.indices, minlength=1682))
    inner = np.random.RandomState(1).permutation(warm)[: len(warm) // 5]
    fit, validation = _without(train, inner)
    return Problem(
        "ML-100K, ratings >= 4; a fifth of the items held out whole and ranked among themselves; "
        "for the choice a fifth of the items with users, likewise",
        Split(fit, validation, np.sort(inner)),
        Split(train, test, np.sort(order[cold])),
        _ml100k_features(order),
        ("ndcg@100", "ndcg@20", "recall@20", "auc"),
        "min",
    )


def ml100k_cold_all():
    """The same, ranked among all items, warm ones too."""
    problem = ml100k_cold()
    return problem._replace(
        protocol="ML-100K, ratings >= 4; a fifth of the items held out whole and ranked among all "
        "items that a user has not",
        validation=problem.validation._replace(items=None),
        test=problem.test._replace(items=None),
        metrics=("ndcg@20", "auc"),
    )


def ml100k_warm():
    """Ratings >= 4 of ML-100K; a fifth of each user's items held out."""
    log, shape = interactions("ml-100k"), (943, 1682)
    order = np.random.RandomState(5).permutation(1682)
    train, test = holdout_split(_ones(log, log["rating"] >= 4, shape, order), random_state=0)
    fit, validation = holdout_split(train, random_state=1)
    return Problem(
        "ML-100K, ratings >= 4; a fifth of each user's items held out, and for the choice a fifth "
        "of the others",
        Split(fit, validation),
        Split(train, test),
        _ml100k_features(order),
        ("ndcg@100", "ndcg@20", "recall@20", "auc"),
        "min",
    )


def _ml100k_features(order):
    data = Path(os.environ["SKREC_DATA"])
    file = np.load(data / "ml-100k-poster-embeddings" / "item_features.npz")
    tables = {name: np.zeros((1682, file[name].shape[1])) for name in ("embedding", "lbp")}
    tables["attractiveness"] = np.zeros((1682, 7))
    for name, table in tables.items():
        table[file["item"]] = file[name]
    known = np.zeros(1682, bool)
    known[file["item"]] = True
    both = np.hstack([tables["lbp"], tables["attractiveness"]])
    found = {
        "posters, network": tables["embedding"],
        "posters, LBP": _standardised(tables["lbp"], known),
        "posters, seven measures": _standardised(tables["attractiveness"], known),
        "posters, hand-made": _standardised(both, known),
        "genres": genres("ml-100k").toarray(),
        "posters, pictures": _posters(data),
        "posters, network, 64 components": np.zeros((1682, 64)),
    }
    found["genres, standardised"] = _standardised(found["genres"])
    embedding = tables["embedding"][known]
    components = PCA(64, random_state=0).fit_transform(embedding)
    found["posters, network, 64 components"][known] = components
    return {name: _moved(table, order) for name, table in found.items()}


def _posters(data):
    """Bytes of shape (1682, 3, 36, 24): the files' pictures at half their size."""
    file = np.load(data / "ml-100k-posters" / "posters_72x48.npz")
    halved = file["images"].reshape(-1, 36, 2, 24, 2, 3).mean((2, 4)).round()
    posters = np.zeros((1682, 3, 36, 24), np.uint8)
    posters[file["item"]] = halved.transpose(0, 3, 1, 2)
    return posters


def tiktok():
    """TikTok's videos, the released split."""
    log, shape = interactions("tiktok-multimodal"), (9308, 6710)
    order = np.random.RandomState(5).permutation(6710)
    train, validation, test = (_ones(log, log["split"] == part, shape, order) for part in range(3))
    file = np.load(Path(os.environ["SKREC_DATA"]) / "tiktok-multimodal" / "item_features.npz")
    features = {name: _moved(_standardised(file[name]), order) for name in ("image", "audio")}
    features["image and audio"] = np.hstack([features["image"], features["audio"]])
    return Problem(
        "TikTok, the released split: models learn from its training part, the choice is made on "
        "its validation part; recall is divided by the number of relevant items",
        Split(train, validation),
        Split(train, test),
        features,
        ("recall@20", "ndcg@20", "auc"),
        "relevant",
    )


def generated():
    """Generated pictures, whose stripes show the groups that users like."""
    data = make_interactions(1000, 300, item_images=True, random_state=0)
    order = np.random.RandomState(5).permutation(300)
    train, test = holdout_split(csr_array(data.X[:, np.argsort(order)]), random_state=0)
    fit, validation = holdout_split(train, random_state=1)
    # Means of 4 x 4 pixels, and means and deviations of each colour.
    pixels = data.item_images.astype(np.float64)
    blocks = pixels.reshape(300, 3, 6, 4, 6, 4).mean(axis=(3, 5)).reshape(300, -1)
    table = np.hstack([blocks, pixels.mean(axis=(2, 3)), pixels.std(axis=(2, 3))])
    return Problem(
        "1,000 users and 300 items by make_interactions; a fifth of each user's items held out, "
        "and for the choice a fifth of the others; recall is divided by the number of relevant "
        "items",
        Split(fit, validation),
        Split(train, test),
        {"image": _moved(_standardised(table), order)},
        ("recall@20", "ndcg@20", "auc"),
        "relevant",
    )


PROBLEMS = {
    "ml100k_cold": ml100k_cold,
    "ml100k_cold_all": ml100k_cold_all,
    "ml100k_warm": ml100k_warm,
    "tiktok": tiktok,
    "generated": generated,
}

MEAN, MOST = VisRank(), tuple({"aggregate": "top_k", "n_neighbors": n} for n in (1, 3, 10, 30))
ALPHAS = tuple({"alpha": alpha} for alpha in (0.01, 0.02, 0.05, 0.1))
AMONG_ALL = tuple({"alpha": alpha} for alpha in (0.02, 0.05, 0.1, 0.2))
# Several negatives and shorter steps, as the descent of `BPR` with its falling rate.
SLOWLY = (
    {},
    {"n_negatives": 4, "alpha": 0.07, "learning_rate": 0.003},
    {"n_negatives": 4, "alpha": 0.07, "learning_rate": 0.003, "n_components": 64},
)
STEPS = tuple(
    {"feature_alpha": alpha, "feature_rate": rate} for alpha, rate in ((1e-3, 0.1), (1e-2, 0.03))
)
# Items with users, held out of the fit's own items, say which epoch is the best.
EYES = DVBPR(max_iter=20, early_stopping=True, n_iter_no_change=5, random_state=0)
STYLE = tuple(
    {"alpha": alpha, "aggregate": aggregate}
    for alpha in (0.0, 0.001, 0.01)
    for aggregate in ("max", "mean")
)
# Entries, held out of the fit's own entries, say which epoch is the best.
CURATOR = CuratorNet(
    guidelines=("profile",), cluster_share=0.0, early_stopping=True, max_iter=25, random_state=0
)
GUIDELINES = tuple(
    {"guidelines": names, "cluster_share": share}
    for names in (("profile",), ("profile", "item", "style"))
    for share in (0.0, 0.6)
)
# The default layers take several times as long for an epoch, and nine epochs of them ranked the
# held-out entries of the training part no better (nDCG@100 .009, and .010). At the last of these
# 35 epochs it still rises.
SMALL_CURATOR = CuratorNet(
    (64, 64), user_layer_sizes=(64,), guidelines=("profile", "item"), early_stopping=True,
    max_iter=35, n_iter_no_change=8, random_state=0,
)  # fmt: skip
MODELS = {
    "ml100k_cold": {
        "random": Model(DummyRecommender("uniform", random_state=0)),
        **{
            f"VisRank, mean, {name}": Model(VisRank(center=name == "posters, network"), name)
            for name in (
                "posters, network",
                "posters, LBP",
                "posters, seven measures",
                "posters, hand-made",
                "genres",
            )
        },
        "VisRank, mean, posters, network, not centred": Model(MEAN, "posters, network"),
        "VisRank, nearest, posters, network": Model(VisRank(center=True), "posters, network", MOST),
        "VisRank, nearest, genres": Model(MEAN, "genres", MOST),
        "IBR, posters, network": Model(IBR(random_state=0), "posters, network", STYLE),
        "IBR, genres": Model(IBR(random_state=0), "genres", STYLE),
        "VBPR, genres": Model(VBPR(random_state=0), "genres, standardised"),
        "VBPR, posters": Model(VBPR(random_state=0), "posters, network, 64 components"),
        **{
            f"DVBPR, posters{'' if seed == 0 else f', seed {seed}'}": Model(
                clone(EYES).set_params(random_state=seed), "posters, pictures"
            )
            for seed in (0, 1, 2)
        },
    },
    "ml100k_cold_all": {
        "VBPR, genres": Model(VBPR(random_state=0), "genres, standardised", AMONG_ALL),
        "VBPR, genres, zeros for items without users": Model(
            VBPR(cold_items="zero", random_state=0), "genres, standardised"
        ),
    },
    "ml100k_warm": {
        "popularity": Model(DummyRecommender()),
        "BPR": Model(BPR(64, random_state=0), None, ALPHAS),
        "VBPR, genres": Model(VBPR(random_state=0), "genres, standardised", SLOWLY),
        "VBPR, posters": Model(VBPR(random_state=0), "posters, network, 64 components", SLOWLY),
        "VBPR, genres, defaults": Model(VBPR(random_state=0), "genres, standardised"),
    },
    "tiktok": {
        "random": Model(DummyRecommender("uniform", random_state=0)),
        "popularity": Model(DummyRecommender()),
        **{
            f"VisRank, mean, {name}": Model(MEAN, name)
            for name in ("image", "audio", "image and audio")
        },
        "VisRank, nearest, image": Model(MEAN, "image", MOST),
        "IBR, image": Model(IBR(random_state=0), "image", STYLE),
        "BPR": Model(BPR(64, random_state=0), None, ALPHAS),
        "VBPR, image": Model(VBPR(alpha=0.05, random_state=0), "image", STEPS),
        "VBPR, image, defaults": Model(VBPR(random_state=0), "image"),
        "CuratorNet, image": Model(SMALL_CURATOR, "image"),
    },
    "generated": {
        "random": Model(DummyRecommender("uniform", random_state=0)),
        "popularity": Model(DummyRecommender()),
        "VisRank, mean, image": Model(MEAN, "image"),
        "VisRank, nearest, image": Model(MEAN, "image", MOST),
        "VBPR, image": Model(VBPR(random_state=0), "image", ALPHAS),
        "CuratorNet, image": Model(CURATOR, "image", GUIDELINES),
    },
}


def figures(model, split, problem):
    """Metrics of the users with something held out."""
    return evaluate(
        model, split.X, split.y, list(problem.metrics), items=split.items,
        normalize=problem.normalize,
    )  # fmt: skip


def fit(model, candidate, X, side):
    """The model with some parameters, fitted to X, and what that cost."""
    with Cost() as cost:
        fitted = clone(model.estimator).set_params(**candidate).fit(X, **side)
    return fitted, cost


def best_epoch(fitted):
    """The epoch that early stopping has chosen; None without it."""
    scores = getattr(fitted, "validation_scores_", [])
    return int(np.argmax(scores)) + 1 if len(scores) else None


def run(model, problem):
    """The entry of a model in the record: the trials, the choice, the test."""
    side = {} if model.features is None else {"item_features": problem.features[model.features]}
    first, tried, best, chosen = problem.metrics[0], [], None, model.candidates[0]
    for candidate in model.candidates if len(model.candidates) > 1 else ():
        found = fit(model, candidate, problem.validation.X, side)
        value = round(float(figures(found[0], problem.validation, problem).mean[first]), 4)
        if best is None or value > max(one[first] for one in tried):
            best, chosen = found, candidate
        tried.append({**candidate, first: value})
    # Where both splits have the same training part, the fit is the same, too.
    if best is None or problem.validation.X is not problem.test.X:
        best = fit(model, chosen, problem.test.X, side)
    fitted, cost = best
    return {
        "estimator": repr(fitted),
        "features": model.features,
        "validation": tried,
        "chosen": chosen,
        "epoch": best_epoch(fitted),
        **means_and_errors(figures(fitted, problem.test, problem)),
        "fit": cost_row(cost),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", choices=list(PROBLEMS), nargs="+", default=list(PROBLEMS))
    parser.add_argument("--models", nargs="+", help="beginnings of names; default: all")
    options = parser.parse_args()
    path = RESULTS / f"{NAME}.json"
    known = json.loads(path.read_text())["problems"] if path.exists() else {}
    for name in options.only:
        problem = PROBLEMS[name]()
        entry = known.setdefault(name, {"models": {}})
        entry["protocol"] = problem.protocol
        for title, model in MODELS[name].items():
            if options.models and not title.startswith(tuple(options.models)):
                continue
            entry["models"][title] = run(model, problem)
            print(name, title, entry["models"][title]["test"], flush=True)
            record = {"environment": environment(), "problems": known}
            path.write_text(as_json(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
