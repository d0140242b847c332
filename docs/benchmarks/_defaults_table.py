"""Defaults beside tuned settings: the table of run_defaults.py's record."""

from _cells import in_box, number, read, table
from _defaults_data import DATA
from _defaults_grids import AROUND_OTHERS

from skrec.utils import all_recommenders


def defaults():
    """For each estimator the default's figure on test users, and its share of the tuned figure."""
    results = read("defaults")["results"]
    parts = []
    for ratings, what in ((False, "nDCG@100"), (True, "RMSE")):
        of_kind = {
            name: {data: row for data, row in rows.items() if "test" in row}
            for name, rows in results.items()
            if any((row["part"] == "ratings") == ratings for row in rows.values())
        }
        of_kind = {name: rows for name, rows in of_kind.items() if rows}
        data = [name for name in DATA if any(name in rows for rows in of_kind.values())]
        lines = [_line(name, rows, data, ratings) for name, rows in of_kind.items()]
        if lines:
            parts.append(in_box(table([f"estimator, {what}", *data, "least share"], lines)))
    shown = {name.partition(",")[0] for name, rows in results.items()
             if any("test" in row for row in rows.values())}  # fmt: skip
    missing = sorted({name for name, _ in all_recommenders()} - shown - set(AROUND_OTHERS))
    parts.append(f"Not run: {', '.join(missing)}.")
    return "\n\n".join(parts)


def _line(name, rows, data, ratings):
    shares = {key: _share(row["test"], ratings) for key, row in rows.items()}
    cells = [
        f"{number(rows[key]['test']['default']['test'])} ({number(shares[key], 2)})"
        if key in rows
        else ""
        for key in data
    ]
    return [f"{name}{_settings(rows)}", *cells, number(min(shares.values()), 3)]


def _share(row, ratings):
    default, tuned = row["default"]["test"], row["tuned"]["test"]
    return tuned / default if ratings else default / tuned


def _settings(rows):
    most = max(len(row["validation"]) for row in rows.values())
    return f", {most} settings" if most > 1 else ""
