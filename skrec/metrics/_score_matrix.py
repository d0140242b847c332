"""Shared by the ranking metrics of scores: checks, evaluation, averaging."""

import numpy as np

from skrec._evaluation._entries import check_interactions
from skrec._evaluation._rows import evaluate_rows
from skrec._evaluation._summary import mean_of_users
from skrec.metrics._checks import check_option
from skrec.utils._matrices import checked_array
from skrec.utils._validation import check_sample_weight


def average_users(values, sample_weight, average, name):
    """The mean over users, or with ``average=None`` the values themselves."""
    check_option(average, ("samples", None), "average")
    weight = check_sample_weight(sample_weight, len(values), np.float64)
    if average is None:
        return values
    return mean_of_users(values, name=name, sample_weight=weight)


def score_matrix(
    metric,
    y_true,
    y_score,
    *,
    relevance_threshold,
    sample_weight,
    average,
    graded=False,
    normalize="min",
):
    """Value of one `Metric` for held-out items and scores, both as matrices."""
    y_true = check_interactions(y_true, name="y_true")
    y_score = checked_array(
        y_score, name="y_score", dtype=[np.float64, np.float32], ensure_all_finite=False
    )
    if y_score.shape != y_true.shape:
        raise ValueError(
            "y_score must hold one score per item for the rows of y_true. Got shape "
            f"{y_score.shape}, expected {y_true.shape}."
        )
    values = evaluate_rows(
        (metric,),
        y_true,
        score_rows=lambda rows: y_score[rows],
        relevance_threshold=relevance_threshold,
        graded=graded,
        normalize=normalize,
    )[metric.name]
    return average_users(values, sample_weight, average, metric.name)
