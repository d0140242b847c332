"""Long columns take the compiled path; it must agree with the plain one."""

import gc

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from skrec._log import _id_index, _ids
from skrec._log._coded_ids import coded_column
from skrec._log._id_index import kept_index
from skrec._log._ids import as_id_column, describe_ids, find_ids, pack_ids, unique_ids
from skrec.datasets import load_interactions
from skrec.preprocessing import InteractionEncoder

N = _ids._LONG + 7


def _columns():
    rng = np.random.default_rng(0)
    small = rng.integers(-50, 400, N)
    wide = small * 10**14 + 3
    text = np.array([f"id-{value}" for value in range(-50, 400)])[small + 50]
    mixed = text.astype(object)
    mixed[::1000] = [(int(value),) for value in small[::1000]]
    nul = text.astype(object)
    nul[5], nul[6] = "id-7\0", "id-7"
    return {
        "compact": small,
        "int8": (small % 128).astype(np.int8) - np.int8(100),
        "uint64": small.astype(np.uint64) % np.uint64(9) + np.uint64(2**63),
        "wide": wide,
        "wide unsigned": np.abs(wide).astype(np.uint64) * np.uint64(3),
        "float": small / 4,
        "text": text,
        "bytes": text.astype(np.bytes_),
        "text objects": text.astype(object),
        "trailing nul": nul,
        "mixed": mixed,
        "list": small.tolist(),
    }


@pytest.mark.parametrize("kind", list(_columns()))
def test_long_columns(kind):
    values = _columns()[kind]
    column = as_id_column(values, "user")
    ids, codes = unique_ids(column, "user")
    expected = list(dict.fromkeys(np.asarray(values, dtype=object).tolist()))
    assert len(ids) == len(expected)
    assert set(ids.tolist()) == set(expected)
    if kind not in ("mixed",):
        assert ids.tolist() == sorted(expected)
    assert ids[codes].tolist() == column.tolist()
    # Short and long lookups, of the same kind and as Python objects.
    assert_array_equal(find_ids(ids, column, "user"), codes)
    assert_array_equal(find_ids(ids, column[:3], "user"), codes[:3])
    as_objects = as_id_column(column.tolist(), "user")
    assert_array_equal(find_ids(ids, as_objects, "user"), codes)


def test_hash_collisions_do_not_matter(monkeypatch):
    monkeypatch.setattr(_ids, "_hash_text", lambda text: np.zeros(len(text), dtype=np.uint64))
    text = _columns()["text"]
    ids, codes = unique_ids(text, "user")
    assert_array_equal(ids[codes], text)
    assert len(ids) == 450


def test_chunks(monkeypatch):
    text = _columns()["text"]
    expected = unique_ids(text, "user")
    monkeypatch.setattr(_ids, "_CHUNK", 1000)
    found = unique_ids(text, "user")
    assert_array_equal(found[0], expected[0])
    assert_array_equal(found[1], expected[1])


def test_unknown_among_long_columns():
    ids = np.array([2, 5, 10**15])
    column = np.array([5, 3, 10**15, -1, 11] * N)
    assert_array_equal(find_ids(ids, column, "item")[:5], [1, -1, 2, -1, -1])
    compact = np.array([3, 4, 6])
    assert_array_equal(find_ids(compact, column, "item")[:5], [-1, 0, -1, -1, -1])
    assert_array_equal(find_ids(compact, column.astype(float), "item")[:5], [-1, 0, -1, -1, -1])


def test_beyond_doubles_ids_stay_apart():
    ids, _ = unique_ids(np.array([2**53, 2**53 + 1]), "item")
    assert_array_equal(find_ids(ids, np.array([float(2**53)]), "item"), [0])
    assert len(ids) == 2


def test_table_of_many_distinct_words_grows():
    column = np.random.default_rng(1).permutation(50_000) * 10**13
    ids, codes = unique_ids(column, "item")
    assert_array_equal(ids[codes], column)


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["b", "a", "b"]),
        pa.array(["b", "a", "b"]).dictionary_encode(),
        pa.array(["b", "a", "b"], type=pa.large_string()),
        pa.chunked_array([["b"], ["a", "b"]]),
    ],
    ids=["array", "dictionary", "large", "chunked"],
)
def test_columns_of_arrow(column):
    ids, codes = unique_ids(as_id_column(column, "user"), "user")
    assert ids.tolist() == ["a", "b"]
    assert codes.tolist() == [1, 0, 1]
    with pytest.raises(ValueError, match=r"Missing user id: entry 1 \(counting from 0\) is None"):
        unique_ids(as_id_column(pa.array(["b", None]), "user"), "user")


KINDS = {
    "whole": st.integers(-(2**40), 2**40) | st.integers(-20, 20),
    "huge": st.integers(2**62, 2**64 - 1),
    "floats": st.floats(-4, 4).map(lambda value: round(value, 1)),
    "text": st.text("ab1\0", max_size=3),
    "bytes": st.binary(max_size=2),
    "mixed": st.integers(0, 9) | st.text("01", max_size=2) | st.booleans() | st.just(2.5),
}


@settings(max_examples=300, deadline=None)
@given(data=st.data(), known=st.sampled_from(list(KINDS)), other=st.sampled_from(list(KINDS)))
def test_ids_are_found_as_python_finds_them(data, known, other):
    some = data.draw(st.lists(KINDS[known], min_size=1, max_size=40, unique=True))
    ids, codes = unique_ids(as_id_column(some, "item"), "item")
    ids = ids[codes]  # in the order in which they were given, which need not be theirs
    asked = data.draw(st.lists(KINDS[other] | st.sampled_from(some), max_size=data.draw(
        st.sampled_from([2, 100]))))  # fmt: skip
    places = {value: place for place, value in enumerate(ids.tolist())}
    expected = [places.get(value, -1) for value in asked]
    for _ in range(2):  # before and after an index is there
        assert find_ids(ids, as_id_column(asked, "item"), "item").tolist() == expected
    if asked and len(set(map(type, asked))) == 1:
        plain = pack_ids(list(dict.fromkeys(asked)))
        expected = [places.get(value, -1) for value in plain.tolist()]
        assert find_ids(ids, plain, "item").tolist() == expected


def test_an_index_goes_with_its_ids():
    ids = np.arange(100)[::-1].copy()
    find_ids(ids, np.array([3, 200]), "item")
    assert kept_index(ids) is kept_index(ids)
    place = id(ids)
    assert place in _id_index._KEPT
    del ids
    gc.collect()
    assert place not in _id_index._KEPT


def test_longer_text_is_cut_to_the_known_kind_and_still_another_id():
    ids = as_id_column([f"i{n:04}" for n in range(1000)], "item")
    column = as_id_column(["i0007", "i0007 and more", "j" * 40], "item")
    assert find_ids(ids, column, "item").tolist() == [7, -1, -1]


def test_what_many_ids_at_once_need_is_not_kept():
    ids = as_id_column([f"i{n:04}" for n in range(1000)], "item")
    assert find_ids(ids, ids[::-1].copy(), "item").tolist() == list(range(999, -1, -1))
    assert kept_index(ids)._places is None


def test_known_ids_are_gone_through_once(monkeypatch):
    tuples = as_id_column([("a", i) for i in range(1000)], "item")
    column = as_id_column([("a", 7)], "item")
    assert find_ids(tuples, column, "item").tolist() == [7]
    index = kept_index(tuples)
    monkeypatch.setattr(index, "_places", {("a", 7): 70})  # what is kept is what is asked
    assert find_ids(tuples, column, "item").tolist() == [70]


TEXTS, NUMBERS = ["b", "a", "b", "c"], [7, -(2**40), 7, 3]


@pytest.mark.parametrize("entries", [TEXTS, NUMBERS], ids=["text", "numbers"])
def test_dictionary_columns_are_read_by_their_distinct_ids(entries):
    plain = pa.array(entries)
    chunks = [plain[:2].dictionary_encode(), plain[2:].dictionary_encode()]
    filtered = pa.array([*entries, entries[0]]).dictionary_encode()[:4]
    columns = [plain.dictionary_encode(), pa.chunked_array(chunks), filtered]
    expected, codes = unique_ids(as_id_column(plain, "user"), "user")
    known = np.unique(entries[1:])
    for column in columns:
        coded = coded_column(column)
        ids, found = unique_ids(coded, "user")
        assert_array_equal(ids, expected)
        assert ids.dtype == expected.dtype
        assert_array_equal(found, codes)
        mask = np.array([False, True, True, True])
        assert_array_equal(unique_ids(coded[mask], "user")[0], sorted({*entries[1:]}))
        for few in (known, known[:1], known[:0]):
            assert_array_equal(
                find_ids(few, coded, "user"), find_ids(few, as_id_column(plain, "user"), "user")
            )
        assert [*coded] == entries
        assert describe_ids(coded) == describe_ids(as_id_column(plain, "user"))


def test_dictionary_columns_that_are_read_entry_by_entry():
    with_gaps = [
        pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(ids))
        for codes, ids in (([0, 1], ["a", "b", None]), ([1, 0], ["c", "b", None]))
    ]
    for column in (
        pa.chunked_array(with_gaps),
        pa.chunked_array([["a", None], ["b", "c"]]).dictionary_encode("encode"),
        pa.array(["a", None]).dictionary_encode(),
        pa.DictionaryArray.from_arrays(pa.array([0, 1]), pa.array(["a", None])),
        pa.array([1.0, 2.0]).dictionary_encode(),
        pa.array(["a"]),
        np.array(["a"]),
        ["a"],
    ):
        assert coded_column(column) is None


def test_gaps_of_dictionary_columns_are_missing():
    """pyarrow makes the last id of the dictionary of them, where chunks become an array."""
    for name in ("user", "item", "value", "timestamp"):
        log = {"user": ["a", "b", "c"], "item": [1, 2, 3], "value": [1.0, 2.0, 3.0]}
        log["timestamp"] = [5, 6, 7]
        log[name] = pa.array([log[name][0], None, log[name][2]]).dictionary_encode()
        encoder = InteractionEncoder(value="value", timestamp="timestamp")
        with pytest.raises(ValueError, match=r"(?i)entry 1\b.* is None"):
            encoder.fit(pa.table(log))
        with pytest.raises(ValueError, match=r"(?i)entry 1\b.* is None"):
            load_interactions(pa.table(log))
