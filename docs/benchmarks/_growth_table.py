"""Table and picture of run_growth.py's record."""

import html
import json
import math

from _growth_cases import CASES, Facts
from _record import RESULTS

from skrec.utils._search_grid import final_step

_LEAST_SECONDS, _LEAST_MIB = 0.05, 10.0


def _results():
    path = RESULTS / "growth.json"
    return json.loads(path.read_text())["results"] if path.is_file() else {}


def _measured(rows):
    """Sizes that were fitted, ascending, with their rows."""
    return [(size, rows[str(size)]) for size in sorted(map(int, rows)) if "fit" in rows[str(size)]]


def slope(sizes, values):
    """The exponent with which a figure grows from the first size to the last one."""
    return math.log(values[-1] / values[0]) / math.log(sizes[-1] / sizes[0])


def slopes(case, rows):
    """Exponents of time, of the work that is stated (None: it is not), and of peak memory.

    Seconds and MiB that are too few to be told from noise do not count.
    """
    stated = None
    if case.work is not None:
        sizes = [row["entries"] for _, row in rows]
        stated = slope(sizes, [case.work(Facts(*row["facts"])) for _, row in rows])
    seconds, peak = (
        _slope_above(least, [(row["entries"], row["fit"][name]) for _, row in rows])
        for name, least in (("processor_seconds", _LEAST_SECONDS), ("peak_mib", _LEAST_MIB))
    )
    return seconds, stated, peak


def _slope_above(least, found):
    kept = [(size, value) for size, value in found if value is not None and value >= least]
    return slope(*zip(*kept, strict=True)) if len(kept) > 1 else None


def growth():
    """Lines of the table: seconds and MiB by size, slopes, lists; and why some are missing."""
    results, lines, remarks = _results(), [], []
    sizes = sorted({int(size) for rows in results.values() for size in rows})
    for case in CASES:
        rows = results.get(case.name, {})
        fitted = _measured(rows)
        if not fitted:
            continue
        cells = []
        for size in sizes:
            row = rows.get(str(size), {})
            fit = row.get("fit")
            cells.append(_cell(fit) if fit else "")
            if "remark" in row:
                remarks.append(f"{case.name}, {size / 1e6:g}M: {row['remark']}")
        three = ["", "", ""]
        if len(fitted) > 1:
            three = ["" if value is None else f"{value:.2f}" for value in slopes(case, fitted)]
        lists = fitted[-1][1]["lists"]["processor_seconds"]
        lines.append([f"{case.name}", *cells, *three, case.stated, f"{lists:.3g}"])
    header = ["one fit or epoch", *(f"{size / 1e6:g}M: CPU s / MiB" for size in sizes)]
    header += ["slope of time", "stated work", "slope of MiB", "stated, grows with"]
    return [*header, "1,000 lists of the largest, CPU s"], lines, remarks


def _cell(fit):
    peak = "?" if fit["peak_mib"] is None else f"{fit['peak_mib']:,.0f}"
    return f"{fit['processor_seconds']:.3g} / {peak}"


def _points():
    points = {}
    for case in CASES:
        fitted = _measured(_results().get(case.name, {}))
        if len(fitted) > 1:
            module = type(final_step(case.estimator)).__module__.split(".")[1]
            points[case.name] = [
                module,
                [[row["entries"], row["fit"]["processor_seconds"]] for _, row in fitted],
            ]
    return points


def is_current(path):
    """Whether the picture was drawn from the record as it is."""
    if not path.is_file():
        return not _points()
    return html.escape(json.dumps(_points()), quote=False) in path.read_text()


def draw(path):
    """Seconds of a fit against the entries, a panel for each subpackage."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "skrec"
    import matplotlib.pyplot as plt

    points = _points()
    if not points:
        return
    modules = list(dict.fromkeys(module for module, _ in points.values()))
    n_rows = -(-len(modules) // 2)
    figure, axes = plt.subplots(
        n_rows, 2, figsize=(10, 3.6 * n_rows), sharex=True, sharey=True, layout="constrained"
    )
    for ax, module in zip(axes.flat, modules, strict=False):
        for name, (kind, values) in points.items():
            if kind == module:
                entries, seconds = zip(*values, strict=True)
                ax.plot(entries, seconds, marker="o", markersize=4, label=name)
        ax.set_title(module, fontsize=10)
        ax.grid(alpha=0.3)
        ax.legend(fontsize=7)
    for ax in axes.flat[len(modules) :]:
        ax.set_axis_off()
    axes.flat[0].set_xscale("log")
    axes.flat[0].set_yscale("log")
    figure.supxlabel("interactions")
    figure.supylabel("processor time of one fit or epoch, seconds")
    figure.savefig(path, metadata={"Date": None, "Description": json.dumps(points)})
    plt.close(figure)
