"""Weighted k-means and the moments of its clusters, where the mixture of a VAE starts."""

import math

import numpy as np
from sklearn.cluster import kmeans_plusplus

N_TRIES = 10


def k_means(points, weight, n_clusters, random_state):
    """The best of `N_TRIES` runs of weighted k-means, each from a k-means++ start.

    Plain numpy: scikit-learn's k-means sums in the order in which threads end, so the same seed
    may give different bits.

    Parameters
    ----------
    points : float64 ndarray of shape (n_points, d)
    weight : float64 ndarray of shape (n_points,)
        Greater than 0.
    n_clusters : int
        At most n_points.
    random_state : RandomState

    Returns
    -------
    label : intp ndarray of shape (n_points,)
        Clusters may be empty if points coincide.
    """
    best, label = math.inf, None
    squares = np.einsum("ij,ij->i", points, points)
    for _ in range(N_TRIES):
        centres, _ = kmeans_plusplus(
            points, n_clusters, sample_weight=weight, random_state=random_state
        )
        found = None
        for _ in range(100):
            distance = (centres**2).sum(1) - 2 * points @ centres.T
            before, found = found, distance.argmin(1)
            if np.array_equal(before, found):
                break
            total, sums = _sums(points, weight, found, n_clusters)
            filled = total > 0
            centres[filled] = sums[filled] / total[filled, None]
        cost = weight @ (squares + distance.min(1))
        if cost < best or label is None:
            best, label = cost, found
    return label


def cluster_moments(mean, variance, weight, label, n_clusters):
    """Means of the latent vectors of each cluster's users, and the variance within clusters.

    All clusters share one variance. With variances of their own, clusters of small variance would
    take users from others, since the means of q lie nearer to a centre than draws do.

    Parameters
    ----------
    mean, variance : float64 ndarray of shape (n_users, n_x)
        Moments of each user's normal distribution.
    weight : float64 ndarray of shape (n_users,)
    label : intp ndarray of shape (n_users,)
    n_clusters : int

    Returns
    -------
    means : float64 ndarray of shape (n_clusters, n_x)
        An empty cluster gets the mean of all users.
    variance : float64 ndarray of shape (n_x,)
    """
    total, sums = _sums(mean, weight, label, n_clusters)
    means = np.tile(np.average(mean, axis=0, weights=weight), (n_clusters, 1))
    filled = total > 0
    means[filled] = sums[filled] / total[filled, None]
    return means, np.average(variance + (mean - means[label]) ** 2, axis=0, weights=weight)


def _sums(values, weight, label, n_clusters):
    """Sum of the weights, and weighted sum of the values, of each cluster."""
    member = np.where(label[:, None] == np.arange(n_clusters), weight[:, None], 0.0)
    return member.sum(0), member.T @ values
