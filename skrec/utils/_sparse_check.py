"""Full checks of sparse containers before compiled code reads them.

scipy takes index arrays unchecked. Its conversions and our kernels then read and write
wherever the indices point. So every sparse argument passes these checks first.
"""

import numpy as np
from scipy import sparse

_COMPRESSED = ("csr", "csc", "bsr")


def sound_sparse(X, name="X"):
    """Check the arrays of a sparse matrix, and return it without the caller's flags.

    The check makes one pass over the indices. Other objects are returned unchanged.

    Parameters
    ----------
    X : object
        Sparse arrays and matrices of every format are checked.
    name : str, default="X"
        Name of the matrix in messages.

    Returns
    -------
    X : object
        For CSR, CSC, BSR and COO a new object, without flags about sorted indices and
        duplicates. It shares arrays that are contiguous and of native byte order. Trailing
        entries that no row owns are cut off.

    Raises
    ------
    ValueError
        If X is not two-dimensional, if an index is out of range or not a whole number, if
        pointers have the wrong length or decrease, or if lengths of arrays differ.
    """
    if not sparse.issparse(X):
        return X
    shape = X.shape
    if len(shape) != 2:
        raise ValueError(
            f"{name} must be a 2-D matrix. Got a sparse array of shape {tuple(shape)}; reshape it "
            "to one row with .reshape(1, -1)."
        )
    if X.format in _COMPRESSED:
        return _sound_compressed(X, name)
    if X.format == "coo":
        return _sound_coo(X, name)
    if X.format == "dia":
        _check_dia(X, name)
    elif X.format == "lil":
        _check_lil(X, name)
    elif X.format == "dok":
        _check_dok(X, name)
    return X


def _sound_compressed(X, name):
    values = _values(X.data, 3 if X.format == "bsr" else 1, f"{name}.data")
    indices = _whole_numbers(X.indices, f"{name}.indices")
    indptr = _whole_numbers(X.indptr, f"{name}.indptr")
    n_major, n_minor = X.shape if X.format != "csc" else X.shape[::-1]
    major, minor = ("row", "column") if X.format != "csc" else ("column", "row")
    if X.format == "bsr":
        n_major, n_minor = _blocks(X.shape, values.shape[1:], name)
        minor = "block column"
    _check_pointers(indptr, n_major, len(indices), major, name)
    if len(values) != len(indices):
        raise _malformed(
            name,
            f"{len(indices)} indices for {len(values)} values",
            "as many of each",
        )
    _check_range(indices[: indptr[-1]], n_minor, minor, name)
    return _shell(X, (values, indices, indptr))


def _sound_coo(X, name):
    coords = X.coords
    if len(coords) != 2:
        raise _malformed(name, f"{len(coords)} arrays of coordinates", "2 (rows and columns)")
    values = _values(X.data, 1, f"{name}.data")
    axes = []
    for axis, (what, array) in enumerate(zip(("row", "column"), coords, strict=True)):
        array = _whole_numbers(array, f"{name}.{'row' if axis == 0 else 'col'}")
        if len(array) != len(values):
            raise _malformed(
                name, f"{len(array)} {what} indices for {len(values)} values", "as many of each"
            )
        _check_range(array, X.shape[axis], what, name)
        axes.append(array)
    return _shell(X, (values, tuple(axes)))


def _shell(X, parts):
    """A new scipy object around checked arrays, without flags."""
    kind = "array" if isinstance(X, sparse.sparray) else "matrix"
    return getattr(sparse, f"{X.format}_{kind}")(parts, shape=X.shape)


def _blocks(shape, block, name):
    if 0 in block or shape[0] % block[0] or shape[1] % block[1]:
        raise _malformed(name, f"blocks of shape {block}", f"blocks that divide {shape}")
    return shape[0] // block[0], shape[1] // block[1]


def _check_pointers(indptr, n_major, n_indices, major, name):
    if len(indptr) != n_major + 1:
        raise _malformed(
            name,
            f"{len(indptr)} pointers (indptr) for {n_major} {major}s",
            f"{n_major + 1}, one more than there are {major}s",
        )
    if indptr[0] != 0 or int(indptr[-1]) > n_indices:
        raise _malformed(
            name,
            f"pointers (indptr) from {indptr[0]} to {indptr[-1]} into {n_indices} indices",
            f"pointers from 0 to at most {n_indices}",
        )
    if (indptr[1:] < indptr[:-1]).any():
        at = int(np.argmax(indptr[1:] < indptr[:-1]))
        raise _malformed(
            name,
            f"pointers (indptr) that decrease, from {indptr[at]} to {indptr[at + 1]} at {major} "
            f"{at}",
            "pointers that never decrease",
        )


def _check_range(indices, n, what, name):
    if not len(indices):
        return
    # Read as unsigned, a negative index is a large one: one pass checks both bounds.
    if int(indices.view(f"u{indices.itemsize}").max()) < n:
        return
    low, high = int(indices.min()), int(indices.max())
    hint = f" Do your ids begin at 1? Subtract 1, or use {n + 1} {what}s." if high == n else ""
    raise _malformed(
        name,
        f"{what} indices from {low} to {high}",
        f"0 to {n - 1} for {n} {what}s" if n else f"none for 0 {what}s",
        hint,
    )


def _check_dia(X, name):
    values = _values(X.data, 2, f"{name}.data")
    offsets = _whole_numbers(X.offsets, f"{name}.offsets")
    if len(offsets) != len(values):
        raise _malformed(
            name, f"{len(offsets)} offsets for {len(values)} diagonals", "as many of each"
        )
    if len(np.unique(offsets)) < len(offsets):
        raise _malformed(name, "a repeated offset of a diagonal", "each offset once")
    # -n_rows < offset < n_columns: other diagonals lie outside the matrix.
    if len(offsets) and not -X.shape[0] < offsets.min() <= offsets.max() < max(X.shape[1], 1):
        raise _malformed(
            name,
            f"diagonals at offsets from {offsets.min()} to {offsets.max()}",
            f"diagonals inside a matrix of shape {tuple(X.shape)}",
        )


def _check_lil(X, name):
    for what, lists in (("rows", X.rows), ("data", X.data)):
        if not isinstance(lists, np.ndarray) or lists.shape != (X.shape[0],):
            raise _malformed(
                name, f".{what} of shape {np.shape(lists)}", f"a list for each of {X.shape[0]} rows"
            )
    for row, (columns, values) in enumerate(zip(X.rows, X.data, strict=True)):
        if not isinstance(columns, list) or not isinstance(values, list):
            raise _malformed(name, f"a {type(columns).__name__} in row {row}", "lists")
        if len(columns) != len(values):
            raise _malformed(
                name,
                f"{len(columns)} indices for {len(values)} values in row {row}",
                "as many of each",
            )
        if columns:
            _check_range(
                _whole_numbers(np.array(columns), f"{name}.rows[{row}]"),
                X.shape[1],
                "column",
                name,
            )


def _check_dok(X, name):
    keys = list(X.keys())
    if not keys:
        return
    if not all(isinstance(key, tuple) and len(key) == 2 for key in keys):
        raise _malformed(name, "keys that are not pairs", "(row, column) pairs")
    pairs = _whole_numbers(np.array(keys), f"keys of {name}", ndim=2)
    for axis, what in enumerate(("row", "column")):
        _check_range(pairs[:, axis], X.shape[axis], what, name)


def _whole_numbers(array, name, ndim=1):
    if not isinstance(array, np.ndarray) or array.ndim != ndim or array.dtype.kind not in "iu":
        got = f"an array of shape {array.shape} and dtype {array.dtype}"
        if not isinstance(array, np.ndarray):
            got = f"a {type(array).__name__}"
        raise ValueError(
            f"{name} must be a {ndim}-D array of whole numbers. Got {got}; build the matrix again "
            "with integer indices."
        )
    return _plain(array)


def _values(array, ndim, name):
    if not isinstance(array, np.ndarray) or array.ndim != ndim:
        got = f"shape {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
        raise ValueError(
            f"{name} must be a {ndim}-D array. Got {got}; build the matrix again with "
            "coo_array((values, (rows, columns)), shape)."
        )
    return _plain(array)


def _plain(array):
    """Contiguous and of native byte order: scipy and numba misread other arrays."""
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))


def _malformed(name, got, expected, hint=""):
    return ValueError(
        f"{name} is a malformed sparse matrix. Got {got}, expected {expected}.{hint} "
        "Build it with coo_array((values, (rows, columns)), shape), which checks its arguments."
    )
