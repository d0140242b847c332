"""The verb `recommend`."""

import csv
import sys
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

from skrec._cli._errors import CommandError
from skrec._cli._ids import TextIds, as_text, find_in_file
from skrec._cli._lists import candidates, open_output, titles_for, warn
from skrec._cli._modelfile import load_model_file
from skrec._cli._output import check_output, progress_bar, status
from skrec._cli._sources import option_of, read_log, reading_options
from skrec._cli._streams import check_stdout
from skrec._log_recommender._answers import listed
from skrec._recommend import recommend_rows

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
    if reading and arguments.history is None:
        raise CommandError(
            f"{option_of(reading)} is for --history; users of the model are told by their ids."
        )
    with status(f"reading {arguments.model} ..."):
        content = load_model_file(arguments.model)
    if arguments.history is None:
        users = _known_users(content, arguments)
    else:
        with status(f"reading {arguments.history} ..."):
            log = read_log(arguments.history, reading)
        if log.get("n_dropped"):
            warn(f"{log.n_dropped:,} lines that lack an id, a value or a time are left out")
        users = _users_of_log(content, log, arguments)
    users = _treat_unknown(users, arguments)
    allowed, titles = candidates(content, arguments), titles_for(content, arguments.titles)
    with open_output(path) as file, progress_bar(len(users.ids), "user") as progress:
        n_lines = _write_lists(content, users, (allowed, titles), arguments, file, progress)
    if path:
        sys.stdout.write(f"{path}: {n_lines:,} recommendations to {len(users.ids):,} users\n")


def _known_users(content, arguments):
    if arguments.users is None:
        names = [as_text(value) for value in content.encoder.user_ids_]
        return Users(names, content.interactions, content.seen)
    known = TextIds(content.encoder.user_ids_)
    found = find_in_file(arguments.users, known, "user")
    unknown, choice = found.unknown, arguments.unknown_users
    none = len(unknown) == len(found.ids)
    if len(unknown) and (choice == "error" or (none and choice is None)):
        line, text = found.describe_unknown()
        raise CommandError(
            f"{arguments.users}, line {line}: the model does not know user {text}; its ids are "
            f"like {known.describe()}. --unknown-users popular recommends what most users have, "
            "skip leaves such users out; --history takes new ones."
        )
    if none and choice == "skip":
        raise CommandError(
            f"{arguments.users}: the model knows none of these {len(unknown):,} users."
        )
    names = [as_text(value) for value in content.encoder.user_ids_[found.places]]
    for place in unknown:
        names[place] = found.ids[place]
    return Users(
        names, *(_rows(rows, found.places) for rows in (content.interactions, content.seen))
    )


def _rows(matrix, places):
    """Rows of a matrix; that of place -1 is empty."""
    indptr = np.append(matrix.indptr, matrix.indptr[-1])
    shape = (matrix.shape[0] + 1, matrix.shape[1])
    return csr_array((matrix.data, matrix.indices, indptr), shape=shape)[places]


def _treat_unknown(users, arguments):
    """Users without those of whom nothing is known, or with a warning, or an error."""
    unknown = np.diff(users.X.indptr) == 0
    n_unknown = int(unknown.sum())
    if not n_unknown:
        return users
    text = f"{n_unknown:,} of {len(users.ids):,} users have no interaction that the model can use"
    if arguments.unknown_users == "error":
        first = users.ids[int(np.argmax(unknown))]
        raise CommandError(
            f"{text}, such as {first!r}. --unknown-users popular recommends what most users have, "
            "skip leaves such users out."
        )
    if arguments.unknown_users == "skip":
        if n_unknown == len(users.ids):
            raise CommandError(f"{text}; with --unknown-users skip nobody is left.")
        warn(f"{text}; they are left out")
        kept = np.flatnonzero(~unknown)
        return Users([users.ids[place] for place in kept], users.X[kept], users.seen[kept])
    warn(f"{text}; they get what most users have, marked in the column fallback")
    return users


def _users_of_log(content, log, arguments):
    known = TextIds(content.encoder.item_ids_)
    columns = known.find(map(as_text, log.item_ids))
    here = columns[log.item]
    unknown = here < 0
    if unknown.any():
        _handle_unknown_items(log, unknown, known, arguments)
    counted = ~unknown & _counts(log, content.min_value)
    shape = (len(log.user_ids), len(content.encoder.item_ids_))
    ones = np.ones(log.X.nnz, dtype=np.float32)
    values = log.X.data.astype(np.float32) if content.values == "keep" else ones
    X, seen = (
        csr_array((value[mask], (log.user[mask], here[mask])), shape=shape)
        for mask, value in ((counted, values), (~unknown, ones))
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
    warn(f"{text}; they are skipped")


def _counts(log, min_value):
    """Whether each interaction is one for the model, by the rule that it was fitted with."""
    if log.value_name is None:
        return np.ones(log.X.nnz, dtype=bool)
    return log.X.data > 0 if min_value is None else log.X.data >= min_value


def _write_lists(content, users, options, arguments, file, progress):
    allowed, titles = options
    writer = csv.writer(file, lineterminator="\n")
    titled = [] if titles is None else ["title"]
    writer.writerow(["user", "rank", "item", "score", *titled, "fallback"])
    item_ids = [as_text(value) for value in content.encoder.item_ids_]
    n_lines = 0
    for start in range(0, len(users.ids), _CHUNK):
        X = users.X[start : start + _CHUNK]
        items, scores = recommend_rows(
            lambda first, last, X=X: content.model.decision_function(X[first:last]),
            X.shape,
            min(arguments.k, X.shape[1]),
            seen=None if arguments.include_seen else users.seen[start : start + _CHUNK],
            allowed=allowed,
            dtype=X.dtype,
        )
        fallback = content.model.uses_fallback(X)
        # Fewer than k where a user has nearly everything.
        for row, rank in zip(*listed(items), strict=True):
            item = items[row, rank]
            title = [] if titles is None else [titles[item]]
            score = f"{scores[row, rank]:.6g}"
            user = users.ids[start + row]
            writer.writerow([user, rank + 1, item_ids[item], score, *title, bool(fallback[row])])
            n_lines += 1
        progress.update(X.shape[0])
    return n_lines
