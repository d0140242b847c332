"""Evaluation of a fitted recommender, with values per user and standard errors."""

import numpy as np

from skrec._evaluation._estimator_rows import evaluate_estimator, held_out_among, split_users
from skrec._evaluation._held_out import check_held_out
from skrec._evaluation._names import parse_metrics
from skrec._evaluation._unknown import unknown_rows, warn_unknown
from skrec.metrics._candidates import check_candidate_lists, evaluate_candidates, positives_of
from skrec.metrics._checks import check_rule
from skrec.metrics._results import evaluation_result, metric_label, short_number
from skrec.metrics._scorer import OPTION_RULES
from skrec.utils._given_side import given_side
from skrec.utils._validation import check_candidates


def evaluate(
    estimator,
    X,
    y=None,
    metrics=("recall@20", "recall@50", "ndcg@100"),
    *,
    user_features=None,
    context=None,
    items=None,
    candidates=None,
    holdout=0.2,
    random_state=0,
    relevance_threshold=0,
    graded=False,
    normalize="min",
):
    """Evaluate a fitted recommender: values per user, means and standard errors.

    Parameters
    ----------
    estimator : fitted estimator
        Its ``decision_function(X)`` has the shape of X: a recommender, or a pipeline or a search
        that ends in one. `evaluate` calls ``score_pairs`` instead where it suffices.
    X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
        Interactions that the models see. A user's own items are not ranked.
    y : HeldOut, {sparse matrix, array-like} of shape (n_users, n_items), or None, \
            default=None
        Held-out interactions of the same users. None: a share of each row of X is hidden, see
        `make_ranking_scorer`.
    metrics : str or list of str, default=("recall@20", "recall@50", "ndcg@100")
        Names, see `make_ranking_scorer`; also "rmse" and "mae".
    user_features : {array-like, sparse matrix, dataframe} of shape \
            (n_users, n_user_features), default=None
        For estimators that read them: row u describes row u of X.
    context : {array-like, sparse matrix, dataframe} of shape \
            (n_users, n_context_features), default=None
        For estimators that read it: the situation that each user is in.
    items : array-like of int or bool, or sparse matrix, default=None
        Rank only these items: indices or a mask of shape (n_items,) for all users, or a sparse
        mask of shape (n_users, n_items). Held-out interactions with other items do not count, and
        users without held-out interactions with these items are not evaluated. None: every item.
        See `skrec.model_selection.cold_item_split`.
    candidates : array-like of int of shape (n_users, m), default=None
        Rank the held-out item of each user only among these, as He et al. did with 99 sampled
        items [1]_. `y` must hold one relevant item per row. Padding is -1. A candidate that equals
        the held-out item is dropped, and a repeated candidate counts once. Ties count against the
        held-out item, in "auc" too.
    holdout : float or "last", default=0.2
        Share of each row to hide if `y` is None. "last": hide the item with the largest value, see
        `make_ranking_scorer`.
    random_state : int, RandomState or None, default=0
        Seed of the hidden items if `y` is None.
    relevance_threshold : float, default=0
        Held-out items with a greater value are relevant.
    graded : bool, default=False
        Whether the gains of nDCG are 2**value - 1 instead of 1.
    normalize : {"min", "relevant"}, default="min"
        Denominator of recall. "min": min(k, number of relevant items). "relevant": the number of
        relevant items.

    Returns
    -------
    result : `~sklearn.utils.Bunch`
        A Bunch, printed as one line, with

        per_user : dict of str to ndarray of shape (n_users,)
            Values by metric; NaN for users that are not evaluated.
        mean : dict of str to float
            Means over the evaluated users; for "rmse" and "mae" the error over all ratings. NaN,
            with an `UndefinedMetricWarning`, if no user can be evaluated.
        standard_error : dict of str to float
            Standard error of the mean over users; NaN for fewer than two users.
        n_users : dict of str to int
            Number of evaluated users.
        n_held_out : ndarray of intp of shape (n_users,)
            Held-out interactions of each user.
        unknown : ndarray of bool of shape (n_users,)
            Users without any information: their row of X is empty, and their row of
            `user_features`, if given, is zero.
        n_unknown : dict of str to int
            Number of evaluated users among the unknown ones.
        mean_known, mean_unknown : dict of str to float
            As `mean`, but over the known and the unknown users; NaN if there are none.

    Raises
    ------
    ValueError
        If a name is unknown, a parameter is out of range, `y` does not have the shape of X, or,
        with candidates, a row of `y` does not have exactly one relevant item.

    Warns
    -----
    UserWarning
        If more than a tenth of the evaluated users are unknown, as after a split in time with many
        new users.

    See Also
    --------
    compare : Tests whether two results differ.
    compare_models : Fits, evaluates and compares several models in one call.
    make_ranking_scorer : The same as a scorer for searches.

    Notes
    -----
    An item of `y` that the same row of X holds too is neither ranked nor relevant; rating metrics
    still compare its rating. With candidates all candidates are ranked, in X or not.

    References
    ----------
    .. [1] X. He et al., "Neural Collaborative Filtering",
       WWW 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.dummy import DummyRecommender
    >>> from skrec.metrics import evaluate
    >>> from skrec.model_selection import user_train_test_split
    >>> X = np.random.default_rng(0).binomial(1, np.linspace(0.1, 0.9, 12), size=(50, 12))
    >>> X_train, X_test, y_test = user_train_test_split(X, random_state=0)
    >>> result = evaluate(DummyRecommender().fit(X_train), X_test, y_test, ["ndcg@5"])
    >>> result.per_user["ndcg@5"].shape, result.n_users
    ((10,), {'ndcg@5': 10})
    >>> result.mean["ndcg@5"] > 0.5
    True
    >>> result
    nDCG@5 ... ± ...; 10 users
    """
    result = evaluate_quietly(
        estimator, X, y, metrics, user_features=user_features, context=context,
        items=items, candidates=candidates, holdout=holdout, random_state=random_state,
        relevance_threshold=relevance_threshold, graded=graded, normalize=normalize,
    )  # fmt: skip
    warn_of_unknown(result, fallback=hasattr(estimator, "uses_fallback"), stacklevel=2)
    return result


def warn_of_unknown(result, *, fallback=False, stacklevel):
    """Warn if too many of a result's users are unknown."""
    name = max(result.n_unknown, key=result.n_users.get)
    label = metric_label(name)
    warn_unknown(
        result.n_unknown[name],
        result.n_users[name],
        known=short_number(result.mean_known[name], 4),
        unknown=f"{label} {short_number(result.mean_unknown[name], 4)}",
        fallback=fallback,
        stacklevel=stacklevel + 1,
    )


def evaluate_quietly(
    estimator,
    X,
    y,
    metrics,
    *,
    user_features=None,
    context=None,
    items=None,
    candidates=None,
    holdout=0.2,
    random_state=0,
    relevance_threshold=0,
    graded=False,
    normalize="min",
):
    """As `evaluate` but without its warning, for several models on the same users."""
    metrics = parse_metrics(metrics)
    check_rule(holdout, OPTION_RULES["holdout"], "holdout")
    check_rule(random_state, OPTION_RULES["random_state"], "random_state")
    check_rule(relevance_threshold, OPTION_RULES["relevance_threshold"], "relevance_threshold")
    check_rule(graded, OPTION_RULES["graded"], "graded")
    check_rule(normalize, OPTION_RULES["normalize"], "normalize")
    shown, held_out = split_users(X, y, holdout=holdout, random_state=random_state)
    side = given_side(user_features, context, shown.shape[0])
    allowed = check_candidates(items, *shown.shape)
    if allowed is not None and candidates is not None:
        raise ValueError(
            "Got items and candidates. Both choose the ranked items: candidates together with one "
            "held-out item per user, items for all users. Leave one of them out."
        )
    held_out = held_out_among(held_out, allowed)
    if candidates is None:
        values = evaluate_estimator(
            estimator,
            metrics,
            X,
            shown,
            held_out,
            side=side,
            relevance_threshold=relevance_threshold,
            graded=graded,
            normalize=normalize,
            allowed=allowed,
        )
    else:
        _check_candidate_protocol(metrics, y, shown.shape)
        values = evaluate_candidates(
            estimator,
            metrics,
            X,
            shown,
            positives_of(held_out, relevance_threshold),
            check_candidate_lists(candidates, shown.shape),
            normalize,
            side,
        )
    n_held_out = np.diff(held_out.indptr).astype(np.intp)
    return evaluation_result(metrics, values, n_held_out, unknown_rows(shown, side.user_features))


def _check_candidate_protocol(metrics, y, shape):
    if check_held_out(y, shape) is None:
        raise ValueError(
            "candidates are ranked together with a held-out item, so `y` must be a 2-D matrix "
            "with one relevant item per row. Got no such y; see leave_one_out_split."
        )
    for metric in metrics:
        if metric.is_rating:
            raise ValueError(
                f"{metric.name!r} compares ratings and has no use for candidates. "
                "Evaluate it without candidates."
            )
