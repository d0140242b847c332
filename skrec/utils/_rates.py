"""Learning rates of the passes of a stochastic descent."""

import numpy as np


def learning_rates(rate, n_passes, schedule):
    """Learning rate of each pass: constant, or falling linearly towards 0."""
    if schedule == "constant":
        return np.full(n_passes, rate, dtype=np.float32)
    return (rate * (1.0 - np.arange(n_passes) / n_passes)).astype(np.float32)
