"""Split the interactions of a matrix; all users stay in both parts."""

from numbers import Real

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import check_random_state

from skrec._evaluation._entries import (
    check_holdout,
    check_interactions,
    held_out_counts,
    lowest_of_rows,
    select_entries,
)
from skrec._log._times import as_moment
from skrec.model_selection._timestamps import check_timed_interactions


def holdout_split(X, holdout=0.2, *, timestamps=None, random_state=None):
    """Hold out a share of each user's interactions.

    ``max(1, floor(holdout * n))`` of a user's n items are held out: random ones or, with
    `timestamps`, the latest. A user with one item keeps it.

    Parameters
    ----------
    X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
        Interactions. Not changed.
    holdout : float or int, default=0.2
        A share, 0 < holdout < 1; or a whole number m, to hold out exactly m items of every user
        who has more than m.
    timestamps : sparse matrix of shape (n_users, n_items) or array-like of shape (nnz,), \
            default=None
        Time of each interaction, in any unit, or its rank in time. A matrix stores a time for
        every interaction of X (a stored zero is a time). An array is aligned with ``X.data``, for
        X in CSR format; it may also hold dates (datetime64, datetime objects, ISO 8601 text, also
        of pandas, polars or pyarrow). If the values of X are times, pass X itself. With
        `timestamps` the latest items of each user are held out; of items at the same time, the
        lowest column index comes first.
    random_state : int, RandomState or None, default=None
        Seed of the draw, not used with `timestamps`. The same seed gives the same split.

    Returns
    -------
    X_train, X_heldout : csr_array of shape (n_users, n_items)
        Their sum is X; they share no entry. Rows stay in place.

    Raises
    ------
    ValueError
        If `holdout` is out of range, or a time is missing.

    See Also
    --------
    leave_one_out_split : Holds out one item of each user.
    temporal_split : Splits at one point in time for all users.
    strong_generalization_split : Holds out users.
    SameUsersSplit : Lets a search score `X_heldout`.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.model_selection import holdout_split
    >>> X = np.ones((3, 10))
    >>> X_train, X_heldout = holdout_split(X, random_state=0)
    >>> X_heldout.sum(axis=1)
    array([2., 2., 2.])
    >>> (X_train + X_heldout).toarray().min()
    np.float64(1.0)
    """
    check_holdout(holdout)
    if timestamps is None:
        X = check_interactions(X)
        keys = check_random_state(random_state).random_sample(X.nnz)
    else:
        X, times = check_timed_interactions(X, timestamps)
        keys = -times
    mask = lowest_of_rows(X, keys, held_out_counts(np.diff(X.indptr), holdout))
    return select_entries(X, ~mask), select_entries(X, mask)


def leave_one_out_split(X, *, timestamps=None, random_state=None):
    """Hold out one interaction of each user: a random one or the latest.

    The same as `holdout_split` with ``holdout=1``. Users with one item keep it. He et al. [1]_
    held out the latest interaction.

    Parameters
    ----------
    X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
        Interactions. Not changed.
    timestamps : sparse matrix of shape (n_users, n_items) or array-like of shape (nnz,), \
            default=None
        Times, or ranks in time, see `holdout_split`. With them the latest item of each user is
        held out.
    random_state : int, RandomState or None, default=None
        Seed of the draw, not used with `timestamps`. The same seed gives the same split.

    Returns
    -------
    X_train, X_heldout : csr_array of shape (n_users, n_items)
        Their sum is X; a row of `X_heldout` has at most one entry.

    Raises
    ------
    ValueError
        If a time is missing.

    See Also
    --------
    skrec.metrics.evaluate : Ranks the held-out item among given candidates.

    References
    ----------
    .. [1] X. He et al., "Neural Collaborative Filtering",
       WWW 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.sparse import csr_array
    >>> from skrec.model_selection import leave_one_out_split
    >>> X = csr_array(np.array([[1, 1, 1], [0, 1, 0]]))
    >>> X_train, X_heldout = leave_one_out_split(X, timestamps=[20, 30, 10, 5])
    >>> X_heldout.toarray()
    array([[0., 1., 0.],
           [0., 0., 0.]])

    If the values of X are times, X is its own `timestamps`:

    >>> times = csr_array(np.array([[20, 30, 10], [0, 5, 0]]))
    >>> leave_one_out_split(times, timestamps=times)[1].toarray()
    array([[ 0., 30.,  0.],
           [ 0.,  0.,  0.]])
    """
    return holdout_split(X, 1, timestamps=timestamps, random_state=random_state)


def temporal_split(X, timestamps, *, quantile=0.8, threshold=None):
    """Split the interactions at one point in time.

    Every training interaction is earlier than every held-out interaction, over all users. It is
    the only split without leaks from the future.

    Parameters
    ----------
    X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
        Interactions. Not changed.
    timestamps : sparse matrix of shape (n_users, n_items) or array-like of shape (nnz,)
        Times on one clock for all users, see `holdout_split`; X itself if its values are such
        times.
    quantile : float, default=0.8
        Share of the interactions before the threshold, 0 < quantile < 1. Interactions at the same
        moment stay together, so the actual share can be a little smaller.
    threshold : float, str, datetime or datetime64, default=None
        The point in time; `quantile` is then not used. A date or ISO 8601 text, such as
        "2025-10-01", is read as UTC if it has no time zone, and as Unix seconds if `timestamps`
        are numbers.

    Returns
    -------
    X_train : csr_array of shape (n_users, n_items)
        Interactions before the threshold.
    X_heldout : csr_array of shape (n_users, n_items)
        Interactions at the threshold or later. A user may have entries in only one of the two
        matrices.

    Raises
    ------
    ValueError
        If all interactions fall on one side, `quantile` is out of range, or a time is
        missing.

    See Also
    --------
    holdout_split : With `timestamps`, holds out the latest interactions of each user.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.sparse import csr_array
    >>> from skrec.model_selection import temporal_split
    >>> X = csr_array(np.array([[1, 1, 1], [0, 1, 1]]))
    >>> X_train, X_heldout = temporal_split(X, [1, 2, 9, 3, 8], threshold=5)
    >>> X_heldout.toarray()
    array([[0., 0., 1.],
           [0., 0., 1.]])
    """
    X, times = check_timed_interactions(X, timestamps)
    if threshold is None:
        if not isinstance(quantile, Real) or not 0.0 < quantile < 1.0:
            raise ValueError(f"quantile must satisfy 0 < quantile < 1. Got {quantile!r}.")
        if not X.nnz:
            raise ValueError("X has no interactions to split. Got an empty matrix.")
        # The first moment with more than `position` interactions before it or at it.
        position = min(int(np.floor(np.round(quantile * X.nnz, 9))), X.nnz - 1)
        threshold = np.partition(times, position)[position]
    else:
        threshold = _check_threshold(threshold, times, timestamps)
    late = times >= threshold
    if late.all() or not late.any():
        raise ValueError(
            f"All {X.nnz} interactions are {'at or after' if late.all() else 'before'} the "
            f"threshold {threshold!r}; expected some on each side. Times go from "
            f"{times.min() if X.nnz else None} to {times.max() if X.nnz else None}."
        )
    return select_entries(X, ~late), select_entries(X, late)


def _check_threshold(threshold, times, timestamps):
    """The threshold in the unit of the times: dates as Unix seconds."""
    try:
        moment = as_moment(threshold)
    except ValueError as error:
        raise ValueError(
            "threshold must be a point in time, such as '2025-10-01', a datetime or a number in "
            f"the unit of timestamps. {error}"
        ) from error
    numbers = issparse(timestamps) or np.asarray(timestamps).dtype.kind in "iuf"
    if isinstance(threshold, Real) or not numbers or not len(times):
        return moment
    if not times.min() < moment <= times.max():
        raise ValueError(
            f"threshold={threshold!r} is a date, but timestamps are none: they are numbers from "
            f"{times.min()} to {times.max()}, and as Unix seconds the threshold is {moment}. Give "
            "both as dates, or both as numbers of one unit."
        )
    return moment
