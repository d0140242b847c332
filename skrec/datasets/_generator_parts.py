"""Activity, ratings, times and features of generated logs."""

import numpy as np
from scipy.sparse import csr_array

__all__ = [
    "draw_item_features",
    "draw_item_images",
    "draw_ratings",
    "draw_timestamps",
    "split_activity",
]

_CHUNK = 1 << 20
_N_COMPONENTS = 8
_START, _END = 1420070400, 1577836800  # 2015-01-01 and 2020-01-01 UTC
_TAGS_PER_GROUP = 4
_TAGS_PER_ITEM = 5
_PIXELS = 24
_PICTURES_AT_ONCE = 1024
# Steps between the styles of groups; irrational, so that no two groups look alike.
_HUE_STEP, _ANGLE_STEP = 0.6180339887, 0.4142135624


def split_activity(n_users, n_items, n_interactions, sigma, rng):
    """Number of interactions of each user: log-normal within bounds, with an exact sum.

    Parameters
    ----------
    n_users, n_items, n_interactions : int
    sigma : float
        Standard deviation of the logarithm.
    rng : numpy.random.Generator

    Returns
    -------
    counts : ndarray of int64 of shape (n_users,)
    """
    mean = n_interactions / n_users
    low = max(min(5, int(mean // 2)), int(mean >= 1))
    high = n_items if mean > n_items / 4 else max(n_items // 2, low + 1)
    raw = np.exp(sigma * rng.standard_normal(n_users))
    # Bisection for the factor at which the clipped activities add up.
    below, above = 0.0, 2.0 * n_items / raw.min()
    for _ in range(100):
        factor = (below + above) / 2
        if np.clip(factor * raw, low, high).sum() < n_interactions:
            below = factor
        else:
            above = factor
    exact = np.clip(below * raw, low, high)
    counts = np.floor(exact).astype(np.int64)
    order = np.argsort(counts - exact, kind="stable")  # largest remainders first
    while (left := n_interactions - int(counts.sum())) > 0:
        counts[order[counts[order] < high][:left]] += 1
    return counts


def draw_ratings(user, item, liked, group, half_stars, rng):
    """Draw ratings with biases and latent factors.

    Parameters
    ----------
    user, item : ndarray of int of shape (n,)
        Row and column of each interaction.
    liked : csr_array of shape (n_users, n_groups)
        Shares of groups in users' tastes.
    group : ndarray of shape (n_items,)
        Group of each item.
    half_stars : bool
    rng : numpy.random.Generator

    Returns
    -------
    ratings : ndarray of float64 of shape (n,)
    """
    n_users, n_groups = liked.shape
    centres = rng.standard_normal((n_groups, _N_COMPONENTS))
    user_factors = liked @ centres + 0.5 * rng.standard_normal((n_users, _N_COMPONENTS))
    item_factors = centres[group] + 0.5 * rng.standard_normal((len(group), _N_COMPONENTS))
    user_bias = 0.45 * rng.standard_normal(n_users)
    item_bias = 0.35 * rng.standard_normal(len(group))
    step = 0.5 if half_stars else 1.0
    ratings = np.empty(len(user))
    for start in range(0, len(user), _CHUNK):
        u, i = user[start : start + _CHUNK], item[start : start + _CHUNK]
        affinity = np.einsum("nd,nd->n", user_factors[u], item_factors[i]) / _N_COMPONENTS
        mean = 3.1 + user_bias[u] + item_bias[i] + 0.6 * affinity
        stars = np.round((mean + 0.6 * rng.standard_normal(len(u))) / step) * step
        ratings[start : start + _CHUNK] = np.clip(stars, step, 5.0)
    return ratings


def draw_timestamps(indptr, rng):
    """Draw Unix seconds of each user's interactions, strictly increasing, in sessions.

    Parameters
    ----------
    indptr : ndarray of shape (n_users + 1,)
        Bounds of the users.
    rng : numpy.random.Generator

    Returns
    -------
    timestamps : ndarray of int64 of shape (n,)
        In the order of each user's interactions.
    """
    lengths = np.diff(indptr)
    # Minutes within a session, weeks between sessions.
    pauses = np.where(rng.random(indptr[-1]) < 0.1, 14 * 86400.0, 300.0)
    gaps = 1 + (pauses * rng.standard_exponential(indptr[-1])).astype(np.int64)
    elapsed = np.cumsum(gaps)
    before = np.concatenate([[0], elapsed])[indptr[:-1]]
    joined = rng.integers(_START, _END, len(lengths))
    return elapsed + np.repeat(joined - before, lengths)


def draw_item_features(group, n_groups, rng):
    """Draw binary tags, most of them from the four tags of the item's group.

    Parameters
    ----------
    group : ndarray of shape (n_items,)
    n_groups : int
    rng : numpy.random.Generator

    Returns
    -------
    features : csr_array of float64 of shape (n_items, 4 * n_groups)
    """
    n_items, n_tags = len(group), _TAGS_PER_GROUP * n_groups
    own = _TAGS_PER_GROUP * group[:, None] + rng.integers(
        0, _TAGS_PER_GROUP, (n_items, _TAGS_PER_ITEM)
    )
    other = rng.integers(0, n_tags, (n_items, _TAGS_PER_ITEM))
    tags = np.where(rng.random((n_items, _TAGS_PER_ITEM)) < 0.7, own, other)
    rows = np.repeat(np.arange(n_items), _TAGS_PER_ITEM)
    features = csr_array((np.ones(tags.size), (rows, tags.ravel())), shape=(n_items, n_tags))
    features.sum_duplicates()
    features.data[:] = 1.0
    return features


def draw_item_images(group, rng):
    """Draw small pictures: stripes with the colours, direction and width of the item's group.

    Parameters
    ----------
    group : ndarray of shape (n_items,)
    rng : numpy.random.Generator

    Returns
    -------
    images : ndarray of uint8 of shape (n_items, 3, 24, 24)
    """
    images = np.empty((len(group), 3, _PIXELS, _PIXELS), np.uint8)
    down, across = np.mgrid[:_PIXELS, :_PIXELS] / _PIXELS
    for start in range(0, len(group), _PICTURES_AT_ONCE):
        style = group[start : start + _PICTURES_AT_ONCE][:, None, None]
        n = len(style)
        angle = np.pi * (_ANGLE_STEP * style % 1)
        shift = 2 * np.pi * rng.random((n, 1, 1))
        place = across * np.cos(angle) + down * np.sin(angle)
        stripes = (1 + np.sin(2 * np.pi * (2 + style % 3) * place + shift)) / 2  # (n, h, w)
        hue = _HUE_STEP * style + 0.02 * rng.standard_normal((n, 1, 1))
        colours = _colour(hue), _colour(hue + 0.2 + 0.1 * (style % 5))
        bright = 0.6 + 0.4 * rng.random((n, 1, 1, 1))
        stripes = stripes[:, None]  # (n, 1, h, w)
        pixels = bright * ((1 - stripes) * colours[0] + stripes * colours[1])
        pixels += 0.06 * rng.standard_normal(pixels.shape)
        images[start : start + n] = np.rint(255 * np.clip(pixels, 0, 1))
    return images


def _colour(hue):
    """Red, green and blue, from 0 to 1, around the circle of hues: shape (n, 3, 1, 1)."""
    thirds = np.arange(3)[:, None, None] / 3
    return 0.5 + 0.45 * np.cos(2 * np.pi * (hue[:, None] - thirds))
