"""The picture of README.md: quality against the time of a fit, from the records."""

import json

from _protocols import PROTOCOLS
from _tuning import record_path
from experiments import EXPERIMENTS

KINDS = {
    "skrec.linear_model": ("linear", "C0", "o"),
    "skrec.neighbors": ("neighbours", "C2", "s"),
    "skrec.decomposition": ("factors", "C1", "^"),
    "skrec.autoencoder": ("autoencoders", "C3", "D"),
    "skrec.ensemble": ("local models", "C4", "v"),
    "skrec.dummy": ("popularity", "0.5", "x"),
}


def draw(protocol, path):
    """Draw the methods that have a record; an SVG file that depends on nothing else."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "skrec"
    import matplotlib.pyplot as plt

    metric = PROTOCOLS[protocol].metrics[0]
    figure, ax = plt.subplots(figsize=(7.5, 4.2), layout="constrained")
    lowest, known = 1.0, {}
    for each in EXPERIMENTS:
        if each.protocol != protocol or not record_path(each).is_file():
            continue
        record = json.loads(record_path(each).read_text())
        seconds = max(record["chosen"]["fit"]["processor_seconds"], 0.01)
        value = record["test"]["mean"][metric]
        package = ".".join(type(each.estimator).__module__.split(".")[:2])
        label, color, marker = KINDS[package]
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
        ax.annotate(
            each.name, (seconds, value), xytext=(6, 4), textcoords="offset points", fontsize=8
        )
    ax.set_xscale("log")
    ax.set_xlim(right=ax.get_xlim()[1] * 4)  # room for the names
    ax.set_ylim(bottom=lowest - 0.008)
    ax.set_xlabel("processor time of the fit, seconds")
    ax.set_ylabel(metric.replace("ndcg", "nDCG"))
    ax.set_title(PROTOCOLS[protocol].title, fontsize=10)
    ax.grid(alpha=0.3)
    ax.legend(known.values(), known, loc="lower right", bbox_to_anchor=(1, 0.06), fontsize=8)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
