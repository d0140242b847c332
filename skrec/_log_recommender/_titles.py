"""Turn titles of items (a mapping, frame, Series or file) into an array in the order of ids."""

import csv
import os
import warnings
from collections.abc import Mapping
from numbers import Real
from pathlib import Path

import numpy as np

from skrec._log._ids import as_id_column, describe_ids
from skrec._log_recommender._frames import column_names, is_frame
from skrec.utils._log_names import guess_column, plain_name

_DELIMITERS = (",", ";", "\t", "|")
_TITLES = ("title", "itemtitle", "name", "itemname", "productname", "movietitle", "description")


def titles_of_items(titles, item_ids):
    """Titles in the order of the items.

    Parameters
    ----------
    titles : mapping of id to title, pandas Series with ids as index, dataframe, path of a \
            CSV file, or None
    item_ids : ndarray of shape (n_items,)

    Returns
    -------
    titles : ndarray of str of shape (n_items,) or None
        "" for an item without a title.

    Raises
    ------
    TypeError
        If `titles` has another type.
    ValueError
        If none of the items has a title.

    Warns
    -----
    UserWarning
        If an item has several titles. The last one counts.
    """
    if titles is None:
        return None
    pairs = _pairs(titles)
    by_id = {_key(item): str(title) for item, title in pairs if _is_title(title)}
    found = [by_id.get(_key(item), "") for item in item_ids.tolist()]
    if not any(found):
        given = [item for item, _ in pairs[:3]] or ["(nothing)"]
        raise ValueError(
            f"titles has a title for none of the {len(item_ids):,} items. Got ids like "
            f"{describe_ids(given)}, expected ids like {describe_ids(item_ids)}."
        )
    _warn_of_several(pairs, by_id, {_key(item) for item in item_ids.tolist()})
    return np.array(found, dtype=np.str_)


def _warn_of_several(pairs, by_id, known):
    """Warn of known items that have another title than their last one, too."""
    several = {}
    for item, title in pairs:
        key = _key(item)
        if key in known and _is_title(title) and str(title) != by_id[key]:
            several.setdefault(key, str(title))
    if several:
        item, other = next(iter(several.items()))
        have = "items have" if len(several) > 1 else "item has"
        warnings.warn(
            f"{len(several):,} {have} several titles, such as {item!r}: {other!r} and "
            f"{by_id[item]!r}. The last one counts.",
            stacklevel=6,
        )


def plain_titles(titles):
    """Titles as plain types: a dict of text, the path of a file, or None."""
    if titles is None:
        return None
    if isinstance(titles, str | os.PathLike):
        return os.fspath(titles)
    return {_key(item): str(title) for item, title in _pairs(titles) if _is_title(title)}


def _is_title(title):
    """Whether a title is text or a number; NaN, None and the like are not titles."""
    return isinstance(title, str) or (isinstance(title, Real) and title == title)


def _key(item):
    """An id as text, since ids of a file have no types but ids of a log do."""
    if isinstance(item, bytes):
        return item.decode("utf-8", errors="backslashreplace")
    if isinstance(item, float) and item.is_integer():
        return str(int(item))
    return str(item)


def _pairs(titles):
    """A list of (id, title)."""
    if isinstance(titles, str | os.PathLike):
        return _pairs_of_file(Path(titles))
    if isinstance(titles, Mapping):
        return list(titles.items())
    if is_frame(titles):
        item, title = _two_columns(column_names(titles))
        return [
            *zip(
                as_id_column(titles[item], "titles").tolist(),
                np.asarray(titles[title]).tolist(),
                strict=True,
            )
        ]
    if hasattr(titles, "index") and hasattr(titles, "items"):  # a Series
        return list(titles.items())
    raise TypeError(
        "titles must be a mapping of id to title, a Series with ids as its index, a dataframe with "
        f"columns of ids and titles, or the path of a CSV file. Got {type(titles).__name__}."
    )


def _two_columns(names):
    """Names of the columns of ids and of titles; without usual names the only two columns."""
    if len(names) < 2:
        raise ValueError(
            f"titles must have a column of ids and a column of titles. Got columns {names}."
        )
    plain = [plain_name(str(name)) for name in names]
    title = next((plain.index(known) for known in _TITLES if known in plain), None)
    item = guess_column([str(name) for name in names], "item")
    if item is None:
        item = 0 if title != 0 else 1
    if title is None or title == item:
        if len(names) > 2:
            raise ValueError(
                f"Cannot tell which column of titles has the titles. Got columns {names}; call it "
                "'title', or pass two columns: ids and titles."
            )
        title = 1 - item
    return names[item], names[title]


def _pairs_of_file(path):
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            lines = file.read()
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not UTF-8 text: {error}. Read it yourself, for example with "
            "pandas.read_csv(path, dtype=str, encoding=...), and pass the frame."
        ) from error
    rows = max((_rows(lines, delimiter) for delimiter in _DELIMITERS), key=_fitness)
    if not rows or len(rows[0]) < 2:
        raise ValueError(
            f"{path} must have an id and a title in each line, such as '17,Green tea'."
        )
    names = rows[0]
    item, title = (names.index(name) for name in _two_columns(names))
    return [(row[item], row[title]) for row in rows if len(row) > max(item, title)]


def _rows(text, delimiter):
    return [row for row in csv.reader(text.splitlines(keepends=True), delimiter=delimiter) if row]


def _fitness(rows):
    """Number of lines with as many fields as the first line; 0 if that has fewer than two."""
    width = len(rows[0]) if rows else 0
    return sum(len(row) == width for row in rows) if width > 1 else 0
