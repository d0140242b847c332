"""Convert an archive of GroupLens to a folder of the data home."""

import csv
import io
import zipfile

import numpy as np

from skrec._log._text_ids import ids_of_text
from skrec.datasets._cache import time_ranks
from skrec.datasets._layout import Layout
from skrec.datasets._tables import write_table
from skrec.datasets._text_fast import read_stream
from skrec.utils._files import atomic_file

__all__ = ["convert_archive"]

_PLACES = (0, 1, 2, 3)
_NAMES = ("user", "item", "rating", "timestamp")
_RATINGS = {
    "u.data": Layout("\t", False, _NAMES, _PLACES, None, "utf-8"),
    "ratings.dat": Layout("::", False, _NAMES, _PLACES, None, "utf-8"),
    "ratings.csv": Layout(",", True, _NAMES, _PLACES, '"', "utf-8"),
}


def convert_archive(archive, folder):
    """Write ``items.csv``, ``users.csv``, the README and, last, ``interactions.npz``.

    Parameters
    ----------
    archive : pathlib.Path
        A zip with u.data (100k), ratings.dat (1m, 10m) or ratings.csv (all others).
    folder : pathlib.Path
        An existing folder.

    Raises
    ------
    ValueError
        If the archive holds none of these files, or one with unexpected content.
    """
    try:
        with zipfile.ZipFile(archive) as file:
            members = {name.rsplit("/", 1)[-1]: name for name in file.namelist()[::-1]}
            arrays = _interactions(archive, file, members)
            items = _items(file, members, arrays["item_ids"])
            users = _users(file, members, arrays["user_ids"])
            about = next((members[n] for n in ("README", "README.txt") if n in members), None)
            readme = b"" if about is None else file.read(about)
    except zipfile.BadZipFile as error:
        raise ValueError(
            f"{archive} is not a valid zip ({error}). Delete it and try again."
        ) from error
    for name, columns in (("items.csv", items), ("users.csv", users)):
        if columns is not None:
            with atomic_file(folder / name) as file:
                write_table(file, columns)
    with atomic_file(folder / "README.txt") as file:
        file.write(readme)
    # Last, because the presence of this file means that the data set is complete.
    with atomic_file(folder / "interactions.npz") as file:
        np.savez_compressed(file, **arrays)


def _interactions(archive, file, members):
    name = next((name for name in _RATINGS if name in members), None)
    if name is None:
        raise ValueError(
            f"{archive} holds none of {list(_RATINGS)}. Got {sorted(members)[:10]}; expected an "
            "archive from https://grouplens.org/datasets/movielens/."
        )
    with file.open(members[name]) as binary:
        log = read_stream(binary, _RATINGS[name], "utf-8")
    if log is None:
        raise ValueError(
            f"{members[name]} in {archive} has lines that are not user, item, rating, timestamp. "
            "Delete the archive and try again."
        )
    user_ids, place = ids_of_text(log.user_ids)
    user = place[log.user].astype(np.int32)
    item_ids, place = ids_of_text(log.item_ids)
    item = place[log.item].astype(np.int32)
    whole = (log.value == np.floor(log.value)).all()
    arrays = {
        "user": user,
        "item": item,
        "rating": log.value.astype(np.uint8 if whole else np.float32),
        "timestamp": log.timestamp,
        "time_rank": time_ranks(user, log.timestamp),
        "user_ids": user_ids.astype(np.int32),
        "item_ids": item_ids.astype(np.int32),
    }
    if name == "u.data":
        arrays |= _official_splits(file, members, arrays)
    return arrays


def _official_splits(file, members, arrays):
    """Folds u1 to u5 as numbers 0 to 4, and the test sets ua and ub as masks."""
    user_ids, item_ids = arrays["user_ids"].astype(np.int64), arrays["item_ids"]
    key = user_ids[arrays["user"]] * 2**32 + item_ids[arrays["item"]]
    masks = {}
    for name in ("u1", "u2", "u3", "u4", "u5", "ua", "ub"):
        if f"{name}.test" in members:
            lines = file.read(members[f"{name}.test"]).decode().split("\n")
            pairs = np.array([line.split("\t")[:2] for line in lines if line], dtype=np.int64)
            masks[name] = np.isin(key, pairs[:, 0] * 2**32 + pairs[:, 1])
    splits = {f"{name}_test": masks[name] for name in ("ua", "ub") if name in masks}
    folds = [masks[f"u{fold}"] for fold in range(1, 6) if f"u{fold}" in masks]
    if len(folds) == 5 and (np.sum(folds, axis=0) == 1).all():
        splits["cv_fold"] = np.argmax(folds, axis=0).astype(np.uint8)
    return splits


def _items(file, members, item_ids):
    if "u.item" in members:
        rows = _lines(file, members["u.item"], "|", "latin-1")
        genres = [row[0] for row in _lines(file, members["u.genre"], "|", "latin-1")]
        columns = {
            "movie_id": [row[0] for row in rows],
            "title": [row[1] for row in rows],
            "release_date": [row[2] for row in rows],
            "imdb_url": [row[4] for row in rows],
            "genres": [
                "|".join(g for g, flag in zip(genres, row[5:], strict=False) if flag == "1")
                for row in rows
            ],
        }
    elif "movies.dat" in members:
        rows = _lines(file, members["movies.dat"], "::", None)
        columns = {
            "movie_id": [row[0] for row in rows],
            "title": [row[1] for row in rows],
            "genres": [row[2] for row in rows],
            "year": [_year(row[1]) for row in rows],
        }
    elif "movies.csv" in members:
        text = io.StringIO(file.read(members["movies.csv"]).decode("utf-8-sig"), newline="")
        names, *rows = csv.reader(text)
        columns = {"movie_id": [row[0] for row in rows]} | {
            name: [row[place] for row in rows] for place, name in enumerate(names) if place
        }
    else:
        return None
    return _placed(columns, "item", "movie_id", item_ids)


def _users(file, members, user_ids):
    if "u.user" in members:
        names = ("user_id", "age", "gender", "occupation", "zip")
        rows = _lines(file, members["u.user"], "|", "latin-1")
    elif "users.dat" in members:
        names = ("user_id", "gender", "age", "occupation", "zip")
        rows = _lines(file, members["users.dat"], "::", "latin-1")
    else:
        return None
    columns = {name: [row[place] for row in rows] for place, name in enumerate(names)}
    return _placed(columns, "user", "user_id", user_ids)


def _placed(columns, role, id_name, ids):
    """Add a first column of positions, -1 for ids without ratings, and sort the lines by it."""
    own = np.array(columns[id_name], dtype=np.int64)
    places = np.searchsorted(ids, own)
    places[places == len(ids)] = 0
    places = np.where(ids[places] == own, places, -1)
    order = np.lexsort((own, places)).tolist()
    columns = {role: places.tolist()} | columns
    return {name: [column[row] for row in order] for name, column in columns.items()}


def _lines(file, member, delimiter, encoding):
    """Fields of each line; `encoding` None: utf-8 (10m), else latin-1 (1m)."""
    raw = file.read(member)
    try:
        text = raw.decode(encoding or "utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    return [line.rstrip("\r").split(delimiter) for line in text.split("\n") if line.strip()]


def _year(title):
    year = title.rstrip()[-5:-1]
    return year if year.isdecimal() and title.rstrip().endswith(")") else ""
