"""The layout of a text file of interactions: preamble, delimiter, header, columns."""

import io
import re
from collections import Counter
from typing import NamedTuple

from skrec._log._times import ISO, TimeForm
from skrec.datasets._delimiter import find_delimiter, sample_rows
from skrec.datasets._files import HEAD, open_binary, plain_errors
from skrec.datasets._guess import find_columns, is_header, knows_ids

__all__ = ["Layout", "find_layout", "with_bom"]

_COMMENT = re.compile(r"\s*(#+|%+)(\s|$)|\s*(##|%%)")
_STATED = re.compile(r'"?sep=(.)"?\s*$', re.IGNORECASE)  # Excel's
_MARKS = {
    b"\xff\xfe\0\0": "utf-32",
    b"\0\0\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}


class Layout(NamedTuple):
    """How to read a text file.

    Attributes
    ----------
    delimiter : str
    header : bool
        Whether the first line after the preamble that is not blank holds names.
    names : tuple of str
        One per field; "column 1" and so on without a header.
    places : tuple of 4 of int or None
        Fields of user, item, value and timestamp.
    quotechar : str or None
    encoding : str
    decimal : str
        Character before the fraction of a number.
    form : TimeForm
        Of the times.
    preamble : int
        Number of lines before the table: comments, Excel's ``sep=;``.
    doubtful : bool
        Whether the first line may hold names, although nothing shows it.
    looks_named : bool
        Whether the first line looks like a header, whatever the caller says.
    """

    delimiter: str
    header: bool
    names: tuple
    places: tuple
    quotechar: str | None
    encoding: str
    decimal: str = "."
    form: TimeForm = ISO
    preamble: int = 0
    doubtful: bool = False
    looks_named: bool = False


def find_layout(path, *, delimiter, header, columns, quotechar, encoding, decimal=".", form=ISO):
    """Find the layout of a file from its beginning.

    Parameters
    ----------
    path : pathlib.Path
    delimiter : str or None
        None: see `find_delimiter`.
    header : bool or None
        None: see `is_header`.
    columns : tuple of 4 of str, int, "auto" or None
        Name or position (from 0) of user, item, value and timestamp. "auto" finds the column;
        None means that the log has no value or timestamp.
    quotechar : str or None
    encoding : str
    decimal : {".", ","}, default="."
    form : TimeForm, default=ISO

    Returns
    -------
    layout : Layout

    Raises
    ------
    ValueError
        If the file is empty or not text, or if the delimiter or the columns cannot be identified.
    """
    lines = _first_lines(path, encoding)
    stated, n_marked = _leading_lines(lines)
    some = [line for line in lines[n_marked:] if line.strip()]
    if not some:
        raise ValueError(f"{path} has comments but no interactions. Expected one in each line.")
    if delimiter is None:
        named = [column for column in columns if isinstance(column, str) and column != "auto"]
        delimiter = stated or find_delimiter(
            path, some, quotechar=quotechar, decimal=decimal, names=named
        )
    quotechar = quotechar if len(delimiter) == 1 else None
    preamble, comments = _preamble(lines[:n_marked], some[0], delimiter, quotechar)
    some = [line for line in lines[preamble:] if line.strip()]
    rows = sample_rows(some, delimiter, quotechar) or [some[0].strip("\r\n").split(delimiter)]
    first, rest = rows[0], rows[1:]
    _refuse_odd_first_line(path, rows, delimiter, 1 + lines.index(some[0]))
    names = _commented_names(comments, delimiter, len(first))
    doubtful, looks_named = False, is_header(first, rest, ("auto",) * 4)
    if names is not None and header is not False and not looks_named:
        # The last comment is the header, such as "# user item"; all later lines are data.
        header, rest, preamble = True, rows, preamble - 1
    else:
        doubtful = header is None
        header = is_header(first, rest, columns) if header is None else header
        doubtful = doubtful and not header
        names = first
    names = tuple(names) if header else tuple(f"column {i + 1}" for i in range(len(first)))
    places = find_columns(path, names, header, columns, rest if header else rows)
    form.require_column(path, places[3])
    return Layout(
        delimiter, header, names, places, quotechar, encoding, decimal, form, preamble,
        doubtful, looks_named,
    )  # fmt: skip


def _refuse_odd_first_line(path, rows, delimiter, line):
    width, count = Counter(map(len, rows)).most_common(1)[0]
    if len(rows[0]) != width and 2 * count > len(rows):
        shown = repr(rows[0])
        shown = shown if len(shown) <= 100 else shown[:97] + "..."
        raise ValueError(
            f"{path}, line {line}: found {len(rows[0])} fields {shown}, expected {width}, like "
            "most of the lines below, one interaction per line; delete lines before the table, "
            "mend this line, or pass delimiter= or quotechar=."
        )
    if len(rows[0]) == 1:
        raise ValueError(
            f"{path}, line {line}: {delimiter!r} does not split {rows[0][0][:80]!r}. Expected at "
            "least a user and an item in each line; pass another delimiter=, or omit it to have it "
            "found."
        )


def with_bom(encoding):
    """The encoding, with support for the byte order mark that some programs put before utf-8."""
    return "utf-8-sig" if encoding.lower().replace("_", "-") in ("utf-8", "utf8") else encoding


def _first_lines(path, encoding):
    """The first lines as text, with their line ends."""
    with plain_errors(path), open_binary(path) as binary:
        head = binary.read(HEAD)
    _refuse_other_encodings(path, head, encoding)
    text = head.decode(with_bom(encoding), errors="replace")
    lines = list(io.StringIO(text, newline=""))
    if len(head) == HEAD and len(lines) > 1:
        lines = lines[:-1]  # cut off in the middle
    if not any(line.strip() for line in lines):
        raise ValueError(f"{path} is empty. Expected one interaction in each line.")
    return lines


def _refuse_other_encodings(path, head, encoding):
    wide = encoding.lower().replace("_", "-").startswith(("utf-16", "utf-32", "utf16", "utf32"))
    if wide:
        return
    for mark, name in _MARKS.items():
        if head.startswith(mark):
            raise ValueError(
                f"{path} starts like {name.upper()} text. Expected {encoding}; pass "
                f"encoding={name!r}."
            )
    n_nul = head.count(b"\0")
    if 3 * n_nul >= len(head) > 1:
        side = "be" if head[:1] == b"\0" else "le"
        raise ValueError(
            f"{path} looks like UTF-16 text without a mark. Expected {encoding}; pass "
            f"encoding='utf-16-{side}'."
        )
    if n_nul:
        raise ValueError(
            f"{path} holds NUL bytes, the first at byte {head.index(0)}, as binary files do. "
            "Expected an interaction log as text (CSV), JSON, parquet, Arrow or npz; export it "
            "again, or pass encoding= if it is text in another encoding."
        )


def _leading_lines(lines):
    """The delimiter of Excel's ``sep=``, and the number of lines that begin like comments."""
    stated, n_marked = None, 0
    for place, line in enumerate(lines):
        match = _STATED.match(line.strip("\r\n")) if not n_marked else None
        if match:
            stated = match[1]
        elif line.strip() and line.lstrip()[0] not in "#%":
            break
        if line.strip():
            n_marked = place + 1
    # If all lines begin with a mark, the mark belongs to the ids.
    marked = n_marked > 1 and not any(line.strip() for line in lines[n_marked:])
    if marked and not any(map(_COMMENT.match, lines[int(stated is not None) :])):
        n_marked = int(stated is not None)
    return stated, n_marked


def _preamble(marked, line, delimiter, quotechar):
    """The number of leading lines that are comments, and these comments.

    A line with as many fields as the table, and no blank after its mark, is not a comment: it is
    a header, or its id begins with the mark.
    """
    n_fields = len((sample_rows([line], delimiter, quotechar) or [[]])[0])
    comments = []
    for place, text in enumerate(marked):
        if not text.strip() or _STATED.match(text.strip("\r\n")):
            continue
        fields = (sample_rows([text], delimiter, quotechar) or [[]])[0]
        if not _COMMENT.match(text) and len(fields) == n_fields:
            return place, comments
        comments.append(text)
    return len(marked), comments


def _commented_names(comments, delimiter, n_fields):
    """Fields of the last comment if it is a header after a mark, else None."""
    if not comments:
        return None
    text = comments[-1].strip().lstrip("#%").strip()
    names = sample_rows([text], delimiter, None)
    fits = bool(names) and len(names[0]) == n_fields and knows_ids(names[0])
    return names[0] if fits else None
