"""The table of a comparison: its cells, and the table as text."""

import textwrap
from typing import NamedTuple

from skrec._cli._results import SIGNIFICANCE_LEVEL
from skrec.utils._memory import format_bytes

_WIDTH = 100  # of lines of text
_BOLD, _PLAIN = "\x1b[1m", "\x1b[0m"


class Cell(NamedTuple):
    """One cell; `mark` is "best", "tied" (with the best) or ""."""

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
        One row a model, one cell a column.
    """
    return [_row(model, comparison) for model in comparison.models]


def table_legend(comparison, *, best="*", tied="~"):
    """Say what the marks and columns of the table mean.

    Parameters
    ----------
    comparison : Comparison
    best, tied : str
        How the table shows the best model, and those not significantly worse.

    Returns
    -------
    lines : list of str
    """
    return [
        f"{best} best of its column; {tied} not significantly worse than the best "
        f"(p >= {SIGNIFICANCE_LEVEL}); in brackets the standard error over "
        f"{comparison.n_users:,} users.",
        f"p: paired t-test of {comparison.main_metric} against the best model, not corrected "
        "for the number of models.",
        "predict: time to score and rank the test users and to compute the metrics; peak "
        "memory: what the fit took beyond the data.",
    ]


def format_table(comparison, *, ansi):
    """Write the table and its legend for a terminal or a file.

    Parameters
    ----------
    comparison : Comparison
    ansi : bool
        Whether the best is bold by escape codes; else a star stands before it.

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


def format_facts(facts):
    """Write labelled facts, a label and its text a line, wrapped.

    Parameters
    ----------
    facts : list of (str, str)

    Returns
    -------
    text : str
        Ends in a line break.
    """
    width = max(len(label) for label, _ in facts) + 2
    lines = [
        textwrap.fill(
            text,
            max(_WIDTH, width + 40),
            initial_indent=label.ljust(width),
            subsequent_indent=" " * width,
            break_long_words=False,
            break_on_hyphens=False,
        )
        for label, text in facts
    ]
    return "\n".join(lines) + "\n"


def format_seconds(seconds):
    """Write a duration for people: "0.042 s", "3.0 s", "42 s", "2 min 5 s"."""
    if seconds < 99.5:
        return f"{seconds:.0f} s" if seconds >= 9.95 else f"{seconds:#.2g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def format_p_value(p_value):
    """Write a p-value: "0.034", "<0.001"; "best" for None."""
    if p_value is None:
        return "best"
    return "<0.001" if p_value < 0.001 else f"{p_value:.3f}"


def _row(model, comparison):
    cells = [Cell(model.name)]
    for metric in comparison.metrics:
        score = model.scores[metric]
        mark = "best" if score.is_best else "tied" if score.is_tied else ""
        cells.append(Cell(f"{score.mean:.4f} ({score.standard_error:.4f})", mark))
    memory = "?" if model.peak_bytes is None else format_bytes(model.peak_bytes)
    return [
        *cells,
        Cell(format_p_value(model.scores[comparison.main_metric].p_value)),
        Cell(format_seconds(model.fit_seconds)),
        Cell(format_seconds(model.predict_seconds)),
        Cell(memory),
    ]


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
