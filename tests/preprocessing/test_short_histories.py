"""The short way from a history to a row gives what the long way gives, of whatever is passed."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy.sparse import csr_array

from skrec._log import _id_index
from skrec.preprocessing import InteractionEncoder, _encoder
from skrec.preprocessing._short_histories import plain_history

IDS = {
    "whole": [*range(40), 10**12, -(10**15)],
    "text": [*(f"i{n}" for n in range(40)), "", "é", "a longer one"],
    "mixed": [1, "1", (1, 2), 2.5],
    "floats": [0.5, 1.0, 7.0],
}
ODD = [None, True, 1.0, 2.5, 2**63, 2**70, -(2**70), "a\0", "x" * 600, b"i1", (1, 2), np.int64(3),
       np.str_("i3"), float("nan")]  # fmt: skip


def _outcome(function):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = function()
        except Exception as error:
            found = type(error), str(error)
    return found, [(w.category, str(w.message)) for w in caught]


def _long_way(function):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_encoder, "plain_history", lambda encoder, log: None)
        return _outcome(function)


def _encoder_of(users, items, **params):
    return InteractionEncoder.from_ids(users, items).set_params(**params)


@st.composite
def encoders(draw):
    """With ids of any kind, in any order, and mostly valid parameters."""
    users, items = (
        draw(st.permutations(IDS[draw(st.sampled_from(["whole", "text", "text", *IDS]))]))
        for _ in range(2)
    )
    return _encoder_of(
        users,
        items,
        unknown_users=draw(st.sampled_from(["new", "new", "ignore", "error", "odd"])),
        unknown_items=draw(st.sampled_from(["ignore", "ignore", "error"])),
        duplicates=draw(st.sampled_from(["sum", "sum", "count", "last", "error", 3])),
        negative=draw(st.sampled_from(["warn", "warn", "drop", "subtract"])),
        min_item_count=draw(st.sampled_from([1, 1, 1, 3, 0, True])),
        dtype=draw(
            st.sampled_from(["auto", "auto", np.float32, np.float64, "float32", int, "odd"])
        ),
    )


def _history(draw, encoder):
    """A log in one of the forms, mostly of one user and of known items."""
    known_users, known_items = encoder.user_ids_.tolist(), encoder.item_ids_.tolist()
    user = draw(st.sampled_from([*known_users, "new one", 777]))
    items = draw(st.lists(st.sampled_from(known_items), max_size=12, unique=True))
    items += draw(st.lists(st.sampled_from([*known_items, "new", "newer still", 888]), max_size=2))
    users = [user] * len(items)
    if items and draw(st.integers(0, 3)) == 0:
        odd = st.sampled_from([*ODD, *known_users, *known_items])
        which = draw(st.sampled_from([users, items]))
        which[draw(st.integers(0, len(items) - 1))] = draw(odd)
    form = draw(st.sampled_from(["rows", "rows", "columns", "columns", "lists", "more", "values"]))
    if form == "rows":
        return list(zip(users, items, strict=True))
    if form == "values":
        return [(user, item, 2) for user, item in zip(users, items, strict=True)]
    if form == "lists":
        return users, items
    arrays = []
    for column in (users, items):
        kinds = set(map(type, column))
        array = np.empty(len(column), dtype=object)
        array[:] = column
        small = kinds == {int} and max(map(abs, column)) < 2**62
        if (small or kinds == {str}) and not any(str(value).endswith("\0") for value in column):
            array = np.array(column)
        arrays.append(array)
    return (*arrays, None, None) if form == "more" else tuple(arrays)


@settings(max_examples=400, deadline=None)
@given(data=st.data(), encoder=encoders())
def test_histories_are_the_same(data, encoder):
    log = _history(data.draw, encoder)
    (found, warned), (expected, expected_warned) = (
        way(lambda: encoder.transform_histories(log)) for way in (_outcome, _long_way)
    )
    assert warned == expected_warned
    if not isinstance(expected[0], csr_array):
        assert found == expected
        return
    (X, user_ids), (Y, expected_ids) = found, expected
    assert type(X) is csr_array
    assert X.shape == Y.shape
    assert X.has_canonical_format
    for part in ("data", "indices", "indptr"):
        assert getattr(X, part).dtype == getattr(Y, part).dtype
        assert_array_equal(getattr(X, part), getattr(Y, part))
        assert getattr(X, part).flags.writeable
    assert user_ids.dtype == expected_ids.dtype
    assert user_ids.tolist() == expected_ids.tolist()
    assert user_ids.flags.writeable
    X.check_format()


@pytest.mark.parametrize("kind", ["whole", "text"])
@pytest.mark.parametrize("who", ["known", "new"])
def test_what_a_service_passes_goes_the_short_way(kind, who):
    ids = IDS[kind]
    encoder = _encoder_of(ids, ids[::-1], unknown_items="ignore")
    other = "nobody" if kind == "text" else 99
    user = ids[3] if who == "known" else other
    items = [ids[7], other, ids[2]]
    logs = [(user, item) for item in items], (np.full(3, user), np.array(items))
    for log in (*logs, (*logs[1], None, None)):
        X, user_ids = plain_history(encoder, log)
        assert user_ids.tolist() == [user]
        assert X.dtype == np.float32
        assert X.indices.tolist() == sorted(encoder.encode_items([ids[2], ids[7]]).tolist())
        assert X.data.tolist() == [1, 1]


@pytest.mark.parametrize(
    "log",
    [
        [("i1", "i1"), ("i2", "i2")],
        [("i1", "i1"), ("i1", "i1")],
        [("i1", "i1", 1)],
        [["i1", "i1"]],
        [("i1", 1)],
        [(1, "i1")],
        [("i1", "new")],
        [],
        (),
        ([], []),
        ("i1", "i2"),
        (np.array(["i1"]), np.array(["i1", "i2"])),
        (np.array([["i1"]]), np.array([["i1"]])),
        (np.array(["i1"]), np.array(["i1"]), np.array([1.0])),
        {"user": ["i1"], "item": ["i1"]},
        [("i1", f"i{n % 40}") for n in range(2000)],
        iter([("i1", "i1")]),
        None,
    ],
)  # fmt: skip
def test_the_rest_goes_the_long_way(log):
    encoder = _encoder_of(IDS["text"], IDS["text"], unknown_items="ignore")
    assert plain_history(encoder, log) is None


def test_rows_share_nothing():
    encoder = _encoder_of(["u"], IDS["text"])
    X, _ = encoder.transform_histories([("u", "i3")])
    X.data[:], X.indices[:] = 7, 0
    X.resize(1, 2)
    Y, user_ids = encoder.transform_histories([("u", "i3")])
    assert Y.shape == (1, len(IDS["text"]))
    assert Y.data.tolist() == [1]
    user_ids[:] = "v"
    assert encoder.user_ids_.tolist() == ["u"]
    encoder.transform_histories([("u", item) for item in IDS["text"]])
    assert Y.indices.tolist() == [3]


def test_known_ids_cannot_be_changed_behind_an_index():
    encoder = _encoder_of(IDS["text"], IDS["whole"])
    encoder.transform_histories([("i1", 3)])
    for ids in (encoder.user_ids_, encoder.item_ids_):
        with pytest.raises(ValueError, match="read-only"):
            ids[0] = ids[1]
    encoder.item_ids_ = encoder.item_ids_[::-1].copy()
    X, _ = encoder.transform_histories([("i1", 3)])
    assert encoder.item_ids_[X.indices].tolist() == [3]


def test_texts_of_one_hash_are_told_apart(monkeypatch):
    monkeypatch.setattr(_id_index, "_hashes", lambda texts, n: np.full(n, 5))
    encoder = _encoder_of(["u", "v"], [f"i{n}" for n in range(50)], unknown_items="ignore")
    X, user_ids = encoder.transform_histories([("v", item) for item in ("i7", "i41", "new")])
    assert X.indices.tolist() == [7, 41]
    assert user_ids.tolist() == ["v"]


def test_a_text_of_the_hash_of_another_is_unknown(monkeypatch):
    hashes = {"a": 1, "b": 2, "other": 2}
    monkeypatch.setattr(
        _id_index, "_hashes", lambda texts, n: np.array([hashes[text] for text in texts])
    )
    encoder = _encoder_of([1], ["b", "a"], unknown_items="ignore")
    X, _ = encoder.transform_histories([(1, item) for item in ("other", "a")])
    assert X.indices.tolist() == [1]
