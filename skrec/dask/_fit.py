"""Fits over parts of the rows."""

from sklearn.utils.validation import check_is_fitted

from skrec.dask._parts import Rows, engine_over
from skrec.utils._parts import fit_parts


def fit(estimator, parts, *, encoder=None, client=None):
    """Fit an estimator to rows that come in parts, each user in one of them.

    The model is a function of sums over users. Each worker makes those of its parts, the sums of
    the workers are added up, on a cluster as a tree, and the model is computed from the total
    here. It is the model of one fit: to the bit where the sums are whole numbers, as those of
    `EASE` for binary data are, else up to the rounding of sums. What this process holds is said
    in the notes.

    Parameters
    ----------
    estimator : estimator or Pipeline
        `DummyRecommender`, `EASE`, `SLIM` (not ``precompute=False``), `SANSA`, `ItemKNN`,
        `PureSVD` and `GraphFilter` (the randomised solver), `WMF` (``solver="cg"``),
        `BM25Transformer`, or a pipeline of these and of transformers that need no fit. It stays
        as it is.
    parts : list, path, dask bag or dask dataframe
        Blocks of rows (CSR matrices of all items), futures or delayed objects of such, or paths
        of files ``.npz`` (``scipy.sparse.save_npz``); a path is a folder of them. With `encoder`:
        logs, or paths of parquet or CSV files of logs. All lines of a user must be in one part; a
        Dask dataframe is shuffled by user to that end.
    encoder : InteractionEncoder, default=None
        Fitted; turns logs into rows. See `fit_encoder`. With minimum counts, or where it drops
        or subtracts returns, only users and items that it knows count, as in ``fit_transform``.
    client : distributed.Client, default=None
        The cluster. None: the current client of this process; where there is none, the workers
        that ``joblib.parallel_config`` names, one process by default.

    Returns
    -------
    fitted : estimator
        A fitted clone, the same as after ``estimator.fit``. `WMF` has no `user_factors_`:
        ``transform`` makes the vectors of any rows.

    Raises
    ------
    TypeError
        If the estimator cannot be fitted over parts, or a part is no matrix.
    ValueError
        If parts do not fit together, or X or a parameter is not valid, as in ``fit``.

    See Also
    --------
    fit_encoder : The ids of logs in parts.
    recommend : Lists for users in parts.

    Notes
    -----
    On a cluster this process holds the sums alone. Workers read parts that are paths in each pass
    that needs them. Rows stay in the memory of the workers for methods of several passes: `WMF`,
    `PureSVD`, `GraphFilter`, `SANSA`, `ItemKNN` and ``EASE(n_pairs=...)``. A worker that is lost is
    replaced: what it had is computed again by others.

    Without a cluster each pass over rows opens all parts anew. Between passes this process holds
    what parts keep, and hands it to joblib's workers again: `ItemKNN` keeps its weighted rows and
    `SANSA` rows in its order of the items, of the size of all rows, `WMF` the vectors of all
    users, `PureSVD` and `GraphFilter` what they make of all rows to multiply with. These need a
    process that could hold X.
    `DummyRecommender`, `BM25Transformer`, `EASE` and `SLIM` keep nothing, and no process ever has
    all rows.

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
