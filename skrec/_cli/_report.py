"""The report: one HTML file that needs nothing else."""

import base64
from html import escape

from skrec._cli._files import atomic_text
from skrec._cli._models import SEARCH_METRIC, format_params
from skrec._cli._plots import curves, metric_bars, time_against_quality
from skrec._cli._table import table_columns, table_legend, table_rows
from skrec._version import __version__

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222; background: #fff;
  max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; }
dt { color: #555; } dd { margin: 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .95rem; }
th, td { padding: .35rem .6rem; text-align: right; border-bottom: 1px solid #ddd;
  white-space: nowrap; font-variant-numeric: tabular-nums; }
thead th { border-bottom: 2px solid #444; }
th:first-child, td.text { text-align: left; }
td.best { font-weight: bold; background: #eaf4ea; }
.note { color: #555; font-size: .9rem; }
code { overflow-wrap: anywhere; }
td code { white-space: normal; }
figure { margin: 1rem 0; } img { max-width: 100%; height: auto; }
"""


def write_report(comparison, path):
    """Write the report.

    Parameters
    ----------
    comparison : Comparison
    path : pathlib.Path
        Replaced only when the report is complete.
    """
    text = render_report(comparison)
    with atomic_text(path) as file:
        file.write(text)


def render_report(comparison):
    """Make the report's HTML; everything that is not ours is escaped.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    html : str
    """
    title = f"Recommenders compared: {comparison.title}"
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        f'<head><meta charset="utf-8"><title>{escape(title)}</title>',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<style>{_STYLE}</style></head>",
        f"<body><main><h1>{escape(title)}</h1>",
        _facts(comparison.header),
        "<h2>Results</h2>",
        _table(comparison),
        *_figures(comparison),
        "<h2>Parameters</h2>",
        _parameters(comparison),
        *_searches(comparison),
        f'<p class="note">Written by skrec {escape(__version__)}.</p>',
        "</main></body></html>",
    ]
    return "\n".join(parts) + "\n"


def _facts(header):
    pairs = [f"<dt>{escape(label)}</dt><dd>{escape(text)}</dd>" for label, text in header]
    return "<dl>" + "\n".join(pairs) + "</dl>"


def _table(comparison):
    titles = [f'<th scope="col">{escape(title)}</th>' for title in table_columns(comparison)]
    rows = []
    for name, *cells in table_rows(comparison):
        row = [f'<th scope="row">{escape(name.text)}</th>']
        for cell in cells:
            style = ' class="best"' if cell.mark == "best" else ""
            mark = "~" if cell.mark == "tied" else ""
            row.append(f"<td{style}>{mark}{escape(cell.text)}</td>")
        rows.append(f"<tr>{''.join(row)}</tr>")
    legend = table_legend(comparison, best="Bold:", tied="~:")
    return "\n".join(
        [
            f'<div class="wide"><table><thead><tr>{"".join(titles)}</tr></thead>',
            "<tbody>",
            *rows,
            "</tbody></table></div>",
            *[f'<p class="note">{escape(line)}</p>' for line in legend],
        ]
    )


def _figures(comparison):
    yield _figure("Metrics", metric_bars(comparison), "Bars: mean; lines: one standard error.")
    if comparison.models[0].curves:
        yield _figure(
            "Length of the list",
            curves(comparison),
            "Metrics at k items against k, with one standard error. Where a metric divides by the "
            "least of k and the number of held-out items, it can fall as k grows.",
        )
    yield _figure(
        "Time and quality",
        time_against_quality(comparison),
        f"Seconds that a fit took against {comparison.main_metric}; up and left is better.",
    )


def _figure(title, svg, caption):
    # As an image and not inline: the ids inside several SVGs would clash.
    data = base64.b64encode(svg).decode("ascii")
    return (
        f"<h2>{escape(title)}</h2>\n"
        f'<figure><img alt="{escape(caption)}" src="data:image/svg+xml;base64,{data}">'
        f'<figcaption class="note">{escape(caption)}</figcaption></figure>'
    )


def _parameters(comparison):
    rows = [
        f'<tr><th scope="row">{escape(model.name)}</th>'
        f'<td class="text"><code>{escape(model.parameters)}</code></td></tr>'
        for model in comparison.models
    ]
    return f'<div class="wide"><table><tbody>{"".join(rows)}</tbody></table></div>'


def _searches(comparison):
    for model in comparison.models:
        if not model.trials:
            continue
        rows = [
            f'<tr><td class="text"><code>{escape(format_params(params))}</code></td>'
            f"<td>{score:.4f}</td></tr>"
            for params, score in sorted(model.trials, key=lambda trial: -trial[1])
        ]
        yield (
            f"<h2>Search: {escape(model.name)}</h2>\n"
            '<div class="wide"><table><thead><tr><th scope="col">parameters</th>'
            f'<th scope="col">{SEARCH_METRIC} on validation</th></tr></thead>'
            f"<tbody>{''.join(rows)}</tbody></table></div>"
        )
