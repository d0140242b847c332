"""ML-1M, rating prediction, random 90/10 splits (Sedhain et al. 2015): RMSE of the tenth.

    SKREC_DATA=../shared/data python docs/benchmarks/run_ml1m_ratings.py
    SKREC_DATA=../shared/data python docs/benchmarks/run_ml1m_ratings.py --only "BiasedMF (als)"

Each model's candidates are compared on a tenth of the training ratings of the first split; the best
one is then trained on all training ratings of each split and tested once. Predictions are in rating
units and, but for the autoencoders', not clipped; the record also has the RMSE after clipping to
1..5. Models of ATTRIBUTES read gender, age and occupation of users, and genres and decade of
movies; those without ids know nothing else of a user and a movie. A model that is run alone
replaces its own entry of the record. To add one: a line in CANDIDATES, and one in PUBLISHED if
there is a figure.
"""

import argparse
import json
import os
from pathlib import Path

import numpy as np
from _record import RESULTS, cost_row, environment, measured, rounded, write
from run_rows import one_hot
from scipy.sparse import csr_array, hstack
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge

from skrec.autoencoder import ItemAutoRec, RBMRecommender, StackedAutoencoder, UserAutoRec
from skrec.content import ContentRecommender, DeepFM
from skrec.decomposition import BiasedMF
from skrec.ensemble import LLORMA
from skrec.metrics._comparison._tuning import tune
from skrec.model_selection import evaluation_split

NAME = "ml1m_ratings"
# The records are of penalties in the unit of the ratings.
ALS = BiasedMF(32, solver="als", penalty_unit=1.0, max_iter=15, random_state=0)
SGD = BiasedMF(64, solver="sgd", penalty_unit=1.0, random_state=0)
# Fields of the columns of `attributes`.
FIELDS = {
    "user_features": ["gender"] * 2 + ["age"] * 7 + ["occupation"] * 21,
    "item_features": ["genre"] * 18 + ["decade"] * 10,
}
OF_ROWS = {"feedback": "rating", "random_state": 0}
STOPPING = {"n_iter_no_change": 2, **OF_ROWS}
CANDIDATES = {
    "BiasedMF (als)": (ALS, [{"alpha": alpha} for alpha in (0.06, 0.07, 0.08)]),
    "BiasedMF (sgd)": (
        SGD,
        [
            {"alpha": alpha, "max_iter": max_iter}
            for max_iter, alphas in (
                (20, (0.03, 0.04)),
                (30, (0.03, 0.04, 0.05)),
                (40, (0.04, 0.05, 0.06)),
            )
            for alpha in alphas
        ],
    ),
    "ItemAutoRec": (
        ItemAutoRec(alpha=200.0, max_iter=12, random_state=0),
        [{"alpha": alpha} for alpha in (100.0, 150.0, 200.0, 250.0)],
    ),
    "UserAutoRec": (
        UserAutoRec(max_iter=60, random_state=0),
        [{"alpha": alpha} for alpha in (200.0, 300.0, 400.0)],
    ),
    "RBMRecommender (user)": (
        RBMRecommender(max_iter=50, random_state=0),
        [{"n_components": 100}],
    ),
    "RBMRecommender (item)": (
        RBMRecommender(500, orientation="item", max_iter=30, random_state=0),
        [{"alpha": alpha} for alpha in (0.0005, 0.001, 0.002)],
    ),
    "StackedAutoencoder": (
        StackedAutoencoder(alpha=300.0, corruption="mask", max_iter=60, random_state=0),
        [{"corruption_level": level} for level in (0.1, 0.2, 0.4)],
    ),
    "LLORMA": (
        LLORMA(BiasedMF(20, alpha=0.07, penalty_unit=1.0, max_iter=15), random_state=0),
        [{"alpha": alpha} for alpha in (0.04, 0.05)],
    ),
    "BiasedMF (als), 20 components": (
        BiasedMF(20, alpha=0.07, penalty_unit=1.0, max_iter=15, random_state=0),
        [{"alpha": 0.07}],
    ),
    "item means": (
        ContentRecommender(Ridge(), pairs="concatenate", use_ids=False, **OF_ROWS),
        [{"estimator__alpha": alpha} for alpha in (1.0, 3.0, 10.0)],
    ),
    "Ridge, attributes": (
        ContentRecommender(Ridge(solver="sparse_cg"), use_ids=False, **OF_ROWS),
        [{"estimator__alpha": alpha} for alpha in (10.0, 100.0)],
    ),
    "trees, attributes": (
        ContentRecommender(
            HistGradientBoostingRegressor(max_iter=100), pairs="concatenate", use_ids=False,
            **OF_ROWS,
        ),
        [{"estimator__learning_rate": 0.2}],
    ),
    "FM, ids and attributes": (
        DeepFM(fields=FIELDS, hidden_layer_sizes=(), **STOPPING),
        [{"alpha": alpha} for alpha in (3e-6, 1e-5)],
    ),
    "DeepFM, ids and attributes": (
        DeepFM(fields=FIELDS, **STOPPING),
        [{"alpha": alpha} for alpha in (3e-6, 1e-5)],
    ),
}  # fmt: skip
ATTRIBUTES = {name for name in CANDIDATES if "attributes" in name}
PUBLISHED = {
    "source": "Sedhain et al. 2015, mean of five random splits",
    "BiasedMF": 0.845,
    "I-AutoRec": 0.831,
    "LLORMA": 0.833,
    "I-RBM": 0.854,
    "U-AutoRec": 0.874,
    "U-RBM": 0.881,
}


def load():
    log = np.load(Path(os.environ["SKREC_DATA"]) / "ml-1m" / "interactions.npz")
    values = log["rating"].astype(np.float32)
    return csr_array((values, (log["user"], log["item"])), shape=(6040, 3706))


def split(X, seed):
    """A random tenth of the stored ratings, and the rest first."""
    parts = evaluation_split(X, "ratings", holdout=0.1, random_state=seed)
    return parts.X_train, parts.y_test


def attributes():
    """Side information of `fit`: one-hot columns, whose fields are FIELDS."""
    import pandas as pd

    folder = Path(os.environ["SKREC_DATA"]) / "ml-1m"
    users = pd.read_csv(folder / "users.csv").sort_values("user")
    items = pd.read_csv(folder / "items.csv")
    items = items[items["item"] >= 0].sort_values("item")
    parts = [one_hot(users[name]) for name in ("gender", "age", "occupation")]
    genres = csr_array(items["genres"].str.get_dummies("|").to_numpy(np.float64))
    decade = one_hot(items["year"] // 10)
    return {
        "user_features": csr_array(hstack(parts, format="csr")),
        "item_features": csr_array(hstack([genres, decade], format="csr")),
    }


def errors(model, train, test, side):
    rows = np.repeat(np.arange(test.shape[0]), np.diff(test.indptr))
    known = {name: side[name] for name in side if name == "user_features"}
    predicted = model.score_pairs(train, rows, test.indices, **known)
    return {
        name: float(np.sqrt(np.mean((values - test.data) ** 2)))
        for name, values in (("rmse", predicted), ("rmse_clipped", np.clip(predicted, 1, 5)))
    }


def run(model, train, test, side):
    row = {"parameters": repr(model), "fit": {}}
    model = clone(model)
    with measured(row["fit"]):
        model.fit(train, **side)
    row |= rounded(errors(model, train, test, side))
    print(row, flush=True)
    return row


def select(estimator, settings, train, side):
    """The settings on a tenth of the training ratings, and the best of them."""
    part, held_out = split(train, 10_000)
    best, _, trials = tune(
        estimator,
        settings,
        part,
        lambda model: errors(model, part, held_out, side),
        sign=-1,
        fit_params=side,
        tell=lambda trials: print(trials[-1], flush=True),
    )
    rows = []
    for trial in trials:
        row = {"parameters": repr(clone(estimator).set_params(**trial.parameters))}
        row["fit"] = {name: cost_row(trial.cost)[name] for name in ("seconds", "peak_mib")}
        rows.append(row | rounded(trial.scores))
    return clone(estimator).set_params(**best.parameters), rows


def measure(candidates, splits, side):
    best, validation = select(*candidates, splits[0][0], side)
    tests = [run(best, *parts, side) for parts in splits]
    return {
        "environment": environment(),
        "parameters": repr(best),
        "rmse": round(float(np.mean([row["rmse"] for row in tests])), 4),
        "rmse_clipped": round(float(np.mean([row["rmse_clipped"] for row in tests])), 4),
        "tests": tests,
        "validation": validation,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", choices=list(CANDIDATES), nargs="+", default=list(CANDIDATES))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    file = RESULTS / f"{NAME}.json"
    models = json.loads(file.read_text())["models"] if file.exists() else {}
    X = load()
    splits = [split(X, seed) for seed in options.seeds]
    for name in options.only:
        side = attributes() if name in ATTRIBUTES else {}
        models[name] = measure(CANDIDATES[name], splits, side)
        record = {
            "protocol": "ML-1M, random 90/10 of the ratings, seeds "
            f"{options.seeds}; candidates compared on a tenth of the first training part",
            "published": PUBLISHED,
            "models": models,
        }
        write(NAME, record)


if __name__ == "__main__":
    main()
