"""A held-out matrix as `y`, and the cross-validation splitter that goes with it."""

import numpy as np
from scipy.sparse import issparse
from sklearn.model_selection import BaseCrossValidator

from skrec.model_selection._entries import check_interactions


class HeldOut:
    """A held-out user-item matrix that passes as `y` through scikit-learn.

    `cross_validate` and `cross_val_score` refuse a sparse `y`; this wrapper has a
    shape, a length and rows that can be taken, which is all they need. `GridSearchCV`
    takes either.

    Parameters
    ----------
    Y : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
        Held-out interactions: row u belongs to row u of X. Zeros, stored or not, mean
        "not held out".

    Attributes
    ----------
    matrix : csr_array of shape (n_users, n_items)
        What was passed, in canonical form.
    shape : tuple of int
        (n_users, n_items).

    Raises
    ------
    ValueError
        If `Y` is not two-dimensional, or holds NaN or infinity.

    See Also
    --------
    SameUsersSplit : Train and score the same users.
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
        return HeldOut(self.matrix[rows])

    def __repr__(self):
        return f"HeldOut({self.shape[0]} users, {self.shape[1]} items, " + (
            f"{self.matrix.nnz} interactions)"
        )


def check_held_out(y, shape):
    """The held-out matrix that `y` stands for.

    Parameters
    ----------
    y : HeldOut, {sparse matrix, array-like, dataframe} of shape (n_users, n_items), \
            1-D array-like or None
    shape : tuple of int
        Shape of X.

    Returns
    -------
    held_out : csr_array of shape `shape`, or None
        None where `y` is None or 1-D, which is not looked at: then a share of each row
        of X is hidden instead.

    Raises
    ------
    ValueError
        If a 2-D `y` does not have the shape of X.
    """
    if y is None:
        return None
    if not isinstance(y, HeldOut) and not issparse(y) and np.ndim(y) < 2:
        return None
    if tuple(y.shape if hasattr(y, "shape") else np.shape(y)) != tuple(shape):
        raise ValueError(
            f"A 2-D `y` holds the held-out interactions of the users in X, so it must have the "
            f"shape of X. Got {tuple(np.shape(y))}, expected {tuple(shape)}; pass y=None to "
            "hide a share of each row of X instead."
        )
    return HeldOut(y).matrix


class SameUsersSplit(BaseCrossValidator):
    """One split in which the same users are trained on and scored.

    For weak generalisation: X holds the interactions to learn from and `y`, a matrix
    of the same shape, those held out from the same users. A search then fits on all of
    X and scores the recommendations for its rows against `y`.

    See Also
    --------
    HeldOut : Wraps `y` where a sparse matrix is refused.
    holdout_split : Makes X and `y`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skrec.dummy import DummyRecommender
    >>> from skrec.metrics import get_scorer
    >>> from skrec.model_selection import SameUsersSplit, holdout_split
    >>> X = np.random.default_rng(0).integers(0, 2, size=(20, 10))
    >>> X_train, X_heldout = holdout_split(X, random_state=0)
    >>> search = GridSearchCV(
    ...     DummyRecommender(),
    ...     {"strategy": ["most_popular", "uniform"]},
    ...     scoring=get_scorer("ndcg@10"),
    ...     cv=SameUsersSplit(),
    ... ).fit(X_train, X_heldout)
    >>> search.n_splits_
    1
    """

    def split(self, X, y=None, groups=None):
        """Yield the one split.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_users, n_items)
            Interactions to learn from.
        y : HeldOut or {sparse matrix, array} of shape (n_users, n_items)
            Interactions to predict.
        groups : object, default=None
            Not used.

        Yields
        ------
        train, test : ndarray of intp of shape (n_users,)
            All rows, twice.

        Raises
        ------
        ValueError
            If `y` is missing or 1-D: what is scored would have been trained on.
        """
        n_users = X.shape[0] if hasattr(X, "shape") else len(X)
        if y is None or (not issparse(y) and not isinstance(y, HeldOut) and np.ndim(y) != 2):
            raise ValueError(
                "SameUsersSplit scores users that were trained on, so it needs their held-out "
                "interactions: fit(X_train, X_heldout), see holdout_split. Got no 2-D y."
            )
        rows = np.arange(n_users)
        yield rows, rows.copy()

    def get_n_splits(self, X=None, y=None, groups=None):
        """Return the number of splits, 1.

        Parameters
        ----------
        X, y, groups : object, default=None
            Not used.

        Returns
        -------
        n_splits : int
            Always 1.
        """
        return 1
