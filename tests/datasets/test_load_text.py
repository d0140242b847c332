import bz2
import gzip
import lzma
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from skrec.datasets import _scan_readers, _text_fast, load_interactions, scan_interactions

DENSE = [[4.5, 1.0], [0.0, 3.0]]


@pytest.fixture(params=["careful", "fast"])
def reader(request, monkeypatch):
    """Both ways to read; the fast one must not leave its work to the other."""
    if request.param == "fast":
        monkeypatch.setattr(_scan_readers, "_LARGE", 0)
        monkeypatch.setattr(_scan_readers, "careful_blocks", None)
    return request.param


def _read_fast(path, layout):
    """The log of a file whose lines are plain, or None."""
    encoding = _text_fast.fast_encoding(layout)
    if encoding is None:
        return None
    with path.open("rb") as file:
        return _text_fast.read_stream(file, layout, encoding)


def _write(tmp_path, text, name="log.csv", encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("log.csv", "user,item,rating\nann,7,4.5\nbob,9,3\nann,9,1\n"),
        ("log.csv", "user,item,rating\r\nann,7,4.5\r\nbob,9,3\r\nann,9,1"),
        ("log.csv", "\ufeffuser,item,rating\nann,7,4.5\nbob,9,3\nann,9,1\n"),
        ("log.tsv", "ann\t7\t4.5\nbob\t9\t3\n\nann\t9\t1\n"),
        ("log.dat", "ann::7::4.5\nbob::9::3\nann::9::1\n"),
        ("log.txt", "ann 7 4.5\nbob 9 3\nann 9 1\n"),
        ("log.csv", "ann;7;4.5\nbob;9;3\nann;9;1\n"),
        ("log.psv", "ann|7|4.5\nbob|9|3\nann|9|1\n"),
        ("log.csv", "movieId,extra,Rating,User_ID\n7,x,4.5,ann\n9,,3,bob\n9,z,1,ann\n"),
        ("log.inter", "user_id:token\titem_id:token\trating:float\nann\t7\t4.5\nbob\t9\t3\n"
         "ann\t9\t1\n"),
        ("log.csv", "user, item , rating\nann, 7 ,4.5\n bob,9, 3 \nann,9,+1.0e0\n"),
        ("log.csv", '"user","item","rating"\n"ann","7",4.5\n"bob","9","3"\n"ann","9",1\n'),
    ],
)  # fmt: skip
def test_layouts(tmp_path, reader, name, text):
    data = load_interactions(_write(tmp_path, text, name))
    assert_array_equal(data.X.toarray(), DENSE)
    assert data.user_ids.tolist() == ["ann", "bob"]
    assert data.item_ids.tolist() == [7, 9]
    assert data.item_ids.dtype == np.int64
    assert_array_equal(data.user, [0, 0, 1])
    assert_array_equal(data.item, [0, 1, 1])
    assert "timestamp" not in data


@pytest.mark.parametrize(("suffix", "opener"), [(".gz", gzip), (".bz2", bz2), (".xz", lzma)])
def test_compressed(tmp_path, reader, suffix, opener):
    path = tmp_path / f"log.csv{suffix}"
    path.write_bytes(opener.compress(b"user,item,rating\nann,7,4.5\nbob,9,3\nann,9,1\n"))
    assert_array_equal(load_interactions(path).X.toarray(), DENSE)
    assert_array_equal(load_interactions(str(path), return_X=True).toarray(), DENSE)


def test_values_and_names(tmp_path, reader):
    path = _write(tmp_path, "user,item,plays,score\na,x,2,9\na,y,3,8\n")
    assert load_interactions(path).value_name == "score"  # the more usual name
    data = load_interactions(path, value="plays", dtype=np.float32)
    assert data.X.dtype == np.float32
    assert_array_equal(data.X.toarray(), [[2, 3]])
    assert data.value_name == "plays"
    data = load_interactions(path, value=None)
    assert data.value_name is None
    assert_array_equal(data.X.toarray(), [[1, 1]])
    assert load_interactions(path, value=3).value_name == "score"
    assert load_interactions(path, user="item", item="user").X.shape == (2, 1)


def test_headerless_places(tmp_path, reader):
    path = _write(tmp_path, "5,a,x\n6,b,x\n")
    data = load_interactions(path, user=1, item=2, value=0)
    assert_array_equal(data.X.toarray(), [[5], [6]])
    assert data.value_name == "value"
    # A third column of text is no value.
    assert load_interactions(path).value_name is None


def test_times_are_not_taken_for_values(tmp_path, reader):
    path = _write(tmp_path, "a\tx\t881250949\nb\ty\t891717742\n")
    with pytest.raises(ValueError, match=r"third column looks like times \(881250949\)"):
        load_interactions(path)
    data = load_interactions(path, value=None, timestamp=2)
    assert_array_equal(data.X.data, [1, 1])
    assert_array_equal(data.timestamp, [881250949, 891717742])
    assert load_interactions(path, value=2).X.max() == 891717742


def test_timestamps_are_aligned(tmp_path, reader):
    path = _write(tmp_path, "b,y,1,30\na,y,2,20\na,x,3,10\nb,y,4,15\n")
    data = load_interactions(path, duplicates="last")
    assert_array_equal(data.X.toarray(), [[3, 2], [0, 1]])
    assert_array_equal(data.timestamp, [10, 20, 30])
    assert data.timestamp.dtype == np.int64
    assert_array_equal(load_interactions(path, duplicates="first").X.toarray()[1], [0, 4])
    assert "timestamp" not in load_interactions(path, timestamp=None)


def test_iso_dates_become_unix_seconds(tmp_path, reader):
    path = _write(
        tmp_path,
        "user,item,time\na,x,1970-01-02\nb,x,1970-01-01T00:00:01Z\nc,x,1970-01-01 01:00:02+01:00\n",
    )
    assert_array_equal(load_interactions(path).timestamp, [86400, 1, 2])


def test_fractional_and_large_times(tmp_path):
    path = _write(tmp_path, "user,item,time\na,x,1.5\nb,x,2\n")
    assert_array_equal(load_interactions(path).timestamp, [1.5, 2.0])
    path = _write(tmp_path, f"user,item,time\na,x,{2**60 + 1}\nb,x,2\n")
    assert_array_equal(load_interactions(path).timestamp, [2**60 + 1, 2])


@pytest.mark.parametrize(
    ("texts", "ids"),
    [
        (["10", "9", "-1"], [-1, 9, 10]),
        (["007", "7"], ["007", "7"]),
        (["1.0", "2.0"], ["1.0", "2.0"]),
        (["+1", "2"], ["+1", "2"]),
        ([str(2**63), "1"], ["1", str(2**63)]),
        (["é", "日本"], ["é", "日本"]),
    ],
)
def test_ids_are_numbers_only_if_written_so(tmp_path, reader, texts, ids):
    path = _write(tmp_path, "user,item\n" + "".join(f"u,{text}\n" for text in texts))
    assert load_interactions(path).item_ids.tolist() == ids


def test_encodings(tmp_path, reader):
    path = _write(tmp_path, "user,item,title\nzoë,1,x\n", encoding="latin-1")
    assert load_interactions(path, encoding="latin-1").user_ids.tolist() == ["zoë"]


def test_utf_16(tmp_path):
    path = _write(tmp_path, "user,item\nzoë,1\n", encoding="utf-16")
    assert load_interactions(path, encoding="utf-16").user_ids.tolist() == ["zoë"]
    with pytest.raises(ValueError, match=r"UTF-16 text.*encoding='utf-16'"):
        load_interactions(path)


def test_other_bytes_matter_only_in_ids(tmp_path, reader):
    path = tmp_path / "log.csv"
    path.write_bytes(b"user,item,title\nann,1,caf\xe9\n")
    assert load_interactions(path).X.nnz == 1


HARD = 'user,item,text,rating\nann,7,"one, ""two""\nthree",4.5\nbob,9,,3\n'


def test_line_breaks_and_delimiters_within_quotes(tmp_path, monkeypatch):
    path = _write(tmp_path, HARD)
    for large in (1 << 20, 0):  # the fast reader gives such files away
        monkeypatch.setattr(_scan_readers, "_LARGE", large)
        assert_array_equal(load_interactions(path).X.toarray(), [[4.5, 0], [0, 3]])
    path = _write(tmp_path, HARD + "eve,,x,1\n")
    with pytest.raises(ValueError, match="line 5: found no item id"):
        load_interactions(path)


def test_quotes_that_mean_nothing(tmp_path):
    path = _write(tmp_path, 'user,item,text\na,1,"12 inch\nb,2,x\n')
    with pytest.raises(ValueError, match=r"line 2: found quotes.*quotechar=None"):
        load_interactions(path)
    assert load_interactions(path, quotechar=None).X.nnz == 2


@pytest.mark.parametrize("large", [0, 1 << 20])
@pytest.mark.parametrize(
    ("line", "found", "expected"),
    [
        ("c,3", r"2 fields \['c', '3'\]", "4, like the first line"),
        ("c,3,4,5,6", "5 fields", "4, like"),
        (",3,4,5", r"no user id \(''\)", "an id in every line"),
        ("c,  ,4,5", r"no item id \(''\)", "an id"),
        ("nan,3,4,5", r"no user id \('nan'\)", "an id"),
        ("c,NULL,4,5", r"no item id \('NULL'\)", "an id"),
        ("c,\\N,4,5", "no item id", "an id"),
        ("c,3,,5", "'' in 'rating'", "a finite number"),
        ("c,3,four,5", "'four' in 'rating'", "a finite number"),
        ("c,3,1_0,5", "'1_0' in 'rating'", "a finite number"),
        ("c,3,NaN,5", "'NaN' in 'rating'", "a finite number"),
        ("c,3,-inf,5", "'-inf' in 'rating'", "a finite number"),
        ("c,3,1e999,5", "'1e999' in 'rating'", "a finite number"),
        ("c,3,4,", "'' in 'timestamp'", "ISO 8601"),
        ("c,3,4,noon", "'noon' in 'timestamp'", "ISO 8601"),
        ("c,3,4,nan", "'nan' in 'timestamp'", "ISO 8601"),
        ('c,3,4,"5', "quotes", "in pairs"),
        ("c\udcff,3,4,5", "bytes that are not utf-8", "text in utf-8"),
    ],
)
@pytest.mark.parametrize("place", [1, 3, 5])
def test_bad_lines(tmp_path, monkeypatch, large, line, found, expected, place):
    monkeypatch.setattr(_scan_readers, "_LARGE", large)
    lines = ["user,item,rating,timestamp", "a,1,1,1", "b,1,2,2", "a,2,3,3", "b,3,4,4"]
    lines.insert(place, line)
    path = tmp_path / "log.csv"
    path.write_bytes("\n".join(lines).encode(errors="surrogateescape"))
    message = rf"log\.csv, line {place + 1}: found {found}.*expected .*{expected}.*;"
    with pytest.raises(ValueError, match=message):
        load_interactions(path, delimiter=",")


def test_bad_line_numbers_count_blank_lines_and_headers(tmp_path):
    path = _write(tmp_path, "\n\nuser,item\n\na,1\n\n,2\n")
    with pytest.raises(ValueError, match="line 7: found no user id"):
        load_interactions(path)
    path = _write(tmp_path, "\n\na::1\n\n::2\n")
    with pytest.raises(ValueError, match="line 5: found no user id"):
        load_interactions(path)


@pytest.mark.parametrize(
    ("text", "params", "message"),
    [
        ("", {}, "is empty"),
        (" \n\n", {}, "is empty"),
        ("user,item\n", {}, "no interactions"),
        ("abc\ndef\n", {}, "no delimiter found in 'abc'.*pass delimiter=.$"),
        ('user,item\na,"1,5"\n', {"decimal": ","}, "pass delimiter=. ',' is decimal= here.$"),
        ("x,y\n1,2\n", {}, r"cannot tell which columns.*\['x', 'y'\].*pass user= and item="),
        ("user,item\na,1\n", {"user": "who"}, r"no column 'who' for the user.*\['user', 'item'\]"),
        ("user,item\na,1\n", {"item": 2}, "item=2 is no column.*Expected 0 to 1"),
        ("user,item\na,1\n", {"item": None}, "item must be the name or position"),
        ("user,item\na,1\n", {"value": 1.5}, "value must be the name"),
        ("user,item\na,1\n", {"duplicates": "add"}, "duplicates must be one of"),
        ("user,item\na,1\na,1\n", {"duplicates": "error"}, "log.csv: Interactions 0 and 1"),
    ],
)
def test_bad_files_and_parameters(tmp_path, text, params, message):
    with pytest.raises(ValueError, match=message):
        load_interactions(_write(tmp_path, text), **params)


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file .*nothing\.csv"):
        load_interactions(tmp_path / "nothing.csv")
    with pytest.raises(ValueError, match=r"is a folder.*load_dataset"):
        load_interactions(tmp_path)


def test_header_parameter(tmp_path, reader):
    path = _write(tmp_path, "a,x\nb,y\n")
    assert load_interactions(path).X.nnz == 2
    data = load_interactions(path, header=True, user="a", item="x")
    assert data.user_ids.tolist() == ["b"]
    path = _write(tmp_path, "user,item\nb,y\n")
    assert load_interactions(path, header=False).X.nnz == 2


def test_blocks(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 50, (3000, 2))
    text = "user,item\n" + "".join(f"u{u},{i}\n" for u, i in rows)
    path = _write(tmp_path, text.removesuffix("\n"))
    expected = load_interactions(path)
    monkeypatch.setattr(_scan_readers, "_LARGE", 0)
    monkeypatch.setattr(_scan_readers, "careful_blocks", None)
    for batch_size in (1, 2, 16):
        found = scan_interactions(path, batch_size=batch_size)
        assert (found.X != expected.X).nnz == 0
        assert_array_equal(found.user_ids, expected.user_ids)


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("ann||7||4.5\nbob||9||3\nann||9||1\n", "||"),
        ("ann, 7, 4.5\nbob, 9, 3\nann, 9, 1\n", ", "),
        ("ann<tab>7<tab>4.5\nbob<tab>9<tab>3\nann<tab>9<tab>1\n", "<tab>"),
    ],
)
def test_delimiters_of_several_characters(tmp_path, reader, text, delimiter):
    data = load_interactions(_write(tmp_path, text), delimiter=delimiter)
    assert_array_equal(data.X.toarray(), DENSE)


def test_delimiters_within_quotes(tmp_path, reader):
    text = 'user,item,rating\n"a,n",7,4.5\n"b|o|b",9,3\n"a,n",9,1\n'
    data = load_interactions(_write(tmp_path, text))
    assert_array_equal(data.X.toarray(), DENSE)
    assert data.user_ids.tolist() == ["a,n", "b|o|b"]
    data = load_interactions(_write(tmp_path, text.replace('"', "'")), quotechar="'")
    assert data.user_ids.tolist() == ["a,n", "b|o|b"]


def test_what_the_fast_reader_leaves_to_the_careful_one(tmp_path):
    from skrec.datasets._layout import Layout

    def read(text, delimiter=",", quotechar='"', encoding="utf-8"):
        layout = Layout(delimiter, False, ("u", "i", "v"), (0, 1, 2, None), quotechar, encoding)
        return _read_fast(_write(tmp_path, text, encoding=encoding), layout)

    assert read("a,b,1\n").value.tolist() == [1.0]
    for text in ('a,"b"c,1\n', 'a,"b""c",1\n', 'a,b",1\n', 'a,"b\nc",1\n', "a,b\n", "a,b,x\n",
                 ",b,1\n", "a,null,1\n"):  # fmt: skip
        assert read(text) is None, text
    assert read("a,b,1\n", encoding="utf-16") is None
    assert read("a§b§1\n", delimiter="§") is None
    assert read("a::b\x1fc::1\n", delimiter="::", quotechar=None) is None
    assert read("a::bc::1\n", delimiter="::", quotechar=None).item_ids == ["bc"]


fields = st.text(st.sampled_from("ab01.-, \"'\té\\\r"), max_size=5)
quoted = st.text(st.sampled_from("ab, '\té"), max_size=5).map('"{}"'.format)


@settings(max_examples=500)
@given(rows=st.lists(st.lists(fields | quoted, min_size=2, max_size=4), min_size=1, max_size=6),
       end=st.sampled_from(["\n", "\r\n"]))  # fmt: skip
def test_fast_reader_agrees_or_declines(tmp_path_factory, rows, end):
    """Whatever the text: the same log, or the fast reader leaves it to the careful one."""
    from skrec.datasets._layout import Layout
    from skrec.datasets._text import careful_blocks

    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(end.join(",".join(row) for row in rows).encode())
    width = len(rows[0])
    places = (0, 1, 2 if width > 2 else None, 3 if width > 3 else None)
    names = ("user", "item", "rating", "time")[:width]
    layout = Layout(",", False, names, places, '"', "utf-8")
    fast = _read_fast(path, layout)
    try:
        careful = next(careful_blocks(path, layout, drop_missing=False, n_lines=None))
    except ValueError:
        assert fast is None
        return
    if fast is not None:
        assert fast.user_ids == careful.user_ids
        assert fast.item_ids == careful.item_ids
        for one, other in zip(fast, careful, strict=True):
            if isinstance(one, np.ndarray):
                assert_array_equal(one, other)


numbers = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.decimals(-1000, 1000, places=3).map(str),
    st.integers(-(10**17), 10**17).map(str),
    st.integers(0, 999).map(lambda n: f".{n:03d}"),
)


@given(texts=st.lists(numbers, min_size=1, max_size=20))
def test_numbers_are_read_as_python_reads_them(tmp_path_factory, texts):
    from skrec.datasets._layout import Layout

    path = tmp_path_factory.getbasetemp() / "numbers.csv"
    path.write_text("".join(f"a,b,{text}\n" for text in texts))
    layout = Layout(",", False, ("user", "item", "value"), (0, 1, 2, None), '"', "utf-8")
    found = _read_fast(path, layout).value
    expected = np.array(list(map(float, texts)))
    assert_array_equal(found, expected)
    assert_array_equal(np.signbit(found), np.signbit(expected))


def test_works_without_pandas_and_polars(tmp_path):
    path = _write(tmp_path, "user,item,rating\nann,7,4.5\nbob,9,3\nann,9,1\n")
    code = (
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, *rest):\n"
        "        if name in ('pandas', 'polars'):\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Absent())\n"  # pyarrow stumbles over None in sys.modules
        "from skrec.datasets import _scan_readers\n"
        "_scan_readers._LARGE = 0\n"
        "from skrec.datasets import load_interactions, make_interactions\n"
        "from skrec.preprocessing import InteractionEncoder\n"
        f"assert load_interactions({str(path)!r}).X.sum() == 8.5\n"
        "InteractionEncoder().fit([('a', 1), ('b', 2)])\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
