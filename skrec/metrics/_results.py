"""Results of evaluations, which print as one line."""

import math

import numpy as np
from sklearn.utils import Bunch

from skrec._evaluation._names import parse_metrics
from skrec._evaluation._summary import contributions, standard_error, summarize

_LABELS = {
    "auc": "AUC",
    "hit_rate": "HR",
    "hr": "HR",
    "mae": "MAE",
    "map": "MAP",
    "mrr": "MRR",
    "ndcg": "nDCG",
    "rmse": "RMSE",
}


class EvaluationResult(Bunch):
    """The Bunch of `evaluate`, which prints as its means with their standard errors."""

    def __repr__(self):
        means = [
            f"{metric_label(name)} {short_number(mean, 4)} "
            f"± {short_number(self.standard_error[name], 4)}"
            for name, mean in self.mean.items()
        ]
        counts = sorted(set(self.n_users.values()))
        users = " or ".join(f"{n:,}" for n in counts)
        return f"{', '.join(means)}; {users} users{self._unknown()}"

    @classmethod
    def joined(cls, results):
        """One result for the users of several results with the same metrics, in their order."""
        metrics = parse_metrics(list(results[0].per_user))
        values = {
            metric.name: metric.sign * np.concatenate([r.per_user[metric.name] for r in results])
            for metric in metrics
        }
        n_held_out, unknown = (
            np.concatenate([result[name] for result in results])
            for name in ("n_held_out", "unknown")
        )
        return evaluation_result(metrics, values, n_held_out, unknown)

    def _unknown(self):
        counts = sorted(set(self.get("n_unknown", {}).values()))
        if not any(counts):
            return ""
        users = " or ".join(f"{n:,}" for n in counts)
        unknown, known = (
            ", ".join(
                f"{metric_label(name)} {short_number(mean, 4)}" for name, mean in part.items()
            )
            for part in (self.mean_unknown, self.mean_known)
        )
        others = f"; of the others: {known}" if self.n_unknown != self.n_users else ""
        return f"; nothing is known of {users} of them: {unknown}{others}"

    __str__ = __repr__


def evaluation_result(metrics, values, n_held_out, unknown):
    """The result of an evaluation, from the values of its users.

    Parameters
    ----------
    metrics : list
        From `parse_metrics`.
    values : dict of str to ndarray of shape (n_users,)
    n_held_out : ndarray of intp of shape (n_users,)
    unknown : ndarray of bool of shape (n_users,)

    Returns
    -------
    result : EvaluationResult
    """
    result = EvaluationResult(
        per_user={}, mean={}, standard_error={}, n_users={}, n_held_out=n_held_out,
        unknown=unknown, n_unknown={}, mean_known={}, mean_unknown={},
    )  # fmt: skip
    for metric in metrics:
        column = values[metric.name]
        result.per_user[metric.name] = metric.sign * column
        result.mean[metric.name] = summarize(metric, column, n_held_out)
        result.standard_error[metric.name] = standard_error(
            contributions(metric, column, n_held_out)
        )
        result.n_users[metric.name] = int(np.sum(~np.isnan(column)))
        result.n_unknown[metric.name] = int(np.sum(~np.isnan(column[unknown])))
        for name, part in (("mean_known", ~unknown), ("mean_unknown", unknown)):
            result[name][metric.name] = _mean_of_part(metric, column, n_held_out, part)
    return result


def _mean_of_part(metric, column, n_held_out, part):
    """The mean over some users; NaN, without a warning, if there are none."""
    if np.isnan(column[part]).all():
        return float("nan")
    return summarize(metric, column[part], n_held_out[part])


class PairedResult(Bunch):
    """The Bunch of `compare`, which prints as the difference with its interval."""

    def __repr__(self):
        return f"{self._difference()}, {self.n_users:,} users"

    def _difference(self):
        digits = interval_digits(self.interval)
        low, high = (short_number(end, digits) for end in self.interval)
        return (
            f"{short_number(self.difference, digits, sign=True)} {metric_label(self.metric)}, "
            f"{100 * self.confidence_level:g} % {low} to {high}"
        )

    __str__ = __repr__


def metric_label(name):
    """Write the name of a metric as papers do: "nDCG@100" for "ndcg@100"."""
    kind, at, k = name.partition("@")
    minus = "minus " if kind.startswith("neg_") else ""
    kind = kind.removeprefix("neg_")
    return f"{minus}{_LABELS.get(kind, kind)}{at}{k}"


def short_number(value, digits, *, sign=False):
    """Write a number without the zero before its point: ".431", "-.010", "+.010" with `sign`."""
    text = f"{value:{'+' if sign else ''}.{digits}f}"
    return text.replace("0.", ".", 1) if text.lstrip("+-").startswith("0.") else text


def interval_digits(interval):
    """Digits after the point that show the width of an interval, at least 3, at most 6."""
    half = (interval[1] - interval[0]) / 2
    if not half > 0:
        return 3
    return min(6, max(3, math.ceil(-math.log10(half))))
