"""The tables of Liang et al. (2018) and their like, where the data is: one command for each.

    python docs/benchmarks/run_seed_tables.py ml-20m                       # downloads it
    python docs/benchmarks/run_seed_tables.py netflix --source FOLDER      # combined_data_*.txt
    python docs/benchmarks/run_seed_tables.py msd --source train_triplets.txt
    python docs/benchmarks/run_seed_tables.py pinterest --source FOLDER    # NCF's pinterest-20.*
    python docs/benchmarks/run_seed_tables.py ml-20m --trial               # no data needed

DATA has the papers' protocols, METHODS the full settings, and PUBLISHED the figures to compare
with. The validation users choose the epoch of neural methods, as in Liang et al. The seed 98765 is
theirs, but it draws other users, for the generator is another one. A method that is run again
replaces its own entry of results/seed_NAME.json and no other.

``--trial`` runs one epoch, or sweep, of each iterated method on a generated matrix of the full
shape (iALS revisited with 256 components, and a part of WMF's last half sweep, which is exact), and
writes the seconds and the hours that all epochs would take on this machine to
results/trial_NAME.json. EASE, SLIM and SANSA have no epochs and are not tried.
"""

import argparse
import json
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from _record import RESULTS, best_epoch, environment, measured, write
from scipy.sparse import csr_array
from sklearn.base import clone

from skrec.autoencoder import CDAE, MultDAE, MultVAE
from skrec.datasets import fetch_movielens, load_interactions, make_interactions
from skrec.decomposition import WMF
from skrec.dummy import DummyRecommender
from skrec.linear_model import EASE, SANSA, SLIM
from skrec.metrics import evaluate
from skrec.model_selection import strong_generalization_split

SEED = 98765
RANKING = ["ndcg@100", "recall@20", "recall@50"]
NCF = ["hit_rate@10", "ndcg@10"]


class Data(NamedTuple):
    """How a data set is prepared, and its shape and entries after that."""

    shape: tuple
    n_entries: int
    min_rating: float | None = None
    min_users: int = 1
    min_items: int = 1
    n_held_users: int | None = None


DATA = {
    "ml-20m": Data((136_677, 20_108), 9_990_682, 4.0, 1, 5, 10_000),
    "netflix": Data((463_435, 17_769), 56_880_037, 4.0, 1, 5, 40_000),
    "msd": Data((571_355, 41_140), 33_633_450, None, 200, 20, 50_000),
    "pinterest": Data((55_187, 9_916), 1_500_809),
}
VAE = MultVAE(
    200, hidden_layer_sizes=(600,), dropout=0.5, beta=0.2, n_annealing_steps=200_000,
    learning_rate=1e-3, batch_size=500, max_iter=200, early_stopping=False, random_state=SEED,
)  # fmt: skip
DAE = MultDAE(
    (200,), alpha=4e-5, batch_size=500, max_iter=200, early_stopping=False, random_state=SEED
)


def ials(n_components, penalty, unobserved_weight):
    """iALS revisited, in the authors' terms (README of google-research/ials); 16 epochs."""
    return WMF(
        n_components, alpha=penalty * (1 + unobserved_weight), unobserved_weight=unobserved_weight,
        frequency_exponent=1.0, max_iter=16, random_state=SEED,
    )  # fmt: skip


IALS = {
    "ml-20m": ials(2048, 0.003, 0.1),
    "msd": ials(8192, 0.002, 0.02),
    "pinterest": ials(192, 0.02, 0.007),
}
EASE_ALPHA = {"ml-20m": 500.0, "netflix": 1000.0, "msd": 200.0, "pinterest": 3540.0}


def methods(name):
    """Name: estimator with its full settings."""
    linear = {"DummyRecommender": DummyRecommender(), "EASE": EASE(EASE_ALPHA[name])}
    if name == "pinterest":
        return linear | {
            "MultDAE": clone(DAE).set_params(max_iter=60),
            "WMF": IALS[name],
        }
    if name in IALS:
        linear["WMF, iALS revisited"] = IALS[name]
    return linear | {
        "EASE, positive": EASE(EASE_ALPHA[name], positive=True),
        "SANSA, 1 %": SANSA(EASE_ALPHA[name], density=0.01),
        "SLIM": SLIM(alpha=100.0, l1_ratio=0.02),
        # Hu et al.'s objective with 200 components, as Liang et al. had it. They do not
        # tell the penalty; this one was the best of six, 1 to 300, on validation users of ML-1M.
        "WMF": WMF(
            200,
            alpha=30.0,
            unobserved_weight=1.0,
            frequency_exponent=0.0,
            max_iter=15,
            random_state=SEED,
        ),
        "CDAE": CDAE(
            200, activation="tanh", dropout=0.5, batch_size=500, max_iter=100, random_state=SEED
        ),
        "MultDAE": DAE,
        "MultDAE, gaussian": clone(DAE).set_params(likelihood="gaussian"),
        "MultDAE, logistic": clone(DAE).set_params(likelihood="logistic"),
        "MultVAE": VAE,
        "MultVAE, gaussian": clone(VAE).set_params(likelihood="gaussian"),
        "MultVAE, logistic": clone(VAE).set_params(likelihood="logistic"),
    }


# Recall@20 / recall@50 / nDCG@100, or HR@10 / nDCG@10; sources in ../shared/TARGETS.md's terms.
PUBLISHED = {
    "ml-20m": {
        "DummyRecommender": (0.162, 0.235, 0.191), "EASE": (0.391, 0.521, 0.420),
        "EASE, positive": (0.373, 0.499, 0.402), "SANSA, 1 %": (0.388, 0.518, 0.420),
        "SLIM": (0.370, 0.495, 0.401), "WMF": (0.360, 0.498, 0.386),
        "WMF, iALS revisited": (0.395, 0.53, 0.425), "CDAE": (0.391, 0.523, 0.418),
        "MultDAE": (0.387, 0.524, 0.419), "MultDAE, gaussian": (0.376, 0.515, 0.409),
        "MultDAE, logistic": (0.381, 0.516, 0.414), "MultVAE": (0.395, 0.537, 0.426),
        "MultVAE, gaussian": (0.383, 0.523, 0.415), "MultVAE, logistic": (0.388, 0.523, 0.419),
    },
    "netflix": {
        "DummyRecommender": (0.116, 0.175, 0.159), "EASE": (0.362, 0.445, 0.393),
        "EASE, positive": (0.345, 0.424, 0.373), "SANSA, 1 %": (0.356, 0.438, 0.386),
        "SLIM": (0.347, 0.428, 0.379), "WMF": (0.316, 0.404, 0.351),
        "CDAE": (0.343, 0.428, 0.376), "MultDAE": (0.344, 0.438, 0.380),
        "MultVAE": (0.351, 0.444, 0.386),
    },
    "msd": {
        "DummyRecommender": (0.043, 0.068, 0.058), "EASE": (0.333, 0.428, 0.389),
        "EASE, positive": (0.324, 0.418, 0.379), "SANSA, 1 %": (0.332, 0.428, 0.388),
        "WMF": (0.211, 0.312, 0.257), "WMF, iALS revisited": (0.309, 0.415, 0.368),
        "CDAE": (0.188, 0.283, 0.237), "MultDAE": (0.266, 0.363, 0.313),
        "MultVAE": (0.266, 0.364, 0.316),
    },
    "pinterest": {
        "EASE": (0.8684, 0.5604), "MultDAE": (0.886, 0.580), "WMF": (0.892, 0.573),
    },
}  # fmt: skip
# The part of each method that a trial runs.
TRIALS = {
    "WMF, iALS revisited": {"n_components": 256, "max_iter": 1},
    "WMF": {"max_iter": 1},
    "CDAE": {"max_iter": 1},
    "MultDAE": {"max_iter": 1},
    "MultVAE": {"max_iter": 1, "n_annealing_steps": 200_000},
}
# WMF ends by solving for all users exactly; a trial does so for one in so many.
EXACT_SHARE = 50


def ratings(name, source):
    """Everything that was observed, as a CSR matrix."""
    if name == "ml-20m":
        return csr_array(fetch_movielens("20m", return_X=True, dtype=np.float32))
    if name == "msd":
        log = load_interactions(source, header=False, value=None, timestamp=None, return_X=True)
        return csr_array(log, dtype=np.float32)
    users, movies, values = [], [], []
    for file in sorted(Path(source).glob("combined_data_*.txt")):
        for block in re.finditer(r"(\d+):\n((?:\d+,\d,[\d-]+\n?)*)", file.read_text()):
            rows = np.array(re.findall(r"(\d+),(\d)", block[2]), dtype=np.int32)
            users.append(rows[:, 0])
            movies.append(np.full(len(rows), int(block[1]), dtype=np.int32))
            values.append(rows[:, 1].astype(np.float32))
    if not users:
        raise FileNotFoundError(f"{source} holds no combined_data_*.txt with ratings.")
    user = np.unique(np.concatenate(users), return_inverse=True)[1]
    movie = np.unique(np.concatenate(movies), return_inverse=True)[1]
    return csr_array((np.concatenate(values), (user, movie)))


def interactions(name, source):
    """The matrix of ones of a data set, filtered as the authors did."""
    data, X = DATA[name], ratings(name, source)
    if data.min_rating is not None:
        X.data[X.data < data.min_rating] = 0
        X.eliminate_zeros()
    X = X[:, np.bincount(X.indices, minlength=X.shape[1]) >= data.min_users]
    X = X[np.diff(X.indptr) >= data.min_items]
    X.data[:] = 1
    if X.shape != data.shape and data.min_users > 1:
        print(f"The matrix is {X.shape}; the paper's is {data.shape}.", flush=True)
    return X


def strong(name, source):
    """Fit and test under Liang et al.'s protocol: a function of an estimator."""
    held = DATA[name].n_held_users
    X = interactions(name, source)
    split = strong_generalization_split(X, n_validation=held, n_test=held, random_state=SEED)

    def run(model):
        row = {"fit": {}}
        with measured(row["fit"]):
            if hasattr(model, "set_callbacks"):
                model, row["epochs"] = best_epoch(model, split, RANKING, every=1, patience=20)
            else:
                model.fit(split.X_train)
        return row, evaluate(model, split.X_test, split.y_test, RANKING)

    return run


def leave_one_out(source):
    """Fit and test on NCF's Pinterest split: a function of an estimator."""
    folder, shape = Path(source), DATA["pinterest"].shape
    user, item = np.loadtxt(
        folder / "pinterest-20.train.rating", usecols=(0, 1), dtype=np.int64, unpack=True
    )
    X = csr_array((np.ones(len(user), dtype=np.float32), (user, item)), shape=shape)
    X.data[:] = 1
    lines = (folder / "pinterest-20.test.negative").read_text().split("\n")
    numbers = np.array([re.findall(r"\d+", line) for line in lines if line], dtype=np.int64)
    y = csr_array((np.ones(len(numbers)), (numbers[:, 0], numbers[:, 1])), shape=shape)
    candidates = np.zeros((shape[0], numbers.shape[1] - 2), dtype=np.intp)
    candidates[numbers[:, 0]] = numbers[:, 2:]

    def run(model):
        row = {"fit": {}}
        with measured(row["fit"]):
            model.fit(X)
        return row, evaluate(model, X, y, NCF, candidates=candidates)

    return run


def reproduce(name, options):
    run = leave_one_out(options.source) if name == "pinterest" else strong(name, options.source)
    path = RESULTS / f"seed_{name}.json"
    found = json.loads(path.read_text())["methods"] if path.is_file() else {}
    metrics = NCF if name == "pinterest" else RANKING
    for method, model in chosen(name, options).items():
        row, result = run(clone(model))
        row |= {"command": environment()["command"], "parameters": repr(model)}
        row["mean"] = {m: round(float(result.mean[m]), 4) for m in metrics}
        row["standard_error"] = {m: round(float(result.standard_error[m]), 4) for m in metrics}
        row["published"] = PUBLISHED[name].get(method)
        found[method] = row
        write(f"seed_{name}", {"data": name, "methods": found})


def chosen(name, options):
    every = methods(name)
    unknown = set(options.only or ()) - set(every)
    if unknown:
        raise SystemExit(f"No such method for {name}: {sorted(unknown)}. There are {list(every)}.")
    return {m: model for m, model in every.items() if not options.only or m in options.only}


def trial(name, options):
    """One epoch of each iterated method at full shape, and the hours of all of them."""
    data = DATA[name]
    X = make_interactions(
        *data.shape, data.n_entries, dtype=np.float32, random_state=0, return_X=True
    )
    X = csr_array((np.ones(X.nnz, dtype=np.float32), X.indices, X.indptr), shape=X.shape)
    path = RESULTS / f"trial_{name}.json"
    found = json.loads(path.read_text())["methods"] if path.is_file() else {}
    for method, model in chosen(name, options).items():
        if method not in TRIALS:
            continue
        tried = clone(model).set_params(**TRIALS[method])
        row = {"command": environment()["command"], "ran": repr(tried), "full": repr(model)}
        row["threads"] = torch.get_num_threads()
        if isinstance(model, WMF):
            seconds = try_wmf(tried, model, X, row)
        else:
            with measured(row):
                tried.fit(X)
            seconds = row["seconds"] * model.max_iter
        row |= {"epochs": model.max_iter, "estimated_hours": round(seconds / 3600, 2)}
        found[method] = row
        shape, entries = [int(n) for n in X.shape], int(X.nnz)
        write(f"trial_{name}", {"data": name, "shape": shape, "entries": entries, "methods": found})


def try_wmf(tried, full, X, row):
    """A sweep of everything, and the exact vectors of some users; the seconds of the whole fit.

    With conjugate gradients the greater part of a sweep grows with the square of the
    components; an exact vector takes entries times their square, and a third of their cube.
    """
    d, D = tried.n_components, full.n_components
    items = np.random.default_rng(SEED).normal(size=(X.shape[1], d)).astype(np.float32)
    with measured(row):
        tried._descend(X, tried.init_scale / np.sqrt(d) * items, None)
    some = csr_array(X[::EXACT_SHARE])
    tried.fit(some)
    exact = {}
    with measured(exact):
        tried.transform(some)
    row["exact_seconds_estimated"] = round(exact["seconds"] * EXACT_SHARE, 1)
    entries = X.nnz / X.shape[0]
    more = (entries * D**2 + D**3 / 3) / (entries * d**2 + d**3 / 3)
    return row["seconds"] * (D / d) ** 2 * full.max_iter + row["exact_seconds_estimated"] * more


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", choices=list(DATA))
    parser.add_argument("--source", help="where the data's own files are")
    parser.add_argument("--only", nargs="+", help="methods")
    parser.add_argument("--trial", action="store_true", help="one epoch, generated data")
    options = parser.parse_args()
    if options.trial:
        trial(options.data, options)
    elif options.source is None and options.data != "ml-20m":
        parser.error("--source is needed: this data cannot be downloaded by skrec")
    else:
        reproduce(options.data, options)


if __name__ == "__main__":
    main()
