"""Scores of rows from a frozen copy of a model."""

import copy
import pickle
from collections import deque

from skrec.base import BaseRecommender, UserSideMixin
from skrec.serving._narrow_lists import WITH_LAST_LAYER
from skrec.utils._call import kept_call


def frozen_copy(model):
    """A copy of a model that shares its arrays: no fit writes to the arrays of an earlier one.

    A model that pickle does not take, such as a pipeline with a lambda, is copied without its
    parts.
    """
    buffers = []
    try:
        data = pickle.dumps(model, protocol=5, buffer_callback=buffers.append)
    except (pickle.PicklingError, AttributeError, TypeError):
        return copy.copy(model)
    return pickle.loads(data, buffers=buffers)


class Scorer:
    """Scores rows by a model that never changes, from any thread.

    A thread builds a network if other threads compute with all that there are. A thread that is
    done leaves its network to the next one. All networks share their weights.

    Parameters
    ----------
    model : fitted recommender
        Not changed by anybody.

    Attributes
    ----------
    model : fitted recommender
    what : str or None
        Subject of an error of scores that are not finite: the caller looks for such scores. None:
        the model does.
    """

    def __init__(self, model):
        known = isinstance(model, BaseRecommender)
        self.what = f"The scores of {type(model).__name__}" if known else None
        self.model, self._free = model, deque()

    def __call__(self, X):
        """Scores of shape (n_rows, n_items) of a canonical csr_array, in its dtype."""
        try:
            built = self._free.pop()  # one step: no other thread gets it too
        except IndexError:
            built = {}
        try:
            with kept_call(built):
                return self._scores(X)
        finally:
            self._free.append(built)

    def _scores(self, X):
        model = self.model
        if not isinstance(model, BaseRecommender):
            return model.decision_function(X)
        if isinstance(model, UserSideMixin):  # says that it knows nothing but X
            return model._unchecked_scores(*model._start_rows(X).arguments)
        return model._unchecked_scores(X)


def make_scorer(model, quantize):
    """Make the scorer of rows by a frozen copy of a model.

    Parameters
    ----------
    model : fitted recommender
    quantize : {None, "int8"}

    Returns
    -------
    scorer : callable

    Raises
    ------
    ValueError
        If the model has no layer to quantise.
    """
    model = frozen_copy(model)
    if quantize is None:
        return Scorer(model)
    if quantize != "int8":
        raise ValueError(f"quantize must be None or 'int8'. Got {quantize!r}.")
    if not any(base.__name__ in WITH_LAST_LAYER for base in type(model).__mro__):
        raise ValueError(
            "quantize='int8' is for networks with a wide last layer: "
            f"{', '.join(WITH_LAST_LAYER)}. Got {type(model).__name__}; use quantize=None, which "
            "is as fast for other models."
        )
    from skrec.serving._network_torch import QuantisedScorer

    return QuantisedScorer(model)
