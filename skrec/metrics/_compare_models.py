"""Several models on one split, in one call."""

import sys
import warnings
from contextlib import contextmanager

from sklearn.exceptions import FitFailedWarning
from sklearn.utils import check_random_state

from skrec._evaluation._entries import check_interactions
from skrec._evaluation._names import parse_metric, parse_metrics
from skrec.metrics._checks import check_rule
from skrec.metrics._comparison._comparison import Comparison
from skrec.metrics._comparison._estimators import given_grid, named_models
from skrec.metrics._comparison._parts import (
    Part,
    same_users,
    sample_users,
    sides,
    test_part,
    validation_part,
)
from skrec.metrics._comparison._run import ComparisonInterrupt, Plan, Tuning, run_model
from skrec.metrics._evaluate import warn_of_unknown
from skrec.metrics._scorer import OPTION_RULES
from skrec.utils._interrupts import whole_fits_only
from skrec.utils._search_grid import is_search, search_grid

_CURVE_LENGTHS = (1, 2, 5, 10, 20, 50, 100)
_N_SAMPLE_USERS = 10


def compare_models(
    estimators,
    X_train,
    X_test,
    y_test=None,
    metrics=("recall@20", "recall@50", "ndcg@100"),
    *,
    search=None,
    search_metric=None,
    validation=None,
    baseline=None,
    items=None,
    candidates=None,
    item_features=None,
    user_features=None,
    context=None,
    relevance_threshold=0,
    graded=False,
    normalize="min",
    random_state=0,
    return_estimators=False,
    verbose=False,
):
    """Fit several models to the same data, test them on the same users, and compare them.

    `compare_models` tunes every model if asked, fits it to `X_train`, measures time and memory,
    and calls `evaluate` on the held-out interactions. If a model fails, the comparison names it
    with the reason and continues with the others.

    Parameters
    ----------
    estimators : dict of str to estimator, list of estimators or of (name, estimator)
        Recommenders, and pipelines or searches of scikit-learn that end in one. They are cloned. A
        fitted search stands for its chosen parameters; a search that is not fitted runs on
        `X_train`. To test a fitted model without a new fit, wrap it in
        `sklearn.frozen.FrozenEstimator`. Models without names are named by their classes.
    X_train : {array-like, sparse matrix, dataframe} of shape (n_train_users, n_items)
        Training interactions.
    X_test : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
        Interactions of the test users that the models see: of other users than in `X_train`
        (strong generalisation), or `X_train` itself (weak generalisation).
    y_test : HeldOut, {sparse matrix, array-like} of shape (n_users, n_items), default=None
        Held-out interactions of the test users. None: a fifth of each row of `X_test` is hidden,
        the same for all models.
    metrics : str or list of str, default=("recall@20", "recall@50", "ndcg@100")
        Names, see `make_ranking_scorer`; also "rmse" and "mae". The first nDCG, or else the first
        metric, orders the models.
    search : None, True, or dict of str to grid, default=None
        Whether to choose the parameters of each model on validation data. True: each model has a
        grid of at most 8 settings, which leaves parameters that are not at their defaults alone. A
        dict replaces the grids of the models that it names; each grid is one of scikit-learn's
        `ParameterGrid` or a list of settings. A model without a grid causes a warning and is named
        in ``not_searched``.
    search_metric : str, default=None
        The metric of the search; of values that are equal to four digits the first wins. None: the
        metric that orders the models.
    validation : tuple of (X_train, X_test, y_test) or (X_train, X_test, y_test, candidates), \
            or dict, default=None
        The data of the search; the chosen model is then fitted to `X_train`. A dict has these
        names as keys, and "items", "user_features" and "context" if needed. None: an eighth of the
        users of `X_train`, with a fifth of their items held out. If `X_test` is `X_train`, a fifth
        of each user's items instead (one item, if `y_test` has one per user).
    baseline : str, default=None
        Name of the model that the others are tested against. None: the best model of each metric.
    items : array-like of int or bool, or sparse matrix, default=None
        Rank only these items, such as the cold ones of `skrec.model_selection.cold_item_split`:
        indices or a mask of shape (n_items,) for all users, or a sparse mask of shape (n_users,
        n_items). A search then needs `validation` with its own items.
    candidates : array-like of int of shape (n_users, m), default=None
        Rank the held-out item of each user only among these, see `evaluate`.
    item_features : `skrec.ItemFeatures` or array-like of shape (n_items, d), default=None
        Passed to the models whose ``fit`` takes them, like `user_features` and `context`.
    user_features : array-like of shape (n_train_users, d), or tuple of two, default=None
        Features of the users of `X_train`; a tuple adds those of the users of `X_test`, if these
        are other users.
    context : tuple of (InteractionContext, array-like of shape (n_users, d)), default=None
        Context of the interactions of `X_train`, and the situation of each test user.
    relevance_threshold : float, default=0
        Held-out items with a greater value are relevant.
    graded : bool, default=False
        Whether the gains of nDCG are 2**value - 1 instead of 1.
    normalize : {"min", "relevant"}, default="min"
        Denominator of recall. "min": min(k, number of relevant items). "relevant": the number of
        relevant items.
    random_state : int, RandomState or None, default=0
        Seed of the hidden items, of the validation split, and of the sample of users in the
        report. Models have their own seeds.
    return_estimators : bool, default=False
        Whether to keep the fitted models, which can be large.
    verbose : bool, default=False
        Whether to show a progress bar on stderr.

    Returns
    -------
    comparison : Comparison
        Means with standard errors, values of each user, paired tests with Holm's correction, time,
        memory and parameters; it prints as a table.

    Raises
    ------
    ValueError
        If a name or a parameter is not valid, shapes do not agree, or all models failed.
    TypeError
        If one of `estimators` is not an estimator.

    KeyboardInterrupt
        After an interrupt; its attribute ``comparison`` holds the finished models.

    Warns
    -----
    FitFailedWarning
        For each model that failed.
    UserWarning
        For models without a grid to search; and if more than a tenth of the test users are
        unknown, see `evaluate`.

    See Also
    --------
    Comparison : Its attributes, and how time and memory are measured.
    evaluate : Evaluates one fitted model.
    skrec.model_selection.strong_generalization_split : Splits training, validation and test users.

    Examples
    --------
    >>> from skrec.datasets import make_interactions
    >>> from skrec.dummy import DummyRecommender
    >>> from skrec.linear_model import EASE
    >>> from skrec.metrics import compare_models
    >>> from skrec.model_selection import user_train_test_split
    >>> X = make_interactions(300, 60, random_state=0, return_X=True)
    >>> X_train, X_test, y_test = user_train_test_split(X, random_state=0)
    >>> models = {"popularity": DummyRecommender(), "EASE": EASE(alpha=20.0)}
    >>> found = compare_models(models, X_train, X_test, y_test, ["recall@5", "ndcg@10"])
    >>> found.names
    ['EASE', 'popularity']
    >>> found.tests["popularity"]["ndcg@10"]
    -... nDCG@10, 95 % -... to -..., 60 users
    """
    models = named_models(estimators)
    names = [metric.name for metric in parse_metrics(metrics)]
    options = {"relevance_threshold": relevance_threshold, "graded": graded, "normalize": normalize}
    for name, value in (options | {"random_state": random_state}).items():
        check_rule(value, OPTION_RULES[name], name)
    if baseline is not None and baseline not in models:
        raise ValueError(f"baseline must be one of the models {list(models)}. Got {baseline!r}.")
    rng = check_random_state(random_state)
    same = same_users(X_train, X_test)
    part = Part(
        X_train,
        X_test,
        y_test,
        candidates,
        options,
        item_features,
        sides(user_features, "user_features", same),
        sides(context, "context", same),
        items,
    )
    part = test_part(part, rng)
    main_metric = ordering_metric(names)
    grids, not_searched = _grids(models, search)
    tuning = None
    if any(grids.values()):
        metric = main_metric if search_metric is None else parse_metric(search_metric).name
        tuning = Tuning(validation_part(part, validation, rng), metric)
    if not_searched:
        warnings.warn(
            f"Nothing is searched for {', '.join(not_searched)}: there is no grid of parameters "
            "that are still at their defaults.",
            stacklevel=2,
        )
    sample = sample_users(part.y_test, _N_SAMPLE_USERS, rng)
    with _progress(sum(2 + len(grid) for grid in grids.values()), verbose) as tell:
        plan = Plan(part, [*names, *curve_metrics(names)], tuning, sample, return_estimators, tell)
        runs, failures, interrupt = _run_all(models, grids, plan)
    comparison = Comparison(
        runs,
        metrics=names,
        main_metric=main_metric,
        baseline=baseline,
        failures=failures,
        not_searched=not_searched,
        search_metric=None if tuning is None else tuning.metric,
        sample=sample,
        shown=check_interactions(part.X_test)[sample],
        held_out=part.y_test[sample],
    )
    # One warning for all models, because they are tested on the same users.
    warn_of_unknown(comparison.results[comparison.names[0]], stacklevel=2)
    if interrupt is not None:
        raise ComparisonInterrupt(interrupt, comparison) from interrupt
    return comparison


def _run_all(models, grids, plan):
    """Run each model: the runs, the reasons of failures by name, and an interrupt or None.

    An interrupted neural model has had fewer epochs than it should: it is not tested, and no model
    after it is fitted.
    """
    runs, failures = [], {}
    for name, estimator in models.items():
        try:
            with whole_fits_only():
                runs.append(run_model(name, estimator, grids[name], plan))
        except KeyboardInterrupt as interrupt:
            if not runs:
                raise
            return runs, failures, interrupt
        except Exception as error:
            # One failure, such as too little memory, must not stop the others.
            failures[name] = _reason(error)
            warnings.warn(f"{name} failed. {failures[name]}", FitFailedWarning, stacklevel=3)
    if not runs:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in failures.items())
        raise ValueError(f"{len(failures)} of {len(models)} models failed. {reasons}")
    return runs, failures, None


def ordering_metric(names):
    """The metric that orders models: the first nDCG, or the first of all."""
    return next((name for name in names if name.startswith("ndcg")), names[0])


def curve_metrics(names):
    """The list metrics at shorter lengths, from the same pass; without those in `names`."""
    longest = {}
    for metric in parse_metrics(names):
        if metric.is_list:
            longest[metric.kind] = max(metric.k, longest.get(metric.kind, 0))
    known = {(metric.kind, metric.k) for metric in parse_metrics(names)}
    return [
        f"{kind}@{k}"
        for kind, most in longest.items()
        for k in _CURVE_LENGTHS
        if k < most and (kind, k) not in known
    ]


def _grids(models, search):
    """The settings to try for each model, and the names of the models without any."""
    if search is None or search is False:
        return dict.fromkeys(models, ()), []
    own = {} if search is True else dict(search)
    unknown = [name for name in own if name not in models]
    if unknown:
        raise ValueError(f"search has grids for {unknown}; expected models of {list(models)}.")
    grids = {
        name: given_grid(own[name]) if name in own else search_grid(estimator)
        for name, estimator in models.items()
    }
    without = [name for name, grid in grids.items() if not (grid or is_search(models[name]))]
    return grids, without


def _reason(error):
    text = " ".join(str(error).split())
    kind = type(error).__name__
    return text if text and isinstance(error, (ValueError, MemoryError)) else f"{kind}: {text}"


@contextmanager
def _progress(n_steps, verbose):
    """A function that reports progress; it shows nothing unless `verbose`."""
    if not verbose:
        yield lambda text, done=False: None
        return
    from tqdm import tqdm

    with tqdm(total=n_steps, file=sys.stderr, leave=False, unit="step") as bar:

        def tell(text, done=False):
            bar.set_description(text)
            if done:
                bar.update()

        yield tell
