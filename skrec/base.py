"""The contract of every recommender: what goes in, what comes out.

Rows of X are users (samples), columns are items (features). A stored value is an
observed interaction; zero, stored or not, means "missing".
"""

from abc import ABCMeta, abstractmethod

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from skrec._recommend import recommend_rows
from skrec.utils._explain import check_targets, contributions_at
from skrec.utils._parallel import row_chunks
from skrec.utils._params import check_parameters
from skrec.utils._validation import (
    check_candidates,
    check_item_indices,
    check_sample_weight,
    validate_interactions,
)

__all__ = ["BaseRecommender", "RecommenderMixin"]


class RecommenderMixin:
    """Tags of a recommender; stands left of `BaseEstimator`.

    Sets ``estimator_type="recommender"``: sparse input is allowed, no target is
    required, and values must not be negative (rating models lift that).

    Examples
    --------
    >>> from sklearn.utils import get_tags
    >>> from skrec.dummy import DummyRecommender
    >>> get_tags(DummyRecommender()).estimator_type
    'recommender'
    """

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.estimator_type = "recommender"
        tags.input_tags.sparse = True
        tags.input_tags.positive_only = True
        tags.target_tags.required = False
        return tags


class BaseRecommender(RecommenderMixin, BaseEstimator, metaclass=ABCMeta):
    """Base class of the recommenders.

    A subclass writes ``__init__`` (assignments only), ``_parameter_rules``, ``fit``
    (which starts with ``X = self._start_fit(X)``) and `_scores`; everything else of the
    contract is here, once.

    Any row can be scored: rows are never identified by position, a new user is a row
    like any other. The batch, the order and the subset of rows never change the result
    of a row.

    Examples
    --------
    A recommender that scores an item by how many items of the row have the same parity:

    >>> import numpy as np
    >>> from skrec.base import BaseRecommender
    >>> class Parity(BaseRecommender):
    ...     def fit(self, X, y=None):
    ...         X = self._start_fit(X)
    ...         parity = np.arange(X.shape[1]) % 2
    ...         self.same_ = (parity[:, None] == parity).astype(X.dtype)
    ...         return self
    ...
    ...     def _scores(self, X):
    ...         return X @ self.same_.astype(X.dtype)
    >>> Parity().fit(np.eye(4)).predict(np.eye(4))
    array([2, 3, 0, 1])
    """

    # Name of a constructor parameter -> what it may be, see skrec.utils._params.
    _parameter_rules = {}

    @abstractmethod
    def fit(self, X, y=None):
        """Fit the model to a user-item matrix.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions, or ratings for models of ratings.
        y : ignored
            Never teaches; in a search it is the scoring target.

        Returns
        -------
        self : BaseRecommender
            The fitted recommender.
        """

    @abstractmethod
    def _scores(self, X):
        """Scores of every item for the rows of a canonical csr_array, in its dtype."""

    def _pair_scores(self, X, rows, items):
        """Scores of pairs; models that need no dense rows for it override this."""
        scores = np.empty(len(rows), dtype=X.dtype)
        wanted, group = np.unique(rows, return_inverse=True)
        order = np.argsort(group, kind="stable")
        bounds = np.searchsorted(group[order], np.arange(len(wanted) + 1))
        for start, stop in row_chunks(len(wanted), X.shape[1] * X.dtype.itemsize):
            dense = self._scores(X[wanted[start:stop]])
            pairs = order[bounds[start] : bounds[stop]]
            scores[pairs] = dense[group[pairs] - start, items[pairs]]
        return scores

    @property
    def _predicts_ratings(self):
        """Whether scores are ratings, so that `score` is minus RMSE and not nDCG."""
        return False

    def _start_fit(self, X, *, reset=True):
        check_parameters(self, self._parameter_rules)
        return validate_interactions(self, X, reset=reset)

    def _start_scoring(self, X):
        check_is_fitted(self)
        return validate_interactions(self, X, reset=False)

    def decision_function(self, X):
        """Score every item for every user.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions of the users to score, known or new.

        Returns
        -------
        scores : ndarray of shape (n_users, n_items), dtype of X
            Higher is better; finite. Items that a user has are scored like all others.
        """
        X = self._start_scoring(X)
        scores = np.empty(X.shape, dtype=X.dtype)
        for start, stop in row_chunks(X.shape[0], X.shape[1] * X.dtype.itemsize):
            scores[start:stop] = self._scores(X[start:stop])
        return scores

    def predict(self, X):
        """Find the best item for each user among those the user has not.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions of the users.

        Returns
        -------
        items : ndarray of intp of shape (n_users,)
            Column indices of X; -1 for a user who has every item.
        """
        return self.recommend(X, k=1)[:, 0]

    def recommend(self, X, k=10, *, items=None, exclude_seen=True, return_scores=False):
        """Recommend the k best items to each user.

        Items are ordered by score, quantised to a grid of 64 * eps(dtype) * max|score|
        of the row so that rounding does not decide, then by item index. Works in chunks
        of rows: never holds n_users x n_items.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions of the users.
        k : int, default=10
            Length of the lists.
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

        Raises
        ------
        ValueError
            If k is no whole number >= 1 or candidates are out of range.
        """
        X = self._start_scoring(X)
        found, values = recommend_rows(
            lambda start, stop: self._scores(X[start:stop]),
            X.shape,
            k,
            seen=X if exclude_seen else None,
            allowed=check_candidates(items, *X.shape),
            dtype=X.dtype,
        )
        return (found, values) if return_scores else found

    def score_pairs(self, X, rows, items):
        """Score given (user, item) pairs.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions of the users.
        rows : array-like of int of shape (n_pairs,)
            Row indices into X.
        items : array-like of int of shape (n_pairs,)
            Column indices of X.

        Returns
        -------
        scores : ndarray of shape (n_pairs,), dtype of X
            ``decision_function(X)[rows, items]`` without holding all of it.

        Raises
        ------
        ValueError
            If the lengths differ or an index is out of range.
        """
        X = self._start_scoring(X)
        rows = check_item_indices(rows, X.shape[0], name="rows")
        items = check_item_indices(items, X.shape[1])
        if rows.shape != items.shape or rows.ndim != 1:
            raise ValueError(
                f"rows and items must be 1-D of one length. Got shapes {rows.shape} and "
                f"{items.shape}."
            )
        return self._pair_scores(X, rows, items)

    def score(self, X, y=None, sample_weight=None):
        """Mean nDCG@100 over the users; for rating models, minus the RMSE.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions of the users.
        y : sparse matrix or ndarray of shape (n_users, n_items), default=None
            Held-out interactions of the same users. None, or a 1-D array, which is not
            looked at: a fifth of each row is hidden, keyed by its content, and
            predicted from the rest.
        sample_weight : array-like of shape (n_users,), default=None
            Weights of the users in the mean.

        Returns
        -------
        score : float
            Higher is better. NaN, with an `UndefinedMetricWarning`, where no user can
            be evaluated.

        Raises
        ------
        ValueError
            If a 2-D `y` does not have the shape of X.
        """
        X = self._start_scoring(X)
        weight = check_sample_weight(sample_weight, X.shape[0], np.float64)
        # Imported here because metrics stand above the estimators.
        from skrec.metrics._default_score import ndcg_at_100, negative_rmse

        if self._predicts_ratings:
            return negative_rmse(self._pair_scores, X, y, sample_weight=weight)
        return ndcg_at_100(self._scores, X, y, sample_weight=weight)


def explain_scores(X, items, weights):
    """Split linear scores into what each item of the row adds.

    Parameters
    ----------
    X : csr_array of shape (n_rows, n_items)
        Canonical.
    items : array-like of int of shape (n_rows,) or (n_rows, m)
        The items whose scores are explained, -1 for none (the padding of recommend).
    weights : callable
        ``weights(sources, targets)`` returns the weight of each source item in the
        score of the target item beside it.

    Returns
    -------
    contributions : csr_array of shape (n_rows * m, n_items)
        Row ``u * m + j`` splits the score of ``items[u, j]`` for row u: its entries
        stand at items of the row, and add up to the score.
    """
    targets = check_targets(items, *X.shape)
    n_targets = targets.shape[1]
    rows = np.repeat(np.arange(X.shape[0]), n_targets)
    lengths = np.diff(X.indptr)[rows]
    repeated = X[rows]
    target_of = np.repeat(targets.ravel(), lengths)
    data = np.zeros(repeated.nnz, dtype=X.dtype)
    real = target_of >= 0
    data[real] = repeated.data[real] * weights(repeated.indices[real], target_of[real])
    return contributions_at(X, data, n_targets)
