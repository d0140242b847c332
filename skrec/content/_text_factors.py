"""Shared by the factor models of items' texts: the ALS, and the vectors of cold items."""

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse import csr_array, issparse

from skrec._weighted_factors import WeightedFactorsMixin
from skrec.content._tables import not_zero
from skrec.utils._fitted import Absent, Array, Number
from skrec.utils._params import NON_NEGATIVE, POSITIVE, POSITIVE_INTEGER, Options
from skrec.utils._sparse import has_users, transposed
from skrec.utils._wmf_als import gram_matrix, sweep

# Parameters of every factor model of texts; a class adds its own.
TEXT_RULES = {
    "n_components": POSITIVE_INTEGER,
    "confidence": POSITIVE,
    "unobserved_weight": (Options(("auto",)), NON_NEGATIVE),
    "alpha": POSITIVE,
    "item_alpha": POSITIVE,
    "learned_texts": Options(("known", "all")),
    "cold_items": Options(("shrunk", "text")),
}
# ``unobserved_weight="auto"``, within bounds: with stored ones, the missing entries of a sparse
# matrix together weigh this many times what the stored ones do.
_TIMES, _LEAST, _MOST = 10.0, 0.01, 0.1
# Expected length of the noise in the first vectors of items, as in `WMF`.
INIT_SCALE = 0.1


class TextFactorsMixin(WeightedFactorsMixin):
    """Item vectors around vectors of their texts, also for items without users.

    The estimator has the parameters of `TEXT_RULES`, `device` and `n_jobs`.
    """

    _fitted_rules = {
        "item_has_users_": Array("n_items", dtypes=("bool",)),
        "text_mean_": Absent(Array("n_components")),
        "unobserved_weight_": Absent(Number(0)),  # models of version 0.2 have none
    }
    _score_unit = 1.0  # of the preference

    def _user_penalty(self, X):
        return np.full(X.shape[0], float(self.alpha))

    def _missing_weight(self):
        weight = vars(self).get("unobserved_weight_", self.unobserved_weight)
        if weight == "auto":  # a model of version 0.2, whose parameter was set later
            raise ValueError(
                f"{type(self).__name__} has no unobserved_weight_, but unobserved_weight='auto'. "
                "Fit it again, or set_params(unobserved_weight=...) as it was fitted."
            )
        return weight

    def _start_als(self, X, dtype):
        """Choose the weight of missing entries, and start the solver for a training matrix."""
        self.unobserved_weight_ = self.unobserved_weight
        if self.unobserved_weight == "auto":
            density = X.nnz / max(1, X.shape[0] * np.count_nonzero(has_users(X)))
            self.unobserved_weight_ = float(np.clip(_TIMES * density, _LEAST, _MOST))
        return TextALS(self, X, dtype)

    def _counted_items(self):
        # A missing entry of an item that nobody has tells nothing of the user.
        return self.item_has_users_

    def _keep_items(self, X, items, of_text):
        """Set the fitted state.

        Parameters
        ----------
        X : csr_array of shape (n_users, n_items)
            The training matrix.
        items : ndarray of shape (n_items, n_components)
            Vectors; vectors of items without users are ignored.
        of_text : ndarray of shape (n_items, n_components) or None
            Vectors made of the texts, see `filled`. None: there are no texts.
        """
        cold = ~has_users(X)
        self.item_has_users_ = ~cold
        items[cold] = 0
        self._keep_factors(X, items)
        if of_text is not None:
            self.components_[:, cold] = self._placed(of_text[cold]).T

    def _placed(self, of_text):
        """Vectors of items without users, shape (m, n_components)."""
        if self.cold_items == "text":
            return of_text.astype(self.components_.dtype, copy=False)
        gram = gram_matrix(self.user_factors_, self._missing_weight(), n_jobs=self.n_jobs)
        matrix = gram.astype(np.float64)
        matrix.flat[:: len(matrix) + 1] += self.item_alpha
        vectors = cho_solve(cho_factor(matrix), self.item_alpha * of_text.T.astype(np.float64))
        return np.ascontiguousarray(vectors.T, self.components_.dtype)

    def _longer(self, of_text):
        """`components_` and `item_has_users_` with further items."""
        columns = self._placed(of_text).T
        return {
            "components_": np.hstack([self.components_, columns]),
            "item_has_users_": np.concatenate(
                [self.item_has_users_, np.zeros(len(of_text), dtype=bool)]
            ),
        }


class TextALS:
    """Solves by turns for the vectors of users and of the items that have users.

    Parameters
    ----------
    model : TextFactorsMixin
    X : csr_array of shape (n_users, n_items)
    dtype : numpy dtype
        Dtype of the vectors.
    """

    def __init__(self, model, X, dtype):
        self.known = np.flatnonzero(has_users(X))
        X = csr_array(X[:, self.known])
        n_users, n_known = X.shape
        self._users = np.zeros((n_users, model.n_components), dtype)
        by_item = np.full(n_known, float(model.item_alpha))
        self._steps = (
            model._half_step(X, model._user_penalty(X), np.ones(n_known)),
            model._half_step(transposed(X), by_item, np.ones(n_users)),
        )
        self._item_alpha, self._n_jobs = model.item_alpha, model.n_jobs

    def sweep(self, items, prior):
        """Solve for the users and then for the items.

        Parameters
        ----------
        items : ndarray of shape (n_known, n_components), changed
        prior : ndarray of shape (n_known, n_components) or None
            The means of the items' vectors; None: zeros.

        Returns
        -------
        loss : float
            The weighted squares of the preferences and the penalties, between the two halves.
        """
        if not len(items):
            return 0.0
        return sweep(*self._steps, self._users, items, item_prior=prior, n_jobs=self._n_jobs)

    def distance(self, items, prior):
        """`item_alpha` times the squared distances of vectors and means."""
        return self._item_alpha * float(np.sum(np.square(items - prior, dtype=np.float64)))


def drawn_items(generator, n, n_components):
    """Noise for the first vectors of n items, drawn by a RandomState."""
    return generator.normal(size=(n, n_components)) * (INIT_SCALE / np.sqrt(n_components))


def read_texts(features, learned_from, X):
    """The texts that a model learns from: indices of items.

    Parameters
    ----------
    features : ndarray or csr_array of shape (n_items, n_features)
    learned_from : {"known", "all"}
        See the parameter `learned_texts`.
    X : csr_array of shape (n_users, n_items)
    """
    says = not_zero(features)
    return np.flatnonzero(says & has_users(X) if learned_from == "known" else says)


def filled(of_text, features, mean):
    """Vectors of texts, with a mean in place of rows of zeros, for which nothing is known."""
    of_text[~not_zero(features)] = mean
    return of_text


def check_texts(features, name):
    """Raise unless the features can be texts: numbers that are not negative."""
    values = features.data if issparse(features) else features
    if values.size and values.min() < 0:
        raise ValueError(
            f"{name} reads texts as weights of words, which are not negative. Got item_features "
            f"with {values.min():g}: pass counts or tf-idf, such as scikit-learn's "
            "TfidfVectorizer makes."
        )
    return features
