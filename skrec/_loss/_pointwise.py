"""Losses of single outputs against a target of 1 (observed) or 0 (not)."""

from typing import NamedTuple

import torch
from torch.nn import functional


class Logistic(NamedTuple):
    """-t log s(y) - (1 - t) log s(-y), where s is the logistic function."""

    def value(self, output, target):
        """The loss of each output."""
        return functional.softplus(output) - target * output

    def slope(self, output, target):
        """First derivative by the output."""
        return torch.sigmoid(output) - target

    def curvature(self, output):
        """Second derivative by the output."""
        chance = torch.sigmoid(output)
        return chance * (1 - chance)


class Square(NamedTuple):
    """(t - y)^2 / 2."""

    def value(self, output, target):
        """The loss of each output."""
        return (target - output).square() / 2

    def slope(self, output, target):
        """First derivative by the output."""
        return output - target

    def curvature(self, output):
        """Second derivative by the output."""
        return torch.ones_like(output)


POINTWISE = {"logistic": Logistic(), "square": Square()}
