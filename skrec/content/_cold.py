"""Parameters of items without users, predicted from their features."""

import numpy as np
import torch
from scipy.linalg import solve
from scipy.optimize import brentq
from scipy.sparse import issparse
from scipy.special import expit
from sklearn.linear_model import Ridge

from skrec._torch._pairs import ShuffledPairs
from skrec.content._tables import not_zero, parts

# At most this many pairs determine the level.
_N_PAIRS = 2**18


class ColdRule:
    """Own parameters of items without users, predicted from their features.

    A ridge regression with a penalty of 1 predicts the own parameters of the items with users,
    minus their mean, from the features. So an item with nothing known, a row of zeros, has
    parameters of zero, as the mean item.

    Parameters
    ----------
    projection : ndarray of shape (n_features, n)
    offset : ndarray of shape (n,)
        Added where a row is not zero.
    """

    def __init__(self, projection, offset):
        self.projection, self.offset = projection, offset

    @classmethod
    def fitted(cls, features, scale, kept, own):
        """The rule of features whose rows `kept` have own parameters of shape (n_items, n).

        `features` are divided by `scale` first.
        """
        known = np.flatnonzero(kept & not_zero(features))
        if not len(known):
            n = own.shape[1]
            return cls(np.zeros((features.shape[1], n), np.float32), np.zeros(n, np.float32))
        targets = own[known].astype(np.float64)
        if issparse(features) or len(known) < features.shape[1]:
            rows = (features[known] / scale).astype(np.float64)
            ridge = Ridge(alpha=1.0, tol=1e-8).fit(rows, targets)
            coef, offset = ridge.coef_.T, ridge.intercept_ - targets.mean(axis=0)
        else:
            coef, mean = _ridge(features, scale, known, targets - targets.mean(axis=0))
            offset = -mean @ coef
        return cls(np.ascontiguousarray(coef, np.float32), offset.astype(np.float32))

    def __call__(self, features, scale):
        """Parameters of items, shape (n_items, n), float32."""
        found = np.empty((features.shape[0], len(self.offset)), np.float32)
        for place, part in parts(features, np.arange(features.shape[0])):
            found[place] = np.asarray((part / scale) @ self.projection) + self.offset
        found[~not_zero(features)] = 0
        return found


def _ridge(features, scale, rows, targets):
    """Coefficients (d, n) for targets whose mean is zero, and the mean (d,) of the features.

    The products are summed over parts of the rows: a centred float64 copy of the features of a
    shop's pictures would take several times the memory of the features.
    """

    def scaled():
        for place, part in parts(features, rows):
            yield place, (part / scale).astype(np.float64)

    mean = sum(part.sum(axis=0) for _, part in scaled()) / len(rows)
    gram, right = np.eye(len(mean)), np.zeros((len(mean), targets.shape[1]))
    for place, part in scaled():
        part -= mean
        gram += part.T @ part
        right += part.T @ targets[place]
    return solve(gram, right, assume_a="pos"), mean


def cold_level(problem, users, warm, cold):
    """The constant to add to the scores of items without users, to rank them among the others.

    Each training pair has an item that the user has and one that the user does not have. First
    the one, then the other is scored as if it had no users. The level minimises the sum of
    ``log(1 + exp(-x))`` over the differences x of the two scores.

    Parameters
    ----------
    problem : Problem
    users : float tensor of shape (n_users, d)
    warm, cold : tuple of float tensors, (n_items, d) and (n_items,)
        Vectors and biases of the items, and those that they would have without users.

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
