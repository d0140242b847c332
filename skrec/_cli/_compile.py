"""The verb `compile`."""

import sys
import time

import numpy as np
from scipy.sparse import csr_array

from skrec._cli._models import make_models
from skrec._cli._output import status
from skrec.datasets import make_interactions
from skrec.metrics import evaluate
from skrec.preprocessing import InteractionEncoder
from skrec.utils._text import format_seconds

# From 32,768 interactions on, kernels encode a log.
_SHAPE, _N_INTERACTIONS = (1500, 300), 36_000


def run(arguments):
    """Do the work of a service and an evaluation once, so that their kernels are compiled.

    Parameters
    ----------
    arguments : argparse.Namespace
        See `skrec._cli._parser`.

    Raises
    ------
    CommandError
        If a model or a parameter is unknown.
    """
    models = make_models(arguments.models, arguments.param, random_state=0)
    made = make_interactions(*_SHAPE, _N_INTERACTIONS, random_state=0)
    users, items = made.X.nonzero()
    with status("compiling the encoder of ids ..."):
        log = (np.char.add("u", users.astype(str)), np.char.add("i", items.astype(str)))
        X = InteractionEncoder().fit_transform(log)
    counts = csr_array((1.0 + np.arange(X.nnz) % 3, X.indices, X.indptr), shape=X.shape)
    for model in models:
        start = time.perf_counter()
        with status(f"compiling {model.name} ..."):
            for given in (X, counts):
                for dtype in (np.float32, np.float64):
                    _use(model.estimator, given[:500].astype(dtype))
        taken = format_seconds(time.perf_counter() - start)
        sys.stdout.write(f"{model.name}: compiled, or found in the cache, in {taken}\n")


def _use(estimator, X):
    """Fit a model, list items for one user and for many, and evaluate it."""
    held_out = X.multiply(np.arange(X.shape[1]) % 5 == 0).tocsr()
    shown = csr_array(X - held_out)
    shown.eliminate_zeros()
    estimator.fit(shown)
    for rows in (shown[:1], shown):
        estimator.recommend(rows, k=10)
        estimator.recommend(rows, k=10, items=np.arange(0, X.shape[1], 2))
    estimator.score_pairs(shown, [0, 1], [0, 1])
    evaluate(estimator, shown, csr_array(held_out), ["recall@20", "ndcg@100"])
