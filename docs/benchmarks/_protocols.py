"""The list of protocols: which data, which published split, which metrics."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from _data import gowalla, interactions
from scipy.sparse import csr_array

from skrec.metrics._comparison._parts import Part
from skrec.model_selection import (
    evaluation_split,
    leave_one_out_split,
    strong_generalization_split,
)

SEED = 98765


class Problem(NamedTuple):
    """The parts of a protocol: one to compare models on, one to test the chosen model on.

    Where both parts learn from the same, the model that validated best is tested as it is.
    """

    validation: Part
    test: Part


class Protocol(NamedTuple):
    """One way to measure; the first metric chooses.

    `also` makes further figures of the users' values, for the record only. `data` names the files
    of get_data.py that it reads.
    """

    title: str
    text: str
    metrics: tuple
    normalize: str
    load: Callable
    also: Callable | None = None
    data: tuple = ()

    def problem(self):
        """The parts of it, with the denominator of this protocol."""
        options = {"normalize": self.normalize}
        return Problem(*(replace(part, options=options) for part in self.load()))


def _ones(user, item, shape):
    return csr_array((np.ones(len(user), dtype=np.float32), (user, item)), shape=shape)


def _one_per_user(item, shape):
    return _ones(np.arange(len(item)), item, shape)


def ml1m_strong_split():
    """Ratings >= 4 of users with at least 5 of them; 750 users validate and 750 test."""
    log = interactions("ml-1m")
    liked = log["rating"] >= 4
    user, item = log["user"][liked], log["item"][liked]
    enough = np.bincount(user)[user] >= 5
    ones = np.ones(enough.sum(), dtype=np.float32)
    X = csr_array((ones, (user[enough], item[enough])))
    X = X[np.diff(X.indptr) > 0]
    return strong_generalization_split(X, n_validation=750, n_test=750, random_state=SEED)


def _ml1m_strong():
    split = ml1m_strong_split()
    return Problem(
        Part(split.X_train, split.X_validation, split.y_validation),
        Part(split.X_train, split.X_test, split.y_test),
    )


def _leave_one_out(user, item, order, shape, test_item, candidates, n_drawn):
    """The test as given; for validation each user's last training item, by `order`."""
    X = _ones(user, item, shape)
    validation = evaluation_split(
        X,
        "leave_one_out",
        timestamps=csr_array((order, (user, item)), shape=shape),
        n_candidates=n_drawn,
        random_state=0,
    )
    return Problem(
        Part(validation.X_train, validation.X_test, validation.y_test, validation.candidates),
        Part(X, X, _one_per_user(test_item, shape), candidates),
    )


def _ml1m_ncf():
    log = interactions("ml-1m")
    split = np.load(Path(os.environ["SKREC_DATA"]) / "ml-1m" / "ncf_leave_one_out.npz")
    test_item = split["test_item"].astype(np.intp)
    train = log["item"] != test_item[log["user"]]
    user, item = log["user"][train], log["item"][train]
    negatives = split["negatives"].astype(np.intp)
    return _leave_one_out(
        user, item, log["time_rank"][train], (6040, 3706), test_item, negatives, 99
    )


def _ml1m_last():
    """Values are places in the user's history, from 1."""
    log = interactions("ml-1m")
    X = csr_array((log["time_rank"] + 1.0, (log["user"], log["item"])), shape=(6040, 3706))
    train, y_test = leave_one_out_split(X, timestamps=X)
    fit, y_validation = leave_one_out_split(train, timestamps=train)
    return Problem(Part(fit, fit, y_validation), Part(train, train, y_test))


def _citeulike_cmn():
    split = np.load(Path(os.environ["SKREC_DATA"]) / "citeulike-a" / "cmn_leave_one_out.npz")
    user, item = split["train"].astype(np.intp).T
    # There are no times, so the validation items are drawn.
    order = np.random.default_rng(SEED).random(len(user))
    return _leave_one_out(
        user,
        item,
        order,
        (5551, 16_980),
        split["test_item"].astype(np.intp),
        split["negatives"].astype(np.intp),
        100,
    )


def _gowalla():
    part, split = gowalla()
    train, whole = part(split == 0), part(split < 2)
    return Problem(Part(train, train, part(split == 1)), Part(whole, whole, part(split == 2)))


def _ml100k_mcrec():
    log = interactions("ml-100k")
    split = np.load(Path(os.environ["SKREC_DATA"]) / "ml-100k" / "mcrec_split.npz")
    held = np.zeros(len(log["user"]), dtype=bool)
    rows = np.flatnonzero(split["train"])
    held[np.random.default_rng(SEED).permutation(rows)[: len(rows) // 5]] = True

    def part(chosen):
        return _ones(log["user"][chosen], log["item"][chosen], (943, 1682))

    train, whole = part(split["train"] & ~held), part(split["train"])
    return Problem(Part(train, train, part(held)), Part(whole, whole, part(split["test"])))


def _mcrec_ndcg(found, part):
    """nDCG@10 as MCRec's code has it: over the DCG of all relevant items, not of ten."""
    gain = np.cumsum(1 / np.log2(np.arange(2, part.y_test.shape[1] + 2)))
    n_relevant = np.maximum(np.diff(part.y_test.indptr), 1)
    ratio = gain[np.minimum(n_relevant, 10) - 1] / gain[n_relevant - 1]
    return {"ndcg@10, MCRec's": float(np.nanmean(found.per_user["ndcg@10"] * ratio))}


PROTOCOLS = {
    "ml1m_strong": Protocol(
        "ML-1M, strong generalisation",
        "Ratings >= 4 are interactions, users with at least 5 of them take part. 750 users "
        "validate and 750 test: a fifth of the items of each is held out and ranked among all "
        "that the rest does not hold. Models learn from the other users only. Recall is divided "
        f"by min(k, number held out). Seed {SEED}. No table of this split has been published.",
        ("ndcg@100", "recall@20", "recall@50"),
        "min",
        _ml1m_strong,
        data=("ml-1m/interactions",),
    ),
    "ml1m_ncf": Protocol(
        "ML-1M, leave-one-out with 99 given negatives (He et al. 2017)",
        "Every rating but one a user is a training interaction; the one is ranked among the 99 "
        "negatives of the authors' file, ties against it. For the choice the last training item "
        "of each user is held out likewise, among 99 drawn items. The chosen model then learns "
        "from all of the training data.",
        ("ndcg@10", "hit_rate@10"),
        "min",
        _ml1m_ncf,
        data=("ml-1m/interactions", "ml-1m/ncf_leave_one_out"),
    ),
    "ml1m_last": Protocol(
        "ML-1M, the last item of each user among all items",
        "All ratings are interactions, and the values of the matrix are their places in the user's "
        "history, from 1. The last item of each user is ranked among all items that the user "
        "lacks. For the choice the last item but one is ranked, by models that learned from the "
        "items before it. Ratings of one second have the order of the authors' files. Models "
        "without time see ones. Published figures for this test: SASRec .126 nDCG@10 / .239 "
        "HR@10, gSASRec .173 / .300; neither model learns from the last item but one.",
        ("ndcg@10", "hit_rate@10"),
        "min",
        _ml1m_last,
        data=("ml-1m/interactions",),
    ),
    "gowalla": Protocol(
        "Gowalla, LightGCN's split",
        "For the choice models learn from split 0 and rank split 1. For the test they learn from "
        "both splits and rank split 2. Recall is divided by the number of relevant items, as "
        "LightGCN's code does.",
        ("ndcg@20", "recall@20"),
        "relevant",
        _gowalla,
        data=("gowalla/interactions",),
    ),
    "ml100k_mcrec": Protocol(
        "ML-100K, MCRec's split",
        "Four fifths of all ratings, binarised, are training interactions. The other ratings are "
        "ranked among all items that a user does not have. For the choice a fifth of the training "
        "interactions is held out. Recall is divided by the number of relevant items. MCRec's "
        "code divides the DCG by the DCG of all relevant items, not of ten. Each record has this "
        "figure too, and the published figures are compared with it.",
        ("ndcg@10", "precision@10", "recall@10"),
        "relevant",
        _ml100k_mcrec,
        _mcrec_ndcg,
        ("ml-100k/interactions", "ml-100k/mcrec_split"),
    ),
    "citeulike_cmn": Protocol(
        "citeulike-a, CMN's split: leave-one-out with 100 given negatives",
        "One item a user is ranked among the 100 negatives of the authors' file, ties against "
        "it. For the choice an item of each user with more than one is drawn and ranked among "
        "100 drawn ones.",
        ("ndcg@10", "hit_rate@10"),
        "min",
        _citeulike_cmn,
        data=("citeulike-a/cmn_leave_one_out",),
    ),
}
