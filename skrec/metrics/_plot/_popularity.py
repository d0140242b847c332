"""How often items are recommended, against their popularity."""

import numpy as np

from skrec._evaluation._entries import check_interactions
from skrec._plot._named import check_names, named_arrays, named_estimators
from skrec._plot._style import check_axes, draw_legend, line_looks, scatter_look
from skrec._recommend import recommend
from skrec.metrics._checks import check_option
from skrec.metrics._lists import check_lists

_KINDS = ("exposure", "lorenz")
_REFERENCE_LOOK = {"color": "0.35", "linestyle": ":", "linewidth": 1.5}


class PopularityDisplay:
    """How often items are recommended, against their popularity.

    ``kind="exposure"`` draws a point for each item: the number of lists that hold it, against the
    number of users who have it. Lines join the means of items of similar popularity (1 user, 2-3,
    4-7, and so on). Where a line is above the dotted line, these items are in more lists than
    their share of the interactions. The axes are logarithmic from 1 on and have room for 0.

    ``kind="lorenz"`` draws Lorenz curves: the share of all recommendations that the least
    recommended items receive, against the share of the catalogue that these items are. The Gini
    index is twice the area between curve and diagonal: 0 if all items are recommended equally
    often, near 1 if a few items receive all recommendations.

    Make one with `from_estimator` or `from_predictions`.

    Parameters
    ----------
    popularity : array-like of shape (n_items,)
        Number of users who have each item.
    exposure : dict of str to array-like of shape (n_items,)
        Number of lists that hold each item, by the models' names.

    Attributes
    ----------
    gini : dict of str to float
        Gini index of each model's exposure, see `gini_index_score`.
    popularity_gini : float
        Gini index of the popularity.
    lines_ : list of matplotlib Line2D
        A line for each model.
    ax_ : matplotlib Axes
        Where it is drawn.
    figure_ : matplotlib Figure
        The figure of `ax_`.

    Raises
    ------
    ValueError
        If shapes do not agree, counts are negative, or all of them are 0.

    See Also
    --------
    gini_index_score : The index alone.
    popularity_calibration_error : Compares with each user's own items.

    Examples
    --------
    >>> from skrec.datasets import make_interactions
    >>> from skrec.dummy import DummyRecommender
    >>> from skrec.linear_model import EASE
    >>> from skrec.metrics import PopularityDisplay
    >>> X = make_interactions(200, 60, random_state=0, return_X=True)
    >>> models = {"EASE": EASE().fit(X), "popularity": DummyRecommender().fit(X)}
    >>> display = PopularityDisplay.from_estimator(models, X, k=5, kind="lorenz")
    >>> display.gini["EASE"] < display.gini["popularity"]
    True
    """

    def __init__(self, *, popularity, exposure):
        self.popularity = _check_counts(popularity, "popularity")
        self.exposure = {
            name: _check_counts(counts, f"exposure[{name!r}]", self.popularity.shape)
            for name, counts in check_names(exposure, "exposure").items()
        }
        self.gini = {name: _gini(lorenz_curve(one)) for name, one in self.exposure.items()}
        self.popularity_gini = _gini(lorenz_curve(self.popularity))

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        *,
        X_train=None,
        k=10,
        kind="exposure",
        ax=None,
        line_kw=None,
        scatter_kw=None,
    ):
        """Recommend k items to each user, and draw how often each item is in the lists.

        Parameters
        ----------
        estimator : fitted estimator, or dict of str to fitted estimator
            Recommenders, or pipelines or searches that end in one; several by name.
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Rows of the users to recommend to. The lists leave out a user's own items.
        X_train : {sparse matrix, array-like} of shape (n_train_users, n_items), default=None
            Interactions that define the popularity of the items. None: `X`.
        k : int, default=10
            Length of the lists.
        kind : {"exposure", "lorenz"}, default="exposure"
            What to draw.
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        line_kw : dict or list of dict, default=None
            Keywords of ``Axes.plot``, for all lines or for each.
        scatter_kw : dict, default=None
            Keywords of ``Axes.scatter`` for the items.

        Returns
        -------
        display : PopularityDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If a parameter is not valid, or shapes do not agree.
        """
        lists = {name: recommend(one, X, k) for name, one in named_estimators(estimator).items()}
        return cls.from_predictions(
            lists,
            X if X_train is None else X_train,
            kind=kind,
            ax=ax,
            line_kw=line_kw,
            scatter_kw=scatter_kw,
        )

    @classmethod
    def from_predictions(
        cls,
        recommendations,
        X_train,
        *,
        kind="exposure",
        ax=None,
        line_kw=None,
        scatter_kw=None,
    ):
        """Draw how often each item is in given lists.

        Parameters
        ----------
        recommendations : array-like of int of shape (n_users, k), or dict of str to array-like
            Lists of column indices, as ``recommend`` returns them, padded with -1; lists of
            several models by name.
        X_train : {sparse matrix, array-like} of shape (n_train_users, n_items)
            Interactions that define the popularity of the items; their values do not matter.
        kind : {"exposure", "lorenz"}, default="exposure"
            What to draw.
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        line_kw : dict or list of dict, default=None
            Keywords of ``Axes.plot``, for all lines or for each.
        scatter_kw : dict, default=None
            Keywords of ``Axes.scatter`` for the items.

        Returns
        -------
        display : PopularityDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If a parameter is not valid, or an index is not below n_items.
        """
        X_train = check_interactions(X_train, name="X_train")
        n_items = X_train.shape[1]
        exposure = {
            name: np.bincount(check_lists(lists, n_items).indices, minlength=n_items)
            for name, lists in named_arrays(recommendations, "recommendations").items()
        }
        popularity = np.bincount(X_train.indices, minlength=n_items)
        display = cls(popularity=popularity, exposure=exposure)
        return display.plot(ax, kind=kind, line_kw=line_kw, scatter_kw=scatter_kw)

    def plot(self, ax=None, *, kind="exposure", line_kw=None, scatter_kw=None):
        """Draw exposure against popularity, or Lorenz curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        kind : {"exposure", "lorenz"}, default="exposure"
            What to draw.
        line_kw : dict or list of dict, default=None
            Keywords of ``Axes.plot``, for all lines or for each.
        scatter_kw : dict, default=None
            Keywords of ``Axes.scatter`` for the items.

        Returns
        -------
        display : PopularityDisplay
            This display, with `ax_` and `figure_`.

        Raises
        ------
        ValueError
            If `kind` is unknown.
        """
        check_option(kind, _KINDS, "kind")
        ax = check_axes(self, ax)
        looks = line_looks(ax, len(self.exposure), line_kw, markers=kind == "exposure")
        if kind == "exposure":
            self._plot_exposure(ax, looks, scatter_kw)
        else:
            self._plot_lorenz(ax, looks)
        draw_legend(ax, "dots: items; lines: their means" if kind == "exposure" else None)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _plot_exposure(self, ax, looks, scatter_kw):
        self.lines_ = []
        for (name, counts), look in zip(self.exposure.items(), looks, strict=True):
            x, y = means_by_popularity(self.popularity, counts)
            (line,) = ax.plot(x, y, **({"label": name, "zorder": 3} | look))
            points = {"color": line.get_color(), "s": 8, "alpha": 0.3, "linewidth": 0}
            ax.scatter(self.popularity, counts, **scatter_look(points, scatter_kw))
            self.lines_.append(line)
        total = np.mean([counts.sum() for counts in self.exposure.values()])
        x = np.geomspace(max(self.popularity.min(), 1), self.popularity.max(), 50)
        x = x if self.popularity.min() > 0 else np.concatenate([[0], x])
        share = x * total / self.popularity.sum()
        ax.plot(x, share, label="in proportion to popularity", **_REFERENCE_LOOK)
        if self.popularity.min() > 0:
            ax.set_xscale("log")
        else:
            ax.set_xscale("symlog", linthresh=1, linscale=0.5)
            ax.set_xlim(-0.1, None)
        ax.set_yscale("symlog", linthresh=1, linscale=0.5)
        ax.set_ylim(-0.1, None)
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_formatter("{x:,.0f}")
        ax.set_xlabel("popularity: users who have the item")
        ax.set_ylabel("exposure: lists that name the item")

    def _plot_lorenz(self, ax, looks):
        share = np.linspace(0, 1, len(self.popularity) + 1)
        self.lines_ = []
        for (name, counts), look in zip(self.exposure.items(), looks, strict=True):
            label = f"{name} (Gini {self.gini[name]:.2f})"
            self.lines_ += ax.plot(share, lorenz_curve(counts), **({"label": label} | look))
        label = f"interactions (Gini {self.popularity_gini:.2f})"
        ax.plot(share, lorenz_curve(self.popularity), label=label, **_REFERENCE_LOOK)
        equal = {"label": "equal shares (Gini 0)", "color": "0.6", "linewidth": 1}
        ax.plot([0, 1], [0, 1], zorder=1, **equal)
        ax.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
        ax.set_xlabel("share of the items, least recommended first")
        ax.set_ylabel("share of the recommendations")


def lorenz_curve(counts):
    """Shares of the sum that the 0, 1, ..., n least counts hold.

    Parameters
    ----------
    counts : ndarray of shape (n_items,)

    Returns
    -------
    shares : ndarray of shape (n_items + 1,)
        From 0 to 1.
    """
    return np.concatenate([[0.0], np.cumsum(np.sort(counts)) / counts.sum()])


def _gini(curve):
    # 1 - 2 * area by trapezoids: to rounding, the formula of `gini_index_score`.
    return float(1.0 - (curve[1:] + curve[:-1]).mean())


def means_by_popularity(popularity, exposure):
    """Means of popularity and exposure of the items with 0, 1, 2-3, 4-7, ... users.

    Parameters
    ----------
    popularity, exposure : ndarray of shape (n_items,)

    Returns
    -------
    popularity, exposure : ndarray of shape (n_groups,)
        Means of the groups that are not empty, ascending.
    """
    # frexp: popularity < 2 ** exponent, and >= half of it.
    group = np.where(popularity > 0, np.frexp(np.maximum(popularity, 0.5))[1], -1)
    group = np.unique(group, return_inverse=True)[1]
    sizes = np.bincount(group)
    return tuple(np.bincount(group, weights=one) / sizes for one in (popularity, exposure))


def _check_counts(counts, name, shape=None):
    counts = np.asarray(counts)
    if counts.ndim != 1 or (shape is not None and counts.shape != shape):
        expected = "(n_items,)" if shape is None else f"{shape}, as popularity has it"
        raise ValueError(f"{name} must have shape {expected}. Got shape {counts.shape}.")
    if not np.isfinite(counts).all() or (counts < 0).any() or counts.sum() == 0:
        raise ValueError(
            f"{name} must be finite counts >= 0, at least one of them positive. Got a sum of "
            f"{counts.sum()} and a least value of {counts.min(initial=0)}."
        )
    return counts
