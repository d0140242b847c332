"""The picture of ml1m_strong.md: quality against the time of a fit, from the records."""

import html
import itertools
import json
import math

from _protocols import PROTOCOLS
from _record import record_path
from experiments import EXPERIMENTS

from skrec.utils._search_grid import final_step

# Colours of Okabe and Ito, which a colour-blind reader tells apart; the markers differ too.
KINDS = {
    "skrec.linear_model": ("linear", "#0072B2", "o"),
    "skrec.neighbors": ("neighbours", "#009E73", "s"),
    "skrec.decomposition": ("factors", "#D55E00", "^"),
    "skrec.autoencoder": ("autoencoders", "#CC79A7", "D"),
    "skrec.ensemble": ("ensembles", "#2A86B0", "v"),
    "skrec.dummy": ("popularity", "0.5", "x"),
    "skrec.neural_network": ("neural", "#6A4C93", "P"),
    "skrec.content": ("content", "#B8860B", "*"),
}
# Families that differ from the sub-package's.
_FAMILIES = {"GraphFilter": "graph filter", "MCRec": "neural", "AfterItsParts": "neural"}
# Models of any other package: adapters, pipelines of them, methods of one's own.
OTHERS = ("others", "0.35", "h")

_LONG = 20  # letters of a label before it is broken at a comma


def _points(protocol):
    """Kind, name, seconds, value and standard error of each method that has a record."""
    metric, points = PROTOCOLS[protocol].metrics[0], []
    for each in EXPERIMENTS:
        if each.protocol != protocol or not record_path(each).is_file():
            continue
        record = json.loads(record_path(each).read_text())
        seconds = max(record["chosen"]["fit"]["processor_seconds"], 0.01)
        test = record["test"]
        error = test["standard_error"][metric]
        points.append([kind_of(each.estimator), each.name, seconds, test["mean"][metric], error])
    return points


def kind_of(estimator):
    """The sub-package of an estimator, of what it refines, or of a pipeline's last step."""
    kinds = [
        ".".join(each.__module__.split(".")[:2]) for each in type(final_step(estimator)).__mro__
    ]
    return next((kind for kind in kinds if kind in KINDS), kinds[0])


def is_current(protocol, path):
    """Whether the picture was drawn from the records as they are."""
    return html.escape(json.dumps(_points(protocol)), quote=False) in path.read_text()


def family(estimator):
    """The family of an estimator in the tables."""
    names = [each.__name__ for each in type(final_step(estimator)).__mro__]
    of_name = next((_FAMILIES[name] for name in names if name in _FAMILIES), None)
    return of_name or KINDS.get(kind_of(estimator), OTHERS)[0]


def pareto(points):
    """The points that no quicker point beats, by time."""
    best, front = -math.inf, []
    for point in sorted(points, key=lambda point: (point[2], -point[3])):
        if point[3] > best:
            best = point[3]
            front.append(point)
    return front


def draw(protocol, path):
    """Draw the methods that have a record; an SVG file that depends on nothing else.

    The file's description lists what is drawn, for `is_current`.
    """
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "skrec"
    import matplotlib.pyplot as plt

    metric = PROTOCOLS[protocol].metrics[0].replace("ndcg", "nDCG")
    figure, ax = plt.subplots(figsize=(9.6, 6.4), layout="constrained")
    points = _points(protocol)
    shown = [point for point in points if KINDS.get(point[0], OTHERS)[0] != "popularity"]
    known = {}
    for kind, _, seconds, value, error in shown:
        label, color, marker = KINDS.get(kind, OTHERS)
        known[label] = ax.errorbar(
            seconds, value, error, color=color, marker=marker, markersize=7, linestyle="none",
            ecolor=(*matplotlib.colors.to_rgb(color), 0.3), elinewidth=1.2, zorder=3,
        )  # fmt: skip
    front = pareto(shown)
    (line,) = ax.plot(
        *zip(*(point[2:4] for point in front), strict=True), color="0.55", linewidth=1.4, zorder=2
    )
    known["no quicker method is better"] = line
    for point in points:  # far below: named, not drawn to scale
        if point not in shown:
            ax.text(
                0.01, 0.015, f"{point[1]}: {point[3]:.3f}", transform=ax.transAxes, color="0.4",
                fontsize=9,
            )  # fmt: skip
    ax.set_xscale("log")
    ax.set_xlim(right=ax.get_xlim()[1] * 2)  # room for the names
    ax.set_xlabel("processor time of the fit, seconds")
    ax.set_ylabel(f"{metric}, higher is better")
    ax.set_title(f"{PROTOCOLS[protocol].title}: quality against time", fontsize=12, loc="left")
    ax.grid(alpha=0.25)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    figure.legend(known.values(), known, loc="outside lower center", ncols=4, frameon=False)
    figure.canvas.draw()
    figure.set_layout_engine("none")  # labels are placed in what the layout has left
    _label(ax, [*front, *(point for point in shown if point not in front)])
    figure.savefig(path, metadata={"Date": None, "Description": json.dumps(points)})
    plt.close(figure)


def _label(ax, points):
    """Name the points where neither a name, a point nor the edge of the axes is."""
    renderer, scale = ax.figure.canvas.get_renderer(), ax.figure.dpi / 72
    at = {point[1]: ax.transData.transform(point[2:4]) for point in points}
    line = [ax.transData.transform(point[2:4]) for point in pareto(points)]
    steps = [a + (b - a) * t / 40 for a, b in itertools.pairwise(line) for t in range(41)]
    taken = [(x - 5, y - 5, x + 5, y + 5) for x, y in at.values()]
    taken += [(x - 1, y - 1, x + 1, y + 1) for x, y in steps]
    inside = ax.get_window_extent(renderer).extents
    for kind, name, seconds, value, _ in points:
        text = name if len(name) < _LONG else name.replace(", ", ",\n", 1)
        color = KINDS.get(kind, OTHERS)[1]
        drawn = ax.annotate(
            text, (seconds, value), xytext=(0, 0), textcoords="offset points", fontsize=8.5,
            ha="center", va="center", color=color, zorder=4,
        )  # fmt: skip
        box = drawn.get_window_extent(renderer)
        size = box.width / 2 + 2, box.height / 2 + 1
        place, far = _free_place(at[name], size, taken, inside)
        taken.append(_box(place, size))
        offset = (place - at[name]) / scale
        drawn.set_position(tuple(offset))
        if far:
            ax.annotate(
                "", (seconds, value), xytext=tuple(offset * 0.8),
                textcoords="offset points", zorder=1,
                arrowprops={"arrowstyle": "-", "color": color, "alpha": 0.45, "linewidth": 0.8},
            )  # fmt: skip


def _box(place, size):
    return place[0] - size[0], place[1] - size[1], place[0] + size[0], place[1] + size[1]


def _free_place(at, size, taken, inside):
    """The nearest centre for a label, and whether it needs a line to its point."""
    for gap in (6, 12, 20, 30, 42, 56, 72, 90):
        for angle in (0, 45, -45, 90, -90, 135, -135, 180, 20, -20, 160, -160):
            x, y = math.cos(math.radians(angle)), math.sin(math.radians(angle))
            place = at[0] + x * (size[0] + gap), at[1] + y * (size[1] + gap)
            box = _box(place, size)
            within = box[0] > inside[0] and box[1] > inside[1]
            within = within and box[2] < inside[2] and box[3] < inside[3]
            if within and not any(_overlap(box, other) for other in taken):
                return place, gap > 12
    return (at[0] + size[0] + 6, at[1]), False


def _overlap(a, b):
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
