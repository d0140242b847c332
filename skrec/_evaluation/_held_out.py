"""A held-out matrix as `y`."""

import numpy as np
from scipy.sparse import issparse

from skrec._evaluation._entries import check_interactions
from skrec.utils._matrices import sound_matrix
from skrec.utils._sparse_check import sound_sparse


class HeldOut:
    """A held-out user-item matrix that passes as `y` through scikit-learn.

    `cross_validate` and `cross_val_score` refuse a sparse `y`. They accept this wrapper, because
    it has a shape, a length and rows. `GridSearchCV` takes either.

    Parameters
    ----------
    Y : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
        Held-out interactions: row u belongs to row u of X. Zeros, stored or not, mean
        "not held out".

    Attributes
    ----------
    matrix : csr_array of shape (n_users, n_items)
        The interactions, in canonical form.
    shape : tuple of int
        (n_users, n_items).

    Raises
    ------
    ValueError
        If `Y` is not two-dimensional, or holds NaN or infinity.

    See Also
    --------
    SameUsersSplit : Trains on and scores the same users.
    holdout_split : Makes such a matrix.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.model_selection import HeldOut
    >>> y = HeldOut(np.array([[0, 1, 0], [1, 0, 0]]))
    >>> y
    HeldOut(2 users, 3 items, 2 interactions)
    >>> len(y), y[[1]].matrix.toarray()
    (2, array([[1., 0., 0.]]))
    """

    def __init__(self, Y):
        self.matrix = Y.matrix if isinstance(Y, HeldOut) else check_interactions(Y, name="Y")

    @property
    def shape(self):
        """Shape of the matrix: (n_users, n_items)."""
        return self.matrix.shape

    def __len__(self):
        return self.matrix.shape[0]

    def __getitem__(self, rows):
        # scikit-learn indexes arrays with (rows, ...).
        if isinstance(rows, tuple) and len(rows) == 2 and rows[1] is Ellipsis:
            rows = rows[0]
        if isinstance(rows, tuple):
            raise TypeError("HeldOut takes rows only: y[rows]. Use y.matrix[rows, items].")
        if np.ndim(rows) == 0 and not isinstance(rows, slice):
            rows = [rows]
        elif not isinstance(rows, slice):
            rows = np.asarray(rows)
        return HeldOut(sound_sparse(self.matrix, "Y")[rows])

    def __repr__(self):
        return f"HeldOut({self.shape[0]} users, {self.shape[1]} items, " + (
            f"{self.matrix.nnz} interactions)"
        )


def check_held_out(y, shape):
    """Return the held-out matrix of `y`.

    Parameters
    ----------
    y : HeldOut, {sparse matrix, array-like, dataframe} of shape (n_users, n_items), \
            1-D array-like or None
    shape : tuple of int
        Shape of X.

    Returns
    -------
    held_out : csr_array of shape `shape`, or None
        None if `y` is None or 1-D; a 1-D `y` is ignored, and the caller hides a share of each row
        of X.

    Raises
    ------
    ValueError
        If a 2-D `y` does not have the shape of X.
    """
    if y is None:
        return None
    if not issparse(y):
        sound_matrix(y, "y")
    if not isinstance(y, HeldOut) and not issparse(y) and np.ndim(y) < 2:
        return None
    if tuple(y.shape if hasattr(y, "shape") else np.shape(y)) != tuple(shape):
        raise ValueError(
            f"A 2-D `y` holds the held-out interactions of the users in X, so it must have the "
            f"shape of X. Got {tuple(np.shape(y))}, expected {tuple(shape)}; pass y=None to "
            "hide a share of each row of X instead."
        )
    # Check again: the user may have changed the matrix of a HeldOut.
    return check_interactions(y.matrix if isinstance(y, HeldOut) else y, name="y")
