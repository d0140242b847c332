"""Distances between users: cosines of their embeddings, and the kernel on the angle."""

import numpy as np
from scipy.sparse import issparse

# Cosines are rounded to multiples of this number, which is larger than the noise of float32
# embeddings. So noise does not decide on which side of a bandwidth exact angles such as 0 or 90
# degrees fall, and does not show near 0, where the arc cosine is steep.
_GRID = 2.0**-20
# The Epanechnikov kernel at distance 0.
PEAK = 0.75
# Users and anchors whose pairs give the distribution of angles.
_N_USERS, _N_ANCHORS = 10_000, 200
# Number of components that sort the users before some are taken.
_N_ORDER = 4
N_QUANTILES = 1001
# If many users are alike, the angles between them are 0; this bandwidth still covers them.
_LEAST_BANDWIDTH = 0.01


def unit_rows(vectors, name="LOCA"):
    """Scale rows to length 1.

    Parameters
    ----------
    vectors : array-like of shape (n_users, n_components)
        Embeddings of users.
    name : str, default="LOCA"
        The ensemble, for messages.

    Returns
    -------
    unit : ndarray of float64 of shape (n_users, n_components)
        C-contiguous. Rows of zeros, of unknown users, stay zeros.

    Raises
    ------
    TypeError
        If the embeddings are sparse.
    ValueError
        If the embeddings are not 2-D or not finite.
    """
    if issparse(vectors):
        raise TypeError(
            f"{name} needs dense user embeddings. Got a sparse matrix from `embedding`: let it end "
            "in a model of few components, such as make_pipeline(..., PureSVD())."
        )
    # A copy, because the embedding may keep its array.
    unit = np.array(vectors, dtype=np.float64, order="C")
    if unit.ndim != 2 or not np.isfinite(unit).all():
        raise ValueError(
            f"{name} needs finite user embeddings of shape (n_users, n_components). Got "
            f"{'NaN or infinity in' if unit.ndim == 2 else 'an array of'} shape {unit.shape}: "
            "check what `embedding` returns from transform."
        )
    # Squares of very large numbers would overflow, and squares of very small ones vanish.
    largest = np.abs(unit).max(axis=1, initial=0.0, keepdims=True)
    np.divide(unit, largest, out=unit, where=largest > 0)
    length = np.sqrt(np.einsum("uk,uk->u", unit, unit))[:, np.newaxis]
    np.divide(unit, length, out=unit, where=length > 0)
    return unit


def rounded(cosines):
    """Round cosines to the grid and into [-1, 1], in place."""
    cosines /= _GRID
    np.rint(cosines, out=cosines)
    cosines *= _GRID
    return np.clip(cosines, -1.0, 1.0, out=cosines)


def angular_distance(unit, anchors):
    r"""Angles between users and anchors, in units of a right angle.

    .. math:: d(u, a) = \tfrac{2}{\pi} \arccos(\cos(u, a)) \in [0, 2]

    Parameters
    ----------
    unit : ndarray of shape (n_users, n_components)
        Rows of length 1, or zeros.
    anchors : ndarray of shape (n_anchors, n_components)
        Rows of length 1.

    Returns
    -------
    distance : ndarray of shape (n_users, n_anchors)
        A row of zeros is at the largest distance, 2, from every anchor.
    """
    cosines = np.empty((len(unit), len(anchors)))
    for column, anchor in zip(cosines.T, anchors, strict=True):
        # BLAS could sum a row in another order in another batch.
        column[...] = np.einsum("uk,k->u", unit, anchor)
    rounded(cosines)
    cosines[~unit.any(axis=1)] = -1.0
    return np.arccos(cosines) * (2.0 / np.pi)


def angle_quantiles(unit):
    """Angles between pairs of users, at shares of the pairs from 0 to 1.

    Parameters
    ----------
    unit : ndarray of shape (n_users, n_components)
        Rows of length 1, or zeros: such users are near nobody and do not count.

    Returns
    -------
    quantiles : ndarray of shape (1001,)
        In units of a right angle, ascending. If there are many users, some of them stand for all,
        evenly spread in the order of their vectors. So the order of the users in X does not
        matter.
    """
    users = unit[np.flatnonzero(unit.any(axis=1))]
    if not len(users):
        return np.full(N_QUANTILES, 2.0)
    keys = rounded(users[:, _N_ORDER - 1 :: -1].T.copy())
    # If these components are equal, a sum of all components decides.
    rest = np.einsum("uk,k->u", users, np.sqrt(np.arange(2.0, users.shape[1] + 2)))
    users = users[np.lexsort((rest, *keys))]
    users, some = (users[:: -(-len(users) // n)] for n in (_N_USERS, _N_ANCHORS))
    return np.quantile(angular_distance(users, some), np.linspace(0.0, 1.0, N_QUANTILES))


def share_bandwidth(quantiles, share):
    """The angle that covers a share of all pairs of users.

    Parameters
    ----------
    quantiles : ndarray of shape (1001,)
        From `angle_quantiles`.
    share : float
        In (0, 1].

    Returns
    -------
    bandwidth : float
        In (0, 2].
    """
    places = np.linspace(0.0, 1.0, len(quantiles))
    return max(float(np.interp(share, places, quantiles)), _LEAST_BANDWIDTH)


def kernel_weights(unit, anchors, bandwidth):
    r"""Epanechnikov kernel of the distance from users to anchors.

    .. math:: K_h(u, a) = \tfrac34 \max\left(0, 1 - (d(u, a) / h)^2\right)

    Parameters
    ----------
    unit : ndarray of shape (n_users, n_components)
        Rows of length 1, or zeros.
    anchors : ndarray of shape (n_anchors, n_components)
        Rows of length 1.
    bandwidth : float
        h, in (0, 2].

    Returns
    -------
    weights : ndarray of shape (n_users, n_anchors)
        In [0, 3/4]; 0 in the rows of zeros.
    """
    scaled = angular_distance(unit, anchors) / bandwidth
    return PEAK * np.maximum(0.0, 1.0 - scaled * scaled)
