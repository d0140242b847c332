"""Files whose delimiter, header or columns are not plain: the right log, or a clear refusal."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from skrec.datasets import _scan_readers, load_interactions

RATINGS = [[4.5, 3.0], [1.5, 0.0]]


def _write(tmp_path, text, name="log.csv", encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


GERMAN = (("1", "2", "4,5"), ("1", "3", "3,0"), ("2", "2", "1,5"))


def _german(delimiter, header=""):
    return header + "".join(delimiter.join(row) + "\n" for row in GERMAN)


@pytest.mark.parametrize("large", [0, 1 << 20])
@pytest.mark.parametrize("header", ["", "user{0}item{0}rating\n"])
@pytest.mark.parametrize("delimiter", [";", "\t", "|", "::"])
def test_decimal_commas(tmp_path, monkeypatch, delimiter, header, large):
    monkeypatch.setattr(_scan_readers, "_LARGE", large)
    path = _write(tmp_path, _german(delimiter, header.format(delimiter)))
    with pytest.raises(ValueError, match=r"found '4,5'.*finite number.*decimal=','.*In total, 3"):
        load_interactions(path)
    data = load_interactions(path, decimal=",")
    assert_array_equal(data.X.toarray(), RATINGS)
    assert data.user_ids.tolist() == [1, 2]
    assert data.item_ids.tolist() == [2, 3]


def test_decimal_comma_takes_no_points_and_leaves_times_alone(tmp_path, monkeypatch):
    path = _write(tmp_path, "user;item;rating\n1;2;1.234\n")
    for large in (0, 1 << 20):
        monkeypatch.setattr(_scan_readers, "_LARGE", large)
        with pytest.raises(ValueError, match=r"line 2: found '1.234'"):
            load_interactions(path, decimal=",")
    path = _write(tmp_path, "user;item;rating;time\n1;2;1,5;12.5\n")
    for large in (0, 1 << 20):
        monkeypatch.setattr(_scan_readers, "_LARGE", large)
        assert load_interactions(path, decimal=",").timestamp.tolist() == [12.5]


@pytest.mark.parametrize(
    ("text", "user_ids", "item_ids"),
    [
        ("1, 2, 3\n4, 5, 6\n", [1, 4], [2, 5]),
        ("  1  2   3\n 14  5   6\n", [1, 14], [2, 5]),
        ("1 2 \n3 4 \n", [1, 3], [2, 4]),
        ("1\t2  \n3\t4 \n", [1, 3], [2, 4]),
        ("Joe Smith\tThe Matrix\nAnn Lee\tJaws Two\n", ["Ann Lee", "Joe Smith"],
         ["Jaws Two", "The Matrix"]),
        ("a;b;1,5;2024-05-01 10:00\nc;d;1,5;2024-05-01 10:00\n", ["a", "c"], ["b", "d"]),
        ('"a;b",x\n"c;d",y\n', ["a;b", "c;d"], ["x", "y"]),
        ("a::b\nc::d\n", ["a", "c"], ["b", "d"]),
        ("user,item\na;b,c;d\ne;f,g;h\n", ["a;b", "e;f"], ["c;d", "g;h"]),
        ("1,2,5,\n3,4,5,\n", [1, 3], [2, 4]),
        ("# by me\n\n#again\n1,2\n3,4\n", [1, 3], [2, 4]),
        ("% bip weighted\n% 3 2 2\n1 2 5\n3 4 1\n", [1, 3], [2, 4]),
        ("# item user\n1 2\n3 4\n", [2, 4], [1, 3]),
        ("#user,item\na,b\nc,d\n", ["a", "c"], ["b", "d"]),
        ("#1,x\n#2,y\n", ["#1", "#2"], ["x", "y"]),
        ("sep=;\nuser;item\n1;2\n3;4\n", [1, 3], [2, 4]),
        ('\ufeff"sep=|"\r\n1|2\r\n3|4\r\n', [1, 3], [2, 4]),
        ("sep=\t\n1\t2\n3\t4\n", [1, 3], [2, 4]),
        ("user,item\r1,2\r3,4\r", [1, 3], [2, 4]),
        ('"1", "2"\n"3", "4"\n', [1, 3], [2, 4]),
        ("1||2||5\n3||4||3\n", [1, 3], [2, 4]),
        ("1^2^4,5\n3^4^3,0\n", [1, 3], [2, 4]),
        ("1\x012\x014.5\n3\x014\x013.0\n", [1, 3], [2, 4]),
        ("user,item\r\r\n1,2\r\r\n3,4\r\r\n", [1, 3], [2, 4]),
    ],
)  # fmt: skip
def test_unusual_but_plain(tmp_path, monkeypatch, text, user_ids, item_ids):
    path = _write(tmp_path, text)
    for large in (0, 1 << 20):
        monkeypatch.setattr(_scan_readers, "_LARGE", large)
        data = load_interactions(path, value=None, timestamp=None)
        assert data.user_ids.tolist() == user_ids
        assert data.item_ids.tolist() == item_ids


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1;2,5\n3;4,5\n", r"',' \(2 fields\) and ';' \(2 fields\)"),
        ("1\t2,5\n3\t4,5\n", "'\\\\t' .*','"),
        ("1 2 4,5\n1 3 3,0\n", r"',' \(2 fields\) and ' ' \(3 fields\)"),
        ("a,b c\nd,e f\n", r"',' \(2 fields\) and ' ' \(2 fields\)"),
        ("1:2:4,5\n1:3:3,0\n", r"',' \(2 fields\) and ':'"),
    ],
)
def test_two_delimiters_that_fit_are_refused(tmp_path, text, found):
    path = _write(tmp_path, text)
    with pytest.raises(ValueError, match=rf"the delimiter may be {found}.*pass delimiter="):
        load_interactions(path)
    assert load_interactions(path, delimiter=",").X.nnz == 2


@given(
    rows=st.lists(
        st.tuples(st.integers(0, 99), st.integers(0, 99), st.decimals(0, 5, places=1)),
        min_size=2, max_size=20, unique_by=lambda row: row[:2],
    ),
    delimiter=st.sampled_from([";", "\t", "|", "::", ","]),
    quoted=st.booleans(),
    header=st.booleans(),
)  # fmt: skip
def test_delimiter_is_found(tmp_path_factory, rows, delimiter, quoted, header):
    path = tmp_path_factory.getbasetemp() / "found.csv"
    comma = "," if delimiter != "," else "."
    mark = '"' if quoted and len(delimiter) == 1 else ""
    written = [(user, item, str(value).replace(".", comma)) for user, item, value in rows]
    lines = [delimiter.join(f"{mark}{text}{mark}" for text in row) for row in written]
    if header:
        lines.insert(0, delimiter.join(("user", "item", "rating")))
    path.write_text("\n".join(lines) + "\n")
    data = load_interactions(path, decimal=comma)
    found = {
        (int(data.user_ids[u]), int(data.item_ids[i])): v
        for u, i, v in zip(data.user, data.item, data.X.data, strict=True)
    }
    # The ratings are stored in float32; numpy 1 compares them with a float in float64.
    assert found == {(user, item): np.float32(value) for user, item, value in rows}


@pytest.mark.parametrize("unit", [1, 1000, 10**6, 10**9])
@pytest.mark.parametrize(("place", "name"), [(0, "first"), (1, "second"), (2, "third")])
def test_times_are_no_ids_and_no_values(tmp_path, place, name, unit):
    rows = [["1", "5"], ["1", "6"], ["2", "5"]]
    for step, row in enumerate(rows):
        row.insert(place, str((1_600_000_000 + 100 * step) * unit))
    path = _write(tmp_path, "".join("\t".join(row) + "\n" for row in rows))
    message = rf"no names, and its {name} column looks like times.*{'user=.*item=' * (place < 2)}"
    with pytest.raises(ValueError, match=message + ".*timestamp="):
        load_interactions(path)
    user, item = (other for other in range(3) if other != place)
    data = load_interactions(path, user=user, item=item, value=None, timestamp=place)
    assert_array_equal(data.X.toarray(), [[1, 1], [1, 0]])
    assert_array_equal(data.timestamp, [int(row[place]) for row in rows])


@pytest.mark.parametrize(
    "time",
    [
        "2024-05-01",
        "2024-05-01T10:00:00Z",
        "1.5.2024 10:00",
        "5/1/2024",
        "20240501",
        "20240501103000",
    ],
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_dates_are_no_ids_and_no_values(tmp_path, place, time):
    rows = [["a", "x"], ["b", "y"]]
    for row in rows:
        row.insert(place, time)
    with pytest.raises(ValueError, match=r"column looks like times \(.*timestamp="):
        load_interactions(_write(tmp_path, "".join(",".join(row) + "\n" for row in rows)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("4.5,u1,i1\n3,u2,i2\n", "first column looks like ratings.*user=1, item=2, value=0"),
        ("u1,4.5,i1\nu2,3,i2\n", "second column looks like ratings.*user=0, item=2, value=1"),
        ("1,2,0042\n1,3,0043\n", r"third column looks like ids \(0042\).*value="),
        ("user,item,value\n1,2,1600000000\n", "a column 'value' that looks like times.*value=None"),
        ("user,item,user\n1,2,3\n", "2 columns 'user'.*user=0"),
    ],
)
def test_other_columns_that_do_not_fit(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        load_interactions(
            _write(tmp_path, text), **({"user": "user"} if "user,item,u" in text else {})
        )


def test_large_ids_are_ids(tmp_path):
    # Where the times stand elsewhere, or where there is no room for times.
    data = load_interactions(
        _write(tmp_path, "1000000001,5,3,1600000000\n1000000002,6,3,1600000001\n")
    )
    assert data.user_ids.tolist() == [1000000001, 1000000002]
    data = load_interactions(_write(tmp_path, "1000000001,5\n1000000002,6\n"))
    assert data.user_ids.tolist() == [1000000001, 1000000002]
    data = load_interactions(_write(tmp_path, "user,item,rating\n1600000000,5,3\n"))
    assert data.user_ids.tolist() == [1600000000]


@pytest.mark.parametrize(
    "text",
    [
        "client,product\nc1,p1\nc2,p2\n",
        "client,product\nc1,p1\n",
        "kunde,artikel\nanna,tee\nbernd,rum\nanna,rum\n",
        "client,product,2\nc1,p1,3\nc2,p2,4\n",
        "mail,what\na@x.de,tea\nb@x.de,rum\n",
        "anna,product\nbernd,rum\n",
    ],
)
@pytest.mark.parametrize("columns", [{}, {"user": 0, "item": 1}])
def test_a_first_line_that_may_hold_names(tmp_path, text, columns):
    path = _write(tmp_path, text)
    with pytest.raises(ValueError, match=r"first line may hold names.*header=True or header=False"):
        load_interactions(path, **columns)
    n_lines = text.count("\n")
    assert load_interactions(path, header=False, **columns).X.nnz == n_lines
    data = load_interactions(path, header=True, **(columns or {"user": 0, "item": 1}))
    assert data.X.nnz == n_lines - 1


@pytest.mark.parametrize(
    "text",
    [
        "a,x\nb,y\n",
        "anna,tea\nbernd,rum\nanna,rum\n",
        "c1,p1\nc2,p2\nc2,p3\n",
        "ann,p1\nbob,p2\nbob,p3\n",
        "user-a,song-b\nuser-c,song-d\nuser-c,song-e\n",
        "1,x\n2,y\n2,z\n",
        "a,x\n",
    ],
)
def test_a_first_line_that_is_an_interaction(tmp_path, text):
    assert load_interactions(_write(tmp_path, text)).X.nnz == text.count("\n")


@pytest.mark.parametrize("field", ["3", "2024-05-01", "1,5"])
def test_a_header_above_numbers_or_dates(tmp_path, field):
    text = f"client;product;when\na;x;{field}\nb;y;{field}\n"
    with pytest.raises(ValueError, match=r"cannot tell which columns.*'client'"):
        load_interactions(_write(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "line", "found", "expected"),
    [
        ("1 2 3\n4 5\n1 2 5 9\n", 2, "2 fields", 3),
        ("1,2\n3,4,5\n", 2, "3 fields", 2),
        ("1,2,3\n3,4\n", 2, "2 fields", 3),
        ("user,item\n\n1,2\n3\n", 4, "1 fields", 2),
        ("1,2\n3,4\n# end\n", 3, "1 fields", 2),
    ],
)
@pytest.mark.parametrize("large", [0, 1 << 20])
def test_ragged_lines(tmp_path, monkeypatch, text, line, found, expected, large):
    monkeypatch.setattr(_scan_readers, "_LARGE", large)
    message = rf"line {line}: found {found} .*expected {expected}, like the first line, one inter"
    with pytest.raises(ValueError, match=message):
        load_interactions(_write(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "line", "found", "expected"),
    [
        ("user,item\n1,2,\n3,4,\n", 1, "2 fields", 3),
        ("\nExport of May\nuser;item\n1;2\n3;4\n", 2, "1 fields", 2),
        ("943 1682 100000\n1 2 3 4\n1 3 3 4\n", 1, "3 fields", 4),
    ],
)
def test_a_first_line_unlike_most(tmp_path, text, line, found, expected):
    message = (
        rf"line {line}: found {found} .*expected {expected}, like most .*one interaction per line"
    )
    with pytest.raises(ValueError, match=message):
        load_interactions(_write(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "encoding", "named"),
    [
        ("user,item\n1,2\n", "utf-16-le", "utf-16-le"),
        ("user,item\n1,2\n", "utf-16-be", "utf-16-be"),
        ("user,item\n1,2\n", "utf-16", "utf-16"),
        ("user,item\n1,2\n", "utf-32", "utf-32"),
    ],
)
def test_wide_encodings_are_named(tmp_path, text, encoding, named):
    path = _write(tmp_path, text, encoding=encoding)
    with pytest.raises(ValueError, match=rf"encoding='{named}'"):
        load_interactions(path)
    assert load_interactions(path, encoding=named).X.nnz == 1


def test_a_delimiter_that_parts_nothing(tmp_path):
    path = _write(tmp_path, "user,item\n1,2\n")
    with pytest.raises(ValueError, match=r"line 1: ';' does not split 'user,item'.*delimiter="):
        load_interactions(path, delimiter=";")
    with pytest.raises(ValueError, match="does not split"):
        load_interactions(_write(tmp_path, "sep=;\n1,2\n3,4\n"))


def test_thousands(tmp_path):
    with pytest.raises(ValueError, match=r"'1,000' .*thousands without a mark.*decimal=','"):
        load_interactions(_write(tmp_path, "user;item;count\na;b;1,000\n"))


def test_a_header_that_occurs_again(tmp_path):
    path = _write(tmp_path, "user,item\n1,2\nuser,item\n1,3\n")
    with pytest.raises(
        ValueError, match=r"1 lines below the first repeat the header \['user', 'item'\]"
    ):
        load_interactions(path)


def test_nul_bytes(tmp_path):
    with pytest.raises(ValueError, match="NUL bytes, the first at byte 11"):
        load_interactions(_write(tmp_path, "user,item\n1\0,2\n"))
    late = "user,item\n" + "1,2\n" * 20_000 + "1\0,2\n"
    with pytest.raises(ValueError, match="line 20002: found a NUL byte"):
        load_interactions(_write(tmp_path, late))


@pytest.mark.parametrize("n", [1000, 200_000])
def test_lines_that_end_in_a_carriage_return_alone(tmp_path, n):
    path = _write(tmp_path, "user,item\r" + "".join(f"{u},{u % 50}\r" for u in range(n)))
    data = load_interactions(path)
    assert data.X.shape == (n, 50)
    assert_array_equal(data.item, np.arange(n) % 50)


MESSY = "user,item,rating,time\n,1,3,1\na,,3,1\nb,1,,1\nc,1,3,\nd,1,4,2\nnan,1,3,1\n"


@pytest.mark.parametrize("large", [0, 1 << 20])
def test_missing_is_counted_or_left_out(tmp_path, monkeypatch, large):
    monkeypatch.setattr(_scan_readers, "_LARGE", large)
    path = _write(tmp_path, MESSY)
    if not large:  # the fast reader leaves out what is missing by itself
        with monkeypatch.context() as patch:
            patch.setattr(_scan_readers, "careful_blocks", None)
            assert load_interactions(path, drop_missing=True).n_dropped == 5
    message = (
        r"line 2: found no user id \(''\).*drop_missing=True.* In total, 2 lines have no user id "
        r"\(lines 2, 7\); 1 line has no item id \(line 3\); 1 line has no finite number in "
        r"'rating' \(line 4\); 1 line has no time in 'time' \(line 5\)\."
    )
    with pytest.raises(ValueError, match=message):
        load_interactions(path)
    data = load_interactions(path, drop_missing=True)
    assert data.n_dropped == 5
    assert data.user_ids.tolist() == ["d"]
    assert_array_equal(data.X.toarray(), [[4]])
    assert data.timestamp.tolist() == [2]
    # What is not used may be missing.
    data = load_interactions(path, drop_missing=True, value=None, timestamp=None)
    assert data.n_dropped == 3
    # What is there and wrong stays an error.
    with pytest.raises(ValueError, match="line 8: found 'four'"):
        load_interactions(_write(tmp_path, MESSY + "e,1,four,1\n"), drop_missing=True)
    with pytest.raises(ValueError, match="1 lines without an id, value or time but no inter"):
        load_interactions(_write(tmp_path, "user,item\na,\n"), drop_missing=True)
    assert load_interactions(_write(tmp_path, "user,item\na,b\n")).n_dropped == 0


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"delimiter": ""}, "delimiter must be text"),
        ({"delimiter": "\n"}, "delimiter must be text"),
        ({"delimiter": 3}, "delimiter must be text"),
        ({"quotechar": "ab"}, "quotechar must be one character"),
        ({"quotechar": ",", "delimiter": ","}, "delimiter and quotechar are both ','"),
        ({"decimal": ";"}, r"decimal must be '\.' or ','"),
        ({"encoding": "utf-9"}, "encoding must be a name that Python knows"),
        ({"encoding": "base64"}, "encoding must be a name that Python knows"),
        ({"encoding": "undefined"}, "encoding must be a name that Python knows"),
        ({"encoding": None}, "encoding must be a name that Python knows"),
    ],
)
def test_bad_parameters_of_text(tmp_path, params, message):
    with pytest.raises(ValueError, match=message):
        load_interactions(_write(tmp_path, "user,item\n1,2\n"), **params)


def test_values_behind_a_column_of_text_are_no_times(tmp_path):
    """user, item, title, plays, as in Last.fm 360K; user, game, what, hours."""
    path = _write(tmp_path, "1\ta\tAbba\t37\n1\tb\tBach\t5\n2\ta\tAbba\t1\n")
    with pytest.raises(ValueError, match=r"third column is text.*fourth.*values \(37\).*value=3"):
        load_interactions(path)
    assert load_interactions(path, value=3, timestamp=None).X.data.tolist() == [37, 5, 1]
    assert load_interactions(path, timestamp=3).timestamp.tolist() == [37, 5, 1]
    path = _write(tmp_path, "1,a,view,1600000000\n1,b,buy,1600000010\n2,a,view,1600000020\n")
    assert load_interactions(path).timestamp.tolist() == [1600000000, 1600000010, 1600000020]


def test_prices_in_the_fourth_column_are_no_times(tmp_path):
    path = _write(tmp_path, "1,a,2,10\n1,b,1,9.99\n2,a,3,10\n")
    with pytest.raises(ValueError, match=r"fourth column looks like values \(9\.99\), not like t"):
        load_interactions(path)
    data = load_interactions(path, timestamp=None)
    assert data.X.data.tolist() == [2, 1, 3]
    assert "timestamp" not in data
    path = _write(tmp_path, "1,a,2,1600000000.25\n1,b,1,1600000001.5\n2,a,3,1600000002\n")
    assert load_interactions(path).timestamp.tolist() == [1600000000.25, 1600000001.5, 1600000002]
    path = _write(tmp_path, "1,a,2,0\n1,b,1,1\n2,a,3,2\n")  # steps
    assert load_interactions(path).timestamp.tolist() == [0, 1, 2]


def test_a_line_with_two_bad_ids_is_one_line(tmp_path):
    path = tmp_path / "log.csv"
    path.write_bytes("user,item\nann,tea\nJörg,Käse\nZoë,Käse\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"In total, 2 lines have .*\(lines 3, 4\)"):
        load_interactions(path)
