"""Results that say in one line what they found."""

import math

from sklearn.utils import Bunch

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
    """A Bunch of `evaluate`, which prints as its means with their standard errors."""

    def __repr__(self):
        means = [
            f"{metric_label(name)} {short_number(mean, 4)} "
            f"± {short_number(self.standard_error[name], 4)}"
            for name, mean in self.mean.items()
        ]
        counts = sorted(set(self.n_users.values()))
        users = " or ".join(f"{n:,}" for n in counts)
        return f"{', '.join(means)}; {users} users{self._unknown()}"

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


class PairedResult(Bunch):
    """A Bunch of `compare`, which prints as the difference with its interval."""

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
