"""Axes and styles of the displays; colour-blind readers can tell the lines apart."""

from collections.abc import Mapping

# Okabe and Ito's palette without its yellow, which is hard to see on white, and ordered so that
# the first colours differ in lightness too; then three of Tol's. Markers and dashes distinguish
# the lines as well. Dotted lines are kept for references.
_COLORS = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#000000",
    "#882255", "#999933", "#888888",
)  # fmt: skip
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_DASHES = ("-", "--", "-.", (0, (5, 1, 1, 1, 1, 1)))


def check_matplotlib(caller):
    """Raise an ImportError with the command to install matplotlib, if it is missing."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"{caller} needs matplotlib, which is not installed. Install it with "
            "`pip install matplotlib`."
        ) from error


def check_axes(display, ax, *, width=6.4):
    """The Axes to draw on: `ax`, or the Axes of a new figure, `width` inches wide."""
    check_matplotlib(f"{type(display).__name__}.plot")
    import matplotlib.pyplot as plt
    from matplotlib.axes import Axes

    if ax is None:
        return plt.subplots(figsize=(width, 4.8), layout="constrained")[1]
    if not isinstance(ax, Axes):
        raise TypeError(
            f"ax must be a matplotlib Axes or None. Got {type(ax).__name__}; of a figure with "
            "several Axes, pass one of them."
        )
    return ax


def color_of(i):
    """Colour of the i-th line or group."""
    return _COLORS[i % len(_COLORS)]


def marker_of(i):
    """Marker of the i-th line or group; with the colour, 70 different pairs."""
    return _MARKERS[(i + i // len(_COLORS)) % len(_MARKERS)]


def short_label(name, most=28):
    """A name, cut if it would leave no room for the drawing."""
    return name if len(name) <= most else f"{name[: most - 1]}…"


def line_looks(ax, n_lines, line_kw, *, markers=True, dashes=True):
    """Keywords of each line: our style, overridden by the caller's keywords.

    Parameters
    ----------
    ax : matplotlib Axes
        Labelled lines that it already has keep their styles, and the next ones follow.
    n_lines : int
    line_kw : dict, list of dict, or None
        For all lines, or for each.
    markers : bool, default=True
        Whether points are marked.
    dashes : bool, default=True
        Whether points are joined.

    Returns
    -------
    looks : list of dict
    """
    given = line_kw if isinstance(line_kw, (list, tuple)) else [line_kw] * n_lines
    if len(given) != n_lines or not all(one is None or isinstance(one, Mapping) for one in given):
        raise ValueError(
            f"line_kw must be a dict for all lines, or a list of one dict for each of the "
            f"{n_lines} lines. Got {line_kw!r}."
        )
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.lines import Line2D

    first = len(ax.get_legend_handles_labels()[1])
    looks = []
    for i, own in enumerate(given, start=first):
        look = {"color": color_of(i)}
        look["linestyle"] = _DASHES[i % len(_DASHES)] if dashes else "none"
        look |= {"marker": marker_of(i), "markersize": 5} if markers else {}
        looks.append(look | normalize_kwargs(own, Line2D))  # "c" is "color"
    return looks


def scatter_look(look, scatter_kw):
    """Keywords of ``Axes.scatter``: our style, overridden by the caller's dict or None."""
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.collections import PathCollection

    own = normalize_kwargs(scatter_kw, PathCollection)
    if {"c", "color"} & set(own):  # scatter takes one of them
        look = {name: value for name, value in look.items() if name not in ("c", "color", "cmap")}
    return look | own


def draw_legend(ax, title=None, *, beside=False):
    """Draw a legend on the axes, or to the right of them with ``beside=True``."""
    place = {"loc": "upper left", "bbox_to_anchor": (1.01, 1), "borderaxespad": 0}
    legend = ax.legend(title=title, alignment="left", **(place if beside else {}))
    legend.get_title().set_fontsize("small")
    return legend
