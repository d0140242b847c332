"""A table as sparse rows of columns in fields: categories one-hot, numbers scaled."""

import numpy as np
from scipy.sparse import csr_array, issparse
from sklearn.base import BaseEstimator

from skrec._evaluation._entries import entry_rows
from skrec.content._row_categories import (
    N_SPECIAL,
    Categories,
    column_of,
    encoded,
    is_category,
    known_and_missing,
    numbers_of,
)
from skrec.utils._fitted import Array, Maybe, Series, refused
from skrec.utils._memory import check_memory


class Fields(BaseEstimator):
    """The fields of a table's columns; `make_fields` makes it.

    Attributes
    ----------
    field_ : ndarray of int64 of shape (n_columns,)
        The field of each column of the encoded rows, ascending.
    center_, scale_ : ndarray of shape (n_columns,)
        Subtracted from a value, and divisor of the result.
    seen_ : ndarray of bool of shape (n_columns,)
        Which columns had an entry in training.
    """

    _parameter_rules = {}
    _fitted_rules = {
        "field_": Array("n_columns", dtypes=("int64",), low=0),
        "center_": Array("n_columns", dtypes=("float64",)),
        "scale_": Array("n_columns", dtypes=("float64",)),
        "seen_": Array("n_columns", dtypes=("bool",)),
    }
    # Whether a row has one entry in each field.
    single = False

    @property
    def n_columns(self):
        """Number of columns of encoded rows."""
        return len(self.field_)

    @property
    def n_fields(self):
        """Number of fields."""
        return int(self.field_[-1]) + 1

    @property
    def disjoint(self):
        """Whether no row can have two entries in one field."""
        return self.single or self.n_columns == self.n_fields

    def learn_scale(self, raw, weight):
        """Learn the scales of values from encoded rows and their weights."""
        self.seen_ = np.bincount(raw.indices, minlength=self.n_columns) > 0
        self.center_, self.scale_ = self._scale(raw, weight)

    def scaled(self, raw):
        """Encoded rows with scaled values."""
        at = raw.indices
        data = (raw.data - self.center_[at]) / self.scale_[at]
        return csr_array((data, at, raw.indptr), shape=raw.shape)

    def _check_fitted(self):
        steps = np.diff(self.field_, prepend=0)
        if not len(steps) or steps[0] or steps.min() < 0 or steps.max() > 1:
            raise refused(
                f"{type(self).__name__}.field_", "other steps", "0 at first, then steps of 0 or 1"
            )
        if not (self.scale_ > 0).all():
            raise refused(f"{type(self).__name__}.scale_", "values <= 0", "values > 0")


class TableFields(Fields):
    """The fields of a dataframe or array: each column is one.

    A column of categories becomes one column for categories unseen in training, one for missing
    values, and one for each category. A column of numbers becomes one column for the number and
    one for missing values.
    """

    _fitted_rules = {"categories_": Series(Maybe(Categories()))}
    single = True

    @property
    def n_features(self):
        """Number of columns of the table."""
        return self.n_fields

    def learn(self, X, categorical):
        """Learn the categories; columns of numbers have none.

        Parameters
        ----------
        X : dataframe or ndarray of shape (n_rows, n_features)
        categorical : ndarray of bool of shape (n_features,)
        """
        self.categories_, widths = [], []
        for place, chosen in enumerate(categorical):
            known = None
            if chosen:
                known, _ = known_and_missing(column_of(X, place), f"column {place}")
                known = np.unique(known)
            self.categories_.append(known)
            widths.append(N_SPECIAL + (0 if known is None else len(known)))
        self.field_ = np.repeat(np.arange(len(widths)), widths)

    def encode(self, X):
        """Rows with one entry for each field, values unscaled."""
        first = np.searchsorted(self.field_, np.arange(self.n_fields))
        n_rows = X.shape[0]
        index = np.empty((n_rows, self.n_fields), dtype=np.int32)
        value = np.ones((n_rows, self.n_fields))
        for place, known in enumerate(self.categories_):
            column, name = column_of(X, place), f"column {place}"
            if known is None:
                numbers = numbers_of(column, name)
                missing = np.isnan(numbers)
                index[:, place] = first[place] + missing
                value[:, place] = np.where(missing, 1.0, numbers)
            else:
                codes = encoded(column, known, name)
                index[:, place] = first[place] + codes
        indptr = np.arange(n_rows + 1) * self.n_fields
        return csr_array((value.ravel(), index.ravel(), indptr), shape=(n_rows, self.n_columns))

    def _is_number(self):
        """Which columns hold numbers."""
        numbers = np.zeros(self.n_columns, dtype=bool)
        first = np.searchsorted(self.field_, np.arange(self.n_fields))
        numbers[first[[known is None for known in self.categories_]]] = True
        return numbers

    def _scale(self, raw, weight):
        numbers = self._is_number()
        at = raw.indices
        of_entry = np.where(numbers[at], weight[entry_rows(raw)], 0.0)

        def mean_of(values):
            total = np.bincount(at, of_entry * values, minlength=self.n_columns)
            return total / np.where(numbers & self.seen_, weight_of, 1.0)

        weight_of = np.bincount(at, of_entry, minlength=self.n_columns)
        center = mean_of(raw.data)
        scale = np.sqrt(mean_of((raw.data - center[at]) ** 2))
        # A column that is constant up to rounding becomes zero or stays tiny.
        flat = scale <= 1e-12 * np.abs(center)
        return center, np.where(numbers & self.seen_ & ~flat & (scale > 0), scale, 1.0)

    def field_number(self, name, names):
        """Place of a column of categories, by its place or name."""
        place = name
        if isinstance(name, str):
            found = np.flatnonzero(np.asarray([] if names is None else names) == name)
            if not len(found):
                raise ValueError(f"there is no column named {name!r}")
            place = found[0]
        if not 0 <= place < self.n_fields:
            raise ValueError(f"there is no column {name!r}")
        if self.categories_[place] is None:
            raise ValueError(f"column {name!r} holds numbers")
        return int(place)

    def _check_fitted(self):
        super()._check_fitted()
        widths = [N_SPECIAL + (0 if known is None else len(known)) for known in self.categories_]
        if not np.array_equal(np.repeat(np.arange(len(widths)), widths), self.field_):
            raise refused("TableFields.categories_", "other numbers", "those of field_")


class ColumnFields(Fields):
    """The fields of a sparse matrix, or of any matrix of numbers with given fields.

    Columns of one field stand together. A column for rows that have no entry in the field follows
    them. It is left out where each column is a field; then such a row has no entry.

    Attributes
    ----------
    place_ : ndarray of int64 of shape (n_features,)
        Column of the encoded rows for each column of the matrix.
    labels_ : ndarray of shape (n_fields,)
        Labels of the fields.
    """

    _fitted_rules = {
        "place_": Array("n_features", dtypes=("int64",), low=0, high="n_columns", distinct=True),
        "labels_": Maybe(Categories()),
    }

    @property
    def n_features(self):
        """Number of columns of the matrix."""
        return len(self.place_)

    def learn(self, n_features, fields):
        """Learn the fields.

        Parameters
        ----------
        n_features : int
        fields : ndarray of shape (n_features,) or None
            Field of each column; None: each column is a field.
        """
        self.labels_, number = None, np.arange(n_features)
        self.place_ = self.field_ = number
        if fields is not None:
            self.labels_, number = np.unique(fields, return_inverse=True)
            rank = np.empty(n_features, dtype=np.int64)
            rank[np.argsort(number, kind="stable")] = np.arange(n_features)
            self.place_ = rank + number
            self.field_ = np.repeat(np.arange(len(self.labels_)), np.bincount(number) + 1)

    def encode(self, X):
        """Rows with the entries of X, and one entry for each field that a row lacks."""
        row, at, value = entry_rows(X), self.place_[X.indices], X.data
        shape = (X.shape[0], self.n_columns)
        if self.labels_ is not None:
            check_memory(
                int(X.shape[0]) * self.n_fields,
                f"Telling apart the {self.n_fields:,} fields of {X.shape[0]:,} rows",
                ["pass fewer rows at once", "use fewer fields"],
            )
            absent = np.ones((X.shape[0], self.n_fields), dtype=bool)
            absent[row, self.field_[at]] = False
            rows, fields = np.nonzero(absent)
            last = np.searchsorted(self.field_, np.arange(self.n_fields), side="right") - 1
            row, at = np.concatenate([row, rows]), np.concatenate([at, last[fields]])
            value = np.concatenate([value, np.ones(len(rows))])
        raw = csr_array((value, (row, at)), shape=shape)
        raw.sort_indices()
        return raw

    def _scale(self, raw, weight):
        largest = np.zeros(self.n_columns)
        np.maximum.at(largest, raw.indices, np.abs(raw.data))
        return np.zeros(self.n_columns), np.where(largest > 0, largest, 1.0)

    def scaled(self, raw):
        """Encoded rows; the n entries of a row in one field are divided by sqrt(n)."""
        rows = super().scaled(raw)
        if not self.disjoint:
            bag = entry_rows(rows) * self.n_fields + self.field_[rows.indices]
            first = np.flatnonzero(np.diff(bag, prepend=-1))  # bags ascend
            n = np.diff(first, append=len(bag))
            rows.data /= np.repeat(np.sqrt(n), n)
        return rows

    def field_number(self, name, names):
        """Place of a field by its label."""
        labels = np.arange(self.n_fields) if self.labels_ is None else self.labels_
        found = np.flatnonzero(labels == name)
        if not len(found):
            raise ValueError(f"there is no field {name!r}")
        return int(found[0])

    def _check_fitted(self):
        super()._check_fitted()
        if self.labels_ is not None and len(self.labels_) != self.n_fields:
            raise refused("ColumnFields.labels_", str(len(self.labels_)), f"{self.n_fields}")


def make_fields(X, categorical_features, fields, names):
    """Learn the fields of a table.

    Parameters
    ----------
    X : dataframe, ndarray or csr_array of shape (n_rows, n_features)
        As `validate_table` returns it.
    categorical_features, fields : object
        Parameters of a row model.
    names : ndarray of str of shape (n_features,) or None
        Names of the columns.

    Returns
    -------
    fields : TableFields or ColumnFields

    Raises
    ------
    ValueError
        If a parameter is not valid, or does not fit X.
    """
    sparse, n_features = issparse(X), X.shape[1]
    if fields is None and not sparse:
        found = TableFields()
        found.learn(X, categorical_columns(X, categorical_features, names))
        return found
    if not isinstance(categorical_features, str) and categorical_features is not None:
        raise ValueError(
            "categorical_features is for dataframes and arrays without `fields`. Got "
            f"categorical_features={categorical_features!r} with "
            f"{'a sparse matrix' if sparse else '`fields`'}; leave it out."
        )
    if fields is not None:
        fields = np.asarray(fields)
        if fields.shape != (n_features,) or fields.dtype.kind not in "iuUO":
            raise ValueError(
                f"fields must have a label, a whole number or text, for each of the {n_features} "
                f"columns of X. Got shape {fields.shape} and dtype {fields.dtype}."
            )
        if fields.dtype.kind in "UO":
            fields, _ = known_and_missing(fields, "fields")
            if len(fields) < n_features:
                raise ValueError("fields must have a label for each column. Got missing ones.")
    found = ColumnFields()
    found.learn(n_features, fields)
    return found


def categorical_columns(X, given, names):
    """Which columns of a dataframe or array hold categories.

    Parameters
    ----------
    X : dataframe or ndarray of shape (n_rows, n_features)
    given : "from_dtype", None, or array-like of bool, int or str
    names : ndarray of str of shape (n_features,) or None

    Returns
    -------
    categorical : ndarray of bool of shape (n_features,)
    """
    n_features = X.shape[1]
    chosen = np.zeros(n_features, dtype=bool)
    if given is None:
        return chosen
    if isinstance(given, str) and given == "from_dtype":
        dtypes = getattr(X, "dtypes", [])
        return np.array([is_category(dtype) for dtype in dtypes] or chosen, dtype=bool)
    columns = np.asarray(given)
    if columns.ndim != 1 or columns.dtype.kind not in "biuUO":
        raise ValueError(
            "categorical_features must be 'from_dtype', None, or a list of bools, places or names "
            f"of columns. Got {given!r}."
        )
    if columns.dtype.kind == "b":
        if len(columns) != n_features:
            raise ValueError(
                f"categorical_features as bools must have one for each of the {n_features} "
                f"columns. Got {len(columns)}."
            )
        return columns
    if columns.dtype.kind in "UO":
        known = {name: place for place, name in enumerate([] if names is None else names)}
        strange = [name for name in columns.tolist() if name not in known]
        if strange:
            raise ValueError(
                f"categorical_features names columns that X does not have: {strange}. X has "
                f"{'no names' if names is None else list(names)}; use places where it has none."
            )
        columns = np.array([known[name] for name in columns.tolist()], dtype=np.int64)
    if len(columns) and (columns.min() < -n_features or columns.max() >= n_features):
        raise ValueError(
            f"categorical_features must be places from 0 to {n_features - 1}. Got {given!r}."
        )
    chosen[columns] = True
    return chosen
