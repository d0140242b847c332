"""The sources of DATA: a file, a data set in the data home or on the web, the demo."""

import os
import re
from pathlib import Path
from typing import NamedTuple

from sklearn.utils import Bunch

from skrec._cli._arguments import LOG_OPTIONS
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
_DATA_SET = "interactions.npz"
_DELIMITERS = {"tab": "\t", "\\t": "\t", "space": " "}


class Source(NamedTuple):
    """A log in memory.

    Attributes
    ----------
    title : str
    raw : Bunch
        Result of a loader of `skrec.datasets`.
    is_movielens : bool
        Whether the values are ratings of MovieLens.
    """

    title: str
    raw: Bunch
    is_movielens: bool


def open_source(name, *, reading, data_home):
    """Load the data that DATA names.

    Parameters
    ----------
    name : str or None
        In this order: an existing file, a folder of files, or a pattern such as "day*.csv";
        None or "demo", the demonstration data; a folder with an interactions.npz; a data
        set of MovieLens, fetched if it is missing; a folder of the data home.
    reading : dict
        See `reading_options`; for files of text and parquet.
    data_home : str or None

    Returns
    -------
    source : Source

    Raises
    ------
    CommandError
        If the name matches none of these.
    """
    path = Path(os.path.expanduser(name or _DEMO))
    _refuse_pipe(path)
    if name is not None and _is_log(path, name):
        return Source(path.name, load_interactions(path, **reading), False)
    if reading:
        raise CommandError(f"{option_of(reading)} is for files, but {path} is not a file.")
    if name is None or name == _DEMO:
        return Source("demo data (generated)", load_demo(), False)
    if (path / _DATA_SET).is_file():
        path = path.resolve()
        return _dataset(path.name, path.parent)
    if _movielens_name(name) in _MOVIELENS:
        short = _movielens_name(name)
        return Source(f"ml-{short}", fetch_movielens(short, data_home=data_home), True)
    home = Path(get_data_home(data_home))
    if (home / name / _DATA_SET).is_file() and Path(name).name == name:
        return _dataset(name, home)
    raise _not_found(name, home)


def reading_options(arguments):
    """The options for reading files.

    Parameters
    ----------
    arguments : argparse.Namespace
        With the arguments of `skrec._cli._arguments.add_log_options`.

    Returns
    -------
    reading : dict
        Given parameters of `load_interactions`.

    Raises
    ------
    CommandError
        See `parse_columns`.
    """
    reading = parse_columns(arguments.columns)
    for name in LOG_OPTIONS[1:]:
        value = getattr(arguments, name)
        if value not in (None, False):
            reading[name] = value
    if "header" in reading:
        reading["header"] = reading["header"] == "yes"
    if "delimiter" in reading:
        given = reading["delimiter"]
        reading["delimiter"] = _DELIMITERS.get(given.lower(), given)
    if reading.get("quotechar", "").lower() == "none":
        reading["quotechar"] = None
    return reading


def option_of(reading):
    """The first option of `reading_options`, as typed."""
    name = next(iter(reading))
    return "--columns" if name in _ROLES else f"--{name.replace('_', '-')}"


def read_log(name, reading):
    """Read a log from a file.

    Parameters
    ----------
    name : str
    reading : dict
        See `reading_options`.

    Returns
    -------
    raw : Bunch
        Of `skrec.datasets.load_interactions`.

    Raises
    ------
    OSError, ValueError
        If the file cannot be read or is not a log.
    """
    _refuse_pipe(Path(name))
    if (Path(name) / _DATA_SET).is_file():
        name = Path(name) / _DATA_SET
    return load_interactions(name, **reading)


def parse_columns(text):
    """Read the names of columns.

    Parameters
    ----------
    text : str or None
        Such as "user=client,item=sku,value=none". A whole number is a position, from 1.

    Returns
    -------
    columns : dict of str to (str, int or None)
        Parameters of `load_interactions`: positions from 0, None for "none".

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
            raise CommandError("--columns counts columns from 1. Got 0.")
        return int(name) - 1
    return name


def _refuse_pipe(path):
    """Raise for a pipe: the loaders read a log twice, first its format, then its content."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise CommandError(
            f"{path} is not a regular file (it may be a pipe); write it to a file first."
        )


def _is_log(path, name):
    """Whether the name is a file, a folder of files that is not a data set, or a pattern."""
    if path.is_dir():
        named = _movielens_name(name) in _MOVIELENS or name == _DEMO
        return not named and not (path / _DATA_SET).is_file()
    return path.is_file() or re.search(r"[*?\[]", name) is not None


def _movielens_name(name):
    return name.lower().removeprefix("ml-")


def _dataset(name, home):
    raw = load_dataset(name, data_home=home)
    is_movielens = _movielens_name(name) in _MOVIELENS and raw.value_name == "rating"
    return Source(name, raw, is_movielens)


def _not_found(name, home):
    if re.search(r"[/\\]|\.\w+$", name):
        return CommandError(f"there is no file {name}.")
    there = {path.parent.name for path in home.glob(f"*/{_DATA_SET}")}
    return unknown_name(
        f"data set in {home} (and no file of this name)",
        name,
        {_DEMO, *(f"ml-{short}" for short in _MOVIELENS), *there},
    )
