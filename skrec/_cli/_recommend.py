"""The verb `recommend`."""

import sys
from contextlib import suppress
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

from skrec._cli._errors import CommandError
from skrec._cli._ids import TextIds, as_text, find_in_file
from skrec._cli._list_files import is_folder, open_lists, parquet_writer, parts_of_folder
from skrec._cli._lists import candidates, titles_for, warn
from skrec._cli._modelfile import load_model_file
from skrec._cli._output import check_output, progress_bar, status
from skrec._cli._sources import option_of, read_log, reading_options
from skrec._cli._streams import check_stdout
from skrec._log_recommender._answers import listed
from skrec._recommend import recommend_rows
from skrec.utils._list_parts import made_of

_ALL = "all"  # of --users
_CHUNK = 1024  # users between two moves of the progress bar


class Users(NamedTuple):
    """Users to recommend to.

    Attributes
    ----------
    ids : ndarray of shape (n_users,)
        Ids of the model or the log; text if one id is in neither.
    X : csr_array of shape (n_users, n_items)
        Rows that the model scores.
    seen : csr_array of shape (n_users, n_items)
        The items that they have.
    """

    ids: np.ndarray
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
    folder = is_folder(arguments.output)
    path = None if folder else check_output(arguments.output, "--output")
    if path is None and not folder:
        check_stdout()
    if arguments.history is not None and arguments.users not in (None, _ALL):
        raise CommandError(
            f"--users {arguments.users} names users of the model, but --history has its own users; "
            "give one of them, or --users all."
        )
    reading = reading_options(arguments)
    if reading and arguments.history is None:
        raise CommandError(
            f"{option_of(reading)} is for --history; without it no log is read. Leave it out."
        )
    with status(f"reading {arguments.model} ..."):
        content = load_model_file(arguments.model)
    if arguments.history is None:
        users = _known_users(content, arguments)
    else:
        with status(f"reading {arguments.history} ..."):
            log = read_log(arguments.history, reading)
        if log.get("n_dropped"):
            warn(f"left out {log.n_dropped:,} lines without an id, a value or a time")
        users = _users_of_log(content, log, arguments)
    users = _treat_unknown(users, arguments)
    allowed, titles = candidates(content, arguments), titles_for(content, arguments.titles)
    lists = _Lists(content, users, allowed, titles, arguments)
    with progress_bar(len(users.ids), "user") as progress:
        if folder:
            n_lines = _write_parts(lists, progress)
        else:
            with open_lists(path, lists.names()) as write:
                n_lines = lists.write(0, len(users.ids), write, progress)
    if arguments.output:
        sys.stdout.write(
            f"{arguments.output}: {n_lines:,} recommendations to {len(users.ids):,} users\n"
        )


def _known_users(content, arguments):
    if arguments.users in (None, _ALL):
        return Users(content.encoder.user_ids_, content.interactions, content.seen)
    known = TextIds(content.encoder.user_ids_)
    found = find_in_file(arguments.users, known, "user")
    unknown, choice = found.unknown, arguments.unknown_users
    none = len(unknown) == len(found.ids)
    if len(unknown) and (choice == "error" or (none and choice is None)):
        line, text = found.describe_unknown()
        raise CommandError(
            f"{arguments.users}, line {line}: the model does not know user {text}; expected ids "
            f"such as {known.describe()}. --unknown-users popular recommends the popular items, "
            "skip leaves such users out; for new users, pass --history."
        )
    if none and choice == "skip":
        raise CommandError(
            f"{arguments.users}: the model knows none of these {len(unknown):,} users."
        )
    names = content.encoder.user_ids_[found.places]
    if len(unknown) and choice != "skip":  # skip drops their empty rows later
        names = _named(names, unknown, [found.ids[place] for place in unknown])
    return Users(
        names, *(_rows(rows, found.places) for rows in (content.interactions, content.seen))
    )


def _named(names, unknown, texts):
    """Ids with unknown users among them: whole numbers if all ids are, else text."""
    if names.dtype.kind in "iu":
        with suppress(ValueError):  # a text that is not a number
            numbers, limits = [int(text) for text in texts], np.iinfo(names.dtype)
            if limits.min <= min(numbers) and max(numbers) <= limits.max:
                names[unknown] = np.array(numbers, dtype=names.dtype)
                return names
    names = np.array([as_text(value) for value in names], dtype=object)
    names[unknown] = texts
    return names


def _rows(matrix, places):
    """Rows of a matrix; the row of place -1 is empty."""
    indptr = np.append(matrix.indptr, matrix.indptr[-1])
    shape = (matrix.shape[0] + 1, matrix.shape[1])
    return csr_array((matrix.data, matrix.indices, indptr), shape=shape)[places]


def _treat_unknown(users, arguments):
    """Drop the users without known items, warn about them, or raise."""
    unknown = np.diff(users.X.indptr) == 0
    n_unknown = int(unknown.sum())
    if not n_unknown:
        return users
    text = f"{n_unknown:,} of {len(users.ids):,} users have no interaction that the model can use"
    if arguments.unknown_users == "error":
        first = as_text(users.ids[int(np.argmax(unknown))])
        raise CommandError(
            f"{text}, such as {first!r}. --unknown-users popular recommends the popular items, "
            "skip leaves such users out."
        )
    if arguments.unknown_users == "skip":
        if n_unknown == len(users.ids):
            raise CommandError(f"{text}; --unknown-users skip leaves no user.")
        warn(f"{text}; their lists are left out")
        kept = np.flatnonzero(~unknown)
        return Users(users.ids[kept], users.X[kept], users.seen[kept])
    warn(f"{text}; they get the popular items, marked in the column fallback")
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
    return Users(log.user_ids, X, seen)


def _handle_unknown_items(log, unknown, known, arguments):
    items = np.unique(log.item[unknown])
    examples = ", ".join(as_text(value) for value in log.item_ids[items[:3]])
    text = (
        f"{arguments.history}: the model does not know {len(items):,} items ({examples}"
        f"{', ...' if len(items) > 3 else ''}) of {int(unknown.sum()):,} interactions"
    )
    if arguments.unknown_items == "error" or unknown.all():
        raise CommandError(f"{text}; expected ids such as {known.describe()}.")
    warn(f"{text}; skipped them")


def _counts(log, min_value):
    """Whether each interaction counts, by the rule of the fit."""
    if log.value_name is None:
        return np.ones(log.X.nnz, dtype=bool)
    return log.X.data > 0 if min_value is None else log.X.data >= min_value


class _Lists(NamedTuple):
    """Lists of users, made in chunks of users."""

    content: object
    users: Users
    allowed: np.ndarray | None
    titles: np.ndarray | None
    arguments: object

    def write(self, first, last, write, progress):
        """Write the lists of some users; returns the number of lines."""
        n_lines = 0
        for start in range(first, last, _CHUNK):
            stop = min(start + _CHUNK, last)
            columns = self._columns(start, stop)
            write(columns)
            n_lines += len(columns["rank"])
            progress.update(stop - start)
        return n_lines

    def names(self):
        """Names of the columns."""
        titled = [] if self.titles is None else ["title"]
        return ["user", "rank", "item", "score", *titled, "fallback"]

    def mark(self):
        """A digest of all that determines the lists."""
        options = (self.arguments.k, self.arguments.include_seen)
        return made_of(self.content, self.users, self.allowed, self.titles, options)

    def _columns(self, start, stop):
        content, users, titles = self.content, self.users, self.titles
        X = users.X[start:stop]
        items, scores = recommend_rows(
            lambda first, last: content.model.decision_function(X[first:last]),
            X.shape,
            min(self.arguments.k, X.shape[1]),
            seen=None if self.arguments.include_seen else users.seen[start:stop],
            allowed=self.allowed,
            dtype=X.dtype,
        )
        row, rank = listed(items)  # fewer than k if a user has nearly all items
        item = items[row, rank]
        titled = {} if titles is None else {"title": titles[item]}
        return {
            "user": users.ids[start + row],
            "rank": (rank + 1).astype(np.int32),
            "item": content.encoder.item_ids_[item],
            "score": scores[row, rank],
            **titled,
            "fallback": np.asarray(content.model.uses_fallback(X), dtype=bool)[row],
        }


def _write_parts(lists, progress):
    """Write the missing parts; returns the number of lines in all parts."""
    output, n_users = lists.arguments.output, len(lists.users.ids)
    files, bounds = parts_of_folder(output, n_users, lists.mark())
    n_lines = 0
    for name, (first, last) in zip(files.names, bounds, strict=True):
        which = name, f"{first}-{last}"
        known = files.n_lines(*which)
        if known is None:
            with files.open(*which) as (file, facts), parquet_writer(file, facts) as write:
                n_lines += lists.write(first, last, write, progress)
        else:
            n_lines += known
            progress.update(last - first)
    return n_lines
