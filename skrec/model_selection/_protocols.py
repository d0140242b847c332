"""Whole protocols: a test part and a validation part, split in the same way."""

from numbers import Integral

import numpy as np
from scipy.sparse import csr_array
from sklearn.utils import Bunch, check_random_state

from skrec._evaluation._entries import (
    check_holdout,
    check_interactions,
    draw_seed,
    select_entries,
)
from skrec.model_selection._split import holdout_split, leave_one_out_split, temporal_split
from skrec.model_selection._timestamps import check_timed_interactions
from skrec.model_selection._users import strong_generalization_split

_SHARE_OF_USERS = 0.125
_PROTOCOLS = ("strong", "weak", "leave_one_out", "temporal", "ratings")


def evaluation_split(
    X, protocol="strong", *, timestamps=None, holdout=0.2, n_candidates=None, random_state=0
):
    """Split interactions into a training part, a test part and a validation part.

    The validation part is split from the training part in the same way as the test part from all
    data. So parameters are chosen under the protocol of the test.

    Parameters
    ----------
    X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
        Interactions or ratings. Not changed.
    protocol : {"strong", "weak", "leave_one_out", "temporal", "ratings"}, default="strong"
        - "strong": an eighth of the users each for validation and test, see
          `strong_generalization_split`; the models see a share of their items.
        - "weak": a share of the items of each user is held out, see `holdout_split`.
        - "leave_one_out": one item of each user is held out, the latest with `timestamps`.
        - "temporal": the last interactions over all users are held out, see `temporal_split`.
        - "ratings": a share of all entries is held out, drawn without regard to users, for errors
          of predicted ratings.
    timestamps : sparse matrix of shape (n_users, n_items) or array-like of shape (nnz,), \
            default=None
        Times, see `holdout_split`; for "leave_one_out", and for "temporal", which needs them. X
        itself if its values are times.
    holdout : float, default=0.2
        The share to hold out, 0 < holdout < 1; not used by "leave_one_out".
    n_candidates : int, default=None
        Number of drawn items that the user does not have, to rank the held-out item among, see
        `draw_candidates`; only for "leave_one_out". `X_test` then leaves out users without a
        held-out item.
    random_state : int, RandomState or None, default=0
        Seed of all draws. The same seed gives the same split.

    Returns
    -------
    split : `~sklearn.utils.Bunch`
        X_train : csr_array of shape (n_train_users, n_kept_items)
            Training interactions.
        X_test, y_test : csr_array of shape (n_test_users, n_kept_items)
            The visible and the held-out interactions of the test users.
        candidates : ndarray of intp of shape (n_test_users, n_candidates) or None
            Items to rank the held-out item among.
        validation : tuple
            X_train, X_test, y_test and candidates for the choice of parameters; the `validation`
            of `skrec.metrics.compare_models`.
        kept_items : ndarray of intp of shape (n_kept_items,)
            Columns of X that remain.
        test_users : ndarray of intp of shape (n_test_users,)
            Rows of X of the test users.
        protocol, sizes : str
            The protocol and the sizes of the parts, in words.

    Raises
    ------
    ValueError
        If the protocol is unknown, times are missing, there are too few users, or nothing
        is held out.

    See Also
    --------
    skrec.metrics.compare_models : Compares models on such a split.

    Examples
    --------
    >>> from skrec.datasets import make_interactions
    >>> from skrec.model_selection import evaluation_split
    >>> X = make_interactions(200, 60, random_state=0, return_X=True)
    >>> split = evaluation_split(X, "weak", random_state=0)
    >>> split.protocol
    'weak generalisation: 20% of the items of each user are held out'
    >>> split.validation[0].nnz < split.X_train.nnz
    True
    """
    if not isinstance(protocol, str) or protocol not in _PROTOCOLS:
        raise ValueError(f"protocol must be one of {list(_PROTOCOLS)}. Got {protocol!r}.")
    check_holdout(holdout, whole=False)
    if n_candidates is not None and protocol != "leave_one_out":
        raise ValueError(
            "n_candidates is for protocol='leave_one_out', with one held-out item per user. Got "
            f"protocol={protocol!r}."
        )
    if timestamps is None:
        X = check_interactions(X)
    else:  # a matrix, since the training part is split once more
        X, times = check_timed_interactions(X, timestamps)
        timestamps = csr_array((times, X.indices, X.indptr), shape=X.shape)
    if protocol == "strong":
        split = _strong(X, holdout, check_random_state(random_state))
    else:
        split = _same_users(X, protocol, timestamps, holdout, random_state)
    if n_candidates is not None:
        split = _with_candidates(X, split, n_candidates, random_state)
    if not split.y_test.nnz:
        raise ValueError(
            f"No interaction of the test users is held out under protocol {protocol!r}: they have "
            "too few. Give more data."
        )
    return split


def draw_candidates(X, n_candidates, *, random_state=0):
    """Draw items that a user does not have, to rank a held-out item among.

    Parameters
    ----------
    X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
        All interactions of the users, held out or not.
    n_candidates : int
        Number of items to draw for each user, uniformly and without replacement.
    random_state : int, RandomState or None, default=0
        Seed of the draw. The same seed gives the same candidates.

    Returns
    -------
    candidates : ndarray of intp of shape (n_users, n_candidates)
        The `candidates` of `skrec.metrics.evaluate`.

    Raises
    ------
    ValueError
        If there are fewer items that some user does not have.

    See Also
    --------
    leave_one_out_split : Holds out one item of each user.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.model_selection import draw_candidates
    >>> X = np.array([[1, 0, 0, 1], [0, 1, 1, 0]])
    >>> np.sort(draw_candidates(X, 2), axis=1)
    array([[1, 2],
           [0, 3]])
    """
    X = check_interactions(X)
    whole = isinstance(n_candidates, Integral) and not isinstance(n_candidates, bool)
    if not whole or n_candidates < 1:
        raise ValueError(f"n_candidates must be a whole number >= 1. Got {n_candidates!r}.")
    fewest = X.shape[1] - int(np.diff(X.indptr).max(initial=0))
    if fewest < n_candidates:
        raise ValueError(
            f"n_candidates={n_candidates} is too large: some user lacks only {fewest} items."
        )
    rng = _generator(random_state)
    every = np.arange(X.shape[1])
    candidates = np.empty((X.shape[0], n_candidates), dtype=np.intp)
    for user in range(X.shape[0]):
        has = X.indices[X.indptr[user] : X.indptr[user + 1]]
        candidates[user] = rng.choice(np.delete(every, has), n_candidates, replace=False)
    return candidates


def _generator(random_state):
    """A NumPy Generator; a whole number is its seed."""
    whole = isinstance(random_state, Integral) and not isinstance(random_state, bool)
    return np.random.default_rng(int(random_state) if whole else draw_seed(random_state))


def _strong(X, holdout, rng):
    n_test = round_number(_SHARE_OF_USERS * X.shape[0])
    if X.shape[0] < 2 * n_test + 2:
        raise ValueError(
            "protocol 'strong' splits the users into training, validation and test users, and "
            f"{X.shape[0]} are too few. Give more users, or use protocol 'weak'."
        )
    parts = strong_generalization_split(
        X, n_validation=n_test, n_test=n_test, holdout=holdout, random_state=rng
    )
    return Bunch(
        X_train=parts.X_train,
        X_test=parts.X_test,
        y_test=parts.y_test,
        candidates=None,
        validation=(parts.X_train, parts.X_validation, parts.y_validation, None),
        kept_items=parts.kept_items,
        test_users=parts.test_users,
        protocol="strong generalisation: test users are not in the training data; "
        f"{1 - holdout:.0%} of their items are shown and {holdout:.0%} held out",
        sizes=f"{parts.X_train.shape[0]:,} users to train on, {n_test:,} for validation, "
        f"{n_test:,} to test; {parts.X_train.shape[1]:,} items occur in training; "
        f"{parts.y_test.nnz:,} interactions of test users held out",
    )


def _same_users(X, protocol, timestamps, holdout, random_state):
    """Test and validation parts of the training users, split in the same way."""
    parted, text = _entry_split(protocol, timestamps, holdout, random_state)
    X_train, y_test = parted(X)
    X_fit, y_validation = parted(X_train)
    return Bunch(
        X_train=X_train,
        X_test=X_train,
        y_test=y_test,
        candidates=None,
        validation=(X_fit, X_fit, y_validation, None),
        kept_items=np.arange(X.shape[1]),
        test_users=np.arange(X.shape[0]),
        protocol=text,
        sizes=f"{X_train.nnz:,} interactions to train on, {y_test.nnz:,} held out",
    )


def _entry_split(protocol, timestamps, holdout, random_state):
    """A function that splits entries, and its description in words."""
    if protocol == "temporal":
        if timestamps is None:
            raise ValueError("protocol 'temporal' needs timestamps. Got None.")
        return (
            lambda X: temporal_split(X, timestamps, quantile=1 - holdout),
            f"in time: the last {holdout:.0%} of all interactions are held out",
        )
    if protocol == "ratings":
        generator = _generator(random_state)
        return (
            lambda X: _random_entries(X, holdout, generator),
            f"ratings: {holdout:.0%} of all entries are held out, drawn without regard to users",
        )
    rng = check_random_state(random_state)
    if protocol == "weak":
        return (
            lambda X: holdout_split(X, holdout, random_state=rng),
            f"weak generalisation: {holdout:.0%} of the items of each user are held out",
        )
    which = "a random" if timestamps is None else "the last"
    return (
        lambda X: leave_one_out_split(X, timestamps=timestamps, random_state=rng),
        f"leave one out: {which} item of each user is held out and ranked among all items that "
        "the user does not have",
    )


def _random_entries(X, holdout, generator):
    held_out = np.zeros(X.nnz, dtype=bool)
    n_held_out = max(1, int(holdout * X.nnz + 1e-9))
    held_out[generator.permutation(X.nnz)[:n_held_out]] = True
    return select_entries(X, ~held_out), select_entries(X, held_out)


def _with_candidates(X, split, n_candidates, random_state):
    """Keep only users with a held-out item, and add the candidates."""
    drawn = draw_candidates(X, n_candidates, random_state=random_state)

    def tested(shown, held_out):
        rows = np.flatnonzero(np.diff(held_out.indptr))
        return rows, (shown[rows], held_out[rows], drawn[rows])

    split.test_users, (split.X_test, split.y_test, split.candidates) = tested(
        split.X_train, split.y_test
    )
    X_fit, shown, held_out, _ = split.validation
    split.validation = (X_fit, *tested(shown, held_out)[1])
    split.protocol = (
        f"{split.protocol.partition(' and ranked')[0]} and ranked among {n_candidates} drawn "
        "items that the user does not have"
    )
    return split


def round_number(n):
    """Round to two significant digits: 754 to 750, at least 1."""
    digits = max(0, len(str(int(n))) - 2)
    return max(1, round(n / 10**digits) * 10**digits)
