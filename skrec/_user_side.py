"""Scoring with user features and context, for classes that read them."""

import numpy as np

from skrec.utils._tags import refuse_unread


class UserSideMixin:
    """Scoring methods that take user features and context; stands left of `BaseRecommender`.

    For recommenders whose ``fit`` takes ``user_features``, ``context`` or both. They
    implement the hook ``_scores(X, side)``, and may override
    ``_pair_scores(X, rows, items, side)``. `side` is a named tuple of rows aligned with X:
    ``side.user_features`` has shape (n_rows, n_user_features), and ``side.context`` has shape
    (n_rows, n_context_features), or one row per pair in ``_pair_scores``. Each is None where
    the model was fitted without it.

    A model that was fitted with user features and scores without them warns, once per call,
    and uses the mean features of the training users. The same holds for context. A class that
    reads only one of the two refuses the other.

    Examples
    --------
    A recommender that gives each user the items of users with similar features:

    >>> import numpy as np
    >>> from skrec.base import BaseRecommender, UserSideMixin
    >>> class Alike(UserSideMixin, BaseRecommender):
    ...     def fit(self, X, y=None, *, user_features=None):
    ...         X = self._start_fit(X)
    ...         users = self._start_side(X, user_features=user_features).user_features
    ...         self.items_ = X.sum(axis=0)[None] if users is None else X.T @ users
    ...         return self
    ...
    ...     def _scores(self, X, side):
    ...         if side.user_features is None:
    ...             return np.repeat(self.items_, X.shape[0], axis=0)
    ...         return side.user_features @ self.items_.T
    >>> X, users = np.array([[1, 0, 0], [0, 1, 0]]), np.array([[1, 0], [0, 1]])
    >>> model = Alike().fit(X, user_features=users)
    >>> model.predict(np.zeros((2, 3)), user_features=[[0, 1], [1, 0]])
    array([1, 0])
    """

    def decision_function(self, X, *, user_features=None, context=None):
        """Score every item for every user.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions of the users to score, known or new.
        user_features : {array-like, sparse matrix, dataframe} of shape \
                (n_users, n_user_features), default=None
            Row u describes row u of X. An empty row of X is scored from its features alone.
        context : {array-like, sparse matrix, dataframe} of shape \
                (n_users, n_context_features), default=None
            The situation that each user is in now.

        Returns
        -------
        scores : ndarray of shape (n_users, n_items), dtype of X
            Higher is better; finite. Items that a user has are scored like all others.

        Raises
        ------
        TypeError
            If the class does not read the given side information.
        ValueError
            If the number of rows or the columns differ from those expected, or if values are
            NaN or infinite.

        Warns
        -----
        UserWarning
            If the model was fitted with side information that is not given.
        """
        self._check_reads("decision_function", user_features, context)
        return self._decide(self._start_rows(X, user_features, context))

    def predict(self, X, *, user_features=None, context=None):
        """Find the best item that each user does not have yet.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions of the users.
        user_features, context : default=None
            See `decision_function`.

        Returns
        -------
        items : ndarray of intp of shape (n_users,)
            Column indices of X; -1 for a user who has every item.
        """
        self._check_reads("predict", user_features, context)
        return self._lists(self._start_rows(X, user_features, context), 1)[0][:, 0]

    def recommend(
        self,
        X,
        k=10,
        *,
        user_features=None,
        context=None,
        items=None,
        exclude_seen=True,
        return_scores=False,
    ):
        """Recommend the k best items to each user.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions of the users.
        k : int, default=10
            Length of the lists.
        user_features, context : default=None
            See `decision_function`.
        items : array-like of int or bool, or sparse matrix, default=None
            Candidates: indices or a mask of shape (n_items,) for all users, or a sparse
            mask of shape (n_users, n_items). None: every item.
        exclude_seen : bool, default=True
            Whether to leave out the items stored in a user's row.
        return_scores : bool, default=False
            Whether to return the scores as well.

        Returns
        -------
        items : ndarray of intp of shape (n_users, k)
            Column indices of X, best first; -1 where fewer than k items are left.
        scores : ndarray of shape (n_users, k), dtype of X
            Only with ``return_scores=True``; -inf beside -1.

        See Also
        --------
        BaseRecommender.recommend : The order of the lists.
        """
        self._check_reads("recommend", user_features, context)
        rows = self._start_rows(X, user_features, context)
        found = self._lists(rows, k, items, exclude_seen)
        return found if return_scores else found[0]

    def score_pairs(self, X, rows, items, *, user_features=None, context=None):
        """Score given (user, item) pairs.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions of the users.
        rows : array-like of int of shape (n_pairs,)
            Row indices into X.
        items : array-like of int of shape (n_pairs,)
            Column indices of X.
        user_features : {array-like, sparse matrix, dataframe} of shape \
                (n_users, n_user_features), default=None
            Row u describes row u of X.
        context : {array-like, sparse matrix, dataframe} of shape \
                (n_pairs, n_context_features), default=None
            The situation of each pair.

        Returns
        -------
        scores : ndarray of shape (n_pairs,), dtype of X
            The score that ``decision_function`` gives each pair in its situation.
        """
        self._check_reads("score_pairs", user_features, context)
        users = self._start_rows(X, user_features, context, n_contexts=np.size(rows))
        return self._score_pairs(users, rows, items)

    def score(self, X, y=None, sample_weight=None, *, user_features=None, context=None):
        """Mean nDCG@100 over the users; for rating models, minus the RMSE.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions of the users.
        y : sparse matrix or ndarray of shape (n_users, n_items), default=None
            Held-out interactions of the same users. With None, or a 1-D array, whose values
            are ignored, a fifth of each row is hidden and predicted from the rest; the
            content of the row decides which items are hidden.
        sample_weight : array-like of shape (n_users,), default=None
            Weights of the users in the mean.
        user_features, context : default=None
            See `decision_function`.

        Returns
        -------
        score : float
            Higher is better. NaN, with an `UndefinedMetricWarning`, if no user can be
            evaluated.
        """
        self._check_reads("score", user_features, context)
        return self._score_rows(self._start_rows(X, user_features, context), y, sample_weight)

    def _check_reads(self, method, user_features, context):
        given = {"user_features": user_features, "context": context}
        refuse_unread(self, method, frozenset(given), given)
