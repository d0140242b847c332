"""The items of a few users beside their recommendations."""

import textwrap

import numpy as np
from scipy.sparse import csr_array

from skrec._plot._style import check_matplotlib
from skrec._recommend import recommend
from skrec.utils._feature_rows import n_rows_of
from skrec.utils._images import Images
from skrec.utils._matrices import checked_array
from skrec.utils._params import POSITIVE_INTEGER
from skrec.utils._validation import check_item_indices

_INCHES, _LETTERS = 1.1, 16


class ItemGridDisplay:
    """Items of a few users beside their recommendations, as pictures or titles.

    Each user has a row: the user's items to the left, largest values first, and the
    recommendations to the right, best first.

    Make one with `from_estimator` or `from_lists`.

    Parameters
    ----------
    had : list of array-like of int
        Items of each user, in drawing order.
    recommended : array-like of int of shape (n_users, k)
        Items recommended to each user; -1 for none.
    images : ndarray of shape (n_items, c, h, w), or sequence of paths, default=None
        Pictures of all items; only the drawn ones are read.
    titles : sequence of str of length n_items, default=None
        Titles of all items. None: no titles; items without a picture show their index.
    names : sequence of str of length n_users, default=None
        Names of the rows. None: "user 0" and so on.

    Attributes
    ----------
    figure_ : matplotlib Figure
        The figure.
    axes_ : ndarray of matplotlib Axes of shape (n_users, n_had + k)
        One Axes for each item; Axes without an item are empty.

    Raises
    ------
    ValueError
        If lengths do not agree, an item is out of range, or a file is missing or broken.

    See Also
    --------
    skrec.recommend : Makes the lists.
    EmbeddingDisplay : Draws all users or items on a map.

    Examples
    --------
    >>> from skrec.content import VisRank
    >>> from skrec.datasets import make_interactions
    >>> from skrec.inspection import ItemGridDisplay
    >>> data = make_interactions(100, 40, item_images=True, random_state=0)
    >>> colours = data.item_images.reshape(40, 3, -1).mean(axis=2)
    >>> model = VisRank(center=True).fit(data.X, item_features=colours)
    >>> display = ItemGridDisplay.from_estimator(model, data.X, rows=[0, 1], k=4,
    ...                                          images=data.item_images)
    >>> display.recommended.shape
    (2, 4)
    """

    def __init__(self, *, had, recommended, images=None, titles=None, names=None):
        self.had = [np.asarray(items, dtype=np.intp) for items in had]
        self.recommended = np.asarray(recommended)
        self.images = images
        self.titles = titles
        self.names = [f"user {u}" for u in range(len(self.had))] if names is None else list(names)
        if self.recommended.ndim != 2 or not (
            len(self.had) == len(self.recommended) == len(self.names)
        ):
            raise ValueError(
                "had, recommended and names must have one entry per user, and recommended the "
                f"shape (n_users, k). Got {len(self.had)}, {self.recommended.shape} and "
                f"{len(self.names)}."
            )

    @classmethod
    def from_estimator(
        cls, estimator, X, *, rows=None, k=6, n_had=6, items=None, images=None, titles=None
    ):
        """Recommend to a few users, and draw the lists.

        Parameters
        ----------
        estimator : fitted estimator
            A recommender, a pipeline that ends in one, or a fitted search.
        X : {array-like, sparse matrix} of shape (n_users, n_items)
            Interactions of the users.
        rows : array-like of int of shape (n,), default=None
            Rows of the users to draw. None: the first three.
        k : int, default=6
            Length of the lists.
        n_had : int, default=6
            Largest number of a user's own items to draw.
        items : array-like of int or bool, default=None
            Candidates: indices or a mask of shape (n_items,), as in `skrec.recommend`.
        images : ndarray of shape (n_items, c, h, w), or sequence of paths, default=None
            Pictures of all items.
        titles : sequence of str of length n_items, default=None
            Titles of all items.

        Returns
        -------
        display : ItemGridDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If a row or item is out of range, and as in the constructor.
        """
        X = csr_array(checked_array(X, accept_sparse="csr", ensure_min_samples=0))
        rows = np.arange(min(3, X.shape[0])) if rows is None else rows
        rows = check_item_indices(rows, X.shape[0], name="rows")
        if n_had not in POSITIVE_INTEGER:
            raise ValueError(f"n_had must be {POSITIVE_INTEGER}. Got {n_had!r}.")
        lists = recommend(estimator, X[rows], k, items=items)
        had = [_largest(X[[row]], n_had) for row in rows]
        names = [f"user {row}" for row in rows]
        return cls.from_lists(had, lists, images=images, titles=titles, names=names)

    @classmethod
    def from_lists(cls, had, recommended, *, images=None, titles=None, names=None):
        """Draw given lists.

        Parameters
        ----------
        had : list of array-like of int
            Items of each user.
        recommended : array-like of int of shape (n_users, k)
            Items recommended to each user; -1 for none.
        images : ndarray of shape (n_items, c, h, w), or sequence of paths, default=None
            Pictures of all items.
        titles : sequence of str of length n_items, default=None
            Titles of all items.
        names : sequence of str of length n_users, default=None
            Names of the rows.

        Returns
        -------
        display : ItemGridDisplay
            The display, drawn.
        """
        display = cls(had=had, recommended=recommended, images=images, titles=titles, names=names)
        return display.plot()

    def plot(self):
        """Draw into a new figure.

        Returns
        -------
        display : ItemGridDisplay
            The display itself.
        """
        check_matplotlib("ItemGridDisplay.plot")
        import matplotlib.pyplot as plt

        n_had = max(1, *(len(items) for items in self.had))
        shape = (len(self.had), n_had + self.recommended.shape[1])
        pictures = self._pictures()
        self.figure_, self.axes_ = plt.subplots(
            *shape,
            figsize=(_INCHES * shape[1], _INCHES * shape[0] + 0.4),
            squeeze=False,
            layout="constrained",
        )
        for row, (had, found) in enumerate(zip(self.had, self.recommended, strict=True)):
            places = [*range(len(had)), *range(n_had, shape[1])]
            for ax in self.axes_[row]:
                ax.set(xticks=[], yticks=[])
                ax.spines[:].set_visible(False)
            self.axes_[row, 0].set_ylabel(self.names[row])
            for column, item in zip(places, [*had, *found], strict=True):
                if item >= 0:
                    self._draw(self.axes_[row, column], int(item), pictures)
                if column >= n_had:
                    self._frame(self.axes_[row, column])
        self.axes_[0, 0].set_title("has", loc="left", fontsize="medium")
        self.axes_[0, n_had].set_title("recommended", loc="left", fontsize="medium")
        return self

    def _pictures(self):
        """The pictures to draw, by item."""
        wanted = np.unique(np.concatenate([*self.had, self.recommended.ravel()]))
        wanted = wanted[wanted >= 0]
        for name, values in (("images", self.images), ("titles", self.titles)):
            if values is None or not len(wanted):
                continue
            if wanted[-1] >= n_rows_of(values):
                raise ValueError(
                    f"{name} must have an entry for each item. Got {n_rows_of(values)}, and item "
                    f"{wanted[-1]} is to be drawn."
                )
        if self.images is None:
            return {}
        if not hasattr(self.images, "ndim") or self.images.ndim == 1:
            chosen = [self.images[item] for item in wanted]
            if all(path is None for path in chosen):
                return {}
            read = Images(chosen)
        else:
            read = Images(self.images[wanted])
        return {int(item): read.one(i) for i, item in enumerate(wanted) if read.one(i).any()}

    def _draw(self, ax, item, pictures):
        title = None if self.titles is None else str(self.titles[item])
        if item in pictures:
            ax.imshow(pictures[item].transpose(1, 2, 0))
            if title is not None:
                ax.set_xlabel(
                    textwrap.shorten(title, _LETTERS, placeholder="…"), fontsize="x-small"
                )
            return
        text = textwrap.fill(str(item) if title is None else title, _LETTERS - 2)
        ax.text(0.5, 0.5, text, ha="center", va="center", fontsize="x-small",
                transform=ax.transAxes)  # fmt: skip

    def _frame(self, ax):
        for spine in ax.spines.values():
            spine.set(visible=True, color="#0072B2", linewidth=1.5)


def _largest(row, n):
    """Items of one row, the largest values first and then by index."""
    order = np.lexsort((row.indices, -row.data))
    return row.indices[order[:n]]
