"""Models with a learned vector per training user: match by content, else fold in."""

from abc import abstractmethod

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin

from skrec.utils._finite import require_finite
from skrec.utils._fitted import Array
from skrec.utils._hashing import match_rows, row_hashes
from skrec.utils._parallel import row_chunks
from skrec.utils._params import Options
from skrec.utils._sparse import pattern

# Memory of a row while it is folded in: some words for each of 256 negatives.
_BYTES_TO_FOLD_IN = 64 * 256
# Rule of the parameter `known_users`.
KNOWN_USERS = Options(("match", "fold_in"))


class LearnedUsersMixin(ClassNamePrefixFeaturesOutMixin, TransformerMixin):
    """For models with a vector per training user; stands left of the recommender's base.

    A subclass has the parameter `known_users`. With "match", a row with the content of a
    training row gets the vector learned for that row, the first of several equal rows, and any
    other row is folded in. With "fold_in", every row is folded in. The `fit` of a subclass calls
    `_remember`. A subclass implements `_fold_in` and has `_n_features_out`.
    """

    _fitted_rules = {"user_hashes_": Array("n_users", 2, dtypes=("uint64",))}
    # Whether rows with the same items but other values are different rows.
    _reads_values = False

    @abstractmethod
    def _fold_in(self, X, hashes):
        """Vectors of unknown rows, an ndarray of shape (n_rows, n).

        Minimises the model's own objective over the parameters of each row alone; all other
        parameters stay fixed. X is a csr_array with the content of the rows; `hashes` key
        random draws.
        """

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.recommender_tags.learned_users = True
        return tags

    def _content(self, X):
        """The content that identifies rows: X, or X with ones for its values."""
        return X if self._reads_values else pattern(X, dtype=X.dtype)

    def _remember(self, X):
        """Keep the hashes of the training rows, to recognise these rows later."""
        self.user_hashes_ = row_hashes(self._content(X))

    @property
    def _known_vectors(self):
        """Vectors learned for the training users, shape (n_users, n)."""
        return self.user_factors_

    def _vectors(self, X, *, known_users=None):
        """Vectors of rows of a canonical csr_array: learned ones, or folded in."""
        known = self._known_vectors

        def fold_in_chunks(X, hashes):
            chunks = row_chunks(X.shape[0], _BYTES_TO_FOLD_IN)
            return np.concatenate([self._fold_in(X[a:b], hashes[a:b]) for a, b in chunks])

        return user_vectors(
            self._content(X),
            self.user_hashes_,
            known,
            fold_in_chunks,
            known_users=self.known_users if known_users is None else known_users,
            dtype=np.result_type(known, X.dtype),
        )

    def transform(self, X):
        """Compute the vectors of users.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions of the users, known or new.

        Returns
        -------
        vectors : ndarray of shape (n_users, n_components), dtype of X
            The learned vector of a known user, the folded-in vector of any other.
        """
        X = self._start_dense(X, self._n_features_out)
        vectors = self._vectors(X)[:, : self._n_features_out]
        return require_finite(vectors.astype(X.dtype, copy=False), "The vectors of users")


def user_vectors(X, known_hashes, known_vectors, fold_in, *, known_users="match", dtype=None):
    """Vectors of rows: learned vectors for known rows, folded-in vectors for the others.

    Parameters
    ----------
    X : csr_array of shape (n_rows, n_items)
        Canonical.
    known_hashes : ndarray of uint64 of shape (n_known, 2)
        `row_hashes` of the training rows, kept at fit.
    known_vectors : ndarray of shape (n_known, n_components)
        Vectors learned for the training rows.
    fold_in : callable
        ``fold_in(X_rows, hashes)`` returns vectors of shape (n, n_components) for unknown
        rows. It minimises the model's objective over the parameters of each row alone. The
        hashes key its random draws.
    known_users : {"match", "fold_in"}, default="match"
        "match" reuses the vector of the first training row of equal content; "fold_in"
        folds in every row.
    dtype : dtype, default=None
        Dtype of the result; None: dtype of `known_vectors`.

    Returns
    -------
    vectors : ndarray of shape (n_rows, n_components)
    """
    hashes = row_hashes(X)
    if known_users == "match":
        positions = match_rows(known_hashes, hashes)
    else:
        positions = np.full(X.shape[0], -1, dtype=np.intp)
    dtype = known_vectors.dtype if dtype is None else dtype
    vectors = np.empty((X.shape[0], known_vectors.shape[1]), dtype=dtype)
    known = positions >= 0
    vectors[known] = known_vectors[positions[known]]
    if not known.all():
        new = np.flatnonzero(~known)
        vectors[new] = fold_in(X[new], hashes[new])
    return vectors
