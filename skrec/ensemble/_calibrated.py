"""CalibratedReranker: lists with the row's own mix of groups (Steck 2018)."""

import numpy as np
from scipy.sparse import csr_array, vstack
from sklearn.preprocessing import normalize

from skrec.ensemble._reranker import Reranker, candidates, is_table
from skrec.utils._fitted import Absent, Sparse
from skrec.utils._params import POSITIVE_INTEGER, Interval


class CalibratedReranker(Reranker):
    r"""Reorder the head of a model's lists to match the row's own mix of groups.

    A row with 70 romances and 30 comedies should not get a list of romances only [1]_. Item i has
    the share :math:`p(g \mid i)` of group g, such as a genre; the shares come from its features.
    The row's mix :math:`p(g \mid u)` is the mean over its items, and :math:`q(g \mid L)` is the
    mean over the items of a list L. From the `n_candidates` best items the list takes, one after
    the other, the item with the largest

    .. math:: \lambda \sum_{i \in L} r_{ui} - (1 - \lambda) \sum_g p(g \mid u)
        \log \frac{p(g \mid u)}{(1 - \beta) \, q(g \mid L) + \beta \, p(g \mid u)}

    with the relevance :math:`r_{ui}`: the model's score, scaled so that the row's best candidate
    has 1 and the worst has 0. All other items follow in the order of the model. A list of k items
    is the head of any longer list. Scores only rank items: the head keeps the model's scores, in
    the new order.

    Parameters
    ----------
    estimator : recommender, default=None
        The model, which must not predict ratings: a recommender, or a pipeline or search that ends
        in one. None: ``EASE()``.
    trade_off : float, default=0.5
        :math:`\lambda` in [0, 1]. 1: the order of the model. May be changed after ``fit``.
    n_candidates : int, default=100
        Number of best items of a row to reorder, > 0. May be changed after ``fit``.
    smoothing : float, default=0.01
        :math:`\beta` in (0, 1). Without it a group that the list lacks would cost infinitely much.
        May be changed after ``fit``.
    random_state : int, RandomState or None, default=None
        Seed of the model if its own `random_state` is None.

    Attributes
    ----------
    estimator_ : recommender
        The fitted model.
    item_groups_ : csr_array of shape (n_items, n_item_features), float64
        The shares :math:`p(g \mid i)`: features whose rows are scaled to sum 1. Only if there were
        features.
    n_features_in_ : int
        Number of items.
    feature_names_in_ : ndarray of str of shape (n_items,)
        Only if X has string column names.
    n_item_features_in_ : int
        Number of groups; only if there were features.
    item_feature_names_in_ : ndarray of str of shape (n_item_features,)
        Only if the features had string column names.

    See Also
    --------
    MMR : Lists whose items differ from each other.

    Notes
    -----
    An item without features is in no group and counts neither for the row nor for the list. A row
    whose items are all without features keeps the order of the model. Without `item_features` all
    rows keep it.

    The model reads the features as well, if it can. ``sample_weight`` is a keyword of ``fit`` if
    the model has it. A row costs ``n_candidates ** 2`` logarithms for each of its groups.

    Differs from [1]_: all items of a row weigh the same, regardless of time; and the relevance is
    scaled by row, so `trade_off` does not depend on the unit of the scores.

    References
    ----------
    .. [1] H. Steck, "Calibrated recommendations",
       RecSys 2018.

    Examples
    --------
    The row has two items of one kind and one item of the other; the popular items are all of the
    first kind:

    >>> import numpy as np
    >>> from skrec.dummy import DummyRecommender
    >>> from skrec.ensemble import CalibratedReranker
    >>> kind = np.eye(2)[[0, 0, 1, 0, 0, 0, 1]]
    >>> X = np.array([[0, 0, 0, 1, 1, 1, 1], [0, 0, 0, 1, 1, 1, 0], [1, 1, 1, 1, 1, 0, 0]])
    >>> row = [[1, 1, 1, 0, 0, 0, 0]]
    >>> DummyRecommender().fit(X).recommend(row, k=3)
    array([[3, 4, 5]])
    >>> model = CalibratedReranker(DummyRecommender()).fit(X, item_features=kind)
    >>> model.recommend(row, k=3)
    array([[3, 6, 4]])
    """

    _parameter_rules = {
        **Reranker._parameter_rules,
        "trade_off": Interval(0, 1),
        "n_candidates": POSITIVE_INTEGER,
        "smoothing": Interval(0, 1, closed="neither"),
    }
    _search_grid = [{"trade_off": trade_off} for trade_off in (0.3, 0.5, 0.7, 0.9)]
    _fitted_rules = {"item_groups_": Absent(Sparse("n_items", "n_item_features"))}

    def __init__(
        self,
        estimator=None,
        *,
        trade_off=0.5,
        n_candidates=100,
        smoothing=0.01,
        random_state=None,
    ):
        self.estimator = estimator
        self.trade_off = trade_off
        self.n_candidates = n_candidates
        self.smoothing = smoothing
        self.random_state = random_state

    def _learn(self, X, side, weight):
        vars(self).pop("item_groups_", None)  # of an earlier fit
        if side.item_features is not None:
            self.item_groups_ = _shares(side.item_features)

    def _head(self, X, scores):
        from skrec.ensemble._rerank_kernels import calibrated_order

        items, relevance = candidates(X, scores, self.n_candidates)
        if not hasattr(self, "item_groups_"):
            return items
        head = np.full_like(items, -1)
        wanted = self._mixes(X)
        for row, length in enumerate((items >= 0).sum(axis=1)):
            known = items[row, :length]
            target = wanted[[row]]
            groups = self.item_groups_[known]
            wanted_groups = groups[:, target.indices].toarray()
            rest = np.asarray(groups.sum(axis=1)).ravel() - wanted_groups.sum(axis=1)
            order = calibrated_order(
                relevance[row, :length], np.column_stack([wanted_groups, rest]),
                np.append(target.data, 0.0), float(self.trade_off), float(self.smoothing),
            )  # fmt: skip
            head[row, :length] = known[order]
        return head

    def _mixes(self, X):
        """The mixes of rows: (n_rows, n_groups)."""
        groups = self.item_groups_
        grouped = (np.diff(groups.indptr) > 0).astype(np.float64)
        ones = csr_array((np.ones(X.nnz), X.indices, X.indptr), shape=X.shape)
        mixes, counts = csr_array(ones @ groups), ones @ grouped
        mixes.data /= np.repeat(counts, np.diff(mixes.indptr))
        return mixes

    def _extended(self, item_features):
        longer = super()._extended(item_features)
        new = _shares(item_features)
        longer["item_groups_"] = csr_array(vstack([self.item_groups_, new], format="csr"))
        return longer


def _shares(features):
    """Scale the rows of features to sum 1; rows of zeros stay."""
    if not is_table(features):
        raise ValueError(
            "CalibratedReranker needs a table of item features with a column for each group. Got "
            "images."
        )
    rows = csr_array(features, dtype=np.float64, copy=True)
    rows.eliminate_zeros()
    if rows.nnz and rows.data.min() < 0:
        raise ValueError(
            "Item features of CalibratedReranker must be >= 0: they are an item's shares of the "
            f"groups. Got {rows.data.min():.3g}; use indicators, such as OneHotEncoder makes."
        )
    # First by the largest entry, because a sum of large numbers would overflow.
    return csr_array(normalize(normalize(rows, norm="max", copy=False), norm="l1", copy=False))
