"""Models with a learned vector per training user: match by content, else fold in."""

import numpy as np

from skrec.utils._hashing import match_rows, row_hashes
from skrec.utils._params import Options

KNOWN_USERS = Options(("match", "fold_in"))


def user_vectors(X, known_hashes, known_vectors, fold_in, *, known_users="match"):
    """Vectors of rows: the learned one where the row is known, a folded-in one elsewhere.

    Parameters
    ----------
    X : csr_array of shape (n_rows, n_items)
        Canonical.
    known_hashes : ndarray of uint64 of shape (n_known, 2)
        `row_hashes` of the training rows, kept at fit.
    known_vectors : ndarray of shape (n_known, n_components)
        What was learned for them.
    fold_in : callable
        ``fold_in(X_rows, hashes)`` returns vectors of shape (n, n_components) for rows
        that are not known: the model's objective minimised over the row's parameters,
        a function of each row alone. The hashes key its random draws.
    known_users : {"match", "fold_in"}, default="match"
        "match" reuses the vector of the first training row of equal content; "fold_in"
        folds every row in.

    Returns
    -------
    vectors : ndarray of shape (n_rows, n_components), dtype of `known_vectors`
    """
    hashes = row_hashes(X)
    if known_users == "match":
        positions = match_rows(known_hashes, hashes)
    else:
        positions = np.full(X.shape[0], -1, dtype=np.intp)
    vectors = np.empty((X.shape[0], known_vectors.shape[1]), dtype=known_vectors.dtype)
    known = positions >= 0
    vectors[known] = known_vectors[positions[known]]
    if not known.all():
        new = np.flatnonzero(~known)
        vectors[new] = fold_in(X[new], hashes[new])
    return vectors
