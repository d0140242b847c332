"""Neural collaborative filtering: learned users and items, and what is made of their vectors."""

from skrec.neural_network._gmf import GMF
from skrec.neural_network._residual_mf import ResidualMF

__all__ = [
    "GMF",
    "ResidualMF",
]
