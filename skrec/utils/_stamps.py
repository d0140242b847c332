"""Digests that identify models and parts by their content alone."""

import hashlib
import os

import joblib
import numpy as np
from scipy.sparse import csr_array, issparse
from sklearn.base import BaseEstimator

from skrec.utils._sparse_check import sound_sparse

# Parameters that change how a model computes, but not its result.
_HOW = ("n_jobs", "verbose", "device")


def digest(value):
    """A digest of a value's content, equal for a fitted model and the model loaded from its file.

    joblib.hash would also depend on scipy's cached properties of a matrix, and on which attributes
    are the same object.

    Parameters
    ----------
    value : object
        Estimators, dictionaries, lists, tuples, arrays, sparse matrices, plain values; joblib.hash
        for all others.

    Returns
    -------
    digest : str
    """
    found = hashlib.blake2b(digest_size=16)
    _feed(found, value)
    return found.hexdigest()


def stamp(part):
    """A digest of a part's content, or of a file's bytes.

    Parameters
    ----------
    part : path, matrix or log

    Returns
    -------
    stamp : str
    """
    if not isinstance(part, str | os.PathLike):
        return digest(part)
    with open(part, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def _feed(found, value):
    if isinstance(value, np.generic):
        value = value.item()
    if issparse(value):  # before dicts: a DOK matrix is a dict
        X = csr_array(sound_sparse(value, "A part"))
        _feed_all(found, "sparse", [X.shape, X.indptr, X.indices, X.data])
    elif isinstance(value, dict):
        _feed_all(found, "dict", [x for key in sorted(value, key=repr) for x in (key, value[key])])
    elif isinstance(value, list | tuple):
        _feed_all(found, "list", value)
    elif isinstance(value, np.ndarray) and not value.dtype.hasobject:
        found.update(f"array {value.dtype.str} {value.shape} ".encode())
        found.update(np.ascontiguousarray(value).reshape(-1).view(np.uint8))
    elif isinstance(value, np.ndarray):
        _feed_all(found, f"objects {value.shape}", value.ravel().tolist())
    elif isinstance(value, BaseEstimator):
        state = {name: x for name, x in vars(value).items() if name not in _HOW}
        _feed_all(found, f"estimator {_name(value)}", [state])
    elif isinstance(value, np.random.RandomState):
        _feed_all(found, "random state", value.get_state())
    elif isinstance(value, str | bytes | int | float | None):
        text = f"{type(value).__name__} {value!r}"
        found.update(f"{len(text)} {text}".encode("utf-8", "surrogatepass"))
    elif type(value).__module__.split(".")[0] == "skrec" and hasattr(value, "__dict__"):
        _feed_all(found, f"object {_name(value)}", [vars(value)])
    else:
        found.update(f"other {joblib.hash(value)}".encode())


def _feed_all(found, kind, values):
    found.update(f"{kind} {len(values)} ".encode())
    for value in values:
        _feed(found, value)


def _name(value):
    return f"{type(value).__module__}.{type(value).__qualname__}"
