"""The report of a comparison, as one HTML file that needs no other file."""

import base64
import io
import time
from typing import NamedTuple

import numpy as np

from skrec._evaluation._names import parse_metrics
from skrec._plot._style import short_label
from skrec._version import __version__
from skrec.metrics._comparison._table import table_columns, table_legend, table_rows
from skrec.metrics._comparison._verdict import verdict
from skrec.metrics._results import metric_label
from skrec.utils._text import format_params

_SIZE = (4.6, 3.4)  # inches: a telephone shows it without making it smaller
_MOST_SHOWN = 8  # items of a user that are named


class Figure(NamedTuple):
    """A plot: its title, its caption, and the SVG as base64."""

    title: str
    caption: str
    svg: str


def render_report(
    comparison, *, title, facts, command=None, fit_commands=None, item_names=None, user_names=None
):
    """Make the report's HTML; jinja2 escapes all foreign text.

    Parameters
    ----------
    comparison : Comparison
    title, facts, command, fit_commands, item_names, user_names
        See `Comparison.to_html`.

    Returns
    -------
    html : str
    """
    return _environment().get_template("report.html.jinja").render(
        comparison=comparison,
        title=title,
        facts=list(facts),
        command=command,
        date=time.strftime("%Y-%m-%d %H:%M"),
        verdict=verdict(comparison),
        columns=table_columns(comparison),
        rows=table_rows(comparison),
        legend=table_legend(comparison, best="Bold:", tied="~:"),
        figures=draw_figures(comparison),
        fit_commands=fit_commands or comparison.fit_commands,
        own_commands=fit_commands is not None,
        trials={name: _ordered(comparison, name) for name in comparison.names},
        users=list(_sample(comparison, item_names, user_names)),
        best=comparison.names[0],
        version=__version__,
    )  # fmt: skip


def render_table(comparison):
    """Make the table's HTML, for a notebook."""
    return _environment().get_template("table.html.jinja").render(
        columns=table_columns(comparison),
        rows=table_rows(comparison),
        legend=table_legend(comparison, best="Bold:", tied="~:"),
        failures=comparison.failures,
    )  # fmt: skip


def _environment():
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("skrec.metrics._comparison", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["params"] = format_params
    return environment


def _ordered(comparison, name):
    """The tried settings, best first; settings without a score stand last."""
    trials = [one for one in comparison.trials[name] if one.scores]
    best = comparison.chosen[name]
    order = sorted(trials, key=lambda one: (one.parameters != best, -one.score))
    return order + [one for one in comparison.trials[name] if not one.scores]


def draw_figures(comparison):
    """Draw the plots of the report.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    figures : list of Figure
        Empty if matplotlib is not installed.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        return []
    figures = []
    for metric in comparison.metrics:
        caption = f"{metric_label(metric)} of each model: mean and one standard error"
        figures.append(_figure(comparison, metric_label(metric), caption, metric))
    lengths = {}
    for metric in parse_metrics(comparison.results[comparison.names[0]].mean):
        lengths.setdefault(metric.kind, set()).add(metric.k)
    for kind, ks in lengths.items():
        if len(ks) > 1:
            label = metric_label(f"{kind}@k")
            caption = f"{label} against k, the length of the list; shaded: one standard error"
            figures.append(_figure(comparison, label, caption, f"{kind}@k", against="k"))
    main = metric_label(comparison.main_metric)
    caption = f"{main} against the seconds of the fit; good and quick models are at the top left"
    figures.append(
        _figure(comparison, "Time and quality", caption, comparison.main_metric, "fit_seconds")
    )
    return figures


def _figure(comparison, title, caption, metric, against=None):
    import matplotlib
    from matplotlib.figure import Figure as Canvas
    from matplotlib.text import Text

    canvas = Canvas(figsize=_SIZE, layout="constrained")
    # Text as paths looks the same everywhere. A fixed salt and no date: same input, same bytes.
    with matplotlib.rc_context({"svg.fonttype": "path", "svg.hashsalt": "skrec"}):
        comparison.plot(metric, against=against, ax=canvas.subplots())
        for text in canvas.findobj(Text):
            text.set_parse_math(False)  # a "$" in a name is not a formula
            if text.get_text() in comparison.results:
                text.set_text(short_label(text.get_text()))
        buffer = io.BytesIO()
        canvas.savefig(buffer, format="svg", metadata={"Date": None})
    return Figure(title, caption, base64.b64encode(buffer.getvalue()).decode("ascii"))


def _sample(comparison, item_names, user_names):
    """The sample users with their visible items, held-out items, and the best model's lists."""
    sample, lists = comparison._sample, comparison._lists[comparison.names[0]]
    if sample is None or lists is None:
        return
    n_items = comparison._shown.shape[1]
    names = np.arange(n_items) if item_names is None else np.asarray(item_names)
    if names.shape != (n_items,):
        raise ValueError(
            f"item_names must hold one name for each of the {n_items} items. Got shape "
            f"{names.shape}."
        )
    for place, user in enumerate(sample):
        shown, held_out = (
            matrix[[place]].indices for matrix in (comparison._shown, comparison._held_out)
        )
        found = [item for item in lists[place] if item >= 0]
        yield {
            "name": str(user if user_names is None else user_names[user]),
            "shown": [str(names[item]) for item in shown[:_MOST_SHOWN]],
            "n_more": max(0, len(shown) - _MOST_SHOWN),
            "n_held_out": len(held_out),
            "items": [(str(names[item]), item in held_out) for item in found],
        }
