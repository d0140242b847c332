"""Fit again, as in a weekly job, and compare the old model with the new one."""

import warnings
from numbers import Real

import numpy as np
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.utils import Bunch

from skrec._log._ids import unique_ids
from skrec._log_recommender._logs import counted, read_log
from skrec.metrics import compare, evaluate

# A log with a smaller share of the old model's pairs is taken for a part of the log.
_LEAST_SHARE = 0.5


class RefitResult(Bunch):
    """The Bunch of `LogRecommender.refit`, which prints the comparison in a few lines."""

    def __repr__(self):
        lines = [f"old: {self.old}", f"new: {self.new}", "new against old:"]
        lines += [f"  {paired}" for paired in self.comparison.values()]
        lines.append(
            f"{self.n_held_out:,} interactions from {self.since} on, {self.n_items:,} items that "
            "both models know"
        )
        return "\n".join(lines)

    __str__ = __repr__


class _CommonItems:
    """A model that scores only the items that another model knows too.

    Parameters
    ----------
    model : fitted recommender
    columns : ndarray of intp of shape (n_common,)
        The model's column of each item.
    """

    def __init__(self, model, columns):
        self.model = model
        self.columns = columns

    def decision_function(self, X):
        """Scores of shape (n_users, n_common) for rows of the common items."""
        X = csr_array(X)
        own = csr_array(
            (X.data, self.columns[X.indices], X.indptr),
            shape=(X.shape[0], self.model.n_features_in_),
        )
        own.sort_indices()
        return self.model.decision_function(own)[:, self.columns]


def refit(model, new_log, *, metrics, holdout, rates):
    """See `LogRecommender.refit`; `rates` says whether the model predicts ratings."""
    if not isinstance(holdout, Real) or not 0 < holdout < 1:
        raise ValueError(f"holdout must be a share with 0 < holdout < 1. Got {holdout!r}.")
    log = read_log(new_log, model.encoder, model.columns)
    if log.columns.timestamp is None:
        raise ValueError(
            "refit compares on the latest interactions, so the log needs times. Name the column: "
            "columns={'timestamp': ...}, or timestamp= of your encoder. Without times, use "
            "clone(model).fit(log) and compare with `evaluate`."
        )
    since, seen_before = _threshold(log.columns.timestamp, model.last_timestamp_, holdout)
    before = log.columns.timestamp < since
    is_learned = _learned(model, log.columns)
    if not seen_before:
        before |= is_learned & ~_repeats(log.columns, before)
    if before.all():
        raise _nothing_to_compare(since)
    candidate = clone(model)._fit_columns(log.columns.take(before), log)
    parts, n_items = _common_parts(model, candidate, log.columns, before, ranked=not rates)
    if not parts[0][1][1].nnz:
        raise _nothing_to_compare(since)
    results = [evaluate(one, *data, metrics=metrics) for one, data in parts]
    if seen_before:
        warnings.warn(
            "The comparison may flatter the old model: the new log has no interaction later than "
            "its fit, so it may have learned from the held-out interactions.",
            stacklevel=3,
        )
    return RefitResult(
        model=clone(model)._fit_columns(log.columns, log),
        old=results[0],
        new=results[1],
        comparison=compare(results[1], results[0]),
        n_items=n_items,
        n_held_out=int(results[0].n_held_out.sum()),
        since=_as_text(since),
    )


def _nothing_to_compare(since):
    return ValueError(
        "refit has nothing to compare on: the users had all items that both models know before "
        f"{_as_text(since)}, or the old model has learned from them. Fit again when the log is "
        "longer."
    )


def _threshold(times, last, holdout):
    """Time from which interactions are held out, and whether the old model may know them."""
    later = times[times > last] if last is not None else times[:0]
    seen_before = not len(later)
    since = np.quantile(times if seen_before else later, 1 - holdout, method="higher")
    if not (times < since).any():
        raise ValueError(
            "refit needs interactions before the held-out ones. Got only interactions from "
            f"{_as_text(since)} on; pass the whole log, not only its latest part."
        )
    return since, seen_before


def _learned(old, columns):
    """Mask of the interactions whose user and item are a pair that the old model learned from.

    Where the log's pairs are merged, a pair has its latest time only. A second purchase would hide
    the first one from the new model, while the old model has learned from it.
    """
    X = old.interactions_
    rows = old.encoder_.encode_users(columns.user, unknown="ignore")
    items = old.encoder_.encode_items(columns.item, unknown="ignore")
    users = np.repeat(np.arange(X.shape[0], dtype=np.int64), np.diff(X.indptr))
    learned = users * X.shape[1] + X.indices
    pairs = np.where((rows >= 0) & (items >= 0), rows * np.int64(X.shape[1]) + items, -1)
    share = np.isin(learned, pairs).mean() if len(learned) else 1.0
    if share < _LEAST_SHARE:
        warnings.warn(
            f"The new log has {share:.0%} of the pairs of user and item that the old model learned "
            "from, and the new model learns from the new log alone. Pass the whole log, not only "
            "its latest part.",
            stacklevel=4,
        )
    return np.isin(pairs, learned)


def _repeats(columns, before):
    """Mask of the interactions whose pair occurs in the part `before` too."""
    users, items = (unique_ids(ids, "log's")[1] for ids in columns[:2])
    pairs = users.astype(np.int64) * (items.max() + 1) + items
    return np.isin(pairs, pairs[before])


def _common_parts(old, new, columns, before, *, ranked):
    """Each model on the common items, with the shown and the held-out interactions."""
    item_ids = new.encoder_.item_ids_
    theirs = old.encoder_.encode_items(item_ids, unknown="ignore")
    common = np.flatnonzero(theirs >= 0)
    if not len(common):
        raise ValueError(
            "The old and the new model have no item in common, so they cannot be compared. Check "
            "that the ids of both logs have the same type."
        )
    encoder = clone(new.encoder_)
    encoder.user_ids_, encoder.item_ids_ = new.encoder_.user_ids_, item_ids
    # Rows for all users of the log; users who occur only in the held-out part come last.
    user_ids = encoder.row_ids(tuple(columns))
    encoder.user_ids_ = user_ids
    shown, held_out = (
        csr_array(encoder.transform(tuple(columns.take(mask)))) for mask in (before, ~before)
    )
    if new.counts_:
        shown, held_out = counted(shown), counted(held_out)
    shown, held_out = shown[:, common], held_out[:, common]
    if ranked:  # items that a user already has are not ranked
        held_out = csr_array(held_out - held_out.multiply(shown != 0))
        held_out.eliminate_zeros()
    return [
        (_CommonItems(old.recommender_, theirs[common]), (shown, held_out)),
        (_CommonItems(new.recommender_, common), (shown, held_out)),
    ], len(common)


def _as_text(time):
    """A Unix time as a date; other numbers unchanged."""
    if 1e8 < time < 1e11:
        return str(np.datetime64(int(time), "s"))
    return f"{time:g}"
