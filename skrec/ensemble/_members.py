"""Fits of the models of an ensemble: weights of users, seeds, threads, memory."""

import sys
from contextlib import contextmanager

import numpy as np
from sklearn.utils.validation import has_fit_parameter

from skrec.base import BaseRecommender
from skrec.utils._fit_outcome import running_fit
from skrec.utils._memory import check_memory
from skrec.utils._parallel import in_forked_child

# Private method of models that take weights of users without the promise that a weight of 2
# is the same as the row twice: ``_fit_weighted(X, sample_weight)`` returns the fitted model.
HOOK = "_fit_weighted"


def check_weightable(estimator, name):
    """Refuse an estimator that cannot weigh users.

    Parameters
    ----------
    estimator : object
    name : str
        The ensemble, for the message.

    Raises
    ------
    TypeError
        If it is no recommender of skrec, or takes no weights.
    """
    given = type(estimator).__name__
    if not isinstance(estimator, BaseRecommender):
        raise TypeError(
            f"{name} needs a recommender of skrec as its `estimator`. Got {given}. Of a Pipeline, "
            f"put the other steps before {name}: make_pipeline(Binarizer(), {name}(EASE())); "
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
        One that `check_weightable` lets through.
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
    """Fit one model of several that are fitted at once.

    Parameters
    ----------
    estimator : recommender
    X : csr_array of shape (n_users, n_items)
    weight : ndarray of float64 of shape (n_users,)
    n_threads : int or None
        What takes the place of ``n_jobs=None``, all cores, during the fit. None: nothing.

    Returns
    -------
    estimator : recommender
        The same object, fitted.
    """
    free = n_threads is not None and estimator.get_params(deep=False).get("n_jobs", 0) is None
    if free:
        estimator.set_params(n_jobs=n_threads)
    with running_fit(None):  # what it comes to is a question of the whole
        fit_weighted(estimator, X, weight)
    if free:
        estimator.set_params(n_jobs=None)
    return estimator


@contextmanager
def torch_threads(n_threads):
    """A block in which torch, if it is loaded, has so many threads in each worker thread.

    Those that begin in the block take over what is set here. None: nothing is set, nor in a
    forked process, where torch can have but one.
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
    """Refuse an ensemble whose models would not fit, by the size of one fitted to all users.

    Parameters
    ----------
    model : recommender
        Fitted to all users, as the members will be to some.
    sizes : ndarray of int of shape (n_members,)
        Users of each member.
    n_users : int
        Number of all users. Arrays of this length are taken to grow with the users.
    name : str
        The ensemble, for the message.

    Raises
    ------
    MemoryError
        With what to do about it.
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
    """Bytes of the arrays of a fitted model: those of any length, and of length `n_users`."""
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
