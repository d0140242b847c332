"""Odd matrices, numbers, parameters and logs, drawn from a generator."""

from datetime import datetime
from decimal import Decimal
from fractions import Fraction

import numpy as np
from scipy import sparse

from tests.doors import interactions
from tests.malformed import BREAKAGES

SHAPES = [(24, 16)] * 16 + [
    (1, 1), (1, 16), (24, 1), (0, 16), (24, 0), (0, 0), (2, 2), (40, 3), (3, 40), (24, 15),
]  # fmt: skip
FORMATS = ["csr", "csc", "coo", "bsr", "lil", "dok", "dia"]
# Weights: most values are sound, or every case would end at the same check.
EDGES = [
    1e10, 1e18, 1e19, 1e38, 1e100, 1e150, 1e155, 1e200, 1e300, 1.7e308, 1e-10, 1e-38, 1e-45, 1e-155,
    1e-300, 5e-324, -1.0, -1e200, -0.0, 0.0, 0.5, 2.0**53, 2.0**63, np.nan, np.inf, -np.inf,
]  # fmt: skip
NUMBERS = [
    0, 1, 2, 3, 5, 10, 16, 24, 100, -1, -(2**63), 2**31 - 1, 2**31, 2**32, 2**63, 2**70, 10**400,
    0.0, 0.5, 1.0, 1.5, -0.5, 1e-320, 1e-10, 1e10, 1e155, 1e308, np.nan, np.inf, True, False, None,
    "auto", "", "3", b"x", (), (3,), [2, 3], {}, 1j, np.float32(0.5), np.int8(3), np.uint64(2**63),
    np.array(2), np.array([1, 2]), np.datetime64("2020-01-01"), Decimal("0.5"), Fraction(1, 3),
    datetime(2020, 1, 1), object(), int, lambda: 3,
]  # fmt: skip


def pick(rng, options):
    """One of some options."""
    return options[int(rng.integers(len(options)))]


def odd_matrix(rng, shape=None, ratings=False):
    """Something that is passed for a user-item matrix, sound more often than not."""
    chance = rng.random()
    if chance < 0.05:
        return pick(rng, list(BREAKAGES.values()))(interactions(int(rng.integers(9))))
    if chance < 0.09:
        return _no_matrix(rng)
    shape = pick(rng, SHAPES) if shape is None or rng.random() < 0.06 else shape
    dense = _dense(rng, shape, ratings)
    if rng.random() < 0.3 and dense.size:
        dense = _edged(rng, dense)
    return _contained(rng, _typed(rng, dense))


def _dense(rng, shape, ratings):
    share = pick(rng, [0.0, 0.1, 0.3, 0.3, 0.5, 1.0])
    kind = pick(rng, ["ones", "counts", "floats", "negative" if ratings else "ones", "same"])
    mask = rng.random(shape) < share
    if kind == "ones":
        return mask.astype(float)
    if kind == "counts":
        return mask * rng.integers(1, 20, shape).astype(float)
    if kind == "same":
        return np.broadcast_to(rng.random(shape[-1]) < 0.5, shape) * 3.0
    return mask * (rng.random(shape) - (0.5 if kind == "negative" else 0.0))


def _edged(rng, dense):
    edge = pick(rng, EDGES)
    if rng.random() < 0.3:
        with np.errstate(all="ignore"):
            return dense * edge
    dense = dense.copy()
    dense.flat[rng.integers(0, max(dense.size, 1), 3) % max(dense.size, 1)] = (
        edge if dense.size else 0
    )
    return dense


def _typed(rng, dense):
    if rng.random() < 0.6:
        return dense
    dtype = pick(
        rng,
        [
            "f4", "f4", "f4", "f4", "f2", "g", "i1", "u1", "i4", "i8", "i8", "u8", "?", "?", "c16",
            "O", "U5", "S5",
            "M8[s]", "m8[s]", ">f8", ">i4",
        ],
    )  # fmt: skip
    with np.errstate(all="ignore"):
        return (
            dense.astype("f8").astype("i8").astype(dtype)
            if dtype[0] in "Mm"
            else dense.astype(dtype)
        )


def _contained(rng, dense):
    kind = pick(
        rng, ["array", "array", "list", "frame", "polars", "sparse", "sparse", "sparse", "odd"]
    )
    if kind == "list":
        return dense.tolist()
    if kind in ("frame", "polars"):
        return _framed(rng, dense, kind)
    if kind == "sparse":
        form = f"{pick(rng, FORMATS)}_{pick(rng, ['array', 'matrix'])}"
        try:
            X = getattr(sparse, form)(dense)
        except (ValueError, TypeError):  # no sparse matrix holds such values
            return dense
        if rng.random() < 0.2 and form.startswith("csr") and X.nnz:
            X.data[0] = 0  # an explicit zero
        return X
    if kind == "odd":
        return _odd_array(rng, dense)
    return dense


def _framed(rng, dense, kind):
    import pandas as pd
    import polars as pl

    names = pick(rng, [None, "text", "log"])
    columns = [f"item {i}" for i in range(dense.shape[1])]
    if names == "log" and 2 <= dense.shape[1] <= 4:
        columns = ["user_id", "movieId", "rating", "time"][: dense.shape[1]]
    if kind == "polars":
        try:
            return pl.DataFrame(dense, schema=columns)
        except Exception:  # polars holds no such values
            return dense
    frame = pd.DataFrame(dense, columns=None if names is None else columns)
    if rng.random() < 0.2 and frame.dtypes.map(lambda d: d.kind == "f").all():
        return frame.astype(pd.SparseDtype("float64", 0.0))
    return frame


def _odd_array(rng, dense):
    kind = pick(
        rng, ["fortran", "steps", "read-only", "fortran", "matrix", "masked", "1-D", "3-D", "sub"]
    )
    if kind == "fortran":
        return np.asfortranarray(dense)
    if kind == "steps":
        return np.repeat(dense, 2, axis=1)[:, ::2]
    if kind == "matrix":
        return np.asmatrix(dense)
    if kind == "masked":
        return np.ma.masked_array(dense, mask=np.zeros(dense.shape, bool))
    if kind == "1-D":
        return dense.ravel()
    if kind == "3-D":
        return dense[None]
    if kind == "sub":
        return dense[:, : max(dense.shape[1] - 1, 0)]
    dense = dense.copy()
    dense.flags.writeable = False
    return dense


def _no_matrix(rng):
    return pick(
        rng,
        [
            None, 3, 0.5, "X", b"X", [], [[]], [[], []], [1, 2, 3], [[1, 2], [3]], {},
            {"a": [1, 2]}, np.array(None), np.zeros(0), object(), iter([[1, 2]]), (1, 2),
            [["a", "b"]], [[None, 1], [1, 2]], [[1, 2], [10**400, 1]], [[datetime(2020, 1, 1), 1]],
            np.array([[1, None]], dtype=object), [[np.timedelta64(1, "s"), 1]], int,
        ],
    )  # fmt: skip


def odd_number(rng):
    """Something that is passed for a number."""
    return pick(rng, NUMBERS)


def odd_parameter(rng, default):
    """Something that is passed for a parameter; of the default's kind as often as not."""
    if rng.random() < 0.4 or isinstance(default, str | tuple) or default is None:
        return odd_number(rng)
    if isinstance(default, bool):
        return not default
    if isinstance(default, int):
        return int(rng.integers(1, 60))
    return default * pick(rng, [0.0, 0.5, 2.0, 1e-300, 1e-150, 1e-10, 1e10, 1e150, 1e300, -1.0])


def odd_places(rng, n):
    """Something that is passed for indices below n."""
    return pick(
        rng,
        [
            [0], [0, 1], [n - 1], [n], [-1], [[0]], [[0, 1]], [], 0, n, "0", ["0"], [0.0], [0.5],
            [True, False], np.arange(n), np.zeros(n, bool), np.ones(n, bool), np.zeros(n + 1, bool),
            [2**63], [2**70], [-(2**70)], None, [None], np.array([0], dtype="u8"), np.nan, [np.nan],
            np.array([[0, 1], [1, 0]]), np.zeros((0, 2), int), {0}, {"a": 1}, [[0], [0, 1]],
            object(), np.array([0, 1], dtype="m8[s]"), slice(0, 3), range(2),
        ],
    )  # fmt: skip


def odd_log(rng):
    """Something that is passed for a log of interactions."""
    import pandas as pd

    n = int(rng.integers(0, 30))
    ids = [
        rng.integers(0, 9, n), rng.integers(0, 9, n).astype(str), rng.random(n), [None] * n,
        [pick(rng, ["a", 1, 2.5, None, np.nan, "", (1,)]) for _ in range(n)],
        np.array(["2020-01-01"] * n, "M8[D]"), [b"x"] * n, [True] * n, [2**70] * n,
    ]  # fmt: skip
    values = [
        None, rng.integers(1, 6, n), [np.nan] * n, [np.inf] * n, ["1"] * n, ["x"] * n, [-1] * n,
        [1e308] * n, [2**70] * n, [10**400] * n, [1j] * n, [None] * n, pd.to_datetime(["2020"] * n),
    ]  # fmt: skip
    users, items, value, time = pick(rng, ids), pick(rng, ids), pick(rng, values), pick(rng, values)
    form = pick(rng, ["frame", "tuple", "rows", "mapping", "matrix"])
    columns = [column for column in (users, items, value, time) if column is not None]
    if form == "frame":
        return pd.DataFrame(
            {f"{i}": pd.Series(list(c), dtype=object) for i, c in enumerate(columns)}
        )
    if form == "rows":
        return list(zip(*columns, strict=True))
    if form == "mapping":
        return dict(zip(["user", "item", "rating", "time"], columns, strict=False))
    return odd_matrix(rng) if form == "matrix" else tuple(columns)
