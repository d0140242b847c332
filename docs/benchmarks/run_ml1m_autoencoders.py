"""ML-1M, strong generalisation: the autoencoders side by side, three seeds each.

    SKREC_DATA=../shared/data python docs/benchmarks/run_ml1m_autoencoders.py
    SKREC_DATA=../shared/data python docs/benchmarks/run_ml1m_autoencoders.py --only MultVAE

Protocol and split equal run.py's ml1m_strong. As in Liang et al. (2018), the validation
users choose the epoch too: after every second one (CDAE: tenth) their nDCG@100 is computed, and
the model of the best one counts; a fit ends after as many epochs without a better one as PATIENCE
says. The setting in MODELS that validates best with the first seed is fitted with each seed, and
each of these models is tested once. Means have their standard errors over the seeds, and the
standard error of a single model over the test users beside them. A model that is run again replaces
its own entry of results/ml1m_autoencoders.json and no other.

The layers of the VAE, and its beta, were found by some fifteen fits with the first seed, on the
validation users too: [600-200], [600-64], [600-32], [200-200], [200-64], [1000-64], [1500-64],
and beta, dropout, penalty and batches of the first. CDAE's settings were found by some twenty.
"""

import argparse
import json

import numpy as np
import torch
from _protocols import PROTOCOLS, SEED, ml1m_strong_split
from _record import (
    RESULTS,
    best_epoch,
    environment,
    epochs_and_scores,
    looking,
    rounded,
    write,
)
from sklearn.base import clone
from sklearn.model_selection import ParameterGrid

from skrec.autoencoder import CDAE, MultDAE, MultVAE
from skrec.metrics import evaluate
from skrec.metrics._comparison._tuning import tune

NAME = "ml1m_autoencoders"
METRICS = list(PROTOCOLS["ml1m_strong"].metrics)
EVERY, PATIENCE = 2, 16
# Folding in 750 users takes as long as four epochs.
EVERY_OF = {"CDAE": 10}
DAE = MultDAE((200,), batch_size=200, max_iter=80, early_stopping=False)
VAE = MultVAE(64, hidden_layer_sizes=(1000,), batch_size=200, max_iter=60, early_stopping=False)
MODELS = {
    "MultDAE": (DAE, {"alpha": [4e-5, 2e-4], "learning_rate": [1e-3, 3e-3]}),
    "MultDAE, gaussian": (
        clone(DAE).set_params(likelihood="gaussian"),
        {"confidence": [3.0], "learning_rate": [1e-3, 3e-3]},
    ),
    "MultDAE, logistic": (
        clone(DAE).set_params(likelihood="logistic"),
        {"learning_rate": [1e-3, 3e-3]},
    ),
    "MultVAE": (VAE, {"beta": [0.3]}),
    "MultVAE, gaussian": (
        clone(VAE).set_params(likelihood="gaussian"),
        {"confidence": [1.0, 3.0], "beta": [0.3]},
    ),
    "MultVAE, logistic": (
        clone(VAE).set_params(likelihood="logistic", beta=0.3),
        {"learning_rate": [1e-3, 3e-3]},
    ),
    "MultVAE, gaussian mixture": (
        clone(VAE).set_params(prior="gaussian_mixture", n_prior_components=10),
        {"beta": [0.3]},
    ),
    "MultVAE, VampPrior": (
        clone(VAE).set_params(prior="vamp", n_prior_components=20),
        {"beta": [0.3]},
    ),
    "MultVAE, MMD": (
        clone(VAE).set_params(divergence="mmd"),
        {"beta": [100.0], "variance_penalty": [0.3, 1.0]},
    ),
    "CDAE": (
        CDAE(
            200,
            activation="tanh",
            dropout=0.5,
            normalize=True,
            learning_rate=3e-3,
            batch_size=200,
            max_iter=50,
        ),
        {"alpha": [1e-3]},
    ),
}


def measure(name, split, seeds):
    estimator, grid = MODELS[name]
    every = EVERY_OF.get(name, EVERY)
    row = {"command": environment()["command"], "grid": grid}
    chosen, best, trials = tune(
        clone(estimator).set_params(random_state=seeds[0]),
        list(ParameterGrid(grid)),
        split.X_train,
        looking(split, METRICS),
        every=every,
        patience=PATIENCE,
        keep=True,
        tell=lambda trials: print(name, trials[-1].parameters, trials[-1].scores, flush=True),
    )
    row["candidates"] = [
        {"parameters": trial.parameters, "seed": seeds[0]}
        | epochs_and_scores(trial.epochs, trial.scores)
        for trial in trials
    ]
    model = clone(estimator).set_params(**chosen.parameters)
    row["estimator"], row["tests"] = repr(model), []
    for seed in seeds:
        if seed != seeds[0]:
            fitted = clone(model).set_params(random_state=seed)
            best, found = best_epoch(fitted, split, METRICS, every=every, patience=PATIENCE)
            print(name, found, flush=True)
        test = evaluate(best, split.X_test, split.y_test, METRICS)
        row["tests"].append({"seed": seed, **rounded(test.mean)})
    row["standard_error_over_users"] = rounded(test.standard_error)
    found = {metric: np.array([each[metric] for each in row["tests"]]) for metric in METRICS}
    row["mean"] = rounded({metric: values.mean() for metric, values in found.items()})
    row["standard_error"] = {
        metric: round(float(values.std(ddof=1) / np.sqrt(len(values))), 5)
        for metric, values in found.items()
    }
    print(name, row["mean"], row["standard_error"], flush=True)
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", nargs="+", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    split = ml1m_strong_split()
    path = RESULTS / f"{NAME}.json"
    for name in options.only:
        row = measure(name, split, options.seeds)
        # Read again: another process may have added its models meanwhile.
        models = json.loads(path.read_text())["models"] if path.is_file() else {}
        models[name] = row
        write(
            NAME,
            {
                "protocol": "ML-1M, ratings >= 4, users with >= 5; strong generalisation, 750 "
                f"users each, seed {SEED}; setting, and epoch of each fit, chosen by nDCG@100 on "
                "the validation users; recall by min(k, number held out)",
                "models": {name: models[name] for name in sorted(models)},
            },
        )


if __name__ == "__main__":
    main()
