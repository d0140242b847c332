"""Tables beside the figures: data sets, scripts and their records, hours of full settings."""

import json
import re

import _record
from _cells import Footnotes, in_box, link, table
from _data_files import FILES, by_hand
from experiments import SCRIPTS


def data_sets():
    """Each file of the records: its source, terms, steps and checksums."""
    notes, rows = Footnotes(), []
    for name, file in FILES.items():
        sources = ", ".join(_source(text) for text in file.sources)
        how = "by hand" if file.make is by_hand else "`make`"
        sums = ", ".join(f"{array} {known[:8]}" for array, known in file.arrays.items())
        rows.append([f"`{name}`", sources + notes.mark(file.terms), how, sums])
    header = ["file", "from", "how", "SHA-256"]
    return notes.below(table(header, rows))


def _source(text):
    """A link to a source; _data_files.py names the files and commits."""
    url = re.search(r"https://[^\s,]+?(?=:? |:?,|:?$)", text)[0]
    found = re.match(r"https://github\.com/([\w.-]+/[\w.-]+)", url)
    name = found[1] if found else url.removeprefix("https://").rstrip("/").rpartition("/")[2]
    return f"[{name.replace('/', '/<wbr>')}]({url})"  # a narrow column breaks there


def scripts():
    """Scripts with a record of their own."""
    rows = []
    for script in SCRIPTS:
        command = " ".join((f"{script.name}.py", *script.arguments))
        done = (_record.RESULTS / f"{script.result}.json").is_file()
        record = link(script.result) if done else "none yet"
        rows.append([f"`{command}`", script.what, record])
    return in_box(table(["script", "what it measures", "record"], rows))


def hours():
    """Hours that the seed tables would take, from trials on generated data."""
    rows = []
    for path in sorted(_record.RESULTS.glob("trial_*.json")):
        record = json.loads(path.read_text())
        for name, row in record["methods"].items():
            cells = [f"{row['seconds']:.0f}", str(row["epochs"]), f"{row['estimated_hours']:.1f}"]
            threads = str(row.get("threads", ""))
            rows.append([link(path.stem, path.stem[6:]), name, threads, *cells])
    header = ["data", "method", "threads", "trial, s", "epochs at most", "full settings, h"]
    return in_box(table(header, rows))
