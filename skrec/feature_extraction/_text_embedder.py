"""Features of texts by a given function."""

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from skrec.feature_extraction._options import CALLABLE, checked_output, of_items
from skrec.utils._params import POSITIVE_INTEGER, check_parameters


class TextEmbedder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Features of texts by any function of a list of texts, such as a sentence encoder.

    Parameters
    ----------
    encode : callable
        ``encode(texts)`` takes a list of str and returns an array or tensor of shape
        (len(texts), d), such as the method ``encode`` of a model of sentence-transformers.
    batch_size : int, default=64
        Number of texts in a call.

    Attributes
    ----------
    n_features_out_ : int
        The number d of features.

    See Also
    --------
    sklearn.feature_extraction.text.TfidfVectorizer : Features from words, without a network.
    ImageEmbedder : Features of pictures by any network.

    Notes
    -----
    `fit` encodes one text to learn d. The row of an empty or missing text ("", None, NaN) is zero,
    which means that nothing is known of the item; `encode` does not see such texts.

    Examples
    --------
    >>> from skrec.feature_extraction import TextEmbedder
    >>> def encode(texts):
    ...     return [[len(text), text.count(" ")] for text in texts]
    >>> TextEmbedder(encode).fit_transform(["blue train", "", "giant steps"])
    array([[10.,  1.],
           [ 0.,  0.],
           [11.,  1.]])
    """

    def __init__(self, encode, *, batch_size=64):
        self.encode = encode
        self.batch_size = batch_size

    def __sklearn_tags__(self):
        tags = of_items(super().__sklearn_tags__())
        tags.input_tags.string = True
        return tags

    def fit(self, X, y=None):
        """Learn the number of features from one text.

        Parameters
        ----------
        X : sequence of str of length n_items
            Texts, at least one of them not empty.
        y : ignored
            Present for scikit-learn's conventions.

        Returns
        -------
        self : TextEmbedder
            The fitted transformer.

        Raises
        ------
        ValueError
            If a parameter or X is not valid, or `encode` returns no table of finite numbers.
        """
        check_parameters(self, {"encode": CALLABLE, "batch_size": POSITIVE_INTEGER})
        texts, known = _checked_texts(X)
        if not known.any():
            raise ValueError(
                "TextEmbedder learns the number of features from one text. Got only empty texts; "
                "expected at least one other."
            )
        self.n_features_out_ = self._encoded([texts[np.flatnonzero(known)[0]]]).shape[1]
        return self

    @property
    def _n_features_out(self):
        return self.n_features_out_

    def transform(self, X):
        """Encode texts.

        Parameters
        ----------
        X : sequence of str of length n_items
            Texts; "", None or NaN for a missing one.

        Returns
        -------
        features : ndarray of shape (n_items, d), float64, or float32 if `encode` \
                returns that
            Rows of missing texts are zero.

        Raises
        ------
        ValueError
            If X is not a sequence of texts, or the number of features differs from `fit`.
        """
        check_is_fitted(self)
        texts, known = _checked_texts(X)
        rows, parts = np.flatnonzero(known), []
        for start in range(0, len(rows), self.batch_size):
            batch = [texts[row] for row in rows[start : start + self.batch_size]]
            parts.append(self._encoded(batch))
        dtype = np.result_type(*parts) if parts else np.float64
        features = np.zeros((len(texts), self.n_features_out_), dtype=dtype)
        if parts:
            features[rows] = np.concatenate(parts)
        return features

    def _encoded(self, texts):
        found = self.encode(texts)
        if issparse(found):
            raise ValueError(
                "encode must return an array. Got a sparse matrix; use the transformer that makes "
                "it, such as TfidfVectorizer, without TextEmbedder."
            )
        if hasattr(found, "detach"):
            found = found.detach().cpu().numpy()
        return checked_output(
            np.asarray(found), len(texts), getattr(self, "n_features_out_", None), "encode"
        )


def _checked_texts(X):
    """A list of texts, and which of them are not empty."""
    if isinstance(X, str) or not hasattr(X, "__len__"):
        raise ValueError(
            f"Expected a sequence of texts. Got {type(X).__name__}; put a single text into a list."
        )
    texts = ["" if _is_missing(text) else text for text in X]
    wrong = next((text for text in texts if not isinstance(text, str)), None)
    if wrong is not None:
        raise ValueError(
            f"Expected a sequence of texts, with None or NaN for missing ones. Got {wrong!r} "
            f"({type(wrong).__name__}) among them."
        )
    return texts, np.array([bool(text.strip()) for text in texts], dtype=bool)


def _is_missing(text):
    return text is None or (isinstance(text, float) and np.isnan(text))
