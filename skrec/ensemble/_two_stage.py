"""TwoStageRecommender: the candidates of one model in the order of another one."""

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

# So many cells of the grid lie between the worst candidate and the best other item.
_CELLS = 3


class TwoStageRecommender(MetaEstimatorMixin, UserSideMixin, BaseRecommender):
    r"""Lists from one model, the retriever, in the order of another one, the ranker.

    The retriever scores all items and names the `n_candidates` best that a row does not have.
    The ranker, which may be costly and may read features and context, scores these alone [1]_.
    All other items follow behind them in the order of the retriever.

    `decision_function` has the ranker's scores for the candidates and for the items that the row
    has. The retriever's scores of all others are moved and scaled so that the best of them stands
    just below the worst candidate. So lists, scores and metrics agree. Scores rank items.

    Parameters
    ----------
    retriever : recommender, default=None
        A pipeline or a search that ends in a recommender is one too. None: ``EASE()``.
    ranker : recommender, default=None
        So is the ranker. None: ``WMF()``.
    n_candidates : int, default=200
        Items that the ranker orders, > 0. From the number of items on the lists are the
        ranker's. May be changed after ``fit``.
    negatives : {"ranker", "retrieved"}, default="ranker"
        What the ranker is told to be no interactions. "ranker": what it takes by itself.
        "retrieved": items drawn among those that the retriever shows to the row, which are what
        the ranker has to order; for a `~skrec.content.ContentRecommender`, a
        `~skrec.content.DeepFM` or a `~skrec.content.WideAndDeep`.
    random_state : int, RandomState or None, default=None
        Seed of those models whose own `random_state` is None.

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
    RankFusion : One list of those of several models, by places.
    skrec.content.ContentRecommender : A ranker of rows of features, ids and context.

    Notes
    -----
    Both models are fitted to all of X. The side information that a model reads is passed to it.
    Restricted to some `items`, `recommend` ranks those of them that are candidates before the
    others: with few items allowed raise `n_candidates`.

    Items drawn among the retriever's best are harder to tell from interactions than others, and
    some of them the user would like. So "retrieved" is not better everywhere: try both.

    With `with_items` new items are candidates if the retriever scores them high. It works where
    each model reads item features or is a `DummyRecommender`.

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
        # What is no estimator is refused by `fit`; tags are asked for before.
        given = ((self.retriever, EASE), (self.ranker, WMF))
        return [model if isinstance(model, BaseEstimator) else kind() for model, kind in given]

    def fit(self, X, y=None, *, item_features=None, user_features=None, context=None):
        """Fit the retriever, then the ranker.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions, as both models take them.
        y : ignored
            Present for scikit-learn's conventions.
        item_features : ItemFeatures, {array-like, sparse matrix, dataframe} of shape \
                (n_items, n_item_features), or images, default=None
            For the models that read them; so for the next two.
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
            If a model has no ``decision_function``, or neither reads what is given.
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
        """What the retriever shows to the training rows: a csr_array of ones."""
        # The situation of an interaction is none of a row: candidates are those of the mean one.
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
                'TwoStageRecommender(negatives="retrieved") needs a ranker that learns from '
                "negatives it is given: a ContentRecommender, DeepFM or WideAndDeep. Got "
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
    """Scores of the ranked items, and below the worst candidate those of the first model.

    Parameters
    ----------
    scores : ndarray of shape (n_rows, n_items)
        Of the ranked items; all others are filled in place.
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
    # The row's largest score is at most twice that of the ranked items: so is the grid.
    gap = _CELLS * 2 * grid_width(scores.dtype)
    rows, items = np.nonzero(other)
    span = (high - low)[rows, 0].astype(np.float64)
    below = (high[rows, 0] - first[rows, items]) / np.where(span > 0, span, 1.0)
    scores[rows, items] = worst[rows, 0] - unit[rows, 0] * (gap + (1 - gap) * below)
    return scores
