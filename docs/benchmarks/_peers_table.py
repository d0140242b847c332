"""Tables of peers.json: points of the contract, and methods, of other packages."""

from _cells import Footnotes, in_box, link, read, table
from peers import METHODS, method_of


def contract():
    """The form that each package reads, and the results of scikit-learn's tools for it."""
    record = read("peers")
    notes, rows = Footnotes(), []
    for name, peer in record["peers"].items():
        whole = peer["bounds_not_met"]
        imports = peer["import_error"]
        rows.append([
            f"{name} {peer['versions'][name]}" + notes.mark(whole and f"{name}: {_code(whole)}"),
            "yes" if imports is None else "no" + notes.mark(f"{name}: {_code(imports)}"),
            peer["reads"],
            "not tried" if imports else _tried(peer["csr"], notes, name),
            "not tried" if imports else _checks(peer["sklearn_estimators"]),
            _tried(peer["grid_search"], notes, name),
        ])  # fmt: skip
    header = ["package", "imports", "`fit` reads", "fits a CSR matrix"]
    header += ["passes check_estimator", "GridSearchCV"]
    made = record["environment"]
    first = f"Read on {made['date']} with Python {made['versions']['python']} ({link('peers')})."
    return f"{first}\n\n{notes.below(table(header, rows))}"


def _tried(found, notes, name):
    if found is None:
        return "not tried"
    return "yes" if found is True else "no" + notes.mark(f"{name}: {_code(found)}")


def _code(text):
    return f"`{text.replace('|', '/').replace('`', '')}`"


def _checks(estimators):
    """How many of the recommenders pass every check, or why none is asked."""
    if not estimators:
        return "no scikit-learn estimator"
    whole = [each for each in estimators.values() if isinstance(each, dict)]
    passing = sum(each["passed"] == each["of"] for each in whole)
    least = min((each["passed"] / each["of"] for each in whole), default=0.0)
    return (
        f"{passing} of {len(whole)} recommenders, each at least {100 * least:.0f} % of the checks"
    )


def methods():
    """Which of our methods has a class of a known name."""
    peers = read("peers")["peers"]
    rows = []
    found = {peer: {method_of(peer, name) for name in row["names"]} for peer, row in peers.items()}
    for ours in METHODS:
        name = {"DummyRecommender": "popularity"}.get(ours, ours.removesuffix("Recommender"))
        rows.append([name, *("✓" if ours in found[peer] else "" for peer in peers)])
    counts = [str(sum(bool(row[1 + i]) for row in rows)) for i in range(len(peers))]
    return in_box(table(["method", *peers], [*rows, ["of these", *counts]]))
