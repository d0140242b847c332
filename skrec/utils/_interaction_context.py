"""Context of interactions: one row per stored entry of X, sliced by users."""

import numpy as np
from scipy.sparse import issparse

from skrec.utils._feature_rows import check_rows


class InteractionContext:
    """The situation of each interaction, which searches slice together with X.

    A user-item matrix says which user took which item. Context says when, where or in which
    mood: a row of numbers for each stored entry. scikit-learn slices arguments that have the
    length of X by users. An array with one row per *entry* has another length, so it would stay
    whole and misaligned. This wrapper has the length of X, and a slice of users keeps the
    entries of these users.

    Parameters
    ----------
    values : {ndarray, sparse matrix, dataframe} of shape (nnz, n_context_features)
        Row p describes the stored entry ``X.data[p]`` of the canonical CSR matrix X: entries
        ordered by user, then by item.
    indptr : array-like of int of shape (n_users + 1,)
        ``X.indptr``: the rows ``indptr[u]:indptr[u + 1]`` belong to user u.

    Attributes
    ----------
    values : ndarray or csr_array of shape (nnz, n_context_features)
        Float32 if the values passed have that dtype, else float64.
    indptr : ndarray of intp of shape (n_users + 1,)
        Bounds of the rows of each user.
    shape : tuple of int
        (n_users,).

    Raises
    ------
    ValueError
        If `values` is not two-dimensional or holds text, NaN or infinity, or if `indptr` does
        not ascend from 0 to nnz.

    See Also
    --------
    skrec.ItemFeatures : Keeps item features whole in a search.

    Notes
    -----
    If a user took an item several times in different situations, X has one entry and so one row
    of context: choose one situation, such as the last. Or pass the log to ``fit_rows`` of
    `skrec.content.ContentRecommender`.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.sparse import csr_array
    >>> from skrec import InteractionContext
    >>> X = csr_array(np.array([[1, 0, 1], [0, 1, 0]]))
    >>> hour = np.array([[8.0], [20.0], [13.0]])  # user 0: items 0 and 2; user 1: item 1
    >>> context = InteractionContext(hour, X.indptr)
    >>> context
    InteractionContext(2 users, 3 interactions, 1 features)
    >>> context[[1]].values
    array([[13.]])
    """

    def __init__(self, values, indptr):
        self.values = check_rows(values, name="values of InteractionContext")
        self.indptr = _check_indptr(indptr, self.values.shape[0])

    @property
    def shape(self):
        """One-dimensional: (n_users,)."""
        return (len(self),)

    def __len__(self):
        return len(self.indptr) - 1

    def __getitem__(self, rows):
        # scikit-learn indexes arrays with (rows, ...).
        if isinstance(rows, tuple) and len(rows) == 2 and rows[1] is Ellipsis:
            rows = rows[0]
        if isinstance(rows, tuple):
            raise TypeError(
                "InteractionContext is indexed by users only: context[users]. Use context.values "
                "for rows of single entries."
            )
        users = np.atleast_1d(np.arange(len(self))[_as_index(rows)])
        lengths = np.diff(self.indptr)[users]
        indptr = np.concatenate([[0], np.cumsum(lengths)])
        # An entry keeps its distance to the first entry of its user.
        entries = np.arange(indptr[-1]) + np.repeat(self.indptr[users] - indptr[:-1], lengths)
        return _unchecked(self.values[entries], indptr)

    def __repr__(self):
        return (
            f"InteractionContext({len(self)} users, {self.values.shape[0]} interactions, "
            f"{self.values.shape[1]} features)"
        )


def _as_index(rows):
    if isinstance(rows, slice) or np.ndim(rows) == 0:
        return rows
    rows = np.asarray(rows)
    return rows.astype(np.intp) if rows.size == 0 else rows


def _unchecked(values, indptr):
    """A part of a checked context, without further checks."""
    part = InteractionContext.__new__(InteractionContext)
    part.values, part.indptr = values, indptr
    return part


def _check_indptr(indptr, n_entries):
    indptr = np.asarray(indptr)
    if indptr.ndim != 1 or not len(indptr) or indptr.dtype.kind not in "iu":
        raise ValueError(
            "indptr must be X.indptr of the CSR matrix X, a 1-D array of whole numbers. Got an "
            f"array of shape {indptr.shape} and dtype {indptr.dtype}."
        )
    if indptr[0] != 0 or indptr[-1] != n_entries or (np.diff(indptr.astype(np.intp)) < 0).any():
        raise ValueError(
            "indptr must ascend from 0 to the number of rows of values, as X.indptr does. Got "
            f"{indptr[0]} to {indptr[-1]} for {n_entries} rows; pass one row of context per stored "
            "entry of X."
        )
    return indptr.astype(np.intp)


def check_context(context, X):
    """Check that context has a row for each entry of X, and return these rows.

    Parameters
    ----------
    context : InteractionContext
    X : csr_array of shape (n_users, n_items)
        Canonical; `skrec.utils._alignment.check_fit_alignment` checks that the X that the user
        passed was canonical too.

    Returns
    -------
    values : ndarray or csr_array of shape (nnz, n_context_features)
        Row p belongs to ``X.data[p]``.

    Raises
    ------
    TypeError
        If `context` is no InteractionContext.
    ValueError
        If the users or entries of `context` differ from X's.
    """
    if not isinstance(context, InteractionContext):
        got = f"{type(context).__name__} of shape {np.shape(context)}"
        if issparse(context):
            got = f"a sparse matrix of shape {context.shape}"
        raise TypeError(
            "context must be wrapped as skrec.InteractionContext(values, X.indptr), one row of "
            f"values per stored entry of X, so that a search can slice it by users. Got {got}."
        )
    n_entries = context.values.shape[0]
    aligned = np.array_equal(context.indptr, X.indptr)
    if len(context) != X.shape[0] or n_entries != X.nnz or not aligned:
        raise ValueError(
            "context must have one row per stored entry of X, in the order of X.data. Got "
            f"{context} for {X.shape[0]} users with {X.nnz} interactions; build it with "
            "InteractionContext(values, X.indptr) of the X that is fitted."
        )
    # Checked again: the user may have changed the arrays since the wrapper checked them.
    return check_rows(context.values, name="values of InteractionContext")
