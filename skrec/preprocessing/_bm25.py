"""BM25 weights of a user-item matrix."""

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from skrec.utils._params import BOOLEAN, FRACTION_CLOSED, NON_NEGATIVE, check_parameters
from skrec.utils._validation import validate_interactions

__all__ = ["BM25Transformer"]
