"""Side information of `fit`: its checks, and the fitted attributes that describe it."""

import os
from typing import NamedTuple

import numpy as np
from scipy.sparse import issparse

from skrec.utils._alignment import check_same_order, index_of
from skrec.utils._feature_rows import (
    check_column_names,
    check_length,
    check_rows,
    column_means,
    column_names,
    n_rows_of,
)
from skrec.utils._images import are_paths
from skrec.utils._interaction_context import check_context
from skrec.utils._item_features import ItemFeatures, check_item_features


class SideInformation(NamedTuple):
    """Checked side information of `fit`; None where it was not given.

    Attributes
    ----------
    item_features : ndarray or csr_array of shape (n_items, n_item_features), images, or None
        Float64 or float32. Images, for classes that read them: an array of shape
        (n_items, c, h, w), or a list of n_items paths, with None for an item without a picture.
    user_features : ndarray or csr_array of shape (n_users, n_user_features) or None
    context : ndarray or csr_array of shape (nnz, n_context_features) or None
        Row p belongs to ``X.data[p]``.
    """

    item_features: object = None
    user_features: object = None
    context: object = None


def start_side(estimator, X, side, *, reads, of_rows=False):
    """Check the side information of `fit`, and set the fitted attributes that describe it.

    Parameters
    ----------
    estimator : recommender
        Gets ``n_item_features_in_``, ``item_feature_names_in_`` and so on, also for users and
        context, and the means. Such attributes of an earlier fit are removed.
    X : csr_array of shape (n_users, n_items)
        Canonical.
    side : SideInformation
        As the user passed it.
    reads : frozenset of str
        Side information that the estimator reads, from its tags.
    of_rows : bool, default=False
        Whether context is a checked table with one row per row of a log, not per entry of X.

    Returns
    -------
    side : SideInformation
    """
    names = getattr(estimator, "feature_names_in_", None)
    checked = SideInformation(
        check_items(side.item_features, X.shape[1], names, images="images" in reads),
        _check_users(side.user_features, X.shape[0]),
        side.context if side.context is None or of_rows else check_context(side.context, X),
    )
    described = {}
    for kind, given, rows in zip(("item", "user", "context"), side, checked, strict=True):
        described |= _described(kind, given, rows)
        for name in (f"n_{kind}_features_in_", f"{kind}_feature_names_in_"):
            vars(estimator).pop(name, None)
    for name, rows in (("user_feature", checked.user_features), ("context", checked.context)):
        vars(estimator).pop(f"{name}_means_", None)
        if rows is not None:
            described[f"{name}_means_"] = column_means(rows)
    vars(estimator).update(described)
    return checked


def check_items(item_features, n_items, item_names=None, *, images=False):
    """Item features as a checked array, or None.

    Parameters
    ----------
    item_features : ItemFeatures, {array-like, sparse matrix, dataframe} of shape \
            (n_items, n_item_features), images, or None
    n_items : int
    item_names : ndarray of str or None, default=None
        ``feature_names_in_``. The index of a dataframe must not hold these names in another
        order.
    images : bool, default=False
        Whether an array of shape (n_items, c, h, w) or a sequence of paths is allowed.
    """
    if item_features is None:
        return None
    values = check_item_features(item_features, n_items)
    check_same_order(index_of(values), item_names, "item_features", "the columns of X")
    if _is_images(values):
        if images:
            return _checked_images(values)
        raise ValueError(
            "item_features are images, which this recommender does not read. Got "
            f"{type(values).__name__}; turn them into a table of shape (n_items, n_features) "
            "first, for example with skrec.feature_extraction.ImageEmbedder."
        )
    return check_rows(values, name="item_features")


def _is_images(values):
    if issparse(values) or hasattr(values, "iloc"):
        return False
    if hasattr(values, "ndim"):
        paths = values.ndim == 1 and values.dtype.kind in "OUS"
        return values.ndim == 4 or (paths and are_paths(values))
    return are_paths(values) or np.ndim(values) == 4


def _checked_images(values):
    if not hasattr(values, "ndim") and np.ndim(values) == 4:
        values = np.asarray(values)
    if not hasattr(values, "ndim") or values.ndim == 1:
        return [None if value is None else os.fspath(value) for value in values]
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise ValueError(
            "item_features must be finite. Got images with NaN or infinity; pass zeros for an item "
            "without an image."
        )
    return values


def _check_users(user_features, n_users):
    if user_features is None:
        return None
    rows = check_rows(user_features, name="user_features")
    check_length(rows, n_users, "user_features", "row of X")
    return rows


def _described(kind, given, rows):
    """Fitted attributes that describe the given features."""
    if rows is None or isinstance(rows, list):
        return {}
    found = {f"n_{kind}_features_in_": int(np.prod(rows.shape[1:]))}
    names = column_names(given.values if isinstance(given, ItemFeatures) else given)
    return found if names is None else found | {f"{kind}_feature_names_in_": names}


def new_items(estimator, item_features, names, *, images):
    """Check the features and names of items that X lacked at fit.

    Parameters
    ----------
    estimator : recommender, fitted with item features
    item_features : ItemFeatures, {array-like, sparse matrix, dataframe} or images, of m new items
    names : sequence of str of length m, or None
    images : bool
        Whether the class reads images.

    Returns
    -------
    rows : ndarray or csr_array of shape (m, n_item_features), or images
    feature_names : ndarray of str or None
        ``feature_names_in_`` of the longer catalogue.
    """
    model = type(estimator).__name__
    width = getattr(estimator, "n_item_features_in_", None)
    if width is None and not images:
        raise ValueError(
            f"{model} was fitted without item_features, so it cannot score items by them. Fit it "
            "with item_features to add items."
        )
    values = ItemFeatures(item_features).values
    known = getattr(estimator, "item_feature_names_in_", None)
    check_column_names(values, known, name="item_features")
    feature_names = _longer_names(estimator, names, n_rows_of(values))
    check_same_order(index_of(values), names, "item_features", "names")
    rows = check_items(values, n_rows_of(values), images=images)
    if width is not None and not isinstance(rows, list) and int(np.prod(rows.shape[1:])) != width:
        raise ValueError(
            "item_features must have the columns that the model was fitted with. Got shape "
            f"{rows.shape}, expected {width} features per item (n_item_features_in_)."
        )
    return rows, feature_names


def _longer_names(estimator, names, n_new):
    known = getattr(estimator, "feature_names_in_", None)
    if known is None and names is None:
        return None
    if known is None or names is None:
        raise ValueError(
            "The new items need names if the columns of X had names in fit, and only then. Got "
            f"names={names!r} for a model fitted {'with' if known is not None else 'without'} "
            "feature_names_in_."
        )
    new = np.array([*names], dtype=object)
    if len(new) != n_new or not all(isinstance(name, str) for name in new):
        raise ValueError(
            f"names must hold one text per new item. Got {len(new)} names for {n_new} items, "
            f"the first are {list(new[:3])!r}."
        )
    longer = np.concatenate([known, new])
    values, counts = np.unique(longer.astype(str), return_counts=True)
    if (counts > 1).any():
        raise ValueError(
            f"names must be new and distinct. Got {str(values[counts > 1][0])!r} more than once; "
            "an item of the catalogue keeps its features until the next fit."
        )
    return longer
