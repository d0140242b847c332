"""The table of a comparison: its cells, and the table as text."""

import math
import textwrap
from typing import NamedTuple

from skrec.metrics._comparison._paired import SIGNIFICANCE_LEVEL
from skrec.utils._memory import format_bytes
from skrec.utils._text import format_params, format_seconds

_WIDTH = 100  # of lines of text
_BOLD, _PLAIN = "\x1b[1m", "\x1b[0m"


class Cell(NamedTuple):
    """One cell; `mark` is "best", "tied" (with the tested reference) or ""."""

    text: str
    mark: str = ""


def table_columns(comparison):
    """Titles of the columns.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    titles : list of str
    """
    return ["model", *comparison.metrics, "p", "fit", "predict", "peak memory"]


def table_rows(comparison):
    """Cells of the table.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    rows : list of list of Cell
        One row per model, one cell per column.
    """
    return [_row(name, comparison) for name in comparison.names]


def table_legend(comparison, *, best="*", tied="~"):
    """Say what the marks and columns of the table mean.

    Parameters
    ----------
    comparison : Comparison
    best, tied : str
        How the table marks the best model, and the models that are not significantly worse.

    Returns
    -------
    lines : list of str
    """
    if comparison.baseline is None:
        other, told = "the best", "not significantly worse than the best"
    else:
        other = comparison.baseline
        told = f"not significantly different from {comparison.baseline}"
    return [
        f"{best} best of its column; {tied} {told} (p >= {SIGNIFICANCE_LEVEL}); in brackets the "
        f"standard error over {comparison.n_users:,} users.",
        f"p: paired t-test of {comparison.main_metric} against {other}"
        f"{'' if comparison.baseline else ' model'}, after Holm's correction for the number of "
        "models.",
        "predict: time to score and rank the test users and to compute the metrics; peak "
        "memory: of the fit, beyond the data.",
        *_of_unknown_users(comparison),
    ]


def _of_unknown_users(comparison):
    """The metric over unknown users and over the others, if there are unknown users."""
    metric = comparison.main_metric
    results = comparison.results
    n_unknown = max(result.get("n_unknown", {}).get(metric, 0) for result in results.values())
    if not n_unknown:
        return []
    values = [
        f"{name} {result.mean_unknown[metric]:.4f} and {result.mean_known[metric]:.4f}"
        for name, result in results.items()
    ]
    return [
        f"Nothing is known of {n_unknown:,} of the {comparison.n_users:,} users; {metric} for them "
        f"and for the others: {', '.join(values)}."
    ]


def format_table(comparison, *, ansi=False):
    """Write the table and its legend for a terminal or a file.

    Parameters
    ----------
    comparison : Comparison
    ansi : bool, default=False
        Whether escape codes print the best in bold. False: a star stands before it.

    Returns
    -------
    text : str
        Ends in a line break.
    """
    titles, rows = table_columns(comparison), table_rows(comparison)
    widths = [
        max(len(cell) for cell in column)
        for column in zip(
            [f" {title}" if place else title for place, title in enumerate(titles)],
            *[[_marked(cell, place, ansi) for place, cell in enumerate(row)] for row in rows],
            strict=True,
        )
    ]
    lines = [_join([Cell(title) for title in titles], widths, ansi)]
    lines.append("  ".join("-" * width for width in widths))
    lines += [_join(row, widths, ansi) for row in rows]
    best = f"{_BOLD}bold{_PLAIN}" if ansi else "*"
    legend = table_legend(comparison, best=best)
    lines += ["", *(textwrap.fill(line, _WIDTH, subsequent_indent="  ") for line in legend)]
    return "\n".join(lines) + "\n"


def format_remarks(comparison, *, failures=True):
    """Write the remarks below the table: chosen parameters, failures, models without a search.

    Parameters
    ----------
    comparison : Comparison
    failures : bool, default=True
        Whether to list the failed models.

    Returns
    -------
    text : str
        Each line ends in a line break; "" without remarks.
    """
    lines = []
    chosen = [name for name in comparison.names if comparison.chosen[name]]
    if chosen:
        lines += ["", "Chosen parameters:"]
    for name in chosen:
        lines.append(f"  {name}: {format_params(comparison.chosen[name])}{_how(comparison, name)}")
    if comparison.not_searched:
        lines += ["", f"Not searched, for want of a grid: {', '.join(comparison.not_searched)}"]
    if failures and comparison.failures:
        lines += ["", "Failed:", *(f"  {name}: {why}" for name, why in comparison.failures.items())]
    return "".join(f"{line}\n" for line in lines)


def format_p_value(p_value):
    """Write a p-value: "0.034", "<0.001"; "?" where there is no test."""
    if math.isnan(p_value):
        return "?"
    return "<0.001" if p_value < 0.001 else f"{p_value:.3f}"


def _how(comparison, name):
    trials = comparison.trials[name]
    best = next((one for one in trials if one.parameters == comparison.chosen[name]), None)
    if best is None:
        return ""
    return (
        f" ({comparison.search_metric} {best.score:.4f} on validation, best of {len(trials)})"
    )  # fmt: skip


def _row(name, comparison):
    result, tests = comparison.results[name], comparison.tests[name]
    cells = [Cell(name)]
    for metric in comparison.metrics:
        text = f"{result.mean[metric]:.4f} ({result.standard_error[metric]:.4f})"
        cells.append(Cell(text, _mark(name, metric, comparison)))
    memory = comparison.peak_bytes[name]
    if comparison.main_metric in tests:
        p = format_p_value(tests[comparison.main_metric].holm_p_value)
    else:
        p = "best" if comparison.baseline is None else "-"
    return [
        *cells,
        Cell(p),
        Cell(format_seconds(comparison.fit_seconds[name])),
        Cell(format_seconds(comparison.predict_seconds[name])),
        Cell("?" if memory is None else format_bytes(memory)),
    ]


def _mark(name, metric, comparison):
    if comparison.best(metric) == name:
        return "best"
    test = comparison.tests[name].get(metric)
    # Without a test (NaN, for a single user) no difference is known either.
    tied = test is not None and not test.holm_p_value < SIGNIFICANCE_LEVEL
    return "tied" if tied else ""


def _marked(cell, place, ansi):
    if place == 0:
        return cell.text
    return {"best": " " if ansi else "*", "tied": "~"}.get(cell.mark, " ") + cell.text


def _join(cells, widths, ansi):
    parts = []
    for place, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        text = _marked(cell, place, ansi)
        padded = text.ljust(width) if place == 0 else text.rjust(width)
        # Escape codes come after the padding: they take no place on the screen.
        bold = ansi and cell.mark == "best"
        parts.append(f"{_BOLD}{padded}{_PLAIN}" if bold else padded)
    return "  ".join(parts).rstrip()
