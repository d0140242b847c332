"""Choice of the anchor users of local models."""

import numpy as np

from skrec.ensemble._kernel import rounded
from skrec.utils._parallel import row_chunks


def random_anchors(unit, n_anchors, random_state):
    """Draw users without replacement.

    Parameters
    ----------
    unit : ndarray of shape (n_users, n_components)
        Embeddings of length 1; users whose row is zero are not drawn.
    n_anchors : int
    random_state : RandomState

    Returns
    -------
    anchors : ndarray of intp of shape (n,)
        Row indices in the order of the draw; n < n_anchors if there are fewer users.
    """
    users = np.flatnonzero(unit.any(axis=1))
    return random_state.permutation(users)[:n_anchors]


def random_cells(X, users, items, n_anchors, random_state):
    """Draw users without replacement, and an item of each user's row.

    Parameters
    ----------
    X : csr_array of shape (n_users, n_items)
    users, items : ndarray of shape (n_users, n_components) and (n_items, n_components)
        Embeddings of length 1; users and items with a row of zeros are not drawn.
    n_anchors : int
    random_state : RandomState

    Returns
    -------
    rows, columns : ndarray of intp of shape (n,)
        In the order of the draw; n < n_anchors if there are fewer users.
    """
    is_embedded = items.any(axis=1)
    rows, columns = [], []
    for row in random_anchors(users, len(users), random_state):
        if len(rows) == n_anchors:
            break
        own = X.indices[X.indptr[row] : X.indptr[row + 1]]
        own = own[is_embedded[own]]
        if len(own):
            rows.append(row)
            columns.append(random_state.choice(own))
    return np.array(rows, dtype=np.intp), np.array(columns, dtype=np.intp)


def coverage_anchors(unit, n_anchors, bandwidth):
    """Choose users who cover most others, greedily.

    A user covers all users at a distance below `bandwidth`, itself included. Each step takes the
    user who covers most of the uncovered users; ties go to the lowest index. When all users are
    covered, all count as uncovered again, and the steps go on with the remaining users.

    Parameters
    ----------
    unit : ndarray of shape (n_users, n_components)
        Embeddings of length 1; users whose row is zero neither cover nor are covered.
    n_anchors : int
    bandwidth : float
        In (0, 2].

    Returns
    -------
    anchors : ndarray of intp of shape (n,)
        Row indices in the order of the choice; n < n_anchors if there are fewer users.

    Notes
    -----
    Counting takes about ``n_users**2 * n_components`` multiply-adds, and at most half of it again
    each time all users are covered. Memory is one chunk of cosines.
    """
    users = np.flatnonzero(unit.any(axis=1))
    unit = unit[users]
    limit = np.cos(np.pi / 2.0 * bandwidth)  # d < h is cos > cos(pi h / 2)
    everyone = _n_covered(unit, unit, limit) if len(users) else np.zeros(0, dtype=np.intp)
    chosen, free = [], np.ones(len(users), dtype=bool)
    uncovered, gains = free.copy(), everyone.copy()
    while len(chosen) < min(n_anchors, len(users)):
        if not uncovered.any():
            uncovered[...] = True
            gains = everyone.copy()
        anchor = int(np.argmax(np.where(free, gains, -1)))
        chosen.append(anchor)
        free[anchor] = False
        covered = uncovered & (rounded(unit @ unit[anchor]) > limit)
        covered[anchor] = uncovered[anchor]
        uncovered &= ~covered
        # Count anew, or subtract: whichever involves fewer users.
        if uncovered.sum() < covered.sum():
            gains = _n_covered(unit, unit[uncovered], limit)
        else:
            gains -= _n_covered(unit, unit[covered], limit)
    return users[np.array(chosen, dtype=np.intp)]


def _n_covered(unit, targets, limit):
    """Number of targets that each user covers."""
    counts = np.zeros(len(unit), dtype=np.intp)
    for start, stop in row_chunks(len(unit), len(targets) * unit.itemsize):
        counts[start:stop] = (rounded(unit[start:stop] @ targets.T) > limit).sum(axis=1)
    return counts
