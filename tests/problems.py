"""Problems for tests of the hooks of neural recommenders."""

import torch
from scipy.sparse import csr_array

from skrec._torch._problem import Problem


def drawing_from(generator, shape=(1, 1)):
    """A `Problem` that draws first weights from a generator."""
    X = csr_array(shape)
    return Problem(X, X, None, None, None, None, torch.device("cpu"), generator)


def problem_of(X, weight=None, seed=0):
    """The `Problem` of a fit to X on the CPU."""
    generator = torch.Generator().manual_seed(seed)
    return Problem(X, X, weight, None, None, None, torch.device("cpu"), generator)
