"""Find the delimiter between the fields of a text file."""

import csv
import re
from collections import Counter
from itertools import islice

from skrec.datasets._guess import knows_ids

__all__ = ["BLANKS", "find_delimiter", "sample_rows", "split_lines"]

BLANKS = r"\s+"
_DELIMITERS = ("\t", "::", ",", ";", "|", "||")
_RARE = ("\x01", "\x1f", "^", "~")
_SAMPLE = 100
# "1:2:4,5" has three fields, the last with a decimal comma, and not two fields around a comma.
_OTHER = re.compile(r"\s*\d+([^\w\s.,+-])\d+(\1\d+)*,\d+\s*")
_RUNS = re.compile(r"[ \t]{2,}|^[ \t]|[ \t]$", re.MULTILINE)


def find_delimiter(path, lines, *, quotechar, decimal, names):
    """Choose the delimiter that splits all lines into equally many, and the most, fields.

    Parameters
    ----------
    path : pathlib.Path
        For messages.
    lines : list of str
        The first lines that are not blank.
    quotechar : str or None
    decimal : str
        Decimal character, which cannot be the delimiter.
    names : list of str
        Names of columns that the header must have; may be empty.

    Returns
    -------
    delimiter : str

    Raises
    ------
    ValueError
        If there is no delimiter, or several are equally good.
    """
    samples = {}
    for delimiter in (*_DELIMITERS, *_RARE, _blank(lines, quotechar)):
        if delimiter != decimal:
            samples[delimiter] = sample_rows(lines, delimiter, quotechar)
    widths = {delimiter: Counter(map(len, rows)) for delimiter, rows in samples.items() if rows}
    fits = {
        delimiter: next(iter(count))
        for delimiter, count in widths.items()
        if len(count) == 1 and next(iter(count)) >= 2
    }
    blank = next((delimiter for delimiter in (" ", BLANKS) if delimiter in fits), None)
    if blank and ("\t" in fits or _only_around_others(samples[blank])):
        del fits[blank]
        blank = None
    if "||" in fits and all(line.count("|") == 2 * line.count("||") for line in lines):
        fits.pop("|", None)
    if list(fits) == [","] and all(map(_OTHER.fullmatch, lines)):
        fits[_OTHER.fullmatch(lines[0])[1]] = fits[","]
    if not fits:
        return _most_regular(path, lines, widths, decimal)
    heads = {d: samples[d][0] for d in fits if d in samples}
    known = [d for d, head in heads.items() if knows_ids(head) or _has(head, names)]
    if len(known) == 1:
        return known[0]
    most = max(fits.values())
    rivals = [
        delimiter
        for delimiter, count in widths.items()
        if delimiter not in (" ", BLANKS) and _is_rival(count, most)
    ]
    if rivals and list(fits) == [blank]:
        # Some line is malformed; the reader will report it.
        return _most_regular(
            path, lines, {delimiter: widths[delimiter] for delimiter in rivals}, decimal
        )
    if rivals:
        more = {delimiter: widths[delimiter].most_common(1)[0][0] for delimiter in rivals}
        raise _tie(path, lines, fits | more)
    best = [delimiter for delimiter, width in fits.items() if width == most]
    # Names and times contain blanks too, so a blank never wins against another delimiter.
    if len(best) > 1 or (blank in best and len(fits) > 1):
        raise _tie(path, lines, fits)
    return best[0]


def sample_rows(lines, delimiter, quotechar):
    """Fields of the first records, up to the first malformed or cut record.

    Parameters
    ----------
    lines : list of str
    delimiter : str
    quotechar : str or None

    Returns
    -------
    rows : list of list of str
    """
    rows = []
    try:
        records = split_lines(lines, delimiter, quotechar)
        rows.extend(row for _, row in islice(records, _SAMPLE) if row)
    except csv.Error:
        return rows
    return rows


def split_lines(lines, delimiter, quotechar):
    """Yield the number of each record's first line and its fields.

    Parameters
    ----------
    lines : iterable of str
    delimiter : str
        `BLANKS` means any run of spaces and tabs. With a delimiter of several characters,
        quotes have no meaning.
    quotechar : str or None

    Yields
    ------
    number : int
    row : list of str
    """
    if len(delimiter) > 1:
        blanks = delimiter == BLANKS
        for number, line in enumerate(lines, start=1):
            line = line.strip(" \t\r\n") if blanks else line.rstrip("\r\n")
            parts = re.split("[ \t]+", line) if blanks else line.split(delimiter)
            yield number, parts if line else []
        return
    reader = csv.reader(
        lines,
        delimiter=delimiter,
        quotechar=quotechar,
        quoting=csv.QUOTE_NONE if quotechar is None else csv.QUOTE_MINIMAL,
        skipinitialspace=delimiter != " ",  # before a quote
        strict=True,
    )
    number = 0
    for row in reader:
        yield number + 1, row
        number = reader.line_num


def _blank(lines, quotechar):
    text = "\n".join(line.rstrip("\r\n") for line in lines)
    quoted = quotechar is not None and quotechar in text
    return BLANKS if not quoted and _RUNS.search(text) else " "


def _only_around_others(rows):
    # As in "1, 2, 3", where the blanks belong to the commas.
    return any(field[:1] in (",", ";", "|") or field[-1:] in (",", ";", "|")
               for row in rows for field in row if field)  # fmt: skip


def _is_rival(count, most):
    """Whether at least half of the lines, but not all, have more fields than the best fit."""
    width, n_lines = count.most_common(1)[0]
    return len(count) > 1 and width > most and 2 * n_lines >= count.total()


def _has(row, names):
    fields = {field.strip() for field in row}
    return bool(names) and all(name in fields for name in names)


def _most_regular(path, lines, widths, decimal):
    """The delimiter that gives most lines the same number of fields."""
    best = []
    for delimiter, count in widths.items():
        width, n_lines = count.most_common(1)[0]
        if width >= 2:
            best.append((n_lines / count.total(), width, delimiter))
    if not best:
        raise ValueError(
            f"{path}: no delimiter found in {lines[0].strip()[:80]!r}. Expected fields separated "
            f"by one of {tuple(d for d in (*_DELIMITERS, ' ') if d != decimal)}; pass delimiter=."
            + (f" {decimal!r} is decimal= here." if decimal in _DELIMITERS else "")
        )
    best.sort(reverse=True)
    if len(best) > 1 and best[0][:2] == best[1][:2]:
        raise _tie(path, lines, {delimiter: width for _, width, delimiter in best[:2]})
    return best[0][2]


def _tie(path, lines, fits):
    found = " and ".join(f"{d!r} ({width} fields)" for d, width in fits.items())
    return ValueError(
        f"{path}: the delimiter may be {found}, as in {lines[0].strip()[:80]!r}. Expected a single "
        f"possible delimiter; pass delimiter={next(iter(fits))!r}, or the right one."
    )
