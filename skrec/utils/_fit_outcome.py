"""Checks after a fit: scores of a few training rows are finite and differ between items."""

import warnings
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

from skrec.utils._finite import arithmetic, require_finite
from skrec.utils._row_side import RowSide, UserRows

__all__ = ["check_outcome", "note_training_rows", "running_fit"]

_N_ROWS = 8
# Limit of the number of scores; with a longer catalogue fewer rows are scored.
_N_SCORES = 1 << 24
# Scores that differ by less than this many eps, relative to the row's largest, are ties.
_TIE = 64
# Share of `_score_unit` that a difference of scores must exceed to mean something.
_LEAST_SHARE = 1e-6
# Parameters that shrink the model, in the order in which the warning names them.
_SHRINKING = ("alpha", "l1_ratio", "frequency_exponent", "unobserved_weight", "shrinkage")

# The outermost fit of this thread; fits of inner models are not noted.
_running = ContextVar("skrec_running_fit", default=None)


class RunningFit:
    """A running fit and its checked X.

    Parameters
    ----------
    estimator : recommender or None
        None: a model whose outcome is not checked.
    """

    def __init__(self, estimator):
        self.estimator, self.X = estimator, None


@contextmanager
def running_fit(estimator):
    """A block around a fit; yields its `RunningFit`, or None within the fit of another model."""
    if _running.get() is not None:
        yield None
        return
    fit = RunningFit(estimator)
    token = _running.set(fit)
    try:
        yield fit
    finally:
        _running.reset(token)


def note_training_rows(estimator, X):
    """Remember the checked X of a fit until it ends."""
    fit = _running.get()
    if fit is not None and fit.estimator is estimator:
        fit.X = X


def check_outcome(estimator, X, tags, *, stacklevel=2):
    """Score a few training rows of a newly fitted recommender, and check the scores.

    Models that were fitted with user features or context are not checked.

    Parameters
    ----------
    estimator : BaseRecommender
        Fitted.
    X : csr_array of shape (n_users, n_items)
        The X of the fit.
    tags : RecommenderTags
        Tags of the estimator.
    stacklevel : int, default=2
        Stack level of the warning.

    Raises
    ------
    ValueError
        If a score is not finite.

    Warns
    -----
    UserWarning
        If all items have the same score in all of these rows, although X distinguishes the items.
    """
    if hasattr(estimator, "user_feature_means_") or hasattr(estimator, "context_means_"):
        return
    reads_rows = tags.reads & {"user_features", "context"}
    rows = UserRows(X[_some_rows(X)], RowSide() if reads_rows else None)
    name = type(estimator).__name__
    with arithmetic(f"The scores of {name}"):
        scores = require_finite(estimator._decide(rows), f"The scores of {name}")
    if estimator._may_score_alike or not _are_constant(scores, estimator._score_unit):
        return
    # If all ratings are equal, so are the predicted ratings.
    if not (_values_differ(X) if tags.predicts_ratings else _tells_apart(X)):
        return
    warnings.warn(
        f"{name} scores all items alike (training rows looked at: {len(scores)}). It has learned "
        "nothing from X. More interactions of each user and item may help "
        f"(skrec.model_selection.k_core){_advice(estimator, tags)}.",
        UserWarning,
        stacklevel=stacklevel + 1,
    )


def _some_rows(X):
    """The longest rows and some evenly spaced ones, in order."""
    lengths = np.diff(X.indptr)
    n = min(_N_ROWS // 2, len(lengths), max(1, _N_SCORES // X.shape[1]))
    longest = np.argpartition(lengths, len(lengths) - n)[len(lengths) - n :]
    filled = np.flatnonzero(lengths)
    between = filled[:: max(1, len(filled) // n)][:n]
    return np.unique(np.concatenate([longest, between]))


def _are_constant(scores, unit):
    spread, largest = np.ptp(scores, axis=1), np.abs(scores).max(axis=1)
    least = _TIE * np.finfo(scores.dtype).eps * largest
    if unit is not None:
        least = np.maximum(least, _LEAST_SHARE * unit)
    return bool((spread <= least).all())


def _values_differ(X):
    return bool((X.data[1:] != X.data[:-1]).any())


def _tells_apart(X):
    """Whether two columns of X differ: they do unless each row has one value everywhere."""
    lengths = np.diff(X.indptr)
    if not np.isin(lengths, (0, X.shape[1])).all():
        return True
    values = X.data.reshape(-1, X.shape[1])
    return bool((values != values[:, :1]).any())


def _advice(estimator, tags):
    """Further remedies for the warning."""
    advice = ""
    if "item_features" in tags.reads and not hasattr(estimator, "n_item_features_in_"):
        advice += ", or pass item_features, which it reads"
    # Parameters of an inner model too, by the names that set_params takes: estimator__alpha.
    parameters = estimator.get_params()
    named = [
        f"{name} ({parameters[name]!r})"
        for shrinking in _SHRINKING
        for name in parameters
        if name.rpartition("__")[2] == shrinking
        and not isinstance(parameters[name], str)
        and parameters[name]  # none is less than 0
    ]
    return advice + (f", or use a smaller {' or '.join(named)}" if named else "")
