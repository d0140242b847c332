"""What goes wrong on a command line, in one line that says what to do."""

from difflib import get_close_matches


class CommandError(Exception):
    """A mistake in the command or its files; the text is all that the user sees."""


def unknown_name(what, name, known):
    """Make the error of a name that does not exist.

    Parameters
    ----------
    what : str
        What the name should be the name of: "model".
    name : str
        What was given.
    known : iterable of str
        Every name that would have been right.

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
    """Text of an exception without line breaks; its type where it has no text."""
    return " ".join(str(error).split()) or type(error).__name__
