"""LOCA on ML-1M, strong generalisation: against its global model, and against chance.

    SKREC_DATA=../shared/data python docs/benchmarks/run_ml1m_loca.py --base EASE
    SKREC_DATA=../shared/data python docs/benchmarks/run_ml1m_loca.py --base MultVAE

Protocol and split equal run.py's ml1m_strong. Three models are tuned by nDCG@100 on the
validation users, and each is tested once:

- global: the base model alone, with the best of the settings in BASES[...]["grid"];
- LOCA: the best of the settings in BASES[...]["local"], each with all predict_bandwidth and
  global_weight, which need no other fit;
- random: for each local model of the chosen LOCA a model fitted to as many users, drawn at random,
  with equal weights of the same sum. Their scores are averaged, and the global model's scores
  blended in with the share of SHARES that validates best. LOCA's gain over "random" comes from
  users being near each other, and not from averaging many models.

Differences on the test users are paired, with two standard errors. A base that is run again
replaces its own entry of results/ml1m_loca.json and no other.
"""

import argparse
import json

import numpy as np
from _protocols import PROTOCOLS, SEED, ml1m_strong_split
from _record import RESULTS, environment, looking, measured, rounded, write
from sklearn.base import clone
from sklearn.model_selection import ParameterGrid

from skrec._delegation import seeded_clone
from skrec.ensemble import LOCA
from skrec.ensemble._members import fit_member
from skrec.linear_model import EASE
from skrec.metrics import compare, evaluate
from skrec.metrics._comparison._tuning import tune

METRICS = list(PROTOCOLS["ml1m_strong"].metrics)
CHOSEN_BY = METRICS[0]
# Shares of the global model, beside the mean of the models of random users.
SHARES = [0.0, 0.25, 0.5, 0.75]


def bases():
    """Estimators and what to choose from; torch is imported for its own base only."""
    return {
        "EASE": {
            "estimator": EASE,
            "grid": {"alpha": [100.0, 200.0, 300.0, 500.0]},
            "local": [
                # The authors' anchors, bandwidth and sum for EASE.
                {"anchors": ["random"], "fit_bandwidth": [0.6], "weight_sum": ["n_items"]},
                {"anchors": ["coverage"], "fit_bandwidth": [0.6], "weight_sum": ["n_users"]},
                {"anchors": ["coverage"], "fit_bandwidth": [0.8], "weight_sum": ["n_local"]},
            ],
            "predict": {
                "predict_bandwidth": [0.4, 0.6, 0.8],
                "global_weight": [0.0, 1.0, 3.0],
            },
        },
        "MultVAE": {
            "estimator": _mult_vae,
            "grid": {},
            "local": [{"anchors": ["coverage"], "fit_bandwidth": [0.8], "weight_sum": ["n_local"]}],
            "predict": {
                "predict_bandwidth": [0.3, 0.4, 0.6, 0.8],
                "global_weight": [0.0, 0.3, 1.0, 3.0],
            },
        },
    }


def _mult_vae():
    from skrec.autoencoder import MultVAE

    return MultVAE(
        64,
        hidden_layer_sizes=(300,),
        beta=0.3,
        batch_size=200,
        max_iter=40,
        early_stopping=False,
        random_state=0,
    )


class RandomUsers:
    """Mean of models fitted to random users, as many as each local model of a LOCA has."""

    def __init__(self, loca, weight_sum):
        self.base, self.sizes = loca.estimator_, loca.n_local_users_
        self.weight_sum, self.share = weight_sum, 0.0

    def fit(self, X):
        rng = np.random.RandomState(1)
        self.members = []
        for size in self.sizes:
            users = np.sort(rng.permutation(X.shape[0])[:size])
            total = {"n_local": size, "n_users": X.shape[0], "n_items": X.shape[1]}
            weight = np.full(size, total[self.weight_sum] / size)
            model = seeded_clone(clone(self.base), rng)
            self.members.append(fit_member(model, X[users], weight, None))
        return self

    def decision_function(self, X):
        mean = np.zeros(X.shape, dtype=X.dtype)
        for member in self.members:
            mean += member.decision_function(X) / X.dtype.type(len(self.members))
        share = X.dtype.type(self.share)
        return (1 - share) * mean + share * self.base.decision_function(X)


def validated(model, split):
    found = evaluate(model, split.X_validation, split.y_validation, METRICS)
    return rounded(found.mean)


def best_of(tried):
    return max(tried, key=lambda row: row["validation"][CHOSEN_BY])


def tune_global(base, split):
    best, model, trials = tune(
        base["estimator"](),
        list(ParameterGrid(base["grid"])),
        split.X_train,
        looking(split, METRICS),
        keep=True,
        tell=lambda trials: print("global", trials[-1], flush=True),
    )
    tried = [
        {"parameters": trial.parameters, "validation": rounded(trial.scores)} for trial in trials
    ]
    return model, {"tried": tried, "chosen": tried[trials.index(best)]}


def tune_local(base, estimator, split, n_estimators):
    """LOCA around the chosen global model; one fit serves all settings of prediction."""
    tried, best, best_value = [], None, -1.0
    for parameters in ParameterGrid(base["local"]):
        fitted = {}
        with measured(fitted):
            model = LOCA(
                clone(estimator),
                n_estimators=n_estimators,
                bandwidth_unit="angle",
                random_state=0,
                **parameters,
            ).fit(split.X_train)
        fitted["users"] = [int(n) for n in np.quantile(model.n_local_users_, [0, 0.5, 1])]
        for prediction in ParameterGrid(base["predict"]):
            model.set_params(**prediction)
            covered = (model.local_weights(split.X_validation) > 0).sum(axis=1)
            row = {
                "parameters": {**parameters, **prediction},
                "fit": fitted,
                "covered": round(float((covered > 0).mean()), 3),
                "models_per_user": round(float(covered.mean()), 2),
                "validation": validated(model, split),
            }
            tried.append(row)
            print("LOCA", row, flush=True)
            if row["validation"][CHOSEN_BY] > best_value:
                best, best_value = (model, prediction), row["validation"][CHOSEN_BY]
    model, prediction = best
    return model.set_params(**prediction), {"tried": tried, "chosen": best_of(tried)}


def tune_random(loca, split):
    model = RandomUsers(loca, loca.weight_sum).fit(split.X_train)
    tried = []
    for share in SHARES:
        model.share = share
        row = {"parameters": {"global_share": share}, "validation": validated(model, split)}
        tried.append(row)
        print("random", row, flush=True)
    chosen = best_of(tried)
    model.share = chosen["parameters"]["global_share"]
    return model, {"tried": tried, "chosen": chosen}


def difference(a, b):
    found = compare(a, b)
    return {
        name: {
            "difference": round(found[name].difference, 5),
            "two_standard_errors": round(2 * found[name].standard_error, 5),
        }
        for name in METRICS
    }


def run(base, n_estimators):
    split = ml1m_strong_split()
    models, row = {}, {"n_estimators": n_estimators}
    models["global"], row["global"] = tune_global(base, split)
    models["LOCA"], row["LOCA"] = tune_local(base, models["global"], split, n_estimators)
    row["LOCA"]["estimator"] = repr(models["LOCA"])
    models["random"], row["random"] = tune_random(models["LOCA"], split)
    results = {
        name: evaluate(model, split.X_test, split.y_test, METRICS) for name, model in models.items()
    }
    for name, found in results.items():
        row[name]["test"] = {
            "mean": rounded(found.mean),
            "standard_error": rounded(found.standard_error),
        }
    row["LOCA - global"] = difference(results["LOCA"], results["global"])
    row["LOCA - random"] = difference(results["LOCA"], results["random"])
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--base", default="EASE", choices=list(bases()))
    parser.add_argument("--n-estimators", type=int, default=20)
    arguments = parser.parse_args()
    made_by = environment()
    row = run(bases()[arguments.base], arguments.n_estimators)
    path = RESULTS / "ml1m_loca.json"
    done = json.loads(path.read_text())["bases"] if path.is_file() else {}
    done[arguments.base] = {"command": made_by["command"], "date": made_by["date"], **row}
    write(
        "ml1m_loca",
        {
            "protocol": "ML-1M, ratings >= 4, users with >= 5; strong generalisation, 750 users "
            f"each, seed {SEED}; chosen by {CHOSEN_BY} on the validation users, tested once; "
            "recall by min(k, number held out); paired differences on the test users",
            "bases": {name: done[name] for name in sorted(done)},
        },
    )


if __name__ == "__main__":
    main()
