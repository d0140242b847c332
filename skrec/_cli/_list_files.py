"""Lists as files: CSV, parquet, or a folder of parquet parts that a later run goes on with."""

import csv
import hashlib
import json
import os
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from skrec._cli._errors import CommandError, one_line
from skrec._cli._ids import as_text
from skrec._cli._lists import open_output
from skrec.utils._files import abandoned_parts, atomic_file, new_part

__all__ = [
    "file_digest",
    "fingerprint",
    "is_folder",
    "lines_of_part",
    "open_lists",
    "parts_of_folder",
]

_PARQUET = (".parquet", ".pq")
_MANIFEST = "_lists.json"  # readers of parquet pass over names that begin so
_PART_USERS = 1 << 16
_TEXT = {"user": as_text, "item": as_text, "similar": as_text, "score": "{:.6g}".format}  # in CSV
_GROUP_ROWS = 1 << 18  # of a row group of parquet, at least


def is_folder(output):
    """Whether ``--output`` names a folder of parts: it ends in a slash."""
    return output is not None and output.endswith(tuple(filter(None, ("/", os.sep, os.altsep))))


@contextmanager
def open_lists(path, names):
    """Open a file of lists, which takes its place when it is whole.

    Parameters
    ----------
    path : pathlib.Path or None
        Parquet if it ends so, else CSV; None: CSV to standard output.
    names : list of str
        Names of the columns, in their order.

    Yields
    ------
    write : callable
        Takes columns of one length: a dict with these names.
    """
    if path is not None and path.suffix.lower() in _PARQUET:
        with atomic_file(path) as file, _parquet_writer(file) as write:
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
def _parquet_writer(file):
    import pyarrow as pa
    import pyarrow.parquet as pq

    writer, waiting = None, []

    def write_group():
        nonlocal writer
        table = pa.concat_tables(waiting).combine_chunks()
        waiting.clear()
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
            with suppress(Exception):  # what failed first is the error to report
                writer.close()  # or it would be closed later, when its file is no longer open
        raise


def _arrow(column):
    """Ids that are whole numbers stay some; all other ids are text."""
    import pyarrow as pa

    column = np.asarray(column)
    if column.dtype.kind not in "iufbU":
        return pa.array([as_text(value) for value in column.tolist()], pa.string())
    if column.dtype.kind == "U":
        return pa.array(column.tolist(), pa.string())
    return pa.array(column)


def file_digest(path):
    """SHA-256 of a file, as text."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(*contents):
    """What decides the lists, as text: the same for the same model, users and options.

    Parameters
    ----------
    *contents : ndarray, or what `repr` tells
    """
    digest = hashlib.sha256()
    for content in contents:
        if isinstance(content, np.ndarray) and content.dtype.kind != "O":
            digest.update(f"{content.dtype.str}{content.shape}".encode())
            digest.update(np.ascontiguousarray(content).view(np.uint8).data)
        else:
            content = content.tolist() if isinstance(content, np.ndarray) else content
            digest.update(repr(content).encode())
    return digest.hexdigest()


def parts_of_folder(output, n_users, mark):
    """Files of a folder of lists, and the users of each.

    Parameters
    ----------
    output : str
    n_users : int
    mark : str
        See `fingerprint`.

    Returns
    -------
    parts : list of (pathlib.Path, int, int)
        Path, first user and one behind the last. Those that exist are whole.

    Raises
    ------
    CommandError
        If the folder cannot be made or holds anything else.
    """
    folder = Path(output)
    if not folder.parent.is_dir():
        raise CommandError(
            f"--output {output}: the folder {folder.parent} does not exist; make it first."
        )
    if folder.exists() and not folder.is_dir():
        raise CommandError(f"--output {output} is a file; expected a folder, or none of this name.")
    if not os.access(folder if folder.exists() else folder.parent, os.W_OK):
        raise CommandError(f"--output {output}: the folder is not writable.")
    manifest = folder / _MANIFEST
    wanted = {"lists": mark, "users": n_users, "users_of_a_part": _PART_USERS}
    if not manifest.exists():
        _begin_folder(manifest, wanted, output)
    # Another run may have begun the same folder meanwhile.
    try:
        found = json.loads(manifest.read_text("utf-8"))
    except ValueError:
        found = None
    if found != wanted:
        raise CommandError(
            f"--output {output} holds lists of another model, other users or other options, "
            "or of another version of skrec. Delete it, or name another folder."
        )
    starts = range(0, n_users, _PART_USERS)
    return [
        (folder / f"part-{number:05d}.parquet", start, min(start + _PART_USERS, n_users))
        for number, start in enumerate(starts)
    ]


def _begin_folder(manifest, content, output):
    """Write the manifest of a folder in which no other file stands, unless another run has."""
    folder = manifest.parent
    folder.mkdir(exist_ok=True)
    for part in abandoned_parts(folder, manifest):  # of runs that were killed
        with suppress(OSError):  # another run may do the same
            part.unlink()
    begun = f".{_MANIFEST}."  # so begin the names of manifests that other runs write just now
    others = any(not entry.name.startswith(begun) for entry in folder.iterdir())
    if others and not manifest.exists():
        raise CommandError(
            f"--output {output} holds other files. Expected an empty folder, or one that this "
            "command has begun to write."
        )
    part = new_part(manifest)
    try:
        with open(part, "x", encoding="utf-8") as file:
            json.dump(content, file)
            file.flush()
            os.fsync(file.fileno())
        _name_once(part, manifest)
    finally:
        part.unlink(missing_ok=True)


def _name_once(part, path):
    """Give a whole file its name, unless there is a file of that name."""
    try:
        os.link(part, path)  # a rename would replace what another run has written
    except FileExistsError:
        return
    except OSError:  # not every file system has links
        if not path.exists():
            os.replace(part, path)


def lines_of_part(path):
    """How many lines a part of a folder holds.

    Parameters
    ----------
    path : pathlib.Path

    Returns
    -------
    n_lines : int

    Raises
    ------
    CommandError
        If the part cannot be read.
    """
    import pyarrow.parquet as pq

    try:
        return pq.read_metadata(path).num_rows
    except (ValueError, OSError) as error:
        raise CommandError(
            f"{path} cannot be read: {one_line(error)}. Delete this part; the next run writes it "
            "anew."
        ) from error
