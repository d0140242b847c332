"""Recommendation lists in row chunks, for any estimator that scores items."""

import numpy as np
from scipy.sparse import csr_array, issparse

from skrec.utils._call import one_call
from skrec.utils._given_side import given_side
from skrec.utils._matrices import checked_array
from skrec.utils._memory import check_lists_memory
from skrec.utils._parallel import row_chunks
from skrec.utils._row_side import one_warning, row_range
from skrec.utils._topk import top_k
from skrec.utils._validation import (
    canonical_csr,
    check_candidates,
    check_item_list,
    check_k,
)


def recommend(
    estimator,
    X,
    k=10,
    *,
    user_features=None,
    context=None,
    items=None,
    exclude_seen=True,
    return_scores=False,
):
    """Recommend the k best items to each user, also with a pipeline or a fitted search.

    Meta-estimators of scikit-learn do not pass on the method ``recommend``. This function
    makes the same lists from their ``decision_function``, a chunk of rows at a time.

    Parameters
    ----------
    estimator : fitted estimator
        Anything whose ``decision_function(X)`` has the shape of X: a recommender of
        skrec, a `Pipeline` that ends in one, a fitted `GridSearchCV`.
    X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
        The interactions of the users, in the form that the estimator takes.
    k : int, default=10
        Length of the lists.
    user_features : {array-like, sparse matrix, dataframe} of shape \
            (n_users, n_user_features), default=None
        For estimators that read user features: row u describes row u of X. A pipeline passes
        them on only if scikit-learn's metadata routing is enabled.
    context : {array-like, sparse matrix, dataframe} of shape \
            (n_users, n_context_features), default=None
        For estimators that read context: the situation that each user is in.
    items : array-like of int or bool, or sparse matrix, default=None
        Candidates: indices or a mask of shape (n_items,) for all rows, or a sparse
        mask of shape (n_users, n_items). None: every item.
    exclude_seen : bool, default=True
        Whether to leave out the items stored in a user's row of `X`.
    return_scores : bool, default=False
        Whether to return the scores as well.

    Returns
    -------
    items : ndarray of intp of shape (n_users, k)
        Column indices of X, best first; -1 where fewer than k items are left.
    scores : ndarray of shape (n_users, k)
        Only with ``return_scores=True``; -inf beside -1.

    Raises
    ------
    ValueError
        If k is not a whole number >= 1, if candidates are out of range, or if the
        estimator's scores do not have the shape of X.

    See Also
    --------
    skrec.base.BaseRecommender.recommend : The same as a method.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import Binarizer
    >>> import skrec
    >>> from skrec.linear_model import EASE
    >>> X = np.array([[5, 4, 0], [4, 0, 5], [5, 5, 1]])
    >>> model = make_pipeline(Binarizer(threshold=3.5), EASE(alpha=1.0)).fit(X)
    >>> skrec.recommend(model, X, k=1)
    array([[ 2],
           [ 1],
           [-1]])
    """
    if not (hasattr(X, "iloc") or hasattr(X, "slice")):
        X = checked_array(X, accept_sparse="csr", ensure_all_finite=False)
    n_rows, n_items = X.shape
    seen = canonical_csr(checked_array(X, accept_sparse="csr")) if exclude_seen else None

    side = given_side(user_features, context, n_rows)

    def score_rows(start, stop):
        known = side.keywords(slice(start, stop))
        scores = np.asarray(estimator.decision_function(rows_of(X, start, stop), **known))
        if scores.shape != (stop - start, n_items):
            raise ValueError(
                f"decision_function must return one score per item of X. Got shape {scores.shape} "
                f"for {stop - start} rows, expected {(stop - start, n_items)}; a step that "
                "selects or adds columns cannot come before a recommender."
            )
        return scores

    with one_warning(), one_call():
        found, values = recommend_rows(
            score_rows,
            (n_rows, n_items),
            k,
            seen=seen,
            allowed=check_candidates(items, n_rows, n_items),
        )
    return (found, values) if return_scores else found


def recommend_rows(score_rows, shape, k, *, seen=None, allowed=None, dtype=np.float64, finite=None):
    """Top-k lists from a function that scores a range of rows.

    Parameters
    ----------
    score_rows : callable
        ``score_rows(start, stop)`` returns scores of shape (stop - start, n_items).
    shape : tuple of int
        (n_rows, n_items).
    k : int
        Length of the lists.
    seen : csr_array of shape (n_rows, n_items), default=None
        Items to leave out.
    allowed : ndarray of bool, csr_array or None, default=None
        Candidates, see `skrec.utils._validation.check_candidates`.
    dtype : dtype, default=float64
        Dtype of the scores.
    finite : str, default=None
        See `top_k`.

    Returns
    -------
    items : ndarray of intp of shape (n_rows, k)
    values : ndarray of shape (n_rows, k)
    """
    n_rows, n_items = shape
    k = check_k(k)
    check_lists_memory(n_rows, k, n_items, dtype)
    width = min(k, n_items)  # a list holds at most n_items; padding fills the rest

    def lists(start, stop):
        return top_k(
            score_rows(start, stop),
            width,
            seen=None if seen is None else row_range(seen, start, stop),
            allowed=row_range(allowed, start, stop) if issparse(allowed) else allowed,
            finite=finite,
        )

    chunks = list(row_chunks(n_rows, n_items * np.dtype(dtype).itemsize))
    if len(chunks) == 1 and width == k:
        items, values = lists(*chunks[0])
        return items, values.astype(dtype, copy=False)
    items = np.full((n_rows, k), -1, dtype=np.intp)
    values = np.full((n_rows, k), -np.inf, dtype=dtype)
    for start, stop in chunks:
        items[start:stop, :width], values[start:stop, :width] = lists(start, stop)
    return items, values


def nearest_items(weights_of, items, n_items, k, *, dtype, return_scores=False):
    """For each given item, list the other items with the largest weights.

    Parameters
    ----------
    weights_of : callable
        ``weights_of(items)`` returns the weights of all items for the given items, an
        ndarray of shape (n, n_items).
    items : array-like of int of shape (n,)
        Column indices; a single number counts as a list of one.
    n_items : int
    k : int
        Length of the lists.
    dtype : dtype
        Dtype of the weights.
    return_scores : bool, default=False
        Whether to return the weights as well.

    Returns
    -------
    similar : ndarray of intp of shape (n, k)
        Best first; padded with -1.
    scores : ndarray of shape (n, k)
        Only with ``return_scores=True``; -inf beside -1.

    Raises
    ------
    ValueError
        If an index is out of range, or k is not a whole number >= 1.
    """
    items = check_item_list(items, n_items)
    itself = csr_array(
        (np.ones(len(items), dtype=np.int8), items, np.arange(len(items) + 1)),
        shape=(len(items), n_items),
    )
    found, scores = recommend_rows(
        lambda start, stop: np.ascontiguousarray(weights_of(items[start:stop])),
        itself.shape,
        k,
        seen=itself,
        dtype=dtype,
    )
    return (found, scores) if return_scores else found


def rows_of(X, start, stop):
    """A range of rows of a matrix or a dataframe."""
    return X.iloc[start:stop] if hasattr(X, "iloc") else X[start:stop]
