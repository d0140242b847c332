"""What features say of the parameters of items that nobody has."""

import numpy as np
import torch
from scipy.optimize import brentq
from scipy.sparse import issparse
from scipy.special import expit
from sklearn.linear_model import Ridge

from skrec._torch._pairs import ShuffledPairs

# Pairs by which the level is set, at most.
_N_PAIRS = 2**18


class ColdRule:
    """Own parameters of items without users, as their features let expect them.

    Those of the items with users are regressed on the features about their means, by ridge
    regression with a penalty of 1. So an item of which nothing is known, a row of zeros, has
    parameters of zero, as the mean item has.

    Parameters
    ----------
    projection : ndarray of shape (n_features, n)
    offset : ndarray of shape (n,)
        Added where a row is not zero.
    """

    def __init__(self, projection, offset):
        self.projection, self.offset = projection, offset

    @classmethod
    def fitted(cls, features, kept, own):
        """The rule of features whose rows `kept` have own parameters of shape (n_items, n)."""
        known = kept & not_zero(features)
        if not known.any():
            n = own.shape[1]
            return cls(np.zeros((features.shape[1], n), np.float32), np.zeros(n, np.float32))
        ridge = Ridge(alpha=1.0, tol=1e-8).fit(
            features[known].astype(np.float64), own[known].astype(np.float64)
        )
        projection = np.ascontiguousarray(ridge.coef_.T, np.float32)
        offset = ridge.intercept_ - own[known].mean(axis=0)
        return cls(projection, offset.astype(np.float32))

    def __call__(self, features):
        """Parameters of items, shape (n_items, n), float32."""
        found = np.asarray(features @ self.projection) + self.offset
        return np.where(not_zero(features)[:, None], found, 0).astype(np.float32)


def not_zero(features):
    """Which rows of a table hold anything but zeros."""
    if issparse(features):
        return np.diff(features.indptr) > 0
    return (features != 0).any(axis=1)


def cold_level(problem, users, warm, cold):
    """How much is added to the scores of items that nobody has, to rank them among the others.

    Of each of the training's pairs of an item that the user has and one that the user has not,
    first the one and then the other is scored as if nobody had it: minimised is the sum of
    ``log(1 + exp(-x))`` over the differences x of their scores.

    Parameters
    ----------
    problem : Problem
    users : float tensor of shape (n_users, d)
    warm, cold : tuple of float tensors, (n_items, d) and (n_items,)
        Vectors and biases of the items, and what they would be if nobody had them.

    Returns
    -------
    level : float
    """
    generator = torch.Generator().manual_seed(problem.seed)
    batches = ShuffledPairs(problem._replace(generator=generator), 4096, 1)
    parts, n_pairs = [], 0
    for batch in batches:
        vectors, both = users[batch.users], (batch.items, batch.negatives[:, 0])

        def score(table, item, vectors=vectors):
            return (vectors * table[0][item]).sum(1) + table[1][item]

        has, has_not = ((score(warm, item), score(cold, item)) for item in both)
        parts.append(torch.stack([has[1] - has_not[0], has[0] - has_not[1], batch.weight]))
        n_pairs += len(vectors)
        if n_pairs >= _N_PAIRS:
            break
    if not parts:
        return 0.0
    up, down, weight = torch.cat(parts, dim=1).double().cpu().numpy()

    def slope(level):
        return weight @ (expit(level - down) - expit(-up - level))

    end = 1 + max(np.abs(up).max(), np.abs(down).max())
    return float(brentq(slope, -end, end))
