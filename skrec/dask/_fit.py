"""Fits over parts of the rows."""

from sklearn.utils.validation import check_is_fitted

from skrec.dask._parts import Rows, engine_over
from skrec.utils._parts import fit_parts


def fit(estimator, parts, *, encoder=None, client=None):
    """Fit an estimator to rows that come in parts, each user in one of them.

    The model is a function of sums over users. Each worker makes those of its parts, the sums of
    the workers are added up as a tree, and the model is computed from the total here. So no
    process ever has all rows, and the model is that of one fit: to the bit where the sums are
    whole numbers, as those of `EASE` for binary data are, else up to the rounding of sums.

    Parameters
    ----------
    estimator : estimator or Pipeline
        `DummyRecommender`, `EASE`, `SLIM` (not ``precompute=False``), `ItemKNN`, `SANSA`,
        `PureSVD` and `GraphFilter` (the randomised solver), `WMF` (``solver="cg"``),
        `BM25Transformer`, or a pipeline of these and of transformers that need no fit. It stays
        as it is.
    parts : list, path, dask bag or dask dataframe
        Blocks of rows (CSR matrices of all items), futures or delayed objects of such, or paths
        of files ``.npz`` (``scipy.sparse.save_npz``); a path is a folder of them. With `encoder`:
        logs, or paths of parquet or CSV files of logs. All lines of a user must be in one part; a
        Dask dataframe is shuffled by user to that end.
    encoder : InteractionEncoder, default=None
        Fitted; turns logs into rows. See `fit_encoder`.
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
    Parts that are paths are read by each pass that needs them, and rows stay in memory only for
    methods that go over them again and again: `WMF`, `PureSVD`, `GraphFilter`. A worker that is
    lost is replaced: what it had is computed again by others.

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
    engine = engine_over(parts, Rows(encoder), client, encoder=encoder)
    return fit_parts(estimator, engine)
