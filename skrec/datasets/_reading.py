"""Checks of the parameters of reading a log."""

import os
from datetime import UTC, datetime

import numpy as np

from skrec._log._returns import NEGATIVE
from skrec._log._times import TimeForm
from skrec.datasets._guess import ROLES

__all__ = ["check_reading", "is_in_memory"]


def check_reading(
    columns, *, delimiter, header, quotechar, encoding, decimal, timestamp_format, negative,
    drop_missing,
):  # fmt: skip
    """Check the parameters of reading a log.

    Parameters
    ----------
    columns : tuple of 4 of str, int, "auto" or None
    delimiter, header, quotechar, encoding, decimal, timestamp_format : object
    negative, drop_missing : object
        See `load_interactions`.

    Returns
    -------
    text : dict
        The keyword arguments of `find_layout`.
    """
    _check_rules(negative, drop_missing)
    _check_columns(columns)
    _check_text_parameters(delimiter, quotechar, encoding, decimal)
    _check_format(timestamp_format)
    return {
        "delimiter": delimiter, "header": header, "columns": columns, "quotechar": quotechar,
        "encoding": encoding, "decimal": decimal, "form": TimeForm(timestamp_format),
    }  # fmt: skip


def is_in_memory(log):
    """Whether the argument is a log instead of a path; a TypeError if it is neither."""
    if log is None or isinstance(log, bytes | int | float):
        raise TypeError(
            f"Expected a path, a list of paths or a log in memory. Got {type(log).__name__}."
        )
    if isinstance(log, str | os.PathLike):
        return False
    paths = isinstance(log, list) and all(isinstance(part, str | os.PathLike) for part in log)
    return not (paths and log)


def _check_rules(negative, drop_missing):
    if not isinstance(drop_missing, bool | np.bool_):
        raise ValueError(f"drop_missing must be True or False. Got {drop_missing!r}.")
    if negative not in NEGATIVE:
        raise ValueError(f"negative must be one of {NEGATIVE}. Got {negative!r}.")


def _check_columns(columns):
    for role, column in zip(ROLES, columns, strict=True):
        absent = column is None and role in ("value", "timestamp")
        place = isinstance(column, int) and not isinstance(column, bool)
        if not (absent or place or isinstance(column, str)):
            raise ValueError(
                f"{role} must be the name or position of a column, or 'auto'. Got {column!r}."
            )


def _check_format(timestamp_format):
    """A format must read back what it writes, to the day; names of zones are not read as zones."""
    if timestamp_format is None:
        return
    if isinstance(timestamp_format, str) and "%Z" in timestamp_format.replace("%%", ""):
        raise ValueError(
            "timestamp_format= cannot have %Z: Python reads the name of a zone, but not its hours. "
            f"Use %z for offsets such as +0100. Got {timestamp_format!r}."
        )
    some = datetime(2023, 11, 22, 13, 14, 15, tzinfo=UTC)  # its parts differ
    try:
        found = datetime.strptime(some.strftime(timestamp_format), timestamp_format)
        is_date = (found.year, found.month, found.day) == (some.year, some.month, some.day)
    except (TypeError, ValueError):
        is_date = False
    if not is_date:
        raise ValueError(
            "timestamp_format= expects a form of dates for datetime.strptime with a year, a month "
            f"and a day, such as timestamp_format='%d.%m.%Y %H:%M'. Got {timestamp_format!r}."
        )


def _check_text_parameters(delimiter, quotechar, encoding, decimal):
    if delimiter is not None and not (
        isinstance(delimiter, str) and delimiter and not set(delimiter) & set("\r\n")
    ):
        raise ValueError(f"delimiter must be text without line breaks, or None. Got {delimiter!r}.")
    if quotechar is not None and not (isinstance(quotechar, str) and len(quotechar) == 1):
        raise ValueError(f"quotechar must be one character, or None. Got {quotechar!r}.")
    if decimal not in (".", ","):
        raise ValueError(f"decimal must be '.' or ','. Got {decimal!r}.")
    if quotechar is not None and quotechar == delimiter:
        raise ValueError(
            f"delimiter and quotechar are both {quotechar!r}. Expected two characters; pass "
            "quotechar=None if quotes have no meaning."
        )
    try:
        "".encode(encoding)  # codecs.lookup also accepts codecs that are not for text
    except (LookupError, TypeError, ValueError) as error:
        raise ValueError(
            f"encoding must be a name that Python knows, such as 'utf-8' or 'latin-1'. Got "
            f"{encoding!r}."
        ) from error
