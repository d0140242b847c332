"""Rows of fields: ML-1M's ratings as likes, by models of rows.

    SKREC_DATA=../shared/data python docs/benchmarks/run_rows.py
    SKREC_DATA=... python docs/benchmarks/run_rows.py --models "DeepFM" "FM"

The label is a rating above 3. Of the 1,000,209 rows, in an order that is drawn, 8 of 10 are learned
from, one tenth says which epoch is the best by its AUC, and one tenth is tested once. Fields: user,
item, gender, age, occupation, the first three digits of the zip code, year and genres; a movie
has several genres. A model that is run alone replaces its own entry of the record.

`--floor` measures an epoch of DeepFM, and of the same network in plain PyTorch: embeddings with
dense gradients, Adam, the same batches.
"""

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np
from _data import interactions
from _record import RESULTS, as_json, environment
from scipy.sparse import csr_array, hstack
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score

from skrec.content import DeepFMClassifier, FMClassifier, WideAndDeepClassifier

NAME = "rows_ml-1m"
PROTOCOL = (
    "ML-1M, rating > 3; 8:1:1 of the ratings in the order of RandomState(0).permutation: learned "
    "from, looked at for early stopping (a share of the first nine tenths, of each class), tested"
)
USER = ("user", "gender", "age", "occupation", "zip")
# Of each setting the batch, the rate and the rule of stopping.
COMMON = {
    "learning_rate": 3e-3,
    "batch_size": 4096,
    "early_stopping": True,
    "scoring": "roc_auc",
    "validation_fraction": 1 / 9,
    "n_iter_no_change": 2,
    "max_iter": 30,
    "random_state": 0,
}
CROSSES = [("gender", "genres"), ("age", "genres"), ("occupation", "genres"), ("age", "year")]


def models(fields):
    """Estimators by name."""
    pair = np.isin(fields, ["user", "item"])
    return {
        "LogisticRegression(C=0.3)": (LogisticRegression(C=0.3, max_iter=500), slice(None)),
        "FM without vectors": (FMClassifier(0, fields=fields, **COMMON), slice(None)),
        "FM, user and item": (FMClassifier(fields=fields[pair], **COMMON), np.flatnonzero(pair)),
        "FM": (FMClassifier(fields=fields, **COMMON), slice(None)),
        "Wide & Deep, wide = linear": (
            WideAndDeepClassifier(fields=fields, **COMMON), slice(None),
        ),
        "Wide & Deep, crosses": (
            WideAndDeepClassifier(fields=fields, cross_features=CROSSES, **COMMON), slice(None),
        ),
        "DeepFM": (DeepFMClassifier(fields=fields, **COMMON), slice(None)),
    }  # fmt: skip


def one_hot(values):
    kinds, codes = np.unique(np.asarray(values), return_inverse=True)
    n = len(codes)
    return csr_array((np.ones(n), (np.arange(n), codes)), shape=(n, len(kinds)))


def table():
    """Rows, labels and the field of each column."""
    import pandas as pd

    folder, log = Path(os.environ["SKREC_DATA"]) / "ml-1m", interactions("ml-1m")
    users = pd.read_csv(folder / "users.csv", dtype={"zip": str}).sort_values("user")
    items = pd.read_csv(folder / "items.csv")
    items = items[items["item"] >= 0].sort_values("item")
    users["zip"] = users["zip"].str[:3]
    of_users = {name: one_hot(users[name]) for name in USER}
    of_items = {name: one_hot(items[name]) for name in ("item", "year")}
    of_items["genres"] = csr_array(items["genres"].str.get_dummies("|").to_numpy(np.float64))
    U = csr_array(hstack([*of_users.values()], format="csr"))
    V = csr_array(hstack([*of_items.values()], format="csr"))
    X = csr_array(hstack([U[log["user"]], V[log["item"]]], format="csr"))
    parts = of_users | of_items
    fields = np.repeat([*parts], [part.shape[1] for part in parts.values()])
    return X, (log["rating"] > 3).astype(int), fields


def measured(estimator, X, y, columns):
    """What a model comes to on the tested tenth."""
    order, tenth = np.random.RandomState(0).permutation(len(y)), len(y) // 10
    learned, tested = order[: 9 * tenth], order[9 * tenth :]
    if isinstance(estimator, LogisticRegression):  # it does not stop early
        learned = order[: 8 * tenth]
    X = X if isinstance(columns, slice) else csr_array(X[:, columns])
    seconds = time.process_time()
    model = clone(estimator).fit(X[learned], y[learned])
    seconds = time.process_time() - seconds
    says = model.predict_proba(X[tested])[:, 1]
    estimator = clone(estimator)
    if "fields" in estimator.get_params():
        estimator.set_params(fields=None)  # too long to be shown
    found = {
        "estimator": " ".join(repr(estimator).split()),
        "auc": round(roc_auc_score(y[tested], says), 4),
        "log_loss": round(log_loss(y[tested], says), 4),
        "fit_cpu_seconds": round(seconds, 1),
    }
    if hasattr(model, "validation_scores_"):
        found["epochs"] = model.n_iter_
        found["validation_auc"] = [round(score, 4) for score in model.validation_scores_]
    return found


def plain_epoch(X, y, fields, n_components=16, sizes=(128, 64), dropout=0.2, batch_size=4096):
    """Seconds of the processor for an epoch of DeepFM in plain PyTorch, the second of two."""
    import torch
    from torch import nn

    names = list(dict.fromkeys(fields))
    multi = names.index("genres")
    place = np.array([names.index(name) for name in fields])
    row = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
    single = place[X.indices] != multi
    ids = np.zeros((X.shape[0], len(names) - 1), dtype=np.int64)
    ids[row[single], place[X.indices[single]]] = X.indices[single]
    genres = np.where(place == multi)[0]
    hot = torch.from_numpy(X[:, genres].toarray().astype(np.float32))
    hot = hot / hot.sum(1, keepdim=True).clamp(min=1).sqrt()
    ids, labels = torch.from_numpy(ids), torch.from_numpy(y.astype(np.float32))

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear, self.vectors = nn.Embedding(X.shape[1], 1), nn.Embedding(X.shape[1], 16)
            layers, width = [], len(names) * n_components
            for size in sizes:
                layers += [nn.Linear(width, size), nn.ReLU(), nn.Dropout(dropout)]
                width = size
            self.deep = nn.Sequential(*layers, nn.Linear(width, 1))
            nn.init.zeros_(self.linear.weight)
            nn.init.normal_(self.vectors.weight, std=0.01)

        def forward(self, ids, hot):
            linear = self.linear(ids).sum(1) + hot @ self.linear.weight[genres]
            vectors = self.vectors(ids), (hot @ self.vectors.weight[genres])[:, None]
            vectors = torch.cat(vectors, 1)
            pairs = vectors.sum(1).square() - vectors.square().sum(1)
            return (linear + 0.5 * pairs.sum(1, True) + self.deep(vectors.flatten(1)))[:, 0]

    net, loss = Net(), nn.BCEWithLogitsLoss()
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    for _ in range(2):
        seconds = time.process_time()
        for rows in torch.randperm(len(labels)).split(batch_size):
            optimizer.zero_grad()
            loss(net(ids[rows], hot[rows]), labels[rows]).backward()
            optimizer.step()
        seconds = time.process_time() - seconds
    return seconds


def epoch_seconds(X, y, fields):
    """Seconds of the processor for an epoch of DeepFM: the difference of fits of one and three."""
    options = COMMON | {"early_stopping": False}
    spent = []
    for n_epochs in (1, 3):
        model = DeepFMClassifier(fields=fields, **options | {"max_iter": n_epochs})
        seconds = time.process_time()
        model.fit(X, y)
        spent.append(time.process_time() - seconds)
    return {"whole_fit_of_one_epoch": spent[0], "epoch": (spent[1] - spent[0]) / 2}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models", nargs="*", help="names; all where there are none")
    parser.add_argument("--floor", action="store_true", help="measure an epoch instead")
    given = parser.parse_args()
    X, y, fields = table()
    if given.floor:
        order = np.random.RandomState(0).permutation(len(y))[: 8 * (len(y) // 10)]
        X, y = X[order], y[order]
        found = epoch_seconds(X, y, fields) | {"plain_epoch": plain_epoch(X, y, fields)}
        save({"deepfm_epoch_cpu_seconds": {k: round(v, 2) for k, v in found.items()}})
        return
    chosen = models(fields)
    for name in given.models or chosen:
        save({"models": {name: measured(*_split(chosen[name], X, y))}})


def _split(model, X, y):
    estimator, columns = model
    return estimator, X, y, columns


def save(found):
    """Put what was found into the record, beside what other runs have found."""
    path = RESULTS / f"{NAME}.json"
    record = json.loads(path.read_text()) if path.exists() else {"protocol": PROTOCOL}
    models = record.get("models", {}) | found.get("models", {})
    record |= found | {"models": models, "environment": environment()}
    path.write_text(as_json(record, indent=1) + "\n")
    print(as_json(found, indent=1), flush=True)


if __name__ == "__main__":
    main()
