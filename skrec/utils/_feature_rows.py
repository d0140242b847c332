"""Checks that turn the feature tables of users into float arrays."""

import numpy as np
from scipy.sparse import csr_array, issparse

from skrec.utils._matrices import checked_array


def n_rows_of(values):
    """Number of rows of an array, sparse matrix, dataframe or sequence."""
    if getattr(values, "shape", None):
        return values.shape[0]
    if not hasattr(values, "__len__") or hasattr(values, "shape"):
        raise ValueError(
            "Expected an array, a sparse matrix, a dataframe or a sequence with one entry per row. "
            f"Got {type(values).__name__}."
        )
    return len(values)


def check_rows(values, *, name):
    """Check a table of features.

    Parameters
    ----------
    values : {array-like, sparse matrix, dataframe} of shape (n_rows, n_features)
        Rows count by position.
    name : str
        Name of the table in messages.

    Returns
    -------
    rows : ndarray or csr_array of shape (n_rows, n_features)
        Float32 if `values` have that dtype, else float64. Sparse rows are canonical.

    Raises
    ------
    ValueError
        If `values` are not two-dimensional, or hold text, complex numbers, NaN or infinity.
    """
    shape = values.shape if hasattr(values, "shape") else np.shape(values)
    if len(shape) != 2:
        raise ValueError(
            f"{name} must be 2-D, of shape (n_rows, n_features). Got shape {tuple(shape)} "
            f"({type(values).__name__}); reshape(-1, 1) makes a table of one feature."
        )
    try:
        rows = checked_array(
            values,
            name=name,
            accept_sparse="csr",
            dtype=[np.float64, np.float32],
            ensure_all_finite=False,
            ensure_min_samples=0,
        )
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name} must hold numbers: {error} Encode text and categories first, for example "
            "with OneHotEncoder or TfidfVectorizer of scikit-learn."
        ) from error
    _check_finite(rows, name)
    if issparse(rows):
        rows = csr_array((rows.data, rows.indices, rows.indptr), shape=rows.shape, copy=True)
        rows.sum_duplicates()
        rows.eliminate_zeros()
    return rows


def _check_finite(rows, name):
    stored = rows.data if issparse(rows) else rows
    if np.isfinite(stored).all():
        return
    what = "NaN" if np.isnan(stored).any() else "infinity"
    bad = ~np.isfinite(stored)
    n_bad = int(bad.sum())
    raise ValueError(
        f"{name} must be finite. Got {what} ({n_bad} of the values are not finite). Impute them, "
        "or pass zeros after scaling: a row of zeros means that its features are unknown."
    )


def check_width(rows, width, *, name, fitted):
    """Raise unless a table has the number of columns that the model was fitted with."""
    if rows.shape[1] != width:
        raise ValueError(
            f"{name} must have the columns that the model was fitted with. Got {rows.shape[1]}, "
            f"expected {width} ({fitted})."
        )


def column_names(values):
    """Names of the columns of a dataframe as an array of objects, or None unless all are text."""
    columns = getattr(values, "columns", None)
    if columns is None or not all(isinstance(column, str) for column in columns):
        return None
    return np.array(list(columns), dtype=object)


def check_column_names(values, known, *, name):
    """Raise if a dataframe names its columns differently from fit; `known` None: no names."""
    names = column_names(values)
    if names is None or known is None or np.array_equal(names, known):
        return
    at = next((i for i, (a, b) in enumerate(zip(names, known, strict=False)) if a != b), None)
    detail = f"{len(names)} columns" if at is None else f"column {at} is {names[at]!r}"
    expected = f"{len(known)} columns" if at is None else repr(known[at])
    raise ValueError(
        f"{name} must have the columns that the model was fitted with, in the same order. Got: "
        f"{detail}, expected {expected}."
    )


def check_length(rows, n, name, per):
    """Raise unless a table has `n` rows."""
    if rows.shape[0] != n:
        raise ValueError(
            f"{name} must have one row per {per}. Got {rows.shape[0]} rows, expected {n}; inside "
            "a search or a pipeline the rows must be sliced like X."
        )


def column_means(rows):
    """Means of the columns of a table, a 1-D ndarray of its dtype; zeros for a table of no rows."""
    total = np.asarray(rows.sum(axis=0, dtype=np.float64)).ravel()
    return (total / max(rows.shape[0], 1)).astype(rows.dtype)
