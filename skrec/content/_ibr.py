"""IBR: a projection of the features that brings the items of one user near each other."""

import numpy as np
from scipy.optimize import minimize
from scipy.sparse import csr_array, eye_array
from scipy.special import expit
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from skrec._recommend import nearest_items
from skrec.base import BaseRecommender
from skrec.content._profiles import PROFILE_RULES, ProfileMixin, distances
from skrec.content._tables import mean_length, seen_features
from skrec.utils._fitted import Array, Number
from skrec.utils._params import NON_NEGATIVE, POSITIVE_INTEGER


class IBR(ProfileMixin, BaseRecommender):
    r"""Image-based recommendation: a distance of style, learned from the interactions.

    :math:`f_i` are the features of item i, and E projects them to few dimensions. The distance of
    two items and the probability that they go together are [1]_

    .. math::

       d_{ij} = \|E^T (f_i - f_j)\|^2, \qquad P(i \sim j) = \sigma(c - d_{ij}).

    L-BFGS finds the E and c that minimise

    .. math::

       -\frac{1}{2 |R|} \Big( \sum_{(i, j) \in R} \log \sigma(c - d_{ij})
       + \sum_{(i, j) \in Q} \log(1 - \sigma(c - d_{ij})) \Big) + \frac{\alpha}{2} \|E\|_F^2,

    where R are `n_pairs` pairs of items that one user has, and Q as many pairs of any two items
    that users have. The score of an item for a user is minus its mean distance to the user's
    items, or another `aggregate`. So items and users without training interactions are scored like
    all others.

    Parameters
    ----------
    n_components : int, default=20
        Columns of E, the K of [1]_.
    aggregate : {"mean", "max", "top_k"}, default="mean"
        How the similarities, minus the distances, to the user's items are combined: the mean
        weighted by the row, the largest (the nearest item, as in [1]_), or the mean of the
        `n_neighbors` largest. On validation users of six data sets the mean ranks better than
        the largest on five, and as well on one. May be changed after ``fit``.
    n_neighbors : int, default=3
        Number of largest similarities in the mean; "top_k" only.
    n_pairs : int, default=50000
        Pairs in R: draw an interaction, then another item of the same user.
    alpha : float, default=0.0001
        Penalty on E, >= 0, for features divided by their mean length. The best value depends
        strongly on the features: choose it on validation data. Too large a value makes E and all
        distances zero; then `fit` warns.
    max_iter : int, default=50
        Most iterations of L-BFGS.
    tol : float, default=1e-6
        The fit ends when an iteration lowers the objective by less than this share, >= 0.
    random_state : int, RandomState or None, default=None
        Seed of the pairs and of the first E.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_items), dtype of X
        The style vectors :math:`E^T f_i`.
    projection_ : ndarray of shape (n_item_features, n_components), float64
        E, for features divided by `feature_scale_`; zero for features that no item with users
        has. Without features E has a row for each item.
    intercept_ : float
        The constant c.
    feature_scale_ : float
        Mean length of the features of items with users.
    loss_curve_ : list of float
        The objective after each iteration.
    n_iter_ : int
        Number of iterations; 0 where no user has two items.
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
    VisRank : Ranks by the cosines of the given features.
    VBPR : Learns what each user likes of the features, and vectors of the items.

    Notes
    -----
    Without features E has a row for each item, and the model is an embedding of the items; items
    without users are then all at the origin.

    Differences cancel what is common to all features, except for an item with nothing known: its
    row of zeros lies at the origin. Centre the features, so that the origin is the mean item.
    Features made from the interactions, held-out ones included, leak what is to be predicted.

    *Time*: an iteration takes about ``16 * n_pairs * n_components`` flops for the pairs, and 4
    flops per entry of the features and component. *Memory*: ``64 * n_pairs * n_components`` bytes
    while fitting; a fitted model keeps no features.

    Differs from [1]_: pairs of items of one user replace the shop's lists of items bought or
    viewed together; E is penalised; the distance has no part for each user; and the score is the
    mean distance to the user's items, not the least.

    References
    ----------
    .. [1] J. McAuley, C. Targett, Q. Shi and A. van den Hengel, "Image-based recommendations on
       styles and substitutes", SIGIR 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.content import IBR
    >>> X = np.array([[1, 1, 0, 0, 0], [0, 0, 1, 1, 0]])  # nobody has the last item
    >>> F = np.array([[1, 0], [0.9, 0.1], [0, 1], [0.1, 0.9], [0.8, 0.2]])
    >>> model = IBR(2, n_pairs=100, random_state=0).fit(X, item_features=F)
    >>> model.predict(X)
    array([4, 4])
    >>> bool(model.score_pairs(X, [0], [4]) > model.score_pairs(X, [1], [4]))
    True
    """

    _parameter_rules = {
        "n_components": POSITIVE_INTEGER,
        **PROFILE_RULES,
        "n_pairs": POSITIVE_INTEGER,
        "alpha": NON_NEGATIVE,
        "max_iter": POSITIVE_INTEGER,
        "tol": NON_NEGATIVE,
    }
    _search_grid = [
        {"alpha": alpha, "aggregate": aggregate}
        for alpha in (0.0, 0.0001, 0.001, 0.01)
        for aggregate in ("max", "mean")
    ]
    _score_unit = 1.0  # distances are differences of log-odds
    _fitted_rules = {
        "components_": Array("n_components", "n_items"),
        "projection_": Array(None, "n_components", dtypes=("float64",)),
        "intercept_": Number(),
        "feature_scale_": Number(0),
    }

    def __init__(
        self,
        n_components=20,
        *,
        aggregate="mean",
        n_neighbors=3,
        n_pairs=50_000,
        alpha=0.0001,
        max_iter=50,
        tol=1e-6,
        random_state=None,
    ):
        self.n_components = n_components
        self.aggregate = aggregate
        self.n_neighbors = n_neighbors
        self.n_pairs = n_pairs
        self.alpha = alpha
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state

    def fit(self, X, y=None, *, item_features=None):
        """Learn the projection.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions, >= 0; their values do not matter.
        y : ignored
            Present for scikit-learn's conventions.
        item_features : ItemFeatures, {array-like, sparse matrix, dataframe} of shape \
                (n_items, n_item_features), default=None
            Row i describes column i of X. None: only its place describes an item.

        Returns
        -------
        self : IBR
            The fitted recommender.

        Raises
        ------
        ValueError
            If a parameter, X or the features are not valid.
        """
        X = self._start_fit(X)
        features = self._start_side(X, item_features=item_features).item_features
        if features is None:
            features = eye_array(X.shape[1], format="csr")
        features = features.astype(np.float64)
        kept = np.bincount(X.indices, minlength=X.shape[1]) > 0
        self.feature_scale_ = mean_length(features, kept)
        features = features / self.feature_scale_
        random_state = check_random_state(self.random_state)
        related = related_pairs(X, self.n_pairs, random_state)
        others = random_pairs(np.flatnonzero(kept), len(related), random_state)
        first = self._first_projection(features, kept, random_state)
        self._minimise(features, related, others, first)
        self.components_ = np.ascontiguousarray((features @ self.projection_).T, dtype=X.dtype)
        return self

    def _first_projection(self, features, kept, random_state):
        """Normal numbers, with zeros for features that no item with users has."""
        seen = seen_features(features, kept)
        first = np.zeros((features.shape[1], self.n_components))
        first[seen] = random_state.normal(size=(seen.sum(), self.n_components))
        return first / np.sqrt(self.n_components)

    def _minimise(self, features, related, others, first):
        """Run L-BFGS from a first projection, and set the projection and intercept."""
        self.projection_, self.intercept_ = first, 0.0
        self.loss_curve_, self.n_iter_ = [], 0
        if not len(related) or not len(others):
            return
        objective = StyleObjective(features, related, others, self.alpha)
        # The first c lets half of the pairs go together.
        start = np.append(first.ravel(), objective.mean_distance(first))

        def keep(intermediate_result):
            self.loss_curve_.append(float(intermediate_result.fun))

        found = minimize(
            objective,
            start,
            jac=True,
            method="L-BFGS-B",
            callback=keep,
            options={"maxiter": self.max_iter, "ftol": self.tol, "gtol": 0},
        )
        self.n_iter_ = len(self.loss_curve_)
        self.projection_ = found.x[:-1].reshape(first.shape)
        self.intercept_ = float(found.x[-1])

    def _tables(self, dtype):
        return distances(self.components_.T.astype(dtype))

    def similar_items(self, items, k=10, *, return_scores=False):
        """Find the items at the least distances of given ones.

        Parameters
        ----------
        items : array-like of int of shape (n,)
            Column indices of X.
        k : int, default=10
            Length of the lists.
        return_scores : bool, default=False
            Whether to return minus the distances as well.

        Returns
        -------
        similar : ndarray of intp of shape (n, k)
            Nearest first, never the item itself; padded with -1.
        scores : ndarray of shape (n, k)
            Only with ``return_scores=True``; -inf beside -1.

        Raises
        ------
        ValueError
            If an index is out of range or k is not a whole number >= 1.
        """
        check_is_fitted(self)
        own, other = self._tables(self.components_.dtype)
        return nearest_items(
            lambda chosen: own[chosen] @ other.T,
            items,
            len(own),
            k,
            dtype=own.dtype,
            return_scores=return_scores,
        )

    def _check_fitted(self):
        self._check_width("projection_", len(self.projection_))

    def _extended(self, item_features):
        new = ((item_features / self.feature_scale_) @ self.projection_).T
        return {"components_": np.hstack([self.components_, new.astype(self.components_.dtype)])}


class StyleObjective:
    """The objective of IBR and its gradient at a projection and an intercept in one vector.

    Parameters
    ----------
    features : ndarray or csr_array of shape (n_items, n_features)
    related, others : ndarray of int of shape (n_pairs, 2)
        Pairs of items that go together, and that do not.
    alpha : float
    """

    def __init__(self, features, related, others, alpha):
        self.features, self.alpha = features, alpha
        self._transposed = features.T.tocsr() if hasattr(features, "tocsr") else features.T
        pairs = np.concatenate([related, others])
        signs = np.tile([1.0, -1.0], len(pairs))
        places = 2 * np.arange(len(pairs) + 1)
        # Row p holds 1 and -1 at the items of pair p: a product makes the differences.
        shape = (len(pairs), features.shape[0])
        self._difference = csr_array((signs, pairs.ravel(), places), shape=shape)
        self._back = self._difference.T.tocsr()
        self._sign = np.repeat([1.0, -1.0], [len(related), len(others)])

    def mean_distance(self, projection):
        """Mean distance over all pairs."""
        return np.square(self._difference @ (self.features @ projection)).sum(axis=1).mean()

    def __call__(self, vector):
        projection = vector[:-1].reshape(self.features.shape[1], -1)
        difference = self._difference @ (self.features @ projection)  # (2 n_pairs, n_components)
        margin = self._sign * (vector[-1] - np.einsum("pk,pk->p", difference, difference))
        loss = np.logaddexp(0, -margin).mean() + self.alpha / 2 * np.square(projection).sum()
        slope = -self._sign * expit(-margin) / len(margin)  # of the loss, by c - d
        by_item = self._back @ (-2 * slope[:, None] * difference)
        gradient = self._transposed @ by_item + self.alpha * projection
        return loss, np.append(gradient.ravel(), slope.sum())


def related_pairs(X, n_pairs, random_state):
    """Pairs of different items of one row: draws an entry, then another entry of its row.

    Returns
    -------
    pairs : ndarray of int of shape (n_pairs, 2)
        Empty if no row has two items.
    """
    lengths = np.diff(X.indptr)
    row = np.repeat(np.arange(len(lengths)), lengths)
    entries = np.flatnonzero(lengths[row] > 1)
    if not len(entries):
        return np.empty((0, 2), np.intp)
    first = entries[random_state.randint(len(entries), size=n_pairs)]
    start, length = X.indptr[row[first]], lengths[row[first]]
    second = start + (first - start + random_state.randint(1, length)) % length
    return np.column_stack([X.indices[first], X.indices[second]]).astype(np.intp)


def random_pairs(items, n_pairs, random_state):
    """Pairs of two different items."""
    if len(items) < 2:
        return np.empty((0, 2), np.intp)
    first = random_state.randint(len(items), size=n_pairs)
    second = (first + random_state.randint(1, len(items), size=n_pairs)) % len(items)
    return np.column_stack([items[first], items[second]])
