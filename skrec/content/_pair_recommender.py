"""A classifier or regressor of rows of a user and an item as a recommender: fit and scores."""

import numpy as np
from scipy.sparse import csr_array, vstack
from sklearn.base import is_classifier, is_regressor
from sklearn.dummy import DummyRegressor
from sklearn.utils import check_random_state, get_tags

from skrec._delegation import seeded_clone
from skrec.base import BaseRecommender, UserSideMixin
from skrec.content._pair_log import checked_log, drawn_log, fit_weighted, log_of
from skrec.content._pair_rows import (
    Part,
    id_columns,
    item_part,
    n_pair_columns,
    pair_rows,
    places_of,
    user_part,
)
from skrec.utils._finite import arithmetic
from skrec.utils._fitted import Absent, Array, Fitted, Sparse, refused
from skrec.utils._hashing import match_rows, row_hashes
from skrec.utils._memory import check_memory
from skrec.utils._params import BOOLEAN, POSITIVE_INTEGER, Options
from skrec.utils._restore import left_as_it_was
from skrec.utils._row_side import RowSide
from skrec.utils._side_information import SideInformation, start_side
from skrec.utils._sparse import pattern

# Bytes of the rows of pairs scored at once.
_CHUNK_BYTES = 1 << 26

PAIR_RULES = {
    "n_negatives": POSITIVE_INTEGER,
    "use_ids": BOOLEAN,
    "feedback": Options(("implicit", "rating")),
    "weights": Options(("uniform", "value")),
}


class PairRecommender(UserSideMixin, BaseRecommender):
    """A model of rows of a user and an item, as a recommender.

    A subclass writes `__init__`, with the parameters of `PAIR_RULES` and `random_state`, and
    `_base`; it may write `_for_columns` and `_pair_columns`.
    """

    # Without features it can only learn the popularity of items.
    _may_score_alike = True
    # The columns of rows, see `pair_rows`.
    _pair_columns = "concatenate"

    _fitted_rules = {
        "estimator_": Fitted("predict", size="n_pair_columns"),
        "item_columns_": Array("n_items", dtypes=("int64",), low=-1, high="n_items"),
        "item_known_": Absent(Sparse("n_items", "n_item_features")),
        "user_hashes_": Absent(Array("n_users", 2, dtypes=("uint64",))),
    }

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
        """The classifier or regressor to fit to rows."""
        raise NotImplementedError

    def _for_columns(self, model, users, items, side):
        """The model, told the columns of its rows."""
        return model

    def fit(self, X, y=None, *, item_features=None, user_features=None, context=None):
        """Fit the model to rows made of the interactions.

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
            One row for each stored entry of X. A drawn item has the context of its interaction.

        Returns
        -------
        self : object
            The fitted recommender.

        Raises
        ------
        TypeError
            If a given model is neither a classifier nor a regressor.
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
        self._check_model()
        random_state = check_random_state(self.random_state)
        log = log_of(X, side.context)
        if not self._rates:
            log = drawn_log(log, X, shown, self.n_negatives, random_state)
        return self._learn(X, log, side, X.indices, random_state)

    @left_as_it_was
    def fit_rows(
        self,
        users,
        items,
        y=None,
        *,
        item_features=None,
        user_features=None,
        context=None,
        shape=None,
    ):
        """Fit the model to a log, which may hold many rows of the same user and item.

        A matrix has one entry for each pair. A log has a row for each time that a user took an
        item or was shown it, with the situation of that time.

        Parameters
        ----------
        users, items : array-like of int of shape (n_rows,)
            Places of the user and the item of each row, from 0 on.
        y : array-like of shape (n_rows,), default=None
            With "implicit" feedback, how much of the item was taken, > 0, or 0 for an item that
            was shown and not taken. If no value is 0, items are drawn for each row as by `fit`.
            With "rating", the ratings. None: ones.
        item_features : ItemFeatures, {array-like, sparse matrix, dataframe} of shape \
                (n_items, n_item_features), default=None
            Row i describes item i.
        user_features : {array-like, sparse matrix, dataframe} of shape \
                (n_users, n_user_features), default=None
            Row u describes user u.
        context : {array-like, sparse matrix, dataframe} of shape (n_rows, n_context_features), \
                default=None
            The situation of each row of the log. A drawn item has the situation of its row.
        shape : tuple of int, default=None
            (n_users, n_items). None: large enough for the log.

        Returns
        -------
        self : object
            The recommender, fitted as to a matrix X with ones where a value of `y` is > 0, or with
            the mean rating of each pair. It recognises the rows of this X.

        Raises
        ------
        TypeError
            If a given model is neither a classifier nor a regressor.
        ValueError
            If the arrays differ in length or hold wrong values, or a parameter or a table is not
            valid.
        MemoryError
            If the rows do not fit into memory.
        """
        with arithmetic(f"The fit of {type(self).__name__}"):
            log, X = checked_log(users, items, y, context, shape, rates=self._rates)
            X = self._start_fit(X)
            side = SideInformation(item_features, user_features, log.context)
            side = start_side(self, X, side, reads=frozenset(), of_rows=True)
            self._check_model()
            random_state = check_random_state(self.random_state)
            named = log.item
            if not self._rates:
                log = log._replace(label=(log.label > 0).astype(np.int64))
                if log.label.all():
                    log = drawn_log(log, X, None, self.n_negatives, random_state)
                else:
                    log = log._replace(value=np.where(log.label, log.value, 1.0))
            return self._learn(X, log, side, named, random_state)

    def _check_model(self):
        base = self._base()
        if not (is_classifier(base) or is_regressor(base)):
            raise TypeError(
                f"The `estimator` of {type(self).__name__} must be a classifier or a regressor of "
                f"scikit-learn. Got {type(base).__name__}."
            )
        if self._rates and self.weights == "value":
            raise ValueError(
                'weights="value" weighs interactions, and values are ratings with '
                'feedback="rating". Use weights="uniform", or feedback="implicit".'
            )

    def _learn(self, X, log, side, named, random_state):
        """Fit to a log; `named` are the items that have an id."""
        has_rows = np.bincount(named, minlength=X.shape[1]) > 0
        items = item_part(side.item_features, has_rows, self.use_ids)
        self.item_columns_ = places_of(items.ids)
        for name in ("item_known_", "user_hashes_"):
            vars(self).pop(name, None)
        if side.item_features is not None:
            self.item_known_ = items.known
        if self.use_ids:
            self.user_hashes_ = row_hashes(self._content(X))
        users = self._log_users(log, side, X.shape[0])
        self._check_memory(users, items, len(log.label))
        rows = pair_rows(users, items.take(log.item), self._pair_columns)
        model = seeded_clone(self._base(), random_state)
        labels, weight = log.label, log.value if self.weights == "value" else None
        if len(labels) == 0 or (labels == labels[0]).all():  # nothing to tell apart
            model = DummyRegressor(strategy="constant", constant=labels[0] if len(labels) else 0.0)
            rows, labels, weight = csr_array((1, rows.shape[1])), np.zeros(1), None
        else:
            model = self._for_columns(model, users, items, side)
        self.estimator_ = fit_weighted(model, self._as_taken(rows, model), labels, weight)
        return self

    def _log_users(self, log, side, n_users):
        """Ids and features of the users of a log, and its context."""
        places = log.user if self.use_ids else np.full(len(log.user), -1)
        known = None if side.user_features is None else side.user_features[log.user]
        return user_part(places, n_users if self.use_ids else 0, known, log.context)

    def _check_memory(self, users, items, n_rows):
        n_columns = n_pair_columns(users, items, self._pair_columns)
        mean = (users.ids.nnz + users.known.nnz) / max(n_rows, 1)
        mean_item = (items.ids.nnz + items.known.nnz) / items.shape[0]
        stored = mean + mean_item + (mean * mean_item if self._pair_columns == "product" else 0)
        per_row = 16 * stored if self._takes_sparse(self._base()) else 8 * n_columns
        check_memory(
            int(n_rows * per_row + 32 * n_columns),
            f"{type(self).__name__} with {n_rows:,} rows of {n_columns:,} columns",
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
        """The content by which training rows are recognised."""
        return X if self._rates else pattern(X, dtype=X.dtype)

    def _check_fitted(self):
        known = {
            kind: getattr(self, f"n_{kind}_features_in_", 0) for kind in ("item", "user", "context")
        }
        width = self.item_known_.shape[1] if hasattr(self, "item_known_") else 0
        if width != known["item"]:
            found = f"{width} columns"
            raise refused(f"{type(self).__name__}.item_known_", found, f"{known['item']}")
        n_ids = len(getattr(self, "user_hashes_", ()))
        n_user = n_ids + known["user"] + known["context"]
        n_item_ids = int(self.item_columns_.max()) + 1
        expected = n_user + n_item_ids + known["item"]
        if self._pair_columns == "product":
            expected += n_user * known["item"] + (n_user - n_ids) * n_item_ids
        found = getattr(self.estimator_, "n_features_in_", expected)
        if found != expected:
            raise refused(f"{type(self).__name__}.estimator_", f"{found} features", f"{expected}")

    def _user_part(self, X, side):
        """Ids and features of rows; the context of a row counts as a feature."""
        self._check_fitted()
        places, n_users, own = np.full(X.shape[0], -1), 0, None
        if hasattr(self, "user_hashes_"):
            hashes = row_hashes(self._content(X))
            places, n_users = match_rows(self.user_hashes_, hashes), len(self.user_hashes_)
            own = self._folded_in(X, hashes, places < 0, side.user_features)
        users = user_part(places, n_users, side.user_features, side.context)
        users.own = own
        return users

    def _folded_in(self, X, hashes, unknown, user_features):
        """Numbers for the `unknown` rows, zeros for the others; None: no row has numbers."""

    def _scores(self, X, side):
        n_rows, n_items = X.shape
        pairs = np.arange(n_rows * n_items)
        users = self._user_part(X, side)
        return self._predicted(users, *np.divmod(pairs, n_items), X.dtype).reshape(X.shape)

    def _pair_scores(self, X, rows, items, side):
        wanted, group = np.unique(rows, return_inverse=True)
        known = RowSide(side.user_features).take(wanted)
        users = self._user_part(X[wanted], known)
        if side.context is None:
            return self._predicted(users, group, items, X.dtype)
        # Each pair has its own situation.
        users = users.take(group).beside(side.context)
        return self._predicted(users, np.arange(len(rows)), items, X.dtype)

    def _items(self):
        """Ids and features of all items."""
        columns = self.item_columns_
        known = getattr(self, "item_known_", csr_array((len(columns), 0)))
        return Part(id_columns(columns, int(columns.max()) + 1), known)

    def _predicted(self, users, rows, items, dtype):
        """The model's predictions for pairs, in chunks."""
        model, of_items = self._fitted_model, self._items()
        n_columns = n_pair_columns(users, of_items, self._pair_columns)
        widths = [
            np.diff(part.ids.indptr).max(initial=0) + np.diff(part.known.indptr).max(initial=0)
            for part in (users, of_items)
        ]
        width = sum(widths) + (widths[0] * widths[1] if self._pair_columns == "product" else 0)
        per_row = 32 * width if self._takes_sparse(model) else 8 * n_columns
        step = max(1, _CHUNK_BYTES // max(1, int(per_row)))
        scores = np.empty(len(rows), dtype=dtype)
        for start in range(0, len(rows), step):
            part = slice(start, start + step)
            some = users.take(rows[part])
            pairs = pair_rows(some, of_items.take(items[part]), self._pair_columns)
            try:
                scores[part] = self._said_of(model, self._as_taken(pairs, model), some)
            except AttributeError as error:  # a part is missing in the file
                got = f"{type(model).__name__} without {error.name!r}"
                raise refused(f"{type(self).__name__}.estimator_", got, "a whole one") from error
        return scores

    @property
    def _fitted_model(self):
        return self.estimator_

    def _said_of(self, model, pairs, users):
        """The model's outputs for rows of pairs, with the users' own numbers added."""
        if not is_classifier(model):
            return model.predict(pairs)
        if self._rates:
            if not hasattr(model, "predict_proba"):
                return model.predict(pairs)
            return model.predict_proba(pairs) @ model.classes_
        if hasattr(model, "decision_function"):
            return model.decision_function(pairs)
        return model.predict_proba(pairs)[:, 1]

    def _extended(self, item_features):
        none = np.full(item_features.shape[0], -1)
        known = [self.item_known_, csr_array(item_features, dtype=np.float64)]
        return {
            "item_columns_": np.concatenate([self.item_columns_, none]),
            "item_known_": csr_array(vstack(known, format="csr")),
        }
