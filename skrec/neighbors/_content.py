"""Features beside interactions: vectors of two blocks, and items that nobody has.

An item (for UserKNN a user) is a vector of interactions and a vector of features. A
`feature_weight` w scales the blocks to length 1 and w, and joins them. With None, the features
replace the interactions: all options of the model apply to them.
"""

import numpy as np
from scipy.sparse import csr_array, hstack, vstack

from skrec.neighbors._options import feature_weighting, norm_exponent
from skrec.neighbors._search import nearest, search_index, similarity_kind
from skrec.neighbors._vectors import comparable, learn_features, powered, statistics
from skrec.utils._finite import require_squares
from skrec.utils._fitted import Array, Maybe, Number, Parts, Sparse
from skrec.utils._unit_rows import unit_rows


def learned_rule(size):
    """The rule for the learned description of `size` features."""
    return Parts(
        {
            "weight": Array(size, low=0),
            "mean": Array(size),
            "slope": Array(size),
            "average_length": Number(),
        }
    )


_SIDE = Parts(tuple(Array("n_items") for _ in range(4)))
# ItemKNN keeps this to score items that come later.
CONTENT = Parts(
    {
        "vectors": Sparse("n_items", "n_item_features"),
        "learned": learned_rule("n_item_features"),
        "target": _SIDE,
        "source": _SIDE,
        "feature_weight": Maybe(Number(0)),
    }
)


def check_content(model, features):
    """Raise a ValueError if features and options of the model contradict each other.

    Parameters
    ----------
    model : ItemKNN or UserKNN
    features : ndarray or csr_array of shape (n, n_features)
    """
    name = type(model).__name__
    rates = model.feedback == "rating"
    if model.feature_weight is None:
        stored = features.data if hasattr(features, "indptr") else features
        if feature_weighting(model) is not None and stored.min(initial=0.0) < 0:
            raise ValueError(
                f"{name}: weighting={model.weighting!r} weighs counts, and some features are "
                f"negative. Got a least value of {stored.min():g}; use weighting=None."
            )
        if model.metric != "jaccard":
            require_squares(stored.ravel(), "The values of features")
        return
    if model.metric == "jaccard" or (model.metric == "adjusted_cosine" and not rates):
        raise ValueError(
            f"{name}: metric={model.metric!r} has no vectors that can be joined with features. Got "
            f"feature_weight={model.feature_weight}; use metric='cosine', or feature_weight=None, "
            "which compares features alone."
        )


def described(features, kept, model):
    """Learn from the features of vectors with interactions: see `learn_features`.

    Parameters
    ----------
    features : csr_array of shape (n, n_features)
    kept : ndarray of bool of shape (n,)
        Vectors with interactions.
    model : ItemKNN or UserKNN

    Returns
    -------
    learned : dict
        As from `learn_features`, with zeros for parts that the metric does not need.
    """
    n_features, none = features.shape[1], np.zeros(features.shape[1])
    if model.feature_weight is not None or not kept.any():
        return {
            "weight": np.ones(n_features), "mean": none, "slope": none, "average_length": 0.0,
        }  # fmt: skip
    learned = learn_features(
        features[np.flatnonzero(kept)], metric=model.metric, rating=False,
        weighting=feature_weighting(model), exponent=frequency_exponent(model),
    )  # fmt: skip
    for name in ("mean", "slope"):
        learned[name] = learned[name] if len(learned[name]) else none
    return learned


def frequency_exponent(model):
    """The exponent of the frequency that divides the weights of features, in either model."""
    activity = getattr(model, "activity_exponent", None)
    if activity == "auto":  # features are not users: the caller weighs them
        return 0.0
    return model.popularity_exponent if activity is None else activity


def alone(features, learned, model, exponent):
    """Vectors of features that replace the interactions, and their side.

    Parameters
    ----------
    features : csr_array of shape (n, n_features), float64
    learned : dict
        From `described`.
    model : ItemKNN or UserKNN
    exponent : float
        Power of the norm in the denominator of "asymmetric_cosine".

    Returns
    -------
    vectors : csr_array of shape (n, n_features)
    side : tuple of ndarray of shape (n,)
        (scale, norm, slope, offset), see `skrec.neighbors._search.nearest`.
    """
    how = {"metric": model.metric, "rating": False}
    vectors = comparable(features, learned, **how, weighting=feature_weighting(model))
    norm, slope, offset = statistics(vectors, learned, **how)
    return vectors, full_side(powered(norm, model.metric, exponent), norm, slope, offset)


def joined(own, own_statistics, content, feature_weight, exponent):
    r"""Vectors :math:`[x / |x|^p, w f / |f|]` and their side.

    Their denominators are their lengths for p = 1: the root of 1 (if there are interactions) plus
    w squared (if there are features).

    Parameters
    ----------
    own : csr_array of shape (n, n_own)
        Compared values of the interactions.
    own_statistics : tuple of ndarray
        (norm, slope, offset), see `skrec.neighbors._vectors.statistics`; offsets are zero.
    content : csr_array of shape (n, n_features)
        From `unit_rows`.
    feature_weight : float
        The w.
    exponent : float
        The p; always 1 except with "asymmetric_cosine".

    Returns
    -------
    vectors : csr_array of shape (n, n_own + n_features)
    side : tuple of ndarray of shape (n,)
    """
    norm, slope, offset = own_statistics
    has = norm > 0
    divisor = np.where(has, norm, 1.0) ** exponent
    shares = np.where(has, 1.0 / divisor, 0.0)
    values = own.data * np.repeat(shares, np.diff(own.indptr))
    scaled = csr_array((values, own.indices, own.indptr), own.shape)
    vectors = csr_array(hstack([scaled, feature_weight * content], format="csr"))
    square = feature_weight**2 * (np.diff(content.indptr) > 0)
    slope = slope * shares if len(slope) else slope
    return vectors, full_side(
        np.sqrt(has + square), np.hypot(norm * shares, np.sqrt(square)), slope, offset
    )


def full_side(scale, norm, slope, offset):
    """A side with zeros for the terms that the metric does not have."""
    none = np.zeros(len(norm))
    return (scale, norm, *(term if len(term) else none for term in (slope, offset)))


def content_kind(model):
    """The formula of the kernel. Features may be negative, so products can cancel."""
    return similarity_kind("jaccard" if model.metric == "jaccard" else "pearson", False)


def only(vectors, chosen):
    """The chosen rows in their places; all other rows are empty."""
    counts = np.diff(vectors.indptr)
    kept = np.repeat(chosen, counts)
    indptr = np.concatenate([[0], np.cumsum(np.where(chosen, counts, 0))])
    return csr_array((vectors.data[kept], vectors.indices[kept], indptr), vectors.shape)


def content_of_items(model, own, own_statistics, features):
    """Vectors of all items for the search, and the part of them that the model keeps.

    Parameters
    ----------
    model : ItemKNN
    own : csr_array of shape (n_items, n_users)
        Compared values of the interactions.
    own_statistics : tuple of ndarray
        See `joined`.
    features : ndarray or csr_array of shape (n_items, n_item_features)

    Returns
    -------
    targets, sources : csr_array of shape (n_items, n)
        The vectors as queries and in the index.
    content : dict
        See `CONTENT`.
    """
    features = csr_array(features, dtype=np.float64)
    weight, asymmetric = model.feature_weight, model.metric == "asymmetric_cosine"
    learned = described(features, np.diff(own.indptr) > 0, model)
    sides, vectors = {}, {}
    block = features if weight is None else unit_rows(features, np.float64)
    for name in ("target", "source"):
        exponent = norm_exponent(model, name, alone=weight is None) if asymmetric else 1.0
        if weight is None:
            vectors[name], sides[name] = alone(block, learned, model, exponent)
        else:
            vectors[name], sides[name] = joined(own, own_statistics, block, weight, exponent)
    kept = vectors["source"] if weight is None else weight * block
    content = {"vectors": kept, "learned": learned, **sides, "feature_weight": weight}
    return vectors["target"], vectors["source"], content


def similar_by_content(model, targets, sources, content, own_weight, has_users, dtype):
    """Lists of the nearest items with users, plus items without users that are as near.

    Returns
    -------
    lists : csr_array of shape (n_items, n_items)
        Row i holds the neighbours of item i.
    """
    kind = content_kind(model)
    weight = content["learned"]["weight"]
    if model.feature_weight is not None:
        weight = np.concatenate([own_weight, weight])
    lists = nearest(
        targets,
        content["target"],
        search_index(only(sources, has_users).T.tocsr(), kind),
        content["source"],
        weight=weight,
        kind=kind,
        n_neighbors=model.n_neighbors,
        shrinkage=model.shrinkage,
        skip_self=True,
        n_jobs=model.n_jobs,
    )
    return with_cold_items(model, lists.astype(dtype, copy=False), content, has_users, kind)


def with_cold_items(model, lists, content, has_users, kind):
    """Add the items that nobody has, without taking the place of an item that somebody has.

    Adds items that are at least as near as the last item of a full list, and at most as many
    as a list may hold.
    """
    if has_users.all():
        return lists
    cold = nearest(
        content["vectors"],
        content["target"],
        search_index(only(content["vectors"], ~has_users).T.tocsr(), kind),
        content["source"],
        weight=content["learned"]["weight"],
        kind=kind,
        n_neighbors=model.n_neighbors,
        shrinkage=model.shrinkage,
        skip_self=True,
        n_jobs=model.n_jobs,
    ).astype(lists.dtype, copy=False)
    counts = np.diff(lists.indptr)
    least = np.full(len(counts), np.inf, dtype=lists.dtype)
    np.minimum.at(least, np.repeat(np.arange(len(counts)), counts), lists.data)
    full = np.zeros(len(counts), dtype=bool)
    if model.n_neighbors is not None:
        full = counts >= model.n_neighbors
    least[~full] = 0
    kept = cold.data >= np.repeat(least, np.diff(cold.indptr))
    rows = np.repeat(np.arange(len(counts)), np.diff(cold.indptr))[kept]
    near = csr_array((cold.data[kept], (rows, cold.indices[kept])), shape=cold.shape)
    return csr_array(lists + near)


def longer_content(model, item_features):
    """The fitted state of `ItemKNN` with further items that nobody has.

    Parameters
    ----------
    model : ItemKNN, fitted with item features
    item_features : ndarray or csr_array of shape (m, n_item_features)

    Returns
    -------
    similarity : csr_array of shape (n_items + m, n_items + m)
    content : dict
    has_users : ndarray of bool of shape (n_items + m,)
    """
    known, has_users = model._content, model.item_has_users_
    weight, learned = known["feature_weight"], known["learned"]
    rows = csr_array(item_features, dtype=np.float64)
    n_items, n_new = len(has_users), rows.shape[0]
    content = {"learned": learned, "feature_weight": weight}
    new = {}
    for name in ("target", "source"):
        if weight is None:
            exponent = norm_exponent(model, name, alone=True)
            block, new[name] = alone(rows, learned, model, exponent)
        else:
            nothing = (np.zeros(n_new), np.zeros(0), np.zeros(0))
            unit = unit_rows(rows, np.float64)
            block, new[name] = joined(csr_array((n_new, 0)), nothing, unit, weight, 1.0)
        content[name] = tuple(
            np.concatenate(pair) for pair in zip(known[name], new[name], strict=True)
        )
    content["vectors"] = csr_array(vstack([known["vectors"], block], format="csr"))
    kind = content_kind(model)
    lists = nearest(
        block,
        new["target"],
        search_index(only(known["vectors"], has_users).T.tocsr(), kind),
        known["source"],
        weight=learned["weight"],
        kind=kind,
        n_neighbors=model.n_neighbors,
        shrinkage=model.shrinkage,
        n_jobs=model.n_jobs,
    )
    before = only(model.similarity_, has_users).T.tocsr()
    lists = csr_array(vstack([before, lists.astype(before.dtype)], format="csr"))
    lists.resize(n_items + n_new, n_items + n_new)
    has_users = np.concatenate([has_users, np.zeros(n_new, dtype=bool)])
    lists = with_cold_items(model, lists, content, has_users, kind)
    return csr_array(lists.T.tocsr()), content, has_users
