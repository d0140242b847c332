"""A long fit that gets a real Ctrl-C: run as a script, ``python -m tests.interrupted NAME``.

It prints "begins" when the long fit begins and then waits to be interrupted by the caller; in the
end it prints what was raised, and whether the estimator is what it was before.
"""

import sys
import warnings

import joblib
import numpy as np
from scipy.sparse import csr_array
from sklearn.exceptions import ConvergenceWarning

from skrec.autoencoder import RBMRecommender
from skrec.decomposition import BPR, WMF, BiasedMF, PureSVD
from skrec.ensemble import LOCA
from skrec.linear_model import EASE, SANSA, SLIM
from skrec.neighbors import ItemKNN, UserKNN


def matrix(n_users, n_items, n_entries, seed=0):
    """Random entries of ones."""
    rng = np.random.default_rng(seed)
    rows, columns = rng.integers(0, n_users, n_entries), rng.integers(0, n_items, n_entries)
    X = csr_array((np.ones(n_entries), (rows, columns)), shape=(n_users, n_items))
    X.data[:] = 1.0
    return X


# Each takes many seconds on any machine.
LONG = {
    "BPR": (BPR(64, max_iter=10_000), (2_000, 500, 60_000)),
    "BiasedMF": (BiasedMF(64, max_iter=10_000), (2_000, 500, 60_000)),
    "BiasedMF-sgd": (BiasedMF(64, solver="sgd", max_iter=10_000), (2_000, 500, 60_000)),
    "EASE": (EASE(n_jobs=1, dtype="float64"), (1_000, 9_000, 60_000)),
    "EASE-positive": (EASE(positive=True, alpha=1.0), (4_000, 3_000, 400_000)),
    "ItemKNN": (ItemKNN(n_jobs=1), (3_000, 60_000, 2_500_000)),
    "LOCA": (LOCA(EASE(alpha=10.0), n_estimators=400), (1_000, 700, 60_000)),
    "PureSVD": (PureSVD(100, max_iter=4_000), (4_000, 3_000, 300_000)),
    "RBMRecommender": (RBMRecommender(64, max_iter=10_000), (2_000, 500, 60_000)),
    "SANSA": (SANSA(density=0.02, max_iter=10_000), (8_000, 8_000, 1_600_000)),
    "SLIM": (SLIM(alpha=0.1, precompute=False, n_jobs=1), (4_000, 5_000, 600_000)),
    "SLIM-gram": (SLIM(alpha=0.1, precompute=True, n_jobs=1), (4_000, 5_000, 600_000)),
    "SLIM-admm": (SLIM(alpha=0.1, solver="admm", max_iter=10_000), (2_000, 1_500, 100_000)),
    "UserKNN": (UserKNN(n_jobs=1), (60_000, 3_000, 2_500_000)),
    "WMF": (WMF(64, max_iter=10_000), (2_000, 500, 60_000)),
}


def main(name):
    """Fit shortly, then long, and print what became of it."""
    model, shape = LONG[name]
    X, wide = matrix(30, 12, 120), matrix(*shape)
    long = model.get_params(deep=False)
    if "max_iter" in long:
        model.set_params(max_iter=3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X)  # compiles
    model.set_params(**{k: v for k, v in long.items() if k == "max_iter"})
    before, predicted = joblib.hash(vars(model)), model.predict(X)
    print("begins", flush=True)
    try:
        if name == "UserKNN":
            model.fit(wide)
            before = joblib.hash(vars(model))
            predicted = model.predict(matrix(5, 3_000, 50))
            X = matrix(5, 3_000, 50)
            model.recommend(wide)
        else:
            model.fit(wide)
        raised = "nothing"
    except BaseException as error:
        raised = type(error).__name__
    same = joblib.hash(vars(model)) == before and np.array_equal(model.predict(X), predicted)
    print(raised, "as before" if same else "another", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
