"""Fold users into a model of rows that does not know them, from the items that they took."""

from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional

from skrec._torch._newton import minimise_rows

# Numbers of a group of rows held at once.
_GROUP_SIZE = 2**21


class Terms(NamedTuple):
    """Terms of the objectives of some users, ordered by user.

    Attributes
    ----------
    user : ndarray of int of shape (n_terms,)
        Ascending.
    design : ndarray of float64 of shape (n_terms, d)
        Factors of a user's own numbers.
    offset : ndarray of float64 of shape (n_terms,)
        The output for a user with numbers of zero.
    target : ndarray of float64 of shape (n_terms,)
    weight : ndarray of float64 of shape (n_terms,)
    """

    user: np.ndarray
    design: np.ndarray
    offset: np.ndarray
    target: np.ndarray
    weight: np.ndarray


def own_numbers(terms, n_users, mean, precision, *, logistic):
    """The numbers of each user that minimise the losses under a normal prior.

    Parameters
    ----------
    terms : Terms
    n_users : int
    mean : ndarray of shape (d,)
        Mean of the prior, which users without terms get.
    precision : ndarray of shape (d, d)
    logistic : bool
        Whether the loss is the logistic one; else half the square.

    Returns
    -------
    numbers : ndarray of float64 of shape (n_users, d)
    """
    found = np.tile(mean, (n_users, 1))
    lengths = np.bincount(terms.user, minlength=n_users)
    first = np.cumsum(lengths) - lengths
    order = np.argsort(lengths, kind="stable")  # users of similar length go together
    order = order[lengths[order] > 0]
    prior = torch.from_numpy(mean), torch.from_numpy(precision)
    while len(order):
        size = np.arange(1, len(order) + 1) * lengths[order] * len(mean)
        some = order[: max(1, int((size <= _GROUP_SIZE).sum()))]
        order = order[len(some) :]
        slot = np.arange(lengths[some].max())
        here = slot < lengths[some][:, None]
        place = np.where(here, first[some][:, None] + slot, 0)
        parts = [part[place] for part in terms[1:4]] + [terms.weight[place] * here]
        objective = _Objective(*map(torch.from_numpy, parts), prior, logistic)
        start = prior[0].repeat(len(some), 1)
        found[some] = minimise_rows(start, objective.value, objective.derivatives).numpy()
    return found


class _Objective:
    """Losses of the terms of each user, (n, m), and minus the log density of the prior."""

    def __init__(self, design, offset, target, weight, prior, logistic):
        self._design, self._offset, self._target = design, offset, target
        self._weight, self._prior, self._logistic = weight, prior, logistic

    def _outputs(self, numbers):
        return (self._design @ numbers[:, :, None])[:, :, 0] + self._offset  # (n, m)

    def value(self, numbers):
        out, (mean, precision) = self._outputs(numbers), self._prior
        if self._logistic:
            losses = functional.softplus(out) - self._target * out
        else:
            losses = 0.5 * (out - self._target).square()
        away = numbers - mean
        return (self._weight * losses).sum(1) + ((away @ precision) * away).sum(1) / 2

    def derivatives(self, numbers):
        out, (mean, precision) = self._outputs(numbers), self._prior
        said = torch.sigmoid(out) if self._logistic else out
        curve = said * (1 - said) if self._logistic else torch.ones_like(said)
        of_out = self._weight * (said - self._target)
        slope = (of_out[:, None] @ self._design)[:, 0] + (numbers - mean) @ precision
        curved = self._design * (self._weight * curve)[:, :, None]
        return slope, curved.transpose(1, 2) @ self._design + precision
