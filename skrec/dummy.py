"""Recommenders that learn nothing about single users: the baseline that a model must beat."""

import numpy as np
from sklearn.utils import check_random_state

from skrec.base import BaseRecommender
from skrec.utils._fitted import SEED, Array
from skrec.utils._hashing import keyed_words, row_hashes
from skrec.utils._params import Options
from skrec.utils._statistics import SumsMixin
from skrec.utils._validation import check_sample_weight

__all__ = ["DummyRecommender"]


class DummyRecommender(SumsMixin, BaseRecommender):
    """Recommend by popularity or at random.

    Parameters
    ----------
    strategy : {"most_popular", "uniform", "stratified"}, default="most_popular"
        How items are scored:

        - "most_popular": the (weighted) number of users who have the item;
        - "uniform": a random number in [0, 1);
        - "stratified": log popularity plus Gumbel noise. The ranking is a draw without
          replacement, with chances proportional to popularity [1]_.
    random_state : int, RandomState or None, default=None
        Source of the seed of the random strategies, drawn once per ``fit``. A row's scores
        depend only on its content and the seed.

    Attributes
    ----------
    item_popularity_ : ndarray of shape (n_items,), float64
        Sum of the weights of the users who have the item.
    seed_ : int
        Seed of the draws.
    n_features_in_ : int
        Number of items.
    feature_names_in_ : ndarray of str of shape (n_items,)
        Only if X has string column names.

    See Also
    --------
    sklearn.dummy.DummyClassifier : Baseline for classifiers.

    References
    ----------
    .. [1] T. Vieira, "Gumbel-max trick and weighted reservoir sampling",
       2014.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.dummy import DummyRecommender
    >>> X = np.array([[1, 1, 0], [1, 0, 0], [0, 1, 1], [0, 1, 0]])
    >>> DummyRecommender().fit(X).predict(X)
    array([2, 1, 0, 0])
    """

    _parameter_rules = {
        "strategy": Options(("most_popular", "uniform", "stratified")),
    }
    _may_score_alike = True  # equally popular items

    _fitted_rules = {"item_popularity_": Array("n_items", low=0), "seed_": SEED}

    def __init__(self, strategy="most_popular", *, random_state=None):
        self.strategy = strategy
        self.random_state = random_state

    def fit(self, X, y=None, *, sample_weight=None):
        """Count how many users have each item.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions.
        y : ignored
            Present for scikit-learn's conventions.
        sample_weight : array-like of shape (n_users,), default=None
            Weights of the users.

        Returns
        -------
        self : DummyRecommender
            The fitted recommender.
        """
        X = self._start_fit(X)
        weight = check_sample_weight(sample_weight, X.shape[0], np.float64)
        self._finish(self._part(X, weight))
        return self

    def partial_fit(self, X, y=None, *, sample_weight=None):
        """Count further users; the result equals one `fit` on all users.

        The counts are added to `item_popularity_`, whether `fit` or `partial_fit` set it. The
        seed stays unchanged.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions of further users.
        y : ignored
            Present for scikit-learn's conventions.
        sample_weight : array-like of shape (n_users,), default=None
            Weights of the users.

        Returns
        -------
        self : DummyRecommender
            The recommender.
        """
        first = not hasattr(self, "item_popularity_")
        X = self._start_fit(X, reset=first)
        weight = check_sample_weight(sample_weight, X.shape[0], np.float64)
        counts = self._part(X, weight)
        if first:
            self._finish(counts)
        else:
            self.item_popularity_ = self.item_popularity_ + counts
        return self

    def _part(self, X, weight=None):
        per_entry = None if weight is None else np.repeat(weight, np.diff(X.indptr))
        counts = np.bincount(X.indices, weights=per_entry, minlength=X.shape[1])
        return counts.astype(np.float64)

    def _finish(self, counts):
        self.item_popularity_ = counts
        self.seed_ = int(check_random_state(self.random_state).randint(2**31 - 1))

    def _scores(self, X):
        if self.strategy == "most_popular":
            return np.tile(self.item_popularity_.astype(X.dtype), (X.shape[0], 1))
        hashes = row_hashes(X)[:, np.newaxis, :]
        words = keyed_words(hashes, self.seed_, np.arange(X.shape[1])[np.newaxis, :])
        uniform = (words >> np.uint64(11)) * 2.0**-53  # [0, 1)
        if self.strategy == "uniform":
            return uniform.astype(X.dtype)
        gumbel = -np.log(-np.log(np.clip(uniform, 2.0**-54, None)))
        count = self.item_popularity_
        # Gumbel noise stays within about (-4, 38): items nobody has come last.
        log_count = np.log(np.where(count > 0, count, 1.0))
        log_count[count == 0] = log_count.min() - 100.0
        return (log_count + gumbel).astype(X.dtype)
