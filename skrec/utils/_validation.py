"""The one place that turns the input of users into a canonical CSR matrix."""

import numpy as np
from scipy.sparse import csr_array, issparse
from sklearn.utils import get_tags
from sklearn.utils.validation import validate_data

from skrec.utils._matrices import readable_errors, sound_matrix
from skrec.utils._params import MAX_INTEGER
from skrec.utils._short_way import plain_rows
from skrec.utils._sparse_check import sound_sparse


def validate_interactions(estimator, X, *, reset):
    """Check a user-item matrix and return it as canonical CSR.

    Parameters
    ----------
    estimator : estimator
        Its tags say whether negative values are allowed. Its ``n_features_in_`` and
        ``feature_names_in_`` are set (``reset=True``) or checked.
    X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
        Zeros, stored or not, mean "missing".
    reset : bool
        True in ``fit``, False afterwards.

    Returns
    -------
    X : csr_array of shape (n_users, n_items), float64 or float32
        With sorted indices, without stored zeros or duplicates, whose values are summed. The
        indices are int32 if these suffice. X may share memory with the input, which is never
        changed.

    Raises
    ------
    ValueError
        For malformed sparse matrices, logs, text, dates, NaN, infinity, complex values or
        forbidden negative values, and for a wrong number of dimensions or columns.
    """
    plain = None if reset else plain_rows(estimator, X)
    if plain is not None:
        return plain
    X = sound_matrix(X, log=True)
    with readable_errors():
        checked = validate_data(
            estimator, X, reset=reset, accept_sparse="csr", dtype=[np.float64, np.float32]
        )
    canonical = canonical_csr(checked)
    if get_tags(estimator).input_tags.positive_only and canonical.nnz:
        low = canonical.data.min()
        if low < 0:
            raise ValueError(
                f"Negative values in data passed to X in {type(estimator).__name__}: got a "
                f"minimum of {low:g}, expected interactions >= 0. Binarise the ratings first "
                "(sklearn.preprocessing.Binarizer), or use a model for ratings."
            )
    return canonical


def validate_table(estimator, X, *, reset, text=False):
    """Check a table of rows, whose columns may be text or categories.

    Parameters
    ----------
    estimator : estimator
        Its ``n_features_in_`` and ``feature_names_in_`` are set (``reset=True``) or checked.
    X : {array-like, sparse matrix, dataframe} of shape (n_rows, n_features)
    reset : bool
        True in ``fit``, False afterwards.
    text : bool, default=False
        Whether an array of objects or text stays unchanged.

    Returns
    -------
    X : dataframe as it was passed, csr_array of float64, or ndarray
        The csr_array is finite, has sorted indices and no duplicates or zeros. The ndarray is
        float64, and may hold NaN; with `text` it may hold objects.

    Raises
    ------
    ValueError
        For malformed sparse matrices, dates, infinity, complex values, and for a wrong number of
        dimensions or columns.
    """
    X = sound_matrix(X)
    if issparse(X):
        X = validate_data(estimator, X, reset=reset, accept_sparse="csr", dtype=np.float64)
        return canonical_csr(X)
    if hasattr(X, "columns") and hasattr(X, "dtypes"):
        if 0 in X.shape:
            raise ValueError(
                f"Found array with {X.shape[0]} sample(s) and {X.shape[1]} feature(s) "
                f"(shape={X.shape}) while a minimum of 1 is required."
            )
        return validate_data(estimator, X, reset=reset, skip_check_array=True)
    as_is = text and np.asarray(X).dtype.kind in "OUS"
    dtype = object if as_is else np.float64
    finite = False if as_is else "allow-nan"
    return validate_data(estimator, X, reset=reset, dtype=dtype, ensure_all_finite=finite)


def canonical_csr(X):
    """Canonical CSR of a checked matrix: sorted, without duplicates or stored zeros.

    Parameters
    ----------
    X : {ndarray, sparse matrix} of shape (n_rows, n_columns)

    Returns
    -------
    X : csr_array
        Shares memory with an input that is already canonical.
    """
    source = X
    X = X.tocsr() if issparse(X) else csr_array(X)
    # Flags of the caller's object may be stale; scipy recomputes them on a new object.
    X = csr_array((X.data, X.indices, X.indptr), shape=X.shape)
    if not X.has_canonical_format or (X.data == 0).any():
        if issparse(source):
            X = X.copy()
        X.sum_duplicates()
        X.eliminate_zeros()
    if X.indices.dtype != np.int32 and max(X.nnz, *X.shape) < 2**31:
        X = csr_array(
            (X.data, X.indices.astype(np.int32), X.indptr.astype(np.int32)), shape=X.shape
        )
        X.has_canonical_format = True
    return X


def check_k(k):
    """Return `k` as int, or raise if it is not a whole number of at least 1."""
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or not 1 <= k <= MAX_INTEGER:
        raise ValueError(
            f"k must be a whole number >= 1 (the length of the lists) and at most {MAX_INTEGER:,}. "
            f"Got {k!r}."
        )
    return int(k)


def check_candidates(items, n_rows, n_items):
    """Normalise the `items` argument of ``recommend``.

    Parameters
    ----------
    items : None, array-like of int of shape (n_candidates,), array-like of bool of shape \
            (n_items,), or sparse matrix of shape (n_rows, n_items)
        Candidates for all rows, or a mask per row.
    n_rows, n_items : int
        Shape of the user-item matrix.

    Returns
    -------
    allowed : None, ndarray of bool of shape (n_items,), or csr_array
        The argument `allowed` of `skrec.utils._topk.top_k`.
    """
    if items is None:
        return None
    if issparse(items):
        if items.shape != (n_rows, n_items):
            raise ValueError(
                f"A sparse `items` mask must have the shape of X. Got {items.shape}, expected "
                f"{(n_rows, n_items)}; to use the same candidates in all rows pass their indices."
            )
        mask = sound_sparse(items, "items")
        if mask.dtype.kind not in "biuf":
            raise ValueError(
                f"A sparse `items` mask must hold booleans or numbers. Got dtype {mask.dtype}; "
                "store True where an item may be recommended."
            )
        return canonical_csr(mask)
    items = np.asarray(items)
    if items.ndim != 1:
        raise ValueError(
            f"`items` must be 1-D (indices, or a mask of length {n_items}) or a sparse mask of "
            f"the shape of X. Got an array of shape {items.shape}."
        )
    if items.dtype == np.bool_:
        if len(items) != n_items:
            raise ValueError(
                f"A boolean `items` mask must have one entry per item. Got {len(items)} entries, "
                f"expected {n_items}."
            )
        return items.copy()
    allowed = np.zeros(n_items, dtype=np.bool_)
    allowed[check_item_indices(items, n_items)] = True
    return allowed


def check_item_indices(items, n_items, *, name="items", low=0):
    """Return indices as an intp array, or raise if one is out of range.

    Parameters
    ----------
    items : array-like of int
    n_items : int
        Exclusive upper bound.
    name : str, default="items"
        Name in the message.
    low : int, default=0
        Inclusive lower bound; -1 allows the padding of ``recommend``.

    Returns
    -------
    items : ndarray of intp
    """
    try:
        items = np.asarray(items)
    except ValueError as error:
        raise ValueError(f"`{name}` must be an array of whole numbers: {error}") from error
    if items.size == 0:
        return np.zeros(items.shape, dtype=np.intp)
    if items.dtype.kind not in "iu":
        raise ValueError(
            f"`{name}` must hold whole numbers. Got dtype {items.dtype}; pass column indices of "
            "X, not ids (InteractionEncoder maps one to the other)."
        )
    if items.min() < low or items.max() >= n_items:
        raise ValueError(
            f"`{name}` must lie in [{low}, {n_items - 1}]. Got values from {items.min()} to "
            f"{items.max()}."
        )
    return items.astype(np.intp)


def check_item_list(items, n_items):
    """Return items as a 1-D intp array; a single number counts as a list of one.

    Parameters
    ----------
    items : int or array-like of int of shape (n,)
    n_items : int
        Exclusive upper bound.

    Returns
    -------
    items : ndarray of intp of shape (n,)
    """
    items = np.atleast_1d(check_item_indices(items, n_items))
    if items.ndim != 1:
        raise ValueError(f"`items` must be 1-D. Got an array of shape {items.shape}.")
    return items


def _as_numbers(values, name):
    """Convert to an array of real numbers, or raise a ValueError that names the argument."""
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "biuf":
            array = array.astype(np.float64) if array.dtype == object else None
    except (TypeError, ValueError, OverflowError):
        array = None
    if array is None:
        raise ValueError(
            f"{name} must be an array of numbers. Got a {type(values).__name__} that is not one."
        )
    return array


def check_sample_weight(sample_weight, n_rows, dtype):
    """Weights of the users as an array, or None.

    Parameters
    ----------
    sample_weight : array-like of shape (n_rows,), number, or None
    n_rows : int
    dtype : dtype
        Dtype of the result.

    Returns
    -------
    sample_weight : ndarray of shape (n_rows,) or None

    Raises
    ------
    ValueError
        If the length is wrong, a weight is negative or not finite, or all are zero.
    """
    if sample_weight is None:
        return None
    weight = _as_numbers(sample_weight, "sample_weight").astype(dtype)
    if weight.ndim == 0:
        weight = np.full(n_rows, weight)
    if weight.shape != (n_rows,):
        raise ValueError(
            f"sample_weight.shape == {weight.shape}, expected {(n_rows,)}: one weight per user."
        )
    if not np.isfinite(weight).all() or (weight < 0).any():
        raise ValueError("sample_weight must be finite and >= 0: got NaN, infinity or negatives.")
    if not weight.any():
        raise ValueError("sample_weight is zero for every user: no data is left to fit.")
    return weight
