"""Which rows the `Fallback` within a model scores."""

from sklearn.pipeline import Pipeline

from skrec.ensemble import Fallback
from skrec.serving._content import unwrapped


def fallback_rows(model):
    """Make the function that tells which rows the fallback within a model scores.

    Parameters
    ----------
    model : fitted recommender
        A search, a pipeline, a `Fallback`, in any order, or a plain one.

    Returns
    -------
    uses_fallback : callable or None
        Rows of shape (n_rows, n_items) -> ndarray of bool of shape (n_rows,). None: there is no
        fallback.
    """
    model = unwrapped(model)
    if isinstance(model, Pipeline):
        last = fallback_rows(model.steps[-1][1])
        if last is None or len(model.steps) == 1:
            return last
        before = model[:-1]
        return lambda X: last(before.transform(X))
    if not isinstance(model, Fallback):
        return None
    inner = fallback_rows(model.estimator_)
    if inner is None:
        return model.uses_fallback
    return lambda X: model.uses_fallback(X) | inner(X)
