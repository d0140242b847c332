"""MMR: lists whose items differ from each other (Carbonell and Goldstein 1998)."""

import numpy as np
from scipy.sparse import csr_array, issparse, vstack

from skrec.ensemble._reranker import Reranker, candidates, is_table
from skrec.utils._feature_rows import n_rows_of
from skrec.utils._fitted import OneOf, Table, refused
from skrec.utils._params import POSITIVE_INTEGER, Interval, Options
from skrec.utils._unit_rows import unit_rows


class MMR(Reranker):
    r"""Reorder the head of a model's lists for relevance and diversity.

    From the `n_candidates` best items of a row, the list takes, one after the other, the item i
    with the largest maximal marginal relevance [1]_

    .. math:: \lambda \, r_{ui} - (1 - \lambda) \max_{j \in L} \cos(v_i, v_j)

    where L holds the items that are already in the list. The relevance :math:`r_{ui}` is the
    model's score, scaled so that the row's best candidate has 1 and the worst has 0. An item that
    resembles an item of the list must be more relevant by that much. The first item is the model's
    first item. All other items follow in the order of the model.

    A list of k items is the head of any longer list, so `recommend`, the scores and the metrics
    agree for any k. Scores only rank items: the head keeps the model's scores, in the new order.

    Parameters
    ----------
    estimator : recommender, default=None
        The model, which must not predict ratings: a recommender, or a pipeline or search that ends
        in one. None: ``EASE()``.
    trade_off : float, default=0.7
        :math:`\lambda` in [0, 1]. 1: the order of the model. May be changed after ``fit``.
    n_candidates : int, default=100
        Number of best items of a row to reorder, > 0. May be changed after ``fit``.
    similarity : {"auto", "features", "components", "interactions"}, default="auto"
        Source of the item vectors :math:`v_i`. "features": the items' features. "components": the
        columns of the model's ``components_``. "interactions": the columns of X, so items of the
        same users are similar. "auto": features if given, interactions otherwise.
    random_state : int, RandomState or None, default=None
        Seed of the model if its own `random_state` is None.

    Attributes
    ----------
    estimator_ : recommender
        The fitted model.
    similarity_ : {"features", "components", "interactions"}
        Source of the vectors.
    item_vectors_ : {ndarray, csr_array} of shape (n_items, d), float32
        The vectors, scaled to length 1. An unknown item has the zero vector and resembles no other
        item.
    n_features_in_ : int
        Number of items.
    feature_names_in_ : ndarray of str of shape (n_items,)
        Only if X has string column names.

    See Also
    --------
    CalibratedReranker : Lists with the row's own mix of groups.
    skrec.metrics.diversity_score : Measures how much the items of a list differ.

    Notes
    -----
    `fit` scales rows of features to length 1, so scale their columns first. The model reads the
    features as well, if it can. ``sample_weight`` is a keyword of ``fit`` if the model has it.
    Items that `with_items` adds get the vectors of their features, or zero vectors if the vectors
    come from interactions or components.

    Besides the model's scores a row costs ``2 * n_candidates ** 2 * d`` flops for the cosines and
    ``n_candidates ** 2`` comparisons.

    References
    ----------
    .. [1] J. Carbonell and J. Goldstein, "The use of MMR, diversity-based reranking for
       reordering documents and producing summaries", SIGIR 1998.

    Examples
    --------
    Items 2 and 3 are of one kind, and so are items 4 and 5:

    >>> import numpy as np
    >>> from skrec.dummy import DummyRecommender
    >>> from skrec.ensemble import MMR
    >>> X = np.array([[1, 0, 1, 1, 1, 0], [1, 0, 1, 1, 1, 1], [0, 1, 1, 1, 0, 0]])
    >>> kind = np.eye(3)[[0, 0, 1, 1, 2, 2]]
    >>> new = np.zeros((1, 6))
    >>> DummyRecommender().fit(X).recommend(new, k=3)
    array([[2, 3, 0]])
    >>> model = MMR(DummyRecommender(), trade_off=0.5).fit(X, item_features=kind)
    >>> model.recommend(new, k=3)
    array([[2, 0, 4]])
    """

    _parameter_rules = {
        **Reranker._parameter_rules,
        "trade_off": Interval(0, 1),
        "n_candidates": POSITIVE_INTEGER,
        "similarity": Options(("auto", "features", "components", "interactions")),
    }
    _search_grid = [{"trade_off": trade_off} for trade_off in (0.3, 0.5, 0.7, 0.9)]
    _fitted_rules = {
        "similarity_": OneOf(("features", "components", "interactions")),
        "item_vectors_": Table("n_items", None),
    }

    def __init__(
        self,
        estimator=None,
        *,
        trade_off=0.7,
        n_candidates=100,
        similarity="auto",
        random_state=None,
    ):
        self.estimator = estimator
        self.trade_off = trade_off
        self.n_candidates = n_candidates
        self.similarity = similarity
        self.random_state = random_state

    def _learn(self, X, side, weight):
        features, kind = side.item_features, self.similarity
        if kind == "auto":
            kind = "features" if is_table(features) else "interactions"
        if kind == "features":
            if not is_table(features):
                got = "none" if features is None else "images"
                raise ValueError(
                    f'MMR(similarity="features") needs a table of item features. Got {got}: pass '
                    'fit(X, item_features=...), or use similarity="interactions".'
                )
            vectors = features
        elif kind == "components":
            vectors = self._components(X.shape[1])
        else:
            # A weight counts as that many copies of a row.
            vectors = X.T.tocsr() if weight is None else X.T.multiply(np.sqrt(weight)).tocsr()
        self.similarity_ = kind
        self.item_vectors_ = unit_rows(vectors, np.float32)

    def _components(self, n_items):
        components = getattr(self.estimator_, "components_", None)
        if np.ndim(components) != 2 or components.shape[1] != n_items:
            raise ValueError(
                f'MMR(similarity="components") needs a model with components_, such as PureSVD or '
                f"WMF. Got {type(self.estimator_).__name__}, which has no components_ for "
                f"{n_items} items."
            )
        return np.ascontiguousarray(components.T)

    def _check_fitted(self):
        if self.similarity_ != "features":
            return
        found, width = self.item_vectors_.shape[1], getattr(self, "n_item_features_in_", None)
        if found != width:
            raise refused("MMR.item_vectors_", f"{found} columns", f"{width}")

    def _head(self, X, scores):
        from skrec.ensemble._rerank_kernels import diverse_order

        items, relevance = candidates(X, scores, self.n_candidates)
        head = np.full_like(items, -1)
        for row, length in enumerate((items >= 0).sum(axis=1)):
            known = items[row, :length]
            vectors = self.item_vectors_[known]
            cosines = vectors @ vectors.T
            cosines = cosines.toarray() if issparse(cosines) else cosines
            order = diverse_order(
                relevance[row, :length], cosines.astype(np.float64), float(self.trade_off)
            )
            head[row, :length] = known[order]
        return head

    def _extended(self, item_features):
        vectors = self.item_vectors_
        if self.similarity_ == "features":
            new = unit_rows(item_features, np.float32)
        else:
            new = csr_array((n_rows_of(item_features), vectors.shape[1]), dtype=np.float32)
        if issparse(vectors):
            longer = csr_array(vstack([vectors, csr_array(new)], format="csr"))
        else:
            longer = np.vstack([vectors, new.toarray() if issparse(new) else new])
        return {**super()._extended(item_features), "item_vectors_": longer}
