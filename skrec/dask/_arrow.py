"""Lists from record batches to record batches, for Spark's mapInArrow."""

import functools
import os

from skrec._persistence import load
from skrec.dask._lists import lists_of
from skrec.dask._model import Recommended
from skrec.utils._validation import check_k


def recommend_batches(path, *, k=10, exclude_seen=True, user="user", items="items"):
    """Make a function that turns record batches of histories into record batches of lists.

    Pass the function to Spark's ``DataFrame.mapInArrow``; `recommend_batches` itself does not need
    Spark. The function holds the path of the model. Each worker reads the model once, and again if
    the file was replaced.

    Parameters
    ----------
    path : str or path-like
        A file of `skrec.save` that all workers see; it holds a dict with "model" and "encoder".
    k : int, default=10
        Length of the lists.
    exclude_seen : bool, default=True
        Whether to leave out the items of the history.
    user, items : str, default="user", "items"
        Columns of a batch: the id of a user, and the list of the user's item ids, as
        ``collect_list`` makes it. Each row is a user.

    Returns
    -------
    function : callable
        ``function(batches)`` yields record batches with the columns "user", "rank", "item" and
        "score", one line for each recommendation.

    Raises
    ------
    ValueError
        When the function is called, if the file holds no such dict or a column is missing.

    See Also
    --------
    recommend : Makes lists from files to files, over Dask or joblib.

    Examples
    --------
    On Spark::

        histories = log.groupBy("user").agg(collect_list("item").alias("items"))
        lists = histories.mapInArrow(
            skrec.dask.recommend_batches("/shared/model.skops", k=20),
            "user long, rank long, item long, score float",
        )

    >>> import os, tempfile
    >>> import pyarrow as pa
    >>> import skrec, skrec.dask
    >>> from skrec.linear_model import EASE
    >>> from skrec.preprocessing import InteractionEncoder
    >>> log = {"user": [1, 1, 2, 2, 3], "item": ["tea", "pot", "tea", "pot", "rum"]}
    >>> encoder = InteractionEncoder()
    >>> model = EASE(alpha=1.0).fit(encoder.fit_transform(log))
    >>> batch = pa.record_batch({"user": [7], "items": [["tea"]]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "model.skops")
    ...     _ = skrec.save({"model": model, "encoder": encoder}, path)
    ...     [lists] = skrec.dask.recommend_batches(path, k=1)([batch])
    >>> lists.to_pylist()[0]["item"]
    'pot'
    """
    check_k(k)
    return functools.partial(
        _batches, path=str(path), k=k, exclude_seen=exclude_seen, user=user, items=items
    )


def _batches(batches, *, path, k, exclude_seen, user, items):
    state = os.stat(path)
    content = _loaded(path, state.st_mtime_ns, state.st_size)
    for batch in batches:
        log = _as_log(batch, user, items, content.encoder)
        yield from lists_of(content, log, k, exclude_seen=exclude_seen).to_batches()


@functools.lru_cache(maxsize=2)
def _loaded(path, time, size):
    """The model of a file, read once per process, and again if the file was replaced."""
    content = load(path)
    if not isinstance(content, dict) or not {"model", "encoder"} <= set(content):
        raise ValueError(
            f"{path} holds a {type(content).__name__}. Expected a dict with 'model' and "
            "'encoder', as skrec.save({'model': ..., 'encoder': ...}, path) writes it; of a "
            "LogRecommender, save recommender_ and encoder_."
        )
    return Recommended(content["model"], content["encoder"])


def _as_log(batch, user, items, encoder):
    """The histories as a log, with one line for each item."""
    from pyarrow import compute

    missing = [name for name in (user, items) if name not in batch.schema.names]
    if missing:
        raise ValueError(
            f"A batch has no column {missing[0]!r}. Got {batch.schema.names}: name the columns in "
            "recommend_batches(user=..., items=...)."
        )
    lists = batch.column(items)
    rows = compute.list_parent_indices(lists)
    return {encoder.user: batch.column(user).take(rows), encoder.item: lists.flatten()}
