"""Speed and memory: beside other packages, at size, of reading, by threads, of one list."""

import _growth_table
from _cells import in_box, link, number, read, table
from experiments import SPEEDS


def speeds():
    """Other packages side by side."""
    rows, remarks = [], []
    for speed in SPEEDS:
        record = read(speed.result)
        made = record["environment"]
        rows.append([link(speed.result, speed.what), speed.text(record), made["date"]])
        remark = speed.remark if isinstance(speed.remark, str) else speed.remark(record)
        remarks.append(f"- {speed.what}: {remark}.")
    text = in_box(table(["what", "times faster than", "record of"], rows))
    return f"{text}\n\n" + "\n".join(remarks)


def peer_fits():
    """Seconds of whole fits beside other packages; shares of equal items where there are some."""
    record = read("peer_fits")
    if record is None:
        return "None yet."
    rows = []
    for data, methods in record["data"].items():
        for method, packages in methods.items():
            ours = packages["skrec"]
            rows.append([f"{method}, {data}", "skrec", *_fit(ours), ""])
            for name, row in packages.items():
                if name != "skrec":
                    same = number(row["same_items"], 2) if "same_items" in row else ""
                    rows.append(["", f"{name} {record['peers'][name]}", *_fit(row), same])
    header = [link("peer_fits", "method"), "package", "fit, s", "fit, CPU s", "MiB", "same items"]
    return in_box(table(header, rows))


def _fit(row):
    if "remark" in row:
        return row["remark"], "", ""
    return f"{row['seconds']:.2f}", f"{row['processor_seconds']:.2f}", f"{row['peak_mib']:,.0f}"


def at_size():
    """Time and memory of single fits at the size of large public data, all of it generated."""
    header = ["what", "users x items, entries", "seconds", "peak, MiB"]
    rows = []
    ease, sansa, vae = read("ease"), read("bench_sansa"), read("mult_vae_epoch")
    size = _size(ease["data"])
    for what, row in (("EASE, fit", "fit"), ("EASE, lists of 100 for 10,000 users", "recommend")):
        found = ease["memory"][row]
        cells = [link("ease", what), size, f"{found['seconds']:.1f}", f"{found['peak_mib']:,.0f}"]
        rows.append(cells)
    large = sansa["stages"]["large"]
    size, name = _size(large), f"SANSA, {100 * large['density']:g} % density, fit"
    seconds, peak = large["fit"]["seconds"], large["fit"]["peak_mib"]
    rows.append([link("bench_sansa", name), size, f"{seconds:.1f}", f"{peak:,.0f}"])
    seconds = large["recommend_1000_users_seconds"]
    rows.append(["SANSA, lists for 1,000 users", size, f"{seconds:.1f}", ""])
    epoch = vae["parts"]["epoch"]
    found = epoch["models"]["skrec"]
    name = "MultVAE, [600-200-600], batches of 500, one epoch (peak of the whole process)"
    cells = [link("mult_vae_epoch", name), _size(epoch), f"{found['seconds']:.1f}"]
    rows.append([*cells, f"{1024 * found['peak_gib']:,.0f}"])
    return in_box(table(header, rows))


def _size(record):
    n_users, n_items = record["shape"]
    return f"{n_users:,} x {n_items:,}, {record['entries'] / 1e6:.0f}M"


def growth():
    """How time and memory grow with the interactions."""
    header, lines, remarks = _growth_table.growth()
    if not lines:
        return "None yet."
    picture = "![Processor time of one fit or epoch against the interactions](growth.svg)"
    parts = [in_box(table(header, lines)), picture]
    if remarks:
        parts.append(f"Not measured: {'; '.join(remarks)}.")
    return "\n\n".join(parts)


def million():
    """Fits and lists of a million users and a million items."""
    record = read("million")
    if record is None:
        return "None yet."
    rows = []
    for name, row in record["results"].items():
        if "fit" not in row:
            rows.append([name, row["remark"], "", ""])
            continue
        lists = f"{row['lists']['processor_seconds']:.1f}"
        peak = f"{row['fit']['peak_mib'] / 1024:.1f}"
        rows.append([name, f"{row['fit']['processor_seconds']:,.0f}", lists, peak])
    header = [link("million", "method"), "fit, CPU s", "1,000 lists, CPU s", "peak of the fit, GiB"]
    return in_box(table(header, rows))


def threads():
    """Seconds by the number of threads, and the speed-up over one thread."""
    record = read("threads")
    if record is None:
        return "None yet."
    counts = list(record["seconds"])
    rows = [
        [name, *(f"{record['seconds'][n][name]:.3g} s ({gain[n]:.2f})" for n in counts)]
        for name, gain in record["gain"].items()
    ]
    header = [link("threads", "what"), *(f"{n} thread{'s' * (n != '1')}" for n in counts)]
    return in_box(table(header, rows))


READERS = {
    "scan": "`scan_interactions`",
    "load": "`load_interactions`",
    "pandas": "pandas",
    "polars": "polars",
    "duckdb": "DuckDB",
}
LOG_FORMS = {
    "parquet-text": "parquet, text ids",
    "parquet-whole": "parquet, whole numbers",
    "csv-text": "CSV, text ids",
    "csv-whole": "CSV, whole numbers",
}


def reading():
    """Reading a log into a matrix: processor time and peak memory of a line."""
    records = {name: read(name) for name in ("scan_30m", "scan")}
    records = {name: record for name, record in records.items() if record is not None}
    if not records:
        return "None yet."
    header, columns = ["ns a line / bytes a line"], []
    for name, record in records.items():
        for form in (form for form in LOG_FORMS if form in record["forms"]):
            lines = link(name, f"{record['lines'] / 1e6:.0f}M lines")
            header.append(f"{lines}<br>{LOG_FORMS[form]}")
            columns.append(record["forms"][form])
    rows = [[text, *(_reading(column.get(way)) for column in columns)]
            for way, text in READERS.items()]  # fmt: skip
    return in_box(table(header, rows))


def _reading(row):
    if row is None or "error" in row:
        return "" if row is None else "failed"
    return f"{row['nanoseconds_a_line']:,.0f} / {row['bytes_a_line_beyond_matrix']:.0f}"


def one_list():
    """Microseconds of one list for one user, on two machines."""
    records = {name: read(name) for name in ("one_user", "one_user_xeon")}
    machines = [
        link(name, record["environment"]["machine"].split(", ")[1])
        for name, record in records.items()
    ]
    names = [name for name in records["one_user"]["results"] if not name.startswith("ids")]
    rows = [
        [name]
        + [
            f"{record['results'][name][key]:,.0f}" if name in record["results"] else ""
            for record in records.values()
            for key in ("again_us", "in_turn_us")
        ]
        for name in names
    ]
    header = [f"{machine}, {way}" for machine in machines for way in ("again", "in turn")]
    return in_box(table(["one list of 10, microseconds", *header], rows))
