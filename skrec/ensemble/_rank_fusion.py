"""RankFusion: one list from the lists of several models."""

import numpy as np
from scipy.stats import rankdata
from sklearn.base import BaseEstimator, MetaEstimatorMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import has_fit_parameter

from skrec._delegation import (
    FitThatMayWeigh,
    aligned_side,
    check_no_ratings,
    check_scores,
    fit_keywords,
    longer_model,
    scores_of,
    seeded_clone,
    with_tags_of,
)
from skrec._evaluation._entries import entry_rows
from skrec.base import BaseRecommender, UserSideMixin
from skrec.linear_model import EASE
from skrec.neighbors import UserKNN
from skrec.utils._fitted import Fitted, Series, refused
from skrec.utils._params import NON_NEGATIVE, NONE, InstanceOf, Options, check_parameters
from skrec.utils._ties import quantize_scores


class _Weights:
    """Rule of a parameter: numbers >= 0, not all of them zero."""

    def __contains__(self, value):
        return (
            isinstance(value, (tuple, list, np.ndarray))
            and np.ndim(value) == 1
            and all(weight in NON_NEGATIVE for weight in value)
            and any(weight > 0 for weight in value)
        )

    def __str__(self):
        return "a sequence of numbers >= 0, one of them > 0"


class RankFusion(MetaEstimatorMixin, UserSideMixin, BaseRecommender):
    r"""Fuse the lists of several models into one list.

    With :math:`r_m(i)` the place of item i in the list of model m, from 1, and the weights
    :math:`w_m`, the score of an item is

    .. math:: \sum_m \frac{w_m}{c + r_m(i)}, \qquad
        \sum_m w_m \frac{n - r_m(i)}{n}, \qquad
        \sum_m w_m \frac{s_m(i) - \mu_m}{\sigma_m}

    with ``method="reciprocal_rank"`` [1]_, "borda" [2]_ and "scores", in this order. Places, and
    the mean :math:`\mu_m` and the standard deviation :math:`\sigma_m` of the scores, refer to the
    n items that the row does not have. An item of the row gets the place that it would have among
    them. Items with equal scores share the mean of their places, so a model without knowledge of a
    row changes nothing.

    Places do not depend on the units of the scores. The reciprocal rank mostly counts the heads of
    the lists. Scores only rank items.

    Parameters
    ----------
    estimators : list of (str, recommender), default=None
        At least one model with its name: a recommender, or a pipeline or search that ends in one.
        The name reaches the parameters of a model, as in ``set_params(ease__alpha=100.0)``. None:
        ``[("ease", EASE()), ("user_knn", UserKNN())]``.
    weights : sequence of float of length n_models, default=None
        :math:`w_m \geq 0`, one of them > 0. None: 1 for all. May be changed after ``fit``.
    method : {"reciprocal_rank", "borda", "scores"}, default="reciprocal_rank"
        See above. May be changed after ``fit``.
    rank_constant : float, default=60.0
        The c >= 0 of the reciprocal rank. With a larger c the first places stand out less. May be
        changed after ``fit``.
    random_state : int, RandomState or None, default=None
        Seed of the models whose own `random_state` is None.

    Attributes
    ----------
    estimators_ : list of recommender
        The fitted models, in the order of `estimators`.
    n_features_in_ : int
        Number of items.
    feature_names_in_ : ndarray of str of shape (n_items,)
        Only if X has string column names.

    See Also
    --------
    Fallback : Chooses one of two models by the length of the row.
    TwoStageRecommender : Lists of one model in the order of another.

    Notes
    -----
    All models are fitted to all of X, and get the side information that they read.
    ``sample_weight`` is a keyword of ``fit`` if all models have it. `with_items` works if each
    model reads item features or is a `DummyRecommender`. Each row costs the scores of all models
    and, except for "scores", sorting them.

    References
    ----------
    .. [1] G. V. Cormack, C. L. A. Clarke and S. Buettcher, "Reciprocal rank fusion outperforms
       Condorcet and individual rank learning methods", SIGIR 2009.
    .. [2] J. A. Aslam and M. Montague, "Models for metasearch",
       SIGIR 2001.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.dummy import DummyRecommender
    >>> from skrec.ensemble import RankFusion
    >>> from skrec.linear_model import EASE
    >>> X = np.array([[1, 1, 0, 0, 1], [1, 1, 0, 1, 0], [0, 0, 1, 1, 1], [0, 0, 1, 0, 1]])
    >>> models = [("ease", EASE(alpha=1.0)), ("popular", DummyRecommender())]
    >>> model = RankFusion(models, weights=[2, 1]).fit(X)
    >>> model.predict([[1, 0, 0, 0, 0], [0, 0, 1, 0, 0]])
    array([1, 4])
    >>> model.set_params(ease__alpha=2.0, weights=[1, 1]).get_params()["ease__alpha"]
    2.0
    """

    _parameter_rules = {
        "weights": (NONE, _Weights()),
        "method": Options(("reciprocal_rank", "borda", "scores")),
        "rank_constant": NON_NEGATIVE,
        "estimators": (NONE, InstanceOf((list, tuple), "a list of (name, recommender)")),
    }
    _search_grid = [{"method": method} for method in ("reciprocal_rank", "borda", "scores")]
    _fitted_rules = {"estimators_": Series(Fitted())}

    def __init__(
        self,
        estimators=None,
        *,
        weights=None,
        method="reciprocal_rank",
        rank_constant=60.0,
        random_state=None,
    ):
        self.estimators = estimators
        self.weights = weights
        self.method = method
        self.rank_constant = rank_constant
        self.random_state = random_state

    def get_params(self, deep=True):
        """Get the parameters, and with ``deep=True`` the parameters of the models, by name.

        Parameters
        ----------
        deep : bool, default=True
            Whether to add the models and their parameters.

        Returns
        -------
        params : dict of str to object
            Values by name.
        """
        params = super().get_params(deep=False)
        if deep and _are_named(self.estimators):
            for name, model in self.estimators:
                params[name] = model
                nested = model.get_params(deep=True).items()
                params |= {f"{name}__{key}": value for key, value in nested}
        return params

    def set_params(self, **params):
        """Set parameters; ``name`` replaces a model, ``name__parameter`` sets its parameter.

        Parameters
        ----------
        **params : dict
            Names and values.

        Returns
        -------
        self : RankFusion
            The recommender itself.
        """
        if "estimators" in params:
            self.estimators = params.pop("estimators")
        names = [name for name, _ in self.estimators] if _are_named(self.estimators) else []
        replaced = {name: params.pop(name) for name in names if name in params}
        if replaced:
            self.estimators = [(name, replaced.get(name, model)) for name, model in self.estimators]
        return super().set_params(**params)

    def __sklearn_tags__(self):
        return with_tags_of(self._models(), super().__sklearn_tags__())

    def _models(self):
        # `fit` refuses anything but named estimators; scikit-learn may ask for tags before.
        if _are_named(self.estimators) and len(self.estimators):
            return [model for _, model in self.estimators]
        return [EASE(), UserKNN()]

    def _weighs(self):
        return all(has_fit_parameter(model, "sample_weight") for model in self._models())

    def fit(
        self,
        X,
        y=None,
        *,
        item_features=None,
        user_features=None,
        context=None,
        sample_weight=None,
    ):
        """Fit all models to all rows.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions that all models take.
        y : ignored
            Present for scikit-learn's conventions.
        item_features : ItemFeatures, {array-like, sparse matrix, dataframe} of shape \
                (n_items, n_item_features), or images, default=None
            Passed to the models that read them, like `user_features` and `context`.
        user_features : {array-like, sparse matrix, dataframe} of shape \
                (n_users, n_user_features), default=None
            Row u describes row u of X.
        context : InteractionContext, default=None
            One row for each stored entry of X.
        sample_weight : array-like of shape (n_users,), default=None
            Weights of the users; a keyword only if all models have it.

        Returns
        -------
        self : RankFusion
            The fitted recommender.

        Raises
        ------
        TypeError
            If a model has no ``decision_function``, or none reads the given side information.
        ValueError
            If a parameter or X is not valid, or a model predicts ratings.
        """
        X = self._start_fit(X)
        _check_names(self.estimators)
        models = self._models()
        for model in models:
            check_scores(self, "estimators", model)
            check_no_ratings(self, "estimators", model)
        self._model_weights(len(models))
        side = self._start_side(
            X, item_features=item_features, user_features=user_features, context=context
        )
        side = aligned_side(side, X)
        random_state = check_random_state(self.random_state)
        fitted = []
        for model in models:
            given = fit_keywords(model, side, sample_weight)
            fitted.append(seeded_clone(model, random_state).fit(X, **given))
        self.estimators_ = fitted
        return self

    def _check_fitted(self):
        if not self.estimators_:
            raise refused("RankFusion.estimators_", "no model", "at least one")

    def _model_weights(self, n_models):
        weights = np.ones(n_models) if self.weights is None else np.asarray(self.weights, float)
        if len(weights) != n_models:
            raise ValueError(
                f"RankFusion needs one weight for each model. Got {len(weights)} weights, expected "
                f"{n_models}; use set_params(weights=...)."
            )
        return weights

    def _scores(self, X, side=None):
        # Parameters may have been changed since `fit`.
        check_parameters(self, self._parameter_rules)
        total = np.zeros(X.shape)
        unseen = np.ones(X.shape, dtype=np.bool_)
        unseen[entry_rows(X), X.indices] = False
        weights = self._model_weights(len(self.estimators_))
        for weight, model in zip(weights, self.estimators_, strict=True):
            if weight == 0:
                continue
            cells = quantize_scores(scores_of(model, X, side))
            total += weight * self._points(cells, unseen)
        return total.astype(X.dtype, copy=False)

    def _points(self, cells, unseen):
        """One model's points for the items of some rows, from cells of the grid of its scores."""
        n_unseen = unseen.sum(axis=1, keepdims=True)
        if self.method == "scores":
            counted = np.maximum(n_unseen, 1)
            mean = cells.sum(axis=1, keepdims=True, where=unseen) / counted
            away = cells - mean
            square = np.square(away).sum(axis=1, keepdims=True, where=unseen) / counted
            return np.divide(away, np.sqrt(square), out=np.zeros_like(away), where=square > 0)
        places = _places(cells, unseen)
        if self.method == "borda":
            return (n_unseen - places) / np.maximum(n_unseen, 1)
        return 1 / (self.rank_constant + places)

    def _extended(self, item_features):
        return {"estimators_": [longer_model(model, item_features) for model in self.estimators_]}


def _are_named(estimators):
    return isinstance(estimators, (list, tuple)) and all(
        isinstance(pair, (list, tuple))
        and len(pair) == 2
        and isinstance(pair[0], str)
        and isinstance(pair[1], BaseEstimator)
        for pair in estimators
    )


def _check_names(estimators):
    if estimators is None:
        return
    if not _are_named(estimators) or not len(estimators):
        raise ValueError(
            "The `estimators` of RankFusion must be a list of at least one (name, recommender), "
            f"such as [('ease', EASE()), ('wmf', WMF())]. Got {estimators!r}."
        )
    names = [name for name, _ in estimators]
    reserved = {"estimators", "weights", "method", "rank_constant", "random_state"}
    if len(set(names)) < len(names) or any("__" in name or name in reserved for name in names):
        raise ValueError(
            "The names of the models of RankFusion must be distinct, without double underscores, "
            f"and differ from its own parameters. Got {names}."
        )


def _places(cells, unseen):
    """Places, from 1, of all items among the unseen items of their row; equal items share the mean.

    Parameters
    ----------
    cells : ndarray of shape (n_rows, n_items)
        Higher is better.
    unseen : ndarray of bool of shape (n_rows, n_items)

    Returns
    -------
    places : ndarray of shape (n_rows, n_items), float64
        A seen item has the place that it would have among the unseen items.
    """
    places = np.empty(cells.shape)
    for row, (value, here) in enumerate(zip(-cells, unseen, strict=True)):
        places[row, here] = rankdata(value[here])
        if not here.all():
            known = np.sort(value[here])
            before = np.searchsorted(known, value[~here], side="left")
            after = np.searchsorted(known, value[~here], side="right")
            places[row, ~here] = 1 + (before + after) / 2
    return places


RankFusion.fit = FitThatMayWeigh(RankFusion.fit)
