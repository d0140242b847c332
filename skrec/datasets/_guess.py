"""Find the columns of a log by name, else by position; the values must fit the guess."""

import re

import numpy as np

from skrec._log._entries import to_number
from skrec.utils._log_names import KNOWN_NAMES, guess_column, plain_name

__all__ = ["ROLES", "find_columns", "first_line_is_doubtful", "is_header", "knows_ids"]

ROLES = ("user", "item", "value", "timestamp")
# Further names of columns, without a clear role. They make a first line a possible header.
_HINTS = {
    "id", "name", "key", "client", "clientid", "buyer", "member", "memberid", "account", "visitor",
    "visitorid", "person", "sku", "article", "film", "title", "kunde", "kundennummer", "artikel",
    "artikelnummer", "produkt", "nutzer", "benutzer", "cliente", "producto", "articulo", "usuario",
    "produit", "utilisateur",
}  # fmt: skip
_UNIX_TIMES = 1e8  # seconds; 1973
_LAST_TIME = 5e18  # nanoseconds; 2128
_TIMES_AMONG_IDS = (6.3e8, 2.1e9)  # seconds; 1990 to 2036
_UNITS = (1.0, 1e3, 1e6, 1e9)
_DATE = re.compile(r"(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4})([T ].*)?")
_DAY = re.compile(r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])([01]\d[0-5]\d[0-5]\d)?")
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")
_PLACES = ("first", "second", "third", "fourth")


def is_header(first, rest, columns):
    """Whether the first line holds names.

    It does if the caller names columns, or if it holds known names of the user and item column.
    It also does if none of its fields is a number or date, while some column holds numbers or
    dates in most lines below.

    Parameters
    ----------
    first : list of str
    rest : list of list of str
        The lines below.
    columns : tuple of 4 of str, int, "auto" or None

    Returns
    -------
    header : bool
    """
    if any(isinstance(column, str) and column != "auto" for column in columns):
        return True
    if knows_ids(first):
        return True
    return not any(map(_is_plain_data, first)) and any(
        2 * sum(map(_is_plain_data, column)) > len(column) > 0
        for column in (_column(rest, place) for place in range(len(first)))
    )


def knows_ids(names):
    """Whether names include usual names of the user column and of the item column."""
    return all(guess_column(names, role) is not None for role in ("user", "item"))


def find_columns(path, names, header, columns, rows):
    """Find the positions of the user, item, value and timestamp columns.

    Parameters
    ----------
    path : pathlib.Path or str
        For messages.
    names : tuple of str
        One per field.
    header : bool
        Whether `names` come from the file.
    columns : tuple of 4 of str, int, "auto" or None
    rows : list of list of str
        Some lines of data, as text.

    Returns
    -------
    places : tuple of 4 of int or None

    Raises
    ------
    ValueError
        If a column is missing, cannot be identified, or holds values that do not fit its role.
    """
    places = []
    for role, column in zip(ROLES, columns, strict=True):
        if isinstance(column, str) and column != "auto":
            places.append(_place_of(path, names, role, column))
        elif column == "auto":
            places.append(_guessed(path, names, role) if header else None)
        elif column is None or 0 <= column < len(names):
            places.append(column)
        else:
            raise ValueError(
                f"{role}={column} is no column of {path}. Expected 0 to {len(names) - 1}: the "
                f"first line has {len(names)} fields."
            )
    if not header:
        places = _by_place(path, names, places, columns, rows)
    if places[0] is None or places[1] is None:
        raise ValueError(
            f"{path}: cannot tell which columns are the user and the item. Got {list(names)}, "
            "expected names such as 'user' and 'item'; pass user= and item=."
        )
    if places[0] == places[1]:
        raise ValueError(
            f"{path}: user and item are both column {names[places[0]]!r}. Expected two columns; "
            "pass user= and item=."
        )
    if header and columns[2] == "auto" and places[2] is not None:
        name = names[places[2]]
        _refuse_times_as_values(path, f"has a column {name!r} that", name, _column(rows, places[2]))
    return tuple(places)


def first_line_is_doubtful(n_lines, first, counts, ids):
    """Whether the first interaction of a log without a known header looks like names.

    All of these must hold: its ids occur in no other line; they have no digit; and neither id
    has the marks (digits, punctuation) that all other ids of its column share, if they share
    any. One of these must hold too: the other ids of a column share marks; one of its ids is a
    usual name of a column; or some ids occur several times.

    Parameters
    ----------
    n_lines : int
    first : tuple of two str
        User and item of the first line.
    counts : tuple of two int
        Number of lines with this user, and with this item.
    ids : tuple of two list of str
        All users, and all items.

    Returns
    -------
    doubtful : bool
    """
    if n_lines < 2:
        return False
    if any(character.isdigit() for text in first for character in text):
        return False
    if max(counts) > 1:
        return False
    marks = [_shared_marks(side, name) for name, side in zip(first, ids, strict=True)]
    if any(shared and shared <= set(name) for name, shared in zip(first, marks, strict=True)):
        return False
    repeated = any(len(side) < n_lines for side in ids)
    return repeated or any(marks) or any(map(_is_usual, first))


def _is_usual(name):
    plain = plain_name(name)
    return plain in _HINTS or any(plain in known for known in KNOWN_NAMES.values())


def _shared_marks(ids, first):
    """Digits (as "0") and punctuation that all ids but the first have."""
    shared = None
    for text in ids:
        if text != first:
            marks = {"0" if c.isdigit() else c for c in text if not c.isalpha()}
            shared = marks if shared is None else shared & marks
            if not shared:
                break
    return shared or set()


def _column(rows, place):
    """The fields of a column that are not empty."""
    return [row[place].strip() for row in rows if len(row) > place and row[place].strip()]


def _is_number(text):
    try:
        to_number(text)
    except ValueError:
        return False
    return True


def _is_plain_data(text):
    return _is_number(text) or bool(_DECIMAL_COMMA.fullmatch(text) or _DATE.fullmatch(text))


def _guessed(path, names, role):
    place = guess_column(names, role)
    if place is not None and names.count(names[place]) > 1:
        _place_of(path, names, role, names[place])
    return place


def _place_of(path, names, role, column):
    found = names.count(column)
    if found == 1:
        return names.index(column)
    if found:
        raise ValueError(
            f"{path} has {found} columns {column!r}. Expected one for the {role}; pass its place "
            f"from 0, such as {role}={names.index(column)}."
        )
    stripped = [str(name).strip() for name in names]
    if stripped.count(column) == 1:
        return stripped.index(column)
    raise ValueError(
        f"{path} has no column {column!r} for the {role}. Got {list(names)}; pass {role}= one of "
        "these names, or a place from 0."
    )


def _by_place(path, names, places, columns, rows):
    """Without names, "auto" columns are user, item, value and timestamp in this order."""
    n_fields = len(names)
    for role in range(4):
        if columns[role] != "auto" or role >= n_fields or role in places:
            continue
        fields = _column(rows, role)
        if rows and not fields:  # only trailing delimiters
            continue
        if role < 2:
            _refuse_other_than_ids(path, role, rows, n_fields)
        elif role == 2 and not _are_values(path, fields):
            continue
        elif role == 3 and columns[2] == "auto":
            _refuse_values_as_times(path, fields, text=places[2] is None and _column(rows, 2))
        places[role] = role
    return places


def _are_values(path, fields):
    """Whether a third column holds values: if a field is a number, the others must be too."""
    _refuse_times_as_values(path, "has no names, and its third column", 2, fields)
    padded = [field for field in fields if re.fullmatch(r"0\d+", field)]
    if padded:
        raise ValueError(
            f"{path} has no names, and its third column looks like ids ({padded[0]}), not values. "
            "Give the columns by their places from 0: pass user=, item= and value= (None for no "
            "values), or value=2 if these are values."
        )
    return any(_is_number(field) or _DECIMAL_COMMA.fullmatch(field) for field in fields)


def _refuse_times_as_values(path, what, place, fields):
    if not fields:
        return
    dates = all(map(_DATE.fullmatch, fields))
    numbers = _finite_numbers(fields)
    if (
        dates
        or all(map(_DAY.fullmatch, fields))
        or (numbers and _UNIX_TIMES <= min(numbers) <= max(numbers) <= _LAST_TIME)
    ):
        kept = "" if dates else f", or value={place!r} if they are values"
        raise ValueError(
            f"{path} {what} looks like times ({fields[0]}), not values. Pass value=None and "
            f"timestamp={place!r}{kept}; if the columns have another order, pass user= and item= "
            "too."
        )


def _refuse_values_as_times(path, fields, *, text):
    """Refuse a fourth column of values such as prices, or of numbers after a column of text."""
    numbers = _finite_numbers(fields)
    if len(numbers) < len(fields) or _are_unix_times(fields):
        return
    odd = next((field for field, number in zip(fields, numbers, strict=True) if number % 1), None)
    if text or odd is not None:
        raise ValueError(
            f"{path} has no names, {'its third column is text, ' if text else ''}and its fourth "
            f"column looks like values ({odd or fields[0]}), not like times. Pass "
            "timestamp=None to leave them out, value=3 and timestamp=None if they are the values, "
            "timestamp=3 if they are times; if the columns have another order, pass user= and "
            "item= too."
        )


def _refuse_other_than_ids(path, role, rows, n_fields):
    """Refuse a guessed column of ids that holds times, or ratings with halves."""
    fields = _column(rows, role)
    what, name = None, ROLES[role]
    if fields and all(map(_DATE.fullmatch, fields)):
        what = "times"
    elif n_fields > 2 and _are_unix_times(fields):
        # Ids may be as large as times: if another column holds times, these are ids.
        others = [_column(rows, place) for place in range(n_fields) if place != role]
        if not any(_are_unix_times(other) or any(map(_DATE.fullmatch, other)) for other in others):
            what = "times"
    elif n_fields > 2 and _are_halves(fields):
        what = "ratings"
    if what is None:
        return
    kept = f"; {name}={role} if they are ids" if fields[0].isdecimal() else ""
    raise ValueError(
        f"{path} has no names, and its {_PLACES[role]} column looks like {what} ({fields[0]}), not "
        f"like ids of {name}s. Give the columns by their places from 0: pass user=, item=, value= "
        f"and timestamp= (None for no values, no times), such as user={0 if role else 1}, item=2, "
        f"value={'None' if what == 'times' else role}, "
        f"timestamp={role if what == 'times' else 'None'}{kept}."
    )


def _finite_numbers(fields):
    numbers = [to_number(field) for field in fields if _is_number(field)]
    return [number for number in numbers if abs(number) < np.inf]


def _are_unix_times(fields):
    low, high = _TIMES_AMONG_IDS
    if fields and all(map(_DAY.fullmatch, fields)):
        return True
    numbers = _finite_numbers(fields)
    return len(numbers) == len(fields) > 0 and any(
        all(low * unit <= number <= high * unit for number in numbers) for unit in _UNITS
    )


def _are_halves(fields):
    numbers = _finite_numbers(fields)
    return (
        len(numbers) == len(fields) > 0
        and all(0 <= number <= 10 and 2 * number == int(2 * number) for number in numbers)
        and any(number != int(number) for number in numbers)
    )
