"""The page of a protocol: description, figures, costs, commands."""

import textwrap

import experiments
from _cells import (
    Footnotes,
    differences,
    in_box,
    label,
    link,
    number,
    numbers,
    p_value,
    read,
    signed,
    table,
)
from _names import short, whole
from _picture import family
from _protocols import PROTOCOLS
from _record import record_path
from experiments import NARROW, NOT_RUN

HEADINGS = {
    "ml1m_strong": "ML-1M, strong",
    "ml1m_ncf": "ML-1M, NCF",
    "ml1m_last": "ML-1M, last",
    "gowalla": "Gowalla",
    "ml100k_mcrec": "ML-100K",
    "citeulike_cmn": "citeulike-a",
}
DENOMINATORS = {
    "min": "min(k, number of held-out items)",
    "relevant": "the number of held-out items",
}


def recorded(key):
    """The experiments of a protocol that have a record, with it; the best one first."""
    chosen = [each for each in experiments.EXPERIMENTS if each.protocol == key]
    found = [(each, read(f"{key}/{each.slug}")) for each in chosen if record_path(each).is_file()]
    metric = PROTOCOLS[key].metrics[0]
    return sorted(found, key=lambda pair: (-pair[1]["test"]["mean"][metric], pair[0].name))


def about(key):
    """The description: data, split, metrics, the records' dates."""
    protocol, found = PROTOCOLS[key], recorded(key)
    first, *others = map(label, protocol.metrics)
    metrics = f"{first}, which chooses the setting" + "".join(f"; {name}" for name in others)
    if any(metric.startswith("recall") for metric in protocol.metrics):
        metrics += f". Recall is divided by {DENOMINATORS[protocol.normalize]}"
    dates = [record["environment"]["date"] for _, record in found]
    lines = [
        f"- **Data:** {', '.join(f'`{name}`' for name in protocol.data)}; "
        "[source, terms, checksum](README.md#data-sets).",
        f"- **Metrics:** {metrics}.",
        "- **Choice:** at most 8 settings and 30 minutes a method, on validation data; "
        "[the rules](README.md#how-it-was-measured).",
        f"- **Records:** {len(found)}, from {min(dates)} to {max(dates)}; each has its command, "
        "versions and machine.",
    ]
    wrapped = [
        textwrap.fill(line, 112, subsequent_indent="  ", break_on_hyphens=False) for line in lines
    ]
    return "\n\n".join([textwrap.fill(protocol.text, 112, break_on_hyphens=False),
                        "\n".join(wrapped)])  # fmt: skip


def figures(key):
    """All methods under the protocol, the best one first."""
    protocol, comparison = PROTOCOLS[key], read(f"{key}/comparison") or {}
    found, notes, rows = recorded(key), Footnotes(), []
    first, *others = protocol.metrics
    for each, record in found:
        test, name = record["test"], f"{key}/{each.slug}"
        difference, p = _against_best(each.slug, comparison)
        value = number(test["mean"][first])
        if difference == "best" or (p is not None and p >= 0.05):
            value = f"**{value}**"
        remark = "" if each.remark == NARROW else each.remark
        rows.append([
            link(name, short(each.name)) + notes.mark(whole(each.name), remark),
            f"{value} ± {number(test['standard_error'][first])}",
            *(number(test["mean"][metric]) for metric in others),
            difference,
            "" if p is None else p_value(p),
        ])  # fmt: skip
    header = ["method", f"{label(first)} ± s.e.", *map(label, others)]
    text = notes.below(table([*header, f"less the best, {label(first)}", "p"], rows))
    missing = _missing(key, {each.name for each, _ in found})
    return "\n\n".join(filter(None, (text, missing)))


def _against_best(slug, comparison):
    """The difference from the best one as text, and its p-value, where they are known."""
    if slug == comparison.get("best"):
        return "best", None
    row = comparison.get("against_best", {}).get(slug)
    if row is None:
        return "", None
    sign = "‡" if row.get("unpaired") else ""
    # Blanks that do not break: the cell is one line on a telephone too.
    text = f"{signed(row['difference'])}\u00a0±\u00a0{number(row['standard_error'])}{sign}"
    return text, row["holm_p_value"]


def _missing(key, done):
    names = [each.name for each in experiments.EXPERIMENTS if each.protocol == key]
    why = NOT_RUN.get(key, {})
    missing = [
        f"{name} ({why[name]})" if name in why else name
        for name in dict.fromkeys([*names, *why])
        if name not in done
    ]
    return f"Not run: {'; '.join(missing)}." if missing else ""


def published(key):
    """Published figures under the protocol, beside the measured ones."""
    protocol, notes, rows = PROTOCOLS[key], Footnotes(), []
    for each in experiments.EXPERIMENTS:
        if each.protocol != key or not each.published:
            continue
        record = read(f"{key}/{each.slug}")
        cells = [short(each.name) + notes.mark(whole(each.name)), numbers(each.published)]
        cells[1] += notes.mark(each.source)
        if record is None:
            rows.append([*cells, "not run", ""])
            continue
        mean = record["test"]["mean"] | record["test"].get("also", {})
        names = [f"{protocol.metrics[0]}, MCRec's", *protocol.metrics[1:]]
        names = names if protocol.also is not None else protocol.metrics
        measured = [mean[name] for name in names]
        rows.append([*cells, numbers(measured), differences(measured, each.published)])
    labels = [*map(label, protocol.metrics)]
    if protocol.also is not None:  # the published figure is that one
        labels[0] += " of MCRec's code"
    if not rows:
        return "No published figure is compared."
    header = ["method", "published", "measured", "measured less published"]
    return f"{' / '.join(labels)}:\n\n{notes.below(table(header, rows))}"


def costs(key):
    """How many settings were tried, and the cost of the tested fit and of its lists."""
    metric, rows = PROTOCOLS[key].metrics[0], []
    for each, record in recorded(key):
        fit, lists = record["chosen"]["fit"], record["lists"]
        per_thousand = 1000 * lists["processor_seconds"] / lists["n_users"]
        rows.append([
            short(each.name),
            _tried(record, each.remark, metric),
            f"{fit['processor_seconds']:.1f}",
            f"{fit['peak_mib']:.0f}",
            f"{per_thousand:.2f}",
        ])  # fmt: skip
    header = ["method", "settings tried", "fit, CPU s", "fit, MiB", "1,000 lists, CPU s"]
    return in_box(table(header, rows))


def _at_the_edge(record, metric):
    """Whether the chosen value of a number, not 0, is the least or the greatest one tried."""
    tried = [row for row in record["validation"] if "validation" in row]
    chosen = max(tried, key=lambda row: row["validation"][metric])["parameters"]
    for name, value in chosen.items():
        values = {row["parameters"].get(name) for row in tried}
        tried_numbers = {
            x for x in values if isinstance(x, int | float) and not isinstance(x, bool)
        }
        if value and len(tried_numbers) > 1 and value in (min(tried_numbers), max(tried_numbers)):
            return True
    return False


def _tried(record, remark, metric):
    n_tried = sum("validation" in row for row in record["validation"])
    edge = "†" if _at_the_edge(record, metric) else ""
    return f"{n_tried}{'*' if NARROW in remark else ''}{edge}"


def commands(key):
    """The command that makes the record of each method again."""
    lines = [f"python docs/benchmarks/run.py run {each.key} --again" for each, _ in recorded(key)]
    return "\n".join(["```bash", "export SKREC_DATA=../shared/data", *lines, "```"])


def summary():
    """The best method of each family under each protocol."""
    keys = [key for key in PROTOCOLS if recorded(key)]
    best = {}
    for key in keys:
        for each, record in recorded(key):  # the best one first
            value = record["test"]["mean"][PROTOCOLS[key].metrics[0]]
            best.setdefault(family(each.estimator), {}).setdefault(key, (value, short(each.name)))
    rows = []
    for name, cells in best.items():
        row = [name]
        for key in keys:
            if key not in cells:
                row.append("")
                continue
            value, method = cells[key]
            top = max(found[key][0] for found in best.values() if key in found)
            text = f"**{number(value)}**" if value == top else number(value)
            row.append(f"{text}<br>{method}")
        rows.append(row)
    header = [f"[{HEADINGS[key]}]({key}.md)<br>{label(PROTOCOLS[key].metrics[0])}" for key in keys]
    return in_box(table(["family", *header], rows))
