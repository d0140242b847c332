"""The data sets that several benchmark scripts read, found by ``SKREC_DATA``."""

import csv
import os
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array


def interactions(name):
    """The arrays of a data set's log."""
    return np.load(Path(os.environ["SKREC_DATA"]) / name / "interactions.npz")


def sparse(name, file):
    """A CSR matrix of a data folder."""
    found = np.load(Path(os.environ["SKREC_DATA"]) / name / file)
    return csr_array((found["data"], found["indices"], found["indptr"]), shape=found["shape"])


def genres(name):
    """Ones where an item has a genre: a csr_array, with the genres in alphabetical order."""
    path = Path(os.environ["SKREC_DATA"]) / name / "items.csv"
    with open(path, newline="", encoding="utf-8") as lines:
        found = [set(row["genres"].split("|")) for row in csv.DictReader(lines)]
    names = sorted(set().union(*found))
    return csr_array(np.array([[name in one for name in names] for one in found], dtype=float))


def binary(name):
    """Ones where a user has an item, float32; for Gowalla the training part, splits 0 and 1."""
    log = interactions(name)
    chosen = log["split"] < 2 if name == "gowalla" else slice(None)
    user, item = log["user"][chosen], log["item"][chosen]
    return csr_array((np.ones(len(user), dtype=np.float32), (user, item)))


def gowalla():
    """A function from a mask of Gowalla's entries to a matrix of ones, and their splits."""
    log = interactions("gowalla")
    shape = (int(log["user"].max()) + 1, int(log["item"].max()) + 1)

    def part(chosen):
        ones = np.ones(chosen.sum(), dtype=np.float32)
        return csr_array((ones, (log["user"][chosen], log["item"][chosen])), shape=shape)

    return part, log["split"]
