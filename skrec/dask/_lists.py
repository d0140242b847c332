"""Lists for users in parts, from files to files."""

from collections import Counter
from pathlib import Path

import numpy as np

from skrec._recommend import recommend as recommend_any
from skrec.dask._model import mapped_file, open_mapped, read_model
from skrec.dask._parts import Rows, engine_over, is_path, list_of_parts, read_part
from skrec.utils._list_parts import ListParts, made_of, part_name
from skrec.utils._stamps import stamp
from skrec.utils._validation import check_k


def recommend(
    model, parts, folder, *, k=10, encoder=None, exclude_seen=True, overwrite=False, client=None
):
    """Write the lists of users in parts: one parquet file for each part.

    A file appears only when it is complete. A second call with the same model, parameters and
    parts continues where the first stopped: it keeps the files that are written, and makes a broken
    file again. Models and parts are the same if their contents are equal: names, times of
    files and `n_jobs` do not count.

    Parameters
    ----------
    model : fitted recommender, Pipeline, LogRecommender, or path
        A path names a file of `skrec.save` with a model, or with a dict of "model" and "encoder".
        `recommend` writes the model once into `folder`, where workers map it; the tasks hold its
        path.
    parts : list, path, dask bag or dask dataframe
        As for `fit`. All lines of a user must be in one part.
    folder : str or path-like
        Folder for the files, which all workers must see; created if missing. A part that is a file
        keeps its name, with ``.parquet`` at the end; other parts become ``part-00000.parquet`` and
        so on.
    k : int, default=10
        Length of the lists.
    encoder : InteractionEncoder, default=None
        Turns logs into rows, and rows and columns into ids. Leave it out for a `LogRecommender`,
        which has its own.
    exclude_seen : bool, default=True
        Whether to leave out the items that a user has.
    overwrite : bool, default=False
        Whether to write existing files again. `recommend` then also removes files of lists of
        another model or of other parameters from `folder`, and numbered files beyond the parts.
        Other files stay.
    client : distributed.Client, default=None
        As for `fit`.

    Returns
    -------
    paths : list of pathlib.Path
        The files, in the order of the parts. Their columns are "user", "rank" (from 1), "item" and
        "score", one line for each recommendation. Without ids, "user" is the number of the row in
        its part and "item" the number of the column. A `LogRecommender` may add columns.

    Raises
    ------
    ValueError
        If `folder` has a file of lists of another model, of other parameters, of another part or
        of another version of skrec; if a file of lists would replace a part; if two parts have the
        same name, k is not a whole number >= 1, or a part is not valid.

    See Also
    --------
    recommend_batches : Makes a function of record batches, for Spark.

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
    k, folder = check_k(k), Path(folder).absolute()  # workers may have another current folder
    content = read_model(model, encoder)
    parts = list_of_parts(parts, content.reader)
    names = _names(parts)
    _refuse_input_as_output(parts, [folder / name for name in names])
    folder.mkdir(parents=True, exist_ok=True)
    files = ListParts(
        folder, names, made_of(content, k, bool(exclude_seen)), overwrite=overwrite,
        remedy="use another folder, or overwrite=True", numbered=not all(map(is_path, parts)),
    )  # fmt: skip
    strangers = files.check_folder()
    with mapped_file(content, folder) as path:
        task = _PartLists(str(path), files, k, exclude_seen)
        engine = engine_over(parts, None, client)
        engine.map(task)
    for stranger in strangers:
        stranger.unlink(missing_ok=True)
    return [folder / name for name in names]


def _names(parts):
    """The name of the file of each part."""
    names = [
        f"{Path(part).stem}.parquet" if is_path(part) else part_name(number)
        for number, part in enumerate(parts)
    ]
    name, often = Counter(names).most_common(1)[0]
    if often > 1:
        raise ValueError(
            f"Each part needs its own file of lists. Got {often} parts for the file {name}: "
            "rename the files of the parts."
        )
    return names


def _refuse_input_as_output(parts, paths):
    inputs = {part.resolve() for part in parts if is_path(part)}
    for path in paths:
        if path.resolve() in inputs:
            raise ValueError(
                f"{path} is one of the parts, and its lists would replace it. Expected another "
                "folder for the lists."
            )


class _PartLists:
    """Writes the lists of one part; a task holds this object instead of the model."""

    def __init__(self, model, files, k, exclude_seen):
        self.model, self.files, self.k, self.exclude_seen = model, files, k, exclude_seen

    def __call__(self, number, part):
        from pyarrow.parquet import write_table

        part = part.compute() if hasattr(part, "compute") else part
        which = self.files.names[number], stamp(part)
        if self.files.n_lines(*which) is not None:
            return
        table = lists_of(open_mapped(self.model), part, self.k, exclude_seen=self.exclude_seen)
        with self.files.open(*which) as (file, metadata):
            metadata = {**(table.schema.metadata or {}), **metadata}
            write_table(table.replace_schema_metadata(metadata), file)


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
        frame = model.recommend(read_part(part, model.encoder_), k, exclude_seen=exclude_seen)
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
