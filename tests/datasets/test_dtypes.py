"""The dtype of what loaders and the encoder make, and what each can hold."""

import functools

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skrec.datasets import load_dataset, load_demo, load_interactions, make_interactions
from skrec.preprocessing import InteractionEncoder

DOORS = {
    "loader": lambda values, dtype, items=None: (
        load_interactions(_log(values, items), dtype=dtype, negative="keep", value=2).X.data
    ),
    "encoder": lambda values, dtype, items=None: (
        InteractionEncoder(dtype=dtype, negative="keep").fit_transform(_log(values, items)).data
    ),
}


def _log(values, items=None):
    """A log of one user; by default each value is of another item."""
    items = range(len(values)) if items is None else items
    return [("u", item, value) for item, value in zip(items, values, strict=True)]


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    ("values", "dtype", "first"),
    [
        ([1, -3.0], np.uint8, "-3.0"),
        ([1, 256], np.uint8, "256.0"),
        ([4.5, 0.5], np.int32, "4.5"),
        ([2.0**31], np.int32, "2147483648.0"),
        ([2.0**63], np.int64, "9.22"),
        ([1, 2], bool, "2.0"),
        ([1e300], np.float32, "1e\\+300"),
        ([1, 1e-300], np.float32, "1e-300"),
    ],
)
def test_values_that_the_dtype_cannot_hold(door, values, dtype, first):
    with pytest.raises(ValueError, match=rf"dtype={np.dtype(dtype)} cannot hold .* first {first}"):
        DOORS[door](values, dtype)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64, np.float32, np.float64, "float32"])
def test_values_that_the_dtype_holds(door, dtype):
    found = DOORS[door]([0, 1, 200 if dtype is np.uint8 else 255], dtype)
    assert found.dtype == dtype
    assert found.tolist()[:2] == [0, 1]


@pytest.mark.parametrize(
    "dtype", [np.float16, np.longdouble, complex, object, "foo", str, None, "M8[s]"]
)
def test_dtypes_that_are_refused(tmp_path, dtype):
    np.savez(tmp_path / "interactions.npz", user=[0, 1], item=[1, 0])
    for read in (
        *(lambda dtype, door=door: door([1.0], dtype) for door in DOORS.values()),
        lambda dtype: load_dataset(tmp_path.name, data_home=tmp_path.parent, dtype=dtype),
        lambda dtype: make_interactions(20, 10, dtype=dtype),
    ):
        with pytest.raises(ValueError, match="dtype must be float64, float32 or"):
            read(dtype)


# What float32 tells apart is float32; 2**24 + 1 would be 2**24, two days of a spreadsheet one, and
# the square of 1e-23 zero.
@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([1, 0, 5], np.float32),
        ([0.1, 2.5, -3], np.float32),
        ([1, 2**24], np.float32),
        ([2.0**-63, 2], np.float32),
        ([1023.3, 2], np.float32),
        ([45000.5, 45000.5007], np.float64),
        ([1234567.89], np.float64),
        ([1, 1e-23], np.float64),
        ([1, 2**24 + 1], np.float64),
        ([1.5, -(2**24) - 1], np.float64),
        ([1, 1e300], np.float64),
        ([1e-46, 1], np.float64),
    ],
)
def test_the_dtype_that_is_made_unless_told_otherwise(door, values, dtype):
    found = DOORS[door](values, "auto")
    assert found.dtype == dtype
    assert_array_equal(found, np.array(values, dtype=dtype))


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([2**24, 1], np.float64),  # the sum is above, neither value is
        ([2**23, 2**23], np.float32),
        ([2**53, -(2**53)], np.float32),
        ([0.1] * 10, np.float32),
        ([2.0**-64] * 2, np.float32),
    ],
)
def test_repeated_pairs_are_summed_before_they_are_rounded(door, values, dtype):
    found = DOORS[door](values, "auto", items=[7] * len(values))
    assert found.dtype == dtype
    assert found.tolist() == [dtype(np.sum(values, dtype=np.float64))]
    assert DOORS[door](values, np.float32, items=[7] * len(values)).tolist() == [
        np.float32(np.sum(values, dtype=np.float64))
    ]


def test_the_dtype_of_loaders(tmp_path):
    np.savez(tmp_path / "interactions.npz", user=[0, 1], item=[1, 0], rating=[4.5, 2**24 + 1])
    open_door = functools.partial(load_dataset, tmp_path.name, data_home=tmp_path.parent)
    assert open_door().X.data.tolist() == [4.5, 2**24 + 1]
    np.savez(tmp_path / "interactions.npz", user=[0, 1], item=[1, 0], time_rank=[0, 0])
    assert open_door().X.dtype == np.float32
    assert open_door(as_times=True).X.dtype == np.float64
    assert open_door(as_times=True, dtype=np.float32).X.dtype == np.float32
    assert load_demo().X.dtype == np.float32
    assert load_demo(dtype=np.float64).X.dtype == np.float64
    assert make_interactions(20, 10).X.dtype == np.float64
    assert make_interactions(20, 10, dtype="auto").X.dtype == np.float32
    assert make_interactions(20, 10, feedback="rating", dtype="auto").X.dtype == np.float32


def test_values_with_the_name_of_a_time_stay_exact():
    frame = {"user": [1, 2], "item": [5, 6], "date": [20_000.25, 20_000.2501]}
    for X in (
        load_interactions(frame, value="date", return_X=True),
        InteractionEncoder(value="date").fit_transform(frame),
    ):
        assert X.dtype == np.float64
        assert X.data.tolist() == frame["date"]
    days = frame | {"date": [1, 2]}
    X = InteractionEncoder(value="date", dtype=np.float32).fit_transform(days)
    assert X.dtype == np.float32


def test_dtypes_of_the_other_doors(tmp_path):
    np.savez(tmp_path / "interactions.npz", user=[0, 1], item=[1, 0], rating=[4.5, -1])
    with pytest.raises(ValueError, match=r"interactions\.npz: dtype=uint8 cannot hold 2 of 2"):
        load_dataset(tmp_path.name, data_home=tmp_path.parent, dtype=np.uint8)
    with pytest.raises(ValueError, match="dtype=int8 cannot hold"):
        make_interactions(50, 20, feedback="rating", half_stars=True, dtype=np.int8)
    X = make_interactions(50, 20, feedback="rating", dtype=np.int8, return_X=True)
    assert X.dtype == np.int8
