"""Paired tests of several models on the same users, corrected for their number."""

import math

from scipy.stats import t as student_t

from skrec._evaluation._names import parse_metric
from skrec.metrics._compare import compare

# A difference with this p-value or a larger one is not significant.
SIGNIFICANCE_LEVEL = 0.05
_CONFIDENCE = 0.95


def less_is_better(metric):
    """Whether a metric is an error."""
    parsed = parse_metric(metric)
    return parsed.is_rating and parsed.sign == 1


def best_first(results, metric):
    """Names of models, best mean first; models with a NaN mean stand last.

    Parameters
    ----------
    results : dict of str to Bunch
        Of `evaluate`.
    metric : str

    Returns
    -------
    names : list of str
    """
    sign = 1 if less_is_better(metric) else -1

    def key(name):
        mean = results[name].mean[metric]
        return (math.isnan(mean), sign * mean)

    return sorted(results, key=key)


def paired_tests(results, metric, reference):
    """Test each model against one of them, with Holm's correction.

    Parameters
    ----------
    results : dict of str to Bunch
        Of `evaluate`, on the same users.
    metric : str
    reference : str
        A name in `results`.

    Returns
    -------
    tests : dict of str to PairedResult
        For each other model; with `holm_p_value` and `against`, the reference's name. The interval
        is a 95 % interval of the t distribution, not corrected.
    """
    tests = {}
    for name, result in results.items():
        if name == reference:
            continue
        # The t interval matches the test, and spares a bootstrap for each pair.
        found = compare(result, results[reference], metric, n_bootstrap=1)
        half = (
            student_t.ppf((1 + _CONFIDENCE) / 2, found.n_users - 1) * found.standard_error
            if found.n_users > 1
            else float("nan")
        )
        found.interval = (found.difference - half, found.difference + half)
        found.confidence_level = _CONFIDENCE
        found.against = reference
        tests[name] = found
    for name, p_value in holm({name: test.p_value for name, test in tests.items()}).items():
        tests[name].holm_p_value = p_value
    return tests


def holm(p_values):
    """Correct p-values for their number: Holm's step-down method.

    Parameters
    ----------
    p_values : dict of str to float
        NaN where there was no test; NaN does not count.

    Returns
    -------
    corrected : dict of str to float
    """
    known = sorted((name for name in p_values if not math.isnan(p_values[name])), key=p_values.get)
    corrected, largest = dict(p_values), 0.0
    for rank, name in enumerate(known):
        largest = max(largest, min(1.0, p_values[name] * (len(known) - rank)))
        corrected[name] = largest
    return corrected
