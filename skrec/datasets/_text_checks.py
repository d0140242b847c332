"""Checks that need a whole log of text."""

from skrec.datasets._guess import first_line_is_doubtful

__all__ = ["header_names", "refuse_doubtful", "refuse_no_lines", "refuse_other_names",
           "refuse_second_header"]  # fmt: skip


def refuse_other_names(source, paths, layouts, *, header):
    """Raise a ValueError if a part has other columns than the first, or an extra header.

    Parameters
    ----------
    source : pathlib.Path
    paths : tuple of two pathlib.Path
        The first part, and another one.
    layouts : tuple of two Layout
        Layouts of these parts.
    header : bool or None
        The parameter `header` of the caller; None: headers are detected.
    """
    if header is None and layouts[1].looks_named and not layouts[0].header:
        raise ValueError(
            f"{source}: the first line of {paths[1].name} looks like a header, but {paths[0].name} "
            "has none. Expected a header in each part, or in none; delete the line, or pass "
            "header=False if it is an interaction."
        )
    if layouts[1].names != layouts[0].names:
        raise ValueError(
            f"{source}: {paths[1].name} has the columns {list(layouts[1].names)}, {paths[0].name} "
            f"has {list(layouts[0].names)}. Expected parts of one log with the same columns; pass "
            "the path of a single part."
        )


def refuse_no_lines(source, n_lines, n_dropped):
    """Raise a ValueError if the log has no lines."""
    if not n_lines:
        what = f"{n_dropped} lines without an id, value or time" if n_dropped else "names"
        raise ValueError(f"{source} has {what} but no interactions. Expected one in each line.")


def header_names(layout):
    """Names of the user and item column in the header; None without a header."""
    if not layout.header:
        return None
    return [layout.names[place].strip(" ") for place in layout.places[:2]]


def refuse_second_header(source, names, n_again):
    """Raise a ValueError if further lines repeat the header.

    Parameters
    ----------
    source : pathlib.Path
    names : list of str
        Result of `header_names`.
    n_again : int
        Number of lines whose user and item are these names.
    """
    if n_again:
        raise ValueError(
            f"{source}: {n_again} lines below the first repeat the header {names}, as in files "
            "that were joined. Expected interactions; delete these lines."
        )


def refuse_doubtful(source, n_lines, first, counts, ids):
    """Raise a ValueError if the first line may be a header; see `first_line_is_doubtful`."""
    if first_line_is_doubtful(n_lines, first, counts, ids):
        raise ValueError(
            f"{source}: the first line may hold names or an interaction: {list(first)} occur "
            "nowhere else and are unlike the other ids. Expected a header with usual names, or a "
            "log whose first line is like the others; pass header=True or header=False."
        )
