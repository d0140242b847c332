"""The answer of a `Server`."""

from typing import NamedTuple


class Answer(NamedTuple):
    """A list for one request; a named tuple.

    Parameters
    ----------
    ids : list
        Ids of items, best first; fewer than k where no more are left.
    scores : list of float
        Their scores.
    titles : list of str or None
        Their titles, "" where an item has none; None where the model came without titles.
    fallback : bool
        Whether the list comes from the fallback, such as the popular items.
    unknown : list
        Ids of the history that the fit did not see; they count for nothing.

    See Also
    --------
    Server : Makes them.

    Examples
    --------
    >>> from skrec.serving import Answer
    >>> Answer(["tea"], [0.5], None, False, []).ids
    ['tea']
    """

    ids: list
    scores: list
    titles: list | None
    fallback: bool
    unknown: list
