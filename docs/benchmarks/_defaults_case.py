"""A case of run_defaults.py: an estimator, settings, data sets."""

from typing import NamedTuple

from _defaults_data import DATA
from _defaults_features import WORDS
from sklearn.base import BaseEstimator

IMPLICIT = tuple(data for data in DATA if data in {*WORDS, "frappe", "gowalla"})


class Case(NamedTuple):
    """An estimator with its seed, settings, and the data sets that it is tried on.

    `grid` is a list of settings, or a function of X that returns one; `features` is a kind of
    `item_features`, which `fit` gets.
    """

    name: str
    estimator: BaseEstimator
    grid: object
    data: tuple = IMPLICIT
    part: str = "all"
    every: int | None = None
    patience: int | None = None
    features: str | None = None

    @property
    def metric(self):
        """The metric that chooses."""
        return "rmse" if self.part == "ratings" else "ndcg@100"

    def settings(self, X):
        """The settings for a matrix."""
        return self.grid(X) if callable(self.grid) else self.grid


def each(**values):
    """All combinations."""
    grid = [{}]
    for name, options in values.items():
        grid = [setting | {name: option} for setting in grid for option in options]
    return grid
