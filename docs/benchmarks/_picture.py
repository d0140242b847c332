"""The picture of README.md: quality against the time of a fit, from the records."""

import html
import json

from _protocols import PROTOCOLS
from _record import record_path
from experiments import EXPERIMENTS

from skrec.utils._search_grid import final_step

KINDS = {
    "skrec.linear_model": ("linear", "C0", "o"),
    "skrec.neighbors": ("neighbours", "C2", "s"),
    "skrec.decomposition": ("factors", "C1", "^"),
    "skrec.autoencoder": ("autoencoders", "C3", "D"),
    "skrec.ensemble": ("local models", "C4", "v"),
    "skrec.dummy": ("popularity", "0.5", "x"),
    "skrec.neural_network": ("neural", "C5", "P"),
    "skrec.content": ("content", "C6", "*"),
}
# Of any other package: adapters, pipelines of them, methods of one's own.
OTHERS = ("others", "C7", "h")


def _points(protocol):
    """Kind, name, seconds and value of each method that has a record."""
    metric, points = PROTOCOLS[protocol].metrics[0], []
    for each in EXPERIMENTS:
        if each.protocol != protocol or not record_path(each).is_file():
            continue
        record = json.loads(record_path(each).read_text())
        seconds = max(record["chosen"]["fit"]["processor_seconds"], 0.01)
        kind = ".".join(type(final_step(each.estimator)).__module__.split(".")[:2])
        points.append([kind, each.name, seconds, record["test"]["mean"][metric]])
    return points


def is_current(protocol, path):
    """Whether the picture was drawn from the records as they are."""
    return html.escape(json.dumps(_points(protocol)), quote=False) in path.read_text()


def draw(protocol, path):
    """Draw the methods that have a record; an SVG file that depends on nothing else.

    What is drawn stands in its description too, for `is_current`.
    """
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "skrec"
    import matplotlib.pyplot as plt

    metric = PROTOCOLS[protocol].metrics[0]
    figure, ax = plt.subplots(figsize=(7.5, 4.2), layout="constrained")
    lowest, known = 1.0, {}
    points = _points(protocol)
    for kind, name, seconds, value in points:
        label, color, marker = KINDS.get(kind, OTHERS)
        (line,) = ax.plot(seconds, value, marker, color=color, markersize=7)
        known.setdefault(label, line)
        if label == "popularity":  # far below: named, not drawn to scale
            line.remove()
            ax.text(
                0.99, 0.02, f"popularity: {value:.3f}", transform=ax.transAxes, ha="right",
                color="0.4", fontsize=9,
            )  # fmt: skip
            known.pop(label)
            continue
        lowest = min(lowest, value)
        ax.annotate(name, (seconds, value), xytext=(6, 4), textcoords="offset points", fontsize=8)
    ax.set_xscale("log")
    ax.set_xlim(right=ax.get_xlim()[1] * 4)  # room for the names
    ax.set_ylim(bottom=lowest - 0.008)
    ax.set_xlabel("processor time of the fit, seconds")
    ax.set_ylabel(metric.replace("ndcg", "nDCG"))
    ax.set_title(PROTOCOLS[protocol].title, fontsize=10)
    ax.grid(alpha=0.3)
    ax.legend(known.values(), known, loc="lower right", bbox_to_anchor=(1, 0.06), fontsize=8)
    figure.savefig(path, metadata={"Date": None, "Description": json.dumps(points)})
    plt.close(figure)
