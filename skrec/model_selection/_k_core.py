"""k-core filtering: the largest part of a log whose users and items all have enough partners."""

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

from skrec._log._k_core import core_members
from skrec.utils._matrices import checked_array
from skrec.utils._params import POSITIVE_INTEGER
from skrec.utils._validation import canonical_csr

__all__ = ["KCore", "k_core"]


class KCore(NamedTuple):
    """The result of `k_core`.

    Attributes
    ----------
    X : csr_array of shape (n_kept_users, n_kept_items)
        The sub-matrix.
    users : ndarray of intp of shape (n_kept_users,)
        Rows of the input that remain, ascending.
    items : ndarray of intp of shape (n_kept_items,)
        Columns of the input that remain, ascending.
    """

    X: csr_array
    users: np.ndarray
    items: np.ndarray


def k_core(X, *, min_user_count=5, min_item_count=5):
    """Drop users and items with too few interactions until all that remain have enough.

    The result is the largest sub-matrix in which every user has at least `min_user_count`
    interactions and every item at least `min_item_count`. It is unique: the order of dropping does
    not matter. A single pass is not enough, because dropping an item takes interactions from
    users, and the other way round.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_users, n_items)
        Interactions; zeros, stored or not, mean "missing". Each pair counts once,
        whatever its value. X is not changed.
    min_user_count : int, default=5
        Interactions that a user must keep, at least 1.
    min_item_count : int, default=5
        Interactions that an item must keep, at least 1.

    Returns
    -------
    core : KCore
        Named tuple of the sub-matrix `X` (csr_array, dtype of the input), the kept rows `users`
        and the kept columns `items`. All three are empty if no such part exists.

    Raises
    ------
    ValueError
        If a minimum is not a whole number of at least 1, or X is not a finite 2-D matrix.

    See Also
    --------
    skrec.preprocessing.InteractionEncoder : Does the same on a log, with its minimum counts.

    Notes
    -----
    With both minimums equal to k this is the k-core [1]_ of the bipartite graph of users and
    items; with different minimums it is the (p, q)-core [2]_. Work is proportional to the number
    of stored entries.

    References
    ----------
    .. [1] S. B. Seidman, "Network structure and minimum degree", Social Networks 5(3),
       1983.
    .. [2] V. Batagelj and M. Zaversnik, "Generalized cores",
       arXiv:cs/0202039, 2002.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.model_selection import k_core
    >>> X = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 1, 1]])
    >>> core = k_core(X, min_user_count=2, min_item_count=2)
    >>> core.X.toarray()
    array([[1, 1],
           [1, 1]])
    >>> core.users, core.items
    (array([0, 1]), array([0, 1]))
    """
    for name, value in (("min_user_count", min_user_count), ("min_item_count", min_item_count)):
        if value not in POSITIVE_INTEGER:
            raise ValueError(f"{name} must be {POSITIVE_INTEGER}. Got {value!r}.")
    X = canonical_csr(checked_array(X, log=True, accept_sparse="csr", ensure_min_samples=0))
    users, items = core_members(X, min_user_count, min_item_count)
    return KCore(csr_array(X[users][:, items]), users, items)
