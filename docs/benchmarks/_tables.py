"""The tables of README.md, from the records alone."""

import json
import re
import textwrap

import _growth_table
from _defaults_data import DATA
from _defaults_grids import AROUND_OTHERS
from _protocols import PROTOCOLS
from _record import RESULTS, record_path
from experiments import EXPERIMENTS, FIGURES, NARROW, NOT_RUN, SCRIPTS, SPEEDS

from skrec.utils import all_recommenders

LABELS = {"hit_rate": "HR", "ndcg": "nDCG", "recall": "Recall", "precision": "Precision"}


def _read(name):
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text()) if path.is_file() else None


def _label(metric):
    name, _, k = metric.partition("@")
    return f"{LABELS[name]}@{k}"


def _number(value, digits=4):
    return re.sub(r"^(-?)0\.", r"\1.", f"{value:.{digits}f}")


def _numbers(values):
    return " / ".join(_number(value) for value in values)


def _differences(measured, published):
    return " / ".join(
        f"{a - b:+.4f}".replace("0.", ".", 1) for a, b in zip(measured, published, strict=True)
    )


def _table(header, rows):
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _link(name, text="record"):
    return f"[{text}](results/{name}.json)"


def _by_slug(protocol):
    chosen = [each for each in EXPERIMENTS if each.protocol == protocol]
    return {each.slug: each for each in chosen if record_path(each).is_file()}


def _measured(experiment, record):
    mean = record["test"]["mean"] | record["test"].get("also", {})
    metrics = PROTOCOLS[experiment.protocol].metrics
    if "also" in record["test"]:  # what the published figure is
        metrics = ("ndcg@10, MCRec's", *metrics[1:])
    return [mean[metric] for metric in metrics]


def published():
    """Published against measured, with the difference."""
    rows = []
    for each in EXPERIMENTS:
        if not each.published:
            continue
        protocol, name = PROTOCOLS[each.protocol], f"{each.protocol}/{each.slug}"
        labels = [*map(_label, protocol.metrics)]
        if protocol.also is not None:  # the published figure is that one
            labels[0] += ", MCRec's"
        row = [protocol.title, " / ".join(labels), each.name]
        row.append(f"{_numbers(each.published)} ({each.source})")
        record = _read(name)
        if record is None:
            rows.append([*row, "not run", "", each.remark])
            continue
        found = _measured(each, record)
        difference = _differences(found, each.published)
        rows.append([*row, f"{_numbers(found)} ({_link(name)})", difference, each.remark])
    for figure in FIGURES:
        record = _read(figure.result)
        of = f"{_numbers(figure.published)} ({figure.source})" if figure.published else "-"
        row = [figure.data, figure.metrics, figure.method, of]
        if record is None:
            rows.append([*row, "not run", "", figure.remark])
            continue
        found = figure.measured(record)
        difference = _differences(found, figure.published) if figure.published else ""
        measured = f"{_numbers(found)} ({_link(figure.result)})"
        rows.append([*row, measured, difference, figure.remark])
    header = ["data, protocol", "metrics", "method", "published", "measured", "difference"]
    return _table([*header, "remark"], rows)


def _against_best(slug, comparison):
    if slug == comparison.get("best"):
        return "best"
    row = comparison.get("against_best", {}).get(slug)
    if row is None:
        return ""
    p = row["holm_p_value"]
    sign = f"{row['difference']:+.4f}".replace("0.", ".", 1)
    p = "< .001" if p < 1e-3 else f"= {p:.2g}"
    unpaired = ", unpaired" if row.get("unpaired") else ""
    return f"{sign} ± {_number(row['standard_error'])}, p {p}{unpaired}"


def _at_the_edge(record, metric):
    """Whether the chosen value of a number, not 0, is the least or the greatest one tried."""
    tried = [row for row in record["validation"] if "validation" in row]
    chosen = max(tried, key=lambda row: row["validation"][metric])["parameters"]
    for name, value in chosen.items():
        values = {row["parameters"].get(name) for row in tried}
        numbers = {x for x in values if isinstance(x, int | float) and not isinstance(x, bool)}
        if value and len(numbers) > 1 and value in (min(numbers), max(numbers)):
            return True
    return False


def _tried(record, remark, metric):
    n_tried = sum("validation" in row for row in record["validation"])
    edge = "†" if _at_the_edge(record, metric) else ""
    return f"{n_tried}{'*' if NARROW in remark else ''}{edge}"


def _side_by_side(key):
    protocol, comparison = PROTOCOLS[key], _read(f"{key}/comparison") or {}
    rows = []
    for slug, each in _by_slug(key).items():
        record = _read(f"{key}/{slug}")
        test, fit, lists = record["test"], record["chosen"]["fit"], record["lists"]
        first, *others = protocol.metrics
        per_thousand = 1000 * lists["processor_seconds"] / lists["n_users"]
        rows.append(
            (
                -test["mean"][first],
                [
                    _link(f"{key}/{slug}", each.name),
                    f"{_number(test['mean'][first])} ± {_number(test['standard_error'][first])}",
                    *(_number(test["mean"][name]) for name in others),
                    _against_best(slug, comparison),
                    _tried(record, each.remark, first),
                    f"{fit['processor_seconds']:.1f}",
                    f"{fit['peak_mib']:.0f}",
                    f"{per_thousand:.2f}",
                ],
            )
        )
    first, *others = map(_label, protocol.metrics)
    header = ["method", f"{first} ± s.e.", *others, f"{first} less the best one's"]
    header += ["tried", "fit, CPU s", "fit, MiB", "1,000 lists, CPU s"]
    done = {each.name for each in _by_slug(key).values()}
    names = [each.name for each in EXPERIMENTS if each.protocol == key]
    why = NOT_RUN.get(key, {})
    missing = [
        f"{name} ({why[name]})" if name in why else name
        for name in dict.fromkeys([*names, *why])
        if name not in done
    ]
    text = "\n".join(textwrap.wrap(protocol.text, 112, break_on_hyphens=False))
    parts = [f"### {protocol.title}", text, _table(header, [row for _, row in sorted(rows)])]
    if missing:
        parts.append(f"Not run: {'; '.join(missing)}.")
    return "\n\n".join(parts)


def side_by_side():
    """The methods under each protocol."""
    return "\n\n".join(_side_by_side(key) for key in PROTOCOLS)


def autoencoders():
    """Likelihoods, priors and divergences, three seeds each."""
    models = _read("ml1m_autoencoders")["models"]
    rows = []
    for name, row in sorted(models.items(), key=lambda item: -item[1]["mean"]["ndcg@100"]):
        mean, error = row["mean"], row["standard_error"]
        figures = [_number(mean["recall@20"]), _number(mean["recall@50"])]
        estimator = re.sub(r"\s+", " ", row["estimator"])
        best = f"{_number(mean['ndcg@100'])} ± {_number(error['ndcg@100'])}"
        rows.append([name, best, *figures, f"`{estimator}`"])
    return _table(["method", "nDCG@100", "Recall@20", "Recall@50", "estimator"], rows)


def local_models():
    """LOCA against its global model, and against random users."""
    rows = []
    for name, row in _read("ml1m_loca")["bases"].items():
        cells = [name, *(_number(row[part]["test"]["mean"]["ndcg@100"])
                         for part in ("global", "LOCA", "random"))]  # fmt: skip
        for pair in ("LOCA - global", "LOCA - random"):
            found = row[pair]["ndcg@100"]
            sign = f"{found['difference']:+.4f}".replace("0.", ".", 1)
            cells.append(f"{sign} ± {_number(found['two_standard_errors'])}")
        rows.append(cells)
    header = ["base", "global model", "LOCA", "random users", "LOCA less global"]
    return _table([*header, "LOCA less random users"], rows)


def speeds():
    """Other packages side by side."""
    rows = []
    for speed in SPEEDS:
        record = _read(speed.result)
        remark = speed.remark if isinstance(speed.remark, str) else speed.remark(record)
        rows.append([speed.what, speed.text(record), f"{remark} ({_link(speed.result)})"])
    return _table(["what", "times faster than", "remark"], rows)


def defaults():
    """Of each estimator what its default reaches on test users, and of the tuned one's."""
    results = _read("defaults")["results"]
    parts = []
    for ratings, what in ((False, "nDCG@100"), (True, "RMSE")):
        of_kind = {
            name: {data: row for data, row in rows.items() if "test" in row}
            for name, rows in results.items()
            if any((row["part"] == "ratings") == ratings for row in rows.values())
        }
        of_kind = {name: rows for name, rows in of_kind.items() if rows}
        data = [name for name in DATA if any(name in rows for rows in of_kind.values())]
        lines = []
        for name, rows in of_kind.items():
            shares = {key: _share(row["test"], ratings) for key, row in rows.items()}
            cells = [
                f"{_number(rows[key]['test']['default']['test'])} ({shares[key]:.2f})"
                if key in rows
                else ""
                for key in data
            ]
            lines.append([f"{name}{_settings(rows)}", *cells, f"{min(shares.values()):.3f}"])
        if lines:
            parts.append(_table([f"estimator, {what}", *data, "least share"], lines))
    shown = {name.partition(",")[0] for name, rows in results.items()
             if any("test" in row for row in rows.values())}  # fmt: skip
    missing = sorted({name for name, _ in all_recommenders()} - shown - set(AROUND_OTHERS))
    parts.append(f"Not run: {', '.join(missing)}.")
    return "\n\n".join(parts)


def _share(row, ratings):
    default, tuned = row["default"]["test"], row["tuned"]["test"]
    return tuned / default if ratings else default / tuned


def _settings(rows):
    most = max(len(row["validation"]) for row in rows.values())
    return f", {most} settings" if most > 1 else ""


def at_size():
    """Time and memory of single fits at the size of large public data, all of it generated."""
    header = ["what", "users x items, entries", "seconds", "peak, MiB"]
    rows = []
    ease, sansa, vae = _read("ease"), _read("bench_sansa"), _read("mult_vae_epoch")
    size = _size(ease["data"])
    for what, row in (("EASE, fit", "fit"), ("EASE, lists of 100 for 10,000 users", "recommend")):
        found = ease["memory"][row]
        cells = [_link("ease", what), size, f"{found['seconds']:.1f}", f"{found['peak_mib']:,.0f}"]
        rows.append(cells)
    large = sansa["stages"]["large"]
    size, name = _size(large), f"SANSA, {100 * large['density']:g} % density, fit"
    seconds, peak = large["fit"]["seconds"], large["fit"]["peak_mib"]
    rows.append([_link("bench_sansa", name), size, f"{seconds:.1f}", f"{peak:,.0f}"])
    seconds = large["recommend_1000_users_seconds"]
    rows.append(["SANSA, lists for 1,000 users", size, f"{seconds:.1f}", ""])
    epoch = vae["parts"]["epoch"]
    found = epoch["models"]["skrec"]
    name = "MultVAE, [600-200-600], batches of 500, one epoch (peak of the whole process)"
    cells = [_link("mult_vae_epoch", name), _size(epoch), f"{found['seconds']:.1f}"]
    rows.append([*cells, f"{1024 * found['peak_gib']:,.0f}"])
    return _table(header, rows)


def growth():
    """How time and memory grow with the interactions."""
    header, lines, remarks = _growth_table.growth()
    if not lines:
        return "None yet."
    parts = [_table(header, lines)]
    if remarks:
        parts.append(f"Not measured: {'; '.join(remarks)}.")
    return "\n\n".join(parts)


def _size(record):
    n_users, n_items = record["shape"]
    return f"{n_users:,} x {n_items:,}, {record['entries'] / 1e6:.0f}M"


def hours():
    """What the seed tables would take, from trials on generated data."""
    rows = []
    for path in sorted(RESULTS.glob("trial_*.json")):
        record = json.loads(path.read_text())
        for name, row in record["methods"].items():
            cells = [f"{row['seconds']:.0f}", str(row["epochs"]), f"{row['estimated_hours']:.1f}"]
            threads = str(row.get("threads", ""))
            rows.append([_link(path.stem, path.stem[6:]), name, threads, *cells])
    header = ["data", "method", "threads", "trial, s", "epochs at most", "full settings, h"]
    return _table(header, rows)


def scripts():
    """Scripts with a record of their own."""
    rows = []
    for script in SCRIPTS:
        command = " ".join((f"{script.name}.py", *script.arguments))
        done = (RESULTS / f"{script.result}.json").is_file()
        record = _link(script.result) if done else "none yet"
        rows.append([f"`{command}`", script.what, record])
    return _table(["script", "what it measures", "record"], rows)


PARTS = {
    "scripts": scripts,
    "published": published,
    "side by side": side_by_side,
    "autoencoders": autoencoders,
    "local models": local_models,
    "speeds": speeds,
    "at size": at_size,
    "growth": growth,
    "defaults": defaults,
    "hours": hours,
}


def write_tables(path, *, check=False):
    """Write the parts between the markers of a page; the exit status.

    With `check` nothing is written, and the status is 1 if the page is not what it would be.
    """
    old = text = path.read_text()
    for name, part in PARTS.items():
        begin, end = f"<!-- {name}: generated by run.py tables -->", f"<!-- end of {name} -->"
        head, found, rest = text.partition(begin)
        if not found:
            raise ValueError(f"{path} has no line {begin!r}.")
        text = f"{head}{begin}\n\n{part()}\n\n{end}{rest.partition(end)[2]}"
    if check:
        return int(text != old)
    path.write_text(text)
    return 0
