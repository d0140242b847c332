"""Differences of methods from the one that tests best: paired, from records, or found earlier."""

import json
import math
from typing import NamedTuple

from scipy.stats import t as student_t
from scipy.stats import ttest_ind_from_stats

from skrec.metrics._comparison._paired import holm

# Records round means to four decimals. A difference of two such means is off by at most this.
_ROUNDING = 1.1e-4


class Summary(NamedTuple):
    """A test figure of a record: mean and standard error over users."""

    mean: float
    error: float
    n_users: int


class Difference(NamedTuple):
    """A method less the best one; `unpaired` if the users were treated as two samples."""

    difference: float
    error: float
    p_value: float
    unpaired: bool


def summary(record, metric):
    """The `Summary` of a record."""
    test = record["test"]
    return Summary(test["mean"][metric], test["standard_error"][metric], test["n_users"])


def unpaired(one, best):
    """Welch's test of two summaries.

    Where the same users like the same models, the standard error is too large.
    """
    given = (part for each in (one, best) for part in (
        each.mean, each.error * math.sqrt(each.n_users), each.n_users))  # fmt: skip
    test = ttest_ind_from_stats(*given, equal_var=False)
    return Difference(
        one.mean - best.mean, math.hypot(one.error, best.error), float(test.pvalue), True
    )


def found_earlier(path, best, summaries):
    """Paired differences of an earlier comparison whose two records are still the same ones.

    Parameters
    ----------
    path : Path
        File of the earlier comparison; it may be missing.
    best : str
    summaries : dict of str to Summary

    Returns
    -------
    differences : dict of str to Difference
    """
    if not path.is_file():
        return {}
    earlier = json.loads(path.read_text())
    if earlier["best"] != best:
        return {}
    kept = {}
    for slug, row in earlier["against_best"].items():
        if slug not in summaries or row.get("unpaired"):
            continue
        change = row["difference"] - (summaries[slug].mean - summaries[best].mean)
        if abs(change) <= _ROUNDING:
            kept[slug] = Difference(
                row["difference"], row["standard_error"], _p_value(row, summaries[best]), False
            )
    return kept


def _p_value(row, best):
    if "p_value" in row:
        return row["p_value"]
    if row["standard_error"] == 0:
        return 1.0
    return float(2 * student_t.sf(abs(row["difference"]) / row["standard_error"], best.n_users - 1))


def as_rows(differences):
    """Rows of a comparison, the least p-value first; p-values are Holm's too."""
    corrected = holm({slug: each.p_value for slug, each in differences.items()})
    return {
        slug: {
            "difference": round(differences[slug].difference, 5),
            "standard_error": round(differences[slug].error, 5),
            "p_value": float(f"{differences[slug].p_value:.3g}"),
            "holm_p_value": float(f"{corrected[slug]:.3g}"),
        }
        | ({"unpaired": True} if differences[slug].unpaired else {})
        for slug in sorted(differences, key=lambda slug: differences[slug].p_value)
    }
