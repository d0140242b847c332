"""numba part of `skrec.datasets._text_fast`; imported only for large files."""

import numpy as np
from numba import njit

_NEWLINE, _RETURN, _SPACE, _QUOTE = 10, 13, 32, 34
_ZERO, _NINE, _MINUS, _DOT = 48, 57, 45, 46


@njit(nogil=True, cache=True)
def split_fields(buffer, delimiter, quoted, n_fields, wanted, starts, ends):
    """Bounds of the wanted fields of each line, blanks and plain quotes stripped.

    `buffer` ends with a newline. Returns the number of rows, or -1 at the first line that
    needs the careful reader: another number of fields, or quotes that are more than a
    pair around a field. Blank lines are skipped.
    """
    width = delimiter.shape[0]
    row, place, size = 0, 0, buffer.shape[0]
    while place < size:
        if buffer[place] == _NEWLINE or (
            buffer[place] == _RETURN and buffer[place + 1] == _NEWLINE
        ):
            place += 2 if buffer[place] == _RETURN else 1
            continue
        field, done = 0, False
        while not done:
            start = place
            at_end = False
            while True:
                byte = buffer[place]
                if byte == _NEWLINE:
                    at_end = done = True
                    break
                if byte == delimiter[0] and (width == 1 or buffer[place + 1] == delimiter[1]):
                    break
                if byte == 0 or (byte == _RETURN and buffer[place + 1] != _NEWLINE):
                    return -1
                place += 1
            stop = place
            place += 1 if at_end else width
            if at_end and stop > start and buffer[stop - 1] == _RETURN:
                stop -= 1
            if quoted:
                n_quotes = 0
                for i in range(start, stop):
                    n_quotes += buffer[i] == _QUOTE
                if n_quotes:
                    outer = buffer[start] == _QUOTE and buffer[stop - 1] == _QUOTE
                    if n_quotes != 2 or not outer or stop - start < 2:
                        return -1
                    start, stop = start + 1, stop - 1
            while start < stop and buffer[start] == _SPACE:
                start += 1
            while start < stop and buffer[stop - 1] == _SPACE:
                stop -= 1
            for which in range(wanted.shape[0]):
                if wanted[which] == field:
                    starts[which, row], ends[which, row] = start, stop
            field += 1
        if field != n_fields:
            return -1
        row += 1
    return row


@njit(nogil=True, cache=True)
def gather_fields(buffer, starts, ends, out):
    """Copy fields into the rows of `out`, padded with zeros."""
    for row in range(out.shape[0]):
        length = ends[row] - starts[row]
        for i in range(out.shape[1]):
            out[row, i] = buffer[starts[row] + i] if i < length else 0


@njit(nogil=True, cache=True)
def parse_numbers(buffer, starts, ends, out):
    """Plain decimal numbers of up to 15 digits, exactly; return the rows that are not.

    Below 2**53 and 10**22 both parts are exact doubles, so their quotient is rounded
    once, as Python's float() rounds.
    """
    hard = np.empty(out.shape[0], dtype=np.int64)
    n_hard = 0
    for row in range(out.shape[0]):
        place, stop = starts[row], ends[row]
        negative = place < stop and buffer[place] == _MINUS
        place += negative
        digits, n_digits, scale, dots = np.int64(0), 0, 1.0, 0
        plain = True
        for i in range(place, stop):
            byte = buffer[i]
            if _ZERO <= byte <= _NINE:
                digits = digits * 10 + (byte - _ZERO)
                n_digits += 1
                if dots:
                    scale *= 10.0
            elif byte == _DOT and dots == 0:
                dots = 1
            else:
                plain = False
                break
            if n_digits > 15:
                plain = False
                break
        if plain and n_digits:
            value = digits / scale
            out[row] = -value if negative else value
        else:
            hard[n_hard] = row
            n_hard += 1
    return hard[:n_hard].copy()
