"""ItemKNN: items are scored by their similarity to the items of the user."""

from functools import partial

import numpy as np
from scipy.sparse import csr_array
from sklearn.utils.validation import check_is_fitted

from skrec.base import BaseRecommender
from skrec.neighbors._content import (
    CONTENT,
    check_content,
    content_of_items,
    longer_content,
    similar_by_content,
)
from skrec.neighbors._options import (
    FEATURE_WEIGHT,
    SHARED_RULES,
    check_combination,
    forget,
    norm_exponent,
    rating_deviation,
)
from skrec.neighbors._partial_fit import PartialFitMixin
from skrec.neighbors._parts import Comparison, neighbor_rounds
from skrec.neighbors._ratings import deviations, fit_item_bias, predicted_ratings, user_bias
from skrec.neighbors._search import nearest, search_index, similarity_kind
from skrec.neighbors._vectors import comparable, learn_features, powered, statistics
from skrec.utils._explain import explain_scores, stored_weights
from skrec.utils._finite import require_squares
from skrec.utils._fitted import Absent, Array, Number, Sparse, required_if
from skrec.utils._lists import stored_lists
from skrec.utils._params import NON_NEGATIVE, Options
from skrec.utils._products import sparse_product, sparse_product_pairs
from skrec.utils._sparse import transposed


class ItemKNN(PartialFitMixin, BaseRecommender):
    r"""Item-based nearest neighbours.

    Two items are alike if the same users have them [1]_, [3]_. Let :math:`x_i` be the
    column of item i, :math:`\langle x, y \rangle = \sum_u w_u x_u y_u` over the users, and
    :math:`|x|^2 = \langle x, x \rangle`. The similarity of an item j of a user to an item i is
    one of

    - "cosine": :math:`\langle x_j, x_i \rangle / (|x_j| |x_i| + h)`;
    - "asymmetric_cosine": :math:`\langle x_j, x_i \rangle / (|x_j|^p |x_i|^q + h)` with two
      free exponents; Aiolli's [2]_ :math:`\alpha` is :math:`p = 2 \alpha`,
      :math:`q = 2 (1 - \alpha)`; p = 2, q = 0 is the conditional probability of i given j;
    - "pearson": the cosine of columns that are centred on their own means;
    - "adjusted_cosine": the cosine of columns that are centred on the means of the users;
    - "jaccard": the weight of the users who have both, divided by h plus the weight of
      the users who have either, whatever the values;

    where h is `shrinkage`. Each item i keeps the `n_neighbors` items j with the largest
    similarities :math:`s_{ji} > 0`, and

    - with ``feedback="implicit"`` a missing entry is a zero and the score of item i for a
      row x is :math:`\sum_j x_j s_{ji}`, which is ``X @ similarity_``;
    - with ``feedback="rating"`` a missing entry is unknown, means are over stored ratings,
      and the score is the predicted rating
      :math:`b_i + \sum_j s_{ji} (x_j - b_j) / \sum_j s_{ji}`. The sums are over the items of
      the row among the neighbours of i. `deviation` chooses b.

    ``fit(X, item_features=F)`` gives features :math:`f_i` of the items. The compared vectors then
    join two blocks: the interactions, scaled to length 1, and the features, scaled to length w,
    the `feature_weight` [4]_:

    .. math:: s_{ji} = \frac{\langle x_j, x_i \rangle / (|x_j| |x_i|)
        + w^2 \langle f_j, f_i \rangle / (|f_j| |f_i|)}{n_j n_i + h},
        \qquad n_i^2 = [x_i \ne 0] + w^2 [f_i \ne 0]

    ("asymmetric_cosine" divides the first product by its powers of the norms). So an item that
    nobody has is scored by its features, and `with_items` adds items that were not columns of X.
    ``feature_weight=None`` compares features alone: plain content-based filtering. In the
    descriptions of the parameters, read "features" for "users" then.

    Parameters
    ----------
    n_neighbors : int or None, default=100
        Neighbours kept of each item. None keeps every similarity above zero, if there is memory
        for them. Ratings need more neighbours than implicit feedback, since only neighbours that
        the user has rated count.
    metric : str, default="asymmetric_cosine"
        The similarity, see above: "cosine", "asymmetric_cosine", "adjusted_cosine", "pearson"
        or "jaccard".
    shrinkage : float, default=0.0
        The constant h >= 0 in the denominator, in the unit of the product: for 0/1 data
        a number of common users. It moves similarities with little support towards zero.
    source_exponent : float, default=1.0
        The exponent p >= 0 on the norm of the user's item; "asymmetric_cosine" only.
    target_exponent : float or "auto", default="auto"
        The exponent q >= 0 on the norm of the scored item; "asymmetric_cosine" only.
        Below 1 it favours popular items. "auto": 0.7, but 1 for features alone, since their
        norms do not measure popularity.
    weighting : {None, "tfidf", "bm25"}, default=None
        How values are weighed before they are compared, with items as documents and
        users as terms: x idf with idf = 1 + log((1 + n_items) / (1 + n(u))), or
        2.2 x / (x + 0.3 + 0.9 length(i) / average length) idf with
        idf = log(1 + (n_items - n(u) + 0.5) / (n(u) + 0.5)) (Okapi BM25, k1 = 1.2,
        b = 0.75), where n(u) is the number of the user's items and length(i) the sum of
        the column. The row that is scored is not weighed. Implicit feedback only, and not for
        "jaccard".
    activity_exponent : float or "auto", default="auto"
        Exponent e >= 0 of the users' weights :math:`w_u = n(u)^{-e}` (inverse user frequency).
        With 1 each user spreads a weight of one over the user's items. "auto": 1, but 0 for
        features alone.
    feedback : {"implicit", "rating"}, default="implicit"
        Meaning of the values, see above. Ratings may be negative.
    deviation : {"auto", None, "item", "user", "both"}, default="auto"
        The b that is subtracted from ratings and added to their average. None: 0; "item": the mean
        of the item; "user": the mean of the user; "both": the overall mean plus the biases of
        both. "rating" only. "auto": "both", which had the smallest error on each of four rating
        data sets.
    damping : float, default=0.0
        Number of pseudo-ratings at the overall mean that each mean or bias includes, so
        that means of few ratings are not extreme. "rating" only.
    feature_weight : float or None, default=1.0
        Length w > 0 of the features beside interactions of length 1; None: features alone.
        The exponents of "asymmetric_cosine" make the interactions of popular items longer.
        Without ``item_features`` in `fit` it has no effect. Tune it from 0.1 to 1.4: a large
        weight makes lists of items with users worse, a small one ranks items without users last.
    n_jobs : int or None, default=None
        Threads; None: all cores. The result does not depend on it.

    Attributes
    ----------
    similarity_ : csr_array of shape (n_items, n_items), dtype of X
        Entry (j, i) is the weight of a user's item j for item i. A column holds at most
        `n_neighbors` entries; the diagonal is empty. With features a column may hold as many
        more of items that had no users, see Notes.
    products_ : csr_array of shape (n_items, n_items), float64
        Products of the items over all users so far; only after `partial_fit`.
    intercept_ : float
        Mean rating; "rating" only.
    item_bias_ : ndarray of shape (n_items,)
        Mean rating of each item less `intercept_`, damped; zeros with
        ``deviation="user"``; "rating" only.
    item_has_users_ : ndarray of bool of shape (n_items,)
        Whether each item had users in X; with item features only.
    n_item_features_in_ : int
        Number of item features; only with item features.
    n_features_in_ : int
        Number of items.
    feature_names_in_ : ndarray of str of shape (n_items,)
        Only if X has string column names.

    See Also
    --------
    UserKNN : The same with similar users.
    skrec.linear_model.EASE : Learns the item-item weights instead.

    Notes
    -----
    `weighting` changes the values in the products and norms. Only items with a common user are
    compared. Similarities are rounded to 46 bits ("pearson", "adjusted_cosine" and all metrics
    on ratings: to multiples of :math:`2^{-44}` of the product of the norms), so that the rounding
    of sums does not order them. If the cut at `n_neighbors` falls among equal similarities, the
    lower item index stays.

    If the row has no neighbour of an item, the predicted rating is b of that item, or the
    item's mean with ``deviation=None``. Predicted ratings are not clipped.

    Differs from [1]_: norms, and the means of Pearson, are over all users who have the item, not
    only over users who have both items. Few common users then mean a small similarity.

    Features count by their cosine, whatever `metric` and `weighting` do to interactions, except
    with ``feature_weight=None``. They cannot be joined with interactions for "jaccard", nor for
    "adjusted_cosine" of implicit feedback. Neighbours are items that have users in X. Items
    without users do not replace them: those at least as near as the last neighbour are added to
    the list, for users who take them after the fit. So empty columns do not change a score, and
    ``fit(X, F).with_items(N)`` equals a fit with N and empty columns. Features that are made
    from interactions must not use held-out interactions.

    Differs from [4]_: each block has length 1 before the blocks are joined, so the weights of
    different data can be compared; in [4]_ the lengths of texts count, too.

    The defaults were chosen on validation users of eight data sets (docs/benchmarks, defaults).
    Their nDCG@100 is .96 to 1.00 of the best of 16 settings; plain cosine reaches .88 to .97.

    With many items, more neighbours and both exponents help. On Gowalla, nDCG@20 on validation
    data is .100 with plain cosine, .111 with ``shrinkage=20`` and .124 with
    ``metric="asymmetric_cosine"``, exponents 1.2 and 0.5, ``activity_exponent=1`` and 1,000
    neighbours (docs/benchmarks, gowalla/itemknn).

    Time is one pass over the pairs of items within each user. Memory holds the neighbours,
    12 bytes each, and one row of products per thread.

    References
    ----------
    .. [1] B. Sarwar, G. Karypis, J. Konstan and J. Riedl, "Item-based collaborative
       filtering recommendation algorithms", WWW 2001.
    .. [2] F. Aiolli, "Efficient top-N recommendation for very large scale binary rated
       datasets", RecSys 2013.
    .. [3] M. Deshpande and G. Karypis, "Item-based top-N recommendation algorithms",
       ACM Transactions on Information Systems 22(1), 2004.
    .. [4] M. Ferrari Dacrema, S. Boglio, P. Cremonesi, D. Jannach, "A troubling analysis of
       reproducibility and progress in recommender systems research",
       ACM Transactions on Information Systems 39(2), 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.neighbors import ItemKNN
    >>> X = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 1, 1], [0, 1, 1, 1]])
    >>> model = ItemKNN(n_neighbors=2).fit(X)
    >>> model.predict([[1, 0, 0, 0], [0, 0, 0, 1]])
    array([1, 2])
    >>> model.similar_items([0, 3], k=2)
    array([[1, 2],
           [2, 1]])

    Nobody has the last item, but its features are those of the first item:

    >>> F = np.array([[1, 0], [1, 1], [0, 1], [0, 1], [1, 0]])
    >>> X = np.column_stack([X, np.zeros(4)])
    >>> ItemKNN().fit(X, item_features=F).recommend([[1, 0, 0, 0, 0]], k=1, items=[3, 4])
    array([[4]])
    """

    _parameter_rules = {
        **SHARED_RULES,
        "target_exponent": (Options(("auto",)), NON_NEGATIVE),
        "activity_exponent": (Options(("auto",)), NON_NEGATIVE),
        "feature_weight": FEATURE_WEIGHT,
    }
    _search_grid = [
        *(
            {
                "metric": "asymmetric_cosine",
                "activity_exponent": 1.0,
                "n_neighbors": n_neighbors,
                "target_exponent": exponent,
            }
            for n_neighbors in (50, 200)
            for exponent in (0.3, 0.7, 1.0)
        ),
        {"metric": "cosine", "activity_exponent": 0.0, "n_neighbors": 100},
        {"metric": "cosine", "weighting": "bm25", "n_neighbors": 200},
    ]

    _fitted_rules = {
        "similarity_": required_if(
            lambda self: not hasattr(self, "products_"), Sparse("n_items", "n_items")
        ),
        "intercept_": required_if(lambda self: self._rates, Number()),
        "item_bias_": required_if(lambda self: self._rates, Array("n_items")),
        "item_has_users_": Absent(Array("n_items", dtypes=("bool",))),
        "_content": Absent(CONTENT),
    }

    def __init__(
        self,
        n_neighbors=100,
        *,
        metric="asymmetric_cosine",
        shrinkage=0.0,
        source_exponent=1.0,
        target_exponent="auto",
        weighting=None,
        activity_exponent="auto",
        feedback="implicit",
        deviation="auto",
        damping=0.0,
        feature_weight=1.0,
        n_jobs=None,
    ):
        self.n_neighbors = n_neighbors
        self.metric = metric
        self.shrinkage = shrinkage
        self.source_exponent = source_exponent
        self.target_exponent = target_exponent
        self.weighting = weighting
        self.activity_exponent = activity_exponent
        self.feedback = feedback
        self.deviation = deviation
        self.damping = damping
        self.feature_weight = feature_weight
        self.n_jobs = n_jobs

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = not self._rates
        tags.recommender_tags.predicts_ratings = self._rates
        return tags

    @property
    def _rates(self):
        return self.feedback == "rating"

    def fit(self, X, y=None, *, item_features=None):
        """Find the neighbours of each item.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions, >= 0, or ratings.
        y : ignored
            Present for scikit-learn's conventions.
        item_features : ItemFeatures, {array-like, sparse matrix, dataframe} of shape \
                (n_items, n_item_features), default=None
            Row i describes column i of X; their scale does not matter unless `feature_weight`
            is None. None: items are compared by their users alone.

        Returns
        -------
        self : ItemKNN
            The fitted recommender.

        Raises
        ------
        ValueError
            If a parameter, a combination of parameters, X or the features are not valid.
        """
        X = self._start_fit(X)
        features = self._start_side(X, item_features=item_features).item_features
        if self.metric != "jaccard":  # "jaccard" reads no values
            require_squares(X.data, "The values of X")
        check_combination(self)
        if features is not None:
            check_content(self, features)
        forget(self, ("intercept_", "item_bias_", "item_has_users_", "_content"))
        forget(self, ("products_", "_compared"))  # of `partial_fit`
        if self._rates:
            self.intercept_, self.item_bias_ = fit_item_bias(
                X, deviation=rating_deviation(self), damping=self.damping
            )
        self.similarity_ = self._similarity(X, features)
        return self

    def _similarity(self, X, item_features):
        how = {"metric": self.metric, "rating": self._rates}
        by_item = X.tocsc()  # items are vectors, users features
        columns = csr_array((by_item.data, by_item.indices, by_item.indptr), shape=X.shape[::-1])
        some = columns
        if item_features is not None and X.nnz:  # empty columns must not change what is learned
            some = columns[np.flatnonzero(np.diff(columns.indptr))]
        activity = self._how().exponent
        features = learn_features(some, **how, weighting=self.weighting, exponent=activity)
        vectors = comparable(columns, features, **how, weighting=self.weighting)
        same = vectors.data is columns.data
        norm, *terms = statistics(vectors, features, **how)
        if item_features is not None:
            return self._similarity_by_content(
                X.dtype, vectors, (norm, *terms), features["weight"], item_features
            )
        kind = similarity_kind(**how)
        targets, sources = self._sides(norm, terms)
        to_items = nearest(
            vectors,
            targets,
            search_index(X if same else vectors.T.tocsr(), kind),
            sources,
            weight=features["weight"],
            kind=kind,
            n_neighbors=self.n_neighbors,
            shrinkage=self.shrinkage,
            skip_self=True,
            n_jobs=self.n_jobs,
        )
        return transposed(to_items, dtype=X.dtype, n_jobs=self.n_jobs)

    def _rounds(self, facts):
        how = self._how()
        check_combination(self)
        if self._rates:
            raise ValueError(
                "ItemKNN over parts compares interactions. Got feedback='rating': use "
                "feedback='implicit', or fit in one process."
            )
        forget(self, ("intercept_", "item_bias_", "item_has_users_", "_content"))
        lists = yield from neighbor_rounds(
            how,
            side_of=self._sides,
            n_neighbors=self.n_neighbors,
            shrinkage=self.shrinkage,
            n_jobs=self.n_jobs,
        )
        self.similarity_ = transposed(lists, dtype=facts.dtype, n_jobs=self.n_jobs)

    def _how(self):
        """The comparison of items, for `skrec.neighbors._parts`."""
        activity = 1.0 if isinstance(self.activity_exponent, str) else self.activity_exponent
        return Comparison(self.metric, self.weighting, activity)

    def _sides(self, norm, terms):
        """The sides of all items as targets, and as sources."""
        return (
            (powered(norm, self.metric, norm_exponent(self, "target")), norm, *terms),
            (powered(norm, self.metric, self.source_exponent), norm, *terms),
        )

    def _similarity_by_content(self, dtype, vectors, own_statistics, own_weight, item_features):
        targets, sources, self._content = content_of_items(
            self, vectors, own_statistics, item_features
        )
        self.item_has_users_ = np.diff(vectors.indptr) > 0
        lists = similar_by_content(
            self, targets, sources, self._content, own_weight, self.item_has_users_, dtype
        )
        return csr_array(lists.T.tocsr())

    def _extended(self, item_features):
        similarity, content, has_users = longer_content(self, item_features)
        longer = {"similarity_": similarity, "_content": content, "item_has_users_": has_users}
        if self._rates:
            new = np.zeros(len(has_users) - self.n_features_in_)
            longer["item_bias_"] = np.concatenate([self.item_bias_, new])
        return longer

    def _scores(self, X):
        if not self._rates:
            return sparse_product(X, self.similarity_, dtype=X.dtype, n_jobs=self.n_jobs)
        bias = self._user_bias(X)
        total, weight = (
            sparse_product(part, self.similarity_, dtype=np.float64, n_jobs=self.n_jobs)
            for part in self._rating_parts(X, bias)
        )
        expected = (self.intercept_ + self.item_bias_) + bias[:, None]
        ratings = predicted_ratings(total, weight, expected, deviation=rating_deviation(self))
        return ratings.astype(X.dtype, copy=False)

    def _pair_scores(self, X, rows, items):
        columns = self.similarity_.T.tocsr()
        if not self._rates:
            return sparse_product_pairs(X, columns, rows, items, dtype=X.dtype)
        bias = self._user_bias(X)
        total, weight = (
            sparse_product_pairs(part, columns, rows, items, dtype=np.float64)
            for part in self._rating_parts(X, bias)
        )
        expected = (self.intercept_ + self.item_bias_)[items] + bias[rows]
        ratings = predicted_ratings(total, weight, expected, deviation=rating_deviation(self))
        return ratings.astype(X.dtype, copy=False)

    def _user_bias(self, X):
        return user_bias(
            X,
            self.intercept_,
            self.item_bias_,
            deviation=rating_deviation(self),
            damping=self.damping,
        )

    def _rating_parts(self, X, bias):
        """The deviations of X, and ones in the same places."""
        values = deviations(
            X, self.intercept_, self.item_bias_, bias, deviation=rating_deviation(self)
        )
        return [
            csr_array((data, X.indices, X.indptr), shape=X.shape)
            for data in (values, np.ones_like(values))
        ]

    def explain(self, X, items):
        """Split scores into what each item of the user adds.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions of the users.
        items : array-like of int of shape (n_users,) or (n_users, m)
            The items to explain for each user, such as the result of `predict` or
            `recommend`; -1 for none.

        Returns
        -------
        contributions : csr_array of shape (n_users * m, n_items)
            Row ``u * m + j`` holds what each item of user u adds to the score of
            ``items[u, j]``. Each row sums to the score; with ``feedback="rating"`` and a
            `deviation`, to the score less the rating b that is expected without neighbours.
            A row is empty if the user has no neighbour of the item.

        Raises
        ------
        ValueError
            If `items` does not have one row per user or is out of range.
        """
        X = self._start_scoring(X)
        weights = partial(stored_weights, self.similarity_)
        if not self._rates:
            return explain_scores(X, items, weights)
        values, ones = self._rating_parts(X, self._user_bias(X))
        parts = explain_scores(values, items, weights)
        total = np.asarray(explain_scores(ones, items, weights).sum(axis=1)).ravel()
        # Similarities that are zero in the dtype of X do not count.
        parts.data /= np.repeat(np.where(total > 0, total, 1.0), np.diff(parts.indptr))
        return parts.astype(X.dtype, copy=False)

    def similar_items(self, items, k=10, *, return_scores=False):
        """Find the items that are most similar to given ones.

        Parameters
        ----------
        items : array-like of int of shape (n,)
            Column indices of X.
        k : int, default=10
            Length of the lists. No more than `n_neighbors` are known.
        return_scores : bool, default=False
            Whether to return the similarities as well.

        Returns
        -------
        neighbors : ndarray of intp of shape (n, k)
            Column indices of X, most similar first, lower indices first among equals; padded
            with -1.
        similarities : ndarray of shape (n, k), dtype of `similarity_`
            Only with ``return_scores=True``; -inf beside -1.

        Raises
        ------
        ValueError
            If an index is out of range or k is not a whole number >= 1.
        """
        check_is_fitted(self)
        found, values = stored_lists(self.similarity_, items, k, n_jobs=self.n_jobs)
        return (found, values) if return_scores else found
