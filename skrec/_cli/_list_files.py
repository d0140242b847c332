"""Lists as files: CSV, parquet, or a folder of parquet parts that a later run continues."""

import csv
import os
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from skrec._cli._errors import CommandError
from skrec._cli._ids import as_text
from skrec._cli._lists import open_output
from skrec.utils._files import abandoned_parts, atomic_file, name_of_part
from skrec.utils._list_parts import ListParts, is_part_name, part_name

__all__ = ["is_folder", "open_lists", "parquet_writer", "parts_of_folder"]

_PARQUET = (".parquet", ".pq")
_PART_USERS = 1 << 16
_TEXT = {"user": as_text, "item": as_text, "similar": as_text, "score": "{:.6g}".format}  # in CSV
_GROUP_ROWS = 1 << 18  # of a row group of parquet, at least


def is_folder(output):
    """Whether ``--output`` names a folder of parts: it ends in a slash."""
    return output is not None and output.endswith(tuple(filter(None, ("/", os.sep, os.altsep))))


@contextmanager
def open_lists(path, names):
    """Open a file of lists, which appears only when it is complete.

    Parameters
    ----------
    path : pathlib.Path or None
        Parquet by its ending, else CSV; None: CSV to standard output.
    names : list of str
        Names of the columns, in their order.

    Yields
    ------
    write : callable
        Takes columns of one length: a dict with these names.
    """
    if path is not None and path.suffix.lower() in _PARQUET:
        with atomic_file(path) as file, parquet_writer(file) as write:
            yield write
        return
    with open_output(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)

        def write(columns):
            texts = [map(_TEXT.get(name, str), columns[name]) for name in names]
            writer.writerows(zip(*texts, strict=True))

        yield write


@contextmanager
def parquet_writer(file, metadata=None):
    """Write tables of parquet as `open_lists` does.

    Parameters
    ----------
    file : binary file
    metadata : dict of bytes, default=None
        Metadata of the schema.

    Yields
    ------
    write : callable
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    writer, waiting = None, []

    def write_group():
        nonlocal writer
        table = pa.concat_tables(waiting).combine_chunks()
        waiting.clear()
        table = table.replace_schema_metadata(metadata)
        writer = pq.ParquetWriter(file, table.schema) if writer is None else writer
        writer.write_table(table)

    def write(columns):
        waiting.append(pa.table({name: _arrow(column) for name, column in columns.items()}))
        if sum(map(len, waiting)) >= _GROUP_ROWS:
            write_group()

    try:
        yield write
        if waiting:
            write_group()
        if writer is not None:
            writer.close()
    except BaseException:
        if writer is not None:
            with suppress(Exception):  # the first error is the one to report
                writer.close()  # now, while its file is open
        raise


def _arrow(column):
    """Whole numbers as ids stay numbers; all other ids become text."""
    import pyarrow as pa

    column = np.asarray(column)
    if column.dtype.kind not in "iufbU":
        return pa.array([as_text(value) for value in column.tolist()], pa.string())
    if column.dtype.kind == "U":
        return pa.array(column.tolist(), pa.string())
    return pa.array(column)


def parts_of_folder(output, n_users, mark):
    """Files of a folder of lists, and the users of each.

    Parameters
    ----------
    output : str
    n_users : int
    mark : str
        See `skrec.utils._list_parts.made_of`.

    Returns
    -------
    files : ListParts
    bounds : list of (int, int)
        First user of each file and one behind the last.

    Raises
    ------
    CommandError
        If the folder cannot be made or has other content.
    ValueError
        If the folder has other lists.
    """
    folder = Path(output)
    if not folder.parent.is_dir():
        raise CommandError(
            f"--output {output}: the folder {folder.parent} does not exist; make it first."
        )
    if folder.exists() and not folder.is_dir():
        raise CommandError(f"--output {output} is a file; expected a folder or a new name.")
    if not os.access(folder if folder.exists() else folder.parent, os.W_OK):
        raise CommandError(f"--output {output}: the folder is not writable.")
    folder.mkdir(exist_ok=True)
    for part in abandoned_parts(folder):  # of runs that were killed
        with suppress(OSError):  # another run may do the same
            part.unlink()
    if not all(map(_is_ours, os.listdir(folder))):
        raise CommandError(
            f"--output {output} has other files. Expected an empty folder, or one that this "
            "command has begun to write."
        )
    starts = range(0, n_users, _PART_USERS)
    names = [part_name(number) for number in range(len(starts))]
    remedy = f"delete {output}, or name another folder"
    files = ListParts(folder, names, mark, remedy=remedy, numbered=True)
    files.check_folder()
    return files, [(start, min(start + _PART_USERS, n_users)) for start in starts]


def _is_ours(name):
    """Whether a file has lists, or is being written as one."""
    becomes = name_of_part(name)
    return is_part_name(name if becomes is None else becomes)
