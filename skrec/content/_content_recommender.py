"""ContentRecommender: any classifier or regressor over rows of a user and an item."""

from sklearn.base import BaseEstimator, MetaEstimatorMixin
from sklearn.linear_model import LogisticRegression, Ridge

from skrec.content._pair_recommender import PAIR_RULES, PairRecommender
from skrec.utils._params import NONE, InstanceOf, Options


class ContentRecommender(MetaEstimatorMixin, PairRecommender):
    r"""A classifier or regressor of scikit-learn, fitted to rows of a user and an item.

    The classical content-based approach [1]_: each interaction is a row

    .. math:: [\, \mathrm{user\ id},\ \mathrm{user\ features},\ \mathrm{context} \mid
        \mathrm{item\ id},\ \mathrm{item\ features} \,]

    with one-hot ids, and `estimator` learns the label of rows. With ``feedback="implicit"`` it is
    1, and 0 for rows of the same user (in the same context) and `n_negatives` items drawn
    uniformly among those that the user has not and somebody has; with ``feedback="rating"`` it is
    the rating. The score of an item is what the estimator says of the row that it makes with the
    user: its ``decision_function`` or the probability of a 1, its prediction, or for a classifier
    of ratings their mean under its probabilities.

    What a linear model adds up from both sides orders items for all users alike: around
    ``Ridge()``, ``pairs="concatenate"`` gives every user the same ranking. By default the row also
    holds the products of each user column with each item column, but those of two ids, so that a
    linear model learns which item features users and their features go with. Trees, forests and
    networks find such products themselves, and want ``pairs="concatenate"``.

    Parameters
    ----------
    estimator : classifier or regressor, default=None
        An estimator of scikit-learn, a pipeline that ends in one, or a search. One that does not
        take sparse input gets dense rows. None: ``LogisticRegression(max_iter=1000)``, for ratings
        ``Ridge()``.
    n_negatives : int, default=4
        Rows with label 0 for each interaction; "implicit" only.
    use_ids : bool, default=True
        Whether rows have the ids of users, and of items where there are item features; without
        item features, items always have theirs.
    pairs : {"concatenate", "product"}, default="product"
        What the columns of a row are, see above.
    feedback : {"implicit", "rating"}, default="implicit"
        What values of X mean. For "implicit" only which items a user has matters, but for
        `weights`.
    weights : {"uniform", "value"}, default="uniform"
        What the row of an interaction weighs: 1, or the value in X. Rows of drawn items weigh 1.
        For "value", `estimator` must take a `sample_weight`; "implicit" only.
    random_state : int, RandomState or None, default=None
        Seed of the drawn items, and of `estimator` where its own `random_state` is None.

    Attributes
    ----------
    estimator_ : estimator
        The fitted model; a `DummyRegressor` where all labels are the same.
    item_columns_ : ndarray of int64 of shape (n_items,)
        Which column of ids an item has in rows; -1: none, as it had no users, or rows have no ids.
    item_known_ : csr_array of shape (n_items, n_item_features)
        The features of items; only if there were any.
    user_hashes_ : ndarray of uint64 of shape (n_users, 2)
        By which training users are known again; with ``use_ids=True`` only.
    n_features_in_ : int
        Number of items.
    feature_names_in_ : ndarray of str of shape (n_items,)
        Only if X has string column names.

    See Also
    --------
    skrec.neighbors.ItemKNN : Likeness of items by features, without learning.
    ColdStart : Learns from features how items would score in another model.
    DeepFM, WideAndDeep : The same rows, as fields of one network.

    Notes
    -----
    A row of X with the content of a training row has the id of that user. Any other row is an
    unknown user, whose columns of the id are zeros, and is scored by its features and context.
    Nothing is folded in.

    With ``pairs="product"`` there are n_users * n_item_features columns for the ids of users: a
    model of each user's own. Where that is too many use ``use_ids=False``, or fewer features.
    Scale features first; a penalty means nothing else.

    **Watch time.** A logistic regression with ``weights="value"`` is YouTube's ranking model [2]_.
    Where X has the minutes that were watched, the odds that it learns are those minutes for each
    row of label 0, so that ``exp(decision_function)`` is about the expected watch time of an
    impression, if few of them are watched. That is so for impressions given to ``fit_rows``; with
    drawn items it is that number but for a factor, and orders items alike. The paper gives numbers
    as x, x^2 and sqrt(x): make such columns of the features by scikit-learn's
    `FunctionTransformer`.

    **Context.** ``fit`` takes an `InteractionContext`, and scoring takes one row for each row of X,
    or for each pair. Where a pair has many contexts use ``fit_rows``.

    All pairs of a user and an item that are scored are made into rows, in chunks. That costs a
    prediction of `estimator` for each item, many times that of a factor model.

    `skrec.load` takes plain arrays only, and trees of scikit-learn hold others: save a model
    around trees or forests with joblib.

    References
    ----------
    .. [1] M. J. Pazzani, D. Billsus, "Content-based recommendation systems",
       The Adaptive Web, Springer 2007.
    .. [2] P. Covington, J. Adams and E. Sargin, "Deep neural networks for YouTube
       recommendations", RecSys 2016.

    Examples
    --------
    Half of the users take items of one genre, the others those of the other; nobody has the last
    two items:

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
