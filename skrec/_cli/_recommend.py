"""The verb `recommend`."""

import csv
import sys
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

from skrec._cli._errors import CommandError
from skrec._cli._ids import TextIds, as_text, read_user_ids
from skrec._cli._modelfile import load_model_file
from skrec._cli._output import check_output, progress_bar, status
from skrec._cli._sources import option_of, read_log, reading_options
from skrec._cli._streams import check_stdout
from skrec._recommend import recommend_rows
from skrec.utils._files import atomic_text

_CHUNK = 1024  # users between two moves of the progress bar


class Users(NamedTuple):
    """Whom to recommend to.

    Attributes
    ----------
    ids : list of str
    X : csr_array of shape (n_users, n_items)
        Rows that the model scores.
    seen : csr_array of shape (n_users, n_items)
        What they have.
    """

    ids: list
    X: csr_array
    seen: csr_array


def run(arguments):
    """Recommend to the users of a list or of a log.

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
    reading = reading_options(arguments)
    if reading and arguments.users:
        raise CommandError(f"{option_of(reading)} is for --history; --users is a list of ids.")
    with status(f"reading {arguments.model} ..."):
        content = load_model_file(arguments.model)
    if arguments.users:
        users = _known_users(content, arguments.users, skip_unknown=arguments.skip_unknown)
    else:
        with status(f"reading {arguments.history} ..."):
            log = read_log(arguments.history, reading)
        if log.get("n_dropped"):
            _warn(f"{log.n_dropped:,} lines that lack an id, a value or a time are left out")
        users = _users_of_log(content, log, arguments)
    n_empty = int((np.diff(users.X.indptr) == 0).sum())
    if n_empty:
        _warn(
            f"{n_empty:,} of {len(users.ids):,} users have no interaction that the model can use; "
            "they get what most users have"
        )
    with _open_output(path) as file, progress_bar(len(users.ids), "user") as progress:
        n_lines = _write_lists(content, users, arguments, file, progress)
    if path:
        sys.stdout.write(f"{path}: {n_lines:,} recommendations to {len(users.ids):,} users\n")


def _known_users(content, source, *, skip_unknown):
    ids, lines = read_user_ids(source)
    known = TextIds(content.encoder.user_ids_)
    rows = known.find(ids)
    missing = np.flatnonzero(rows < 0)
    if len(missing) and not skip_unknown:
        first = missing[0]
        more = f" (and {len(missing) - 1:,} more unknown ids)" if len(missing) > 1 else ""
        raise CommandError(
            f"{source}, line {lines[first]}: the model does not know user {ids[first]!r}{more}; "
            f"its ids are like {known.describe()}. --skip-unknown leaves such users out, "
            "--history takes new ones."
        )
    if len(missing) == len(ids):
        raise CommandError(f"{source}: the model knows none of these {len(ids):,} users.")
    if len(missing):
        _warn(f"{len(missing):,} of {len(ids):,} users are unknown and left out")
    rows = rows[rows >= 0]
    names = [as_text(value) for value in content.encoder.user_ids_[rows]]
    return Users(names, content.interactions[rows], content.seen[rows])


def _users_of_log(content, log, arguments):
    known = TextIds(content.encoder.item_ids_)
    columns = known.find(map(as_text, log.item_ids))
    here = columns[log.item]
    unknown = here < 0
    if unknown.any():
        _handle_unknown_items(log, unknown, known, arguments)
    counted = ~unknown & _counts(log, content.min_value)
    shape = (len(log.user_ids), len(content.encoder.item_ids_))
    X, seen = (
        csr_array(
            (np.ones(mask.sum(), dtype=np.float32), (log.user[mask], here[mask])), shape=shape
        )
        for mask in (counted, ~unknown)
    )
    for matrix in (X, seen):
        matrix.sum_duplicates()
    return Users([as_text(value) for value in log.user_ids], X, seen)


def _handle_unknown_items(log, unknown, known, arguments):
    items = np.unique(log.item[unknown])
    examples = ", ".join(as_text(value) for value in log.item_ids[items[:3]])
    text = (
        f"{arguments.history}: the model does not know {len(items):,} items ({examples}"
        f"{', ...' if len(items) > 3 else ''}) of {int(unknown.sum()):,} interactions"
    )
    if arguments.unknown_items == "error" or unknown.all():
        raise CommandError(f"{text}; its ids are like {known.describe()}.")
    _warn(f"{text}; they are skipped")


def _counts(log, min_value):
    """Whether each interaction is one for the model, by the rule that it was fitted with."""
    if log.value_name is None:
        return np.ones(log.X.nnz, dtype=bool)
    return log.X.data > 0 if min_value is None else log.X.data >= min_value


def _write_lists(content, users, arguments, file, progress):
    writer = csv.writer(file, lineterminator="\n")
    titled = content.titles is not None
    writer.writerow(["user", "rank", "item", "score", *(["title"] if titled else [])])
    item_ids = [as_text(value) for value in content.encoder.item_ids_]
    popularity = np.bincount(content.interactions.indices, minlength=len(item_ids))
    n_lines = 0
    for start in range(0, len(users.ids), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        seen = None if arguments.include_seen else users.seen[chunk]
        items, scores = _lists(content.model, popularity, users.X[chunk], seen, arguments.k)
        for user, row, values in zip(users.ids[chunk], items, scores, strict=True):
            found = row[row >= 0]  # fewer than k where a user has nearly everything
            for rank, (item, score) in enumerate(zip(found, values, strict=False), 1):
                title = [content.titles[item]] if titled else []
                writer.writerow([user, rank, item_ids[item], f"{score:.6g}", *title])
            n_lines += len(found)
        progress.update(len(items))
    return n_lines


def _lists(model, popularity, X, seen, k):
    def scores(start, stop):
        rows = X[start:stop]
        scores = model.decision_function(rows)
        # A model that scores items by the user's own has nothing to say without any.
        scores[np.diff(rows.indptr) == 0] = popularity
        return scores

    return recommend_rows(scores, X.shape, min(k, X.shape[1]), seen=seen, dtype=X.dtype)


@contextmanager
def _open_output(path):
    if path is None:
        yield sys.stdout
        return
    with atomic_text(path) as file:
        yield file


def _warn(text):
    sys.stderr.write(f"skrec: warning: {text}\n")
