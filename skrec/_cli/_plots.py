"""The plots of the report, as SVG; matplotlib is imported when they are drawn."""

import io

from skrec._cli._errors import CommandError

# Okabe and Ito's colours, which colour-blind readers can tell apart.
_COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000")
_LINES = ("-", "--", ":", "-.")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")


def require_matplotlib():
    """Check that plots can be drawn.

    Raises
    ------
    CommandError
        If matplotlib is not installed.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise CommandError(
            "--output writes a report with plots, which needs matplotlib: "
            'pip install "scikit-recsys[plot]"'
        ) from error


def metric_bars(comparison):
    """Draw a group of bars for each metric, with standard errors.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    svg : bytes
    """
    n_models = len(comparison.models)
    width = 0.8 / n_models
    figure = _figure(max(5.0, 1.2 + 0.45 * n_models * len(comparison.metrics)), 3.6)
    axes = figure.subplots()
    for place, model in enumerate(comparison.models):
        scores = [model.scores[metric] for metric in comparison.metrics]
        axes.bar(
            [group + (place - (n_models - 1) / 2) * width for group in range(len(scores))],
            [score.mean for score in scores],
            width,
            yerr=[score.standard_error for score in scores],
            color=_COLORS[place % len(_COLORS)],
            hatch="//" if place >= len(_COLORS) else None,
            capsize=3,
            label=model.name,
        )
    axes.set_xticks(range(len(comparison.metrics)), comparison.metrics)
    axes.set_ylabel("mean over users")
    _legend(figure, axes)
    return _svg(figure)


def curves(comparison):
    """Draw each kind of metric against the length of the list.

    Parameters
    ----------
    comparison : Comparison
        Its models have `curves`.

    Returns
    -------
    svg : bytes
    """
    kinds = list(comparison.models[0].curves)
    figure = _figure(1.2 + 3.6 * len(kinds), 3.6)
    figure.get_layout_engine().set(w_pad=0.1)
    panels = figure.subplots(1, len(kinds), squeeze=False)[0]
    for axes, kind in zip(panels, kinds, strict=True):
        for place, model in enumerate(comparison.models):
            k, mean, error = zip(*model.curves[kind], strict=True)
            axes.errorbar(
                k, mean, yerr=error, capsize=2, markersize=4, label=model.name, **_style(place)
            )
        axes.set_xscale("log")
        axes.set_xticks(k, [str(value) for value in k])
        axes.minorticks_off()
        axes.set_ylim(bottom=0)
        axes.set_xlabel("length of the list, k")
        axes.set_ylabel(f"{kind}@k")
    _legend(figure, panels[-1])
    return _svg(figure)


def time_against_quality(comparison):
    """Draw the time of the fit against the main metric.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    svg : bytes
    """
    figure = _figure(5.0, 3.6)
    axes = figure.subplots()
    for place, model in enumerate(comparison.models):
        score = model.scores[comparison.main_metric]
        axes.errorbar(
            [model.fit_seconds],
            [score.mean],
            yerr=[score.standard_error],
            capsize=3,
            label=model.name,
            **_style(place) | {"linestyle": "none"},
        )
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.margins(x=0.15)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("time of the fit in seconds (logarithmic)")
    axes.set_ylabel(comparison.main_metric)
    _legend(figure, axes)
    return _svg(figure)


def _figure(width, height):
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _style(place):
    return {
        "color": _COLORS[place % len(_COLORS)],
        "marker": _MARKERS[place % len(_MARKERS)],
        "linestyle": _LINES[place % len(_LINES)],
    }


def _legend(figure, axes):
    for panel in figure.axes:
        panel.grid(alpha=0.3)
        panel.set_axisbelow(True)
        panel.spines[["top", "right"]].set_visible(False)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", frameon=False)


def _svg(figure):
    import matplotlib

    buffer = io.BytesIO()
    # Text as paths looks alike everywhere; fixed salt and no date: same input, same bytes.
    with matplotlib.rc_context({"svg.fonttype": "path", "svg.hashsalt": "skrec"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()
