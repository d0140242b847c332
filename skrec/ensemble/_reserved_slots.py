"""ReservedSlots: lists with places reserved for some items."""

import numpy as np

from skrec.ensemble._reranker import Reranker
from skrec.utils._feature_rows import n_rows_of
from skrec.utils._fitted import Array
from skrec.utils._params import NONE, InstanceOf, Interval
from skrec.utils._topk import top_k
from skrec.utils._validation import check_candidates

_MOST_PLACES = 10_000
_PLACE = Interval(0, _MOST_PLACES, integer=True, closed="left")


class _Places:
    """Rule of a parameter: distinct places of a list."""

    def __contains__(self, value):
        return (
            isinstance(value, (tuple, list))
            and all(place in _PLACE for place in value)
            and len(set(value)) == len(value)
        )

    def __str__(self):
        return f"a tuple of distinct whole numbers from 0 to {_MOST_PLACES - 1:,}"


class ReservedSlots(Reranker):
    """Reserve some places of a model's lists for some items, such as new items or a shop's own.

    Each place in `positions` takes the best reserved item, by the model, that the list does not
    have yet; all other places take the best item overall. If a reserved item is good enough to
    stand further ahead, its place goes to the next reserved item. If a row has no reserved items
    left, the best other item takes the place. All further items follow in the order of the model.
    This is a mixed hybrid [1]_. Scores only rank items: the head keeps the model's scores, in the
    new order.

    Parameters
    ----------
    estimator : recommender, default=None
        The model, which must not predict ratings: a recommender, or a pipeline or search that ends
        in one. None: ``EASE()``.
    items : array-like of int, or of bool of shape (n_items,), default=None
        Reserved columns of X, or a mask. None: the items that nobody has in the X of ``fit``; only
        a model that reads features can rank these, alone or in a `Fallback`.
    positions : tuple of int, default=(2, 5)
        Places of the list, from 0 for the first one; below 10,000. May be changed after ``fit``.
    random_state : int, RandomState or None, default=None
        Seed of the model if its own `random_state` is None.

    Attributes
    ----------
    estimator_ : recommender
        The fitted model.
    is_reserved_ : ndarray of bool of shape (n_items,)
        Mask of the reserved items.
    n_features_in_ : int
        Number of items.
    feature_names_in_ : ndarray of str of shape (n_items,)
        Only if X has string column names.

    See Also
    --------
    MMR : Lists whose items differ from each other.
    Fallback : Another model for rows with too few items.

    Notes
    -----
    If `items` is None, items that `with_items` adds are reserved, because nobody has them.

    References
    ----------
    .. [1] R. Burke, "Hybrid recommender systems: survey and experiments",
       User Modeling and User-Adapted Interaction 12, 2002.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.dummy import DummyRecommender
    >>> from skrec.ensemble import ReservedSlots
    >>> X = np.array([[1, 1, 1, 0, 0], [1, 1, 0, 1, 0], [1, 0, 0, 0, 1]])
    >>> new = np.zeros((1, 5))
    >>> DummyRecommender().fit(X).recommend(new, k=4)
    array([[0, 1, 2, 3]])
    >>> model = ReservedSlots(DummyRecommender(), items=[3, 4], positions=(1,)).fit(X)
    >>> model.recommend(new, k=4)
    array([[0, 3, 1, 2]])
    """

    _parameter_rules = {
        **Reranker._parameter_rules,
        "items": (NONE, InstanceOf((list, tuple, range, np.ndarray), "indices or a mask")),
        "positions": _Places(),
    }
    _search_grid = [{"positions": positions} for positions in ((0,), (2,), (2, 5), (4, 9))]
    _fitted_rules = {"is_reserved_": Array("n_items", dtypes=("bool",))}

    def __init__(self, estimator=None, *, items=None, positions=(2, 5), random_state=None):
        self.estimator = estimator
        self.items = items
        self.positions = positions
        self.random_state = random_state

    def _own_side(self):
        return frozenset()

    def _learn(self, X, side, weight):
        if self.items is None:
            rows = X if weight is None else X[weight > 0]
            self.is_reserved_ = np.bincount(rows.indices, minlength=X.shape[1]) == 0
        else:
            self.is_reserved_ = check_candidates(self.items, *X.shape)

    def _head(self, X, scores):
        from skrec.ensemble._rerank_kernels import fill_slots

        length = min(max(self.positions, default=-1) + 1, scores.shape[1])
        if not length:
            return np.empty((len(scores), 0), dtype=np.intp)
        reserved_place = np.zeros(length, dtype=np.bool_)
        reserved_place[[place for place in self.positions if place < length]] = True
        best, _ = top_k(scores, length, seen=X)
        reserved, _ = top_k(scores, length, seen=X, allowed=self.is_reserved_)
        lists = np.full_like(best, -1)
        fill_slots(best, reserved, reserved_place, lists)
        return lists

    def _extended(self, item_features):
        new = np.full(n_rows_of(item_features), self.items is None)
        longer = super()._extended(item_features)
        return {**longer, "is_reserved_": np.append(self.is_reserved_, new)}
