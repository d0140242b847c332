"""The course of a fit, epoch by epoch."""

from collections.abc import Mapping

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skrec._plot._named import check_names, final_estimator, named_estimators
from skrec._plot._style import check_axes, check_matplotlib, draw_legend, line_looks
from skrec.utils._tags import recommender_tags

# The quantities to draw, in the order of the panels, and the labels of their axes.
_QUANTITIES = {
    "loss": "training loss",
    "validation_score": "validation score",
    "error": "RMSE",
    "divergence": "divergence",
    "beta": "β, weight of the divergence",
}
# Up to this many lines leave room for a legend in a panel; otherwise it stands beside the panel.
_MOST_INSIDE = 3


class FitCurveDisplay:
    """The records of a fit for each epoch, with one panel for each quantity.

    ========================  ==============================================
    "loss"                    ``loss_curve_``
    "validation_score"        ``validation_scores_``, with `early_stopping`
    "error"                   ``error_curves_`` of the rating autoencoders
    "divergence"              ``divergence_curve_`` of the VAEs
    "beta"                    the weight of the divergence of the VAEs at the
                              last update of the epoch, as their schedule has
                              it (`beta`, ``n_annealing_steps_``)
    ========================  ==============================================

    A vertical line marks the epoch of the best validation score; the fitted model has the weights
    of this epoch. A legend of more than three lines is to the right of its panel: create your own
    figures with ``layout="constrained"``.

    Make one with `from_estimator`. There is no ``from_predictions``, because the display draws the
    records of a fit. Pass your own curves to the constructor.

    Parameters
    ----------
    curves : dict of str to dict of str to array-like of shape (n_epochs,)
        Values of each epoch, by the quantity (a key of the table above) and the name of the line.
    best_epoch : dict of str to int, default=None
        Epochs to mark, from 1, by the models' names.
    validation_metric : str, default=None
        Name of the validation score, for the label of the axis.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes of shape (n_panels,)
        The panels, in the order of `curves`.
    ax_ : matplotlib Axes
        The first panel.
    figure_ : matplotlib Figure
        The figure of the panels.
    lines_ : dict of str to list of matplotlib Line2D
        Lines by the quantity.

    Raises
    ------
    ValueError
        If there is no curve, or a quantity is unknown.

    See Also
    --------
    skrec.autoencoder.MultVAE : Has a loss curve, validation scores and annealing.
    skrec.autoencoder.UserAutoRec : Has error curves.

    Examples
    --------
    >>> from skrec.datasets import make_interactions
    >>> from skrec.decomposition import BPR
    >>> from skrec.inspection import FitCurveDisplay
    >>> X = make_interactions(200, 60, random_state=0, return_X=True)
    >>> model = BPR(n_components=4, max_iter=5, random_state=0).fit(X)
    >>> display = FitCurveDisplay.from_estimator(model)
    >>> display.curves["loss"]["BPR"].shape
    (5,)
    """

    def __init__(self, *, curves, best_epoch=None, validation_metric=None):
        self.curves = {
            quantity: {name: np.asarray(one) for name, one in check_names(of, "curves").items()}
            for quantity, of in check_names(curves, "curves").items()
        }
        _check_quantities(self.curves, _QUANTITIES)
        self.best_epoch = dict(best_epoch or {})
        self.validation_metric = validation_metric

    @classmethod
    def from_estimator(cls, estimator, *, quantities=None, ax=None, line_kw=None):
        """Draw the recorded curves of fitted estimators.

        Parameters
        ----------
        estimator : fitted estimator, or dict of str to fitted estimator
            Estimators with a ``loss_curve_``, or pipelines or searches that end in one;
            several by name.
        quantities : str or list of str, default=None
            Which of "loss", "validation_score", "error", "divergence" and "beta" to draw. None:
            all that the estimators have.
        ax : matplotlib Axes or array-like of Axes of shape (n_panels,), default=None
            Where to draw, one for each panel. None: a new figure.
        line_kw : dict, list of dict, or dict of str to dict, default=None
            Keywords of ``Axes.plot``: for all lines, for each model, or for lines by name. A list
            does not apply to panels of errors, where a model has several lines.

        Returns
        -------
        display : FitCurveDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If an estimator has no curves, or not the requested ones; and as in `plot`.
        """
        curves = {quantity: {} for quantity in _QUANTITIES}
        best, metrics = {}, set()
        models = named_estimators(estimator)
        for name, model in models.items():
            model = final_estimator(model)
            found = _curves_of(model, name, whose=f"{name}, " if len(models) > 1 else "")
            for quantity, lines in found.items():
                curves[quantity] |= lines
            if "validation_score" in found:
                scores, kept = model.validation_scores_, model.best_validation_score_
                if kept in scores:  # else a resumed fit began with this score
                    best[name] = scores.index(kept) + 1
                metrics.add(
                    "minus RMSE" if recommender_tags(model).predicts_ratings else "nDCG@100"
                )
        curves = {quantity: lines for quantity, lines in curves.items() if lines}
        if quantities is not None:
            wanted = [quantities] if isinstance(quantities, str) else list(quantities)
            _check_quantities(wanted, curves)
            curves = {quantity: curves[quantity] for quantity in wanted}
        metric = metrics.pop() if len(metrics) == 1 else None
        display = cls(curves=curves, best_epoch=best, validation_metric=metric)
        return display.plot(ax, line_kw=line_kw)

    def plot(self, ax=None, *, line_kw=None):
        """Draw the panels.

        Parameters
        ----------
        ax : matplotlib Axes or array-like of Axes of shape (n_panels,), default=None
            Where to draw, one for each panel. None: a new figure.
        line_kw : dict, list of dict, or dict of str to dict, default=None
            Keywords of ``Axes.plot``: for all lines, for each model, or for lines by name. A list
            does not apply to panels of errors, where a model has several lines.

        Returns
        -------
        display : FitCurveDisplay
            This display, with `ax_`, `axes_` and `figure_`.

        Raises
        ------
        ValueError
            If the number of Axes differs from the number of panels, or `line_kw` does not match
            the models or the drawn lines.
        """
        self.axes_ = self._panels(ax)
        self.lines_ = {}
        for panel, (quantity, lines) in zip(self.axes_, self.curves.items(), strict=True):
            looks = self._looks(panel, quantity, line_kw)
            self.lines_[quantity] = [
                panel.plot(np.arange(1, len(one) + 1), one, **({"label": name} | looks[name]))[0]
                for name, one in lines.items()
            ]
        for panel, quantity in zip(self.axes_, self.curves, strict=True):
            self._mark_best(panel, quantity)
            self._label(panel, quantity)
        self.axes_[-1].set_xlabel("epoch")
        self.ax_, self.figure_ = self.axes_[0], self.axes_[0].figure
        return self

    def _looks(self, panel, quantity, line_kw):
        """Keywords of a panel's lines by name. A model has the same style in all panels."""
        names = self._models()
        if quantity == "error":
            if names and isinstance(line_kw, (list, tuple)):
                line_kw = None  # it is for the models
            names = list(self.curves["error"])
        if isinstance(line_kw, Mapping) and any(isinstance(v, Mapping) for v in line_kw.values()):
            known = {name for lines in self.curves.values() for name in lines}
            if not set(line_kw) <= known:
                raise ValueError(
                    f"line_kw names lines that are not drawn. Got {list(line_kw)}, expected some "
                    f"of {sorted(known)}."
                )
            line_kw = [line_kw.get(name) for name in names]
        return dict(zip(names, line_looks(panel, len(names), line_kw, markers=False), strict=True))

    def _models(self):
        """Names of the models, in the order of first appearance."""
        panels = (lines for quantity, lines in self.curves.items() if quantity != "error")
        return list(dict.fromkeys(name for lines in panels for name in lines))

    def _label(self, panel, quantity):
        label = _QUANTITIES[quantity]
        if quantity == "validation_score" and self.validation_metric:
            label += f"\n({self.validation_metric})"
        panel.set_ylabel(label)
        panel.set_xlim(left=0.5)  # there is no epoch 0
        if panel.get_xscale() == "linear":
            panel.xaxis.get_major_locator().set_params(integer=True)
        draw_legend(panel, beside=len(self.curves[quantity]) > _MOST_INSIDE)

    def _panels(self, ax):
        check_matplotlib(f"{type(self).__name__}.plot")
        import matplotlib.pyplot as plt

        n_panels = len(self.curves)
        if ax is None:
            _, axes = plt.subplots(
                n_panels,
                sharex=True,
                squeeze=False,
                figsize=(7.2, max(4.8, 2.4 * n_panels)),
                layout="constrained",
            )
            return axes[:, 0]
        axes = np.atleast_1d(np.asarray(ax, dtype=object))
        if axes.shape != (n_panels,):
            raise ValueError(
                f"ax must be one Axes for each of the {n_panels} panels {list(self.curves)}. Got "
                f"shape {axes.shape}; choose with quantities=."
            )
        return np.array([check_axes(self, one) for one in axes], dtype=object)

    def _mark_best(self, panel, quantity):
        several = len(self.best_epoch) > 1
        shown = zip(
            self.curves.get("validation_score", ()),
            self.lines_.get("validation_score", ()),
            strict=True,
        )
        colors = {name: line.get_color() for name, line in shown} if several else {}
        for name, epoch in self.best_epoch.items():
            label = None
            if quantity == "validation_score":
                label = f"best epoch{f' of {name}' if several else ''}: {epoch}"
            look = {"color": colors.get(name, "0.4"), "linestyle": ":", "linewidth": 1.5}
            panel.axvline(epoch, label=label, **look)


def _curves_of(model, name, whose):
    """Curves of a fitted estimator by quantity and line; `whose` begins names of errors."""
    check_is_fitted(model)
    if not hasattr(model, "loss_curve_"):
        raise ValueError(
            f"{type(model).__name__} has no loss_curve_: expected an estimator that is fitted in "
            "epochs, such as BPR, BiasedMF or MultVAE."
        )
    curves = {"loss": {name: model.loss_curve_}}
    if getattr(model, "validation_scores_", None):
        curves["validation_score"] = {name: model.validation_scores_}
    if getattr(model, "error_curves_", None):
        curves["error"] = {
            whose + key.replace("_", " "): one for key, one in model.error_curves_.items()
        }
    if getattr(model, "divergence_curve_", None):
        curves["divergence"] = {name: model.divergence_curve_}
    if hasattr(model, "n_annealing_steps_"):
        curves["beta"] = {name: _annealing(model)}
    return curves


def _annealing(model):
    # Imported here, because only estimators of torch have a schedule.
    from skrec._torch._schedules import annealed

    n_updates = model._n_updates // model.n_iter_  # of an epoch
    return [
        annealed(epoch * n_updates - 1, model.beta, model.n_annealing_steps_)
        for epoch in range(1, model.n_iter_ + 1)
    ]


def _check_quantities(quantities, known):
    for quantity in quantities:
        if quantity not in known:
            raise ValueError(
                f"There is no curve {quantity!r} to draw. Got {list(quantities)}, expected some "
                f"of {list(known)}."
            )
