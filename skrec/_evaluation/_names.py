"""Names of metrics: "recall@20" is the recall of the 20 best items."""

from collections.abc import Iterable
from dataclasses import dataclass

from skrec.utils._params import MAX_INTEGER

LIST_METRICS = ("hit_rate", "map", "mrr", "ndcg", "precision", "recall")
RATING_METRICS = ("mae", "rmse")
_ALIASES = {"hr": "hit_rate"}
_HELP = (
    "use one of " + ", ".join(f"'{kind}@k'" for kind in LIST_METRICS) + " with a whole k >= 1, "
    "such as 'ndcg@100', or 'auc', 'rmse', 'mae', 'neg_rmse', 'neg_mae'"
)


@dataclass(frozen=True)
class Metric:
    """A metric by name.

    Parameters
    ----------
    name : str
        The user's spelling, which results keep.
    kind : str
        One of `LIST_METRICS`, `RATING_METRICS` or "auc".
    k : int, default=0
        Length of the list, or 0.
    sign : int, default=1
        -1 for errors turned into scores ("neg_rmse").
    """

    name: str
    kind: str
    k: int = 0
    sign: int = 1

    @property
    def is_rating(self):
        """Whether the metric compares ratings instead of ranks."""
        return self.kind in RATING_METRICS

    @property
    def is_list(self):
        """Whether the metric reads the k best items."""
        return self.kind in LIST_METRICS


def _is_cutoff(text):
    digits = text.isascii() and text.isdigit() and len(text) <= len(str(MAX_INTEGER))
    return digits and 1 <= int(text) <= MAX_INTEGER


def parse_metric(name):
    """Turn a name such as "recall@20" into a `Metric`, or raise a ValueError."""
    if not isinstance(name, str):
        raise ValueError(f"A metric is named by a string. Got {name!r}; {_HELP}.")
    kind, at, cutoff = name.partition("@")
    kind = _ALIASES.get(kind, kind)
    if at and kind in LIST_METRICS and _is_cutoff(cutoff):
        return Metric(name, kind, int(cutoff))
    if not at:
        positive = kind.removeprefix("neg_")
        if positive in RATING_METRICS:
            return Metric(name, positive, sign=1 if positive == kind else -1)
        if kind == "auc":
            return Metric(name, kind)
    raise ValueError(f"Unknown metric {name!r}: {_HELP}.")


def parse_metrics(names):
    """Turn one name or several into a tuple of `Metric`."""
    if not isinstance(names, str | Iterable):
        raise ValueError(f"Metrics are named by one or several strings. Got {names!r}; {_HELP}.")
    names = (names,) if isinstance(names, str) else tuple(names)
    if not names:
        raise ValueError(f"No metric was named; {_HELP}.")
    if len({str(name) for name in names}) < len(names):
        raise ValueError(f"A metric is named twice. Got {list(names)!r}.")
    return tuple(parse_metric(name) for name in names)
