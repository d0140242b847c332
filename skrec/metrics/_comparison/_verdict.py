"""The verdict of a comparison, in sentences."""

import math

from skrec.metrics._comparison._paired import SIGNIFICANCE_LEVEL
from skrec.metrics._results import metric_label, short_number


def verdict(comparison):
    """Say which model is best, by how much, and how certain the difference is.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    sentences : list of str
    """
    metric = comparison.main_metric
    best = comparison.names[0]
    result = comparison.results[best]
    sentences = [
        f"{best} is best by {metric_label(metric)}: {short_number(result.mean[metric], 4)} ± "
        f"{short_number(result.standard_error[metric], 4)}, mean over {comparison.n_users:,} "
        "users and its standard error."
    ]
    if comparison.baseline is None:
        sentences += _against_best(comparison, best, metric)
    else:
        sentences += _against_baseline(comparison, metric)
    sentences += _other_metrics(comparison, best, metric)
    sentences += _costs(comparison, best)
    return [*sentences, *_left_out(comparison)]


def _against_best(comparison, best, metric):
    others = comparison.names[1:]
    if not others:
        return ["There is no other model to compare it with."]
    tests = {name: comparison.tests[name][metric] for name in others}
    tied = [name for name in others if not tests[name].holm_p_value < SIGNIFICANCE_LEVEL]
    worse = [name for name in others if name not in tied]
    said = []
    if tied:
        said.append(f"Not significantly worse than {best}: {_differences(tests, tied)}.")
    if worse:
        said.append(
            "Significantly worse, by paired t-tests after Holm's correction: "
            f"{_differences(tests, worse)}."
        )
    return said


def _against_baseline(comparison, metric):
    tests = {
        name: comparison.tests[name][metric]
        for name in comparison.names
        if metric in comparison.tests[name]
    }
    differ = [name for name in tests if tests[name].holm_p_value < SIGNIFICANCE_LEVEL]
    alike = [name for name in tests if name not in differ]
    said = []
    if differ:
        said.append(
            f"Significantly different from {comparison.baseline}, by paired t-tests after Holm's "
            f"correction: {_differences(tests, differ)}."
        )
    if alike:
        said.append(
            f"Not significantly different from {comparison.baseline}: {_differences(tests, alike)}."
        )
    return said


def _other_metrics(comparison, best, metric):
    found = {}
    for other in comparison.metrics:
        winner = comparison.best(other)
        if other != metric and winner != best:
            found.setdefault(winner, []).append(metric_label(other))
    return [f"By {_list(labels)} {winner} is best." for winner, labels in found.items()]


def _costs(comparison, best):
    seconds = {
        name: value for name, value in comparison.fit_seconds.items() if not math.isnan(value)
    }
    if len(seconds) < 2 or best not in seconds:
        return []
    fastest = min(seconds, key=seconds.get)
    if fastest == best:
        return [f"{best} is also the quickest to fit."]
    times = seconds[best] / max(seconds[fastest], 1e-9)
    return [
        f"The fit of {best} takes {times:,.3g} times as long as the fit of {fastest}, the quickest."
    ]


def _left_out(comparison):
    said = []
    if comparison.not_searched and comparison.search_metric is not None:
        said.append(f"Nothing was searched for {_list(comparison.not_searched)}.")
    if comparison.failures:
        said.append(f"{_list(list(comparison.failures))} failed.")
    return said


def _differences(tests, names):
    """Names with their differences, "EASE (-.010 nDCG@100, 95 % -.013 to -.007)"."""
    return _list([f"{name} ({repr(tests[name]).rpartition(', ')[0]})" for name in names])


def _list(names):
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
