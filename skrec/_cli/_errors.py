"""Errors of the command line: one line, with a remedy."""

from difflib import get_close_matches


class CommandError(Exception):
    """A mistake in the command or its files; the user sees only the text."""


def unknown_name(what, name, known):
    """Make the error for an unknown name.

    Parameters
    ----------
    what : str
        Kind of the name: "model".
    name : str
        The given name.
    known : iterable of str
        All valid names.

    Returns
    -------
    error : CommandError
        Lists the known names and suggests the closest one.
    """
    known = sorted(known)
    close = get_close_matches(name.lower(), known, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return CommandError(f"unknown {what} {name!r}.{hint} Known: {', '.join(known)}.")


def one_line(error):
    """Text of an exception without line breaks; its type if it has no text."""
    return " ".join(str(error).split()) or type(error).__name__
