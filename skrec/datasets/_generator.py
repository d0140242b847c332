"""Synthetic interaction logs with the features of real ones."""

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array
from sklearn.utils import Bunch, check_random_state

from skrec._log._aggregate import cast_values, check_dtype
from skrec.datasets._generator_parts import (
    draw_item_features,
    draw_item_images,
    draw_ratings,
    draw_timestamps,
    split_activity,
)
from skrec.utils._params import (
    BOOLEAN,
    NON_NEGATIVE,
    NONE,
    POSITIVE_INTEGER,
    Interval,
    Options,
)

__all__ = ["make_interactions"]


class Tastes(NamedTuple):
    """Preferences of the users for groups.

    Attributes
    ----------
    indptr, groups : ndarray
        CSR of the groups that a user likes.
    cumulative : ndarray of float64
        Running sums of each user's shares of these groups.
    taste : float
        Probability that a draw is from one of these groups.
    """

    indptr: np.ndarray
    groups: np.ndarray
    cumulative: np.ndarray
    taste: float


class Catalogue(NamedTuple):
    """The items by their groups.

    Attributes
    ----------
    indptr, items : ndarray
        CSR of the items of each group.
    cumulative : ndarray of float64
        Running sums of the weights of each group's items.
    weights, group : ndarray of shape (n_items,)
        Weight and group of each item; groups have equal totals.
    """

    indptr: np.ndarray
    items: np.ndarray
    cumulative: np.ndarray
    weights: np.ndarray
    group: np.ndarray


_RULES = {
    "n_users": POSITIVE_INTEGER,
    "n_items": POSITIVE_INTEGER,
    "n_interactions": (NONE, POSITIVE_INTEGER),
    "n_groups": (NONE, POSITIVE_INTEGER),
    "taste": Interval(0, 1),
    "popularity_exponent": NON_NEGATIVE,
    "activity_sigma": NON_NEGATIVE,
    "feedback": Options(("implicit", "rating")),
    "half_stars": BOOLEAN,
    "timestamps": BOOLEAN,
    "item_features": BOOLEAN,
    "item_images": BOOLEAN,
    "return_X": BOOLEAN,
}


def make_interactions(
    n_users=1000,
    n_items=300,
    n_interactions=None,
    *,
    n_groups=None,
    taste=0.9,
    popularity_exponent=1.1,
    activity_sigma=1.0,
    feedback="implicit",
    half_stars=False,
    timestamps=False,
    item_features=False,
    item_images=False,
    dtype=np.float64,
    random_state=None,
    return_X=False,
):
    """Generate an interaction log that looks like a real one.

    Item popularity has a long tail [1]_, user activity is log-normal, and users share
    latent tastes. So a personalised model clearly beats recommending popular items: with the
    defaults, and from 100 users and 50 items up, nDCG@100 of `skrec.linear_model.EASE` for new
    users is at least 1.3 times popularity's, and several times as high for large sparse logs.

    Every item belongs to one group, and has the weight ``rank ** -popularity_exponent``
    within it. Every user likes a few groups, with random shares. A draw first takes a group:
    one of the user's groups with probability `taste`, else any group. Then it takes an item
    of the group by weight. The items of a user are drawn one after the other, without
    repeats.

    Parameters
    ----------
    n_users, n_items : int, default=1000, 300
        Shape of the matrix.
    n_interactions : int, default=None
        Exact number of stored entries. None: ``n_users * sqrt(n_items)``, rounded down,
        at most half of the matrix.
    n_groups : int, default=None
        Number of groups of items. None: 8 to 200 groups, at most ``n_items // 3``, so that a
        group has about 2.5 times as many items as a user has interactions. More groups give
        personalised models a greater advantage.
    taste : float, default=0.9
        Share of interactions within the user's groups, in [0, 1]. At 0 all users have
        the same taste.
    popularity_exponent : float, default=1.1
        Zipf exponent of the items' weights, at least 0.
    activity_sigma : float, default=1.0
        Standard deviation of the logarithm of a user's number of interactions.
    feedback : {"implicit", "rating"}, default="implicit"
        Store ones or ratings. A rating is the rounded sum of a mean, a user bias, an item
        bias, a product of latent vectors and noise.
    half_stars : bool, default=False
        Ratings 0.5, 1, ..., 5 instead of 1, 2, ..., 5.
    timestamps : bool, default=False
        Add the time of each interaction. A user's favourites tend to come first.
    item_features : bool, default=False
        Add binary item features that depend on the group.
    item_images : bool, default=False
        Add a small picture of each item: stripes with the colours, direction and width of the
        group, and with the item's own shift, brightness and noise.
    dtype : dtype or "auto", default=numpy.float64
        Dtype of the matrix; "auto" is float32. NumPy and scikit-learn's generators have the
        same default. The loaders of data default to float32.
    random_state : int, RandomState or None, default=None
        Seed; the same seed gives the same bits.
    return_X : bool, default=False
        Return only the matrix.

    Returns
    -------
    data : Bunch or csr_array
        The matrix if ``return_X=True``, else a Bunch with

        - X : csr_array of shape (n_users, n_items), sorted, without duplicates; also as data,
          the name in scikit-learn's data sets;
        - user, item : ndarray of int32 of shape (n_interactions,), row and column of each
          entry of ``X.data``;
        - user_ids, item_ids : ndarray of int64, the positions;
        - item_group : ndarray of intp of shape (n_items,), the group of each item;
        - user_group_shares : csr_array of shape (n_users, n_groups), shares of the groups in
          the user's taste; rows sum to 1;
        - rating : ``X.data``, with ``feedback="rating"``;
        - timestamp : ndarray of int64, Unix seconds, and time_rank : ndarray of int32, the
          position in the user's history from 0, aligned with ``X.data``, with
          ``timestamps=True``;
        - item_features : csr_array of shape (n_items, 4 * n_groups), and feature_names,
          with ``item_features=True``;
        - item_images : ndarray of uint8 of shape (n_items, 3, 24, 24), red, green and blue, with
          ``item_images=True``;
        - value_name : "rating" or None;
        - DESCR : str.

    Raises
    ------
    ValueError
        If a parameter is out of range, if there are more interactions than pairs, or if
        `dtype` cannot hold a rating.

    See Also
    --------
    load_demo : Load such a log with readable ids and titles.
    fetch_movielens : Download and load real ratings.

    Notes
    -----
    With at least as many interactions as users, every user has at least one. Every user has at
    least ``min(5, mean // 2)`` interactions. No user has more than half of the items, unless
    the mean exceeds a quarter of them. Items of the tail may have no interaction. Time and
    memory are proportional to the number of interactions.

    Drawing without repeats flattens the head of the distribution. If the mean activity is a
    large part of a group, popularity is less skewed than the exponent says, and more than a
    share of ``1 - taste`` of the interactions lies outside the user's groups.

    References
    ----------
    .. [1] O. Celma, "Music Recommendation and Discovery",
       Springer, 2010.

    Examples
    --------
    >>> from skrec.datasets import make_interactions
    >>> data = make_interactions(200, 60, 1500, timestamps=True, random_state=0)
    >>> data.X.shape, data.X.nnz
    ((200, 60), 1500)
    >>> data.timestamp.shape == data.X.data.shape
    True
    """
    _check(locals())
    check_dtype(dtype)
    n_interactions = _n_interactions(n_users, n_items, n_interactions)
    n_groups = _n_groups(n_users, n_items, n_interactions, n_groups)
    seed = int(check_random_state(random_state).randint(2**31 - 1))
    rng = np.random.default_rng(seed)

    weights, group = _items(n_items, n_groups, popularity_exponent, rng)
    counts = split_activity(n_users, n_items, n_interactions, activity_sigma, rng)
    liked = _tastes(counts, n_groups, n_items / n_groups, rng)
    X, place = _draw(counts, liked, weights, group, taste, seed)

    user = np.repeat(np.arange(n_users, dtype=np.int32), np.diff(X.indptr))
    extras = {}
    if feedback == "rating":
        X.data = draw_ratings(user, X.indices, liked, group, half_stars, rng)
        extras["rating"] = X.data = cast_values(X.data, dtype)
    else:
        X.data = cast_values(np.ones(X.nnz), dtype)
    if return_X:
        return X
    if timestamps:
        extras["timestamp"] = draw_timestamps(X.indptr, rng)[place]
        first = np.repeat(X.indptr[:-1], np.diff(X.indptr))
        extras["time_rank"] = (place - first).astype(np.int32)
    if item_features:
        extras["item_features"] = draw_item_features(group, n_groups, rng)
        extras["feature_names"] = np.array([f"tag_{tag}" for tag in range(4 * n_groups)])
    if item_images:
        extras["item_images"] = draw_item_images(group, rng)
    return Bunch(
        X=X,
        data=X,
        user=user,
        item=X.indices,
        user_ids=np.arange(n_users),
        item_ids=np.arange(n_items),
        item_group=group,
        user_group_shares=liked,
        value_name="rating" if feedback == "rating" else None,
        DESCR=f"Synthetic {feedback} log: {n_users} users, {n_items} items, {X.nnz} interactions.",
        **extras,
    )


def _check(arguments):
    for name, rules in _RULES.items():
        value = arguments[name]
        allowed = rules if isinstance(rules, tuple) else (rules,)
        if not any(value in rule for rule in allowed):
            expected = ", or ".join(str(rule) for rule in allowed)
            raise ValueError(f"{name} of make_interactions must be {expected}. Got {value!r}.")


def _n_interactions(n_users, n_items, n_interactions):
    n_pairs = int(n_users) * int(n_items)
    if n_interactions is None:
        return max(1, min(int(n_users * n_items**0.5), n_pairs // 2))
    if n_interactions > n_pairs:
        raise ValueError(
            f"n_interactions={n_interactions} is more than the {n_pairs} pairs of {n_users} users "
            f"and {n_items} items. Expected at most that many; the pairs are distinct."
        )
    return int(n_interactions)


def _n_groups(n_users, n_items, n_interactions, n_groups):
    if n_groups is None:
        wanted = round(n_items / (2.5 * n_interactions / n_users))
        return max(1, min(max(wanted, 8), 200, n_items // 3))
    if n_groups > n_items:
        raise ValueError(
            f"n_groups={n_groups} is more than n_items={n_items}. Expected at most one group per "
            "item."
        )
    return int(n_groups)


def _items(n_items, n_groups, exponent, rng):
    """Weight and group of each item."""
    weights = np.arange(1, n_items + 1, dtype=np.float64) ** -exponent
    # Each block of n_groups ranks is dealt to all groups, so that every group has popular items.
    n_blocks = -(-n_items // n_groups)
    dealt = rng.permuted(np.tile(np.arange(n_groups), (n_blocks, 1)), axis=1).ravel()
    rank = rng.permutation(n_items)
    return weights[rank], dealt[:n_items][rank]


def _tastes(counts, n_groups, group_size, rng):
    """Share of each group in each user's taste, as CSR with rows that sum to 1."""
    n_liked = 1 + rng.poisson(0.3, len(counts))
    # Active users need more groups to find enough items.
    n_liked = np.maximum(n_liked, np.ceil(1.1 * counts / group_size).astype(np.int64))
    n_liked = np.minimum(n_liked, max(1, n_groups // 2))
    indptr = np.concatenate([[0], np.cumsum(n_liked)])
    shares = rng.standard_exponential(indptr[-1])
    shares /= np.repeat(np.add.reduceat(shares, indptr[:-1]), n_liked)
    liked = csr_array(
        (shares, rng.integers(0, n_groups, indptr[-1]), indptr), shape=(len(counts), n_groups)
    )
    liked.sum_duplicates()
    return liked


def _draw(counts, liked, weights, group, taste, seed):
    """Draw the items of all users; return X, and the position of the draw of each entry."""
    from skrec.datasets._generator_kernels import draw_items

    n_groups = liked.shape[1]
    by_group = np.lexsort((-weights, group))
    item_ptr = np.searchsorted(group[by_group], np.arange(n_groups + 1))
    within = weights[by_group]
    running = [
        np.cumsum(within[start:stop])
        for start, stop in zip(item_ptr[:-1], item_ptr[1:], strict=True)
    ]
    # Groups have equal totals, so only the tastes of users decide which group is drawn.
    weights = weights / np.array([sums[-1] for sums in running])[group]
    indptr = np.concatenate([[0], np.cumsum(counts)])
    drawn = np.empty(indptr[-1], dtype=np.int32)
    tastes = Tastes(liked.indptr, liked.indices, _running_shares(liked), float(taste))
    catalogue = Catalogue(item_ptr, by_group, np.concatenate(running), weights, group)
    draw_items(indptr, tastes, catalogue, np.uint64(seed), 0, len(counts), drawn)
    shape = (len(counts), len(weights))
    X = csr_array((np.arange(len(drawn)), drawn, indptr.astype(np.int32)), shape=shape)
    X.sort_indices()
    return X, X.data


def _running_shares(liked):
    """Running sums of each row's shares; the last is exactly 1."""
    running = np.cumsum(liked.data)
    starts, lengths = liked.indptr[:-1], np.diff(liked.indptr)
    before = np.concatenate([[0.0], running])[starts]
    within = running - np.repeat(before, lengths)
    within[liked.indptr[1:] - 1] = 1.0
    return within
