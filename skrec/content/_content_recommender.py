"""ContentRecommender: any classifier or regressor over rows of a user and an item."""

from sklearn.base import BaseEstimator, MetaEstimatorMixin
from sklearn.linear_model import LogisticRegression, Ridge

from skrec.content._pair_recommender import PAIR_RULES, PairRecommender
from skrec.utils._params import NONE, InstanceOf, Options


class ContentRecommender(MetaEstimatorMixin, PairRecommender):
    r"""A scikit-learn classifier or regressor, fitted to rows of a user and an item.

    The classical content-based approach [1]_: each interaction is a row

    .. math:: [\, \mathrm{user\ id},\ \mathrm{user\ features},\ \mathrm{context} \mid
        \mathrm{item\ id},\ \mathrm{item\ features} \,]

    with one-hot ids, and `estimator` learns the label of rows. With ``feedback="rating"`` the label
    is the rating. With ``feedback="implicit"`` it is 1. For each interaction, `n_negatives` rows of
    the same user (in the same context) have the label 0; their items are drawn uniformly among
    those that somebody has and this user does not. To score an item, the estimator predicts the
    row of the user and the item: by its ``decision_function`` or the probability of a 1, by its
    prediction, or, for a classifier of ratings, by the mean under its probabilities.

    Columns of users add the same number to all items in a linear model: around ``Ridge()``,
    ``pairs="concatenate"`` ranks the items alike for every user. By default the row therefore also
    holds the product of each user column with each item column, except of two ids, so that a
    linear model learns which item features go with which users and user features. Trees, forests
    and networks find such products themselves: give them ``pairs="concatenate"``.

    Parameters
    ----------
    estimator : classifier or regressor, default=None
        A scikit-learn estimator, a pipeline that ends in one, or a search. It gets dense rows if
        it does not take sparse input. None: ``LogisticRegression(max_iter=1000)``, for ratings
        ``Ridge()``.
    n_negatives : int, default=4
        Rows with label 0 for each interaction; only for "implicit".
    use_ids : bool, default=True
        Whether rows have the ids of users, and of items where there are item features. Without
        item features, rows always have the ids of items.
    pairs : {"concatenate", "product"}, default="product"
        The columns of a row, see above.
    feedback : {"implicit", "rating"}, default="implicit"
        Meaning of the values of X. For "implicit" only the set of a user's items matters, except
        with ``weights="value"``.
    weights : {"uniform", "value"}, default="uniform"
        Weight of an interaction's row: 1, or the value in X. Rows of drawn items weigh 1. "value"
        needs an `estimator` that takes `sample_weight`, and "implicit".
    random_state : int, RandomState or None, default=None
        Seed of the drawn items, and of `estimator` where its own `random_state` is None.

    Attributes
    ----------
    estimator_ : estimator
        The fitted model; a `DummyRegressor` where all labels are the same.
    item_columns_ : ndarray of int64 of shape (n_items,)
        Column of an item's id in rows; -1 if the item had no users or rows have no ids.
    item_known_ : csr_array of shape (n_items, n_item_features)
        The features of items; only if there were any.
    user_hashes_ : ndarray of uint64 of shape (n_users, 2)
        Hashes that identify the rows of training users; only with ``use_ids=True``.
    n_features_in_ : int
        Number of items.
    feature_names_in_ : ndarray of str of shape (n_items,)
        Only if X has string column names.

    See Also
    --------
    skrec.neighbors.ItemKNN : Similarity of items by features, without learning.
    ColdStart : Learns from features the scores of another model for items without users.
    DeepFM, WideAndDeep : The same rows, as fields of one network.

    Notes
    -----
    A row of X that equals a training row has the id of that user. Any other row is an unknown
    user: its id columns are zeros, and its features and context score it. Nothing is folded in.

    With ``pairs="product"`` the ids of users take n_users * n_item_features columns: a model for
    each user. If that is too many, use ``use_ids=False`` or fewer features. Scale features first,
    since a penalty depends on their unit.

    **Watch time.** A logistic regression with ``weights="value"`` is YouTube's ranking model [2]_.
    If X holds watched minutes, the model learns as odds the minutes for each row of label 0. So
    ``exp(decision_function)`` is about the expected watch time of an impression, if few
    impressions are watched. This holds for impressions given to ``fit_rows``. With drawn items it
    holds up to a factor, which leaves the ranking as it is. The paper feeds numbers as x, x^2 and
    sqrt(x): make such columns with scikit-learn's `FunctionTransformer`.

    **Context.** ``fit`` takes an `InteractionContext`; scoring takes one row for each row of X, or
    for each pair. Use ``fit_rows`` where a pair has many contexts.

    *Time*: scoring makes a row for each pair of a user and an item, in chunks. That costs one
    prediction of `estimator` per item, many times the cost of a factor model.

    `skrec.load` takes plain arrays only, and scikit-learn's trees hold other objects: save a model
    around trees or forests with joblib.

    References
    ----------
    .. [1] M. J. Pazzani, D. Billsus, "Content-based recommendation systems",
       The Adaptive Web, Springer 2007.
    .. [2] P. Covington, J. Adams and E. Sargin, "Deep neural networks for YouTube
       recommendations", RecSys 2016.

    Examples
    --------
    Half of the users take items of one genre, the other half items of the other genre. Nobody has
    the last two items:

    >>> import numpy as np
    >>> from skrec.content import ContentRecommender
    >>> genre = np.eye(2)[[0, 0, 0, 1, 1, 1, 0, 1]]
    >>> X = np.array([[1, 1, 1, 0, 0, 0, 0, 0], [0, 0, 0, 1, 1, 1, 0, 0]] * 10)
    >>> model = ContentRecommender(random_state=0).fit(X, item_features=genre)
    >>> model.recommend(X[:2], k=1, items=[6, 7]).ravel()
    array([6, 7])
    """

    _parameter_rules = {
        "estimator": (NONE, InstanceOf((BaseEstimator,), "an estimator (not a class)")),
        "pairs": Options(("concatenate", "product")),
        **PAIR_RULES,
    }
    _search_grid = [
        {"n_negatives": n_negatives, "use_ids": use_ids}
        for n_negatives in (1, 4, 10)
        for use_ids in (True, False)
    ]

    def __init__(
        self,
        estimator=None,
        *,
        n_negatives=4,
        use_ids=True,
        pairs="product",
        feedback="implicit",
        weights="uniform",
        random_state=None,
    ):
        self.estimator = estimator
        self.n_negatives = n_negatives
        self.use_ids = use_ids
        self.pairs = pairs
        self.feedback = feedback
        self.weights = weights
        self.random_state = random_state

    @property
    def _pair_columns(self):
        return self.pairs

    def _base(self):
        if self.estimator is not None:
            return self.estimator
        return Ridge() if self._rates else LogisticRegression(max_iter=1000)
