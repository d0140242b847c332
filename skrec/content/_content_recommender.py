"""ContentRecommender: any classifier or regressor over rows of a user and an item."""

import numpy as np
from scipy.sparse import csr_array, vstack
from sklearn.base import BaseEstimator, MetaEstimatorMixin, is_classifier, is_regressor
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.utils import check_random_state, get_tags

from skrec._delegation import seeded_clone
from skrec._evaluation._entries import entry_rows
from skrec.base import BaseRecommender, UserSideMixin
from skrec.content._pair_rows import (
    Part,
    id_columns,
    item_part,
    n_pair_columns,
    pair_rows,
    places_of,
    sampled_among,
    sampled_negatives,
    user_part,
)
from skrec.utils._fitted import Absent, Array, Fitted, Sparse, refused
from skrec.utils._hashing import match_rows, row_hashes
from skrec.utils._memory import check_memory
from skrec.utils._params import BOOLEAN, NONE, POSITIVE_INTEGER, InstanceOf, Options
from skrec.utils._sparse import pattern

# Bytes of the rows of pairs that are scored at once.
_CHUNK_BYTES = 1 << 26


class ContentRecommender(MetaEstimatorMixin, UserSideMixin, BaseRecommender):
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
        What values of X mean. For "implicit" only which items a user has matters.
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

    Notes
    -----
    A row of X with the content of a training row has the id of that user. Any other row is an
    unknown user, whose columns of the id are zeros, and is scored by its features and context.
    Nothing is folded in.

    With ``pairs="product"`` there are n_users * n_item_features columns for the ids of users: a
    model of each user's own. Where that is too many use ``use_ids=False``, or fewer features.
    Scale features first; a penalty means nothing else.

    All pairs of a user and an item that are scored are made into rows, in chunks. That costs a
    prediction of `estimator` for each item, many times that of a factor model.

    `skrec.load` takes plain arrays only, and trees of scikit-learn hold others: save a model
    around trees or forests with joblib.

    References
    ----------
    .. [1] M. J. Pazzani, D. Billsus, "Content-based recommendation systems",
       The Adaptive Web, Springer 2007.

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
        "n_negatives": POSITIVE_INTEGER,
        "use_ids": BOOLEAN,
        "pairs": Options(("concatenate", "product")),
        "feedback": Options(("implicit", "rating")),
    }
    _search_grid = [
        {"n_negatives": n_negatives, "use_ids": use_ids}
        for n_negatives in (1, 4, 10)
        for use_ids in (True, False)
    ]
    # Without features all it can learn is how popular items are.
    _may_score_alike = True

    _fitted_rules = {
        "estimator_": Fitted("predict", size="n_pair_columns"),
        "item_columns_": Array("n_items", dtypes=("int64",), low=-1, high="n_items"),
        "item_known_": Absent(Sparse("n_items", "n_item_features")),
        "user_hashes_": Absent(Array("n_users", 2, dtypes=("uint64",))),
    }

    def __init__(
        self,
        estimator=None,
        *,
        n_negatives=4,
        use_ids=True,
        pairs="product",
        feedback="implicit",
        random_state=None,
    ):
        self.estimator = estimator
        self.n_negatives = n_negatives
        self.use_ids = use_ids
        self.pairs = pairs
        self.feedback = feedback
        self.random_state = random_state

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = not self._rates
        tags.recommender_tags.predicts_ratings = self._rates
        tags.recommender_tags.learned_users = self.use_ids is True
        return tags

    @property
    def _rates(self):
        return isinstance(self.feedback, str) and self.feedback == "rating"

    def _base(self):
        if self.estimator is not None:
            return self.estimator
        return Ridge() if self._rates else LogisticRegression(max_iter=1000)

    def fit(self, X, y=None, *, item_features=None, user_features=None, context=None):
        """Make rows of the interactions and fit the estimator to them.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions, >= 0, or ratings.
        y : ignored
            Present for scikit-learn's conventions.
        item_features : ItemFeatures, {array-like, sparse matrix, dataframe} of shape \
                (n_items, n_item_features), default=None
            Row i describes column i of X.
        user_features : {array-like, sparse matrix, dataframe} of shape \
                (n_users, n_user_features), default=None
            Row u describes row u of X.
        context : InteractionContext, default=None
            One row for each stored entry of X. A drawn item has that of its interaction.

        Returns
        -------
        self : ContentRecommender
            The fitted recommender.

        Raises
        ------
        TypeError
            If `estimator` is neither a classifier nor a regressor.
        ValueError
            If a parameter, X or the features are not valid.
        MemoryError
            If the rows do not fit into memory.
        """
        return self._fit_against(
            X, None, item_features=item_features, user_features=user_features, context=context
        )

    def _fit_against(self, X, shown, *, item_features=None, user_features=None, context=None):
        """`fit` with negatives drawn among the items of `shown`, a csr_array; None: all."""
        X = self._start_fit(X)
        side = self._start_side(
            X, item_features=item_features, user_features=user_features, context=context
        )
        base = self._base()
        if not (is_classifier(base) or is_regressor(base)):
            raise TypeError(
                "The `estimator` of ContentRecommender must be a classifier or a regressor of "
                f"scikit-learn. Got {type(base).__name__}."
            )
        random_state = check_random_state(self.random_state)
        has_users = np.bincount(X.indices, minlength=X.shape[1]) > 0
        items = item_part(side.item_features, has_users, self.use_ids)
        self.item_columns_ = places_of(items.ids)
        for name in ("item_known_", "user_hashes_"):
            vars(self).pop(name, None)
        if side.item_features is not None:
            self.item_known_ = items.known
        if self.use_ids:
            self.user_hashes_ = row_hashes(self._content(X))
        rows, labels = self._training_rows(X, items, side, shown, random_state)
        model = seeded_clone(base, random_state)
        if len(labels) == 0 or (labels == labels[0]).all():  # nothing to tell apart
            model = DummyRegressor(strategy="constant", constant=labels[0] if len(labels) else 0.0)
            rows, labels = csr_array((1, rows.shape[1])), np.zeros(1)
        self.estimator_ = model.fit(self._as_taken(rows, model), labels)
        return self

    def _training_rows(self, X, items, side, shown, random_state):
        """Rows and labels of the interactions, and of drawn items where there are no ratings."""
        entries, taken = np.arange(X.nnz), X.indices
        labels = X.data.astype(np.float64)
        if not self._rates:
            if shown is None:
                drawn_for, drawn = sampled_negatives(X, self.n_negatives, random_state)
            else:
                drawn_for, drawn = sampled_among(X, shown, self.n_negatives, random_state)
            labels = np.repeat([1, 0], [X.nnz, len(drawn)])
            entries, taken = np.concatenate([entries, drawn_for]), np.concatenate([taken, drawn])
        user = entry_rows(X)[entries]
        n_users = X.shape[0] if self.use_ids else 0
        places = user if self.use_ids else np.full(len(user), -1)
        known = None if side.user_features is None else side.user_features[user]
        context = None if side.context is None else side.context[entries]
        users = user_part(places, n_users, known, context)
        self._check_memory(users, items, len(labels))
        return pair_rows(users, items.take(taken), self.pairs), labels

    def _check_memory(self, users, items, n_rows):
        n_columns = n_pair_columns(users, items, self.pairs)
        mean = (users.ids.nnz + users.known.nnz) / max(n_rows, 1)
        mean_item = (items.ids.nnz + items.known.nnz) / items.shape[0]
        stored = mean + mean_item + (mean * mean_item if self.pairs == "product" else 0)
        per_row = 16 * stored if self._takes_sparse(self._base()) else 8 * n_columns
        check_memory(
            int(n_rows * per_row + 32 * n_columns),
            f"ContentRecommender with {n_rows:,} rows of {n_columns:,} columns",
            [
                "use use_ids=False",
                "reduce the features first, such as by TruncatedSVD(50)",
                "lower n_negatives",
                "pass fewer users to fit",
            ],
        )

    @staticmethod
    def _takes_sparse(model):
        return get_tags(model).input_tags.sparse

    def _as_taken(self, rows, model):
        return rows if self._takes_sparse(model) else rows.toarray()

    def _content(self, X):
        """What training rows are known by."""
        return X if self._rates else pattern(X, dtype=X.dtype)

    def _check_fitted(self):
        known = {
            kind: getattr(self, f"n_{kind}_features_in_", 0) for kind in ("item", "user", "context")
        }
        width = self.item_known_.shape[1] if hasattr(self, "item_known_") else 0
        if width != known["item"]:
            found = f"{width} columns"
            raise refused("ContentRecommender.item_known_", found, f"{known['item']}")
        n_ids = len(getattr(self, "user_hashes_", ()))
        n_user = n_ids + known["user"] + known["context"]
        n_item_ids = int(self.item_columns_.max()) + 1
        expected = n_user + n_item_ids + known["item"]
        if self.pairs == "product":
            expected += n_user * known["item"] + (n_user - n_ids) * n_item_ids
        found = getattr(self.estimator_, "n_features_in_", expected)
        if found != expected:
            raise refused("ContentRecommender.estimator_", f"{found} features", f"{expected}")

    def _user_part(self, X, side):
        """Ids and features of rows; the context of a row is one of its features."""
        if not hasattr(self, "user_hashes_"):
            places, n_users = np.full(X.shape[0], -1), 0
        else:
            places = match_rows(self.user_hashes_, row_hashes(self._content(X)))
            n_users = len(self.user_hashes_)
        return user_part(places, n_users, side.user_features, side.context)

    def _scores(self, X, side):
        n_rows, n_items = X.shape
        pairs = np.arange(n_rows * n_items)
        users = self._user_part(X, side)
        return self._predicted(users, *np.divmod(pairs, n_items), X.dtype).reshape(X.shape)

    def _pair_scores(self, X, rows, items, side):
        if side.context is None:
            return self._predicted(self._user_part(X, side), rows, items, X.dtype)
        # Each pair has a situation of its own.
        side = side._replace(
            user_features=None if side.user_features is None else side.user_features[rows]
        )
        users = self._user_part(X[rows], side)
        return self._predicted(users, np.arange(len(rows)), items, X.dtype)

    def _predicted(self, users, rows, items, dtype):
        """What the model says of pairs, in chunks."""
        self._check_fitted()
        columns = self.item_columns_
        nothing = csr_array((len(columns), 0))
        of_items = Part(
            id_columns(columns, int(columns.max()) + 1), getattr(self, "item_known_", nothing)
        )
        n_columns = n_pair_columns(users, of_items, self.pairs)
        widths = [
            np.diff(part.ids.indptr).max(initial=0) + np.diff(part.known.indptr).max(initial=0)
            for part in (users, of_items)
        ]
        width = sum(widths) + (widths[0] * widths[1] if self.pairs == "product" else 0)
        per_row = 32 * width if self._takes_sparse(self.estimator_) else 8 * n_columns
        step = max(1, _CHUNK_BYTES // max(1, int(per_row)))
        scores = np.empty(len(rows), dtype=dtype)
        for start in range(0, len(rows), step):
            part = slice(start, start + step)
            pairs = pair_rows(users.take(rows[part]), of_items.take(items[part]), self.pairs)
            try:
                scores[part] = self._said_of(self._as_taken(pairs, self.estimator_))
            except AttributeError as error:  # of a file in which a part is missing
                got = f"{type(self.estimator_).__name__} without {error.name!r}"
                raise refused("ContentRecommender.estimator_", got, "a whole one") from error
        return scores

    def _said_of(self, rows):
        model = self.estimator_
        if not is_classifier(model):
            return model.predict(rows)
        if self._rates:
            if not hasattr(model, "predict_proba"):
                return model.predict(rows)
            return model.predict_proba(rows) @ model.classes_
        if hasattr(model, "decision_function"):
            return model.decision_function(rows)
        return model.predict_proba(rows)[:, 1]

    def _extended(self, item_features):
        none = np.full(item_features.shape[0], -1)
        known = [self.item_known_, csr_array(item_features, dtype=np.float64)]
        return {
            "item_columns_": np.concatenate([self.item_columns_, none]),
            "item_known_": csr_array(vstack(known, format="csr")),
        }
