"""Read files of text or parquet into a Bunch, a batch of lines at a time."""

import warnings

import numpy as np
from scipy.sparse import csr_array

from skrec._log._aggregate import dtype_of_times
from skrec._log._gathered import GatheredLog
from skrec._log._growing_ids import settled_ids, settled_texts
from skrec._log._returns import describe_negative, is_rating_name, nothing_left, require_sum
from skrec._log._text_ids import ids_of_text
from skrec.datasets._bunch import bunch_of, times_as_values
from skrec.datasets._scan_readers import scan_parquet, scan_text
from skrec.utils._log_names import is_time_name

__all__ = ["BATCH", "read_gathered"]

BATCH = 131_072  # lines that are decoded at a time; larger batches are hardly faster


def read_gathered(
    source,
    paths,
    kind,
    text,
    *,
    drop_missing,
    negative,
    duplicates,
    dtype,
    as_times,
    batch_size=BATCH,
):
    """Read files of text or parquet.

    Each batch is turned into codes of 4 bytes as soon as it is read. Two counting passes make the
    matrix: the first counts the lines of each user, the second puts each line in its place.

    Parameters
    ----------
    source : pathlib.Path or RemoteFile
        Name of all files in messages.
    paths : list of pathlib.Path or RemoteFile
    kind : {"text", "parquet"}
    text : dict
        Result of `skrec.datasets._reading.check_reading`.
    drop_missing, negative, duplicates, dtype, as_times
        See `skrec.datasets.load_interactions`.
    batch_size : int, default=131072

    Returns
    -------
    data : Bunch
        As in `skrec.datasets.load_interactions`.

    Raises
    ------
    ValueError
        As in `skrec.datasets.load_interactions`. Warnings point at the caller of the caller.
    """
    require_sum(negative, duplicates)
    lines, options = GatheredLog(), {"drop_missing": drop_missing, "batch_size": int(batch_size)}
    if kind == "text":
        scanned = scan_text(source, paths, text, lines, **options)
    else:
        options |= {name: text[name] for name in ("decimal", "form")}
        scanned = scan_parquet(source, paths, text["columns"], lines, **options)
    ids = _settle_ids(scanned, lines, kind)
    is_time = as_times or is_time_name(scanned.value_name)
    try:
        keep = _settle_negative(lines, negative, scanned.value_name)
        data = _as_bunch(
            lines, ids, keep_empty=keep, duplicates=duplicates,
            subtract=negative == "subtract" and lines.n_negative > 0,
            dtype=np.float64 if as_times else dtype_of_times(dtype) if is_time else dtype,
            more={
                "value_name": scanned.value_name,
                "n_dropped": scanned.n_dropped,
                "n_negative": lines.n_negative,
                "DESCR": f"Interactions in {source}.",
            },
        )  # fmt: skip
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from error
    return times_as_values(data, source, dtype) if as_times else data


def _settle_ids(scanned, lines, kind):
    """For users and items, the ids and the position of each code."""
    settled = []
    for side, ids in zip(("user", "item"), scanned.ids, strict=True):
        used = lines.counts(side, len(ids)) > 0
        if kind == "parquet":
            settled.append(settled_ids(ids, used, side, stacklevel=4))
            continue
        found, position = settled_texts(ids, used)
        if found is None:
            codes = np.flatnonzero(used)
            found, place = ids_of_text(ids.take(codes).tolist())
            position = np.full(len(used), -1, dtype=np.int32)
            position[codes] = place
        settled.append((found, position))
    return settled


def _settle_negative(lines, how, name):
    """Apply the rule for negative values; return whether ids without lines stay."""
    if not lines.n_negative or how == "keep" or (how == "warn" and is_rating_name(name)):
        return True
    if how in ("warn", "error"):
        row, first = lines.first_negative
        message = describe_negative(lines.n_negative, lines.n_lines, first, row, name)
        if how == "error":
            raise ValueError(message)
        warnings.warn(message, stacklevel=4)
        return True
    if how == "drop":
        n_lines = lines.n_lines
        lines.drop_negative()
        if not lines.n_lines:
            raise nothing_left(how, lines.n_negative, n_lines)
    return False


def _as_bunch(lines, ids, *, keep_empty, duplicates, subtract, dtype, more):
    (user_ids, user_position), (item_ids, item_position) = ids
    shape, n_lines = (len(user_ids), len(item_ids)), lines.n_lines
    X, time = lines.to_matrix(
        user_position, item_position, shape, duplicates=duplicates, dtype=dtype, subtract=subtract
    )
    if not X.nnz:
        raise nothing_left("subtract", lines.n_negative, n_lines)
    if not keep_empty:
        X, user_ids, item_ids = _without_empty(X, user_ids, item_ids)
    return bunch_of(X, user_ids, item_ids, {} if time is None else {"timestamp": time}, more)


def _without_empty(X, user_ids, item_ids):
    """The matrix without empty users and items, and the remaining ids."""
    has_entries = np.diff(X.indptr) > 0
    n_users_of = np.bincount(X.indices, minlength=X.shape[1])
    place = (np.cumsum(n_users_of > 0) - 1).astype(X.indices.dtype)
    indptr = np.append(X.indptr[:-1][has_entries], X.indptr[-1])
    shape = (len(indptr) - 1, int(np.count_nonzero(n_users_of)))
    kept = csr_array((X.data, place[X.indices], indptr), shape=shape)
    kept.has_canonical_format = True
    return kept, user_ids[has_entries], item_ids[n_users_of > 0]
