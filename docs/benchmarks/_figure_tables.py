"""Figures of the scripts that have records of their own: experiments.FIGURES, pictures, ratings."""

import re

import numpy as np
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
    with_errors,
)
from _names import short, whole
from experiments import FIGURES
from scipy.stats import ttest_rel


def figures(*results):
    """A table for each problem that one of the records measures."""
    problems = {}
    for figure in FIGURES:
        if figure.result in results:
            problems.setdefault((figure.data, figure.metrics), []).append(figure)
    return "\n\n".join(
        f"### {data}\n\n{_one(metrics, chosen)}" for (data, metrics), chosen in problems.items()
    )


def _one(metrics, chosen):
    notes, rows = Footnotes(), []
    has_published = any(figure.published for figure in chosen)
    for figure in chosen:
        record = read(figure.result)
        name = short(figure.method)
        signs = notes.mark(whole(figure.method), figure.remark)
        if record is None:
            cells = [name + signs, "not run", "", ""]
        else:
            found = figure.measured(record)
            errors = figure.errors(record) if figure.errors else ()
            cells = [link(figure.result, name) + signs, with_errors(found, errors), "", ""]
            if figure.published:
                cells[2] = numbers(figure.published) + notes.mark(figure.source)
                cells[3] = differences(found, figure.published)
        rows.append((-found[0] if record else 1, cells if has_published else cells[:2]))
    rows = [cells for _, cells in sorted(rows, key=lambda pair: pair[0])]  # the best one first
    header = ["method", metrics, "published", "measured less published"]
    return notes.below(table(header if has_published else header[:2], rows))


def _of_ratings():
    return [(figure, _splits(figure)) for figure in FIGURES if figure.result == "ml1m_ratings"]


def _splits(figure):
    """The error on each split; the splits are the same for all methods."""
    (model,) = (cell.cell_contents for cell in figure.measured.__closure__)
    return np.array([row["rmse"] for row in read(figure.result)["models"][model]["tests"]])


def ratings():
    """Errors of predicted ratings, and the differences over the splits."""
    found = sorted(_of_ratings(), key=lambda pair: pair[1].mean())
    notes, rows, best = Footnotes(), [], found[0][1]
    for figure, errors in found:
        of_splits = _standard_error(errors)
        cells = [
            link(figure.result, short(figure.method))
            + notes.mark(whole(figure.method), figure.remark),
            f"{number(errors.mean())} ± {number(of_splits)}",
            *_less_the_best(errors, best),
            "",
        ]
        if figure.published:
            cells[-1] = numbers(figure.published) + notes.mark(figure.source)
        rows.append(cells)
    header = ["method", "RMSE ± s.e.", "less the best", "p", "published"]
    return notes.below(table(header, rows))


def _standard_error(values):
    return values.std(ddof=1) / np.sqrt(len(values))


def _less_the_best(errors, best):
    if errors is best:
        return "best", ""
    change = errors - best
    text = f"{signed(change.mean())} ± {number(_standard_error(change))}"
    return text, p_value(ttest_rel(errors, best).pvalue)


def pictures():
    """Models of pictures and features of them: every problem of run_visual.py."""
    parts = []
    for problem in read("visual")["problems"].values():
        models = problem["models"]
        metrics = list(next(iter(models.values()))["test"])
        rows = [
            [name, *_tested(row, metrics)]
            for name, row in sorted(
                models.items(), key=lambda pair: -pair[1]["test"][metrics[0]]
            )
        ]  # fmt: skip
        title, _, rest = problem["protocol"].partition(";")
        header = ["model, features", *(_visual_label(metric) for metric in metrics)]
        parts.append(f"### {title}\n\n{rest.strip().capitalize()}.\n\n"
                     f"{in_box(table(header, rows))}")  # fmt: skip
    return "\n\n".join(parts)


def _tested(row, metrics, name="test"):
    """Cells of an entry of a record, with standard errors where it has them."""
    errors = row.get(f"{name}_standard_error")
    return [with_errors((row[name][metric],), errors and (errors[metric],)) for metric in metrics]


def _visual_label(metric):
    return "AUC" if metric == "auc" else label(metric)


def warm_and_cold():
    """Features of items of three data sets: for all users, and for items without users."""
    parts = []
    for data, first, second in (
        ("ml-100k", "ndcg@100", "recall@20"),
        ("ml-1m", "ndcg@100", "recall@20"),
        ("citeulike-a", "ndcg@50", "recall@20"),
    ):
        record = read(f"content_{data}")
        name = link(f"content_{data}", data)
        rows = [
            [f"{name}: {what}", *_tested(row, (first, second))]
            for what, row in record["warm"].items()
            if "test" in row
        ]
        header = ["warm items", label(first), label(second)]
        parts.append(in_box(table(header, rows)))
        rows = [
            [
                f"{name}: {what}",
                *_tested(row, (first, second)),
                *_tested(row, (first,), "among all"),
            ]
            for what, row in record["cold"].items()
        ]
        header = ["cold items", label(first), label(second), f"among all items, {label(first)}"]
        parts.append(in_box(table(header, rows)))
    return "\n\n".join(parts)


def autoencoders():
    """Likelihoods, priors and divergences, three seeds each."""
    models = read("ml1m_autoencoders")["models"]
    notes, rows = Footnotes(), []
    for name, row in sorted(models.items(), key=lambda item: -item[1]["mean"]["ndcg@100"]):
        mean, error = row["mean"], row["standard_error"]
        estimator = re.sub(r"\s+", " ", row["estimator"])
        best = f"{number(mean['ndcg@100'])} ± {number(error['ndcg@100'])}"
        others = [number(mean["recall@20"]), number(mean["recall@50"])]
        name = link("ml1m_autoencoders", name) + notes.mark(f"`{estimator}`")
        rows.append([name, best, *others])
    return notes.below(table(["method", "nDCG@100 ± s.e.", "Recall@20", "Recall@50"], rows))


def local_models():
    """LOCA against its global model, and against random users."""
    rows = []
    for name, row in read("ml1m_loca")["bases"].items():
        cells = [name, *(number(row[part]["test"]["mean"]["ndcg@100"])
                         for part in ("global", "LOCA", "random"))]  # fmt: skip
        for pair in ("LOCA - global", "LOCA - random"):
            found = row[pair]["ndcg@100"]
            cells.append(f"{signed(found['difference'])} ± {number(found['two_standard_errors'])}")
        rows.append(cells)
    header = [link("ml1m_loca", "base"), "global model", "LOCA", "random users"]
    return in_box(table([*header, "LOCA less global", "LOCA less random users"], rows))
