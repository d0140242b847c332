"""Evaluation of a model on users in parts."""

import tempfile
from pathlib import Path

from skrec.dask._model import mapped_file, open_mapped, read_model
from skrec.dask._parts import Rows, engine_over
from skrec.metrics import evaluate as evaluate_rows


def evaluate(
    model,
    parts,
    metrics=("recall@20", "recall@50", "ndcg@100"),
    *,
    encoder=None,
    holdout=0.2,
    random_state=0,
    folder=None,
    client=None,
):
    """Evaluate a fitted recommender on users in parts.

    Parameters
    ----------
    model : fitted recommender, Pipeline, or path
        As for `recommend`.
    parts : list, path, dask bag or dask dataframe
        As for `fit`; also pairs (X, y) of blocks of rows and their held-out interactions.
    metrics : str or list of str, default=("recall@20", "recall@50", "ndcg@100")
        As for `skrec.metrics.evaluate`.
    encoder : InteractionEncoder, default=None
        Turns logs into rows.
    holdout : float or "last", default=0.2
        Share of each row to hide if there is no y.
    random_state : int, default=0
        Seed of the hidden items. The choice depends on the content of a row, not on its part.
    folder : str or path-like, default=None
        Folder for a file of the model, which all workers must see; created if missing. None: the
        folder for temporary files, which only the workers of this machine see.
    client : distributed.Client, default=None
        As for `fit`.

    Returns
    -------
    result : `~sklearn.utils.Bunch`
        The result of `skrec.metrics.evaluate` for all users at once, in the order of the parts.

    Raises
    ------
    ValueError
        If a name, a parameter or a part is not valid.
    TypeError
        If the model is a `LogRecommender`.

    See Also
    --------
    skrec.metrics.evaluate : Evaluates in one process, with more options.
    recommend : Writes the lists.

    Examples
    --------
    >>> import skrec.dask
    >>> from skrec.datasets import make_interactions
    >>> from skrec.dummy import DummyRecommender
    >>> X = make_interactions(300, 40, 2_000, random_state=0, return_X=True)
    >>> model = DummyRecommender().fit(X)
    >>> skrec.dask.evaluate(model, [X[:200], X[200:]], "ndcg@10").n_users
    {'ndcg@10': 300}
    """
    content = read_model(model, encoder)
    if content.reads_logs:
        raise TypeError(
            "evaluate takes a recommender of matrices. Got a LogRecommender: pass its "
            "recommender_, and encoder=model.encoder_."
        )
    options = {"metrics": metrics, "holdout": holdout, "random_state": random_state}
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary if folder is None else folder).absolute()
        place.mkdir(parents=True, exist_ok=True)
        with mapped_file(content, place) as path:
            engine = engine_over(parts, None, client, encoder=content.reader)
            results = engine.map(_PartResult(str(path), options))
    results = [result for result in results if result is not None]
    if not results:
        raise ValueError("No part has a user. Expected at least one row.")
    return type(results[0]).joined(results)


class _PartResult:
    """Evaluates one part; a task holds this object instead of the model."""

    def __init__(self, model, options):
        self.model, self.options = model, options

    def __call__(self, number, part):
        part = part.compute() if hasattr(part, "compute") else part
        content = open_mapped(self.model)
        y = None
        if isinstance(part, tuple) and len(part) == 2:
            part, y = part
        X = Rows(content.encoder)(part)
        if X.shape[0] == 0:
            return None
        return evaluate_rows(content.model, X, y, **self.options)
