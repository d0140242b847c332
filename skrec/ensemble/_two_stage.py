"""TwoStageRecommender: the candidates of one model in the order of another model."""

import numpy as np
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, MetaEstimatorMixin
from sklearn.utils import check_random_state

from skrec._delegation import (
    aligned_side,
    check_no_ratings,
    check_scores,
    fit_keywords,
    longer_model,
    scores_of,
    seeded_clone,
    side_keywords,
    with_tags_of,
)
from skrec._evaluation._entries import entry_rows
from skrec._recommend import recommend
from skrec.base import BaseRecommender, UserSideMixin
from skrec.decomposition import WMF
from skrec.ensemble._reranker import RECOMMENDER
from skrec.linear_model import EASE
from skrec.utils._fitted import Fitted
from skrec.utils._params import NONE, POSITIVE_INTEGER, Options
from skrec.utils._ties import grid_width
from skrec.utils._topk import top_k

# The number of cells of the grid between the worst candidate and the best other item.
_CELLS = 3


class TwoStageRecommender(MetaEstimatorMixin, UserSideMixin, BaseRecommender):
    r"""Lists from one model, the retriever, in the order of another, the ranker.

    The retriever scores all items and picks the `n_candidates` best that a row does not have. Only
    these candidates get scores of the ranker, which may be slow, and may read features and context
    [1]_. All other items follow in the order of the retriever.

    `decision_function` returns the ranker's scores for the candidates and for the row's own items.
    The retriever's scores of all other items are shifted and scaled so that the best of them lies
    just below the worst candidate. So lists, scores and metrics agree. Scores only rank items.

    Parameters
    ----------
    retriever : recommender, default=None
        A recommender, or a pipeline or search that ends in one. None: ``EASE()``.
    ranker : recommender, default=None
        A recommender, or a pipeline or search that ends in one. None: ``WMF()``.
    n_candidates : int, default=200
        Number of items that the ranker orders, > 0. With all items as candidates the lists are the
        ranker's. May be changed after ``fit``.
    negatives : {"ranker", "retrieved"}, default="ranker"
        Negatives that the ranker learns from. "ranker": items that the ranker draws itself.
        "retrieved": items drawn from the retriever's list for the row, which are the items that
        the ranker must order; only for a `~skrec.content.ContentRecommender`, a
        `~skrec.content.DeepFM` or a `~skrec.content.WideAndDeep`.
    random_state : int, RandomState or None, default=None
        Seed of the models whose own `random_state` is None.

    Attributes
    ----------
    retriever_, ranker_ : recommender
        The fitted models.
    n_features_in_ : int
        Number of items.
    feature_names_in_ : ndarray of str of shape (n_items,)
        Only if X has string column names.

    See Also
    --------
    RankFusion : Fuses the lists of several models into one.
    skrec.content.ContentRecommender : A ranker on features, ids and context.

    Notes
    -----
    Both models are fitted to all of X, and get the side information that they read. With `items`,
    `recommend` ranks allowed items that are candidates before allowed items that are not. If few
    items are allowed, raise `n_candidates`.

    The retriever's best items are harder negatives than other items, and the user would like some
    of them. So "retrieved" is not always better: try both.

    New items from `with_items` are candidates if the retriever scores them high. `with_items`
    works if each model reads item features or is a `DummyRecommender`.

    References
    ----------
    .. [1] P. Covington, J. Adams and E. Sargin, "Deep neural networks for YouTube
       recommendations", RecSys 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.dummy import DummyRecommender
    >>> from skrec.ensemble import TwoStageRecommender
    >>> from skrec.linear_model import EASE
    >>> X = np.array([[1, 1, 0, 0, 1], [1, 1, 0, 1, 0], [0, 0, 1, 1, 1], [0, 0, 1, 0, 1]])
    >>> row = [[1, 0, 0, 0, 0]]
    >>> EASE(alpha=1.0).fit(X).recommend(row, k=4)
    array([[1, 3, 4, 2]])
    >>> model = TwoStageRecommender(EASE(alpha=1.0), DummyRecommender(), n_candidates=3).fit(X)
    >>> model.recommend(row, k=4)
    array([[4, 1, 3, 2]])
    """

    _parameter_rules = {
        "retriever": (NONE, RECOMMENDER),
        "ranker": (NONE, RECOMMENDER),
        "n_candidates": POSITIVE_INTEGER,
        "negatives": Options(("ranker", "retrieved")),
    }
    _search_grid = [{"n_candidates": n_candidates} for n_candidates in (50, 100, 200, 500)]
    _fitted_rules = {"retriever_": Fitted(), "ranker_": Fitted()}

    def __init__(
        self,
        retriever=None,
        ranker=None,
        *,
        n_candidates=200,
        negatives="ranker",
        random_state=None,
    ):
        self.retriever = retriever
        self.ranker = ranker
        self.n_candidates = n_candidates
        self.negatives = negatives
        self.random_state = random_state

    def __sklearn_tags__(self):
        return with_tags_of(self._models(), super().__sklearn_tags__())

    def _models(self):
        # `fit` refuses anything but an estimator; scikit-learn may ask for tags before.
        given = ((self.retriever, EASE), (self.ranker, WMF))
        return [model if isinstance(model, BaseEstimator) else kind() for model, kind in given]

    def fit(self, X, y=None, *, item_features=None, user_features=None, context=None):
        """Fit the retriever, then the ranker.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions that both models take.
        y : ignored
            Present for scikit-learn's conventions.
        item_features : ItemFeatures, {array-like, sparse matrix, dataframe} of shape \
                (n_items, n_item_features), or images, default=None
            Passed to the models that read them, like `user_features` and `context`.
        user_features : {array-like, sparse matrix, dataframe} of shape \
                (n_users, n_user_features), default=None
            Row u describes row u of X.
        context : InteractionContext, default=None
            One row for each stored entry of X.

        Returns
        -------
        self : TwoStageRecommender
            The fitted recommender.

        Raises
        ------
        TypeError
            If a model has no ``decision_function``, or neither reads the given side information.
        ValueError
            If a parameter or X is not valid, if a model predicts ratings, or if the ranker
            cannot take the negatives of the retriever.
        """
        X = self._start_fit(X)
        retriever, ranker = self._models()
        self._check_models(retriever, ranker)
        side = self._start_side(
            X, item_features=item_features, user_features=user_features, context=context
        )
        side = aligned_side(side, X)
        random_state = check_random_state(self.random_state)
        given = fit_keywords(retriever, side, None)
        retriever = seeded_clone(retriever, random_state).fit(X, **given)
        given = fit_keywords(ranker, side, None)
        ranker = seeded_clone(ranker, random_state)
        if self.negatives == "retrieved":
            shown = self._shown(retriever, X, side)
            ranker._fit_against(X, shown, **given)
        else:
            ranker.fit(X, **given)
        self.retriever_, self.ranker_ = retriever, ranker
        return self

    def _shown(self, retriever, X, side):
        """The retriever's lists for the training rows: a csr_array of ones."""
        # Interactions have situations, rows have none: candidates are for the mean situation.
        known = side_keywords(retriever, side.user_features, None)
        lists = recommend(retriever, X, min(self.n_candidates, X.shape[1]), **known)
        here = lists >= 0
        indptr = np.concatenate([[0], np.cumsum(here.sum(axis=1))])
        items = lists[here].astype(np.int32)
        return csr_array((np.ones(len(items), dtype=np.float32), items, indptr), shape=X.shape)

    def _check_models(self, retriever, ranker):
        for name, model in (("retriever", retriever), ("ranker", ranker)):
            check_scores(self, name, model)
            check_no_ratings(self, name, model)
        if self.negatives == "retrieved" and not hasattr(ranker, "_fit_against"):
            raise ValueError(
                'TwoStageRecommender(negatives="retrieved") needs a ranker that takes given '
                "negatives: a ContentRecommender, DeepFM or WideAndDeep. Got "
                f"{type(ranker).__name__}; use "
                'negatives="ranker".'
            )

    def _scores(self, X, side=None):
        first = scores_of(self.retriever_, X, side)
        items, _ = top_k(first, min(self.n_candidates, X.shape[1]), seen=X)
        rows, places = np.nonzero(items >= 0)
        ranked = np.zeros(X.shape, dtype=np.bool_)
        ranked[rows, items[rows, places]] = True
        is_candidate = ranked.copy()
        ranked[entry_rows(X), X.indices] = True
        scores = np.zeros(X.shape, dtype=X.dtype)
        scores[ranked] = self._ranked(X, *np.nonzero(ranked), side)
        return _stacked(scores, first, ranked, is_candidate)

    def _ranked(self, X, rows, items, side):
        """The ranker's scores of some pairs."""
        if not hasattr(self.ranker_, "score_pairs"):  # a pipeline or a search
            return scores_of(self.ranker_, X, side)[rows, items]
        known = {} if side is None else side_keywords(self.ranker_, *side.for_pairs(rows))
        return self.ranker_.score_pairs(X, rows, items, **known)

    def _extended(self, item_features):
        names = ("retriever_", "ranker_")
        return {name: longer_model(getattr(self, name), item_features) for name in names}


def _stacked(scores, first, ranked, is_candidate):
    """Scores of the ranked items, with the first model's scores below the worst candidate.

    Parameters
    ----------
    scores : ndarray of shape (n_rows, n_items)
        Scores of the ranked items; all others are filled in place.
    first : ndarray of shape (n_rows, n_items)
    ranked, is_candidate : ndarray of bool of shape (n_rows, n_items)

    Returns
    -------
    scores : ndarray of shape (n_rows, n_items)
    """
    other = ~ranked
    high = np.where(other, first, -np.inf).max(axis=1, keepdims=True, initial=-np.inf)
    low = np.where(other, first, np.inf).min(axis=1, keepdims=True, initial=np.inf)
    worst = np.where(is_candidate, scores, np.inf).min(axis=1, keepdims=True, initial=np.inf)
    worst = np.where(np.isfinite(worst), worst, 0.0).astype(np.float64)
    unit = np.abs(scores).max(axis=1, keepdims=True, initial=0.0).astype(np.float64)
    unit = np.where(unit > 0, unit, 1.0)
    # The row's largest score is at most twice the ranked items' largest score, and so is the grid.
    gap = _CELLS * 2 * grid_width(scores.dtype)
    rows, items = np.nonzero(other)
    span = (high - low)[rows, 0].astype(np.float64)
    below = (high[rows, 0] - first[rows, items]) / np.where(span > 0, span, 1.0)
    scores[rows, items] = worst[rows, 0] - unit[rows, 0] * (gap + (1 - gap) * below)
    return scores
