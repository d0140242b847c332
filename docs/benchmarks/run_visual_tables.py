"""The tables of visual recommendation, where the data is: one command for each data set.

    python docs/benchmarks/run_visual_tables.py ugallery            # reads SKREC_DATA/ugallery
    python docs/benchmarks/run_visual_tables.py tradesy --data-home FOLDER --only VBPR BPR
    python docs/benchmarks/run_visual_tables.py amazon-women --trial                # no data needed

`get_data.py` lists the files that must be there; _visual_sources.py reads them. Each figure has the
published one beside it, if there is one. METHODS has the full settings; early stopping holds out a
tenth of the training entries, or of the items for `DVBPR`. A method that is run again replaces its
own entry of results/visual_NAME.json and no other.

The published nDCG of UGallery and Wikimedia takes the ideal of the hits alone, so that one hit in
first place is 1 whatever else was missed: this nDCG stands in brackets, and is not a target. Their
AUC takes the profile out of the ranking and not out of its length, which adds no more than the
profile's share of the items.

``--trial`` runs one epoch of each iterated method on generated data of the full shape, and writes
seconds, memory and the hours of processor time that all epochs would take on this machine to
results/trial_NAME.json. For DVBPR, whose network is the paper's on 224 x 224 pixels, it runs two
batches of JPEG files, and the hours count as many batches as an epoch has.
"""

import argparse
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from _record import RESULTS, environment, rounded, timed, write
from _visual_sources import partitioned, tradesy, ugallery, wikimedia
from scipy.sparse import csr_array, eye_array
from sklearn.base import clone
from sklearn.preprocessing import StandardScaler

from skrec.content import DVBPR, IBR, VBPR, CuratorNet, VisRank
from skrec.datasets import make_interactions
from skrec.decomposition import BPR
from skrec.dummy import DummyRecommender
from skrec.metrics import evaluate

SEED = 0


class Data(NamedTuple):
    """A data set: who reads it, its size as its authors tell it, and what is compared."""

    read: Callable
    shape: tuple
    n_entries: int
    n_features: int
    metrics: tuple
    cold: bool = False  # whether the AUC of items that hardly anybody has is a column of its own
    pictures: bool = True


LISTS = ("auc", "recall@20", "ndcg@20")
DATA = {
    "ugallery": Data(ugallery, (2_919, 7_742), 6_535, 2_048, LISTS, pictures=False),
    "wikimedia": Data(wikimedia, (1_079, 9_636), 95_922, 2_048, LISTS),
    "tradesy": Data(tradesy, (19_243, 165_906), 394_421, 4_096, ("auc",), cold=True),
    # The authors' page rounds the counts to thousands; features are made by a network of your own.
    "amazon-fashion": Data(partitioned, (64_000, 234_000), 500_000, 1_280, ("auc",), cold=True),
    "amazon-women": Data(partitioned, (97_000, 347_000), 800_000, 1_280, ("auc",), cold=True),
    "amazon-men": Data(partitioned, (34_000, 110_000), 200_000, 1_280, ("auc",), cold=True),
}
STOP = {"early_stopping": True, "random_state": SEED}
# Sizes of the vectors: He and McAuley have 10 and 10, the authors of VisRec 200 and 100.
WIDE = {"n_components": 200, "n_content_components": 100}
NARROW = {"n_components": 10, "n_content_components": 10}


class Method(NamedTuple):
    """A recommender, and whether it reads features, pictures or neither."""

    estimator: object
    reads: str | None = None


def methods(name):
    """Name: method with its full settings."""
    data = DATA[name]
    sizes = WIDE if name in ("ugallery", "wikimedia") else NARROW
    found = {
        "random": Method(DummyRecommender("uniform", random_state=SEED)),
        "popularity": Method(DummyRecommender()),
        "BPR": Method(BPR(sum(sizes.values()), random_state=SEED)),
        "VisRank": Method(VisRank(), "features"),
        "VBPR": Method(VBPR(**sizes, max_iter=100, **STOP), "features"),
        "CuratorNet": Method(CuratorNet(max_iter=100, **STOP), "features"),
    }
    if sizes is WIDE:  # elsewhere it takes hours to score all items by their nearest ones
        found["VisRank, nearest"] = Method(VisRank("max"), "features")
    if "IBR" in PUBLISHED[name]:
        found["IBR"] = Method(IBR(aggregate="max", alpha=0.001, random_state=SEED), "features")
    if data.pictures:
        network = DVBPR(
            50, network="cnn-f", image_size=224, n_latent=100 if name == "wikimedia" else 0,
            learning_rate=1e-3, batch_size=128, max_iter=20, n_iter_no_change=3, **STOP,
        )  # fmt: skip
        found["DVBPR"] = Method(network, "pictures")
    return found


# By metric. Sources: Messina et al. 2020 (UGallery); Parra et al., IUI 2021 (Wikimedia); He and
# McAuley 2016 (Tradesy, and IBR on Amazon, whose data is another extraction of the same reviews
# than DVBPR's authors').
PUBLISHED = {
    "ugallery": {
        "CuratorNet": {"auc": 0.7204, "recall@20": 0.1683, "ndcg@20": 0.0966},
        "VisRank": {"auc": 0.7151, "recall@20": 0.1521, "ndcg@20": 0.0956},
        "VBPR": {"auc": 0.6641, "recall@20": 0.1368, "ndcg@20": 0.0728},
    },
    "wikimedia": {
        "DVBPR": {"auc": 0.832},
        "VBPR": {"auc": 0.778},
        "CuratorNet": {"auc": 0.669},
        "VisRank": {"auc": 0.605},
    },
    "tradesy": {
        "VBPR": {"auc": 0.7829, "cold auc": 0.7594},
        "VBPR, 10 epochs, measured by others": {"auc": 0.7128},
        "VBPR, 20 epochs, measured by others": {"auc": 0.7201},
        "BPR": {"auc": 0.6198, "cold auc": 0.5241},
    },
    "amazon-fashion": {},
    "amazon-women": {"IBR": {"auc": 0.7163, "cold auc": 0.6673}},
    "amazon-men": {"IBR": {"auc": 0.7185, "cold auc": 0.6787}},
}
# Metrics whose published figures follow another formula.
WRONG = {"ugallery": ("ndcg@20",), "wikimedia": ("ndcg@20",)}
# Pictures and users of DVBPR's trial: each user has one picture, which nobody else has.
N_TRIED = 256


def figures(model, problem, data):
    """Mean metrics, and the AUC of cold items."""
    found = evaluate(
        model, problem.X, problem.y, list(data.metrics), items=problem.items, normalize="relevant"
    ).mean
    if data.cold:
        cold = evaluate(model, problem.X, problem.y_cold, ["auc"], items=problem.items)
        found = found | {"cold auc": cold.mean["auc"]}
    return rounded(found)


def item_features(problem, reads):
    """Keywords of ``fit``; None if the data lacks what is read."""
    if reads is None:
        return {}
    values = problem.pictures if reads == "pictures" else problem.features
    return None if values is None else {"item_features": values}


def standardised(problem):
    """The problem with features of mean 0 and deviation 1; rows without any stay zero."""
    if problem.features is None:
        return problem
    known = problem.features.any(axis=1)
    features = np.zeros_like(problem.features)
    features[known] = StandardScaler().fit_transform(problem.features[known])
    return problem._replace(features=features)


def reproduce(name, options):
    """Fit and test each method, and print its figures beside the published ones."""
    data = DATA[name]
    problem = standardised(data.read(Path(options.data_home) / name))
    if problem.X.shape != data.shape:
        print(f"The matrix is {problem.X.shape}; its authors tell of {data.shape}.", flush=True)
    path = RESULTS / f"visual_{name}.json"
    found = json.loads(path.read_text())["methods"] if path.is_file() else {}
    for title, method in chosen(name, options).items():
        side = item_features(problem, method.reads)
        if side is None:
            print(f"{title} reads {method.reads}, and there are none.", flush=True)
            continue
        model, row = clone(method.estimator), {"command": environment()["command"]}
        if isinstance(model, CuratorNet) and problem.groups is not None:
            guidelines = (*model.guidelines, "group")
            model.set_params(item_groups=problem.groups, guidelines=guidelines)
        with timed(row):
            model.fit(problem.X, **side)
        row |= {"parameters": repr(model), "epochs": getattr(model, "n_iter_", None)}
        row |= {"test": figures(model, problem, data)}
        row["published"] = PUBLISHED[name].get(title)
        found[title] = row
        write(f"visual_{name}", {"data": name, "wrong": WRONG.get(name, ()), "methods": found})
    print(table(name, found))


def table(name, found):
    """Lines of text: the measured figures, and in the next columns the published ones."""
    metrics = [*DATA[name].metrics, *(["cold auc"] if DATA[name].cold else [])]
    head = [" / ".join(metrics), "published"]
    lines = [f"{'':36}{head[0]:32}{head[1]}"]
    for title in dict.fromkeys((*found, *PUBLISHED[name])):
        test = found.get(title, {}).get("test", {})
        known = PUBLISHED[name].get(title, {})
        ours = " / ".join(_figure(test.get(metric)) for metric in metrics)
        theirs = " / ".join(
            _figure(known.get(metric), metric in WRONG.get(name, ())) for metric in metrics
        )
        lines.append(f"{title:36}{ours:32}{theirs}".rstrip())
    if name in WRONG:
        lines.append("(in brackets: the ideal of the hits alone, no target)")
    return "\n".join(lines)


def _figure(value, wrong=False):
    if value is None:
        return "-"
    text = f"{value:.4f}".removeprefix("0")
    return f"({text})" if wrong else text


def chosen(name, options):
    every = methods(name)
    unknown = set(options.only or ()) - set(every)
    if unknown:
        raise SystemExit(f"No such method for {name}: {sorted(unknown)}. There are {list(every)}.")
    return {m: method for m, method in every.items() if not options.only or m in options.only}


def trial(name, options):
    """One epoch of each iterated method at full shape, and the hours of all of them."""
    data = DATA[name]
    X = make_interactions(
        *data.shape, data.n_entries, dtype=np.float32, random_state=SEED, return_X=True
    )
    X = csr_array((np.ones(X.nnz, dtype=np.float32), X.indices, X.indptr), shape=X.shape)
    rng = np.random.default_rng(SEED)
    features = rng.standard_normal((data.shape[1], data.n_features), dtype=np.float32)
    path = RESULTS / f"trial_{name}.json"
    found = json.loads(path.read_text())["methods"] if path.is_file() else {}
    for title, method in chosen(name, options).items():
        parameters = method.estimator.get_params()
        if "max_iter" not in parameters:
            continue
        once = {"max_iter": 1} | (
            {"early_stopping": False} if "early_stopping" in parameters else {}
        )
        tried = clone(method.estimator).set_params(**once)
        row = {"command": environment()["command"], "threads": torch.get_num_threads()}
        row |= {"ran": repr(tried), "full": repr(method.estimator)}
        share = 1.0
        if method.reads == "pictures":
            share = try_pictures(tried, row) / X.nnz
        else:
            side = {} if method.reads is None else {"item_features": features}
            with timed(row):
                tried.fit(X, **side)
        epochs = parameters["max_iter"]
        row["epochs"] = epochs
        row["estimated_hours"] = round(row["processor_seconds"] / share * epochs / 3600, 2)
        found[title] = row
        shape, entries = [int(n) for n in X.shape], int(X.nnz)
        write(f"trial_{name}", {"data": name, "shape": shape, "entries": entries, "methods": found})


def try_pictures(tried, row):
    """Run an epoch of N_TRIED interactions, each with another JPEG file; return their number."""
    from PIL import Image

    rng = np.random.default_rng(SEED)
    coarse = rng.integers(256, size=(N_TRIED, 12, 12, 3), dtype=np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{i}.jpg" for i in range(N_TRIED)]
        for path, pixels in zip(paths, coarse, strict=True):
            Image.fromarray(pixels).resize((300, 300)).save(path)
        with timed(row):
            tried.fit(csr_array(eye_array(N_TRIED, dtype=np.float32)), item_features=paths)
    row["of_interactions"] = N_TRIED
    return N_TRIED


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", choices=list(DATA))
    parser.add_argument("--data-home", default=os.environ.get("SKREC_DATA"), metavar="FOLDER")
    parser.add_argument("--only", nargs="+", help="methods")
    parser.add_argument("--trial", action="store_true", help="one epoch, generated data")
    options = parser.parse_args()
    if options.trial:
        trial(options.data, options)
    elif options.data_home is None:
        parser.error("--data-home, or SKREC_DATA, must name the folder of the data sets")
    else:
        reproduce(options.data, options)


if __name__ == "__main__":
    main()
