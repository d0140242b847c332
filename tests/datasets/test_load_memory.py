"""Logs in memory, returns, dtypes: what load_interactions makes of them."""

import warnings
from datetime import UTC, date, datetime, timedelta, timezone

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy.sparse import csr_array

from skrec.datasets import load_interactions
from skrec.preprocessing import InteractionEncoder

FRAME = pd.DataFrame(
    {
        "item_id": [9, 7, 9, 9],
        "user_id": ["bob", "ann", "ann", "bob"],
        "rating": [3.0, 4.5, 1.0, 2.0],
        "time": pd.to_datetime(["1970-01-01 00:00:20", "1970-01-01 00:00:30+00:00",
                                "1970-01-01 01:00:40+01:00", "1970-01-01 00:00:10"],
                               format="mixed", utc=True),
    }
)  # fmt: skip
ORDER = ["user_id", "item_id", "rating", "time"]
FORMS = {
    "pandas": FRAME,
    "pandas, naive": FRAME.assign(time=FRAME.time.dt.tz_localize(None)),
    "pandas, arrow": FRAME.convert_dtypes(dtype_backend="pyarrow"),
    "polars": pl.from_pandas(FRAME),
    "polars, lazy": pl.from_pandas(FRAME).lazy(),
    "arrow": pa.Table.from_pandas(FRAME),
    "batch": pa.RecordBatch.from_pandas(FRAME),
    "mapping": {name: FRAME[name].tolist() for name in FRAME},
    "text": {name: FRAME[name].astype(str).tolist() for name in ("rating", "time")}
    | {name: FRAME[name].tolist() for name in ("user_id", "item_id")},
    "columns": tuple(FRAME[name] for name in ORDER),
    "arrays": [FRAME[name].to_numpy() for name in ORDER],
    "rows": list(FRAME[ORDER].itertuples(index=False, name=None)),
    "generator": None,
    "records": FRAME.to_dict("records"),
}


@pytest.mark.parametrize("form", FORMS)
def test_forms(form):
    log = FORMS[form]
    if form == "generator":
        log = iter(FORMS["rows"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = load_interactions(log, duplicates="last")
    assert_array_equal(data.X.toarray(), [[4.5, 1], [0, 3]])
    assert data.user_ids.tolist() == ["ann", "bob"]
    assert data.item_ids.tolist() == [7, 9]
    assert data.timestamp.tolist() == [30, 40, 20]
    assert data.value_name in ("rating", "value")
    assert data.n_dropped == data.n_negative == 0
    assert_array_equal(data.user, [0, 0, 1])


def test_agrees_with_the_encoder():
    encoder = InteractionEncoder(user="user_id", item="item_id", value="rating")
    for form in ("pandas", "polars", "arrow", "mapping", "records"):
        data = load_interactions(FORMS[form])
        assert_array_equal(data.X.toarray(), encoder.fit_transform(FORMS[form]).toarray())


def test_columns_of_a_frame_are_named_or_placed():
    frame = FRAME.rename(columns={"user_id": "who"})
    with pytest.raises(ValueError, match=r"the log: cannot tell which columns.*pass user="):
        load_interactions(frame)
    assert load_interactions(frame, user="who", value=None).X.sum() == 4
    assert load_interactions(frame, user=1).X.shape == (2, 2)
    with pytest.raises(ValueError, match="the log has no column 'whom'"):
        load_interactions(frame, user="whom")
    places = pd.DataFrame(np.array([[1, 2, 3], [4, 5, 6]]))
    assert_array_equal(load_interactions(places).X.toarray(), [[3, 0], [0, 6]])
    twice = pd.concat([FRAME, FRAME], axis=1)
    with pytest.raises(ValueError, match=r"2 columns 'user_id'.*user=1"):
        load_interactions(twice)


@pytest.mark.parametrize(
    ("log", "error", "message"),
    [
        (None, TypeError, "Got NoneType"),
        (5, TypeError, "Got int"),
        (csr_array(np.eye(2)), TypeError, "sparse matrix"),
        ([], ValueError, "is empty"),
        (FRAME.iloc[:0], ValueError, "is empty"),
        ([{1, 2}, {3, 4}], ValueError, "Row 0"),
        ([("a", "b"), {"user": 1, "item": 2}], ValueError, "Row 1"),
        ({"user": [1, 2], "item": [1]}, ValueError, r"differ in length: \[1, 2\]"),
        ([("a", "b", 1600000000), ("a", "c", 1600000001)], ValueError, "looks like times"),
        ([("a", "b", "x", datetime(2024, 1, 1))], ValueError, "'x'|no values"),
        (pd.DataFrame({"user": [1], "item": [1], "rating": [1j]}), ValueError, "1j.*finite number"),
    ],
)
def test_bad_logs(log, error, message):
    with pytest.raises(error, match=message):
        load_interactions(log, value="auto" if not isinstance(log, list) or len(log) != 1 else 2)


MISSING = {
    "pandas": pd.DataFrame({"user": ["a", None, "c", "d"], "item": ["x", "y", "z", "z"],
                            "rating": [1, 2, np.nan, 4]}),
    "polars": pl.DataFrame({"user": ["a", None, "c", "d"], "item": ["x", "y", "z", "z"],
                            "rating": [1, 2, None, 4]}),
    "mapping": {"user": ["a", None, "c", "d"], "item": ["x", "y", "z", "z"],
                "rating": [1, 2, float("nan"), 4]},
    "rows": [("a", "x", 1), (None, "y", 2), ("c", "z", None), ("d", "z", 4)],
}  # fmt: skip


@pytest.mark.parametrize("form", MISSING)
def test_missing_is_counted_or_left_out(form):
    with pytest.raises(ValueError, match=r"Missing user id: entry 1.*those 1 rows.*drop_missing=T"):
        load_interactions(MISSING[form])
    data = load_interactions(MISSING[form], drop_missing=True)
    assert data.n_dropped == 2
    assert data.user_ids.tolist() == ["a", "d"]
    assert_array_equal(data.X.toarray(), [[1, 0], [0, 4]])
    with pytest.raises(ValueError, match="all 1 rows lack an id"):
        load_interactions({"user": [None], "item": [1]}, drop_missing=True)


def test_missing_whole_numbers_stay_whole_where_the_frame_can_hold_them():
    for log in (
        pl.DataFrame({"user": ["a", "b"], "item": [7, None]}),
        pd.DataFrame({"user": ["a", "b"], "item": pd.array([7, None], dtype="Int64")}),
        {"user": ["a", "b"], "item": [7, None]},
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            data = load_interactions(log, drop_missing=True)
        assert data.item_ids.tolist() == [7]
        assert data.item_ids.dtype == np.int64


def test_float_ids_are_warned_of():
    log = pd.DataFrame({"user": [648.0, 7.0], "item": ["x", "y"]})
    for read in (load_interactions, InteractionEncoder().fit, InteractionEncoder().fit_transform):
        with pytest.warns(UserWarning, match=r"user ids are floats with whole values.*dtype="):
            read(log)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_interactions({"user": [1.5, 2.5], "item": [1, 2]})
        load_interactions(np.array([[1.0, 2.0, 0.5], [3.0, 4.0, 1.0]]))


def test_missing_ids_that_were_made_text_of_are_warned_of():
    log = pd.DataFrame({"user": pd.Series(["a", np.nan]).astype(object), "item": ["x", "y"]})
    log["user"] = [str(user) for user in log["user"]]
    for read in (load_interactions, InteractionEncoder().fit, InteractionEncoder().fit_transform):
        with pytest.warns(UserWarning, match=r"Among the user ids is 'nan'.*dropna"):
            read(log)


# Returns.

RETURNS = [
    ("a", "x", 3, 1),
    ("a", "x", -1, 9),
    ("a", "y", 1, 2),
    ("a", "y", -1, 3),
    ("b", "x", 2, 4),
    ("c", "z", -2, 5),
]


def test_returns_are_warned_of():
    message = r"3 of 6 values.* are negative, the first -1\.0 \(entry 1.*negative='subtract'"
    with pytest.warns(UserWarning, match=message):
        data = load_interactions(RETURNS)
    assert data.n_negative == 3
    assert_array_equal(data.X.toarray(), [[2, 0, 0], [2, 0, 0], [0, 0, -2]])
    with pytest.raises(ValueError, match=message):
        load_interactions(RETURNS, negative="error")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load_interactions(RETURNS, negative="keep").X.sum() == 2
        load_interactions({"user": [1], "item": [1], "rating": [-9.5]})  # Jester


def test_returns_are_subtracted_or_dropped(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("".join(",".join(map(str, row)) + "\n" for row in RETURNS))
    for log in (RETURNS, path):
        data = load_interactions(log, negative="subtract")
        assert data.user_ids.tolist() == ["a", "b"]
        assert data.item_ids.tolist() == ["x"]
        assert_array_equal(data.X.toarray(), [[2], [2]])
        assert data.timestamp.tolist() == [1, 4]  # of the purchase
        data = load_interactions(log, negative="drop")
        assert data.item_ids.tolist() == ["x", "y"]
        assert_array_equal(data.X.toarray(), [[3, 1], [2, 0]])


def test_returns_that_cannot_be_settled():
    with pytest.raises(ValueError, match=r"needs|from the sum.*duplicates='sum'"):
        load_interactions(RETURNS, negative="subtract", duplicates="last")
    with pytest.raises(ValueError, match=r"No interaction is left with negative='subtract'"):
        load_interactions([("a", "x", -1)], negative="subtract")
    with pytest.raises(ValueError, match="negative must be one of"):
        load_interactions(RETURNS, negative="minus")
    with pytest.raises(ValueError, match="drop_missing must be True or False"):
        load_interactions(RETURNS, drop_missing="no")


def test_the_rounding_of_returns():
    log = [("a", "x", 0.1), ("a", "x", 0.2), ("a", "x", -0.3), ("a", "y", 1.0)]
    data = load_interactions(log, negative="subtract")
    assert data.item_ids.tolist() == ["y"]


@given(
    rows=st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(-3, 3)), min_size=1, max_size=30
    )
)
def test_returns_are_what_is_left_of_each_pair(rows):
    left = {}
    for user, item, value in rows:
        left.setdefault((user, item), []).append(value)
    left = {
        pair: sum(values)
        for pair, values in left.items()
        if sum(values) > 0 or (min(values) == 0 and max(values) == 0)
    }
    if not left:
        return
    data = load_interactions(rows, negative="subtract")
    found = {
        (int(data.user_ids[u]), int(data.item_ids[i])): v
        for u, i, v in zip(data.user, data.item, data.X.data, strict=True)
    }
    assert found == left
    encoder = InteractionEncoder(negative="subtract")
    X = encoder.fit_transform(rows)
    assert (X != data.X).nnz == 0
    assert (encoder.transform(rows)[: X.shape[0]] != X).nnz == 0
    assert encoder.user_ids_.tolist() == data.user_ids.tolist()


def test_returns_in_the_encoder():
    encoder = InteractionEncoder()
    with pytest.warns(UserWarning, match="values are negative.*negative='subtract'"):
        encoder.fit(RETURNS)
    encoder = InteractionEncoder(negative="subtract").fit(RETURNS)
    X, users = encoder.transform_histories([("eve", "x", 1), ("eve", "x", -1), ("bob", "x", 2)])
    assert users.tolist() == ["bob", "eve"]
    assert_array_equal(X.toarray(), [[2], [0]])
    with pytest.raises(ValueError, match="negative"):
        InteractionEncoder(negative="add").fit(RETURNS)
    with pytest.raises(ValueError, match="duplicates='sum'"):
        InteractionEncoder(negative="subtract", duplicates="max").fit(RETURNS)


def test_sums_of_small_numbers_do_not_wrap(tmp_path):
    path = tmp_path / "log.npz"
    np.savez(path, user=[0, 0], item=[0, 0], value=np.array([200, 100], dtype=np.uint8))
    assert load_interactions(path).X.data.tolist() == [300]
    with pytest.raises(
        ValueError, match=r"dtype=uint8 cannot hold 1 of 1 values, the first 300\.0"
    ):
        load_interactions(path, dtype=np.uint8)


# Values and times by one rule, at every door.


@pytest.mark.parametrize(
    "values",
    [
        pd.to_datetime(["2020-01-01", "2020-01-02"]),
        np.array(["2020-01-01", "2020-01-02"], dtype="datetime64[s]"),
        np.array([1, 2], dtype="timedelta64[s]"),
        np.array([1j, 2]),
        [1j, 2],
        ["1_0", "2"],
        ["0x10", "2"],
        [datetime(2020, 1, 1), datetime(2020, 1, 2)],
        [date(2020, 1, 1), date(2020, 1, 2)],
        [timedelta(1), timedelta(2)],
        [np.datetime64("2020-01-01"), np.datetime64("2020-01-02")],
        pa.array([datetime(2020, 1, 1), datetime(2020, 1, 2)]),
        [np.inf, 1],
        ["nan", "1"],
    ],
)
def test_what_is_no_value(values):
    log = (["a", "b"], [1, 2], values)
    for read in (InteractionEncoder().fit, lambda log: load_interactions(log, value=2)):
        with pytest.raises(ValueError, match=r"Entry 0 .*value column is .*finite number"):
            read(log)


def test_decimal_commas_in_text(tmp_path):
    log = {"user": ["a", "b"], "item": [1, 2], "rating": ["4,5", "3"]}
    with pytest.raises(ValueError, match=r"value column is '4,5'.*decimal=','"):
        load_interactions(log)
    assert load_interactions(log, decimal=",").X.data.tolist() == [4.5, 3]
    (tmp_path / "log").write_text('["a", 1, "4,5"]\n["b", 2, "3"]\n')
    assert load_interactions(tmp_path / "log", decimal=",", value=2).X.data.tolist() == [4.5, 3]


def test_what_is_a_value():
    from decimal import Decimal
    from fractions import Fraction

    for values in ([True, False], ["1", " 0 "], [Decimal(1), 0], [Fraction(1), 0.0], [b"1", b"0"],
                   np.array([1, 0], np.uint8), pd.Series([1, 0], dtype="Int64")):  # fmt: skip
        X = InteractionEncoder().fit_transform((["a", "b"], [1, 2], values))
        assert X.data.tolist() == [1, 0]


ZONE = timezone(timedelta(hours=2))
TIMES = {
    "numbers": [86400, 90000],
    "float": np.array([86400.0, 90000.0]),
    "text": ["1970-01-02", "1970-01-02T01:00:00Z"],
    "text with a zone": ["1970-01-02T02:00+02:00", "1970-01-02T03:00:00+02:00"],
    "text of numbers": ["86400", "90000"],
    "datetime": [datetime(1970, 1, 2), datetime(1970, 1, 2, 1)],
    "datetime with a zone": [
        datetime(1970, 1, 2, 2, tzinfo=ZONE),
        datetime(1970, 1, 2, 1, tzinfo=UTC),
    ],
    "datetime64": np.array(["1970-01-02T00", "1970-01-02T01"], dtype="datetime64[h]"),
    "datetime64 objects": [np.datetime64("1970-01-02"), np.datetime64("1970-01-02T01:00")],
    "pandas": pd.Series(pd.to_datetime(["1970-01-02 00:00", "1970-01-02 01:00"])),
    "pandas, UTC": pd.Series(pd.to_datetime(["1970-01-02 00:00", "1970-01-02 01:00"], utc=True)),
    "pandas, a zone": pd.Series(
        pd.to_datetime(["1970-01-02 02:00", "1970-01-02 03:00"]).tz_localize("Africa/Cairo")
    ),
    "pandas index": pd.to_datetime(["1970-01-02 00:00", "1970-01-02 01:00"], utc=True),
    "pandas objects": pd.Series(pd.to_datetime(["1970-01-02 00:00", "1970-01-02 01:00"])).astype(
        object
    ),
    "pandas arrow": pd.Series(
        pd.to_datetime(["1970-01-02 00:00", "1970-01-02 01:00"], utc=True)
    ).astype("timestamp[us, tz=UTC][pyarrow]"),
    "polars": pl.Series([datetime(1970, 1, 2), datetime(1970, 1, 2, 1)]),
    "polars, a zone": pl.Series(
        [datetime(1970, 1, 2, 2, tzinfo=ZONE), datetime(1970, 1, 2, 3, tzinfo=ZONE)]
    ),
    "arrow": pa.array([datetime(1970, 1, 2), datetime(1970, 1, 2, 1)]),
    "arrow, a zone": pa.chunked_array(
        [pa.array([86400, 90000], pa.timestamp("s", tz="Europe/Berlin"))]
    ),
}


@pytest.mark.parametrize("form", TIMES)
def test_times_by_one_rule(form):
    from skrec.model_selection import holdout_split, leave_one_out_split, temporal_split

    times = TIMES[form]
    assert load_interactions((["a", "b"], [1, 2], [1, 1], times)).timestamp.tolist() == [
        86400,
        90000,
    ]
    X = InteractionEncoder(duplicates="last").fit_transform((["a", "a"], [1, 1], [5, 6], times))
    assert X.data.tolist() == [6]
    X = csr_array(np.ones((1, 2)))
    for threshold in ("1970-01-02T00:30:00+00:00", datetime(1970, 1, 2, 0, 30), 88200,
                      pd.Timestamp("1970-01-02 02:30+02:00"), np.datetime64("1970-01-02T00:30"),
                      "1970-01-02 00:30"):  # fmt: skip
        _, later = temporal_split(X, times, threshold=threshold)
        assert_array_equal(later.toarray(), [[0, 1]])
    for split in (leave_one_out_split, holdout_split):
        assert_array_equal(split(X, timestamps=times)[1].toarray(), [[0, 1]])


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (pd.Series(pd.to_datetime(["2020-01-01", None])), "NaT|None"),
        (pd.Series(pd.to_datetime(["2020-01-01", None], utc=True)), "that row|NaT"),
        ([datetime(2020, 1, 1), None], "None"),
        (["2020-01-01", "soon"], "'soon'"),
        (np.array([1, 2], dtype="timedelta64[s]"), "timedelta"),
        ([1j, 2], "1j"),
        (["1_0", "2"], "'1_0'"),
        ([np.nan, 1], "nan|NaN"),
        (pl.Series([datetime(2020, 1, 1), None]), "NaT|None"),
    ],
)
def test_what_is_no_time(times, message):
    from skrec.model_selection import leave_one_out_split, temporal_split

    for read in (
        lambda: load_interactions((["a", "b"], [1, 2], [1, 1], times)),
        lambda: InteractionEncoder().fit((["a", "b"], [1, 2], [1, 1], times)),
        lambda: temporal_split(csr_array(np.ones((1, 2))), times),
        lambda: leave_one_out_split(csr_array(np.ones((1, 2))), timestamps=times),
    ):
        with pytest.raises(ValueError, match=message):
            read()


def test_thresholds_that_are_none():
    from skrec.model_selection import temporal_split

    X = csr_array(np.ones((1, 2)))
    for threshold in ("soon", True, np.nan, timedelta(1), [1], np.datetime64("NaT")):
        with pytest.raises(ValueError, match="threshold must be a point in time"):
            temporal_split(X, [1, 2], threshold=threshold)
    # Milliseconds: the numbers are of another unit than the date.
    with pytest.raises(ValueError, match=r"is a date, but timestamps are none.*as Unix seconds"):
        temporal_split(X, [1_700_000_000_000, 1_800_000_000_000], threshold="2025-01-01")
    with pytest.raises(ValueError, match="before the threshold"):
        temporal_split(X, ["2024-01-01", "2024-01-02"], threshold="2025-01-01")
