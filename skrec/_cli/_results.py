"""What a comparison of models has found; the table, the report and the JSON file show it."""

from dataclasses import dataclass, field
from typing import NamedTuple

# From this p-value on a difference is called not significant.
SIGNIFICANCE_LEVEL = 0.05


class Score(NamedTuple):
    """One metric of one model.

    Attributes
    ----------
    mean, standard_error : float
        Over the users that could be evaluated.
    p_value : float or None
        Of a paired t-test against the best model in this metric; None for the best.
    """

    mean: float
    standard_error: float
    p_value: float | None = None

    @property
    def is_best(self):
        """Whether no model has a higher mean."""
        return self.p_value is None

    @property
    def is_tied(self):
        """Whether the difference to the best is not significant."""
        # Without a test (NaN, of a single user) nothing is known to differ either.
        return self.p_value is not None and not self.p_value < SIGNIFICANCE_LEVEL


@dataclass(frozen=True)
class ModelResult:
    """One model of a comparison.

    Attributes
    ----------
    name : str
        As on the command line.
    parameters : str
        The estimator as Python prints it.
    scores : dict of str to Score
    fit_seconds, predict_seconds : float
    peak_bytes : int or None
        What the fit took at its peak beyond what there was; None if not known.
    trials : list of (dict, float)
        Parameters tried in the search and their validation score.
    curves : dict of str to list of (int, float, float)
        For each kind of metric k, mean and standard error.
    """

    name: str
    parameters: str
    scores: dict
    fit_seconds: float
    predict_seconds: float
    peak_bytes: int | None
    trials: list = field(default_factory=list)
    curves: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Comparison:
    """All of it.

    Attributes
    ----------
    title : str
        Name of the data.
    header : list of (str, str)
        What was done, as label and text.
    metrics : list of str
    main_metric : str
        The metric that orders the models.
    models : list of ModelResult
        Best first.
    n_users : int
        Users that were tested.
    """

    title: str
    header: list
    metrics: list
    main_metric: str
    models: list
    n_users: int
