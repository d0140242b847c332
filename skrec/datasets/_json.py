"""Interaction logs as JSON: an object or list per line, a list of these, or columns."""

import io
import json
from itertools import chain

from skrec.datasets._files import open_binary, plain_errors
from skrec.datasets._guess import find_columns
from skrec.datasets._layout import with_bom

__all__ = ["read_json"]

_SAMPLE = 100


def read_json(path, columns, encoding):
    """Read a log.

    Parameters
    ----------
    path : pathlib.Path
    columns : tuple of 4 of str, int, "auto" or None
        As for text files.
    encoding : str

    Returns
    -------
    log : dict of str to list, or list of list
        The wanted columns by name; or rows, if the file has no names.
    columns : tuple of 4 of str, int, "auto" or None
        The columns to read from this log.

    Raises
    ------
    ValueError
        If the file is not JSON, or JSON of another form.
    """
    with plain_errors(path), open_binary(path) as binary:
        text = io.TextIOWrapper(binary, with_bom(encoding))
        try:
            records = _records(path, text)
            return _gather(path, records, columns)
        except UnicodeError as error:
            raise ValueError(
                f"{path}: found bytes that are not {encoding} ({error}); pass the right encoding=."
            ) from error


def _records(path, text):
    """Yield the line number and the object or list of each interaction."""
    lines = ((number, line) for number, line in enumerate(text, start=1) if line.strip())
    number, line = next(lines)
    try:
        first = json.loads(line)
    except ValueError:  # one document over many lines
        whole = line + "".join(line for _, line in lines)
        yield from enumerate(_of_document(path, whole), start=1)
        return
    second = next(lines, None)
    if second is None:
        yield from enumerate(_of_value(path, first), start=1)
        return
    yield number, first
    for number, line in chain([second], lines):
        yield number, _record(path, number, line, type(first))


def _record(path, number, line, form):
    try:
        record = json.loads(line)
    except ValueError as error:
        raise ValueError(
            f"{path}, line {number}: found no JSON ({error}). Expected an object in each line; "
            "mend or drop the line."
        ) from error
    if type(record) is not form:
        raise ValueError(
            f"{path}, line {number}: found {line.strip()[:80]!r}, expected a JSON "
            f"{'object' if form is dict else 'list'} as in the first line; mend or drop the line."
        )
    return record


def _of_document(path, text):
    try:
        return _of_value(path, json.loads(text))
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{path} begins like JSON, but is not valid JSON ({error}). Expected an object in each "
            "line, or a list of objects; mend the file."
        ) from error


def _of_value(path, value):
    """Records of a file that holds a single value."""
    if isinstance(value, dict) and value:
        entries = list(value.values())
        if all(isinstance(entry, dict) and entry.keys() == entries[0].keys() for entry in entries):
            # pandas.DataFrame.to_json writes columns by row label.
            entries = [list(entry.values()) for entry in entries]
        if all(isinstance(entry, list) and len(entry) == len(entries[0]) for entry in entries):
            return [dict(zip(value, row, strict=True)) for row in zip(*entries, strict=True)]
        if not any(isinstance(entry, dict | list) for entry in entries):
            return [value]
    elif isinstance(value, list) and value:
        form = type(value[0])
        if form in (dict, list) and all(type(record) is form for record in value):
            return value
    what = f"an object with keys {list(value)[:5]}" if isinstance(value, dict) else "a list"
    raise ValueError(
        f"{path} is JSON, but {what} of another form. Expected an object in each line, a list of "
        "objects, or an object with a list for each column; write such a file, or pass the "
        "records themselves."
    )


def _gather(path, records, columns):
    head = []
    for number, record in records:
        head.append((number, record))
        if len(head) == _SAMPLE:
            break
    if not head:
        raise ValueError(f"{path} is empty. Expected one interaction in each line.")
    if not isinstance(head[0][1], dict):
        return _rows(path, head, records), columns
    names = tuple(dict.fromkeys(name for _, record in head for name in record))
    rows = [["" if r.get(name) is None else str(r[name]) for name in names] for _, r in head]
    places = find_columns(path, names, True, columns, rows)
    wanted = tuple(None if place is None else names[place] for place in places)
    gathered = {name: [] for name in wanted if name is not None}
    for some in (head, records):
        for _, record in some:
            for name, column in gathered.items():
                column.append(record.get(name))
    return gathered, wanted


def _rows(path, head, records):
    width = len(head[0][1])
    rows = []
    for some in (head, records):
        for number, record in some:
            if len(record) != width:
                raise ValueError(
                    f"{path}, line {number}: found {len(record)} entries, expected {width}, like "
                    "the first line, one interaction per line; mend or drop the line."
                )
            rows.append(record)
    return rows
