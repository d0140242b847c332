"""Fits of the models of an ensemble: weights of users, seeds, threads, memory."""

import sys
from contextlib import contextmanager

import numpy as np
from sklearn.utils.validation import has_fit_parameter

from skrec.base import BaseRecommender
from skrec.utils._fit_outcome import running_fit
from skrec.utils._memory import check_memory
from skrec.utils._parallel import in_forked_child

# Private method of models that take weights of users but do not promise that a weight of 2 equals
# the row twice: ``_fit_weighted(X, sample_weight)`` returns the fitted model.
HOOK = "_fit_weighted"


def check_weightable(estimator, name):
    """Raise a TypeError if an estimator cannot weigh users.

    Parameters
    ----------
    estimator : object
    name : str
        The ensemble, for the message.

    Raises
    ------
    TypeError
        If the estimator is not a recommender of skrec, or takes no weights.
    """
    given = type(estimator).__name__
    if not isinstance(estimator, BaseRecommender):
        raise TypeError(
            f"{name} needs a recommender of skrec as its `estimator`. Got {given}. Put the other "
            f"steps of a Pipeline before {name}: make_pipeline(Binarizer(), {name}(EASE())); "
            f"search over {name} instead of inside it: GridSearchCV({name}(EASE()), "
            "{'estimator__alpha': ...})."
        )
    if not (has_fit_parameter(estimator, "sample_weight") or hasattr(estimator, HOOK)):
        raise TypeError(
            f"{name} fits its `estimator` to weighted users. Got {given}, which has no "
            f"`sample_weight` in fit, and no method `{HOOK}(X, sample_weight)` instead. Use a "
            "recommender that weighs users, such as EASE, SLIM, SANSA, WMF or PureSVD."
        )


def fit_weighted(estimator, X, weight):
    """Fit to weighted users, by ``sample_weight`` of fit or by the private hook.

    Parameters
    ----------
    estimator : recommender
        One that passes `check_weightable`.
    X : csr_array of shape (n_users, n_items)
    weight : ndarray of float64 of shape (n_users,)

    Returns
    -------
    estimator : recommender
        The same object, fitted.
    """
    if has_fit_parameter(estimator, "sample_weight"):
        return estimator.fit(X, sample_weight=weight)
    return getattr(estimator, HOOK)(X, weight)


def fit_member(estimator, X, weight, n_threads):
    """Fit one of several models at the same time.

    Parameters
    ----------
    estimator : recommender
    X : csr_array of shape (n_users, n_items)
    weight : ndarray of float64 of shape (n_users,)
    n_threads : int or None
        Replaces ``n_jobs=None``, all cores, during the fit. None: no replacement.

    Returns
    -------
    estimator : recommender
        The same object, fitted.
    """
    free = n_threads is not None and estimator.get_params(deep=False).get("n_jobs", 0) is None
    if free:
        estimator.set_params(n_jobs=n_threads)
    with running_fit(None):  # the outcome of the fit is reported for the whole ensemble
        fit_weighted(estimator, X, weight)
    if free:
        estimator.set_params(n_jobs=None)
    return estimator


@contextmanager
def torch_threads(n_threads):
    """A block in which torch, if loaded, has `n_threads` threads in each worker thread.

    Worker threads that start in the block inherit the setting. Nothing is set for None, or in a
    forked process, where torch can have only one thread.
    """
    torch = sys.modules.get("torch")
    if torch is None or n_threads is None or in_forked_child():
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def check_members_memory(model, sizes, n_users, name):
    """Raise an error if the models do not fit into memory, judged by one fitted to all users.

    Parameters
    ----------
    model : recommender
        A model fitted to all users; the members will be fitted to some.
    sizes : ndarray of int of shape (n_members,)
        Users of each member.
    n_users : int
        Number of all users. Arrays of this length are assumed to grow with the users.
    name : str
        The ensemble, for the message.

    Raises
    ------
    MemoryError
        With the remedies.
    """
    fixed, growing = model_bytes(model, n_users)
    needed = fixed * len(sizes) + growing * int(sizes.sum()) // max(1, n_users)
    check_memory(
        needed,
        f"{name} with {len(sizes)} local models {type(model).__name__} on "
        f"{model.n_features_in_:,} items",
        [
            "lower n_estimators",
            "use an `estimator` with sparse weights, such as SLIM or SANSA, or with few components",
            "keep fewer items (skrec.model_selection.k_core drops the rare ones)",
        ],
    )


def model_bytes(model, n_users):
    """Bytes of a fitted model's arrays: first all others, then those of length `n_users`."""
    fixed = growing = 0
    seen, open_ = set(), [model]
    while open_:
        value = open_.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, np.ndarray):
            if value.ndim and value.shape[0] == n_users != model.n_features_in_:
                growing += value.nbytes
            else:
                fixed += value.nbytes
        elif isinstance(value, dict):
            open_.extend(value.values())
        elif isinstance(value, (list, tuple)):
            open_.extend(value)
        elif hasattr(value, "__dict__") and not callable(value):  # sparse arrays, estimators
            open_.extend(vars(value).values())
    return fixed, growing
