"""Tables of rows that run_rows.py learns from: ML-1M's likes, Frappe's logs, samples of clicks."""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from _data import interactions
from scipy.sparse import csr_array, hstack

USER = ("user", "gender", "age", "occupation", "zip")
# Columns of Frappe; CONTEXT has the columns of the context.
CONTEXT = ("daytime", "weekday", "isweekend", "homework", "weather", "country", "city")
FRAPPE = ("user", *CONTEXT, "app", "cost")
NEGATIVES = 2


def _one_hot(values):
    kinds, codes = np.unique(np.asarray(values), return_inverse=True)
    n = len(codes)
    return csr_array((np.ones(n), (np.arange(n), codes)), shape=(n, len(kinds)))


def ml_1m():
    """Rows of ML-1M as a csr_array, whether they are likes, and the field of each column."""
    import pandas as pd

    folder, log = Path(os.environ["SKREC_DATA"]) / "ml-1m", interactions("ml-1m")
    users = pd.read_csv(folder / "users.csv", dtype={"zip": str}).sort_values("user")
    items = pd.read_csv(folder / "items.csv")
    items = items[items["item"] >= 0].sort_values("item")
    users["zip"] = users["zip"].str[:3]
    of_users = {name: _one_hot(users[name]) for name in USER}
    of_items = {name: _one_hot(items[name]) for name in ("item", "year")}
    of_items["genres"] = csr_array(items["genres"].str.get_dummies("|").to_numpy(np.float64))
    U = csr_array(hstack([*of_users.values()], format="csr"))
    V = csr_array(hstack([*of_items.values()], format="csr"))
    X = csr_array(hstack([U[log["user"]], V[log["item"]]], format="csr"))
    parts = of_users | of_items
    fields = np.repeat([*parts], [part.shape[1] for part in parts.values()])
    return X, (log["rating"] > 3).astype(int), fields


class Frappe(NamedTuple):
    """Rows of Frappe: each log, and behind all logs two draws for each, in the same order.

    Attributes
    ----------
    X : ndarray of int of shape (n_rows, 10)
        The columns `FRAPPE`.
    y : ndarray of int of shape (n_rows,)
    part : ndarray of int of shape (n_rows,)
        0: learned from, 1: looked at, 2: tested; a log and its draws have the same number.
    unseen : ndarray of bool of shape (n_rows,)
        Whether the log that a row belongs to has a user and app that are together in no log that
        is learned from.
    """

    X: np.ndarray
    y: np.ndarray
    part: np.ndarray
    unseen: np.ndarray


def frappe():
    """Frappe with two apps that the user has never used for each log, in the log's context."""
    log = interactions("frappe")
    state = np.random.RandomState(0)
    order = state.permutation(len(log["context"]))
    context, (app, cost) = log["context"][order], log["item_fields"][order].T
    user, n_apps = context[:, 0].astype(np.int64), int(app.max()) + 1
    cost_of = np.zeros(n_apps, dtype=cost.dtype)
    cost_of[app] = cost  # of each app there is one
    used = np.zeros((user.max() + 1, n_apps), dtype=bool)
    used[user, app] = True
    rows = np.tile(np.arange(len(user)), NEGATIVES)
    drawn = np.full(len(rows), -1)
    while (left := np.flatnonzero(drawn < 0)).size:
        some = state.randint(n_apps, size=len(left))
        free = ~used[user[rows[left]], some]
        drawn[left[free]] = some[free]
    rows, apps = np.concatenate([np.arange(len(user)), rows]), np.concatenate([app, drawn])
    X = np.column_stack([context[rows], apps, cost_of[apps]])
    y = (np.arange(len(rows)) < len(user)).astype(int)
    n, pair = len(user), user * n_apps + app
    part = np.searchsorted([7 * n // 10, 9 * n // 10], np.arange(n), side="right")
    return Frappe(X, y, part[rows], ~np.isin(pair, pair[part == 0])[rows])


def sample(name):
    """A frame of a sample of clicks, its labels, and which of its columns hold categories.

    Parameters
    ----------
    name : {"criteo", "avazu"}
    """
    import pandas as pd

    path = Path(os.environ["SKREC_DATA"]) / "ctr-samples" / f"{name}_sample.txt"
    frame = pd.read_csv(path)
    if name == "criteo":  # counts, I1 to I13, have long tails
        numbers = [column for column in frame if column.startswith("I")]
        frame[numbers] = np.log1p(frame[numbers].clip(lower=0))
        categories = [column for column in frame if column.startswith("C")]
        return frame[numbers + categories], frame["label"].to_numpy(), categories
    frame["hour"] %= 100  # written as YYMMDDHH
    X = frame.drop(columns=["click", "id"])
    return X.astype(str), frame["click"].to_numpy(), list(X)
