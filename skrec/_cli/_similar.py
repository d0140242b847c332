"""The verb `similar`."""

import sys

import numpy as np

from skrec._cli._errors import CommandError
from skrec._cli._ids import Found, TextIds, find_in_file
from skrec._cli._list_files import open_lists
from skrec._cli._lists import candidates, titles_for, warn
from skrec._cli._modelfile import load_model_file
from skrec._cli._output import check_output, progress_bar, status
from skrec._cli._streams import check_stdout
from skrec._log_recommender._answers import listed, require_method, similar_lists

_CHUNK = 1024  # items between two moves of the progress bar


def run(arguments):
    """List the items similar to given items, or to each item.

    Parameters
    ----------
    arguments : argparse.Namespace
        See `skrec._cli._parser`.

    Raises
    ------
    CommandError
        For a mistake in the arguments or the files.
    """
    path = check_output(arguments.output, "--output")
    if path is None:
        check_stdout()
    with status(f"reading {arguments.model} ..."):
        content = load_model_file(arguments.model)
    try:
        model = require_method(content.model, "similar_items")
    except TypeError as error:
        raise CommandError(f"{arguments.model}: {error}") from error
    places = _items(content, arguments)
    mask, titles = candidates(content, arguments), titles_for(content, arguments.titles)
    names = ["item", "rank", "similar", "score", *([] if titles is None else ["title"])]
    with open_lists(path, names) as write, progress_bar(len(places), "item") as progress:
        n_lines = _write(content, model, places, (mask, titles, arguments.k), write, progress)
    if path:
        sys.stdout.write(f"{path}: {n_lines:,} similar items of {len(places):,} items\n")


def _items(content, arguments):
    """Columns of the requested items."""
    known = TextIds(content.encoder.item_ids_)
    if arguments.ids is not None:
        found, where = find_in_file(arguments.ids, known, "item"), f"{arguments.ids}, line "
    elif arguments.item:
        found, where = Found(arguments.item, arguments.item, known.find(arguments.item)), None
    else:
        return np.arange(len(content.encoder.item_ids_))
    if len(found.unknown) and (
        arguments.unknown_items == "error" or len(found.unknown) == len(found.ids)
    ):
        line, text = found.describe_unknown()
        raise CommandError(
            f"{'' if where is None else f'{where}{line}: '}the model does not know item {text}; "
            f"expected ids such as {known.describe()}. --unknown-items skip leaves out unknown ids."
        )
    if len(found.unknown):
        warn(f"{len(found.unknown):,} of {len(found.ids):,} items are unknown; left out")
    return found.places[found.places >= 0]


def _write(content, model, places, options, write, progress):
    mask, titles, k = options
    item_ids = content.encoder.item_ids_
    k, n_lines = min(k, len(item_ids)), 0
    for start in range(0, len(places), _CHUNK):
        asked = places[start : start + _CHUNK]
        found, scores = similar_lists(model, asked, k, mask, len(item_ids))
        row, rank = listed(found)
        similar = found[row, rank]
        columns = {
            "item": item_ids[asked[row]],
            "rank": (rank + 1).astype(np.int32),
            "similar": item_ids[similar],
            "score": scores[row, rank],
        }
        write(columns if titles is None else columns | {"title": titles[similar]})
        n_lines += len(row)
        progress.update(len(asked))
    return n_lines
