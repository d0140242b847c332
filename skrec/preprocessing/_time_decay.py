"""Weights that decay with the age of an interaction."""

from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from skrec.utils._fitted import Absent, Names, Number, required_if
from skrec.utils._fitted_check import check_shapes
from skrec.utils._params import Interval, Options, check_parameters
from skrec.utils._restore import WholeFitMixin
from skrec.utils._times import HALF_LIFE, UNIT, check_times, decayed
from skrec.utils._validation import validate_interactions

__all__ = ["TimeDecay"]


# The output is always sparse; scikit-learn's `set_output` must not turn it into a frame.
class TimeDecay(
    WholeFitMixin, OneToOneFeatureMixin, TransformerMixin, BaseEstimator,
    auto_wrap_output_keys=None,
):  # fmt: skip
    r"""Turn times into weights that halve with every half-life.

    The values of X are times: numbers > 0 in any unit, larger values are later. An entry of user u
    with item i at time :math:`t_{ui}` becomes

    .. math:: w_{ui} = \max(\mathrm{floor},\; 2^{-a_{ui} / h}),
        \qquad a_{ui} = \max(0,\; t_0 - t_{ui}),

    with the half-life h [1]_ and a moment :math:`t_0`: the user's own latest time, or one moment
    for all users. With ``unit="position"`` the age :math:`a_{ui}` is the number of the user's
    entries that are later than :math:`t_{ui}`: 0 for the last one, 1 for the one before.

    Parameters
    ----------
    half_life : float, default=2592000.0
        Age h > 0 at which a weight is 1/2, in the unit of the values of X, or in items for
        ``unit="position"``. The default is 30 days if times are Unix seconds. Infinite: all
        weights are 1.
    reference : {"row", "fit"} or float, default="row"
        Moment :math:`t_0` of age zero. "row": the latest time of the row itself, so a weight
        depends only on the row, and the user's last item always weighs 1. "fit": the latest time
        of X in `fit`, so rows of users who have been away for long weigh little. A number: that
        time. Entries later than :math:`t_0` weigh 1.
    unit : {"time", "position"}, default="time"
        Unit of age: a difference of times, or a number of items.
    floor : float, default=0.0
        Smallest weight, from 0 to 1.

    Attributes
    ----------
    reference_ : float
        The latest time of X in `fit`, 0 if X is empty; only with ``reference="fit"``.
    n_features_in_ : int
        Number of items.
    feature_names_in_ : ndarray of str of shape (n_items,)
        Only if X has string column names.

    See Also
    --------
    skrec.ensemble.Recency : Decays the rows to score, but not the training rows.
    skrec.linear_model.SLIST : Learns which items come next.
    InteractionEncoder : Makes a matrix of times with ``value="timestamp"``.

    Notes
    -----
    Entries with the same time have the same weight. With ``unit="position"`` none of them is later
    than another: the times 5, 7, 7, 9 have the ages 3, 1, 1, 0.

    A weight is never 0, which would mean "not observed": it is at least ``2**-60``, the weight
    after 60 half-lives. Added to a weight of 1, it does not change the sum.

    Times in float32 must not exceed 2**24 = 16,777,216, because float32 cannot represent all
    larger whole numbers. It would round Unix seconds to steps of two minutes.

    References
    ----------
    .. [1] Y. Ding, X. Li, "Time weight collaborative filtering",
       CIKM 2005.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.preprocessing import TimeDecay
    >>> X = np.array([[10, 30, 40, 0], [0, 5, 5, 6]])
    >>> TimeDecay(half_life=10).fit_transform(X).toarray()
    array([[0.125     , 0.5       , 1.        , 0.        ],
           [0.        , 0.93303299, 0.93303299, 1.        ]])
    >>> TimeDecay(half_life=1, unit="position", floor=0.3).fit_transform(X).toarray()
    array([[0.3, 0.5, 1. , 0. ],
           [0. , 0.5, 0.5, 1. ]])
    """

    _parameter_rules = {
        "half_life": HALF_LIFE,
        "reference": (Options(("row", "fit")), Interval(0)),
        "unit": UNIT,
        "floor": Interval(0, 1),
    }

    _fitted_rules = {
        "n_features_in_": Number(1, 2**31 - 1, integer=True, size="n_items"),
        "feature_names_in_": Absent(Names("n_items")),
        "reference_": required_if(lambda self: self.reference == "fit", Number(0)),
    }

    def __init__(self, half_life=2_592_000.0, *, reference="row", unit="time", floor=0.0):
        self.half_life = half_life
        self.reference = reference
        self.unit = unit
        self.floor = floor

    def fit(self, X, y=None):
        """Learn the latest time with ``reference="fit"``; otherwise only check X.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Times, > 0 for interactions.
        y : ignored
            Present for scikit-learn's conventions.

        Returns
        -------
        self : TimeDecay
            The fitted transformer.

        Raises
        ------
        ValueError
            If a parameter is out of range, parameters exclude each other, a value is negative or
            not finite, or a time is too large for float32.
        """
        self._check_parameters()
        X = validate_interactions(self, X, reset=True)
        check_times(X.data, "TimeDecay")
        vars(self).pop("reference_", None)
        if self.reference == "fit":
            self.reference_ = float(X.data.max(initial=0.0))
        return self

    def _check_parameters(self):
        check_parameters(self, self._parameter_rules)
        if self.unit == "position" and self.reference != "row":
            raise ValueError(
                "With unit='position' age is the number of later items of the same row, so "
                f"reference must be 'row'. Got reference={self.reference!r}; use unit='time'."
            )

    def transform(self, X):
        """Turn times into weights.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_rows, n_items)
            Times of any users, > 0 for interactions.

        Returns
        -------
        X_out : csr_array of shape (n_rows, n_items)
            Weights in (0, 1], in the dtype of X (float64 for whole numbers), stored at the
            interactions of X.

        Raises
        ------
        NotFittedError
            If `reference` was changed to "fit" after `fit`.
        ValueError
            As in `fit`, or if the number of columns is wrong.
        """
        check_is_fitted(self)
        self._check_parameters()
        check_shapes(self)
        X = validate_interactions(self, X, reset=False)
        check_times(X.data, "TimeDecay")
        reference = self.reference_ if self.reference == "fit" else self.reference
        return decayed(
            X,
            self.half_life,
            unit=self.unit,
            reference=None if reference == "row" else reference,
            floor=self.floor,
        ).copy()

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.positive_only = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
