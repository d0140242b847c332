"""Times of a form that only their owner knows: files of each kind, logs in memory, bad entries."""

import json
from datetime import UTC, datetime, timedelta

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skrec.datasets import _scan_readers, load_interactions, scan_interactions

FORM = "%d.%m.%Y %H:%M"
TEXTS = ["31.12.2024 23:30", "01.02.2025 00:00", "05.04.2025 07:05"]
TIMES = [1735687800, 1738368000, 1743836700]
COLUMNS = {"user": ["a", "b", "a"], "item": ["x", "x", "y"], "when": TEXTS}
NAMED = {"timestamp": "when", "timestamp_format": FORM}


def _times(data):
    """Times by pair of user and item."""
    pairs = zip(data.user_ids[data.user], data.item_ids[data.item], strict=True)
    return dict(zip(pairs, data.timestamp.tolist(), strict=True))


EXPECTED = dict(zip(zip("aba", "xxy", strict=True), TIMES, strict=True))


def _write(folder, kind):
    path, frame = folder / f"log.{kind}", pd.DataFrame(COLUMNS)
    if kind == "parquet":
        pq.write_table(pa.table(COLUMNS), path)
    elif kind == "json":
        path.write_text("\n".join(json.dumps(row) for row in frame.to_dict("records")))
    else:
        frame.to_csv(path, sep=kind, index=False)
    return path


@pytest.mark.parametrize("large", [0, 1 << 20])
@pytest.mark.parametrize("kind", [",", ";", "\t", "json", "parquet"])
def test_files(tmp_path, monkeypatch, kind, large):
    monkeypatch.setattr(_scan_readers, "_LARGE", large)
    path = _write(tmp_path, kind)
    assert _times(load_interactions(path, **NAMED)) == EXPECTED
    if kind != "json":
        assert _times(scan_interactions(path, **NAMED)) == EXPECTED


@pytest.mark.parametrize(
    "log",
    [pd.DataFrame(COLUMNS), pa.table(COLUMNS), COLUMNS],
    ids=["pandas", "pyarrow", "mapping"],
)
def test_logs_in_memory(log):
    assert _times(load_interactions(log, **NAMED)) == EXPECTED


@pytest.mark.parametrize("large", [0, 1 << 20])
def test_whole_numbers_are_dates_and_not_seconds(tmp_path, monkeypatch, large):
    monkeypatch.setattr(_scan_readers, "_LARGE", large)
    path = tmp_path / "log.csv"
    path.write_text("user,item,rating,day\na,x,3,20241231\nb,x,4,20250201\n")
    wanted = {("a", "x"): 1735603200, ("b", "x"): 1738368000}
    options = {"timestamp": "day", "timestamp_format": "%Y%m%d"}
    assert _times(load_interactions(path, **options)) == wanted
    frame = pd.read_csv(path)
    assert _times(load_interactions(frame, **options)) == wanted
    pq.write_table(pa.Table.from_pandas(frame), tmp_path / "log.parquet")
    assert _times(load_interactions(tmp_path / "log.parquet", **options)) == wanted
    with pytest.raises(ValueError, match=r"float|20241231\.0"):
        load_interactions(frame.astype({"day": float}), **options)
    dates = frame.assign(day=pd.to_datetime(frame["day"].astype(str)))
    assert _times(load_interactions(dates, **options)) == wanted


@given(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)), st.sampled_from([-5, 0, 9]))
def test_zones_count_and_utc_is_the_default(moment, hours):
    moment = moment.replace(microsecond=0)
    log = {"user": [1], "item": [2], "timestamp": [moment.strftime("%d/%m/%Y %H.%M.%S")]}
    found = load_interactions(log, timestamp_format="%d/%m/%Y %H.%M.%S").timestamp[0]
    assert datetime.fromtimestamp(0, UTC) + timedelta(seconds=int(found)) == moment.replace(
        tzinfo=UTC
    )
    log["timestamp"][0] += f" {hours:+03d}00"
    zoned = load_interactions(log, timestamp_format="%d/%m/%Y %H.%M.%S %z").timestamp[0]
    assert zoned == found - 3600 * hours


@pytest.mark.parametrize("large", [0, 1 << 20])
def test_a_bad_time_is_named_and_counted(tmp_path, monkeypatch, large):
    monkeypatch.setattr(_scan_readers, "_LARGE", large)
    path = tmp_path / "log.csv"
    lines = ["user,item,when", "a,x,31.12.2024 10:00", "b,x,12.31.2024 10:00", "b,y,1735603200"]
    path.write_text("\n".join(lines) + "\n")
    message = r"line 3: found '12\.31\.2024 10:00' in 'when', expected a time of the form "
    with pytest.raises(ValueError, match=rf"{message}.*2 lines have no time.*\(lines 3, 4\)"):
        load_interactions(path, **NAMED)
    with pytest.raises(ValueError, match=r"timestamp_format='%d\.%m\.%Y'"):
        load_interactions(path, timestamp="when")
    frame = pd.read_csv(path)
    with pytest.raises(ValueError, match=r"Entry 1 .*expected a time of the form|Expected a time"):
        load_interactions(frame, **NAMED)
    path.write_text("\n".join([*lines[:2], "b,x,"]) + "\n")
    with pytest.raises(ValueError, match="drop_missing"):
        load_interactions(path, **NAMED)
    assert load_interactions(path, **NAMED, drop_missing=True).timestamp.tolist() == [1735639200]


@pytest.mark.parametrize("form", ["%d.%m.", "%H:%M", "day", "", 5, "%Q", "%Y-%m"])
def test_a_form_must_say_the_day(form):
    with pytest.raises(ValueError, match="timestamp_format must be None or a form of dates"):
        load_interactions(COLUMNS, timestamp_format=form)
