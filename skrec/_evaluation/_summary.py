"""From one value per user to one number, with its standard error."""

import warnings

import numpy as np
from sklearn.exceptions import UndefinedMetricWarning


def warn_undefined(name, reason):
    """Warn that a metric is NaN."""
    warnings.warn(f"{name} is not defined: {reason}. It is NaN.", UndefinedMetricWarning)


def mean_of_users(values, *, name, sample_weight=None):
    """Mean over the evaluated users.

    Parameters
    ----------
    values : ndarray of shape (n_users,)
        NaN for users that were not evaluated.
    name : str
        For the warning.
    sample_weight : ndarray of shape (n_users,), default=None

    Returns
    -------
    mean : float
        NaN, with an `UndefinedMetricWarning`, if there is nothing to average.
    """
    known = ~np.isnan(values)
    weight = known.astype(np.float64) if sample_weight is None else sample_weight * known
    total = weight.sum()
    if total == 0:
        warn_undefined(name, "no user can be evaluated")
        return float("nan")
    return float(np.sum(np.where(known, values, 0.0) * weight) / total)


def pooled_error(kind, values, n_ratings, *, name, sample_weight=None):
    """Error over all ratings, from the errors of the users.

    Parameters
    ----------
    kind : {"rmse", "mae"}
    values : ndarray of shape (n_users,)
        Errors of the users, NaN for users without ratings.
    n_ratings : ndarray of int of shape (n_users,)
    name : str
        For the warning.
    sample_weight : ndarray of shape (n_users,), default=None
        Weights of the users, for each of their ratings.

    Returns
    -------
    error : float
    """
    weight = n_ratings if sample_weight is None else n_ratings * sample_weight
    if kind == "mae":
        return mean_of_users(values, name=name, sample_weight=weight)
    return float(np.sqrt(mean_of_users(values**2, name=name, sample_weight=weight)))


def summarize(metric, values, n_ratings, *, sample_weight=None):
    """The number that a metric reports: a mean over users, or an error over all ratings."""
    if metric.is_rating:
        return metric.sign * pooled_error(
            metric.kind, values, n_ratings, name=metric.name, sample_weight=sample_weight
        )
    return mean_of_users(values, name=metric.name, sample_weight=sample_weight)


def contributions(metric, values, n_ratings):
    """Contribution of each user to the reported number, which is the mean of the contributions.

    For a mean over users these are the values themselves. An error over all ratings is a ratio of
    sums over users. Its first-order expansion yields each user's contribution, so the standard
    error of their mean is the standard error over users (delta method).

    Parameters
    ----------
    metric : Metric
    values : ndarray of shape (n_users,)
        Without sign; NaN for users that were not evaluated.
    n_ratings : ndarray of int of shape (n_users,)

    Returns
    -------
    contributions : ndarray of shape (n_users,)
        NaN for users that were not evaluated.
    """
    if not metric.is_rating or np.isnan(values).all():
        return values
    error = pooled_error(metric.kind, values, n_ratings, name=metric.name)
    share = n_ratings / n_ratings[~np.isnan(values)].mean()
    if metric.kind == "mae":
        return metric.sign * (error + share * (values - error))
    # d sqrt(m) = dm / (2 sqrt(m))
    slope = 0.5 / error if error > 0 else 0.0
    return metric.sign * (error + share * (values**2 - error**2) * slope)


def standard_error(values):
    """Standard error of the mean, without NaN values; NaN for fewer than two values."""
    known = values[~np.isnan(values)]
    return float(known.std(ddof=1) / np.sqrt(len(known))) if len(known) > 1 else float("nan")
