"""VisRank: scores items by similarity of looks to the user's items, without learning."""

import numpy as np
from scipy.sparse import eye_array, issparse
from sklearn.utils.validation import check_is_fitted

from skrec._recommend import nearest_items
from skrec.base import BaseRecommender
from skrec.content._profiles import PROFILE_RULES, ProfileMixin, longer_table
from skrec.utils._fitted import Array, Table, required_if
from skrec.utils._params import BOOLEAN
from skrec.utils._unit_rows import unit_rows


class VisRank(ProfileMixin, BaseRecommender):
    r"""Rank items by the similarity of their features to the features of the user's items.

    :math:`f_i` are the features of item i, and P are the items of a row. The score of item i is

    - "mean": :math:`\sum_{j \in P} x_j \cos(f_j, f_i) / \sum_{j \in P} x_j`;
    - "max": :math:`\max_{j \in P} \cos(f_j, f_i)`;
    - "top_k": the mean of the `n_neighbors` largest of these cosines, or of all where P is smaller.

    The name comes from [1]_, where features are the outputs of a network that reads pictures; any
    table of features works. Nothing is learned from the interactions, so items and users without
    training interactions are scored like all others.

    Parameters
    ----------
    aggregate : {"mean", "max", "top_k"}, default="mean"
        How the cosines to the user's items are combined, see above.
    n_neighbors : int, default=3
        Number of largest cosines in the mean; "top_k" only.
    center : bool, default=False
        Whether to subtract first the mean of the features of items with users, except from rows
        of zeros. Otherwise a part common to all features, as in outputs of networks and in
        measures with units, makes all cosines nearly 1. Centring makes sparse features dense.

    Attributes
    ----------
    feature_means_ : ndarray of shape (n_item_features,)
        The subtracted means; only with ``center=True`` and features.
    item_features_ : ndarray or csr_array of shape (n_items, n_item_features), dtype of X
        Features at length 1; rows of zeros stay zero.
    n_features_in_ : int
        Number of items.
    feature_names_in_ : ndarray of str of shape (n_items,)
        Only if X has string column names.
    n_item_features_in_ : int
        Number of features; only if there were features.
    item_feature_names_in_ : ndarray of str of shape (n_item_features,)
        Only if the features had string column names.

    See Also
    --------
    IBR : Learns a projection that brings the items of one user near each other.
    VBPR : Learns what each user likes of the features, and vectors of the items.
    skrec.feature_extraction.ImageEmbedder : Makes features of pictures by a network.
    skrec.feature_extraction.VisualStatistics : Makes features of pictures without a network.

    Notes
    -----
    Without features only its place describes an item. Then an item is similar to itself alone, and
    every other item scores zero: pass features.

    A row of zeros means that nothing is known of an item; its cosine to all others is 0.
    Features made from the interactions, held-out ones included, leak what is to be predicted.

    "max" suits features with few values, such as genres, badly: most items then have the same
    score for a user, and the order of the items decides.

    *Time* for n rows of p items each and d features: "mean" takes 2 d (p + n_items) flops a row.
    The others take 2 d flops for each pair of an item of the chunk's users and any item, and
    p n_items comparisons a row. *Memory*: the features and one chunk of scores, and one more chunk
    for "max" and "top_k".

    Differs from [1]_: values of the row weigh the mean; `center` is a choice; among equal scores
    the lower item index comes first.

    References
    ----------
    .. [1] P. Messina, V. Dominguez, D. Parra, C. Trattner and A. Soto, "Content-based artwork
       recommendation: integrating painting metadata with neural and manually-engineered visual
       features", User Modeling and User-Adapted Interaction 29, 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.content import VisRank
    >>> X = np.array([[1, 1, 0, 0, 0], [0, 0, 1, 1, 0]])  # nobody has the last item
    >>> F = np.array([[1, 0], [0.9, 0.1], [0, 1], [0.1, 0.9], [0.8, 0.2]])
    >>> model = VisRank().fit(X, item_features=F)
    >>> model.predict(X)
    array([4, 4])
    >>> model.decision_function(X)[:, 4].round(2)
    array([0.98, 0.3 ])
    >>> model.similar_items([4], k=2)
    array([[1, 0]])
    """

    _parameter_rules = {**PROFILE_RULES, "center": BOOLEAN}
    _search_grid = [
        {"aggregate": "mean"},
        {"aggregate": "max"},
        *({"aggregate": "top_k", "n_neighbors": n} for n in (3, 10)),
    ]
    _fitted_rules = {
        "item_features_": Table("n_items", "n_columns"),
        "feature_means_": required_if(
            lambda self: self.center and hasattr(self, "n_item_features_in_"),
            Array("n_columns", dtypes=("float64",)),
        ),
    }

    def __init__(self, aggregate="mean", *, n_neighbors=3, center=False):
        self.aggregate = aggregate
        self.n_neighbors = n_neighbors
        self.center = center

    def fit(self, X, y=None, *, item_features=None):
        """Keep the features of the items.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions, >= 0. With `center` their items with users count, else only n_items.
        y : ignored
            Present for scikit-learn's conventions.
        item_features : ItemFeatures, {array-like, sparse matrix, dataframe} of shape \
                (n_items, n_item_features), default=None
            Row i describes column i of X. None: only its place describes an item.

        Returns
        -------
        self : VisRank
            The fitted recommender.

        Raises
        ------
        ValueError
            If a parameter, X or the features are not valid.
        """
        X = self._start_fit(X)
        features = self._start_side(X, item_features=item_features).item_features
        vars(self).pop("feature_means_", None)
        if features is None:
            features = eye_array(X.shape[1], format="csr")
        elif self.center:
            features = features.toarray() if issparse(features) else features
            with_users = np.bincount(X.indices, minlength=X.shape[1]) > 0
            self.feature_means_ = _means(features, with_users)
        self.item_features_ = unit_rows(self._centered(features), X.dtype)
        return self

    def _centered(self, features):
        means = getattr(self, "feature_means_", None)
        if means is None:
            return features
        features = features.toarray() if issparse(features) else features
        return np.where(features.any(axis=1, keepdims=True), features - means, 0.0)

    def _tables(self, dtype):
        features = self.item_features_.astype(dtype, copy=False)
        return features, features

    def similar_items(self, items, k=10, *, return_scores=False):
        """Find the items whose features have the largest cosines with the features of given items.

        Parameters
        ----------
        items : array-like of int of shape (n,)
            Column indices of X.
        k : int, default=10
            Length of the lists.
        return_scores : bool, default=False
            Whether to return the cosines as well.

        Returns
        -------
        similar : ndarray of intp of shape (n, k)
            Best first, never the item itself; padded with -1.
        scores : ndarray of shape (n, k)
            Only with ``return_scores=True``; -inf beside -1.

        Raises
        ------
        ValueError
            If an index is out of range or k is not a whole number >= 1.
        """
        check_is_fitted(self)
        features = self.item_features_

        def cosines(chosen):
            found = features[chosen] @ features.T
            return found.toarray() if issparse(found) else found

        return nearest_items(
            cosines, items, features.shape[0], k, dtype=features.dtype, return_scores=return_scores
        )

    def _check_fitted(self):
        self._check_width("item_features_", self.item_features_.shape[1])

    def _extended(self, item_features):
        new = unit_rows(self._centered(item_features), self.item_features_.dtype)
        return {"item_features_": longer_table(self.item_features_, new)}


def _means(features, with_users):
    """Means of the columns over the items with users whose features are not all zero."""
    known = features[with_users & features.any(axis=1)].astype(np.float64)
    return known.mean(axis=0) if len(known) else np.zeros(features.shape[1])
