"""Lists for users in parts, from files to files."""

import os
from collections import Counter
from pathlib import Path

import joblib
import numpy as np
from scipy.sparse import csr_array, issparse

from skrec._recommend import recommend as recommend_any
from skrec.dask._model import mapped_file, open_mapped, read_model
from skrec.dask._parts import Rows, engine_over, list_of_parts, read_part
from skrec.utils._files import atomic_file
from skrec.utils._sparse_check import sound_sparse
from skrec.utils._validation import check_k

# Key of the parquet schema under which a file says what it was made of.
_KEY = b"skrec.lists"


def recommend(
    model, parts, folder, *, k=10, encoder=None, exclude_seen=True, overwrite=False, client=None
):
    """Write the lists of users that come in parts: one parquet file for each part.

    A file appears when it is whole. A second call with the same model, parameters and parts
    goes on where the first was stopped: what is written already is left as it is.

    Parameters
    ----------
    model : fitted recommender, Pipeline, LogRecommender, or path
        A path is that of a file of `skrec.save`: of a model, or of a dict with "model" and
        "encoder". It is written once into `folder`, where workers map it; the tasks hold its path.
    parts : list, path, dask bag or dask dataframe
        As for `fit`. All lines of a user must be in one part.
    folder : str or path-like
        Where the files go, seen by all workers; it is made if it is not there. A part that is a
        file keeps its name, with ``.parquet`` at the end; others are ``part-00000.parquet``.
    k : int, default=10
        Length of the lists.
    encoder : InteractionEncoder, default=None
        Turns logs into rows, and rows and columns into ids. Not with a `LogRecommender`, which
        has its own.
    exclude_seen : bool, default=True
        Whether to leave out the items that a user has.
    overwrite : bool, default=False
        Whether files that stand there are written again.
    client : distributed.Client, default=None
        As for `fit`.

    Returns
    -------
    paths : list of pathlib.Path
        The files, in the order of the parts. Their columns are "user", "rank" (from 1), "item"
        and "score", one line for each recommendation. Without ids, "user" is the number of the
        row in its part and "item" that of the column. A `LogRecommender` may add columns.

    Raises
    ------
    ValueError
        If a file stands there that is of another model, of other parameters or of another part;
        if two parts have one name, k is no whole number >= 1, or a part is not valid.

    See Also
    --------
    recommend_batches : The same as a function of record batches, for Spark.

    Examples
    --------
    >>> import tempfile
    >>> import skrec.dask
    >>> from pyarrow.parquet import read_table
    >>> from skrec.datasets import make_interactions
    >>> from skrec.linear_model import EASE
    >>> X = make_interactions(300, 40, 2_000, random_state=0, return_X=True)
    >>> model = EASE(alpha=20.0).fit(X)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     paths = skrec.dask.recommend(model, [X[:200], X[200:]], folder, k=3)
    ...     [path.name for path in paths], read_table(paths[1]).num_rows
    (['part-00000.parquet', 'part-00001.parquet'], 300)
    """
    k, folder = check_k(k), Path(folder)
    content = read_model(model, encoder)
    parts = list_of_parts(parts, encoder)
    names = _names(parts)
    folder.mkdir(parents=True, exist_ok=True)
    made_of = joblib.hash((content, k, bool(exclude_seen)))
    with mapped_file(content, folder) as path:
        task = _PartLists(str(path), str(folder), names, made_of, k, exclude_seen, overwrite)
        engine = engine_over(parts, None, client)
        engine.map(task)
    return [folder / name for name in names]


def _names(parts):
    """The name of the file of each part."""
    names = [
        f"{Path(part).stem}.parquet"
        if isinstance(part, str | os.PathLike)
        else f"part-{number:05d}.parquet"
        for number, part in enumerate(parts)
    ]
    name, often = Counter(names).most_common(1)[0]
    if often > 1:
        raise ValueError(
            f"Two parts would be written to one file. Got {often} parts that would be {name}: "
            "rename the files of the parts."
        )
    return names


class _PartLists:
    """Writes the lists of one part; a task holds this, and so no model."""

    def __init__(self, model, folder, names, made_of, k, exclude_seen, overwrite):
        self.model, self.folder, self.names, self.made_of = model, folder, names, made_of
        self.k, self.exclude_seen, self.overwrite = k, exclude_seen, overwrite

    def __call__(self, number, part):
        from pyarrow.parquet import write_table

        part = part.compute() if hasattr(part, "compute") else part
        path = Path(self.folder, self.names[number])
        made_of = f"{self.made_of} {_stamp(part)}".encode()
        if path.exists() and not self.overwrite:
            return _check_same(path, made_of)
        table = lists_of(open_mapped(self.model), part, self.k, exclude_seen=self.exclude_seen)
        table = table.replace_schema_metadata({**(table.schema.metadata or {}), _KEY: made_of})
        with atomic_file(path) as file:
            write_table(table, file)


def _check_same(path, made_of):
    from pyarrow.parquet import read_schema

    try:
        found = (read_schema(path).metadata or {}).get(_KEY)
    except (OSError, ValueError):  # no parquet at all
        found = None
    if found != made_of:
        raise ValueError(
            f"{path} stands there and is of another model, other parameters or another part. "
            "Expected no such file, or one that this call would write: use another folder, or "
            "overwrite=True."
        )


def _stamp(part):
    """What tells a part from others: of a file its place, size and time; else what it holds."""
    if isinstance(part, str | os.PathLike):
        state = os.stat(part)
        return joblib.hash((str(Path(part).resolve()), state.st_size, state.st_mtime_ns))
    if issparse(part):
        X = csr_array(sound_sparse(part, "A part"))
        return joblib.hash((X.shape, X.indptr, X.indices, X.data))
    return joblib.hash(part)


def lists_of(content, part, k, *, exclude_seen=True):
    """The lists of the users of a part as a table.

    Parameters
    ----------
    content : Recommended
    part : path, matrix or log
    k : int
    exclude_seen : bool, default=True

    Returns
    -------
    table : pyarrow.Table
    """
    import pyarrow as pa

    model, encoder = content
    if content.reads_logs:
        frame = model.recommend(read_part(part), k, exclude_seen=exclude_seen)
        if hasattr(frame, "to_arrow"):
            return frame.to_arrow()
        return frame if isinstance(frame, pa.Table) else pa.Table.from_pandas(frame)
    X, users = Rows(encoder, users=True)(part)
    users = np.asarray(users)
    if X.shape[0] == 0:
        lists, scores = np.empty((0, k), np.intp), np.empty((0, k), X.dtype)
    else:
        lists, scores = _recommend(model, X, k, exclude_seen)
    rows, places = np.nonzero(lists >= 0)
    items = lists[rows, places]
    columns = {
        "user": users[rows] if len(users) else np.empty(0, _kind_of_users(encoder)),
        "rank": places + 1,
        "item": items if encoder is None else encoder.item_ids_[items],
        "score": scores[rows, places],
    }
    return pa.table({name: _plain(values) for name, values in columns.items()})


def _recommend(model, X, k, exclude_seen):
    if hasattr(model, "recommend"):
        return model.recommend(X, k, exclude_seen=exclude_seen, return_scores=True)
    return recommend_any(model, X, k, exclude_seen=exclude_seen, return_scores=True)


def _kind_of_users(encoder):
    return np.int64 if encoder is None else encoder.user_ids_.dtype


def _plain(values):
    # pyarrow reads mixed objects as Python values only.
    return values.tolist() if values.dtype.kind == "O" else values
