"""Loaded data whose values are times."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skrec.datasets import fetch_movielens, load_dataset, load_interactions
from skrec.preprocessing import InteractionEncoder

LOG = "user,item,rating,timestamp\nann,7,4.5,20\nbob,9,3,50\nann,9,1,30\nann,7,2,40\n"


def test_files(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(LOG)
    data = load_interactions(path, as_times=True)
    assert_array_equal(data.X.toarray(), [[40, 30], [0, 50]])
    assert data.X.dtype == np.float64
    assert data.value_name == "timestamp"
    assert data.data is data.X
    X = load_interactions(path, as_times=True, dtype=np.float32, return_X=True)
    assert X.dtype == np.float32
    with pytest.raises(ValueError, match=r"log\.csv has no times.*as_times=False"):
        load_interactions(path, timestamp=None, as_times=True)
    path.write_text(LOG.replace(",20", ",2025-01-01"))
    dated = LOG
    for number, day in ((20, "01"), (30, "02"), (40, "03"), (50, "04")):
        dated = dated.replace(f",{number}\n", f",2025-01-{day}\n")
    path.write_text(dated)
    X = load_interactions(path, as_times=True, return_X=True).toarray()
    assert_array_equal((X - X[0, 1]) / 86_400, [[1, 0], [-X[0, 1] / 86_400, 2]])
    with pytest.raises(ValueError, match=r"log\.csv takes .* float32 cannot tell apart"):
        load_interactions(path, as_times=True, dtype=np.float32)


def test_times_must_be_above_zero(tmp_path):
    with pytest.raises(ValueError, match="the earliest time is 0"):
        load_interactions([("ann", "tea", 1, 0), ("bob", "tea", 1, 5)], as_times=True)


def test_folders(tmp_path):
    arrays = {"user": [0, 1, 1], "item": [1, 1, 0], "rating": [5, 4, 3]}
    for name, more in (
        ("ranked", {"time_rank": np.array([0, 1, 0], np.int16)}),
        ("ml-100k", {"timestamp": [70, 90, 80]}),
        ("plain", {}),
    ):
        (tmp_path / name).mkdir()
        np.savez(tmp_path / name / "interactions.npz", **arrays, **more)
    ranked = load_dataset("ranked", data_home=tmp_path, as_times=True)
    assert_array_equal(ranked.X.toarray(), [[0, 1], [1, 2]])
    assert_array_equal(ranked.rating, [5, 3, 4])
    assert ranked.value_name == "time_rank"
    movies = fetch_movielens(data_home=tmp_path, as_times=True, return_X=True)
    assert_array_equal(movies.toarray(), [[0, 70], [80, 90]])
    with pytest.raises(ValueError, match="plain has no times"):
        load_dataset("plain", data_home=tmp_path, as_times=True)


def test_encoded_dates():
    days = ["2025-01-01", "2025-01-03", "2025-01-02", "2025-01-05"]
    for column in (days, np.array(days, dtype="datetime64[s]")):
        log = {"user": [1, 1, 2, 1], "item": [5, 6, 5, 5], "date": column}
        X = InteractionEncoder(value="date", duplicates="max").fit_transform(log)
        assert X.dtype == np.float64
        first = np.datetime64("2025-01-01", "s").astype(float)
        assert_array_equal((X.data - first) / 86_400, [4, 2, 1])
        with pytest.raises(ValueError, match=r"InteractionEncoder\(value='date'\).*float32"):
            InteractionEncoder(value="date", duplicates="max", dtype=np.float32).fit(log)
    with pytest.raises(ValueError, match="value column is '2025-01-01'"):
        InteractionEncoder(value="rating").fit(
            {"user": [1, 2], "item": [5, 6], "rating": [3, "2025-01-01"]}
        )
    with pytest.raises(ValueError, match="value column is '2025-01-01'"):
        InteractionEncoder().fit([(1, 5, "2025-01-01")])


def test_the_dates_that_are_missing_are_counted():
    days = ["2025-01-03", "2025-01-01", "NaT", "2025-01-02"]
    for column in (np.array(days, dtype="datetime64[s]"), [*days[:2], None, days[3]]):
        log = {"user": [1, 1, 2, 1], "item": [5, 6, 5, 5], "date": column}
        with pytest.raises(ValueError, match=r"Entry 2 .* Expected a date, .* that row"):
            InteractionEncoder(value="date", duplicates="max").fit(log)
