"""Ids as files of text have them: whole numbers, where all of them are written like some."""

import re

import numpy as np

from skrec._log._ids import pack_ids

__all__ = ["ids_of_text", "is_whole"]

_WHOLE = re.compile(r"-?[1-9][0-9]{0,18}|0").fullmatch


def is_whole(text):
    """Whether a text is a whole number of 64 bits as such are written: "007" and "+7" are none."""
    return _WHOLE(text) is not None and -(2**63) <= int(text) < 2**63


def ids_of_text(texts):
    """Ids as whole numbers where all of them are written like some, else as text.

    Parameters
    ----------
    texts : list of str
        Distinct. "007" and "+7" are not how a whole number is written, and stay text.

    Returns
    -------
    ids : ndarray
        Sorted.
    position : ndarray of intp of shape (len(texts),)
        Where each text's id is among `ids`.
    """
    if all(map(is_whole, texts)):
        texts = list(map(int, texts))
    ids = pack_ids(texts)
    place = {value: i for i, value in enumerate(ids.tolist())}
    return ids, np.fromiter(map(place.__getitem__, texts), np.intp, len(texts))
