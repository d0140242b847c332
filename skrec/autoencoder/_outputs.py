"""Rules of parameters and probabilities that the autoencoders share."""

import numpy as np
from sklearn.utils.metaestimators import available_if

from skrec.utils._params import Options

LIKELIHOODS = Options(("multinomial", "gaussian", "logistic"))


def has_probabilities(model):
    """Whether `predict_proba` is defined; raises an AttributeError that says why it is not."""
    if model.likelihood != "multinomial":
        raise AttributeError(
            "predict_proba exists for likelihood='multinomial' only. "
            f"Got {model.likelihood!r}; use decision_function for scores."
        )
    if not getattr(model, "counts_", True):
        raise AttributeError(
            "predict_proba exists for whole numbers only, since weights have no multinomial "
            "distribution. Got an X of fit with fractions: fit to counts or to zeros and ones "
            "(sklearn.preprocessing.Binarizer), or take the softmax of decision_function."
        )
    return True


class ProbabilitiesMixin:
    """`predict_proba` of the autoencoders that have a multinomial likelihood."""

    @available_if(has_probabilities)
    def predict_proba(self, X):
        """Probabilities that an interaction of the user is with each item.

        Only with the multinomial likelihood, and if X of `fit` held whole numbers: fractional
        weights have no multinomial distribution.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions of the users.

        Returns
        -------
        probabilities : ndarray of shape (n_users, n_items), dtype of X
            Rows sum to 1.
        """
        return _softmax(self.decision_function(X))


def _softmax(scores):
    """Softmax of each row, in place."""
    scores -= scores.max(axis=1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=1, keepdims=True)
    return scores
