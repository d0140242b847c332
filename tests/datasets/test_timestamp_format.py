"""Times of a form that only their owner knows: files of each kind, logs in memory, bad entries."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skrec.datasets import _scan_readers, load_interactions, scan_interactions
from skrec.preprocessing import InteractionEncoder

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
    assert _times(load_interactions(frame.astype({"day": float}), **options)) == wanted
    gaps = pd.concat([frame, frame.iloc[:1].assign(day=np.nan)])
    with pytest.raises(ValueError, match=r"Entry 2 .*is nan.*drop that row.*drop_missing=True"):
        load_interactions(gaps, **options)
    assert _times(load_interactions(gaps, **options, drop_missing=True)) == wanted
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
    with pytest.raises(ValueError, match="or pass another timestamp_format="):
        load_interactions(path, timestamp="when", timestamp_format="%Y %m %d")
    frame = pd.read_csv(path)
    with pytest.raises(ValueError, match=r"Entry 1 .*expected a time of the form|Expected a time"):
        load_interactions(frame, **NAMED)
    path.write_text("\n".join([*lines[:2], "b,x,"]) + "\n")
    with pytest.raises(ValueError, match="drop_missing"):
        load_interactions(path, **NAMED)
    assert load_interactions(path, **NAMED, drop_missing=True).timestamp.tolist() == [1735639200]


@pytest.mark.parametrize("form", ["%d.%m.", "%H:%M", "day", "", 5, "%Q", "%Y-%m"])
def test_a_form_must_say_the_day(form):
    with pytest.raises(ValueError, match="timestamp_format= expects a form of dates"):
        load_interactions(COLUMNS, timestamp_format=form)


def test_names_of_zones_are_refused():
    with pytest.raises(ValueError, match="cannot have %Z"):
        load_interactions(COLUMNS, timestamp_format="%d.%m.%Y %Z")
    log = COLUMNS | {"when": [f"{text} %Z" for text in TEXTS]}
    options = {"timestamp": "when", "timestamp_format": f" {FORM} %%Z "}
    assert _times(load_interactions(log, **options)) == EXPECTED


@pytest.mark.parametrize(
    "day",
    [
        [Decimal(20241231)], [b"20241231"], [np.int32(20241231)], [20241231.0], ["20241231"],
        np.array([20241231], dtype=np.uint64), np.array([b"20241231"]), pa.array([b"20241231"]),
        pa.array([Decimal(20241231)]), pa.array(["20241231"]).dictionary_encode(),
        [datetime(2024, 12, 31)], [date(2024, 12, 31)], [np.datetime64("2024-12-31")],
    ],
    ids=[
        "Decimal", "bytes", "int32", "float", "text", "uint64", "array of bytes", "arrow bytes",
        "arrow Decimal", "arrow dictionary", "datetime", "date", "datetime64",
    ],
)  # fmt: skip
def test_every_kind_of_entry_has_the_form(tmp_path, day):
    log = {"user": ["a"], "item": ["x"], "timestamp": day}
    options = {"timestamp_format": "%Y%m%d"}
    assert load_interactions(log, **options).timestamp.tolist() == [1735603200]
    if isinstance(day, pa.Array):
        pq.write_table(pa.table(log), tmp_path / "log.parquet")
        for read in (load_interactions, scan_interactions):
            found = read(tmp_path / "log.parquet", **options)
            assert found.timestamp.tolist() == [1735603200]


@pytest.mark.parametrize(
    ("day", "form"),
    [
        (1012025, "%d%m%Y"), (90101, "%y%m%d"), (11225, "%d%m%y"), (2024111, "%Y%m%d"),
        (20241231.5, "%Y%m%d"), (Decimal("20241231.5"), "%Y%m%d"), (True, "%Y%m%d"),
        (np.timedelta64(20241231), "%Y%m%d"), (b"2024", "%Y%m%d"), (2 + 0j, "%Y%m%d"),
        ("1012025", "%d%m%Y"), ("2024111", "%Y%m%d"), (np.float32(20241231), "%Y%m%d"),
    ],
)  # fmt: skip
def test_numbers_of_another_form_are_refused(day, form):
    log = {"user": ["a"], "item": ["x"], "timestamp": [day]}
    if isinstance(day, np.floating):
        log["timestamp"] = np.array([day])
    with pytest.raises(ValueError, match=r"a time of the form|dates"):
        load_interactions(log, timestamp_format=form)


def test_shorter_texts_and_fractions_and_clocks_that_are_put_back():
    def read(times, form):
        log = {"user": [1] * len(times), "item": [*range(len(times))], "timestamp": times}
        return load_interactions(log, timestamp_format=form).timestamp.tolist()

    assert read(["1.2.24", "01.02.24"], "%d.%m.%y") == [1706745600] * 2
    fraction = "%Y%m%d%H%M%S%f"
    expected = datetime(2023, 11, 22, 13, 14, 15, 123000, UTC).timestamp()
    assert read(["20231122131415123", 20231122131415123], fraction) == [expected] * 2
    zone = ZoneInfo("Europe/Berlin")
    twice = [datetime(2024, 10, 27, 2, 30, tzinfo=zone, fold=fold) for fold in (0, 1)]
    assert read(twice, "%d.%m.%Y") == [1729989000, 1729992600]


def test_a_format_wants_a_column_of_times(tmp_path):
    path, table = tmp_path / "log.csv", pa.table({"user": ["a"], "item": ["x"], "Tag": ["1.2.24"]})
    path.write_text("user,item,Bestelldatum\na,x,31.12.2024\n")
    pq.write_table(table, tmp_path / "log.parquet")
    for log in (path, tmp_path / "log.parquet", table, {"user": ["a"], "item": ["x"]}):
        with pytest.raises(ValueError, match=r"no column of times was found.*pass timestamp="):
            load_interactions(log, timestamp_format="%d.%m.%Y")
    with pytest.raises(ValueError, match="no column of times"):
        load_interactions(path, timestamp=None, timestamp_format="%d.%m.%Y")


@pytest.mark.parametrize("large", [0, 1 << 20])
def test_a_column_of_values_and_times(tmp_path, monkeypatch, large):
    monkeypatch.setattr(_scan_readers, "_LARGE", large)
    path = tmp_path / "log.csv"
    path.write_text("user,item,day\na,x,20241231\n")
    data = load_interactions(path, value="day", timestamp="day", timestamp_format="%Y%m%d")
    assert data.timestamp.tolist() == [1735603200]
    assert data.X.data.tolist() == [20241231]


def test_other_kinds_of_files_name_the_parameter(tmp_path):
    for kind in ("json", "parquet"):
        path = _write(tmp_path, kind)
        with pytest.raises(ValueError, match=r"timestamp_format='%d\.%m\.%Y'"):
            load_interactions(path, timestamp="when")
    log = COLUMNS | {"when": ["2024-12-31", *TEXTS[1:]]}
    with pytest.raises(ValueError, match=r"drop those 2 rows first; other dates need timestamp_f"):
        load_interactions(log, timestamp="when")
    with pytest.raises(ValueError, match=r"pandas\.to_datetime"):
        InteractionEncoder(timestamp="when", value=None).fit(pd.DataFrame(COLUMNS))
