"""
Are the neural models better?
=============================

Ferrari Dacrema, Cremonesi and Jannach asked in 2019 whether neural recommenders beat simple ones
that are tuned as carefully, and found that most do not. This page asks the question again for the
measurements of :doc:`/benchmarks/README`. Each method was tuned on validation data and tested
once. The page reads the records of the repository, so its figure follows them.
"""

# %%
# The records
# -----------
# Each protocol has a folder of records. Its ``comparison.json`` holds the differences from the
# best method over the test users, with p-values after Holm's correction. This page leaves out
# popularity and combinations of several models.

import json
import re
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D
from scipy.stats import ttest_rel

from skrec.utils import all_recommenders

start = Path(globals().get("__file__", "here")).resolve()
(results,) = (
    folder / "docs" / "benchmarks" / "results"
    for folder in start.parents
    if (folder / "docs" / "benchmarks" / "results").is_dir()
)
of_package = {
    "linear_model": "linear",
    "neighbors": "neighbours",
    "decomposition": "factors",
    "autoencoder": "neural",
    "neural_network": "neural",
}
family_of = {
    name: of_package.get(kind.__module__.split(".")[1]) for name, kind in all_recommenders()
}
# WithGenres is MCRec with genres, AfterItsParts is NeuMF pretrained by its parts.
family_of |= {"GraphFilter": "graph filter", "WithGenres": "neural", "AfterItsParts": "neural"}


def read(name):
    return json.loads((results / f"{name}.json").read_text())


def ranking(key):
    """Family, name, difference from the best method in percent, its standard error, p-value."""
    comparison, rows = read(f"{key}/comparison"), []
    best = read(f"{key}/{comparison['best']}")["test"]["mean"][comparison["metric"]]
    for slug in (comparison["best"], *comparison["against_best"]):
        record = read(f"{key}/{slug}")
        family = family_of.get(re.match(r"\w+", record["chosen"]["estimator"])[0])
        row = comparison["against_best"].get(slug, {})
        if family is not None:
            rows.append([
                family, slug, 100 * row.get("difference", 0.0) / best,
                100 * row.get("standard_error", 0.0) / best, row.get("holm_p_value", 1.0),
            ])  # fmt: skip
    return rows


# %%
# Predicted ratings have an error instead, where lower is better, on three splits that all models
# share. With three splits the test finds only large differences.


def ratings():
    """The same for the errors on ML-1M; a larger error is further to the left."""
    errors = {
        name: np.array([test["rmse"] for test in model["tests"]])
        for name, model in read("ml1m_ratings")["models"].items()
    }
    best = min(errors, key=lambda name: errors[name].mean())
    rows = []
    for name, values in errors.items():
        family = family_of.get(name.partition(" ")[0].partition(",")[0])
        change = 100 * (errors[best] - values) / errors[best].mean()
        error = change.std(ddof=1) / np.sqrt(len(change))
        p_value = 1.0 if name == best else ttest_rel(values, errors[best]).pvalue
        if family is not None:
            rows.append([family, name, change.mean(), error, p_value])
    return rows


problems = {
    "ML-1M, new users\nnDCG@100": ranking("ml1m_strong"),
    "ML-1M, 99 negatives\nnDCG@10": ranking("ml1m_ncf"),
    "Gowalla\nnDCG@20": ranking("gowalla"),
    "ML-100K\nnDCG@10": ranking("ml100k_mcrec"),
    "citeulike-a\nnDCG@10": ranking("citeulike_cmn"),
    "ML-1M, ratings\nRMSE": ratings(),
}

# %%
# The picture
# -----------
# Zero is the best method of a data set, from any family. Large markers show the best method of
# each family, with the standard error of the difference. Small markers show the other members of
# the family. A **full** marker is not significantly behind the best method (p of at least .05); an
# empty marker is.

styles = {
    "neural": ("#D55E00", "D"),
    "linear": ("#0072B2", "o"),
    "neighbours": ("#009E73", "s"),
    "factors": ("#CC79A7", "^"),
    "graph filter": ("#4D4D4D", "v"),
}
figure, ax = plt.subplots(figsize=(8.5, 6.2), layout="constrained")
for place, rows in enumerate(problems.values()):
    for line, (family, (color, marker)) in enumerate(styles.items()):
        y = place + 0.15 * (line - 2)
        members = sorted((row for row in rows if row[0] == family), key=lambda row: -row[2])
        for rank, (_, _, share, error, p_value) in enumerate(members):
            face = color if p_value >= 0.05 else "white"
            if rank == 0:
                ax.errorbar(share, y, xerr=error, color=color, elinewidth=1.5, zorder=2)
            ax.plot(
                share, y, marker, color=color, markerfacecolor=face,
                markersize=4 if rank else 9, alpha=0.5 if rank else 1, zorder=3,
            )  # fmt: skip
    ax.axhline(place + 0.5, color="0.85", linewidth=0.8)
ax.axvline(0, color="0.4", linewidth=1)
ax.set_yticks(range(len(problems)), problems)
ax.set_ylim(len(problems) - 0.5, -0.5)
ax.set_xlim(right=2)
ax.set_xlabel("difference from the best method, % of its figure")
handles = [
    Line2D([], [], color=color, marker=marker, linestyle="none", markersize=8, label=family)
    for family, (color, marker) in styles.items()
]
figure.legend(handles=handles, loc="outside upper center", ncols=5, frameon=False)
plt.show()

# %%
# In words
# --------
# The lines below name the best neural and the best simple model of each problem, and say whether
# the difference of the weaker one from the best method is significant.

for problem, rows in problems.items():
    neural = max((row for row in rows if row[0] == "neural"), key=lambda row: row[2])
    simple = max((row for row in rows if row[0] != "neural"), key=lambda row: row[2])
    behind = min(neural, simple, key=lambda row: row[2])
    verdict = "significant" if behind[4] < 0.05 else "not significant"
    print(
        f"{problem.splitlines()[0]:20} neural {neural[1]} {neural[2]:+.1f} %, "
        f"{simple[0]} {simple[1]} {simple[2]:+.1f} %: {verdict}"
    )

# %%
# This does not mean that no neural model could win. Some neural models take hours and were not
# run. Networks are at home on larger data, texts, pictures and contexts: see
# :doc:`/benchmarks/citeulike_cvae` and :doc:`/benchmarks/rows`. Still, a choice without tuned
# linear, neighbour and factor models is a blind choice.
