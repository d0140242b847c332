"""UserKNN: the users most similar to a row score its items."""

import numpy as np
from scipy.sparse import csr_array

from skrec.base import BaseRecommender, UserSideMixin
from skrec.neighbors._content import (
    alone,
    check_content,
    content_kind,
    described,
    joined,
    learned_rule,
    only,
)
from skrec.neighbors._explain import similarity_shares
from skrec.neighbors._options import (
    FEATURE_WEIGHT,
    SHARED_RULES,
    check_combination,
    forget,
    interaction_weighting,
    rating_deviation,
)
from skrec.neighbors._ratings import deviations, fit_item_bias, predicted_ratings, user_bias
from skrec.neighbors._search import nearest, search_index, similarity_kind
from skrec.neighbors._vectors import comparable, learn_features, powered, statistics
from skrec.utils._explain import check_targets, contributions_at
from skrec.utils._finite import require_squares
from skrec.utils._fitted import (
    Absent,
    Array,
    Maybe,
    Number,
    Parts,
    Sparse,
    refused,
    required_if,
)
from skrec.utils._lists import ordered_lists
from skrec.utils._params import NON_NEGATIVE, Options
from skrec.utils._products import sparse_product
from skrec.utils._unit_rows import unit_rows
from skrec.utils._validation import check_k


class UserKNN(UserSideMixin, BaseRecommender):
    r"""User-based nearest neighbours.

    Two users are alike if they have the same items [1]_. Let :math:`x` be a row to score,
    :math:`x_v` the row of a training user v,
    :math:`\langle x, y \rangle = \sum_i w_i x_i y_i` over the items, and
    :math:`|x|^2 = \langle x, x \rangle`. The similarity of v to the row is one of

    - "cosine": :math:`\langle x_v, x \rangle / (|x_v| |x| + h)`;
    - "asymmetric_cosine": :math:`\langle x_v, x \rangle / (|x_v|^p |x|^q + h)` with two
      free exponents (Aiolli's [2]_ :math:`\alpha` is :math:`p = 2 \alpha`,
      :math:`q = 2 (1 - \alpha)`);
    - "pearson": the cosine of rows that are centred on their own means;
    - "adjusted_cosine": the cosine of rows that are centred on the means of the items (an
      item without training ratings gets the mean of all ratings);
    - "jaccard": the weight of the items that both have, divided by h plus the weight of
      the items that either has, whatever the values;

    where h is `shrinkage`. The `n_neighbors` training users with the largest similarities
    :math:`s_v > 0` are the neighbours of the row, and

    - with ``feedback="implicit"`` a missing entry is a zero and the score of item i is
      :math:`\sum_v s_v x_{vi}`;
    - with ``feedback="rating"`` a missing entry is unknown, means are over stored ratings,
      and the score is the predicted rating
      :math:`b_i + \sum_v s_v (x_{vi} - b_{vi}) / \sum_v s_v`. The sums are over the neighbours
      who rated i. `deviation` chooses b; "user" gives Resnick's formula.

    Any row can be scored: the model keeps the training rows and learns nothing for single users.

    ``fit(X, user_features=U)`` gives features :math:`f_v` of the users. The compared vectors then
    join two blocks: the row, scaled to length 1, and the features, scaled to length w, the
    `feature_weight`:

    .. math:: s_v = \frac{\langle x_v, x \rangle / (|x_v| |x|)
        + w^2 \langle f_v, f \rangle / (|f_v| |f|)}{n_v n + h},
        \qquad n^2 = [x \ne 0] + w^2 [f \ne 0]

    ("asymmetric_cosine" divides the first product by its powers of the norms). So a row without
    items gets the items of users with similar features. ``feature_weight=None`` compares features
    alone. In the descriptions of the parameters, read "features" for "items" then.

    Parameters
    ----------
    n_neighbors : int or None, default=50
        Neighbours of each row. None takes every training user with a similarity above
        zero. Ratings need more neighbours than implicit feedback, 100 to 300, since only
        neighbours who rated the item count.
    metric : str, default="cosine"
        The similarity, see above: "cosine", "asymmetric_cosine", "adjusted_cosine", "pearson"
        or "jaccard".
    shrinkage : float, default=0.0
        The constant h >= 0 in the denominator, in the unit of the product: for 0/1 data
        a number of common items. It moves similarities with little support towards zero.
    source_exponent : float, default=1.0
        The exponent p >= 0 on the norm of the neighbour; "asymmetric_cosine" only. Below
        1 it favours active neighbours.
    target_exponent : float, default=1.0
        The exponent q >= 0 on the norm of the row that is scored; "asymmetric_cosine"
        only. Without `shrinkage` it scales all scores of a row and does not change their order.
    weighting : {"auto", None, "tfidf", "bm25"}, default="auto"
        How values are weighed before they are compared, with users as documents and
        items as terms: x idf with idf = 1 + log((1 + n_users) / (1 + n(i))), or
        2.2 x / (x + 0.3 + 0.9 length / average length) idf with
        idf = log(1 + (n_users - n(i) + 0.5) / (n(i) + 0.5)) (Okapi BM25, k1 = 1.2,
        b = 0.75), where n(i) is the number of the item's users and length the sum of the
        row. Scores add up values that are not weighed. Implicit feedback only, and not for
        "jaccard". "auto": "tfidf" for implicit feedback and other metrics than "jaccard",
        otherwise None; None for features alone.
    popularity_exponent : float, default=0.0
        Exponent e >= 0 of the items' weights :math:`w_i = n(i)^{-e}`: rare items count more
        than items that all have.
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
        Length w > 0 of the features beside rows of length 1; None: features alone. Without
        ``user_features`` in `fit` it has no effect.
    n_jobs : int or None, default=None
        Threads; None: all cores. The result does not depend on it.

    Attributes
    ----------
    interactions_ : csr_array of shape (n_users, n_items)
        The training rows, a copy.
    item_weight_ : ndarray of shape (n_items,)
        The weights :math:`w_i`, times the squared idf with `weighting`.
    intercept_ : float
        Mean rating; "rating" only.
    item_bias_ : ndarray of shape (n_items,)
        Mean rating of each item less `intercept_`, damped; zeros with
        ``deviation="user"``; "rating" only.
    user_bias_ : ndarray of shape (n_users,)
        Biases of the training users; zeros unless `deviation` is "user" or "both";
        "rating" only.
    n_user_features_in_ : int
        Number of user features; only with user features.
    user_feature_means_ : ndarray of shape (n_user_features,)
        Means of the user features, for rows that are scored without features; only with user
        features.
    n_features_in_ : int
        Number of items.
    feature_names_in_ : ndarray of str of shape (n_items,)
        Only if X has string column names.

    See Also
    --------
    ItemKNN : The same with similar items; faster to score.

    Notes
    -----
    `fit` keeps the training rows. Scoring a row takes one pass over the users of the row's items,
    and one over the rows of its neighbours. Memory holds the training rows and a chunk of scores.

    A row that equals a training row is its own nearest neighbour. That adds to the scores of the
    row's own items only.

    `weighting` changes the values in the products and norms. Only users with a common item are
    compared. Similarities are rounded as in `ItemKNN`, so that the rounding of sums does not order
    them. If the cut at `n_neighbors` falls among equal similarities, the lower training row stays.

    If no neighbour has rated an item, the predicted rating is b of that item, or the item's mean
    with ``deviation=None``. Predicted ratings are not clipped.

    The defaults were chosen on validation users of eight data sets (docs/benchmarks, defaults).
    Their nDCG@100 is .95 to 1.00 of the best of 14 settings; 100 neighbours without weighting
    reach .89 to .98.

    Features count by their cosine, whatever `metric` and `weighting` do to rows, except with
    ``feature_weight=None``. They cannot be joined with rows for "jaccard", nor for
    "adjusted_cosine" of implicit feedback. With features, training users without items are never
    neighbours. The model keeps the features themselves.

    Differs from [1]_: norms, and the means of Pearson, are over all items of a user, not only
    over items that both have. Neighbours are the nearest of all users, not the nearest of those
    who rated the item.

    References
    ----------
    .. [1] P. Resnick, N. Iacovou, M. Suchak, P. Bergstrom and J. Riedl, "GroupLens: an
       open architecture for collaborative filtering of netnews", CSCW 1994.
    .. [2] F. Aiolli, "Efficient top-N recommendation for very large scale binary rated
       datasets", RecSys 2013.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.neighbors import UserKNN
    >>> X = np.array([[5, 4, 0, 1], [4, 5, 2, 0], [1, 2, 5, 4]])
    >>> model = UserKNN(feedback="rating", metric="pearson", deviation="user").fit(X)
    >>> model.decision_function([[4, 0, 0, 1]]).round(1)
    array([[4. , 3.2, 0.8, 0.2]])
    """

    _parameter_rules = {
        **SHARED_RULES,
        "weighting": Options(("auto", None, "tfidf", "bm25")),
        "popularity_exponent": NON_NEGATIVE,
        "feature_weight": FEATURE_WEIGHT,
    }
    _search_grid = [
        {"n_neighbors": n_neighbors, "weighting": weighting}
        for weighting in (None, "tfidf")
        for n_neighbors in (25, 50, 100, 300)
    ]

    _fitted_rules = {
        "interactions_": Sparse("n_users", "n_items"),
        "item_weight_": Array("n_items", low=0),
        "_features": Parts(
            {
                "weight": Array("n_items", low=0),
                "mean": Array("n_means"),
                "slope": Array("n_slopes"),
                "average_length": Number(),
            }
        ),
        "_index": Parts(
            (
                Array(None, dtypes=("int64",), low=0),
                Array("n_indexed", dtypes=("int32",), low=0, high="n_users"),
                Array(None, dtypes=("float64",)),
            )
        ),
        "_content": Absent(
            Parts({"learned": learned_rule("n_user_features"), "feature_weight": Maybe(Number(0))})
        ),
        "_sides": Parts((Array("n_users"), Array("n_users"), Array("n_terms"), Array("n_terms"))),
        **{
            name: required_if(lambda self: self._rates, rule)
            for name, rule in {
                "intercept_": Number(),
                "item_bias_": Array("n_items"),
                "user_bias_": Array("n_users"),
                "_deviations": Sparse("n_users", "n_items"),
                "_rated": Sparse("n_users", "n_items"),
            }.items()
        },
    }

    def __init__(
        self,
        n_neighbors=50,
        *,
        metric="cosine",
        shrinkage=0.0,
        source_exponent=1.0,
        target_exponent=1.0,
        weighting="auto",
        popularity_exponent=0.0,
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
        self.popularity_exponent = popularity_exponent
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

    @property
    def _how(self):
        return {"metric": self.metric, "rating": self._rates}

    def fit(self, X, y=None, *, user_features=None):
        """Keep the training rows, indexed by item.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions, >= 0, or ratings.
        y : ignored
            Present for scikit-learn's conventions.
        user_features : {array-like, sparse matrix, dataframe} of shape \
                (n_users, n_user_features), default=None
            Row u describes row u of X; their scale does not matter unless `feature_weight` is
            None. None: users are compared by their items alone.

        Returns
        -------
        self : UserKNN
            The fitted recommender.

        Raises
        ------
        ValueError
            If a parameter, a combination of parameters, X or the features are not valid.
        """
        X = self._start_fit(X)
        features = self._start_side(X, user_features=user_features).user_features
        if self.metric != "jaccard":  # "jaccard" reads no values
            require_squares(X.data, "The values of X")
        check_combination(self)
        if features is not None:
            check_content(self, features)
        forget(
            self, ("intercept_", "item_bias_", "user_bias_", "_deviations", "_rated", "_content")
        )
        self.interactions_ = X = X.copy()
        self._features = learn_features(
            X, **self._how, weighting=interaction_weighting(self), exponent=self.popularity_exponent
        )
        self.item_weight_ = self._features["weight"]
        has_items = np.diff(X.indptr) > 0
        if features is not None:
            features = csr_array(features, dtype=np.float64)
            self._content = {
                "learned": described(features, has_items, self),
                "feature_weight": self.feature_weight,
            }
        vectors, self._sides = self._compared(X, features, self.source_exponent)
        if features is not None:  # users without items take no place in the lists
            vectors = only(vectors, has_items)
        self._index = search_index(vectors.T.tocsr(), self._kind)
        if self._rates:
            self._fit_ratings(X)
        return self

    def _check_fitted(self):
        n_users, n_items = self.interactions_.shape
        by_mean = self.metric in ("pearson", "adjusted_cosine")
        centred = by_mean and not self._rates  # the metric decides which terms there are
        (ptr, idx, val), mean = self._index, self._features["mean"]
        signed, n_columns = by_mean or (self._rates and self.metric != "jaccard"), n_items
        terms, content = n_users * centred, getattr(self, "_content", None)
        if content is not None:
            signed, terms = self.metric != "jaccard", n_users
            n_columns *= content["feature_weight"] is not None
            n_columns += len(content["learned"]["weight"])
        expected = {
            "_features['mean']": (len(mean), n_items * (self.metric == "adjusted_cosine")),
            "_features['slope']": (
                len(self._features["slope"]),
                n_items * (centred and self.metric == "pearson"),
            ),
            "_sides[2]": (len(self._sides[2]), terms),
            "_index[0]": (len(ptr), n_columns + 1),
        }
        if len(val) or signed:
            expected["_index[2]"] = (len(val), len(idx))
        for name, (found, wanted) in expected.items():
            if found != wanted:
                raise refused(f"UserKNN.{name}", f"{found} values", f"{wanted}")
        if ptr[0] != 0 or ptr[-1] != len(idx) or (ptr[1:] < ptr[:-1]).any():
            raise refused("UserKNN._index[0]", "pointers out of order", "pointers that rise from 0")

    def _fit_ratings(self, X):
        self.intercept_, self.item_bias_ = fit_item_bias(
            X, deviation=rating_deviation(self), damping=self.damping
        )
        self.user_bias_ = self._user_bias(X)
        values = deviations(
            X, self.intercept_, self.item_bias_, self.user_bias_, deviation=rating_deviation(self)
        )
        self._deviations = csr_array((values, X.indices, X.indptr), shape=X.shape)
        self._rated = csr_array((np.ones_like(values), X.indices, X.indptr), shape=X.shape)

    @property
    def _kind(self):
        """The formula of the kernel."""
        return content_kind(self) if hasattr(self, "_content") else similarity_kind(**self._how)

    def _compared(self, X, features, exponent):
        """Vectors of rows and their side, with a block of features if there are any."""
        vectors = comparable(X, self._features, **self._how, weighting=interaction_weighting(self))
        norm, *terms = statistics(vectors, self._features, **self._how)
        if features is None:
            return vectors, (powered(norm, self.metric, exponent), norm, *terms)
        features = csr_array(features, dtype=np.float64)
        weight = self._content["feature_weight"]
        if weight is None:
            return alone(features, self._content["learned"], self, exponent)
        power = exponent if self.metric == "asymmetric_cosine" else 1.0
        return joined(vectors, (norm, *terms), unit_rows(features, np.float64), weight, power)

    @property
    def _column_weight(self):
        """Weights of the compared columns."""
        content = getattr(self, "_content", None)
        if content is None:
            return self.item_weight_
        of_features = content["learned"]["weight"]
        if content["feature_weight"] is None:
            return of_features
        return np.concatenate([self.item_weight_, of_features])

    def _user_bias(self, X):
        return user_bias(
            X,
            self.intercept_,
            self.item_bias_,
            deviation=rating_deviation(self),
            damping=self.damping,
        )

    def _neighbors(self, X, side, n_neighbors):
        """Similarities of the nearest training users, (n_rows, n_users)."""
        vectors, own_side = self._compared(X, side.user_features, self.target_exponent)
        similarity = nearest(
            vectors,
            own_side,
            self._index,
            self._sides,
            weight=self._column_weight,
            kind=self._kind,
            n_neighbors=n_neighbors,
            shrinkage=self.shrinkage,
            n_jobs=self.n_jobs,
        )
        similarity.sort_indices()
        return similarity

    def _scores(self, X, side):
        neighbors = self._neighbors(X, side, self.n_neighbors)
        if not self._rates:
            return sparse_product(neighbors, self.interactions_, dtype=X.dtype, n_jobs=self.n_jobs)
        total, weight = (
            sparse_product(neighbors, values, dtype=np.float64, n_jobs=self.n_jobs)
            for values in (self._deviations, self._rated)
        )
        expected = (self.intercept_ + self.item_bias_) + self._user_bias(X)[:, None]
        ratings = predicted_ratings(total, weight, expected, deviation=rating_deviation(self))
        return ratings.astype(X.dtype, copy=False)

    def similar_users(self, X, k=10, *, user_features=None, return_scores=False):
        """Find the training users that are most similar to given rows.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions of the users, known or new.
        k : int, default=10
            Length of the lists; may exceed `n_neighbors`.
        user_features : {array-like, sparse matrix, dataframe} of shape \
                (n_users, n_user_features), default=None
            See `decision_function`.
        return_scores : bool, default=False
            Whether to return the similarities as well.

        Returns
        -------
        neighbors : ndarray of intp of shape (n_users, k)
            Row indices of the training matrix, most similar first, lower indices first among
            equals; padded with -1.
        similarities : ndarray of shape (n_users, k)
            Only with ``return_scores=True``; -inf beside -1.

        Raises
        ------
        ValueError
            If X is not valid or k is not a whole number >= 1.
        """
        self._check_reads("similar_users", user_features, None)
        rows = self._start_rows(X, user_features)
        k = check_k(k)
        found, values = ordered_lists(self._neighbors(*rows, k), k, n_jobs=self.n_jobs)
        return (found, values) if return_scores else found

    def explain(self, X, items, *, user_features=None):
        """Split scores into what each item of the user adds, through the neighbours.

        A similarity is a sum over the items that a neighbour shares with the row. Item j
        contributes its term of the similarity, times the neighbour's value of the explained
        item. With "pearson" and "adjusted_cosine" on implicit feedback the means lower a
        product; the row's items share this equally.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions of the users.
        items : array-like of int of shape (n_users,) or (n_users, m)
            The items to explain for each user, such as the result of `predict` or
            `recommend`; -1 for none.
        user_features : {array-like, sparse matrix, dataframe} of shape \
                (n_users, n_user_features), default=None
            See `decision_function`.

        Returns
        -------
        contributions : csr_array of shape (n_users * m, n_items)
            Row ``u * m + j`` holds what each item of user u adds to the score of
            ``items[u, j]``. Each row sums to the score; with ``feedback="rating"`` and a
            `deviation`, to the score less the rating b that is expected without neighbours. A
            row is empty if no neighbour has the item. The rows leave out what features of the
            users add to a similarity, since no item adds it.

        Raises
        ------
        ValueError
            If `items` does not have one row per user or is out of range.
        """
        self._check_reads("explain", user_features, None)
        X, side = self._start_rows(X, user_features)
        targets = check_targets(items, *X.shape)
        neighbors = self._neighbors(X, side, self.n_neighbors)
        vectors, sides = self._compared(X, side.user_features, self.target_exponent)
        blocks = [
            self._explain_row(
                X[[u]], vectors[[u]], [part[u] if len(part) else None for part in sides],
                neighbors[[u]], targets[u],
            )
            for u in range(X.shape[0])
        ]  # fmt: skip
        data = np.concatenate([np.zeros(0), *(block.ravel() for block in blocks)])
        return contributions_at(X, data, targets.shape[1])

    def _explain_row(self, row, vector, side, neighbors, targets):
        """Contributions of the items of one row, (n_targets, n_items_of_row)."""
        who, here = neighbors.indices, row.indices
        said = self._deviations if self._rates else self.interactions_
        said = said[who][:, targets].toarray()  # (n_neighbors, n_targets); -1: see the last line
        if self._rates:
            weight = neighbors.data @ self._rated[who][:, targets].toarray()
            said /= np.where(weight > 0, weight, 1.0)
        return np.where(targets[:, None] >= 0, said.T @ self._shares(vector, side, who, here), 0.0)

    def _shares(self, vector, side, who, here):
        """How much the items of a row add to its similarity with neighbours."""
        content = getattr(self, "_content", None)
        if not len(here) or (content is not None and content["feature_weight"] is None):
            return np.zeros((len(who), len(here)))
        others = self._own_vectors(self.interactions_[who], content is not None)
        return similarity_shares(
            self.item_weight_[here] * vector.data[: len(here)],
            side,
            others[:, here].toarray(),
            [part[who] if len(part) else None for part in self._sides],
            overlap=self.metric == "jaccard",
            shrinkage=self.shrinkage,
        )

    def _own_vectors(self, X, scaled):
        """Compared values of training rows, without their features."""
        vectors = comparable(X, self._features, **self._how, weighting=interaction_weighting(self))
        if not scaled:
            return vectors
        own = statistics(vectors, self._features, **self._how)
        power = self.source_exponent if self.metric == "asymmetric_cosine" else 1.0
        return joined(vectors, own, csr_array((X.shape[0], 0)), 1.0, power)[0]
