"""Where DATA comes from: a file, a data set in the data home or on the web, the demo."""

import re
from pathlib import Path
from typing import NamedTuple

from sklearn.utils import Bunch

from skrec._cli._errors import CommandError, unknown_name
from skrec.datasets import (
    fetch_movielens,
    get_data_home,
    load_dataset,
    load_demo,
    load_interactions,
)

_MOVIELENS = ("100k", "1m", "10m", "20m", "25m", "32m", "latest-small")
_ROLES = ("user", "item", "value", "timestamp")
_DEMO = "demo"
_COLUMN_ARGUMENT = re.compile(rf"\b({'|'.join(_ROLES)})=")


class Source(NamedTuple):
    """A log that was read.

    Attributes
    ----------
    title : str
    raw : Bunch
        Of a loader of `skrec.datasets`.
    is_movielens : bool
        Whether its values are the ratings of MovieLens.
    """

    title: str
    raw: Bunch
    is_movielens: bool


def open_source(name, *, columns, data_home):
    """Load what DATA names.

    Parameters
    ----------
    name : str or None
        In this order: an existing file; None or "demo", the demonstration data; a folder
        that holds an interactions.npz; a data set of MovieLens, which is fetched if it is
        not there; a folder of the data home.
    columns : dict
        See `parse_columns`; for files of text and parquet.
    data_home : str or None

    Returns
    -------
    source : Source

    Raises
    ------
    CommandError
        If there is none of these.
    """
    path = Path(name or _DEMO).expanduser()
    if path.is_file() and name is not None:
        return Source(path.name, read_log(path, columns), False)
    if columns:
        raise CommandError(f"--columns is for files, and {path} is none.")
    if name is None or name == _DEMO:
        return Source("demo data (generated)", load_demo(), False)
    if (path / "interactions.npz").is_file():
        path = path.resolve()
        return _dataset(path.name, path.parent)
    if _movielens_name(name) in _MOVIELENS:
        short = _movielens_name(name)
        return Source(f"ml-{short}", fetch_movielens(short, data_home=data_home), True)
    home = Path(get_data_home(data_home))
    if (home / name / "interactions.npz").is_file() and Path(name).name == name:
        return _dataset(name, home)
    raise _not_found(name, home)


def read_log(path, columns):
    """Read a log from a file.

    Parameters
    ----------
    path : str or path-like
    columns : dict
        See `parse_columns`.

    Returns
    -------
    raw : Bunch
        Of `skrec.datasets.load_interactions`.

    Raises
    ------
    CommandError
        If a remedy is an argument of that function: here it is ``--columns``.
    """
    try:
        return load_interactions(path, **columns)
    except ValueError as error:
        if not _COLUMN_ARGUMENT.search(str(error)):
            raise
        raise CommandError(
            f"{error} On the command line: --columns user=NAME,item=NAME,value=NAME,"
            "timestamp=NAME, those that are needed; NAME is a name, a place from 1, or (value, "
            "timestamp) none."
        ) from error


def parse_columns(text):
    """Read the names of columns.

    Parameters
    ----------
    text : str or None
        Such as "user=client,item=sku,value=none". A whole number is a place, from 1.

    Returns
    -------
    columns : dict of str to (str, int or None)
        What `load_interactions` takes: places from 0, None for "none".

    Raises
    ------
    CommandError
        If a role is unknown or named twice, or a name is missing.
    """
    columns = {}
    for part in (text or "").split(","):
        role, _, name = (piece.strip() for piece in part.partition("="))
        if not part.strip():
            continue
        if role not in _ROLES:
            raise unknown_name("role in --columns", role, _ROLES)
        if not name or role in columns:
            raise CommandError(
                f"--columns {text!r}: expected each role once, like user=client,item=sku."
            )
        columns[role] = _column(name, role)
    return columns


def _column(name, role):
    if name.lower() == "none" and role in ("value", "timestamp"):
        return None
    if name.isdecimal():
        if int(name) == 0:
            raise CommandError("--columns counts the places of columns from 1. Got 0.")
        return int(name) - 1
    return name


def _movielens_name(name):
    return name.lower().removeprefix("ml-")


def _dataset(name, home):
    raw = load_dataset(name, data_home=home)
    is_movielens = _movielens_name(name) in _MOVIELENS and raw.value_name == "rating"
    return Source(name, raw, is_movielens)


def _not_found(name, home):
    if re.search(r"[/\\]|\.\w+$", name):
        return CommandError(f"there is no file {name}.")
    there = {path.parent.name for path in home.glob("*/interactions.npz")}
    return unknown_name(
        f"data set in {home} (and no file of this name)",
        name,
        {_DEMO, *(f"ml-{short}" for short in _MOVIELENS), *there},
    )
