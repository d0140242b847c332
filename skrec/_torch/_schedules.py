"""Weights and rates that change during the updates, as pure functions."""

from skrec.utils._fitted import Number


def annealed(step, beta, n_annealing_steps):
    """Weight of the divergence at an update: rises in a straight line, then stays.

    Parameters
    ----------
    step : int
        Number of earlier updates.
    beta : float
        The final weight.
    n_annealing_steps : float
        The weight is min(beta, step / n_annealing_steps), as in Liang et al. (2018). It would
        reach 1 after this many updates, and reaches beta after ``beta * n_annealing_steps``. 0:
        beta from the start.

    Returns
    -------
    weight : float

    Examples
    --------
    >>> from skrec._torch._schedules import annealed
    >>> [annealed(step, 0.2, 100) for step in (0, 10, 20, 1000)]
    [0.0, 0.1, 0.2, 0.2]
    >>> annealed(0, 0.2, 0)
    0.2
    """
    return min(beta, step / n_annealing_steps) if n_annealing_steps else beta


def planned_annealing(beta, n_updates, share=0.8):
    """`n_annealing_steps` that reach beta after a share of the planned updates.

    Parameters
    ----------
    beta : float
    n_updates : int
        Planned updates.
    share : float, default=0.8

    Returns
    -------
    n_annealing_steps : float
        0 for beta = 0.

    Examples
    --------
    >>> from skrec._torch._schedules import annealed, planned_annealing
    >>> steps = planned_annealing(0.2, 100)
    >>> steps, annealed(79, 0.2, steps) < 0.2, annealed(80, 0.2, steps)
    (400.0, True, 0.2)
    """
    return share * n_updates / beta if beta else 0.0


def rate_share(schedule, done):
    """The learning rate as a share of the first one, after a share of the epochs.

    Parameters
    ----------
    schedule : {"constant", "linear"}
        Constant, or linear to 0.
    done : float
        The share of the epochs.

    Returns
    -------
    share : float

    Examples
    --------
    >>> from skrec._torch._schedules import rate_share
    >>> [rate_share("linear", done) for done in (0.0, 0.25, 1.0)]
    [1.0, 0.75, 0.0]
    """
    return 1.0 - done if schedule == "linear" else 1.0


class AnnealingMixin:
    """Plans `n_annealing_steps_` of an estimator with `beta` and `n_annealing_steps`."""

    _fitted_rules = {"n_annealing_steps_": Number(0)}
    # Whether the weight reaches beta within the updates that early stopping makes in any case.
    _anneals_soon = False

    def _plan(self, problem, n_updates, n_certain):
        # With None, a resumed fit keeps the number of the first fit.
        if self.n_annealing_steps is None and self._n_updates:
            return
        self.n_annealing_steps_ = self.n_annealing_steps
        if self.n_annealing_steps is None:
            planned = n_certain if self._anneals_soon else n_updates
            self.n_annealing_steps_ = planned_annealing(self.beta, planned)
