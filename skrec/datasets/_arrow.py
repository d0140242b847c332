"""Tables in the files that pyarrow reads: parquet, Arrow (feather), ORC."""

import io
from contextlib import contextmanager

from skrec.datasets._files import open_binary, plain_errors
from skrec.datasets._guess import find_columns
from skrec.datasets._parquet_schema import common_fields, names_of_parts, require_columns

__all__ = ["parquet_batches", "read_arrow", "read_parquet"]

_BATCH = 1 << 17  # lines of a batch


def read_arrow(path, kind, columns):
    """Read the columns of a log from a file.

    Parameters
    ----------
    path : pathlib.Path
    kind : {"parquet", "arrow", "orc"}
    columns : tuple of 4 of str, int, "auto" or None
        As for text files.

    Returns
    -------
    table : pyarrow.Table
    columns : tuple of 4 of str, "auto" or None
        The columns to read from this table.

    Raises
    ------
    ValueError
        If the file is damaged, or the columns cannot be identified.
    """
    import pyarrow as pa

    with _errors_of_file(path, kind), plain_errors(path), open_binary(path) as binary:
        on_disk = isinstance(getattr(binary, "raw", None), io.FileIO)
        source = binary if on_disk else pa.BufferReader(binary.read())
        names, read = _open(source, kind)
        wanted, columns = _wanted(path, names, columns)
        table = read(wanted)
        # Without this check, pyarrow would use offsets from a damaged file as addresses.
        table.validate(full=True)
        return table, columns


def read_parquet(source, paths, columns):
    """Read parquet files as one table; see `parquet_batches`.

    Returns
    -------
    table : pyarrow.Table
    columns : tuple of 4 of str, "auto" or None
        The columns to read from this table.
    """
    import pyarrow as pa

    with parquet_batches(source, paths, columns, _BATCH) as (schema, batches, columns):
        return pa.Table.from_batches(batches, schema), columns


@contextmanager
def parquet_batches(source, paths, columns, batch_size):
    """Open parquet files to read them a batch at a time.

    Names of folders such as ``day=1`` become columns.

    Parameters
    ----------
    source : pathlib.Path or RemoteFile
        Name of all files in messages; the folder of several files.
    paths : list of pathlib.Path or RemoteFile
    columns : tuple of 4 of str, int, "auto" or None
        As for text files.
    batch_size : int
        Greatest number of lines of a batch.

    Yields
    ------
    schema : pyarrow.Schema
        Schema of the columns that are read.
    batches : iterator of pyarrow.RecordBatch
    columns : tuple of 4 of str, "auto" or None
        The columns to read from the batches.

    Raises
    ------
    ValueError
        If a file is damaged, if only some files have a wanted column, if two files give a column
        types without a common type, or if the columns cannot be identified.
    """
    import pyarrow.parquet as pq

    if len(paths) == 1 and not source.is_dir() and not hasattr(paths[0], "fs"):
        with _errors_of_file(paths[0], "parquet"), pq.ParquetFile(paths[0]) as file:
            wanted, columns = _wanted(paths[0], file.schema_arrow.names, columns)
            found = file.iter_batches(batch_size, columns=wanted)
            yield _part_of(file.schema_arrow, wanted), _validated(found), columns
        return
    with _errors_of_parts(source, paths):
        parts, columns = _dataset(source, paths, columns)
        found = parts.to_batches(batch_size=batch_size, batch_readahead=2, fragment_readahead=1)
        yield parts.schema, _validated(found), columns


def _dataset(folder, paths, columns):
    """A dataset of the wanted columns of all files, and their names in it."""
    import pyarrow as pa
    from pyarrow import dataset, fs

    if hasattr(paths[0], "fs"):
        named, base = [path.path for path in paths], folder.path
        filesystem = fs.PyFileSystem(fs.FSSpecHandler(paths[0].fs))
    else:
        named, base, filesystem = list(map(str, paths)), str(folder), None
    found = dataset.dataset(
        named, format="parquet", partitioning="hive", partition_base_dir=base,
        filesystem=filesystem,
    )  # fmt: skip
    names = names_of_parts(found)
    places = find_columns(folder, tuple(names), True, columns, [])
    wanted, columns = _asked(names, places, columns)
    wanted = list(dict.fromkeys(names)) if wanted is None else wanted
    require_columns(folder, found, wanted)
    fields = common_fields(folder, found, wanted, tuple(names[place] for place in places[:2]))
    # The fragments keep the metadata of their files, so that none is read twice.
    files = list(found.get_fragments())
    return dataset.FileSystemDataset(
        files, pa.schema(fields), found.format, found.filesystem
    ), columns


def _part_of(schema, wanted):
    import pyarrow as pa

    return schema if wanted is None else pa.schema([schema.field(name) for name in wanted])


def _validated(batches):
    for batch in batches:
        # Without this check, pyarrow would use offsets from a damaged file as addresses.
        batch.validate(full=True)
        yield batch


@contextmanager
def _errors_of_file(path, kind):
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError, MemoryError) as error:
        raise ValueError(
            f"{path} begins like {kind}, but cannot be read ({error}). Expected a complete file; "
            "fetch or write it again."
        ) from error


@contextmanager
def _errors_of_parts(folder, paths):
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError, MemoryError) as error:
        raise ValueError(
            f"{folder}: {len(paths)} parquet files cannot be read as one table ({error}). Expected "
            "complete files with the same columns."
        ) from error


def _open(source, kind):
    """Names of the columns, and a function that reads some of them (None: all)."""
    if kind == "parquet":
        import pyarrow.parquet as pq

        file = pq.ParquetFile(source)
        return file.schema_arrow.names, lambda wanted: file.read(columns=wanted)
    if kind == "orc":
        from pyarrow import orc

        file = orc.ORCFile(source)
        return file.schema.names, lambda wanted: file.read(columns=wanted)
    from pyarrow import feather, ipc

    start = source.read(4)
    source.seek(0)
    stream = start == b"\xff\xff\xff\xff"
    table = ipc.open_stream(source).read_all() if stream else feather.read_table(source)
    return table.column_names, lambda wanted: table if wanted is None else table.select(wanted)


def _wanted(path, names, columns):
    """Names of the columns to read, and the arguments that find them in the result."""
    return _asked(names, find_columns(path, tuple(names), True, columns, []), columns)


def _asked(names, places, columns):
    wanted = list(dict.fromkeys(names[place] for place in places if place is not None))
    if len(set(names)) < len(names):
        return None, columns
    # "auto" stays "auto", so that the guess is checked against the values.
    return wanted, tuple(names[column] if isinstance(column, int) else column for column in columns)
