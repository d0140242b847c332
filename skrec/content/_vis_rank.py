"""VisRank: items are scored by how much they look like those of the user; nothing is learned."""

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
    r"""Rank items by how much their features resemble those of the user's items.

    With :math:`f_i` the features of item i and P the items of a row, the score of item i is

    - "mean": :math:`\sum_{j \in P} x_j \cos(f_j, f_i) / \sum_{j \in P} x_j`;
    - "max": :math:`\max_{j \in P} \cos(f_j, f_i)`;
    - "top_k": the mean of the `n_neighbors` largest of these cosines, or of all where P is smaller.

    The name is that of [1]_, where features are the outputs of a network that has seen
    pictures; any table of features will do. Nothing is learned of the interactions, so that items
    that nobody has are scored as all others, and so are new users.

    Parameters
    ----------
    aggregate : {"mean", "max", "top_k"}, default="mean"
        What is taken of the cosines to the user's items, see above.
    n_neighbors : int, default=3
        How many of them count at the most; "top_k" only.
    center : bool, default=False
        Whether the mean of the features of items with users is taken off first, but not from rows
        of zeros. What is common to all features, as in outputs of networks and in measures with
        units, otherwise makes all cosines nearly 1. Sparse features become dense by it.

    Attributes
    ----------
    feature_means_ : ndarray of shape (n_item_features,)
        What was taken off; only with ``center=True``.
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
    IBR : Learns a projection in which items of one user are near each other.
    VBPR : Learns what each user likes of the features, and vectors of the items.
    skrec.feature_extraction.ImageEmbedder : Features of pictures by a network.
    skrec.feature_extraction.VisualStatistics : Features of pictures without a network.

    Notes
    -----
    Without features an item is described by its place alone, so that it is like itself only and
    a user is recommended nothing but what he has: for a model that is asked for anything, pass
    features.

    A row of zeros says that nothing is known of an item, and has the cosine 0 with all others.
    Features made from the interactions, held-out ones included, leak what is to be predicted.

    "max" is a poor choice for features with few values, such as genres: most items then have the
    same score for a user, and the order of the items decides.

    *Time* for n rows of p items each and d features: "mean" takes 2 d (p + n_items) flops a row;
    the others 2 d flops for each pair of an item that the chunk's users have and any item, and
    p n_items comparisons a row. *Memory*: the features and one chunk of scores, and for "max" and
    "top_k" one more.

    Differs from [1]_: values of the row weigh the mean, `center` is a choice, and of equal scores
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
            Interactions, >= 0; only their number of columns matters.
        y : ignored
            Present for scikit-learn's conventions.
        item_features : ItemFeatures, {array-like, sparse matrix, dataframe} of shape \
                (n_items, n_item_features), default=None
            Row i describes column i of X. None: an item is described by its place alone.

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
        """Find the items whose features have the largest cosine with those of given items.

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
            If an index is out of range or k is no whole number >= 1.
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
    """Means of the columns over the items with users of which something is known."""
    known = features[with_users & features.any(axis=1)].astype(np.float64)
    return known.mean(axis=0) if len(known) else np.zeros(features.shape[1])
