"""Ids of text files: whole numbers if all ids are written as such, else text."""

import re

import numpy as np

from skrec._log._ids import pack_ids

__all__ = ["ids_of_text", "is_whole"]

_WHOLE = re.compile(r"-?[1-9][0-9]{0,18}|0").fullmatch


def is_whole(text):
    """Whether a text is a whole number of 64 bits in plain form, unlike "007" and "+7"."""
    return _WHOLE(text) is not None and -(2**63) <= int(text) < 2**63


def ids_of_text(texts):
    """Convert ids to whole numbers if all are written as such, else keep text.

    Parameters
    ----------
    texts : list of str
        Distinct. Texts such as "007" and "+7" do not count as whole numbers.

    Returns
    -------
    ids : ndarray
        Sorted.
    position : ndarray of intp of shape (len(texts),)
        Position of the id of each text in `ids`.
    """
    if all(map(is_whole, texts)):
        texts = list(map(int, texts))
    ids = pack_ids(texts)
    place = {value: i for i, value in enumerate(ids.tolist())}
    return ids, np.fromiter(map(place.__getitem__, texts), np.intp, len(texts))
