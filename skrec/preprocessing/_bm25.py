"""BM25 weights of a user-item matrix."""

import numpy as np
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from skrec.utils._fitted import Absent, Array, Names, Number
from skrec.utils._params import BOOLEAN, NON_NEGATIVE, Interval, check_parameters
from skrec.utils._restore import WholeFitMixin
from skrec.utils._statistics import SumsMixin
from skrec.utils._validation import validate_interactions

__all__ = ["BM25Transformer"]


# The output is always sparse; scikit-learn's `set_output` must not turn it into a frame.
class BM25Transformer(
    WholeFitMixin, SumsMixin, OneToOneFeatureMixin, TransformerMixin, BaseEstimator,
    auto_wrap_output_keys=None,
):  # fmt: skip
    """Weigh interactions by Okapi BM25, with items as documents and users as terms.

    An item is a document, and the users who have it are its terms. The value x of user u
    with item i becomes ::

        idf(u) * x * (k1 + 1) / (x + k1 * (1 - b + b * length(i) / average_length))
        idf(u) = log(1 + (n_items - n(u) + 0.5) / (n(u) + 0.5))

    where n(u) is the number of the user's items and length(i) the sum of the item's column. So
    large counts saturate, and popular items and very active users weigh less. `fit` learns the
    lengths. idf(u) needs only the user's own row, so new users are weighted like known users.

    Parameters
    ----------
    k1 : float, default=1.2
        Saturation, at least 0. At 0 every x counts as 1. With a larger `k1` a weight grows further
        with x, up to the factor (k1 + 1).
    b : float, default=0.75
        Influence of an item's length, from 0 (none) to 1 (full).
    use_idf : bool, default=True
        Whether to multiply by idf(u). It scales whole rows. So it affects models that compare
        items over users, but not the order of one user's entries.

    Attributes
    ----------
    item_length_ : ndarray of shape (n_items,)
        Sums of the columns in `fit`.
    average_length_ : float
        Mean of `item_length_`.
    n_features_in_ : int
        Number of items.
    feature_names_in_ : ndarray of str of shape (n_items,)
        Only if X has string column names.

    See Also
    --------
    sklearn.feature_extraction.text.TfidfTransformer : TF-IDF, with users as documents.

    Notes
    -----
    The formula is from [1]_. The 1 inside the logarithm keeps the idf of very active users
    positive, as in Lucene. The defaults are usual for text; logs of plays or purchases often want
    a larger `k1`.

    References
    ----------
    .. [1] S. Robertson and H. Zaragoza, "The Probabilistic Relevance Framework: BM25 and
       Beyond", Foundations and Trends in Information Retrieval 3(4), 2009.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.preprocessing import BM25Transformer
    >>> X = np.array([[1, 9, 0], [1, 0, 0], [1, 1, 1]])
    >>> BM25Transformer().fit_transform(X).toarray().round(2)
    array([[0.55, 0.83, 0.  ],
           [1.15, 0.  , 0.  ],
           [0.16, 0.09, 0.2 ]])
    """

    _parameter_rules = {
        "k1": NON_NEGATIVE,
        "b": Interval(0, 1),
        "use_idf": BOOLEAN,
    }

    _fitted_rules = {
        "n_features_in_": Number(1, 2**31 - 1, integer=True, size="n_items"),
        "feature_names_in_": Absent(Names("n_items")),
        "item_length_": Array("n_items", low=0),
        "average_length_": Number(0),
    }

    def __init__(self, *, k1=1.2, b=0.75, use_idf=True):
        self.k1 = k1
        self.b = b
        self.use_idf = use_idf

    def fit(self, X, y=None):
        """Learn the lengths of the items.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions, not negative.
        y : ignored
            Present for scikit-learn's conventions.

        Returns
        -------
        self : BM25Transformer
            The fitted transformer.

        Raises
        ------
        ValueError
            If a parameter is out of range, or a value is negative or not finite.
        """
        check_parameters(self, self._parameter_rules)
        X = validate_interactions(self, X, reset=True)
        self._finish(self._part(X))
        return self

    def partial_fit(self, X, y=None):
        """Add further users; the result is the same as one `fit` on all users.

        It adds to `item_length_`, whether `fit` or `partial_fit` computed it.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions of further users, not negative.
        y : ignored
            Present for scikit-learn's conventions.

        Returns
        -------
        self : BM25Transformer
            The transformer.

        Raises
        ------
        ValueError
            If a parameter is out of range, the number of columns is wrong, or a value is negative
            or not finite.
        """
        check_parameters(self, self._parameter_rules)
        first = not hasattr(self, "item_length_")
        X = validate_interactions(self, X, reset=first)
        lengths = self._part(X)
        self._finish(lengths if first else self.item_length_ + lengths)
        return self

    def _part(self, X, weight=None):
        return np.asarray(X.sum(axis=0, dtype=np.float64)).ravel()

    def _finish(self, lengths):
        self.item_length_ = lengths
        self.average_length_ = float(lengths.mean())

    def transform(self, X):
        """Weigh interactions.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_rows, n_items)
            Interactions of any users, not negative.

        Returns
        -------
        X_out : csr_array of shape (n_rows, n_items)
            Weights, in the dtype of X (float64 for whole numbers).

        Raises
        ------
        ValueError
            If the number of columns is wrong, or a value is negative or not finite.
        """
        check_is_fitted(self)
        X = validate_interactions(self, X, reset=False)
        relative = self.item_length_ / (self.average_length_ or 1.0)
        tempered = self.k1 * (1 - self.b + self.b * relative)
        weights = X.data * (self.k1 + 1) / (X.data + tempered[X.indices])
        if self.use_idf:
            n_items_of_user = np.diff(X.indptr)
            rest = X.shape[1] - n_items_of_user
            idf = np.log1p((rest + 0.5) / (n_items_of_user + 0.5))
            weights *= np.repeat(idf, n_items_of_user)
        return csr_array((weights.astype(X.dtype), X.indices, X.indptr), shape=X.shape, copy=True)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.positive_only = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
