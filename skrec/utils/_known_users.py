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

# What a row takes while it is folded in: some words for each of 256 negatives.
_BYTES_TO_FOLD_IN = 64 * 256
# Rule of the parameter `known_users`.
KNOWN_USERS = Options(("match", "fold_in"))


class LearnedUsersMixin(ClassNamePrefixFeaturesOutMixin, TransformerMixin):
    """A vector is learned for each training user; stands left of the recommender's base.

    A subclass has the parameter `known_users`: "match", a row with the content of a training
    row has the vector learned for it, the first one's if there are several, and any other row
    is folded in; "fold_in", every row is folded in. Its `fit` calls `_remember`. It writes
    `_fold_in` and has `_n_features_out`.
    """

    _fitted_rules = {"user_hashes_": Array("n_users", 2, dtypes=("uint64",))}
    # Whether stored values tell rows apart, or only which items they hold.
    _reads_values = False

    @abstractmethod
    def _fold_in(self, X, hashes):
        """Vectors of rows that are not known, an ndarray of shape (n_rows, n).

        The model's own objective, minimised over the parameters of each row alone with all
        else frozen. X is a csr_array with the content of the rows; `hashes` key random draws.
        """

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.recommender_tags.learned_users = True
        return tags

    def _content(self, X):
        """What rows are known by: the rows, or ones in the places of their values."""
        return X if self._reads_values else pattern(X, dtype=X.dtype)

    def _remember(self, X):
        """Keep by what the training rows of X are known again."""
        self.user_hashes_ = row_hashes(self._content(X))

    @property
    def _known_vectors(self):
        """What was learned for the training users, shape (n_users, n)."""
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
        """Vectors of users.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions of the users, known or new.

        Returns
        -------
        vectors : ndarray of shape (n_users, n_components), dtype of X
            The vectors learned for them, or those that they are folded in with.
        """
        X = self._start_dense(X, self._n_features_out)
        vectors = self._vectors(X)[:, : self._n_features_out]
        return require_finite(vectors.astype(X.dtype, copy=False), "The vectors of users")


def user_vectors(X, known_hashes, known_vectors, fold_in, *, known_users="match", dtype=None):
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
    dtype : dtype, default=None
        Of the result; None: that of `known_vectors`.

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
