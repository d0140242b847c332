"""A metric by activity of the users."""

import numpy as np

from skrec._evaluation._names import parse_metric
from skrec._plot._named import check_names, named_estimators
from skrec._plot._style import check_axes, draw_legend, line_looks
from skrec.metrics._checks import check_option, check_rule
from skrec.metrics._plot._groups import (
    STARS,
    adjusted_p_values,
    check_activity,
    check_reference,
    group_statistics,
    quantile_groups,
    stars,
)
from skrec.metrics._plot._models import (
    check_evaluated,
    check_results,
    evaluate_models,
    evaluate_scores,
)
from skrec.utils._params import Interval

_N_GROUPS = Interval(1, integer=True)


class ActivityBreakdownDisplay:
    """A metric by activity of the users, for one or several models.

    The display groups the users by quantiles of their activity, as in figure 3 of Liang et al.
    [1]_. By default the activity of a user is the number of items that the model sees. Points are
    means over a group, with bars of one standard error to either side. Stars mark the models that
    differ significantly from the reference, by a paired t-test on the group's users, for better or
    worse.

    Make one with `from_estimator`, `from_predictions` or `from_results`.

    Parameters
    ----------
    metric : str
        Name of the metric, such as "ndcg@100".
    activity_range : array-like of shape (n_groups, 2)
        Least and greatest activity in each group.
    n_users : array-like of int of shape (n_groups,)
        Number of evaluated users in each group.
    mean : dict of str to array-like of shape (n_groups,)
        Means over the group, by the models' names.
    standard_error : dict of str to array-like of shape (n_groups,)
        Their standard errors.
    p_value : dict of str to array-like of shape (n_groups,), default=None
        P-values of the paired tests, adjusted or not, for each model but the reference.
    reference : str, default=None
        The model that the others are tested against; None: the first of `mean`.
    correction : {"holm", None}, default=None
        The adjustment of `p_value`, for the legend.
    activity_name : str, default="activity of the users"
        The meaning of `activity`, for the label of the axis.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it is drawn.
    figure_ : matplotlib Figure
        The figure of `ax_`.
    errorbars_ : list of matplotlib ErrorbarContainer
        Points and bars of each model.

    Raises
    ------
    ValueError
        If names or shapes do not agree.

    See Also
    --------
    compare : The paired test over all users.
    RankingCurveDisplay : The metric against the length of the list.

    Notes
    -----
    The legend is to the right of the axes: create your own figures with ``layout="constrained"``.

    Users of equal activity are in one group. So groups can differ in size, and a very frequent
    value leaves fewer groups than asked for. Users without relevant held-out items are left out.

    References
    ----------
    .. [1] D. Liang et al., "Variational autoencoders for collaborative filtering",
       WWW 2018.

    Examples
    --------
    >>> from skrec.datasets import make_interactions
    >>> from skrec.dummy import DummyRecommender
    >>> from skrec.linear_model import EASE
    >>> from skrec.metrics import ActivityBreakdownDisplay
    >>> from skrec.model_selection import user_train_test_split
    >>> X = make_interactions(500, 60, random_state=0, return_X=True)
    >>> X_train, X_test, y_test = user_train_test_split(X, random_state=0)
    >>> models = {"popularity": DummyRecommender().fit(X_train), "EASE": EASE().fit(X_train)}
    >>> display = ActivityBreakdownDisplay.from_estimator(models, X_test, y_test, n_groups=4)
    >>> display.mean["EASE"].shape, list(display.p_value)
    ((4,), ['EASE'])
    """

    def __init__(
        self,
        *,
        metric,
        activity_range,
        n_users,
        mean,
        standard_error,
        p_value=None,
        reference=None,
        correction=None,
        activity_name="activity of the users",
    ):
        self.metric = metric
        self.n_users = np.asarray(n_users)
        self.activity_range = np.asarray(activity_range)
        if self.activity_range.shape != (len(self.n_users), 2):
            raise ValueError(
                f"activity_range must hold two numbers for each of the {len(self.n_users)} groups "
                f"of n_users. Got shape {self.activity_range.shape}."
            )
        self.mean = self._check_groups(mean, "mean")
        self.standard_error = self._check_groups(standard_error, "standard_error")
        self.p_value = self._check_groups(p_value, "p_value") if p_value else {}
        self.reference = check_reference(reference, self.mean)
        self.correction = correction
        self.activity_name = activity_name
        if list(self.mean) != list(self.standard_error) or not set(self.p_value) <= set(self.mean):
            raise ValueError(
                "mean, standard_error and p_value must be of the same models. Got "
                f"{list(self.mean)}, {list(self.standard_error)} and {list(self.p_value)}."
            )

    def _check_groups(self, values, name):
        values = {key: np.asarray(one) for key, one in check_names(values, name).items()}
        for key, one in values.items():
            if one.shape != self.n_users.shape:
                raise ValueError(
                    f"{name}[{key!r}] must hold one number for each of the {len(self.n_users)} "
                    f"groups. Got shape {one.shape}."
                )
        return values

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y=None,
        *,
        metric="ndcg@100",
        n_groups=5,
        reference=None,
        correction="holm",
        holdout=0.2,
        random_state=0,
        relevance_threshold=0,
        graded=False,
        normalize="min",
        ax=None,
        line_kw=None,
    ):
        """Evaluate fitted models, and draw the metric by the users' activity.

        Activity is the number of items that the model sees of a user.

        Parameters
        ----------
        estimator : fitted estimator, or dict of str to fitted estimator
            Recommenders, or pipelines or searches that end in one; several by name.
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions that the models see. A user's own items are not ranked.
        y : HeldOut, {sparse matrix, array-like} of shape (n_users, n_items), default=None
            Held-out interactions of the same users. None: a share of each row of X is hidden, the
            same for all models.
        metric : str, default="ndcg@100"
            Name of a metric, see `evaluate`.
        n_groups : int, default=5
            Number of quantile groups.
        reference : str, default=None
            The model that the others are tested against; None: the first.
        correction : {"holm", None}, default="holm"
            Whether to adjust the p-values for the number of tests in the picture, by Holm's
            method. The paper does not.
        holdout : float or "last", default=0.2
            Share of each row to hide if `y` is None. "last": hide the item with the largest value,
            see `make_ranking_scorer`.
        random_state : int, RandomState or None, default=0
            Seed of the hidden items if `y` is None.
        relevance_threshold : float, default=0
            Held-out items with a greater value are relevant.
        graded : bool, default=False
            Whether the gains of nDCG are 2**value - 1 instead of 1.
        normalize : {"min", "relevant"}, default="min"
            Denominator of recall. "min": min(k, number of relevant items). "relevant": the number
            of relevant items.
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        line_kw : dict or list of dict, default=None
            Keywords of ``Axes.errorbar``, for all models or for each.

        Returns
        -------
        display : ActivityBreakdownDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If a parameter is not valid, or as `evaluate` does.
        """
        results, shown = evaluate_models(
            named_estimators(estimator),
            X,
            y,
            metric,
            holdout=holdout,
            random_state=random_state,
            relevance_threshold=relevance_threshold,
            graded=graded,
            normalize=normalize,
        )
        return cls.from_results(
            results,
            np.diff(shown.indptr),
            metric=metric,
            n_groups=n_groups,
            reference=reference,
            correction=correction,
            activity_name="items that the model sees of a user",
            ax=ax,
            line_kw=line_kw,
        )

    @classmethod
    def from_predictions(
        cls,
        y_true,
        y_score,
        activity,
        *,
        metric="ndcg@100",
        n_groups=5,
        reference=None,
        correction="holm",
        activity_name="activity of the users",
        relevance_threshold=0,
        graded=False,
        normalize="min",
        ax=None,
        line_kw=None,
    ):
        """Draw the metric of scores by the users' activity.

        Parameters
        ----------
        y_true : {array-like, sparse matrix} of shape (n_users, n_items)
            Held-out interactions; zeros mean "not relevant".
        y_score : ndarray of shape (n_users, n_items), or dict of str to ndarray
            Scores of each item, or of several models by name. Items with -inf are not ranked, such
            as the items that the model saw.
        activity : array-like of shape (n_users,)
            A number for each user, such as the number of items that the model saw.
        metric : str, default="ndcg@100"
            Name of a metric, see `evaluate`.
        n_groups : int, default=5
            Number of quantile groups.
        reference : str, default=None
            The model that the others are tested against; None: the first.
        correction : {"holm", None}, default="holm"
            Whether to adjust the p-values for the number of tests in the picture, by Holm's
            method.
        activity_name : str, default="activity of the users"
            The meaning of `activity`, for the label of the axis.
        relevance_threshold : float, default=0
            Held-out items with a greater value are relevant.
        graded : bool, default=False
            Whether the gains of nDCG are 2**value - 1 instead of 1.
        normalize : {"min", "relevant"}, default="min"
            Denominator of recall. "min": min(k, number of relevant items). "relevant": the number
            of relevant items.
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        line_kw : dict or list of dict, default=None
            Keywords of ``Axes.errorbar``, for all models or for each.

        Returns
        -------
        display : ActivityBreakdownDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If a parameter is not valid, or shapes do not agree.
        """
        results = evaluate_scores(
            y_true,
            y_score,
            metric,
            relevance_threshold=relevance_threshold,
            graded=graded,
            normalize=normalize,
        )
        return cls.from_results(
            results,
            activity,
            metric=metric,
            n_groups=n_groups,
            reference=reference,
            correction=correction,
            activity_name=activity_name,
            ax=ax,
            line_kw=line_kw,
        )

    @classmethod
    def from_results(
        cls,
        results,
        activity,
        *,
        metric="ndcg@100",
        n_groups=5,
        reference=None,
        correction="holm",
        activity_name="activity of the users",
        ax=None,
        line_kw=None,
    ):
        """Draw results of `evaluate` by the users' activity.

        Parameters
        ----------
        results : dict of str to Bunch
            Results of `evaluate` for the same users, by the models' names.
        activity : array-like of shape (n_users,)
            A number for each user, such as the number of items in the user's row of X.
        metric : str, default="ndcg@100"
            Name of a metric that all results have.
        n_groups : int, default=5
            Number of quantile groups.
        reference : str, default=None
            The model that the others are tested against; None: the first.
        correction : {"holm", None}, default="holm"
            Whether to adjust the p-values for the number of tests in the picture, by Holm's
            method.
        activity_name : str, default="activity of the users"
            The meaning of `activity`, for the label of the axis.
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        line_kw : dict or list of dict, default=None
            Keywords of ``Axes.errorbar``, for all models or for each.

        Returns
        -------
        display : ActivityBreakdownDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If a parameter is not valid, or the results are not of the same users.
        """
        check_rule(n_groups, _N_GROUPS, "n_groups")
        check_option(correction, ("holm", None), "correction")
        if not isinstance(metric, str):
            raise ValueError(
                f"metric must be the name of one metric, such as 'ndcg@100'. Got {metric!r}."
            )
        results = check_results(results, [metric])
        reference = check_reference(reference, results)
        values = next(iter(results.values())).per_user[metric]
        activity = check_activity(activity, len(values))
        known = ~np.isnan(values)
        check_evaluated(np.count_nonzero(known), metric)
        groups = np.full(len(values), -1)
        groups[known] = quantile_groups(activity[known], n_groups)
        mean, error, p_value = group_statistics(results, parse_metric(metric), groups, reference)
        if p_value and correction == "holm":
            adjusted = adjusted_p_values(np.stack(list(p_value.values())))
            p_value = dict(zip(p_value, adjusted, strict=True))
        members = [activity[groups == g] for g in range(groups.max() + 1)]
        return cls(
            metric=metric,
            activity_range=[(of.min(), of.max()) for of in members],
            n_users=[len(of) for of in members],
            mean=mean,
            standard_error=error,
            p_value=p_value,
            reference=reference,
            correction=correction,
            activity_name=activity_name,
        ).plot(ax, line_kw=line_kw)

    def plot(self, ax=None, *, line_kw=None):
        """Draw the groups.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        line_kw : dict or list of dict, default=None
            Keywords of ``Axes.errorbar``, for all models or for each.

        Returns
        -------
        display : ActivityBreakdownDisplay
            This display, with `ax_` and `figure_`.
        """
        ax = check_axes(self, ax, width=8)
        looks = line_looks(ax, len(self.mean), line_kw, dashes=False)
        places = np.arange(len(self.n_users))
        # Side by side within a group, in at most 60 % of the distance between groups.
        shifts = np.linspace(-0.3, 0.3, 2 * len(self.mean) + 1)[1::2]
        self.errorbars_ = []
        for (name, mean), look, shift in zip(self.mean.items(), looks, shifts, strict=True):
            look = {"label": name, "capsize": 3} | look
            error = self.standard_error[name]
            self.errorbars_.append(ax.errorbar(places + shift, mean, yerr=error, **look))
            for group, p_value in enumerate(self.p_value.get(name, ())):
                ax.annotate(
                    stars(p_value),
                    (group + shift, mean[group] + np.nan_to_num(error[group])),
                    xytext=(1, 3),
                    textcoords="offset points",
                    ha="center",
                    rotation=90,  # narrow: the neighbours have stars too
                )
        self._label(ax, places)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _label(self, ax, places):
        ranges = [f"{low:g}" if low == high else f"{low:g}–{high:g}"
                  for low, high in self.activity_range]  # fmt: skip
        numbers = [f"n = {n:,}" for n in self.n_users]
        ax.set_xticks(places, [f"{a}\n{n}" for a, n in zip(ranges, numbers, strict=True)])
        ax.set_xlim(-0.5, len(places) - 0.5)
        ax.margins(y=0.1)
        ax.set_xlabel(f"{self.activity_name} (n: users of the group)")
        ax.set_ylabel(f"{self.metric.replace('ndcg', 'nDCG')}, mean over the group")
        title = "bars: ± 1 standard error"
        if any((values < STARS[-1][0]).any() for values in self.p_value.values()):
            levels = "\n".join(f"{mark} p < {level:g}" for level, mark in reversed(STARS))
            how = ", Holm" if self.correction == "holm" else ""
            title += f"\npaired t-test{how},\nagainst {self.reference}:\n{levels}"
        draw_legend(ax, title, beside=True)
