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

    The map is that of principal components: the projection to the plane in which the
    vectors vary most. Both axes have the same scale, so distances on the map are distances
    in that plane; the axes say how much of the variance it keeps. Of what it does not keep,
    the map says nothing: points that are near on it can be far apart.

    A legend of groups is to the right of the axes: give figures of your own
    ``layout="constrained"``.

    Make one with `from_estimator` (users) or `from_vectors` (whatever has vectors). There is
    no ``from_predictions``: vectors are drawn, and no predictions.

    Parameters
    ----------
    coordinates : array-like of shape (n_points, 2)
        Places on the map.
    explained_variance_ratio : array-like of shape (2,), default=None
        Share of the variance along each axis, for their labels.
    labels : array-like of shape (n_points,), default=None
        What to colour by. Numbers that are not whole get a colour scale. So do whole
        numbers if more than 20 of them differ. All else are names of groups.
    label_name : str, default=None
        What the labels are, for the legend.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it is drawn.
    figure_ : matplotlib Figure
        The figure of `ax_`.
    scatters_ : list of matplotlib PathCollection
        The points, a collection for each group.
    colorbar_ : matplotlib Colorbar or None
        The colour scale; None where there are groups or no labels.

    Raises
    ------
    ValueError
        If shapes do not agree, labels are missing, or more than 20 groups are named.

    See Also
    --------
    sklearn.decomposition.PCA : Makes the map.

    Notes
    -----
    For a map of items, the mean of the vectors of an item's users is a vector of the item,
    whatever the model: ``(X.T @ model.transform(X)) / counts[:, None]``. Of ``components_``
    beware: those of `PureSVD` are orthonormal, so all directions vary alike, and which plane
    the map shows is chance.

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
        """Draw the users as a fitted model sees them.

        Parameters
        ----------
        estimator : fitted estimator
            With ``transform``: a factorisation, an autoencoder, or a pipeline that ends in
            one.
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions of the users.
        labels : array-like of shape (n_users,), default=None
            What to colour by: groups, or numbers.
        label_name : str, default=None
            What the labels are, for the legend.
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        scatter_kw : dict, default=None
            Keywords of ``Axes.scatter``.

        Returns
        -------
        display : EmbeddingDisplay
            With what is drawn.

        Raises
        ------
        ValueError
            If the estimator has no ``transform``, or as `from_vectors` does.
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
            A vector for each point; two or more points and components.
        labels : array-like of shape (n_points,), default=None
            What to colour by: groups, or numbers.
        label_name : str, default=None
            What the labels are, for the legend.
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        scatter_kw : dict, default=None
            Keywords of ``Axes.scatter``.

        Returns
        -------
        display : EmbeddingDisplay
            With what is drawn.

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
                "All vectors are the same, so there is no map of them. Got "
                f"{len(vectors)} vectors; is the model fitted to enough data?"
            )
        # The exact decomposition of the covariance: the same vectors give the same map.
        pca = PCA(n_components=2, svd_solver="full").set_output(transform="default").fit(vectors)
        return cls(
            coordinates=pca.transform(vectors),
            explained_variance_ratio=pca.explained_variance_ratio_,
            labels=labels,
            label_name=label_name,
        ).plot(ax, scatter_kw=scatter_kw)

    def plot(self, ax=None, *, scatter_kw=None):
        """Draw it.

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
        # Fewer and larger points, more and smaller ones.
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
        # The box keeps its shape, the limits give way: distances are the same on both axes.
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
        # Beside the map it hides no point.
        legend = draw_legend(ax, self.label_name, beside=True)
        for handle in legend.legend_handles:
            if hasattr(handle, "set_sizes"):  # others are of what was on the axes before
                handle.set(alpha=1, sizes=[30])
        return scatters


def _is_scale(labels):
    """Whether labels are numbers to be read off a colour scale, and not groups."""
    if labels.dtype.kind == "f":
        return bool((labels != np.rint(labels)).any()) or len(np.unique(labels)) > _MAX_GROUPS
    return labels.dtype.kind in "iu" and len(np.unique(labels)) > _MAX_GROUPS


def _check_labels(labels, n_points):
    labels = np.asarray(labels)
    if labels.shape != (n_points,):
        raise ValueError(
            f"labels must hold one for each of the {n_points} points. Got shape {labels.shape}."
        )
    if labels.dtype.kind not in "iufb":
        missing = sum(label is None or label != label for label in labels.tolist())
        labels = labels.astype(str)
    else:
        missing = int(np.sum(~np.isfinite(labels)))
    if missing:
        raise ValueError(
            f"{missing} of the labels are missing (None, NaN or infinite). Give them a group of "
            "their own, such as 'unknown', or leave these points out."
        )
    if not _is_scale(labels) and len(np.unique(labels)) > _MAX_GROUPS:
        raise ValueError(
            f"labels name {len(np.unique(labels))} groups; more than {_MAX_GROUPS} colours cannot "
            "be told apart. Put the rare ones together, or give numbers."
        )
    return labels
