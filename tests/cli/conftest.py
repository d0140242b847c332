"""Small logs and a way to run a command."""

import csv
import io
from contextlib import redirect_stderr, redirect_stdout
from typing import NamedTuple

import numpy as np
import pytest

from skrec.__main__ import main
from skrec.datasets import make_interactions


class Done(NamedTuple):
    """What a command did."""

    code: int
    out: str
    err: str


class Screen(io.StringIO):
    """Text that may say that it is a terminal."""

    def __init__(self, *, terminal=False):
        super().__init__()
        self.terminal = terminal

    def isatty(self):
        return self.terminal


@pytest.fixture(scope="session")
def skrec():
    """Run a command in this process."""

    def run(*arguments, terminal=False):
        out, err = Screen(terminal=terminal), Screen(terminal=terminal)
        with redirect_stdout(out), redirect_stderr(err):
            code = main([str(argument) for argument in arguments])
        return Done(code, out.getvalue(), err.getvalue())

    return run


@pytest.fixture(scope="session")
def generated():
    """160 users and 60 items, with the time of each interaction."""
    return make_interactions(160, 60, 2400, timestamps=True, random_state=3)


@pytest.fixture(scope="session")
def log(generated, tmp_path_factory):
    """The same as a CSV file with text ids, "u0" to "u159" and "i0" to "i59"."""
    path = tmp_path_factory.mktemp("log") / "log.csv"
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["user", "item", "timestamp"])
        for user, item, time in zip(
            generated.user, generated.item, generated.timestamp, strict=True
        ):
            writer.writerow([f"u{user}", f"i{item}", time])
    return path


@pytest.fixture(scope="session")
def ratings(generated, tmp_path_factory):
    """The same with whole-numbered ids from 1 and ratings from 1 to 5."""
    path = tmp_path_factory.mktemp("ratings") / "ratings.tsv"
    values = np.random.default_rng(0).integers(1, 6, len(generated.user))
    with open(path, "w", newline="") as file:
        writer = csv.writer(file, delimiter="\t")
        writer.writerow(["userId", "movieId", "rating"])
        for user, item, value in zip(generated.user, generated.item, values, strict=True):
            writer.writerow([user + 1, item + 1, value])
    return path


@pytest.fixture(scope="session")
def model(skrec, log, tmp_path_factory):
    """EASE, fitted on `log`."""
    path = tmp_path_factory.mktemp("model") / "model.skops"
    done = skrec("fit", log, "--model", "ease", "--param", "alpha=20", "--output", path)
    assert done.code == 0, done.err
    return path
