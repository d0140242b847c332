"""A metric of several models, with standard errors or against time or memory."""

import numpy as np

from skrec._evaluation._names import parse_metric
from skrec._plot._style import (
    check_axes,
    color_of,
    draw_legend,
    marker_of,
    short_label,
)
from skrec.metrics._plot._models import check_names
from skrec.metrics._results import metric_label

_COSTS = {
    "fit_seconds": "time of the fit, seconds",
    "predict_seconds": "time to rank the test users, seconds",
    "peak_bytes": "memory of the fit at its peak, bytes",
}


class ComparisonDisplay:
    """The mean of a metric for several models, alone or against time or memory.

    Points are means over the users, with lines of one standard error to either side. The lines say
    how far a mean would move for other users. They do not show whether two models differ, because
    all models are tested on the same users; use the paired tests of `compare_models` for that.

    Make one with `from_comparison`, or by the `plot` of a `Comparison`.

    Parameters
    ----------
    metric : str
        Name of the metric.
    mean, standard_error : dict of str to float
        By the models' names, in the order to draw.
    against : {"fit_seconds", "predict_seconds", "peak_bytes"}, default=None
        The kind of `cost`. None: no cost; the models stand below each other.
    cost : dict of str to float, default=None
        Time or memory by name; models with None or NaN are left out.
    n_users : int, default=None
        Number of users, for the label of the axis.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it is drawn.
    figure_ : matplotlib Figure
        The figure of `ax_`.
    points_ : list of matplotlib ErrorbarContainer
        One for each model drawn.

    Raises
    ------
    ValueError
        If the metric is unknown, or the names do not agree.

    See Also
    --------
    RankingCurveDisplay : A metric against the length of the list.
    compare_models : Computes the values.

    Examples
    --------
    >>> from skrec.metrics import ComparisonDisplay
    >>> display = ComparisonDisplay(
    ...     metric="ndcg@100",
    ...     mean={"EASE": 0.43, "popularity": 0.19},
    ...     standard_error={"EASE": 0.007, "popularity": 0.005},
    ... ).plot()
    >>> display.ax_.get_xlabel()
    'nDCG@100'
    """

    def __init__(
        self, *, metric, mean, standard_error, against=None, cost=None, n_users=None
    ):  # fmt: skip
        parse_metric(metric)
        self.metric = metric
        self.mean = check_names(mean, "mean")
        self.standard_error = check_names(standard_error, "standard_error")
        self.against, self.cost, self.n_users = check_against(against), cost, n_users
        for name, values in (("standard_error", standard_error), ("cost", cost)):
            wanted = name == "standard_error" or against is not None
            if wanted and (values is None or set(values) != set(self.mean)):
                raise ValueError(
                    f"{name} must be of the models {list(self.mean)}. Got "
                    f"{None if values is None else list(values)}."
                )

    @classmethod
    def from_comparison(cls, comparison, *, metric=None, against=None, ax=None, point_kw=None):
        """Draw a comparison of models.

        Parameters
        ----------
        comparison : Comparison
            Result of `compare_models`.
        metric : str, default=None
            One of its metrics. None: the metric that orders the models.
        against : {"fit_seconds", "predict_seconds", "peak_bytes"}, default=None
            The horizontal axis. None: no cost; the models stand below each other.
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        point_kw : dict, default=None
            Keywords of ``Axes.errorbar``, for all models.

        Returns
        -------
        display : ComparisonDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If the comparison does not have the metric.
        """
        metric = comparison.main_metric if metric is None else metric
        if metric not in comparison.metrics:
            raise ValueError(f"metric must be one of {comparison.metrics}. Got {metric!r}.")
        results = comparison.results
        check_against(against)
        display = cls(
            metric=metric,
            mean={name: result.mean[metric] for name, result in results.items()},
            standard_error={name: one.standard_error[metric] for name, one in results.items()},
            against=against,
            cost=None if against is None else getattr(comparison, against),
            n_users=results[comparison.names[0]].n_users[metric],
        )
        return display.plot(ax, point_kw=point_kw)

    def plot(self, ax=None, *, point_kw=None):
        """Draw the models.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        point_kw : dict, default=None
            Keywords of ``Axes.errorbar``, for all models.

        Returns
        -------
        display : ComparisonDisplay
            This display, with `ax_` and `figure_`.
        """
        ax = check_axes(self, ax)
        self.points_ = []
        draw = self._draw_means if self.against is None else self._draw_costs
        draw(ax, point_kw or {})
        ax.grid(alpha=0.3)
        ax.set_axisbelow(True)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _draw_means(self, ax, point_kw):
        for place, (name, mean) in enumerate(self.mean.items()):
            look = _look(place) | {"xerr": self.standard_error[name]} | point_kw
            self.points_.append(ax.errorbar(mean, place, **look))
        ax.set_yticks(range(len(self.mean)), [short_label(name) for name in self.mean])
        ax.set_ylim(len(self.mean) - 0.5, -0.5)  # the first on top
        ax.set_xlabel(self._label())

    def _draw_costs(self, ax, point_kw):
        for place, (name, mean) in enumerate(self.mean.items()):
            cost = self.cost[name]
            if cost is None or not np.isfinite(cost):
                continue
            look = (
                _look(place)
                | {"yerr": self.standard_error[name], "label": short_label(name)}
                | point_kw
            )
            self.points_.append(ax.errorbar(max(cost, 1e-6), mean, **look))
        ax.set_xscale("log")
        ax.xaxis.set_major_formatter("{x:g}")
        ax.margins(x=0.15)
        ax.set_xlabel(f"{_COSTS[self.against]} (logarithmic)")
        ax.set_ylabel(self._label())
        if self.points_:
            draw_legend(ax, beside=True)

    def _label(self):
        users = f", mean over {self.n_users:,} users" if self.n_users else ""
        return f"{metric_label(self.metric)}{users}"


def check_against(against):
    """Raise a ValueError if `against` names no known cost."""
    if against is not None and against not in _COSTS:
        raise ValueError(f"against must be None or one of {list(_COSTS)}. Got {against!r}.")
    return against


def _look(place):
    return {
        "color": color_of(place),
        "marker": marker_of(place),
        "markersize": 6,
        "capsize": 3,
        "linestyle": "none",
    }
