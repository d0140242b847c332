"""Fits on parts of the rows."""

from sklearn.utils.validation import check_is_fitted

from skrec.dask._parts import Rows, engine_over
from skrec.utils._parts import fit_parts


def fit(estimator, parts, *, encoder=None, client=None):
    """Fit an estimator to rows in parts; each user must be in one part.

    The model is a function of sums over users. Each worker computes the sums of its parts. The
    sums of the workers are added up, on a cluster as a tree, and this process computes the model
    from the total. The model equals the model of a single fit: to the bit if the sums are whole
    numbers, such as `EASE`'s for binary data, otherwise up to the rounding of sums. The notes say
    which data this process holds.

    Parameters
    ----------
    estimator : estimator or Pipeline
        `DummyRecommender`, `EASE`, `SLIM` (not ``precompute=False``), `SANSA`, `ItemKNN`,
        `PureSVD` and `GraphFilter` (the randomised solver), `WMF` (``solver="cg"``),
        `BM25Transformer`, or a pipeline of these and of transformers that need no fit. Not
        changed.
    parts : list, path, dask bag or dask dataframe
        Blocks of rows (CSR matrices of all items), futures or delayed objects of blocks, or paths
        of ``.npz`` files (``scipy.sparse.save_npz``); a single path is a folder of files. With
        `encoder`: logs, or paths of parquet or CSV files of logs. All lines of a user must be in
        one part; `fit` shuffles a Dask dataframe by user to ensure this.
    encoder : InteractionEncoder, default=None
        A fitted encoder that turns logs into rows, see `fit_encoder`. If it has minimum counts, or
        drops or subtracts returns, only users and items that it knows count, as in
        ``fit_transform``.
    client : distributed.Client, default=None
        The cluster. None: the current client of this process or, without one, the workers of
        ``joblib.parallel_config``, by default one process.

    Returns
    -------
    fitted : estimator
        A fitted clone, the same as after ``estimator.fit``. `WMF` has no `user_factors_`:
        ``transform`` returns the vectors of any rows.

    Raises
    ------
    TypeError
        If the estimator cannot be fitted on parts, or a part is not a matrix.
    ValueError
        If parts do not fit together, or X or a parameter is not valid, as in ``fit``.

    See Also
    --------
    fit_encoder : Learns the ids of logs in parts.
    recommend : Makes lists for users in parts.

    Notes
    -----
    On a cluster this process holds only the sums. Workers read parts that are paths in each pass
    that needs them. Methods of several passes keep the rows in the memory of the workers: `WMF`,
    `PureSVD`, `GraphFilter`, `SANSA`, `ItemKNN` and ``EASE(n_pairs=...)``. If a worker is lost,
    other workers compute its results again.

    Without a cluster each pass over rows opens all parts anew. Between passes this process holds
    the kept data and passes them to joblib's workers again. `ItemKNN` keeps its weighted rows and
    `SANSA` keeps rows in its order of the items, both as large as all rows; `WMF` keeps the
    vectors of all users; `PureSVD` and `GraphFilter` keep the matrix that they multiply with, made
    from all rows. These methods need a process that could hold X. `DummyRecommender`,
    `BM25Transformer`, `EASE` and `SLIM` keep nothing, and no process ever holds all rows.

    Examples
    --------
    >>> import numpy as np
    >>> import skrec.dask
    >>> from skrec.datasets import make_interactions
    >>> from skrec.linear_model import EASE
    >>> X = make_interactions(300, 40, 2_000, random_state=0, return_X=True)
    >>> model = skrec.dask.fit(EASE(alpha=20.0), [X[:100], X[100:200], X[200:]])
    >>> bool((model.coef_ == EASE(alpha=20.0).fit(X).coef_).all())
    True
    """
    if encoder is not None:
        check_is_fitted(encoder)
    engine = engine_over(parts, Rows.of_fit(encoder), client, encoder=encoder)
    return fit_parts(estimator, engine)
