"""Tables of items and users that accompany a log, as CSV."""

import csv
import gzip
import io

import numpy as np
from scipy.sparse import csr_array
from sklearn.utils import Bunch

from skrec._log._ids import pack_ids

__all__ = ["aligned_table", "genre_matrix", "read_table", "write_table"]


def write_table(file, columns):
    """Write columns as utf-8 CSV with a header.

    Parameters
    ----------
    file : binary file
    columns : dict of str to sequence
    """
    text = io.TextIOWrapper(file, "utf-8", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    text.flush()
    text.detach()


def read_table(path):
    """Read a CSV with a header as columns of text.

    Parameters
    ----------
    path : pathlib.Path

    Returns
    -------
    columns : dict of str to list of str

    Raises
    ------
    ValueError
        If a line has another number of fields than the header.
    """
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        names = next(reader, [])
        rows = []
        for row in reader:
            if row and len(row) != len(names):
                raise ValueError(
                    f"{path}, line {reader.line_num}: found {len(row)} fields, expected "
                    f"{len(names)} ({names}); mend the file, or delete it to load without it."
                )
            if row:
                rows.append(row)
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    return {name: list(column) for name, column in zip(names, columns, strict=True)}


def aligned_table(path, role, n):
    """Read a table in the order of the ids.

    Parameters
    ----------
    path : pathlib.Path
        A CSV with a column `role` of positions; lines with -1 are skipped.
    role : {"item", "user"}
    n : int
        Number of ids.

    Returns
    -------
    table : Bunch of ndarray of shape (n,)
        Its columns; "" for ids without a line.
    """
    columns = read_table(path)
    if role not in columns:
        raise ValueError(
            f"{path} has no column {role!r}. Got {list(columns)}; the column must hold the "
            f"position of each {role}, or -1 for a {role} without interactions."
        )
    places = np.array(columns.pop(role), dtype=np.int64)
    if (places >= n).any():
        raise ValueError(
            f"{path}: {role} {places.max()} is beyond the {n} {role}s of interactions.npz. Delete "
            "the folder and fetch the data again."
        )
    rows = np.flatnonzero(places >= 0)
    table = Bunch()
    for name, column in columns.items():
        values = np.full(n, "", dtype=object)
        values[places[rows]] = np.array(column, dtype=object)[rows]
        table[name] = _plain_column(values)
    return table


def _plain_column(values):
    texts = values.tolist()
    if texts and all(text.lstrip("-").isdecimal() and len(text) < 19 for text in texts):
        numbers = list(map(int, texts))
        # "00501" is a zip code, not the number 501.
        if all(str(number) == text for number, text in zip(numbers, texts, strict=True)):
            return np.array(numbers, dtype=np.int64)
    return np.array(texts, dtype=np.str_) if pack_ids(texts).dtype.kind == "U" else values


def genre_matrix(genres):
    """Split texts such as "Action|Drama".

    Parameters
    ----------
    genres : ndarray of str of shape (n_items,)

    Returns
    -------
    names : ndarray of str of shape (n_genres,)
        Sorted.
    matrix : csr_array of float64 of shape (n_items, n_genres)
        1 where an item has a genre.
    """
    lists = [
        [name for name in text.split("|") if name and name != "(no genres listed)"]
        for text in genres.tolist()
    ]
    names = sorted({name for some in lists for name in some})
    place = {name: column for column, name in enumerate(names)}
    indices = [sorted({place[name] for name in some}) for some in lists]
    indptr = np.concatenate([[0], np.cumsum([len(some) for some in indices])])
    flat = np.array([column for some in indices for column in some], dtype=np.int32)
    shape = (len(lists), len(names))
    matrix = csr_array((np.ones(len(flat)), flat, indptr.astype(np.int32)), shape=shape)
    return np.array(names, dtype=np.str_), matrix
