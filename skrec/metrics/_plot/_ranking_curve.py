"""A ranking metric against the length of the list."""

from numbers import Integral

import numpy as np

from skrec._evaluation._names import LIST_METRICS, parse_metric
from skrec._plot._named import check_names, named_estimators
from skrec._plot._style import check_axes, draw_legend, line_looks
from skrec.metrics._plot._models import (
    check_evaluated,
    check_results,
    evaluate_models,
    evaluate_scores,
)

_LENGTHS = (1, 2, 5, 10, 20, 50, 100)
_MOST_TICKS = 10
_SPELLED = {
    "hit_rate": "hit rate",
    "map": "mean average precision",
    "mrr": "mean reciprocal rank",
    "ndcg": "nDCG",
}


class RankingCurveDisplay:
    """A ranking metric against the length k of the list, for one or several models.

    Lines are means over the users, with shaded bands of one standard error to either side. The
    bands say how far the means would move for other users. They do not show whether two models
    differ, because both are evaluated on the same users; use `compare` for that.

    By default recall divides by min(k, number of relevant items), so it can fall as k rises; with
    ``normalize="relevant"`` it cannot.

    Make one with `from_estimator`, `from_predictions` or `from_results`.

    Parameters
    ----------
    metric : str
        One of "recall", "precision", "ndcg", "map", "mrr" and "hit_rate".
    k : array-like of int of shape (n_k,)
        Lengths of the list, ascending.
    mean : dict of str to array-like of shape (n_k,)
        Means over the users, by the models' names.
    standard_error : dict of str to array-like of shape (n_k,)
        Their standard errors.
    n_users : int, default=None
        Number of evaluated users, for the label of the axis.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it is drawn.
    figure_ : matplotlib Figure
        The figure of `ax_`.
    lines_ : list of matplotlib Line2D
        A line for each model.
    bands_ : list of matplotlib PolyCollection
        A band for each model.

    Raises
    ------
    ValueError
        If the metric is unknown, or lengths and values do not agree.

    See Also
    --------
    evaluate : Computes the values.
    ActivityBreakdownDisplay : The metric by activity of the users.

    Examples
    --------
    >>> from skrec.datasets import make_interactions
    >>> from skrec.dummy import DummyRecommender
    >>> from skrec.linear_model import EASE
    >>> from skrec.metrics import RankingCurveDisplay
    >>> from skrec.model_selection import user_train_test_split
    >>> X = make_interactions(200, 60, random_state=0, return_X=True)
    >>> X_train, X_test, y_test = user_train_test_split(X, random_state=0)
    >>> models = {"EASE": EASE().fit(X_train), "popularity": DummyRecommender().fit(X_train)}
    >>> display = RankingCurveDisplay.from_estimator(models, X_test, y_test, metric="recall")
    >>> bool(display.mean["EASE"][-1] > display.mean["EASE"][0])
    True
    """

    def __init__(self, *, metric, k, mean, standard_error, n_users=None):
        self.metric = _check_metric(metric)
        self.k = _check_lengths(k)
        if not np.array_equal(self.k, np.atleast_1d(k)):
            raise ValueError(f"k must be ascending, each length once. Got {k!r}.")
        self.mean = _check_curves(mean, self.k, "mean")
        self.standard_error = _check_curves(standard_error, self.k, "standard_error")
        if list(self.mean) != list(self.standard_error):
            raise ValueError(
                "mean and standard_error must be of the same models in the same order. Got "
                f"{list(self.mean)} and {list(self.standard_error)}."
            )
        self.n_users = n_users

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y=None,
        *,
        metric="ndcg",
        k=_LENGTHS,
        holdout=0.2,
        random_state=0,
        relevance_threshold=0,
        graded=False,
        normalize="min",
        ax=None,
        line_kw=None,
        band_kw=None,
    ):
        """Evaluate fitted models, and draw the metric against k.

        Parameters
        ----------
        estimator : fitted estimator, or dict of str to fitted estimator
            Recommenders, or pipelines or searches that end in one; several by name.
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions that the models see. A user's own items are not ranked.
        y : HeldOut, {sparse matrix, array-like} of shape (n_users, n_items), default=None
            Held-out interactions of the same users. None: a share of each row of X is hidden, the
            same for all models.
        metric : str, default="ndcg"
            One of "recall", "precision", "ndcg", "map", "mrr" and "hit_rate".
        k : array-like of int of shape (n_k,), default=(1, 2, 5, 10, 20, 50, 100)
            Lengths of the list.
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
            Keywords of ``Axes.plot``, for all lines or for each.
        band_kw : dict, default=None
            Keywords of ``Axes.fill_between``.

        Returns
        -------
        display : RankingCurveDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If the metric or a length is not valid, or as `evaluate` does.
        """
        k = _check_lengths(k)
        names = _metric_names(metric, k)
        results, _ = evaluate_models(
            named_estimators(estimator),
            X,
            y,
            names,
            holdout=holdout,
            random_state=random_state,
            relevance_threshold=relevance_threshold,
            graded=graded,
            normalize=normalize,
        )
        display = cls._of_results(results, metric, dict(zip(k.tolist(), names, strict=True)))
        return display.plot(ax, line_kw=line_kw, band_kw=band_kw)

    @classmethod
    def from_predictions(
        cls,
        y_true,
        y_score,
        *,
        metric="ndcg",
        k=_LENGTHS,
        relevance_threshold=0,
        graded=False,
        normalize="min",
        ax=None,
        line_kw=None,
        band_kw=None,
    ):
        """Draw the metric of scores against k.

        Parameters
        ----------
        y_true : {array-like, sparse matrix} of shape (n_users, n_items)
            Held-out interactions; zeros mean "not relevant".
        y_score : ndarray of shape (n_users, n_items), or dict of str to ndarray
            Scores of each item, or of several models by name. Items with -inf are not ranked, such
            as the items that the model saw.
        metric : str, default="ndcg"
            One of "recall", "precision", "ndcg", "map", "mrr" and "hit_rate".
        k : array-like of int of shape (n_k,), default=(1, 2, 5, 10, 20, 50, 100)
            Lengths of the list.
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
            Keywords of ``Axes.plot``, for all lines or for each.
        band_kw : dict, default=None
            Keywords of ``Axes.fill_between``.

        Returns
        -------
        display : RankingCurveDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If the metric or a length is not valid, or shapes do not agree.
        """
        k = _check_lengths(k)
        names = _metric_names(metric, k)
        results = evaluate_scores(
            y_true,
            y_score,
            names,
            relevance_threshold=relevance_threshold,
            graded=graded,
            normalize=normalize,
        )
        display = cls._of_results(results, metric, dict(zip(k.tolist(), names, strict=True)))
        return display.plot(ax, line_kw=line_kw, band_kw=band_kw)

    @classmethod
    def from_results(cls, results, *, metric="ndcg", ax=None, line_kw=None, band_kw=None):
        """Draw results of `evaluate` against k.

        Parameters
        ----------
        results : dict of str to Bunch
            Results of `evaluate` for the same users, by the models' names.
        metric : str, default="ndcg"
            Every "metric@k" in the first result is drawn; all results must have them.
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        line_kw : dict or list of dict, default=None
            Keywords of ``Axes.plot``, for all lines or for each.
        band_kw : dict, default=None
            Keywords of ``Axes.fill_between``.

        Returns
        -------
        display : RankingCurveDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If there is no such metric, or the results are not of the same users.
        """
        kind = _check_metric(metric)
        first = next(iter(check_results(results, ()).values()))
        parsed = [parse_metric(name) for name in first.per_user]
        found = {one.k: one.name for one in parsed if one.kind == kind}
        if not found:
            raise ValueError(
                f"The results have {list(first.per_user)}, no '{kind}@k'. Name some in "
                f"`evaluate`, such as metrics={[f'{kind}@{k}' for k in (5, 10, 20)]}."
            )
        results = check_results(results, found.values())
        display = cls._of_results(results, metric, dict(sorted(found.items())))
        return display.plot(ax, line_kw=line_kw, band_kw=band_kw)

    @classmethod
    def _of_results(cls, results, metric, names):
        """Make a display from results, and from the metrics' names by k."""

        def curves(what):
            return {
                model: np.array([result[what][name] for name in names.values()])
                for model, result in results.items()
            }

        first = next(iter(results.values()))
        n_users = max(first.n_users[name] for name in names.values())
        check_evaluated(n_users, metric)
        return cls(
            metric=metric,
            k=list(names),
            mean=curves("mean"),
            standard_error=curves("standard_error"),
            n_users=n_users,
        )

    def plot(self, ax=None, *, line_kw=None, band_kw=None):
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        line_kw : dict or list of dict, default=None
            Keywords of ``Axes.plot``, for all lines or for each.
        band_kw : dict, default=None
            Keywords of ``Axes.fill_between``.

        Returns
        -------
        display : RankingCurveDisplay
            This display, with `ax_` and `figure_`.
        """
        ax = check_axes(self, ax)
        looks = line_looks(ax, len(self.mean), line_kw, markers=len(self.k) <= _MOST_TICKS)
        self.lines_, self.bands_ = [], []
        for (name, mean), look in zip(self.mean.items(), looks, strict=True):
            (line,) = ax.plot(self.k, mean, **({"label": name} | look))
            width = self.standard_error[name]
            band = {"color": line.get_color(), "alpha": 0.2, "linewidth": 0} | (band_kw or {})
            self.bands_.append(ax.fill_between(self.k, mean - width, mean + width, **band))
            self.lines_.append(line)
        _label_lengths(ax, self.k)
        users = f", mean over {self.n_users:,} users" if self.n_users else ""
        ax.set_ylabel(f"{_SPELLED.get(self.metric, self.metric)}@k{users}")
        draw_legend(ax, "shaded: ± 1 standard error")
        self.ax_, self.figure_ = ax, ax.figure
        return self


def _label_lengths(ax, k):
    """Put k on a logarithmic axis, for short and long lists, with a tick at each k."""
    from matplotlib.ticker import FixedLocator, LogLocator, NullLocator

    ax.set_xscale("log")
    few = len(k) <= _MOST_TICKS
    ax.xaxis.set_major_locator(FixedLocator(k) if few else LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter("{x:g}")
    ax.set_xlabel("k, length of the list")


def _check_metric(metric):
    if metric not in (*LIST_METRICS, "hr"):
        raise ValueError(
            f"metric must be one of {list(LIST_METRICS)}, without its '@k'. Got {metric!r}."
        )
    return parse_metric(f"{metric}@1").kind


def _check_lengths(k):
    lengths = np.atleast_1d(np.asarray(k))
    whole = all(isinstance(one, Integral) for one in lengths.tolist())
    if lengths.ndim != 1 or not len(lengths) or not whole or (lengths < 1).any():
        raise ValueError(f"k must be whole numbers >= 1, such as (5, 10, 20). Got {k!r}.")
    return np.unique(lengths)


def _metric_names(metric, k):
    kind = _check_metric(metric)
    return [f"{kind}@{one}" for one in k]


def _check_curves(curves, k, name):
    curves = {key: np.asarray(values) for key, values in check_names(curves, name).items()}
    for key, values in curves.items():
        if values.shape != k.shape:
            raise ValueError(
                f"{name}[{key!r}] must hold one number for each of the {len(k)} lengths k. Got "
                f"shape {values.shape}."
            )
    return curves
