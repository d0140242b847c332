"""Contributions of a row's items to a score from similar users."""


def similarity_shares(x, side, others, other_sides, *, overlap, shrinkage):
    """How much each item of a row adds to its similarity with each neighbour.

    Parameters
    ----------
    x : ndarray of shape (n,)
        Compared values of the row's items, times the weights of the items.
    side : tuple of float
        (scale, norm, slope, offset) of the row; slope and offset None if the metric has none.
    others : ndarray of shape (n_neighbors, n)
        Compared values of the neighbours at these items.
    other_sides : tuple of ndarray of shape (n_neighbors,)
        The sides of the neighbours.
    overlap : bool
        Whether the denominator is the union, not the product of the scales.
    shrinkage : float
        Added to the denominator.

    Returns
    -------
    shares : ndarray of shape (n_neighbors, n)
        Each row sums to a similarity.
    """
    (scale, _, slope, offset), (scales, _, slopes, offsets) = side, other_sides
    products = others * x
    if overlap:
        below = scale + scales - products.sum(axis=1) + shrinkage
    else:
        below = scale * scales + shrinkage
    if slope is not None:
        # No single item causes what the means subtract: all items share it equally.
        taken = slope * slopes + offset + offsets
        products -= taken[:, None] / len(x)
    return products / below[:, None]
