"""From positions to ids."""

import numpy as np

from skrec._log._ids import as_id_column, describe_ids, unique_ids
from skrec.utils._validation import check_item_indices

__all__ = ["decode_ids", "distinct_ids"]


def distinct_ids(ids, name):
    """Given ids of positions, as an array of the plainest dtype.

    Parameters
    ----------
    ids : array-like of shape (n_ids,)
    name : str
        For messages.

    Returns
    -------
    ids : ndarray of shape (n_ids,)
        In the given order.

    Raises
    ------
    ValueError
        If an id occurs twice.
    """
    column = as_id_column(ids, name)
    distinct, codes = unique_ids(column, name)
    if len(distinct) < len(column):
        repeated = distinct[np.bincount(codes) > 1]
        raise ValueError(f"{name} ids must be distinct. Got repeats of {describe_ids(repeated)}.")
    return distinct[codes]


def decode_ids(ids, places, fill_value, name):
    """Ids at positions.

    Parameters
    ----------
    ids : ndarray of shape (n_ids,)
    places : array-like of int of any shape
        -1 means no id.
    fill_value : object
        The result for -1.
    name : str
        For messages.

    Returns
    -------
    decoded : ndarray of the shape of `places`
        In the dtype of `ids`, or object if it cannot hold `fill_value`.
    """
    places = np.asarray(places)
    flat = check_item_indices(places.ravel(), len(ids), name=name, low=-1)
    missing = flat < 0
    decoded = ids[flat]
    if missing.any():
        if np.isscalar(fill_value) and np.asarray(fill_value).dtype.kind == ids.dtype.kind:
            decoded = np.where(missing, fill_value, decoded)
        else:
            decoded = decoded.astype(object)
            # In its own cell, because NumPy would read a tuple as several values.
            filler = np.empty(1, dtype=object)
            filler[0] = fill_value
            decoded[missing] = filler
    return decoded.reshape(places.shape)
