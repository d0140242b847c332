"""Shared by the verbs that write lists: candidates, titles, the output file."""

import sys
from contextlib import contextmanager

import numpy as np

from skrec._cli._errors import CommandError
from skrec._cli._ids import TextIds, find_in_file
from skrec._log_recommender._titles import titles_of_items
from skrec.utils._files import atomic_text


def candidates(content, arguments):
    """The items that a list may contain, by ``--items`` and ``--exclude-items``.

    Parameters
    ----------
    content : ModelContent
    arguments : argparse.Namespace

    Returns
    -------
    mask : ndarray of bool of shape (n_items,) or None
        None: all items.

    Raises
    ------
    CommandError
        If no item is left.
    """
    if arguments.items is None and arguments.exclude_items is None:
        return None
    known = TextIds(content.encoder.item_ids_)
    mask = np.full(len(content.encoder.item_ids_), arguments.items is None)
    if arguments.items is not None:
        mask[_known_places(arguments.items, known)] = True
    if arguments.exclude_items is not None:
        mask[_known_places(arguments.exclude_items, known, needed=False)] = False
    if not mask.any():
        raise CommandError("--exclude-items leaves no item to recommend; name fewer items.")
    return mask


def titles_for(content, path):
    """Titles of the items, from the given file, else from the model file; or None."""
    if path is None:
        return content.titles
    return titles_of_items(path, content.encoder.item_ids_)


@contextmanager
def open_output(path):
    """The file to write, which appears only when it is complete; None: standard output."""
    if path is None:
        yield sys.stdout
        return
    with atomic_text(path) as file:
        yield file


def warn(text):
    """Write a warning."""
    sys.stderr.write(f"skrec: warning: {text}\n")


def _known_places(source, known, *, needed=True):
    found = find_in_file(source, known, "item")
    if len(found.unknown) == len(found.ids) and needed:
        raise CommandError(
            f"{source}: the model knows none of these {len(found.ids):,} items; expected ids such "
            f"as {known.describe()}."
        )
    if len(found.unknown):
        _, text = found.describe_unknown()
        warn(f"{source}: the model does not know item {text}; fit it again to list new items")
    return found.places[found.places >= 0]
