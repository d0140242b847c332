"""The cross-validation splitter for a held-out matrix as `y`."""

import numpy as np
from scipy.sparse import issparse
from sklearn.model_selection import BaseCrossValidator

from skrec._evaluation._held_out import HeldOut
from skrec.utils._feature_rows import n_rows_of
from skrec.utils._matrices import sound_matrix


class SameUsersSplit(BaseCrossValidator):
    """One split that trains on and scores the same users.

    For weak generalisation: X holds the interactions to learn from, and `y`, a matrix of the same
    shape, holds the held-out interactions of the same users. A search fits on all of X and scores
    the recommendations for its rows against `y`.

    See Also
    --------
    HeldOut : Wraps `y` where scikit-learn refuses a sparse matrix.
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
            If `y` is missing or 1-D: the scored interactions would be training data.
        """
        n_users = n_rows_of(X)
        if y is None or (not issparse(y) and not isinstance(y, HeldOut) and np.ndim(y) != 2):
            raise ValueError(
                "SameUsersSplit scores users that were trained on, so it needs their held-out "
                "interactions: fit(X_train, X_heldout), see holdout_split. Got no 2-D y."
            )
        for name, matrix in (("X", X), ("y", y)):
            sound_matrix(matrix, name)
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
