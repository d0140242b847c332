"""Vectors of users or items on a map."""

import numpy as np
from sklearn.decomposition import PCA

from skrec._plot._style import (
    check_axes,
    check_matplotlib,
    color_of,
    draw_legend,
    marker_of,
    scatter_look,
)
from skrec.utils._matrices import checked_array

_MAX_GROUPS = 20


class EmbeddingDisplay:
    """Vectors of users or items on a map of two dimensions.

    The map shows the first two principal components: the plane in which the vectors vary most.
    Both axes have the same scale, so distances on the map are distances in that plane. The labels
    of the axes give the share of the variance that the plane keeps. The map does not show the
    rest: points that are near on the map can be far apart.

    A legend of groups is to the right of the axes: create your own figures with
    ``layout="constrained"``.

    Make one with `from_estimator` (users) or `from_vectors` (any vectors). There is no
    ``from_predictions``, because the display draws vectors and no predictions.

    Parameters
    ----------
    coordinates : array-like of shape (n_points, 2)
        Places on the map.
    explained_variance_ratio : array-like of shape (2,), default=None
        Share of the variance along each axis, for their labels.
    labels : array-like of shape (n_points,), default=None
        Labels to colour the points by. Numbers that are not whole, and more than 20 different
        whole numbers, get a colour scale. All other labels are names of groups.
    label_name : str, default=None
        The meaning of the labels, for the legend.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it is drawn.
    figure_ : matplotlib Figure
        The figure of `ax_`.
    scatters_ : list of matplotlib PathCollection
        The points, a collection for each group.
    colorbar_ : matplotlib Colorbar or None
        The colour scale; None for groups or without labels.

    Raises
    ------
    ValueError
        If shapes do not agree, labels are missing, or more than 20 groups are named.

    See Also
    --------
    sklearn.decomposition.PCA : Computes the map.

    Notes
    -----
    For a map of items, take the mean of the vectors of an item's users as the vector of the item;
    this works for any model: ``(X.T @ model.transform(X)) / counts[:, None]``. Do not map the
    ``components_`` of `PureSVD`: they are orthonormal, so they vary equally in all directions, and
    chance decides which plane the map shows.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.datasets import make_interactions
    >>> from skrec.decomposition import PureSVD
    >>> from skrec.inspection import EmbeddingDisplay
    >>> X = make_interactions(200, 60, random_state=0, return_X=True)
    >>> model = PureSVD(n_components=8).fit(X)
    >>> n_items_of_user = np.diff(X.indptr)
    >>> display = EmbeddingDisplay.from_estimator(
    ...     model, X, labels=np.log10(n_items_of_user), label_name="log10 of the number of items"
    ... )
    >>> display.coordinates.shape
    (200, 2)
    """

    def __init__(self, *, coordinates, explained_variance_ratio=None, labels=None, label_name=None):
        self.coordinates = np.asarray(coordinates)
        if self.coordinates.ndim != 2 or self.coordinates.shape[1] != 2:
            raise ValueError(
                f"coordinates must have shape (n_points, 2). Got shape {self.coordinates.shape}."
            )
        self.explained_variance_ratio = explained_variance_ratio
        self.labels = None if labels is None else _check_labels(labels, len(self.coordinates))
        self.label_name = label_name

    @classmethod
    def from_estimator(
        cls, estimator, X, *, labels=None, label_name=None, ax=None, scatter_kw=None
    ):
        """Draw the users by the vectors of a fitted model.

        Parameters
        ----------
        estimator : fitted estimator
            An estimator with ``transform``: a factorisation, an autoencoder, or a pipeline that
            ends in one.
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions of the users.
        labels : array-like of shape (n_users,), default=None
            Groups or numbers to colour the points by.
        label_name : str, default=None
            The meaning of the labels, for the legend.
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        scatter_kw : dict, default=None
            Keywords of ``Axes.scatter``.

        Returns
        -------
        display : EmbeddingDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If the estimator has no ``transform``, and as in `from_vectors`.
        """
        if not hasattr(estimator, "transform"):
            raise ValueError(
                f"{type(estimator).__name__} has no transform, so its users have no vectors. "
                "Use a factorisation such as PureSVD or an autoencoder such as MultVAE, or pass "
                "vectors of your own to from_vectors."
            )
        return cls.from_vectors(
            estimator.transform(X),
            labels=labels,
            label_name=label_name,
            ax=ax,
            scatter_kw=scatter_kw,
        )

    @classmethod
    def from_vectors(cls, vectors, *, labels=None, label_name=None, ax=None, scatter_kw=None):
        """Draw given vectors.

        Parameters
        ----------
        vectors : array-like of shape (n_points, n_components)
            A vector for each point; at least two points and two components.
        labels : array-like of shape (n_points,), default=None
            Groups or numbers to colour the points by.
        label_name : str, default=None
            The meaning of the labels, for the legend.
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        scatter_kw : dict, default=None
            Keywords of ``Axes.scatter``.

        Returns
        -------
        display : EmbeddingDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If vectors are not finite, all the same or too few, or labels do not fit.
        """
        check_matplotlib(f"{cls.__name__}.from_vectors")
        vectors = checked_array(
            vectors,
            dtype=[np.float64, np.float32],
            ensure_min_samples=2,
            ensure_min_features=2,
            name="vectors",
        )
        if (vectors == vectors[0]).all():
            raise ValueError(
                f"Got {len(vectors)} vectors that are all the same, so there is no map of them. "
                "Fit the model to more data."
            )
        # The exact decomposition, so that the same vectors give the same map.
        pca = PCA(n_components=2, svd_solver="full").set_output(transform="default").fit(vectors)
        return cls(
            coordinates=pca.transform(vectors),
            explained_variance_ratio=pca.explained_variance_ratio_,
            labels=labels,
            label_name=label_name,
        ).plot(ax, scatter_kw=scatter_kw)

    def plot(self, ax=None, *, scatter_kw=None):
        """Draw the map.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        scatter_kw : dict, default=None
            Keywords of ``Axes.scatter``.

        Returns
        -------
        display : EmbeddingDisplay
            This display, with `ax_` and `figure_`.
        """
        ax = check_axes(self, ax, width=6.4 if self.labels is None else 7.2)
        # The more points, the smaller.
        size = float(np.clip(8000 / max(len(self.coordinates), 1), 6, 30))
        look = {"s": size, "alpha": 0.7, "linewidth": 0}
        self.colorbar_ = None
        if self.labels is None:
            look = scatter_look({"color": color_of(0)} | look, scatter_kw)
            self.scatters_ = [ax.scatter(*self.coordinates.T, **look)]
        elif _is_scale(self.labels):
            look = scatter_look({"c": self.labels, "cmap": "viridis"} | look, scatter_kw)
            self.scatters_ = [ax.scatter(*self.coordinates.T, **look)]
            if self.scatters_[0].get_array() is not None:
                self.colorbar_ = ax.figure.colorbar(self.scatters_[0], ax=ax, label=self.label_name)
        else:
            self.scatters_ = self._plot_groups(ax, look, scatter_kw)
        # Equal distances on both axes: the box keeps its shape, and the limits change.
        ax.set_aspect("equal", adjustable="datalim")
        for axis, number in ((ax.xaxis, 0), (ax.yaxis, 1)):
            ratio = self.explained_variance_ratio
            kept = "" if ratio is None else f" ({100 * ratio[number]:.0f} % of the variance)"
            axis.set_label_text(f"principal component {number + 1}{kept}")
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _plot_groups(self, ax, look, scatter_kw):
        groups, group = np.unique(self.labels, return_inverse=True)
        scatters = []
        for i, name in enumerate(groups):
            own = {"color": color_of(i), "marker": marker_of(i), "label": str(name)} | look
            own = scatter_look(own, scatter_kw)
            scatters.append(ax.scatter(*self.coordinates[group == i].T, **own))
        # Beside the map the legend hides no point.
        legend = draw_legend(ax, self.label_name, beside=True)
        for handle in legend.legend_handles:
            if hasattr(handle, "set_sizes"):  # other handles belong to earlier drawings
                handle.set(alpha=1, sizes=[30])
        return scatters


def _is_scale(labels):
    """Whether labels are numbers for a colour scale, and not groups."""
    if labels.dtype.kind == "f":
        return bool((labels != np.rint(labels)).any()) or len(np.unique(labels)) > _MAX_GROUPS
    return labels.dtype.kind in "iu" and len(np.unique(labels)) > _MAX_GROUPS


def _check_labels(labels, n_points):
    labels = np.asarray(labels)
    if labels.shape != (n_points,):
        raise ValueError(
            f"labels must hold one label for each of the {n_points} points. Got shape "
            f"{labels.shape}."
        )
    if labels.dtype.kind not in "iufb":
        missing = sum(label is None or label != label for label in labels.tolist())
        labels = labels.astype(str)
    else:
        missing = int(np.sum(~np.isfinite(labels)))
    if missing:
        raise ValueError(
            f"{missing} of the labels are missing (None, NaN or infinite). Give them their own "
            "group, such as 'unknown', or leave these points out."
        )
    if not _is_scale(labels) and len(np.unique(labels)) > _MAX_GROUPS:
        raise ValueError(
            f"labels name {len(np.unique(labels))} groups, but readers cannot tell more than "
            f"{_MAX_GROUPS} colours apart. Merge the rare groups, or give numbers."
        )
    return labels
