"""P3alpha: random walks of three steps score the items where they end."""

from functools import partial

import numpy as np
from scipy.sparse import csr_array
from sklearn.utils.validation import check_is_fitted

from skrec.base import BaseRecommender
from skrec.neighbors._walks import powers_of_shares, transitions
from skrec.utils._explain import explain_scores, stored_weights
from skrec.utils._fitted import Sparse
from skrec.utils._lists import ordered_lists
from skrec.utils._params import BOOLEAN, NON_NEGATIVE, NONE, POSITIVE_INTEGER
from skrec.utils._products import sparse_product, sparse_product_pairs
from skrec.utils._validation import check_item_list, check_k, check_sample_weight


class P3alpha(BaseRecommender):
    r"""Random walks of three steps on the graph of users and items.

    A walk goes from a user u to one of the items of u, to one of the users of that item,
    and to one of the items of that user. Each step has a probability in proportion to
    the values of X: :math:`p_{ui} = x_{ui} / \sum_j x_{uj}` and
    :math:`p_{iu} = x_{ui} / \sum_v x_{vi}`. Each probability is raised to the power a,
    `exponent`. The score of an item is the sum over the walks that end at it [1]_:

    .. math:: s_{ut} = \sum_i p_{ui}^a T_{it}, \qquad
              T_{it} = \sum_v p_{iv}^a \, p_{vt}^a \quad (i \ne t).

    T is `similarity_`, a transition matrix between items. Each item t keeps the `n_neighbors`
    items i that lead to it with the largest weights. With a = 1 and all neighbours, scores are
    the probabilities of the walks, without walks that return to the item they came through. An
    exponent below 1 favours items that many walks reach.

    Scores rank items. A user without items gets zeros.

    Parameters
    ----------
    n_neighbors : int or None, default=100
        Neighbours kept of each item. None keeps all, if there is memory for them.
    exponent : float, default=0.7
        The power a >= 0 of each step's probability, the paper's :math:`\alpha`. Published
        values lie between 0.3 and 2; 1 is the plain walk.
    normalize : bool, default=True
        Whether the kept weights of each item i, :math:`T_{i \cdot}`, are scaled to sum to one.
        That spreads the weight lost in the cut at `n_neighbors` over the kept weights.
    n_jobs : int or None, default=None
        Threads; None: all cores. The result does not depend on it.

    Attributes
    ----------
    similarity_ : csr_array of shape (n_items, n_items), dtype of X
        T: entry (i, t) is the weight of a user's item i for item t. A column holds at most
        `n_neighbors` entries; the diagonal is empty.
    n_features_in_ : int
        Number of items.
    feature_names_in_ : ndarray of str of shape (n_items,)
        Only if X has string column names.

    See Also
    --------
    RP3beta : The same, with popular items weighed down.
    ItemKNN : Similarities of other kinds, ratings too.
    skrec.decomposition.GraphFilter : Walks of all lengths, by the spectrum of the graph.

    Notes
    -----
    Values are the weights of the edges: counts lead walks to the items that a user has often.
    To treat all interactions alike, put scikit-learn's ``Binarizer`` before.

    `ItemKNN` with ``metric="asymmetric_cosine"``, ``source_exponent=2 * a``,
    ``target_exponent=0`` is similar: if X is 0/1 and all users have equally many items, the
    weights are the same up to a factor.

    Differs from [1]_: [1]_ keeps all transitions and scales none. Here they are cut and scaled
    as in the experiments of [2]_, except for the side of the cut: in [2]_ each item i keeps the
    items that it leads to most, which are popular ones. On MovieLens-1M the cut here gives better
    lists.

    Time is one pass over the pairs of items within each user. Memory holds the neighbours,
    12 bytes each, and one row of products per thread.

    References
    ----------
    .. [1] C. Cooper, S. H. Lee, T. Radzik and Y. Siantos, "Random walks in recommender
       systems: exact computation and simulations", WWW 2014 Companion.
    .. [2] M. Ferrari Dacrema, S. Boglio, P. Cremonesi and D. Jannach, "A troubling
       analysis of reproducibility and progress in recommender systems research", ACM
       Transactions on Information Systems 39(2), 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.neighbors import P3alpha
    >>> X = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 1, 1], [0, 1, 1, 1]])
    >>> model = P3alpha(exponent=1.0, normalize=False).fit(X)
    >>> model.predict([[1, 0, 0, 0], [0, 0, 0, 1]])
    array([1, 2])
    >>> model.similarity_.toarray()[0].round(3)  # the walks through item 0
    array([0.   , 0.417, 0.167, 0.   ])
    """

    _parameter_rules = {
        "n_neighbors": (NONE, POSITIVE_INTEGER),
        "exponent": NON_NEGATIVE,
        "normalize": BOOLEAN,
    }
    _search_grid = [
        {"n_neighbors": n_neighbors, "exponent": exponent}
        for n_neighbors in (50, 100, 200, 1000)
        for exponent in (0.5, 0.7)
    ]
    _fitted_rules = {"similarity_": Sparse("n_items", "n_items")}
    _popularity_exponent = 0.0

    def __init__(self, n_neighbors=100, *, exponent=0.7, normalize=True, n_jobs=None):
        self.n_neighbors = n_neighbors
        self.exponent = exponent
        self.normalize = normalize
        self.n_jobs = n_jobs

    def fit(self, X, y=None, *, sample_weight=None):
        """Add up the walks between items.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions, >= 0.
        y : ignored
            Present for scikit-learn's conventions.
        sample_weight : array-like of shape (n_users,), default=None
            Weights of the users; a weight of 2 is the same as the row twice.

        Returns
        -------
        self : object
            The fitted recommender.

        Raises
        ------
        ValueError
            If a parameter or X is not valid.
        """
        X = self._start_fit(X)
        weight = check_sample_weight(sample_weight, X.shape[0], np.float64)
        found = transitions(
            X,
            sample_weight=weight,
            exponent=self.exponent,
            popularity_exponent=self._popularity_exponent,
            n_neighbors=self.n_neighbors,
            normalize=self.normalize,
            n_jobs=self.n_jobs,
        )
        self.similarity_ = found.astype(X.dtype, copy=False)
        return self

    def _first_step(self, X):
        """The powers of the probabilities of a user's items, in the dtype of X."""
        values = powers_of_shares(X, self.exponent).astype(X.dtype, copy=False)
        return csr_array((values, X.indices, X.indptr), shape=X.shape)

    def _scores(self, X):
        steps = self._first_step(X)
        return sparse_product(steps, self.similarity_, dtype=X.dtype, n_jobs=self.n_jobs)

    def _pair_scores(self, X, rows, items):
        columns = self.similarity_.T.tocsr()
        return sparse_product_pairs(self._first_step(X), columns, rows, items, dtype=X.dtype)

    def explain(self, X, items):
        """Split scores into the walks through each item of the user.

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
            Row ``u * m + j`` holds, at each item of user u, the sum over the walks through that
            item to ``items[u, j]``. Each row sums to the score.

        Raises
        ------
        ValueError
            If `items` does not have one row per user or is out of range.
        """
        steps = self._first_step(self._start_scoring(X))
        return explain_scores(steps, items, partial(stored_weights, self.similarity_))

    def similar_items(self, items, k=10, *, return_scores=False):
        """Find the items that walks from given items reach most.

        Parameters
        ----------
        items : array-like of int of shape (n,)
            Column indices of X.
        k : int, default=10
            Length of the lists.
        return_scores : bool, default=False
            Whether to return the weights as well.

        Returns
        -------
        similar : ndarray of intp of shape (n, k)
            Column indices of X by descending ``similarity_[items]``, lower indices first among
            equals; padded with -1. A user who has only that item gets the same list.
        weights : ndarray of shape (n, k), dtype of `similarity_`
            Only with ``return_scores=True``; -inf beside -1.

        Raises
        ------
        ValueError
            If an index is out of range or k is not a whole number >= 1.
        """
        check_is_fitted(self)
        k = check_k(k)
        items = check_item_list(items, self.similarity_.shape[0])
        found, weights = ordered_lists(self.similarity_[items], k, n_jobs=self.n_jobs)
        return (found, weights) if return_scores else found
