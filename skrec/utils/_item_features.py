"""A wrapper that keeps item features whole inside scikit-learn's searches."""

from skrec.utils._feature_rows import n_rows_of


class ItemFeatures:
    """Item features that no search slices.

    scikit-learn cuts every fit parameter whose length equals the number of rows of X
    into folds. Item features have one row per *item*. If there are as many items as users,
    scikit-learn would silently cut or reorder a plain array. This wrapper has no length, no
    shape and no array interface, so scikit-learn passes it on whole.

    Parameters
    ----------
    values : {ndarray, sparse matrix, dataframe, sequence} of length n_items
        Row i describes item i (column i of the user-item matrix). Never copied.

    Attributes
    ----------
    values : object
        The features as they were passed.

    See Also
    --------
    skrec.model_selection.HeldOut : Passes a matrix as `y`.

    Notes
    -----
    Features must be known without the held-out interactions. Features made from interactions,
    such as tags by users or neighbours "from all ratings", leak.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec import ItemFeatures
    >>> features = ItemFeatures(np.eye(3))
    >>> features
    ItemFeatures(3 items)
    >>> features.values.shape
    (3, 3)
    """

    def __init__(self, values):
        if isinstance(values, ItemFeatures):
            values = values.values
        if not (hasattr(values, "shape") or hasattr(values, "__len__")):
            raise TypeError(
                f"ItemFeatures takes an array, a sparse matrix, a dataframe or a sequence with one "
                f"entry per item. Got {type(values).__name__}."
            )
        self.values = values

    def __sklearn_clone__(self):
        return self

    def __deepcopy__(self, memo):
        return self

    def __repr__(self):
        return f"ItemFeatures({n_rows_of(self.values)} items)"


def check_item_features(item_features, n_items):
    """Unwrap item features and check that there is one row per item.

    Parameters
    ----------
    item_features : ItemFeatures, array-like, sparse matrix, dataframe or sequence
    n_items : int
        Columns of the user-item matrix.

    Returns
    -------
    values : object
        The unwrapped features.

    Raises
    ------
    ValueError
        If the number of rows is not `n_items`.
    """
    values = ItemFeatures(item_features).values
    if n_rows_of(values) != n_items:
        raise ValueError(
            f"item_features must have one row per item. Got {n_rows_of(values)} rows for {n_items} "
            "items; for GridSearchCV or cross_validate wrap them in skrec.ItemFeatures, or "
            "scikit-learn slices them like users."
        )
    return values
