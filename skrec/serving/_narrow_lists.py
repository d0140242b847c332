"""Which models make lists of single rows by 8 bits."""

import numpy as np

from skrec._factors import FactoredScoresMixin
from skrec.serving._narrow import NarrowFactors

# Networks whose module has a wide layer `last`.
WITH_LAST_LAYER = ("MultDAE", "MultVAE", "GaussianMixtureVAE")
# Reading a whole table below this size takes less time than the work around it.
_LEAST_SIZE = 1 << 18


def narrow_lists(model):
    """Make the lister of single rows by 8 bits, or None where that is not faster.

    Parameters
    ----------
    model : fitted recommender
        Not changed by anybody.

    Returns
    -------
    lists : callable or None
        See `NarrowFactors`.
    """
    if any(base.__name__ in WITH_LAST_LAYER for base in type(model).__mro__):
        from skrec.serving._narrow_torch import narrow_network

        return narrow_network(model)
    if getattr(type(model), "_scores", None) is not FactoredScoresMixin._scores:
        return None
    components = model.components_
    vectors = components.T
    if components.size < _LEAST_SIZE or len(components) < 2 or not vectors.flags.c_contiguous:
        return None
    if not np.isfinite(components).all():
        return None
    return NarrowFactors(model)
