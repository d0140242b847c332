"""Rows of fields: likes of ML-1M, logs of Frappe and samples of clicks, by models of rows.

    SKREC_DATA=../shared/data python docs/benchmarks/run_rows.py ml-1m
    SKREC_DATA=... python docs/benchmarks/run_rows.py frappe --models "DeepFM" "FM, no context"
    SKREC_DATA=... python docs/benchmarks/run_rows.py samples

A model that is run alone replaces its own entry of the record.

ML-1M: the label is a rating above 3. The 1,000,209 rows are in an order that is drawn: models learn
from 8 of 10, one tenth says which epoch is the best by its AUC, and one tenth is tested once.
Fields: user, item, gender, age, occupation, the first three digits of the zip code, year and
genres; a movie has several genres.

Frappe: logs of apps in a context, seven tenths to learn from, two for the choice of epochs and
settings, one tested once. Each log has two draws among the apps that its user has never used, in
the same context. Nine of ten logs have a pair of user and app that other logs have as well, and no
draw has one: the figure of all tested logs mainly says which models remember pairs. A second figure
is of the logs whose pair is in no training log. Both figures are measured with and without the
columns of the context.

The samples of Criteo and Avazu have 200 and 100 rows: they only show that the models run.
"""

import argparse
import json
import time

import numpy as np
from _record import RESULTS, as_json, environment
from _row_tables import CONTEXT, FRAPPE, frappe, ml_1m, sample
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from skrec.content import DeepFMClassifier, FMClassifier, WideAndDeepClassifier
from skrec.metrics._comparison._best_epoch import BestEpoch

PROTOCOLS = {
    "ml-1m": "ML-1M, rating > 3; 8:1:1 of the ratings in the order of "
    "RandomState(0).permutation: learned from, looked at for early stopping (a share of the "
    "first nine tenths, of each class), tested",
    "frappe": "Frappe, 7:2:1 of the logs in the order of RandomState(0).permutation, each with "
    "two draws among the apps that its user has never used, in its context: learned from, looked "
    "at for epochs and settings, tested. `unseen`: of the tested logs those whose user and app "
    "are together in no log that is learned from",
    "samples": "The first 80 of 100 rows learned from, in the order of "
    "RandomState(0).permutation; too few rows for a figure of quality",
}
PATIENCE = 2
# The batch, the rate and the rule of stopping of each setting on ML-1M.
COMMON = {
    "learning_rate": 3e-3, "batch_size": 4096, "early_stopping": True, "scoring": "roc_auc",
    "validation_fraction": 1 / 9, "n_iter_no_change": PATIENCE, "max_iter": 30, "random_state": 0,
}  # fmt: skip
CROSSES = [("gender", "genres"), ("age", "genres"), ("occupation", "genres"), ("age", "year")]
# The settings behind the published figures of Frappe.
PUBLISHED = {
    "n_components": 10, "learning_rate": 1e-3, "batch_size": 4096, "early_stopping": False,
    "max_iter": 100, "random_state": 0,
}  # fmt: skip
LAYERS = {
    "hidden_layer_sizes": (400, 400, 400), "dropout": 0.2, "batch_norm": True, "alpha": 0.05,
    "linear_alpha": 0.05,
}  # fmt: skip


def models_ml_1m(fields):
    """Estimators by name, with the columns that they read."""
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


def models_frappe():
    """Settings by name, with the columns that they read; the validation chooses one."""
    found, without = {}, np.flatnonzero(~np.isin(FRAPPE, CONTEXT))
    for name, columns in (("", np.arange(len(FRAPPE))), (", no context", without)):
        common = PUBLISHED | {"categorical_features": list(range(len(columns)))}
        found |= {
            f"LogisticRegression{name}": (
                [
                    make_pipeline(
                        OneHotEncoder(handle_unknown="ignore"),
                        LogisticRegression(C=C, max_iter=500),
                    )
                    for C in (0.1, 1.0, 10.0)
                ],
                columns,
            ),
            f"FM{name}": (
                [FMClassifier(**common | {"learning_rate": rate}) for rate in (3e-3, 1e-2)],
                columns,
            ),
            f"Wide & Deep{name}": ([WideAndDeepClassifier(**common, **LAYERS)], columns),
            f"DeepFM{name}": ([DeepFMClassifier(**common, **LAYERS)], columns),
        }
    return found


def fitted(estimator, X, y):
    """A model, and what a record says of its fit."""
    seconds = time.process_time()
    model = clone(estimator).fit(X, y)
    found = said_of(estimator) | {"fit_cpu_seconds": round(time.process_time() - seconds, 1)}
    if hasattr(model, "validation_scores_"):
        found["epochs"] = model.n_iter_
        found["validation_auc"] = [round(score, 4) for score in model.validation_scores_]
    return model, found


def said_of(estimator):
    """An estimator in a record."""
    estimator = clone(estimator)
    if "fields" in estimator.get_params():
        estimator.set_params(fields=None)  # too long to be shown
    return {"estimator": " ".join(repr(estimator).split())}


def validated(estimator, learned, looked):
    """A model at the epoch that has the best AUC on other rows, that AUC, and its record."""

    def look(model):
        X, y = looked
        return {"auc": roc_auc_score(y, model.predict_proba(X)[:, 1])}

    if "early_stopping" not in estimator.get_params():  # it has no epochs
        model, found = fitted(estimator, *learned)
        return model, look(model)["auc"], found
    watch = BestEpoch(look, every=1, patience=PATIENCE)
    seconds = time.process_time()
    clone(estimator).set_callbacks(watch).fit(*learned)
    seconds = time.process_time() - seconds
    score, epoch, model, _ = watch.best
    found = {"fit_cpu_seconds": round(seconds, 1), "epoch": epoch, "validation_auc": watch.curve}
    return model, score, said_of(estimator) | found


def figures(y, says):
    """AUC and log loss of probabilities."""
    return {"auc": round(roc_auc_score(y, says), 4), "log_loss": round(log_loss(y, says), 4)}


def run_ml_1m(chosen):
    """Models on the tested tenth of ML-1M."""
    X, y, fields = ml_1m()
    order, tenth = np.random.RandomState(0).permutation(len(y)), len(y) // 10
    known = models_ml_1m(fields)
    for name in chosen or known:
        estimator, columns = known[name]
        learned, tested = order[: 9 * tenth], order[9 * tenth :]
        if isinstance(estimator, LogisticRegression):  # it does not stop early
            learned = order[: 8 * tenth]
        some = X if isinstance(columns, slice) else csr_array(X[:, columns])
        model, found = fitted(estimator, some[learned], y[learned])
        found |= figures(y[tested], model.predict_proba(some[tested])[:, 1])
        save("ml-1m", {name: found})


def run_frappe(chosen):
    """Models on the tested tenth of Frappe's logs, and on those whose pair is unseen."""
    data, known = frappe(), models_frappe()
    learned, looked, tested = (data.part == part for part in range(3))
    y = data.y
    for name in chosen or known:
        settings, columns = known[name]
        X = data.X[:, columns]
        trials = [
            validated(setting, (X[learned], y[learned]), (X[looked], y[looked]))
            for setting in settings
        ]
        (model, score, found), *others = sorted(trials, key=lambda trial: -trial[1])
        says, unseen = model.predict_proba(X[tested])[:, 1], data.unseen[tested]
        found |= {"best_validation_auc": round(score, 4), **figures(y[tested], says)}
        found["unseen"] = {
            "n_logs": int(y[tested][unseen].sum()), **figures(y[tested][unseen], says[unseen]),
        }  # fmt: skip
        if others:
            found["not_chosen"] = [
                other | {"best_validation_auc": round(score, 4)} for _, score, other in others
            ]
        save("frappe", {name: found})


def run_samples(chosen):
    """Models on samples of clicks; some rows are held back."""
    for data in ("criteo", "avazu"):
        X, y, categories = sample(data)
        order = np.random.RandomState(0).permutation(len(y))
        learned, tested = np.split(order, [8 * len(y) // 10])
        for cls in (FMClassifier, DeepFMClassifier, WideAndDeepClassifier):
            name = f"{cls.__name__}, {data}"
            if chosen and name not in chosen:
                continue
            model = cls(categorical_features=categories, max_iter=20, random_state=0)
            model, found = fitted(model, X.iloc[learned], y[learned])
            says = model.predict_proba(X.iloc[tested])
            if says.shape != (len(tested), 2) or not np.isfinite(says).all():
                raise RuntimeError(f"{name}: {says}")
            save("samples", {name: found | {"n_rows": len(y), "loss": losses(model)}})


def losses(model):
    """The first and the last mean loss of a fit."""
    return [round(model.loss_curve_[place], 4) for place in (0, -1)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", choices=PROTOCOLS)
    parser.add_argument("--models", nargs="*", help="names; all where there are none")
    given = parser.parse_args()
    run = {"ml-1m": run_ml_1m, "frappe": run_frappe, "samples": run_samples}[given.data]
    run(given.models)


def save(data, found):
    """Add these results to the record, beside the results of other runs."""
    path = RESULTS / f"rows_{data}.json"
    record = json.loads(path.read_text()) if path.exists() else {}
    models = record.get("models", {}) | found
    record |= {"protocol": PROTOCOLS[data], "models": models, "environment": environment()}
    path.write_text(as_json(record, indent=1) + "\n")
    print(as_json(found, indent=1), flush=True)


if __name__ == "__main__":
    main()
