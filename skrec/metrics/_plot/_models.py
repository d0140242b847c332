"""Several models by name, evaluated on the same users."""

from collections.abc import Mapping

import numpy as np

from skrec._evaluation._entries import check_interactions
from skrec._evaluation._estimator_rows import rows_as, split_users
from skrec._evaluation._held_out import check_held_out
from skrec._evaluation._names import parse_metrics
from skrec._plot._named import check_names, named_arrays
from skrec.metrics._checks import check_rule
from skrec.metrics._evaluate import evaluate_quietly, warn_of_unknown
from skrec.metrics._results import evaluation_result
from skrec.metrics._score_matrix import score_matrix
from skrec.metrics._scorer import OPTION_RULES


def check_evaluated(n_users, metric):
    """Refuse to draw a metric of no user."""
    if not n_users:
        raise ValueError(
            f"No user can be evaluated by {metric!r}: expected held-out items of at least one user."
        )


def check_results(results, metric_names):
    """A dict of results of `evaluate` for the same users, all with the metrics named."""
    if not isinstance(results, Mapping) or "per_user" in results:
        raise TypeError(
            "results must be a dict from names to results of `evaluate`, such as "
            f"{{'EASE': result}}. Got a {type(results).__name__}."
        )
    results = check_names(results, "results")
    for name, result in results.items():
        missing = [metric for metric in metric_names if metric not in result.per_user]
        if missing:
            raise ValueError(
                f"The result of {name!r} has {list(result.per_user)}, not {missing}. Evaluate all "
                "models with the same metrics."
            )
    first = next(iter(results.values()))
    for name, result in results.items():
        if not np.array_equal(result.n_held_out, first.n_held_out) or any(
            not np.array_equal(np.isnan(result.per_user[m]), np.isnan(first.per_user[m]))
            for m in metric_names
        ):
            raise ValueError(
                f"The result of {name!r} is not of the same users with the same held-out items "
                "as the first one. Evaluate all models with the same X and y, and the same "
                "random_state."
            )
    return results


def evaluate_models(
    estimators,
    X,
    y,
    metrics,
    *,
    holdout,
    random_state,
    relevance_threshold,
    graded,
    normalize,
):
    """Results of `evaluate` by name, all for the same hidden items.

    Returns
    -------
    results : dict of str to Bunch
    shown : csr_array of shape (n_users, n_items)
        The interactions that the models see.
    """
    check_rule(holdout, OPTION_RULES["holdout"], "holdout")
    check_rule(random_state, OPTION_RULES["random_state"], "random_state")
    # Hide items here and not in `evaluate`: so a RandomState is drawn from once for all models.
    shown, held_out = split_users(X, y, holdout=holdout, random_state=random_state)
    if check_held_out(y, shown.shape) is None:
        X = rows_as(X, np.arange(shown.shape[0]), shown)
    results = {
        name: evaluate_quietly(
            estimator,
            X,
            held_out,
            metrics,
            relevance_threshold=relevance_threshold,
            graded=graded,
            normalize=normalize,
        )
        for name, estimator in estimators.items()
    }
    warn_of_unknown(next(iter(results.values())), stacklevel=4)  # once for all models
    return results, shown


def evaluate_scores(y_true, y_score, metrics, *, relevance_threshold, graded, normalize):
    """Results as of `evaluate`, by name, for held-out items and matrices of scores."""
    metrics = parse_metrics(metrics)
    y_true = check_interactions(y_true, name="y_true")
    return {
        name: _result_of_scores(
            metrics,
            y_true,
            scores,
            relevance_threshold=relevance_threshold,
            graded=graded,
            normalize=normalize,
        )
        for name, scores in named_arrays(y_score, "y_score").items()
    }


def _result_of_scores(metrics, y_true, y_score, **options):
    values = {
        metric.name: score_matrix(
            metric, y_true, y_score, sample_weight=None, average=None, **options
        )
        for metric in metrics
    }
    n_held_out = np.diff(y_true.indptr).astype(np.intp)
    # The interactions that the models saw are not known here.
    return evaluation_result(metrics, values, n_held_out, np.zeros(len(n_held_out), dtype=bool))


def part_of_result(result, metric, users):
    """The result of one metric for some of the users: means, errors, input of `compare`.

    Parameters
    ----------
    result : Bunch
        Of `evaluate`.
    metric : Metric
    users : ndarray of bool of shape (n_users,)

    Returns
    -------
    part : Bunch
    """
    values = metric.sign * result.per_user[metric.name][users]
    counts = result.n_held_out[users]
    unknown = result.get("unknown", np.zeros(len(users), dtype=bool))[users]
    return evaluation_result((metric,), {metric.name: values}, counts, unknown)
