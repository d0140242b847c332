"""The compared vectors: their values, the weights of their features, their norms.

ItemKNN compares items over users, UserKNN users over items. In both cases a vector is a row and a
feature a column of a CSR matrix V; w_f are the weights of the features, and
<x, y> = sum_f w_f x_f y_f.
"""

import numpy as np
from scipy.sparse import csr_array

from skrec.utils._finite import require_finite

# Okapi BM25, the values usual in search engines.
BM25_SATURATION = 1.2
BM25_LENGTH = 0.75

# A difference of two floats below this relative size is rounding and counts as zero.
_NOISE = 2.0**-40


def learn_features(V, *, metric, rating, weighting, exponent, length=None):
    """Learn about the features from the training vectors.

    Parameters
    ----------
    V : csr_array of shape (n_vectors, n_features)
        Canonical.
    metric, weighting : str
        Options of the models.
    rating : bool
        Whether missing entries are unknown ratings; else they are zeros.
    exponent : float
        The weight of a feature is its frequency to the power of minus `exponent`.
    length : ndarray of shape (n_vectors,), default=None
        Sums of the vectors, if V has only some of their features. None: the sums of V.

    Returns
    -------
    features : dict
        "weight", ndarray of shape (n_features,), idf squared included; "mean", ndarray of
        shape (n_features,) for adjusted cosine, else (0,); "slope", ndarray of shape
        (n_features,) for Pearson without ratings, else (0,): the `slope` of a vector (see
        `statistics`) is its sum over the entries; "average_length", float, of the vectors.
    """
    n_vectors, n_features = V.shape
    frequency = np.bincount(V.indices, minlength=n_features).astype(np.float64)
    weight, idf = np.maximum(frequency, 1.0) ** -exponent, 1.0
    if weighting == "tfidf":
        idf = 1.0 + np.log((1.0 + n_vectors) / (1.0 + frequency))
    elif weighting == "bm25":
        idf = np.log1p((n_vectors - frequency + 0.5) / (frequency + 0.5))
    centred = metric == "pearson" and not rating
    features = {
        "weight": weight * idf**2,
        "mean": np.zeros(0),
        # The mean of a vector is the mean of its values times idf.
        "slope": weight * idf / np.sqrt(weight.sum()) if centred else np.zeros(0),
        "average_length": float((V if length is None else length).sum(dtype=np.float64))
        / n_vectors,
    }
    if length is not None:
        features["length"] = length
    if metric == "adjusted_cosine":
        values = V.data if rating else _values(V, features, metric, rating, weighting)
        total = np.bincount(V.indices, weights=values, minlength=n_features)
        if rating:
            overall = total.sum() / max(V.nnz, 1)
            features["mean"] = np.where(frequency > 0, total / np.maximum(frequency, 1), overall)
        else:
            features["mean"] = total / n_vectors
    return features


def comparable(V, features, *, metric, rating, weighting):
    """Vectors with the values that the metric compares, in float64.

    Parameters
    ----------
    V : csr_array of shape (n_vectors, n_features)
        Canonical; training vectors or new ones.
    features : dict
        From `learn_features`.
    metric, rating, weighting
        As in `learn_features`.

    Returns
    -------
    vectors : csr_array of shape (n_vectors, n_features)
        The entries of V; the values are a new array only if they differ.
    """
    values = _values(V, features, metric, rating, weighting)
    return csr_array((values, V.indices, V.indptr), shape=V.shape)


def _values(V, features, metric, rating, weighting):
    values = V.data.astype(np.float64, copy=False)
    if metric == "jaccard":
        return np.ones_like(values)
    if rating and metric == "pearson":
        rows = _rows(V)
        length = np.maximum(np.diff(V.indptr), 1)
        mean = np.bincount(rows, weights=values, minlength=V.shape[0]) / length
        return _deviations(values, mean[rows])
    if rating and metric == "adjusted_cosine":
        return _deviations(values, features["mean"][V.indices])
    if weighting == "bm25":
        rows = _rows(V)
        length = features.get("length")
        if length is None:
            length = np.bincount(rows, weights=values, minlength=V.shape[0])
        relative = length / (features["average_length"] or 1.0)
        tempered = BM25_SATURATION * (1.0 - BM25_LENGTH + BM25_LENGTH * relative)
        return values * (BM25_SATURATION + 1.0) / (values + tempered[rows])
    return values


def _deviations(values, mean):
    # A vector of equal ratings must have norm zero, not the rounding error of its mean.
    deviations = values - mean
    deviations[np.abs(deviations) <= _NOISE * np.abs(values)] = 0.0
    return deviations


def statistics(vectors, features, *, metric, rating):
    """Norms of vectors, and the terms that turn their products into products of centred vectors.

    With implicit feedback a missing entry is a zero, so a centred vector is dense. Its
    products follow from the sparse vectors: ``<x, y>`` of the centred vectors is
    ``<x, y> - slope_x slope_y - offset_x - offset_y`` of the sparse vectors.

    Parameters
    ----------
    vectors : csr_array of shape (n_vectors, n_features)
        From `comparable`.
    features : dict
        From `learn_features`.
    metric, rating
        As in `learn_features`.

    Returns
    -------
    norm : ndarray of shape (n_vectors,)
        Norms of the centred vectors; for Jaccard the weighted number of entries.
    slope, offset : ndarray of shape (n_vectors,), or (0,) if the metric has no such term
    """
    how = {"metric": metric, "rating": rating}
    return norms_of(*vector_sums(vectors, features, **how), **how)


def vector_sums(vectors, features, *, metric, rating):
    """The sums over features that `statistics` needs.

    Parameters
    ----------
    vectors, features, metric, rating
        As in `statistics`.

    Returns
    -------
    square, slope, offset : ndarray of shape (n_vectors,), or (0,) if the metric has no such term
    constant : float
    """
    weight = features["weight"]
    n_vectors = vectors.shape[0]
    rows = _rows(vectors)
    none = np.zeros(0)

    def total(values):
        sums = np.bincount(rows, weights=values, minlength=n_vectors)
        return sums.astype(np.float64, copy=False)  # bincount returns integers without entries

    entry_weight = weight[vectors.indices]
    if metric == "jaccard":
        return total(entry_weight), none, none, 0.0
    weighted = entry_weight * vectors.data
    with np.errstate(over="ignore"):
        square = require_finite(total(weighted * vectors.data), "The norms of vectors")
    if rating or metric not in ("pearson", "adjusted_cosine"):
        return square, none, none, 0.0
    if metric == "pearson":  # the mean is over all features
        slope = total(features["slope"][vectors.indices] * vectors.data)
        return square, slope, np.zeros(n_vectors), 0.0
    # The mean belongs to the feature, over all vectors.
    constant = float(np.sum(weight * features["mean"] ** 2))
    offset = total(weighted * features["mean"][vectors.indices]) - constant / 2
    return square, np.zeros(n_vectors), offset, constant


def norms_of(square, slope, offset, constant, *, metric, rating):
    """The norms and terms of `statistics`, from the sums over all features."""
    if metric == "jaccard":
        return square, slope, offset
    if not len(slope):
        return np.sqrt(square), slope, offset
    if metric == "pearson":
        centred, scale = square - slope**2, square
    else:
        centred, scale = square - 2 * offset, square + constant
    centred[centred <= _NOISE * scale] = 0.0
    return np.sqrt(centred), slope, offset


def powered(norm, metric, exponent):
    """The share of one vector in the denominator: its norm, or a power of it."""
    return norm**exponent if metric == "asymmetric_cosine" else norm


def _rows(V):
    return np.repeat(np.arange(V.shape[0]), np.diff(V.indptr))
