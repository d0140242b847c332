"""The contract of every recommender: its inputs and outputs.

Rows of X are users (samples), columns are items (features). A stored value is an
observed interaction; zero, stored or not, means "missing".
"""

import copy
from abc import ABCMeta, abstractmethod

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skrec._evaluation._default_score import ndcg_at_100, negative_rmse
from skrec._recommend import recommend_rows
from skrec._user_side import UserSideMixin
from skrec.utils._alignment import index_of
from skrec.utils._call import one_call
from skrec.utils._feature_rows import n_rows_of
from skrec.utils._finite import arithmetic, require_finite
from skrec.utils._fit_outcome import note_training_rows
from skrec.utils._fitted import CURVE, Absent, Array, Names, Number
from skrec.utils._fitted_check import check_shapes
from skrec.utils._memory import check_dense, check_model
from skrec.utils._parallel import row_chunks
from skrec.utils._params import check_parameters
from skrec.utils._restore import guard, left_as_it_was
from skrec.utils._row_side import RowSide, UserRows, row_side
from skrec.utils._side_information import SideInformation, new_items, start_side
from skrec.utils._tags import (
    guarded_fit,
    recommender_tags,
    refuses_unread,
    with_recommender_tags,
)
from skrec.utils._validation import (
    check_candidates,
    check_item_indices,
    check_sample_weight,
    validate_interactions,
)

__all__ = ["BaseRecommender", "RecommenderMixin", "UserSideMixin"]


def _reads_item_features(estimator):
    return "item_features" in recommender_tags(estimator).reads


class RecommenderMixin:
    """Tags of a recommender; stands left of `BaseEstimator`.

    Sets ``estimator_type="recommender"``: sparse input is allowed, no target is
    required, and values must not be negative (rating models lift that). Adds
    ``recommender_tags``, see `skrec.utils.RecommenderTags`.

    Examples
    --------
    >>> from sklearn.utils import get_tags
    >>> from skrec.dummy import DummyRecommender
    >>> get_tags(DummyRecommender()).estimator_type
    'recommender'
    """

    def __sklearn_tags__(self):
        tags = with_recommender_tags(super().__sklearn_tags__(), self)
        tags.estimator_type = "recommender"
        tags.input_tags.sparse = True
        tags.input_tags.positive_only = True
        tags.target_tags.required = False
        return tags


class BaseRecommender(RecommenderMixin, BaseEstimator, metaclass=ABCMeta):
    """Base class of the recommenders.

    A subclass writes ``__init__`` (assignments only), ``_parameter_rules``, ``fit``
    (which starts with ``X = self._start_fit(X)``) and `_scores`. This class implements the
    rest of the contract. ``random_state``, ``n_jobs``, ``verbose`` and ``device`` have
    built-in rules; ``_parameter_rules`` holds the rules of all other parameters.

    A subclass that reads side information names it in the signature of its ``fit``, as
    keywords among ``item_features``, ``user_features`` and ``context``, and calls
    ``side = self._start_side(X, item_features=item_features)`` to check it. A class that reads
    item features also writes `_extended`, and then has `with_items`. A class that reads user
    features or context also inherits from `UserSideMixin`, and its hooks take them as a
    further argument, ``_scores(X, side)``. Side information that a class does not read raises
    a TypeError.

    At its end, ``fit`` scores a few training rows, unless it was given user features or
    context. It raises a ValueError if a score is not finite. It warns if all items score alike
    although X distinguishes them.

    Any row can be scored: rows are never identified by position, and a new user is a row
    like any other. The batch, the order and the subset of rows never change the result
    of a row.

    Examples
    --------
    A recommender that scores an item by the number of the row's items with the same parity:

    >>> import numpy as np
    >>> from skrec.base import BaseRecommender
    >>> class Parity(BaseRecommender):
    ...     def fit(self, X, y=None):
    ...         X = self._start_fit(X)
    ...         parity = np.arange(X.shape[1]) % 2
    ...         self.same_ = (parity[:, None] == parity).astype(X.dtype)
    ...         return self
    ...
    ...     def _scores(self, X):
    ...         return X @ self.same_.astype(X.dtype)
    >>> Parity().fit(np.eye(4)).predict(np.eye(4))
    array([2, 3, 0, 1])
    """

    # Name of a constructor parameter -> its allowed values, see skrec.utils._params.
    _parameter_rules = {}
    # Name of an attribute that `fit` sets -> its allowed values, see skrec.utils._fitted.
    _fitted_rules = {
        "n_features_in_": Number(1, 2**31 - 1, integer=True, size="n_items"),
        "feature_names_in_": Absent(Names("n_items")),
        **{
            f"n_{kind}_features_in_": Absent(
                Number(0, 2**63 - 1, integer=True, size=f"n_{kind}_features")
            )
            for kind in ("item", "user", "context")
        },
        **{
            f"{kind}_feature_names_in_": Absent(Names(f"n_{kind}_features"))
            for kind in ("item", "user", "context")
        },
        "user_feature_means_": Absent(Array("n_user_features")),
        "context_means_": Absent(Array("n_context_features")),
        "loss_curve_": Absent(CURVE),
        "n_iter_": Absent(Number(0, 2**63 - 1, integer=True)),
    }
    # Parameters that `compare_models` and the command line try: at most 8 dicts.
    _search_grid = ()
    # Unit of score differences: a fit whose scores differ by less than a millionth of it has
    # learned nothing, and warns. None: every difference above rounding counts.
    _score_unit = None
    # Whether equal scores of all items are a valid result of the model.
    _may_score_alike = False

    @abstractmethod
    def fit(self, X, y=None):
        """Fit the model to a user-item matrix.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions, or ratings for models of ratings.
        y : ignored
            `fit` never learns from it; a search scores with it.

        Returns
        -------
        self : BaseRecommender
            The fitted recommender.
        """

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        # The wrapped methods keep their signatures. The wrapper refuses side information that
        # the class does not read, makes the checks that need the X as it was passed, and
        # restores the attributes after a failed fit.
        guard(cls, "fit", guarded_fit)
        guard(cls, "partial_fit", guarded_fit)
        guard(cls, "fit_transform", left_as_it_was)

    @abstractmethod
    def _scores(self, X):
        """Scores of every item for the rows of a canonical csr_array, in its dtype.

        The array may belong to the caller, so it must not be changed.

        Classes that read user features or context also take a `RowSide` of the same rows:
        ``_scores(X, side)``.
        """

    def _pair_scores(self, X, rows, items, side=None):
        """Scores of pairs; models that can score pairs without dense rows override this.

        Only classes that read user features or context get `side`. Its features have one row
        per row of X, its context has one row per pair.
        """
        scores = np.empty(len(rows), dtype=X.dtype)
        per_pair = side is not None and side.context is not None
        if per_pair:  # each pair has a situation of its own
            wanted, group = rows, np.arange(len(rows))
        else:
            wanted, group = np.unique(rows, return_inverse=True)
        order = np.argsort(group, kind="stable")
        bounds = np.searchsorted(group[order], np.arange(len(wanted) + 1))
        for start, stop in row_chunks(len(wanted), X.shape[1] * X.dtype.itemsize):
            part = UserRows(X[wanted[start:stop]])
            if side is not None:
                users = RowSide(side.user_features).take(wanted[start:stop])
                context = RowSide(context=side.context).take(slice(start, stop))
                part = part._replace(side=users._replace(context=context.context))
            dense = self._scores(*part.arguments)
            pairs = order[bounds[start] : bounds[stop]]
            scores[pairs] = dense[group[pairs] - start, items[pairs]]
        return scores

    def _extended(self, item_features):
        """Fitted attributes, by name, of the model with further items; see `with_items`.

        Classes that read item features write it. It takes the checked features of m new items,
        and returns the attributes that grow with the catalogue, except ``n_features_in_`` and
        ``feature_names_in_``. It leaves the model unchanged.
        """
        raise NotImplementedError(
            f"{type(self).__name__} reads item features, so it must implement _extended."
        )

    def _start_fit(self, X, *, reset=True):
        check_parameters(self, self._parameter_rules)
        X = validate_interactions(self, X, reset=reset)
        check_model(self, X.shape)
        note_training_rows(self, X)
        return X

    def _start_side(self, X, *, item_features=None, user_features=None, context=None):
        """Check the side information of `fit`, right after `_start_fit`.

        Parameters
        ----------
        X : csr_array of shape (n_users, n_items)
            The result of `_start_fit`.
        item_features, user_features, context : object or None
            As the user passed them.

        Returns
        -------
        side : SideInformation
            Named tuple of the three as checked float arrays; None stays None.
        """
        side = SideInformation(item_features, user_features, context)
        return start_side(self, X, side, reads=recommender_tags(self).reads)

    def _start_scoring(self, X):
        check_is_fitted(self)
        check_shapes(self)
        return validate_interactions(self, X, reset=False)

    def _start_dense(self, X, width):
        """`_start_scoring` for a method with a dense result of shape (n_users, width)."""
        X = self._start_scoring(X)
        self._check_dense(X, width, "values")
        return X

    def _check_dense(self, X, width, what):
        check_dense(
            (X.shape[0], width),
            X.dtype,
            f"{type(self).__name__} with {X.shape[0]:,} x {width:,} {what} in {X.dtype.name}",
            [
                "use recommend, which works in chunks of rows",
                "use score_pairs for given pairs",
                "pass fewer rows at a time",
                "pass X in float32",
            ],
        )

    def _start_rows(self, X, user_features=None, context=None, *, n_contexts=None):
        """Check rows to score and their side information, see `UserRows`."""
        users = index_of(X)
        X = self._start_scoring(X)
        if not recommender_tags(self).reads & {"user_features", "context"}:
            return UserRows(X)
        side = row_side(self, X, user_features, context, users=users, n_contexts=n_contexts)
        return UserRows(X, side)

    @refuses_unread
    def decision_function(self, X):
        """Score every item for every user.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions of the users to score, known or new.

        Returns
        -------
        scores : ndarray of shape (n_users, n_items), dtype of X
            Higher is better; finite. Items that a user has are scored like all others.
        """
        return self._decide(self._start_rows(X))

    def _decide(self, rows):
        X = rows.X
        self._check_dense(X, X.shape[1], "scores")
        scores = np.empty(X.shape, dtype=X.dtype)
        with one_call():
            for start, stop in row_chunks(X.shape[0], X.shape[1] * X.dtype.itemsize):
                scores[start:stop] = self._finite_scores(*rows.take(slice(start, stop)).arguments)
        return scores

    def _finite_scores(self, *arguments):
        """`_scores`, or an error where numbers of X or of the model overflow."""
        return require_finite(self._unchecked_scores(*arguments), self._what())

    def _unchecked_scores(self, *arguments):
        """`_scores`, for a caller who sees by itself whether they are finite."""
        with arithmetic(self._what()):
            return self._scores(*arguments)

    def _what(self):
        return f"The scores of {type(self).__name__}"

    def _finite_pair_scores(self, *arguments):
        what = self._what()
        with arithmetic(what):
            return require_finite(self._pair_scores(*arguments), what)

    @refuses_unread
    def predict(self, X):
        """Find the best item that each user does not have yet.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions of the users.

        Returns
        -------
        items : ndarray of intp of shape (n_users,)
            Column indices of X; -1 for a user who has every item.
        """
        return self._lists(self._start_rows(X), 1)[0][:, 0]

    @refuses_unread
    def recommend(self, X, k=10, *, items=None, exclude_seen=True, return_scores=False):
        """Recommend the k best items to each user.

        Items are ordered by score, then by item index. Scores are quantised to a grid of
        64 * eps(dtype) * max|score| of the row, so rounding does not decide the order. The
        method works in chunks of rows and never holds n_users x n_items.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions of the users.
        k : int, default=10
            Length of the lists.
        items : array-like of int or bool, or sparse matrix, default=None
            Candidates: indices or a mask of shape (n_items,) for all users, or a sparse
            mask of shape (n_users, n_items). None: every item.
        exclude_seen : bool, default=True
            Whether to leave out the items stored in a user's row.
        return_scores : bool, default=False
            Whether to return the scores as well.

        Returns
        -------
        items : ndarray of intp of shape (n_users, k)
            Column indices of X, best first; -1 where fewer than k items are left.
        scores : ndarray of shape (n_users, k), dtype of X
            Only with ``return_scores=True``; -inf beside -1.

        Raises
        ------
        ValueError
            If k is not a whole number >= 1, or candidates are out of range.
        """
        found = self._lists(self._start_rows(X), k, items, exclude_seen)
        return found if return_scores else found[0]

    def _lists(self, rows, k, items=None, exclude_seen=True):
        X = rows.X
        with one_call():
            return recommend_rows(
                lambda start, stop: self._unchecked_scores(
                    *rows.take(slice(start, stop)).arguments
                ),
                X.shape,
                k,
                seen=X if exclude_seen else None,
                allowed=check_candidates(items, *X.shape),
                dtype=X.dtype,
                finite=self._what(),
            )

    @refuses_unread
    def score_pairs(self, X, rows, items):
        """Score given (user, item) pairs.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions of the users.
        rows : array-like of int of shape (n_pairs,)
            Row indices into X.
        items : array-like of int of shape (n_pairs,)
            Column indices of X.

        Returns
        -------
        scores : ndarray of shape (n_pairs,), dtype of X
            ``decision_function(X)[rows, items]``, without the whole dense matrix.

        Raises
        ------
        ValueError
            If the lengths differ or an index is out of range.
        """
        return self._score_pairs(self._start_rows(X), rows, items)

    def _score_pairs(self, users, rows, items):
        X, side = users
        rows = check_item_indices(rows, X.shape[0], name="rows")
        items = check_item_indices(items, X.shape[1])
        if rows.shape != items.shape or rows.ndim != 1:
            raise ValueError(
                f"rows and items must be 1-D of the same length. Got shapes {rows.shape} and "
                f"{items.shape}."
            )
        with one_call():
            if side is None:
                return self._finite_pair_scores(X, rows, items)
            return self._finite_pair_scores(X, rows, items, side)

    @refuses_unread
    def score(self, X, y=None, sample_weight=None):
        """Mean nDCG@100 over the users; for rating models, minus the RMSE.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions of the users.
        y : sparse matrix or ndarray of shape (n_users, n_items), default=None
            Held-out interactions of the same users. With None, or a 1-D array, whose values
            are ignored, a fifth of each row is hidden and predicted from the rest; the
            content of the row decides which items are hidden.
        sample_weight : array-like of shape (n_users,), default=None
            Weights of the users in the mean.

        Returns
        -------
        score : float
            Higher is better. NaN, with an `UndefinedMetricWarning`, if no user can be
            evaluated.

        Raises
        ------
        ValueError
            If a 2-D `y` does not have the shape of X.
        """
        return self._score_rows(self._start_rows(X), y, sample_weight)

    def _score_rows(self, rows, y, sample_weight):
        X, side = rows
        weight = check_sample_weight(sample_weight, X.shape[0], np.float64)
        known = {"sample_weight": weight, "side": side}
        with one_call():
            if recommender_tags(self).predicts_ratings:
                return negative_rmse(self._finite_pair_scores, X, y, **known)
            return ndcg_at_100(self._finite_scores, X, y, **known)

    @available_if(_reads_item_features)
    def with_items(self, item_features, *, names=None):
        """Make a model with further items, known by their features alone.

        Only classes that read item features have this method. All methods of the new model
        work on the longer catalogue: its X has n_new more columns, and users may have the new
        items.

        Parameters
        ----------
        item_features : {array-like, sparse matrix, dataframe} of shape \
                (n_new, n_item_features), images, or ItemFeatures
            Features of the new items, with the columns that the model was fitted with.
        names : sequence of str of length n_new, default=None
            Names of the new columns. Required if the X of `fit` had names, else not allowed.

        Returns
        -------
        model : BaseRecommender
            A fitted copy whose last n_new items are the new ones. The original model stays
            unchanged. Both share memory that neither changes.

        Raises
        ------
        ValueError
            If the model was fitted without item features, if the features have another width
            or hold NaN or infinity, or if names are missing or not new.
        """
        check_is_fitted(self)
        images = "images" in recommender_tags(self).reads
        rows, feature_names = new_items(self, item_features, names, images=images)
        longer = copy.copy(self)
        vars(longer).update(self._extended(rows))
        longer.n_features_in_ = self.n_features_in_ + n_rows_of(rows)
        if feature_names is not None:
            longer.feature_names_in_ = feature_names
        return longer
