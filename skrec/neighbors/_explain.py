"""What the items of a row add to a score that similar users gave."""


def similarity_shares(x, side, others, other_sides, *, overlap, shrinkage):
    """How much each item of a row adds to its similarity with each neighbour.

    Parameters
    ----------
    x : ndarray of shape (n,)
        Compared values of the row's items, times the weights of the items.
    side : tuple of float
        (scale, norm, slope, offset) of the row; slope and offset None where there are none.
    others : ndarray of shape (n_neighbors, n)
        Compared values of the neighbours at these items.
    other_sides : tuple of ndarray of shape (n_neighbors,)
        The same of the neighbours.
    overlap : bool
        Whether the denominator is the union and not the product of the scales.
    shrinkage : float
        Added to the denominator.

    Returns
    -------
    shares : ndarray of shape (n_neighbors, n)
        Rows add up to the similarities.
    """
    (scale, _, slope, offset), (scales, _, slopes, offsets) = side, other_sides
    products = others * x
    if overlap:
        below = scale + scales - products.sum(axis=1) + shrinkage
    else:
        below = scale * scales + shrinkage
    if slope is not None:
        # What the means take away is nobody's: it is shared equally.
        taken = slope * slopes + offset + offsets
        products -= taken[:, None] / len(x)
    return products / below[:, None]
