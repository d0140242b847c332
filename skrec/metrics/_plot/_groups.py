"""Users in groups by activity: metrics of each group, and paired tests between models."""

import numpy as np

from skrec.metrics._compare import compare
from skrec.metrics._plot._models import part_of_result

# Levels of significance and their marks, the strictest first.
STARS = ((0.001, "***"), (0.01, "**"), (0.05, "*"))


def quantile_groups(values, n_groups):
    """Put values into groups, numbered from 0; equal values share a group.

    The borders are the quantiles 1/n, ..., (n - 1)/n; a value on a border is in the lower group.
    Empty groups are left out.

    Parameters
    ----------
    values : ndarray of shape (n,)
    n_groups : int

    Returns
    -------
    groups : ndarray of intp of shape (n,)
    """
    borders = np.quantile(values, np.arange(1, n_groups) / n_groups)
    return np.unique(np.searchsorted(borders, values, side="left"), return_inverse=True)[1]


def adjusted_p_values(p_values):
    """Holm's adjustment; undefined tests (NaN) do not count.

    Parameters
    ----------
    p_values : ndarray of any shape

    Returns
    -------
    adjusted : ndarray of the same shape
    """
    adjusted = np.full(p_values.shape, np.nan)
    known = ~np.isnan(p_values)
    found = p_values[known]
    order = np.argsort(found)
    steps = np.arange(len(found), 0, -1)
    result = np.empty(len(found))
    result[order] = np.minimum(np.maximum.accumulate(found[order] * steps), 1.0)
    adjusted[known] = result
    return adjusted


def group_statistics(results, metric, groups, reference):
    """Means, standard errors and p-values of each group.

    Parameters
    ----------
    results : dict of str to Bunch
        Of `evaluate`, for the same users.
    metric : Metric
    groups : ndarray of int of shape (n_users,)
        From 0; -1 for users that are not evaluated.
    reference : str
        The model that the others are tested against.

    Returns
    -------
    mean, standard_error : dict of str to ndarray of shape (n_groups,)
    p_value : dict of str to ndarray of shape (n_groups,)
        Without the reference.
    """
    n_groups = groups.max() + 1
    parts = {
        name: [part_of_result(result, metric, groups == g) for g in range(n_groups)]
        for name, result in results.items()
    }
    mean, error = (
        {name: np.array([one[what][metric.name] for one in of]) for name, of in parts.items()}
        for what in ("mean", "standard_error")
    )
    p_value = {
        name: np.array(
            [
                # Only the test is wanted, so the bootstrap has as few samples as possible: one.
                compare(one, base, metric.name, n_bootstrap=1).p_value
                for one, base in zip(of, parts[reference], strict=True)
            ]
        )
        for name, of in parts.items()
        if name != reference
    }
    return mean, error, p_value


def stars(p_value):
    """Marks of a p-value: "***", "**", "*" or nothing."""
    return next((mark for level, mark in STARS if p_value < level), "")


def check_reference(reference, models):
    """The model that the others are tested against: the first if it is None."""
    if reference is None:
        return next(iter(models))
    if reference not in models:
        raise ValueError(f"reference must be one of the models {list(models)}. Got {reference!r}.")
    return reference


def check_activity(activity, n_users):
    """Check the activity: a finite number for each user, as an array."""
    activity = np.asarray(activity)
    if activity.shape != (n_users,) or activity.dtype.kind not in "iufb":
        raise ValueError(
            f"activity must hold one number for each of the {n_users} users. Got shape "
            f"{activity.shape}, dtype {activity.dtype}."
        )
    if not np.isfinite(activity).all():
        raise ValueError("activity must be finite. Got NaN or infinity.")
    return activity
