"""Folding users into a `PairNet`, on the CPU."""

import numpy as np

from skrec._torch._learned_users import FOLD_IN_RATE, FOLD_IN_STEPS
from skrec.neural_network._pair_fold_in_kernels import Frozen, Objective, Plan, descend
from skrec.neural_network._pair_loss_kernels import LOSSES
from skrec.utils._blas_threads import one_blas_thread
from skrec.utils._parallel import plain_interrupts


def fold_in(module, X, negatives, *, loss, n_negatives, penalty, prior):
    """Minimise the objective of each row over its vector by steps of Adam.

    Parameters
    ----------
    module : PairNet
        In float32, without users.
    X : csr_array of shape (n_rows, n_items)
        Canonical; values do not matter.
    negatives : ndarray of intp of shape (n_rows, m)
        Items that the rows do not have; -1 for rows that have all items.
    loss : {"logistic", "square", "bpr", "hinge", "softmax"}
    n_negatives : int
        Negatives of each interaction in training.
    penalty : float
        Penalty of the vector, for each interaction.
    prior : tuple of ndarray of shapes (d,), (d, d)
        Mean, where the steps start, and precision.

    Returns
    -------
    vectors : ndarray of float32 of shape (n_rows, d)
    """
    products, of_items = (part[0].numpy() for part in module.item_half())
    values = np.concatenate([part.numpy().ravel() for part in module.dense()])
    sizes = module.sizes()
    net = Frozen(np.ascontiguousarray(products), of_items, values, sizes)
    mean, precision = (part.astype(np.float32) for part in prior)
    each = n_negatives / negatives.shape[1]
    objective = Objective(LOSSES[loss], each, float(penalty), mean, precision)
    found = np.empty((X.shape[0], len(mean)), np.float32)
    with one_blas_thread(), plain_interrupts():
        descend(
            X.indptr.astype(np.int64), X.indices.astype(np.int64), negatives.astype(np.int64),
            net, objective, Plan(FOLD_IN_STEPS, FOLD_IN_RATE), found,
        )  # fmt: skip
    return found
