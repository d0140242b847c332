"""From ids of users and items to rows and columns of a CSR matrix, and back."""

import warnings
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from skrec._log._aggregate import DUPLICATES, check_dtype, dtype_of_times, merge_duplicates
from skrec._log._columns import Columns, read_columns
from skrec._log._ids import (
    as_id_column,
    concatenate_ids,
    describe_ids,
    find_ids,
    is_text,
    unique_ids,
    warn_of_float_ids,
    warn_of_lost_ids,
)
from skrec._log._k_core import core_members
from skrec._log._returns import NEGATIVE, settle_negative
from skrec.preprocessing._decoding import decode_ids, distinct_ids
from skrec.preprocessing._short_histories import plain_history
from skrec.utils._fitted import refused
from skrec.utils._log_names import is_time_name
from skrec.utils._matrices import checked_array
from skrec.utils._params import POSITIVE_INTEGER, Options, check_parameters
from skrec.utils._restore import WholeFitMixin
from skrec.utils._times import check_times

__all__ = ["InteractionEncoder"]


class _Ids:
    """The rule of ids: an array without missing ids and without repeats."""

    def __init__(self, role):
        self._role = role

    def check(self, value, name, sizes, owner):
        if type(value) is not np.ndarray or value.dtype.kind not in "iufUSO":
            raise refused(name, type(value).__name__, "an array of ids")
        if not len(value):
            raise refused(name, "no ids", "at least one")
        distinct_ids(value, self._role)


class _Encoded(NamedTuple):
    """The interactions of a log that count.

    Attributes
    ----------
    user, item : ndarray of intp of shape (n,)
        Rows and columns; rows of new users come after the rows of known users.
    columns : Columns
        Values and times of the interactions.
    present : ndarray of intp
        Rows of the users in the log, ascending; some may have no interaction that counts.
    n_rows : int
        Number of known and new users.
    new_ids : ndarray
        Ids of new users.
    """

    user: np.ndarray
    item: np.ndarray
    columns: Columns
    present: np.ndarray
    n_rows: int
    new_ids: np.ndarray


# The output is always sparse; scikit-learn's `set_output` must not turn it into a frame.
class InteractionEncoder(
    WholeFitMixin, TransformerMixin, BaseEstimator, auto_wrap_output_keys=None
):
    """Turn an interaction log with ids of any kind into a user-item matrix, and back.

    A log is one of:

    - a pandas or polars DataFrame, a pyarrow Table or a mapping of columns (`user`, `item`,
      `value` and `timestamp` name the columns);
    - a tuple of columns, or a list of 1-D arrays, in this order; the last two may be missing;
    - a 2-D array with these columns;
    - a list of mappings, one for each interaction;
    - any other list or iterable of rows; each row is a tuple with the entries of these columns.

    Ids may be any hashable objects: numbers, strings, bytes, tuples, or a mixture. Equal Python
    objects are one id: 1 and 1.0 are the same, 1 and "1" are not.

    Parameters
    ----------
    user, item : str, default="user", "item"
        Names of the id columns of a frame or mapping.
    value : str or None, default=None
        Name of the column of a frame or mapping with the values of the matrix: ratings, counts,
        weights, or times. Dates become Unix seconds, see Notes. None: every interaction counts as
        1, even if the frame has such a column. Logs without names use their third column, if they
        have one.
    timestamp : str or None, default=None
        Name of the column of a frame or mapping with the time of the interaction: numbers, dates
        or ISO 8601 text. It only decides which of a pair's interactions is the first and which the
        last. None: the order in the log decides.
    duplicates : {"sum", "count", "first", "last", "max", "min", "mean", "error"}, \
            default="sum"
        How to merge several interactions of one user with one item. "count" ignores the values,
        "error" refuses the log.
    negative : {"warn", "keep", "drop", "subtract", "error"}, default="warn"
        How to read negative values. "keep": as ratings, which stay. "drop": as returns, which are
        dropped. "subtract": as returns, which are subtracted from the user's purchases of the item
        (needs ``duplicates="sum"``); a pair with nothing left is dropped. "warn": keep them, and
        warn unless `value` is the name of a rating. "error": refuse the log.
    unknown_users : {"new", "ignore", "error"}, default="new"
        How `transform` treats users that `fit` did not see: give each a new row below the known
        rows, drop their interactions, or raise.
    unknown_items : {"error", "ignore"}, default="error"
        How `transform` treats items that `fit` did not see or dropped as too rare: raise, or drop
        their interactions. They cannot become columns, because models are fitted to a fixed set of
        items.
    min_user_count, min_item_count : int, default=1
        `fit` drops users and items with fewer distinct partners. It repeats this until both
        minimums hold (see `skrec.model_selection.k_core`); a single pass would not ensure that.
    dtype : dtype or "auto", default="auto"
        Dtype of the matrix: float64, float32 or whole numbers. A value that it cannot hold is an
        error; float32 rounds to seven digits. "auto": float32, which takes two thirds of the
        memory of float64, unless it loses information. It is float64 in four cases: if `value` is
        a usual name of times; if a value, such as a sum of repeated pairs, is above 2**24
        (16,777,216) in size, beyond which float32 skips whole numbers; if float32 differs from a
        value by more than 2**-14; or if the square of a value is zero in float32. "auto" decides
        for each matrix separately. Repeated pairs are merged in float64 with any dtype.

    Attributes
    ----------
    user_ids_ : ndarray of shape (n_users,)
        Id of each row. If all ids are of one kind, they are sorted and of dtype int64, uint64,
        float64, str or bytes; otherwise they are in the order of first appearance and of dtype
        object.
    item_ids_ : ndarray of shape (n_items,)
        Id of each column, as `user_ids_`.

    See Also
    --------
    skrec.datasets.load_interactions : Reads a log from a file.
    skrec.model_selection.k_core : Applies minimum counts to a matrix.
    sklearn.preprocessing.OrdinalEncoder : Encodes the columns of a table.

    Notes
    -----
    An interaction with value 0 becomes a stored zero, which skrec's models read as
    "missing", like any zero.

    ``InteractionEncoder(value="timestamp", duplicates="max")`` makes a matrix of times for
    `TimeDecay`, `skrec.ensemble.Recency` and `skrec.linear_model.SLIST`, with the latest time of a
    repeated pair. With the default `dtype` the matrix is float64. float32 cannot tell Unix seconds
    apart, so `fit` refuses it for columns with a usual name of times.

    Read ids as text: ``pandas.read_csv(path, dtype={"customer": str})``. Otherwise pandas turns
    "0000648" into 648, or into 648.0 if an id is missing; `fit` warns of such floats.

    Examples
    --------
    >>> from skrec.preprocessing import InteractionEncoder
    >>> log = [("ann", "tea", 2), ("bob", "rum", 1), ("ann", "tea", 1), ("bob", "tea", 4)]
    >>> encoder = InteractionEncoder(unknown_items="ignore")
    >>> encoder.fit_transform(log).toarray()
    array([[0., 3.],
           [1., 4.]], dtype=float32)
    >>> encoder.item_ids_
    array(['rum', 'tea'], dtype='<U3')
    >>> X, user_ids = encoder.transform_histories([("eve", "tea"), ("eve", "gin")])
    >>> X.toarray(), user_ids
    (array([[0., 1.]], dtype=float32), array(['eve'], dtype='<U3'))
    >>> encoder.decode_items([[1, 0], [0, -1]])
    array([['tea', 'rum'],
           ['rum', None]], dtype=object)
    """

    _parameter_rules = {
        "duplicates": Options(DUPLICATES),
        "negative": Options(NEGATIVE),
        "unknown_users": Options(("new", "ignore", "error")),
        "unknown_items": Options(("error", "ignore")),
        "min_user_count": POSITIVE_INTEGER,
        "min_item_count": POSITIVE_INTEGER,
    }

    _fitted_rules = {"user_ids_": _Ids("user"), "item_ids_": _Ids("item")}

    def __init__(
        self,
        *,
        user="user",
        item="item",
        value=None,
        timestamp=None,
        duplicates="sum",
        negative="warn",
        unknown_users="new",
        unknown_items="error",
        min_user_count=1,
        min_item_count=1,
        dtype="auto",
    ):
        self.user = user
        self.item = item
        self.value = value
        self.timestamp = timestamp
        self.duplicates = duplicates
        self.negative = negative
        self.unknown_users = unknown_users
        self.unknown_items = unknown_items
        self.min_user_count = min_user_count
        self.min_item_count = min_item_count
        self.dtype = dtype

    def _check_fitted(self):
        check_dtype(self.dtype)

    @classmethod
    def from_ids(cls, user_ids, item_ids):
        """Make a fitted encoder from known ids, such as the ids of a fetched data set.

        Parameters
        ----------
        user_ids : array-like of shape (n_users,)
            Id of each row, without repeats.
        item_ids : array-like of shape (n_items,)
            Id of each column, without repeats.

        Returns
        -------
        encoder : InteractionEncoder
            With default parameters (change them with ``set_params``). Rows and columns
            keep the given order.

        Raises
        ------
        ValueError
            If an id is missing or occurs twice.
        """
        encoder = cls()
        encoder.user_ids_ = distinct_ids(user_ids, "user")
        encoder.item_ids_ = distinct_ids(item_ids, "item")
        return encoder

    def fit(self, X, y=None):
        """Learn the ids of users and items.

        Parameters
        ----------
        X : log
            See the class.
        y : ignored
            Present for scikit-learn's conventions.

        Returns
        -------
        self : InteractionEncoder
            The fitted encoder.

        Raises
        ------
        ValueError
            If the log is empty, or nothing is left after returns or the minimum counts; if an id
            or a column is missing, a value is not a finite number, or a parameter is not allowed.
        TypeError
            If an id cannot be hashed or the log has none of the known forms.
        """
        self._learn(X)
        return self

    def fit_transform(self, X, y=None):
        """Learn the ids and return the matrix.

        Parameters
        ----------
        X : log
            See the class.
        y : ignored
            Present for scikit-learn's conventions.

        Returns
        -------
        X_out : csr_array of shape (n_users, n_items)
            In `dtype`, with sorted indices and one stored entry per pair.
        """
        return self._learn(X)

    def _learn(self, X):
        check_parameters(self, self._parameter_rules)
        columns = self._read(X)
        if not len(columns.user):
            raise ValueError("The log is empty: 0 interactions, expected at least 1.")
        for name in ("user", "item"):
            warn_of_float_ids(getattr(columns, name), name, stacklevel=4)
        columns, _ = self._settle_negative(columns)
        user_ids, user = unique_ids(columns.user, "user")
        item_ids, item = unique_ids(columns.item, "item")
        warn_of_lost_ids(user_ids, "user", stacklevel=3)
        warn_of_lost_ids(item_ids, "item", stacklevel=3)
        matrix = self._matrix(user, item, columns, (len(user_ids), len(item_ids)))
        if self.min_user_count > 1 or self.min_item_count > 1:
            users, items = core_members(matrix, self.min_user_count, self.min_item_count)
            if not len(users):
                raise ValueError(
                    f"No interaction is left: min_user_count={self.min_user_count} and "
                    f"min_item_count={self.min_item_count} are too high for this log of "
                    f"{matrix.nnz} pairs, {len(user_ids)} users and {len(item_ids)} items."
                )
            matrix = csr_array(matrix[users][:, items])
            user_ids, item_ids = user_ids[users], item_ids[items]
        self.user_ids_, self.item_ids_ = user_ids, item_ids
        return matrix

    def transform(self, X):
        """Turn a log into a matrix with the rows and columns of the fitted ids.

        Parameters
        ----------
        X : log
            See the class. It may be another log than in `fit`.

        Returns
        -------
        X_out : csr_array of shape (n_users + n_new, n_items)
            In `dtype`. Row r belongs to ``user_ids_[r]``; with ``unknown_users="new"`` the unknown
            users of this log follow, see `row_ids`.

        Raises
        ------
        ValueError
            If the log has unknown users or items and the parameters refuse them.
        """
        found = self._encode(X)
        shape = (found.n_rows, len(self.item_ids_))
        return self._matrix(found.user, found.item, found.columns, shape)

    def transform_histories(self, X):
        """Turn a log into a matrix whose rows are only the users of this log.

        Pass this matrix to ``recommend`` to serve these users, known or new.

        Parameters
        ----------
        X : log
            See the class.

        Returns
        -------
        X_out : csr_array of shape (n_log_users, n_items)
            In `dtype`. Users with only unknown items have an empty row. With
            ``unknown_users="ignore"`` only known users have a row.
        user_ids : ndarray of shape (n_log_users,)
            Id of each row: known users in the order of `user_ids_`, then new users.

        Warns
        -----
        UserWarning
            If all items are unknown and ignored, and they are text while the items of `fit` are
            not, or the other way round.
        """
        plain = plain_history(self, X)
        if plain is not None:
            return plain
        found = self._encode(X)
        # Rows of the log's users alone; they are numbered anew.
        rows = np.searchsorted(found.present, found.user)
        shape = (len(found.present), len(self.item_ids_))
        return self._matrix(rows, found.item, found.columns, shape), self._ids_of(found)

    def row_ids(self, X):
        """Return the ids of the rows that `transform` makes from a log.

        Parameters
        ----------
        X : log
            See the class.

        Returns
        -------
        user_ids : ndarray of shape (n_users + n_new,)
            `user_ids_`, followed by the new users with ``unknown_users="new"``.
        """
        found = self._encode(X)
        return self._ids_of(found._replace(present=np.arange(found.n_rows)))

    def inverse_transform(self, X, *, user_ids=None):
        """Turn a matrix back into a log.

        Parameters
        ----------
        X : sparse matrix or array-like of shape (n_rows, n_items)
            A stored entry is an interaction.
        user_ids : array-like of shape (n_rows,), default=None
            Id of each row; None stands for `user_ids_`.

        Returns
        -------
        users, items, values : ndarray of shape (nnz,)
            The log as a tuple of columns, in the order of the matrix's rows and columns.

        Raises
        ------
        ValueError
            If the shape does not fit the ids.
        """
        check_is_fitted(self)
        X = csr_array(
            checked_array(
                X,
                accept_sparse="csr",
                ensure_all_finite=False,
                ensure_min_samples=0,
                ensure_min_features=0,
            )
        )
        ids = self.user_ids_ if user_ids is None else as_id_column(user_ids, "user")
        if X.shape != (len(ids), len(self.item_ids_)):
            raise ValueError(
                f"Got a matrix of shape {X.shape}, expected {(len(ids), len(self.item_ids_))}: "
                "a row per user id and a column per item id. For other rows than those of fit "
                "pass user_ids=."
            )
        rows = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
        return ids[rows], self.item_ids_[X.indices], X.data.copy()

    def encode_users(self, ids, *, unknown="error"):
        """Return the rows of users.

        Parameters
        ----------
        ids : array-like of shape (n,)
            Ids of users.
        unknown : {"error", "ignore"}, default="error"
            Raise for ids that `fit` did not see, or return -1 for them.

        Returns
        -------
        rows : ndarray of intp of shape (n,)
            Row of each user in the fitted matrix.
        """
        return self._encode_ids("user", ids, unknown)

    def encode_items(self, ids, *, unknown="error"):
        """Return the columns of items.

        Parameters
        ----------
        ids : array-like of shape (n,)
            Ids of items.
        unknown : {"error", "ignore"}, default="error"
            Raise for ids that `fit` did not see, or return -1 for them.

        Returns
        -------
        columns : ndarray of intp of shape (n,)
            Column of each item in the fitted matrix.
        """
        return self._encode_ids("item", ids, unknown)

    def decode_users(self, rows, *, fill_value=None):
        """Return the ids of rows.

        Parameters
        ----------
        rows : array-like of int of any shape
            Rows of the fitted matrix; -1 means no user.
        fill_value : object, default=None
            The result for -1.

        Returns
        -------
        ids : ndarray of the shape of `rows`
            In the dtype of `user_ids_`, or object if it cannot hold `fill_value`.
        """
        check_is_fitted(self)
        return decode_ids(self.user_ids_, rows, fill_value, "rows")

    def decode_items(self, items, *, fill_value=None):
        """Return the ids of columns, such as the columns of ``recommend``'s lists.

        Parameters
        ----------
        items : array-like of int of any shape
            Columns of the fitted matrix; -1 means no item, as in ``recommend``.
        fill_value : object, default=None
            The result for -1.

        Returns
        -------
        ids : ndarray of the shape of `items`
            In the dtype of `item_ids_`, or object if it cannot hold `fill_value`.
        """
        check_is_fitted(self)
        return decode_ids(self.item_ids_, items, fill_value, "items")

    def get_feature_names_out(self, input_features=None):
        """Return the item ids as text, as names of the columns.

        Parameters
        ----------
        input_features : object, default=None
            Ignored; present for scikit-learn's conventions.

        Returns
        -------
        names : ndarray of str objects of shape (n_items,)
            One for each column.
        """
        check_is_fitted(self)
        return np.array([str(item) for item in self.item_ids_.tolist()], dtype=object)

    def _read(self, log):
        names = (self.user, self.item, self.value, self.timestamp)
        return read_columns(log, names, coded=True)

    def _settle_negative(self, columns, *, may_be_empty=False):
        """The remaining interactions, and their positions."""
        codes = (None, None)
        if self.negative == "subtract" and columns.value is not None:
            codes = unique_ids(columns.user, "user")[1], unique_ids(columns.item, "item")[1]
        keep, value, _ = settle_negative(
            *codes, columns.value, self.negative, name=self.value, duplicates=self.duplicates,
            may_be_empty=may_be_empty, stacklevel=4,
        )  # fmt: skip
        if keep is None:
            return columns, slice(None)
        return columns._replace(value=value).take(keep), keep

    def _matrix(self, user, item, columns, shape):
        times = columns.value is not None and is_time_name(self.value)
        dtype = dtype_of_times(self.dtype) if times else self.dtype
        merged = merge_duplicates(
            user, item, columns.value, columns.timestamp, shape, self.duplicates, dtype
        )
        if times:
            check_times(merged.X.data, f"InteractionEncoder(value={self.value!r})")
        return merged.X

    def _ids_of(self, found):
        """Ids of the present rows."""
        n_known = len(self.user_ids_)
        if not len(found.new_ids):
            return self.user_ids_[found.present]
        split = np.searchsorted(found.present, n_known)
        known, new = found.present[:split], found.present[split:]
        return concatenate_ids(self.user_ids_[known], found.new_ids[new - n_known])

    def _encode(self, log):
        """The rows and columns of a log's interactions, as `_Encoded`."""
        if "item_ids_" not in vars(self):
            check_is_fitted(self)
        check_parameters(self, self._parameter_rules)
        columns = self._read(log)
        user = find_ids(self.user_ids_, columns.user, "user")
        n_known, new_ids = len(self.user_ids_), self.user_ids_[:0]
        new = user < 0
        has_new = bool(new.any())
        if has_new and self.unknown_users == "error":
            raise ValueError(self._unknown("user", columns.user[new], "'new' or 'ignore'"))
        if has_new and self.unknown_users == "new":
            new_ids, codes = unique_ids(columns.user[new], "user")
            user[new] = n_known + codes
        present = np.unique(user[user >= 0] if has_new else user)
        columns, stays = self._settle_negative(columns, may_be_empty=True)
        user = user[stays]
        item = find_ids(self.item_ids_, columns.item, "item")
        unknown = item < 0
        has_unknown = bool(unknown.any())
        if has_unknown and self.unknown_items == "error":
            raise ValueError(self._unknown("item", columns.item[unknown], "'ignore'"))
        nothing = has_unknown and len(self.item_ids_) and unknown.all()
        if nothing and is_text(columns.item) != is_text(self.item_ids_):
            warnings.warn(
                f"All {len(item)} interactions are ignored: their items are like "
                f"{describe_ids(columns.item)}, and never equal the items of fit, which are like "
                f"{describe_ids(self.item_ids_)}. Convert the ids to the type of the ids of fit.",
                stacklevel=3,
            )
        if has_new or has_unknown:
            keep = (user >= 0) & ~unknown
            user, item = user[keep], item[keep]
            columns = columns.take(keep)
        return _Encoded(user, item, columns, present, n_known + len(new_ids), new_ids)

    def _unknown(self, role, ids, remedy):
        known = self.user_ids_ if role == "user" else self.item_ids_
        return (
            f"{len(ids)} interactions are of {role}s that fit did not see or dropped for their "
            f"minimum count: {describe_ids(ids)}. Known ids are like {describe_ids(known)}. "
            f"Expected known ids of the same type; or set unknown_{role}s={remedy}."
        )

    def _encode_ids(self, role, ids, unknown):
        check_is_fitted(self)
        if not isinstance(unknown, str) or unknown not in ("error", "ignore"):
            raise ValueError(f"unknown must be 'error' or 'ignore'. Got {unknown!r}.")
        known = self.user_ids_ if role == "user" else self.item_ids_
        column = as_id_column(ids, role)
        codes = find_ids(known, column, role)
        missing = codes < 0
        if missing.any() and unknown == "error":
            raise ValueError(
                f"{int(missing.sum())} {role} ids are unknown: {describe_ids(column[missing])}. "
                f"Known ids are like {describe_ids(known)}; pass unknown='ignore' to get -1."
            )
        return codes

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False  # a log is not a matrix of samples and features
        tags.input_tags.string = True
        return tags
