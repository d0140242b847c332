"""DATA of the command line -> a user-item matrix, and a description of the steps."""

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

from skrec._cli._errors import CommandError
from skrec._cli._output import status
from skrec._cli._sources import open_source, reading_options

# As Liang et al. 2018, and all papers that compare with theirs.
_MOVIELENS_MIN_VALUE = 4.0


class Interactions(NamedTuple):
    """A log, ready to use.

    Attributes
    ----------
    title : str
        Name of the data.
    X : csr_array of float32 of shape (n_users, n_items)
        Ones, or values, of the interactions that count.
    times : csr_array of shape (n_users, n_items) or None
        Time of each entry of `X`.
    on_one_clock : bool
        Whether times of different users are comparable.
    seen : csr_array of float32 of shape (n_users, n_items)
        Ones for all entries of the log, also below `min_value`.
    user_ids, item_ids : ndarray
    titles : ndarray of str of shape (n_items,) or None
    min_value : float or None
        Least value that counts; None: any value above 0.
    facts : list of (str, str)
        Label and text, to print.
    """

    title: str
    X: csr_array
    times: csr_array | None
    on_one_clock: bool
    seen: csr_array
    user_ids: np.ndarray
    item_ids: np.ndarray
    titles: np.ndarray | None
    min_value: float | None
    facts: list


def read_data(arguments):
    """Load a log with all its users and items.

    Parameters
    ----------
    arguments : argparse.Namespace
        With ``data``, None for the demonstration data, and the arguments of
        `skrec._cli._arguments.add_data_options`.

    Returns
    -------
    data : Interactions

    Raises
    ------
    CommandError
        If the data set is unknown, no interaction counts, or a value is too large.
    OSError, ValueError
        If the file cannot be read or is not a log.
    """
    name, min_value, values = arguments.data, arguments.min_value, arguments.values
    with status(f"reading {name or 'demo data'} ..."):
        source = open_source(
            name, reading=reading_options(arguments), data_home=arguments.data_home
        )
    raw = source.raw
    default = min_value is None
    if default and source.is_movielens:
        min_value = _MOVIELENS_MIN_VALUE
    kept = raw.X.data > 0 if min_value is None else raw.X.data >= min_value
    if not kept.any():
        raise CommandError(
            f"no interaction of {source.title} counts: got values from {_number(raw.X.data.min())} "
            f"to {_number(raw.X.data.max())}, expected some {_rule(min_value)}. Set another "
            "--min-value."
        )
    if values == "keep" and raw.X.data[kept].max() > np.finfo(np.float32).max:
        raise CommandError(
            f"values of {source.title} go up to {_number(raw.X.data.max())}, too large for "
            "--values keep; expected at most 3e38. Use --values ones."
        )
    time = raw.get("timestamp", raw.get("time_rank"))
    size = f"{len(raw.user_ids):,} users, {len(raw.item_ids):,} items, {raw.X.nnz:,} interactions"
    ones = np.ones(raw.X.nnz, dtype=np.float32)
    return Interactions(
        title=source.title,
        X=_entries(raw, kept, raw.X.data.astype(np.float32) if values == "keep" else ones),
        times=None if time is None else _entries(raw, kept, time),
        on_one_clock="timestamp" in raw,
        seen=_entries(raw, slice(None), ones),
        user_ids=raw.user_ids,
        item_ids=raw.item_ids,
        titles=raw.get("titles"),
        min_value=min_value,
        facts=[
            ("data", f"{source.title}: {size}"),
            *_describe_dropped(raw, arguments.negative),
            ("counted", _describe_rule(raw, min_value, values, default, source)),
        ],
    )


def active_part(data, min_user_count):
    """Keep the users with enough interactions, and their items.

    Parameters
    ----------
    data : Interactions
    min_user_count : int

    Returns
    -------
    data : Interactions
        With one more fact: the size of the rest.

    Raises
    ------
    CommandError
        If no user is left.
    """
    users = np.flatnonzero(np.diff(data.X.indptr) >= min_user_count)
    if not len(users):
        raise CommandError(
            f"no user of {data.title} has {min_user_count} interactions that count; lower "
            "--min-user-count or --min-value."
        )
    X = data.X[users]
    items = np.unique(X.indices)
    X = X[:, items]
    density = X.nnz / (X.shape[0] * X.shape[1])
    least = "1 interaction" if min_user_count == 1 else f"{min_user_count} interactions"
    used = (
        f"users with at least {least}: {X.shape[0]:,} users, {X.shape[1]:,} items, {X.nnz:,} "
        f"interactions, density {density:.3%}"
    )
    return data._replace(
        X=X,
        times=None if data.times is None else data.times[users][:, items],
        seen=data.seen[users][:, items],
        user_ids=data.user_ids[users],
        item_ids=data.item_ids[items],
        titles=None if data.titles is None else data.titles[items],
        facts=[*data.facts, ("used", used)],
    )


def _entries(raw, kept, values):
    """Some entries of the log, with other values; zeros stay stored."""
    pairs = (raw.user[kept], raw.item[kept])
    indptr = np.concatenate([[0], np.cumsum(np.bincount(pairs[0], minlength=raw.X.shape[0]))])
    return csr_array((values[kept], pairs[1], indptr.astype(raw.X.indptr.dtype)), shape=raw.X.shape)


def _describe_dropped(raw, negative):
    facts = []
    n_dropped, n_negative = raw.get("n_dropped", 0), raw.get("n_negative", 0)
    if n_dropped:
        facts.append(("left out", f"{n_dropped:,} lines without an id, a value or a time"))
    if n_negative and negative in ("drop", "subtract"):
        how = "left out" if negative == "drop" else "subtracted from purchases"
        facts.append(("returns", f"{n_negative:,} negative values, {how}"))
    return facts


def _describe_rule(raw, min_value, values, default, source):
    low, high = raw.X.data.min(), raw.X.data.max()
    kept = values == "keep"
    if raw.get("value_name") is None and min_value is None:
        if high == 1:
            return "every interaction (there are no values)"
        how = "as often as it occurs" if kept else "once, however often it occurs"
        other = "ones" if kept else "keep"
        return f"every pair of user and item {how} (--values {other} is the alternative)"
    each = "as they are" if kept else "each as 1"
    why = f" (they go from {_number(low)} to {_number(high)}"
    if default and source.is_movielens:
        why = " (the default for MovieLens, as in Liang et al. 2018"
    elif default:
        why += "; --min-value sets another limit"
        if low != high:
            why += f", --values {'ones' if kept else 'keep'} is the alternative"
    return f"values {_rule(min_value)}, {each}{why})"


def _rule(min_value):
    return "above 0" if min_value is None else f"of at least {_number(min_value)}"


def _number(value):
    return f"{value:g}"
