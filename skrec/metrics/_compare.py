"""Whether two recommenders differ on the same users."""

import numpy as np
from scipy.stats import ttest_rel

from skrec._evaluation._entries import draw_seed
from skrec._evaluation._names import parse_metric
from skrec._evaluation._summary import contributions
from skrec.metrics._checks import check_rule
from skrec.metrics._results import PairedResult
from skrec.utils._params import POSITIVE_INTEGER, Interval

# Draws of one block of bootstrap samples: 32 MB of indices.
_BLOCK_DRAWS = 1 << 22


def compare(
    result_a,
    result_b,
    metric=None,
    *,
    n_bootstrap=2000,
    confidence_level=0.95,
    random_state=0,
):
    """Compare two results of `evaluate` on the same users.

    A paired t-test on the users' differences, and a percentile bootstrap interval of their mean;
    the bootstrap draws users with replacement.

    Parameters
    ----------
    result_a, result_b : `~sklearn.utils.Bunch`
        Results of `evaluate` with the same X and `y`.
    metric : str, default=None
        Name of a metric that both results have. None: all shared metrics.
    n_bootstrap : int, default=2000
        Number of bootstrap samples.
    confidence_level : float, default=0.95
        Share of the samples that the interval covers.
    random_state : int, RandomState or None, default=0
        Seed of the samples. The same seed gives the same bits.

    Returns
    -------
    comparison : `~sklearn.utils.Bunch`, or dict of str to Bunch if `metric` is None
        A Bunch, printed as one line, with

        metric : str
            Its name.

        difference : float
            Mean of `result_a` minus mean of `result_b`.
        interval : tuple of float
            Low and high end of the interval of the difference.
        confidence_level : float
            Of the interval, as given.
        standard_error : float
            Of the difference; NaN for fewer than two users.
        statistic, p_value : float
            Of the two-sided paired t-test; NaN for fewer than two users, 0 and 1 if all
            differences are 0.
        n_users : int
            Number of evaluated users.

    Raises
    ------
    ValueError
        If the results share no metric, are not of the same users, or a parameter is out of range.

    See Also
    --------
    evaluate : Makes the results.
    compare_models : Fits, evaluates and compares several models, with Holm's correction.
    scipy.stats.ttest_rel : The test.

    Notes
    -----
    "rmse" and "mae" are errors over all ratings and not means over users. For them the test uses
    the first-order contribution of each user to the error. Correct for multiple tests if you test
    many metrics or many models.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.dummy import DummyRecommender
    >>> from skrec.metrics import compare, evaluate
    >>> X = np.random.default_rng(0).binomial(1, np.linspace(0.1, 0.9, 12), size=(50, 12))
    >>> popular = evaluate(DummyRecommender().fit(X), X, metrics="ndcg@5")
    >>> random = DummyRecommender("uniform", random_state=0).fit(X)
    >>> found = compare(popular, evaluate(random, X, metrics="ndcg@5"), "ndcg@5")
    >>> found.difference > 0, found.p_value < 0.01, found.interval[0] > 0
    (True, True, True)
    >>> found
    +... nDCG@5, 95 % ... to ..., 50 users
    """
    check_rule(n_bootstrap, POSITIVE_INTEGER, "n_bootstrap")
    check_rule(confidence_level, Interval(0, 1, closed="neither"), "confidence_level")
    shared = [name for name in result_a.per_user if name in result_b.per_user]
    if not shared or (metric is not None and metric not in shared):
        raise ValueError(
            f"The results share {shared}, got metric={metric!r}. Evaluate both with the same "
            "metrics."
        )
    seed = draw_seed(random_state)
    found = {
        name: _compare_one(result_a, result_b, name, n_bootstrap, confidence_level, seed)
        for name in (shared if metric is None else [metric])
    }
    return found if metric is None else found[metric]


def _compare_one(result_a, result_b, name, n_bootstrap, confidence_level, seed):
    metric = parse_metric(name)
    columns = [metric.sign * result.per_user[name] for result in (result_a, result_b)]
    same = np.array_equal(result_a.n_held_out, result_b.n_held_out) and np.array_equal(
        *(np.isnan(column) for column in columns)
    )
    if not same:
        raise ValueError(
            f"The results for {name!r} are not of the same users with the same held-out items. "
            "Evaluate both models with the same X and y, and the same random_state."
        )
    shares = [contributions(metric, column, result_a.n_held_out) for column in columns]
    a, b = (share[~np.isnan(share)] for share in shares)
    difference = a - b
    n_users = len(difference)
    statistic, p_value = _paired_test(a, b)
    return PairedResult(
        metric=name,
        difference=float(difference.mean()) if n_users else float("nan"),
        interval=_interval(difference, n_bootstrap, confidence_level, seed),
        confidence_level=confidence_level,
        standard_error=float(difference.std(ddof=1) / np.sqrt(n_users))
        if n_users > 1
        else float("nan"),
        statistic=statistic,
        p_value=p_value,
        n_users=n_users,
    )


def _paired_test(a, b):
    if len(a) < 2:
        return float("nan"), float("nan")
    if np.array_equal(a, b):  # 0 / 0 in the test
        return 0.0, 1.0
    test = ttest_rel(a, b)
    return float(test.statistic), float(test.pvalue)


def _interval(difference, n_bootstrap, confidence_level, seed):
    n_users = len(difference)
    if not n_users:
        return float("nan"), float("nan")
    rng = np.random.RandomState(seed)
    block = max(1, _BLOCK_DRAWS // n_users)
    means = np.concatenate(
        [
            difference[rng.randint(n_users, size=(min(block, n_bootstrap - done), n_users))].mean(
                axis=1
            )
            for done in range(0, n_bootstrap, block)
        ]
    )
    tail = (1.0 - confidence_level) / 2.0
    low, high = np.quantile(means, [tail, 1.0 - tail])
    return float(low), float(high)
