"""Scorers: ``scorer(estimator, X, y)`` for scikit-learn's searches."""

from numbers import Real

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.metadata_routing import UNUSED

from skrec._evaluation._estimator_rows import evaluate_estimator, held_out_among, split_users
from skrec._evaluation._names import parse_metrics
from skrec._evaluation._summary import summarize
from skrec._evaluation._unknown import unknown_rows, warn_unknown
from skrec.utils._given_side import given_side
from skrec.utils._params import (
    BOOLEAN,
    RANDOM_STATE,
    InstanceOf,
    Interval,
    Options,
    check_parameters,
)
from skrec.utils._validation import check_candidates, check_sample_weight

OPTION_RULES = {
    "holdout": (Interval(0, 1, closed="neither"), Options(("last",))),
    "random_state": RANDOM_STATE,
    "relevance_threshold": InstanceOf((Real,), "a number"),
    "graded": BOOLEAN,
    "normalize": Options(("min", "relevant")),
}


def score_metrics(names):
    """Parse the names of metrics for which higher is better; a ValueError for errors."""
    metrics = parse_metrics(names)
    for metric in metrics:
        if metric.is_rating and metric.sign > 0:
            raise ValueError(
                f"{metric.name!r} is an error, and a search looks for the highest score. Use "
                f"'neg_{metric.name}'."
            )
    return metrics


class RankingScorer(BaseEstimator):
    """A scorer of recommenders; see `make_ranking_scorer`, which makes it.

    Parameters
    ----------
    metrics : str or list of str
        With one name the scorer returns a float, with a list a dict.
    holdout, random_state, relevance_threshold, graded, normalize, items
        See `make_ranking_scorer`.
    """

    # scikit-learn makes `set_score_request` from the signature of the method `score`; its argument
    # `estimator` is not metadata.
    __metadata_request__score = {"estimator": UNUSED}

    def __init__(
        self,
        metrics,
        *,
        holdout=0.2,
        random_state=0,
        relevance_threshold=0,
        graded=False,
        normalize="min",
        items=None,
    ):
        self.metrics = metrics
        self.holdout = holdout
        self.random_state = random_state
        self.relevance_threshold = relevance_threshold
        self.graded = graded
        self.normalize = normalize
        self.items = items

    def score(self, estimator, X, y=None, sample_weight=None, *, user_features=None, context=None):
        """Score a fitted estimator.

        Parameters
        ----------
        estimator : fitted estimator
            Its ``decision_function(X)`` has the shape of X.
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions of the users.
        y : HeldOut, {sparse matrix, array-like} of shape (n_users, n_items), 1-D or \
                None, default=None
            Held-out interactions of the same users. None, or 1-D values, which are ignored: a
            share of each row of X is hidden.
        sample_weight : array-like of shape (n_users,), default=None
            Weights of the users in the mean.
        user_features : {array-like, sparse matrix, dataframe} of shape \
                (n_users, n_user_features), default=None
            Passed on to the estimator with the rows that it scores.
        context : {array-like, sparse matrix, dataframe} of shape \
                (n_users, n_context_features), default=None
            The situation that each user is in; passed on likewise.

        Returns
        -------
        score : float or dict of str to float
        """
        metrics = score_metrics(self.metrics)
        check_parameters(self, OPTION_RULES)
        shown, held_out = split_users(X, y, holdout=self.holdout, random_state=self.random_state)
        allowed = check_candidates(self.items, *shown.shape)
        held_out = held_out_among(held_out, allowed)
        weight = check_sample_weight(sample_weight, shown.shape[0], np.float64)
        side = given_side(user_features, context, shown.shape[0])
        values = evaluate_estimator(
            estimator,
            metrics,
            X,
            shown,
            held_out,
            side=side,
            relevance_threshold=self.relevance_threshold,
            graded=self.graded,
            normalize=self.normalize,
            allowed=allowed,
        )
        self._warn_once(values, unknown_rows(shown, side.user_features))
        n_ratings = np.diff(held_out.indptr)
        scores = {
            metric.name: summarize(metric, values[metric.name], n_ratings, sample_weight=weight)
            for metric in metrics
        }
        return scores[self.metrics] if isinstance(self.metrics, str) else scores

    __call__ = score

    def _warn_once(self, values, unknown):
        """Warn of rows without any information, once for all folds and settings of a search."""
        if getattr(self, "_warned", False):
            return
        evaluated = ~np.all([np.isnan(column) for column in values.values()], axis=0)
        n_unknown = int((evaluated & unknown).sum())
        self._warned = warn_unknown(n_unknown, int(evaluated.sum()), stacklevel=3)


def make_ranking_scorer(
    metrics,
    *,
    holdout=0.2,
    random_state=0,
    relevance_threshold=0,
    graded=False,
    normalize="min",
    items=None,
):
    """Make a scorer for `GridSearchCV`, `cross_validate` and the like.

    The scorer hides a share of each test user's row, and the estimator scores the rest. The scorer
    leaves the items of the rest out of the list and measures how high it ranks the hidden ones.
    This is strong generalisation, because the users are not in the training data. With a held-out
    matrix as `y` the scorer hides nothing: the estimator sees whole rows of X and must find `y`.
    All metrics come from one pass over the scores, in chunks of rows.

    Parameters
    ----------
    metrics : str or list of str
        Names: "recall@k", "precision@k", "ndcg@k", "map@k", "mrr@k", "hit_rate@k" (or "hr@k") for
        any whole k, "auc", "neg_rmse", "neg_mae". With one name the scorer returns a float. With a
        list it returns a dict, and a search needs a ``refit`` such as ``refit="ndcg@100"``.
    holdout : float or "last", default=0.2
        Share of each row to hide, 0 < holdout < 1: ``max(1, floor(holdout * n))`` of n >= 2 items.
        Rows with fewer items are not evaluated. A hash of the seed, the row's content and the item
        chooses the items, the lowest first. So the choice depends neither on the order of the
        rows, nor on the fold, nor on `n_jobs`. "last", for X whose values are times: hide the one
        item of each row with the largest value, and on a tie the one with the lowest hash. The
        estimator must then find the next item of new users.
    random_state : int, RandomState or None, default=0
        Seed of the hidden items. Take an int in a search: anything else hides other items at every
        call, so the search would score its candidates on different data.
    relevance_threshold : float, default=0
        Hidden items with a greater value are relevant; a row without relevant items is not
        evaluated. Take 3.5, for example, if ratings enter a pipeline whose first step is
        ``Binarizer(threshold=3.5)``. If values are times, only users whose hidden item is later
        are evaluated.
    graded : bool, default=False
        Whether the gains of nDCG are 2**value - 1 instead of 1.
    normalize : {"min", "relevant"}, default="min"
        Denominator of recall. "min": min(k, number of relevant items). "relevant": the number of
        relevant items.
    items : array-like of int or bool, default=None
        Rank only these items, such as the cold ones: indices or a mask of shape (n_items,), see
        `evaluate`. None: every item.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y=None, sample_weight=None)`` returns a float, or a dict of floats;
        higher is better. NaN, with an `UndefinedMetricWarning`, if no user can be evaluated. It
        can be pickled and cloned. ``set_score_request`` routes weights of users, ``user_features``
        and ``context``; the scorer passes the last two on to the estimator row by row.

    Raises
    ------
    ValueError
        If a name is unknown, or names an error without "neg\\_". The scorer raises it if a
        parameter is out of range, a 2-D `y` does not have the shape of X, or the estimator does
        not return one score per item.

    See Also
    --------
    get_scorer : One metric with default options.
    evaluate : Returns values per user and standard errors.
    skrec.model_selection.SameUsersSplit : For weak generalisation.

    Notes
    -----
    A held-out matrix can have users without any interaction in X, as after a split in time. If
    they are more than a tenth of the users, the scorer warns once; `evaluate` reports them apart.

    "neg_rmse" and "neg_mae" compare the scores of all hidden items with their values, whatever
    `relevance_threshold` is.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skrec.dummy import DummyRecommender
    >>> from skrec.metrics import make_ranking_scorer
    >>> X = np.random.default_rng(0).binomial(1, np.linspace(0.1, 0.9, 12), size=(40, 12))
    >>> search = GridSearchCV(
    ...     DummyRecommender(random_state=0),
    ...     {"strategy": ["most_popular", "uniform"]},
    ...     scoring=make_ranking_scorer(["recall@5", "ndcg@10"]),
    ...     refit="ndcg@10",
    ... ).fit(X)
    >>> search.best_params_
    {'strategy': 'most_popular'}
    """
    score_metrics(metrics)
    return RankingScorer(
        metrics if isinstance(metrics, str) else list(metrics),
        holdout=holdout,
        random_state=random_state,
        relevance_threshold=relevance_threshold,
        graded=graded,
        normalize=normalize,
        items=items,
    )


def get_scorer(scoring):
    """Get a scorer by the name of a metric.

    Parameters
    ----------
    scoring : str or callable
        A name that `make_ranking_scorer` takes, such as "ndcg@100"; a callable is returned as it
        is.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y=None)`` returns a float, higher is better.

    Raises
    ------
    ValueError
        If the name is unknown.

    See Also
    --------
    get_scorer_names : Names to choose from.
    make_ranking_scorer : With options, or for several metrics at once.

    Examples
    --------
    >>> from skrec.metrics import get_scorer
    >>> get_scorer("ndcg@100")
    RankingScorer(metrics='ndcg@100')
    """
    return scoring if callable(scoring) else make_ranking_scorer(_one_name(scoring))


def _one_name(scoring):
    if not isinstance(scoring, str):
        raise ValueError(
            f"get_scorer takes the name of one metric. Got {scoring!r}; use make_ranking_scorer "
            "for several."
        )
    return scoring


def get_scorer_names():
    """Get names that `get_scorer` takes.

    List metrics appear with common lengths; `get_scorer` takes any other length too.

    Returns
    -------
    names : list of str
        Sorted.

    See Also
    --------
    get_scorer : Makes a scorer from a name.

    Examples
    --------
    >>> from skrec.metrics import get_scorer_names
    >>> "ndcg@100" in get_scorer_names()
    True
    """
    return [
        "auc",
        "hit_rate@10",
        "map@10",
        "mrr@10",
        "ndcg@10",
        "ndcg@100",
        "neg_mae",
        "neg_rmse",
        "precision@10",
        "recall@20",
        "recall@50",
    ]
