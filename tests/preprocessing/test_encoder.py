import pickle
import warnings
from datetime import date

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.utils import Bunch
from sklearn.utils.estimator_checks import check_estimator

from skrec._log import _aggregate
from skrec.preprocessing import BM25Transformer, InteractionEncoder

LOG = [("b", 30, 2.0), ("a", 10, 1.0), ("b", 10, 4.0), ("a", 20, 3.0)]
USERS, ITEMS, VALUES = (list(column) for column in zip(*LOG, strict=True))
DENSE = np.array([[1.0, 3.0, 0.0], [4.0, 0.0, 2.0]])


def _forms():
    named = {"user": USERS, "item": ITEMS, "rating": VALUES}
    array = np.empty((4, 3), dtype=object)
    array[:] = LOG
    return {
        "rows": LOG,
        "generator": (row for row in LOG),
        "lists": [list(row) for row in LOG],
        "columns": (USERS, ITEMS, VALUES),
        "array columns": [np.array(USERS), np.array(ITEMS), np.array(VALUES)],
        "object array": array,
        "pandas": pd.DataFrame(named),
        "pandas object": pd.DataFrame(named).astype(object),
        "pandas category": pd.DataFrame(named).astype({"user": "category", "item": "category"}),
        "polars": pl.DataFrame(named),
        "arrow": pa.table(named),
        "mapping": named,
        "bunch": Bunch(**named),
    }


@pytest.mark.parametrize("form", list(_forms()))
def test_every_form_of_log_gives_the_same_matrix(form):
    encoder = InteractionEncoder(value="rating")
    X = encoder.fit_transform(_forms()[form])
    assert isinstance(X, csr_array)
    assert X.dtype == np.float32
    assert_array_equal(X.toarray(), DENSE)
    assert_array_equal(encoder.user_ids_, ["a", "b"])
    assert_array_equal(encoder.item_ids_, [10, 20, 30])
    assert encoder.user_ids_.dtype.kind == "U"
    assert encoder.item_ids_.dtype == np.int64


def test_numeric_2d_array_keeps_whole_ids_whole():
    log = np.array([[7, 2, 0.5], [5, 2, 1.5]])
    encoder = InteractionEncoder()
    assert_array_equal(encoder.fit_transform(log).toarray(), [[1.5], [0.5]])
    assert encoder.user_ids_.dtype == np.int64
    assert_array_equal(encoder.user_ids_, [5, 7])


def test_values_of_frames_are_read_only_if_named():
    frame = pd.DataFrame({"user": USERS, "item": ITEMS, "rating": VALUES})
    assert_array_equal(InteractionEncoder().fit_transform(frame).toarray(), DENSE > 0)


def test_column_names_are_parameters():
    frame = pd.DataFrame({"who": USERS, "what": ITEMS, "stars": VALUES})
    encoder = InteractionEncoder(user="who", item="what", value="stars")
    assert_array_equal(encoder.fit_transform(frame).toarray(), DENSE)


@pytest.mark.parametrize(
    ("duplicates", "by_order", "by_time"),
    [
        ("sum", 9, 9),
        ("count", 3, 3),
        ("first", 2, 4),
        ("last", 3, 2),
        ("max", 4, 4),
        ("min", 2, 2),
        ("mean", 3, 3),
    ],
)
def test_duplicates(duplicates, by_order, by_time):
    users, items, values = ["u", "v", "u", "u"], ["i", "i", "i", "i"], [2, 7, 4, 3]
    encoder = InteractionEncoder(duplicates=duplicates)
    X = encoder.fit_transform((users, items, values)).toarray()
    assert X[0, 0] == by_order
    X = encoder.fit_transform((users, items, values, [9, 1, 5, 8])).toarray()
    assert X[0, 0] == by_time
    assert X[1, 0] == (1 if duplicates == "count" else 7)


def test_duplicates_of_equal_time_keep_their_order():
    log = [("u", "i", 1, 5), ("u", "i", 2, 5)]
    assert InteractionEncoder(duplicates="last").fit_transform(log)[0, 0] == 2
    assert InteractionEncoder(duplicates="first").fit_transform(log)[0, 0] == 1


@pytest.mark.parametrize("duplicates", ["sum", "count", "first", "last", "max", "min", "mean"])
@pytest.mark.parametrize("timed", [False, True])
def test_long_logs_merge_like_short_ones(duplicates, timed, monkeypatch):
    rng = np.random.default_rng(0)
    n = _aggregate._LONG + 5
    log = (rng.integers(0, 300, n), rng.integers(0, 200, n), rng.integers(1, 9, n))
    log += (rng.integers(0, 5, n),) * timed
    encoder = InteractionEncoder(duplicates=duplicates)
    long = encoder.fit_transform(log)
    monkeypatch.setattr(_aggregate, "_LONG", 10 * n)
    short = encoder.fit_transform(log)
    assert long.nnz < n
    for part in ("data", "indices", "indptr"):
        assert_array_equal(getattr(long, part), getattr(short, part))


def test_duplicates_error_names_the_rows():
    with pytest.raises(ValueError, match=r"Interactions 0 and 2 .* same user and item"):
        InteractionEncoder(duplicates="error").fit([("u", 1), ("v", 1), ("u", 1)])
    InteractionEncoder(duplicates="error").fit([("u", 1), ("v", 1)])


@pytest.mark.parametrize(
    "times",
    [
        [3, 1, 2],
        [3.5, 1.25, 2.0],
        ["2020-01-03", "2020-01-01T10:00:00Z", "2020-01-01 13:00:00+01:00"],
        np.array(["2020-01-03", "2020-01-01", "2020-01-02"], dtype="datetime64[D]"),
        [date(2020, 1, 3), date(2020, 1, 1), date(2020, 1, 2)],
        pd.Series(pd.to_datetime(["2020-01-03", "2020-01-01", "2020-01-02"])),
    ],
)
def test_timestamps_of_any_kind_decide_what_is_last(times):
    log = (["u"] * 3, ["i"] * 3, [10, 20, 30], times)
    assert InteractionEncoder(duplicates="last").fit_transform(log)[0, 0] == 10
    assert InteractionEncoder(duplicates="first").fit_transform(log)[0, 0] == 20


def test_value_zero_is_stored():
    X = InteractionEncoder().fit_transform([("u", "i", 0), ("u", "j", 1)])
    assert X.nnz == 2


def test_dtype():
    assert InteractionEncoder(dtype=np.float64).fit_transform(LOG).dtype == np.float64
    encoder = InteractionEncoder().fit(LOG)
    for made in (encoder.transform(LOG), encoder.transform_histories(LOG[:1])[0]):
        assert made.dtype == np.float32
    encoder.set_params(dtype=np.float64)
    for made in (encoder.transform(LOG), encoder.transform_histories([("a", 10)])[0]):
        assert made.dtype == np.float64


def test_minimum_counts_are_iterated():
    # Item 3 is rare; without it user c has too few, and without c item 2 has.
    log = [("a", 1), ("b", 1), ("a", 2), ("c", 2), ("c", 3), ("b", 4), ("a", 4)]
    encoder = InteractionEncoder(min_user_count=2, min_item_count=2)
    X = encoder.fit_transform(log)
    assert_array_equal(encoder.user_ids_, ["a", "b"])
    assert_array_equal(encoder.item_ids_, [1, 4])
    assert_array_equal(X.toarray(), np.ones((2, 2)))


def test_minimum_counts_count_pairs_once():
    log = [("a", 1), ("a", 1), ("b", 2), ("b", 3)]
    encoder = InteractionEncoder(min_user_count=2).fit(log)
    assert_array_equal(encoder.user_ids_, ["b"])


def test_minimum_counts_too_high():
    with pytest.raises(ValueError, match=r"No interaction is left.*4 pairs"):
        InteractionEncoder(min_item_count=3).fit(LOG)


def test_unknown_users():
    log = [("z", 10), ("b", 20), ("c", 30), ("z", 30)]
    encoder = InteractionEncoder().fit(LOG)
    X = encoder.transform(log)
    assert_array_equal(X.toarray(), [[0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 1]])
    assert_array_equal(encoder.row_ids(log), ["a", "b", "c", "z"])
    assert_array_equal(encoder.user_ids_, ["a", "b"])
    encoder.set_params(unknown_users="ignore")
    assert_array_equal(encoder.transform(log).toarray(), [[0, 0, 0], [0, 1, 0]])
    encoder.set_params(unknown_users="error")
    with pytest.raises(ValueError, match=r"3 interactions are of users .*'z', 'c', 'z' \(str\)"):
        encoder.transform(log)


def test_unknown_items():
    encoder = InteractionEncoder().fit(LOG)
    log = [("a", 10), ("a", 99)]
    with pytest.raises(
        ValueError, match=r"items .* 99 \(int\).*10, 20, 30.*unknown_items='ignore'"
    ):
        encoder.transform(log)
    encoder.set_params(unknown_items="ignore")
    assert_array_equal(encoder.transform(log).toarray(), [[1, 0, 0], [0, 0, 0]])


def test_text_is_no_number():
    encoder = InteractionEncoder(unknown_items="ignore").fit([("1", 1)])
    assert encoder.transform([("1", "1")]).nnz == 0
    assert encoder.transform([("1", 1.0)]).nnz == 1
    assert encoder.transform([(1, 1)]).shape == (2, 1)
    assert encoder.row_ids([(1, 1)]).tolist() == ["1", 1]


def test_new_users_of_another_kind_stay_what_they_are():
    encoder = InteractionEncoder().fit([(1, "i"), (2, "i")])
    assert encoder.row_ids([("x", "i"), (2, "i")]).tolist() == [1, 2, "x"]


def test_transform_histories():
    encoder = InteractionEncoder(unknown_items="ignore").fit(LOG)
    X, user_ids = encoder.transform_histories([("z", 10), ("b", 20), ("y", 99), ("z", 30)])
    assert_array_equal(user_ids, ["b", "y", "z"])
    assert_array_equal(X.toarray(), [[0, 1, 0], [0, 0, 0], [1, 0, 1]])
    encoder.set_params(unknown_users="ignore")
    X, user_ids = encoder.transform_histories([("z", 10), ("b", 20)])
    assert_array_equal(user_ids, ["b"])
    assert X.shape == (1, 3)


@pytest.mark.parametrize("kind", [int, str, float])
def test_a_few_among_many_ids_in_an_order_of_their_own(kind):
    ids = [kind(i) for i in np.random.default_rng(0).permutation(1000).tolist()]
    encoder = InteractionEncoder.from_ids(ids, ids[::-1])
    some = [3, 500, 999]
    asked = [ids[place] for place in some]
    for column in (asked, np.array(asked)):
        assert_array_equal(encoder.encode_users(column), some)
        assert_array_equal(encoder.encode_items(column), [999 - place for place in some])
    X, user_ids = encoder.transform_histories((asked, asked))
    assert X.shape == (3, 1000)
    assert user_ids.tolist() == asked
    assert_array_equal(X.indices, [999 - place for place in some])


@pytest.mark.parametrize("unknown_users", ["new", "ignore"])
def test_histories_are_rows_of_the_whole_matrix(unknown_users):
    rng = np.random.default_rng(0)
    encoder = InteractionEncoder(unknown_items="ignore", unknown_users=unknown_users)
    encoder.fit([(int(u), int(i)) for u, i in rng.integers(0, 30, (200, 2))])
    for n in (0, 1, 5, 60):
        log = [(int(u), int(i), float(v)) for u, i, v in rng.integers(-8, 38, (n, 3))]
        encoder.set_params(negative=["keep", "drop", "subtract"][n % 3])
        X, user_ids = encoder.transform_histories(log)
        known = set(encoder.user_ids_.tolist())
        asked = {user for user, *_ in log if unknown_users == "new" or user in known}
        assert set(user_ids.tolist()) == asked
        whole, row_ids = encoder.transform(log), encoder.row_ids(log).tolist()
        rows = [row_ids.index(user) for user in user_ids.tolist()]
        assert rows == sorted(rows)
        assert_array_equal(X.toarray(), whole[rows].toarray() if rows else np.zeros(X.shape))
        assert X.has_canonical_format


@pytest.mark.parametrize(("known", "asked"), [([1, 2], ["1", "2"]), (["1", "2"], [1, 2])])
def test_ids_of_another_kind_are_not_ignored_in_silence(known, asked):
    encoder = InteractionEncoder.from_ids(["ann"], known).set_params(unknown_items="ignore")
    with pytest.warns(UserWarning, match=r"All 2 interactions are ignored.*Convert the ids"):
        X, _ = encoder.transform_histories([("eve", item) for item in asked])
    assert X.shape == (1, 2)
    assert X.nnz == 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        encoder.transform_histories([("eve", known[0]), ("eve", asked[0])])
        other = "none" if isinstance(known[0], str) else 77
        encoder.transform_histories([("eve", other)])


def test_transform_of_an_empty_log():
    encoder = InteractionEncoder().fit(LOG)
    assert encoder.transform([]).shape == (2, 3)
    X, user_ids = encoder.transform_histories([])
    assert X.shape == (0, 3)
    assert len(user_ids) == 0


def test_fit_and_transform_agree():
    encoder = InteractionEncoder()
    X = encoder.fit_transform(LOG)
    assert_array_equal(X.toarray(), encoder.transform(LOG).toarray())
    assert_array_equal(X.toarray(), InteractionEncoder().fit(LOG).transform(LOG).toarray())


def test_inverse_transform():
    encoder = InteractionEncoder()
    X = encoder.fit_transform(LOG)
    users, items, values = encoder.inverse_transform(X)
    assert sorted(zip(users, items, values, strict=True)) == sorted(LOG)
    users, items, _ = encoder.inverse_transform(X[[1]], user_ids=["me"])
    assert users.tolist() == ["me", "me"]
    assert items.tolist() == [10, 30]
    with pytest.raises(ValueError, match=r"shape \(1, 3\), expected \(2, 3\).*user_ids="):
        encoder.inverse_transform(X[[1]])


def test_encode_and_decode():
    encoder = InteractionEncoder().fit(LOG)
    assert_array_equal(encoder.encode_users(["b", "a"]), [1, 0])
    assert_array_equal(encoder.encode_items([30, 7], unknown="ignore"), [2, -1])
    assert_array_equal(encoder.decode_users([1, 0]), ["b", "a"])
    with pytest.raises(ValueError, match=r"1 item ids are unknown: 7 \(int\)"):
        encoder.encode_items([30, 7])
    with pytest.raises(ValueError, match="unknown must be"):
        encoder.encode_items([30], unknown="skip")


def test_decode_recommendations():
    encoder = InteractionEncoder().fit(LOG)
    full = encoder.decode_items([[0, 2], [1, 0]])
    assert full.dtype == np.int64
    assert_array_equal(full, [[10, 30], [20, 10]])
    padded = encoder.decode_items([[0, -1]])
    assert padded.tolist() == [[10, None]]
    assert_array_equal(encoder.decode_items([[0, -1]], fill_value=-1), [[10, -1]])
    assert encoder.decode_items([-1, 0], fill_value="none").tolist() == ["none", 10]
    assert encoder.decode_items([-1], fill_value=(1, 2)).tolist() == [(1, 2)]
    text = encoder.decode_users([0, -1], fill_value="nobody at all")
    assert text.tolist() == ["a", "nobody at all"]
    with pytest.raises(ValueError, match=r"items.* must lie in \[-1, 2\]"):
        encoder.decode_items([3])


def test_from_ids():
    encoder = InteractionEncoder.from_ids(["u9", "u1"], [5, 3])
    assert_array_equal(encoder.transform([("u1", 5)]).toarray(), [[0, 0], [1, 0]])
    assert_array_equal(encoder.decode_items([0, 1]), [5, 3])
    assert_array_equal(encoder.encode_items([3, 5]), [1, 0])
    with pytest.raises(ValueError, match=r"item ids must be distinct.* 3 \(int\)"):
        InteractionEncoder.from_ids(["u"], [3, 3])


@pytest.mark.parametrize("missing", [None, float("nan"), np.nan, pd.NA, pd.NaT])
def test_missing_ids(missing):
    with pytest.raises(ValueError, match="Missing user id: entry 1 "):
        InteractionEncoder().fit([("a", 1), (missing, 2)])
    with pytest.raises(ValueError, match="Missing item id: entry 1 "):
        InteractionEncoder().fit([("a", "x"), ("b", missing)])
    encoder = InteractionEncoder(unknown_items="ignore").fit([("a", "x")])
    with pytest.raises(ValueError, match="Missing item id"):
        encoder.transform([("a", missing)])


def test_missing_ids_of_frames():
    frame = pd.DataFrame({"user": ["a", None], "item": [1, 2]})
    with pytest.raises(ValueError, match="Missing user id: entry 1"):
        InteractionEncoder().fit(frame)
    with pytest.raises(ValueError, match="Missing user id: entry 1"):
        InteractionEncoder().fit(pl.from_pandas(frame))
    with pytest.raises(ValueError, match="Missing item id: entry 0"):
        InteractionEncoder().fit(pl.DataFrame({"user": [1, 2], "item": [None, 3]}))
    with pytest.raises(ValueError, match="Missing item id: entry 0"):
        InteractionEncoder().fit(pd.DataFrame({"user": [1], "item": pd.array([None], "Int64")}))


@pytest.mark.parametrize(
    ("log", "error", "text"),
    [
        ([], ValueError, "log is empty"),
        ([("a",)], ValueError, r"Row 0 .*\('a',\).* from 2 to 4"),
        ([("a", 1), ("b", 1, 2)], ValueError, r"Row 1 .*\('b', 1, 2\)"),
        ([("a", 1), 5], ValueError, "Row 0|Row 1"),
        (["ab", "cd"], ValueError, "Row 0 .*'ab'"),
        ("ab", TypeError, "load_interactions"),
        (5, TypeError, "Got int, expected a DataFrame"),
        ((["a"], [1], [1], [1], [1]), ValueError, "5 columns, expected 2, 3 or 4"),
        ((["a"], [1, 2]), ValueError, "1 user ids but 2 entries in the item column"),
        ((["a"], [1], [1, 2]), ValueError, "value column"),
        ((["a", "b"], [1, 2], [1, np.nan]), ValueError, "Entry 1 .*value column is .*nan"),
        ((["a", "b"], [1, 2], ["1", "x"]), ValueError, "Entry 1 .*value column is 'x'"),
        ((["a"], [1], [np.inf]), ValueError, "finite"),
        ((["a"], [1], [1], ["soon"]), ValueError, "timestamp column is 'soon'.*ISO 8601"),
        ((["a"], [1], [1], [np.nan]), ValueError, "timestamp column"),
        ((["a"], [{}]), TypeError, r"Unhashable item id: entry 0 .* is \{\}"),
        (("ab", [1, 2]), TypeError, "single string 'ab'"),
        (np.zeros((3, 5)), ValueError, r"2 to 4 columns.*\(3, 5\)"),
        ((np.zeros((2, 2)), [1, 2]), ValueError, r"must be 1-D.*\(2, 2\)"),
        (csr_array(np.eye(2)), TypeError, "sparse matrix of shape"),
        ({"user": [1]}, ValueError, r"Column 'item' .*\['user'\].*InteractionEncoder\(item=...\)"),
    ],
)
def test_bad_logs(log, error, text):
    with pytest.raises(error, match=text):
        InteractionEncoder().fit(log)


@pytest.mark.parametrize(
    "params",
    [
        {"duplicates": "add"},
        {"unknown_users": "drop"},
        {"unknown_items": "new"},
        {"min_user_count": 0},
        {"min_item_count": 1.5},
    ],
)
def test_bad_parameters(params):
    with pytest.raises(ValueError, match=next(iter(params))):
        InteractionEncoder(**params).fit(LOG)


def test_not_fitted():
    with pytest.raises(NotFittedError):
        InteractionEncoder().transform(LOG)
    with pytest.raises(NotFittedError):
        InteractionEncoder().decode_items([0])


def test_is_an_ordinary_estimator():
    check_estimator(InteractionEncoder(), on_skip=None)
    encoder = InteractionEncoder(value="rating", duplicates="last", dtype=np.float32)
    assert clone(encoder).get_params() == encoder.get_params()
    assert "duplicates='last'" in repr(encoder)
    assert_array_equal(encoder.fit(LOG).get_feature_names_out(), ["10", "20", "30"])


def test_in_a_pipeline():
    pipeline = make_pipeline(InteractionEncoder(), BM25Transformer())
    X = pipeline.fit_transform(LOG)
    assert X.shape == (2, 3)
    assert_array_equal(pipeline.get_feature_names_out(), ["10", "20", "30"])


ID_SETS = {
    "text": ["a", "b", "é\0x"],
    "trailing nul": ["a\0", "a"],
    "int": [3, -5, 2**40],
    "large int": [2**63, 2**64 - 1, 5],
    "huge int": [2**70, 1],
    "float": [0.5, 2.0],
    "bytes": [b"x", b"y"],
    "mixed": [1, "1", (1, "1"), b"1", 2.5],
    "tuples": [(1, 2), (1, 3)],
    "long text": ["x" * 5000, "y"],
}


@pytest.mark.parametrize("kind", list(ID_SETS))
@pytest.mark.parametrize("module", ["pickle", "skops"])
def test_survives_dump_and_load(kind, module):
    ids = ID_SETS[kind]
    log = [(user, item) for user in ids for item in ids]
    encoder = InteractionEncoder().fit(log)
    if module == "skops":
        import skops.io

        data = skops.io.dumps(encoder)
        trusted = skops.io.get_untrusted_types(data=data)
        assert trusted == ["skrec.preprocessing._encoder.InteractionEncoder"]
        loaded = skops.io.loads(data, trusted=trusted)
    else:
        loaded = pickle.loads(pickle.dumps(encoder))
    assert loaded.user_ids_.dtype == encoder.user_ids_.dtype
    assert loaded.get_params() == encoder.get_params()
    assert loaded.encode_items(ids).tolist() == encoder.encode_items(ids).tolist()
    assert_array_equal(loaded.transform(log).toarray(), np.ones((len(ids), len(ids))))


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [("text", "U"), ("int", "i"), ("float", "f"), ("bytes", "S"), ("mixed", "O"), ("tuples", "O")],
)
def test_plain_dtypes_where_the_ids_allow(kind, dtype):
    encoder = InteractionEncoder().fit([(user, "i") for user in ID_SETS[kind]])
    assert encoder.user_ids_.dtype.kind == dtype
    if dtype != "O":
        assert encoder.user_ids_.tolist() == sorted(ID_SETS[kind])
    else:
        assert encoder.user_ids_.tolist() == ID_SETS[kind]


hashable = st.one_of(
    st.text(max_size=4),
    st.integers(),
    st.integers(-3, 3),
    st.floats(allow_nan=False),
    st.binary(max_size=3),
    st.booleans(),
    st.tuples(st.integers(0, 2), st.text(max_size=1)),
    st.frozensets(st.integers(0, 3), max_size=2),
)
one_kind = st.sampled_from(
    [st.text(max_size=4), st.integers(-(2**70), 2**70), st.integers(0, 9), st.binary(max_size=3),
     st.floats(allow_nan=False), hashable]
)  # fmt: skip
logs = st.tuples(one_kind, one_kind).flatmap(
    lambda kinds: st.lists(
        st.tuples(kinds[0], kinds[1], st.integers(1, 5)), min_size=1, max_size=30
    )
)


@given(log=logs)
def test_round_trip(log):
    encoder = InteractionEncoder(duplicates="sum")
    X = encoder.fit_transform(log)
    expected = {}
    for user, item, value in log:
        expected[user, item] = expected.get((user, item), 0) + value
    found = zip(*(column.tolist() for column in encoder.inverse_transform(X)), strict=True)
    assert {(user, item): value for user, item, value in found} == expected
    assert X.nnz == len(expected)
    assert X.has_sorted_indices


@pytest.mark.filterwarnings("ignore:All .* interactions are ignored")
@given(log=logs, more=logs)
def test_unknown_ids_twin(log, more):
    encoder = InteractionEncoder(unknown_items="ignore", duplicates="count").fit(log)
    users = dict.fromkeys(user for user, _, _ in log)
    items = dict.fromkeys(item for _, item, _ in log)
    expected = {}
    for user, item, _ in more:
        if item in items:
            expected[user, item] = expected.get((user, item), 0) + 1
    X, row_ids = encoder.transform(more), encoder.row_ids(more)
    found = zip(*(c.tolist() for c in encoder.inverse_transform(X, user_ids=row_ids)), strict=True)
    assert {(user, item): value for user, item, value in found} == expected
    new = dict.fromkeys(user for user, _, _ in more if user not in users)
    assert X.shape == (len(users) + len(new), len(items))
    H, present = encoder.transform_histories(more)
    assert set(present.tolist()) == {user for user, _, _ in more}
    assert H.shape[0] == len(present)
    assert H.sum() == X.sum()


@given(log=logs, least=st.integers(1, 3))
def test_minimum_counts_twin(log, least):
    encoder = InteractionEncoder(min_user_count=least, min_item_count=least)
    pairs = {(user, item) for user, item, _ in log}
    while True:
        users, items = [user for user, _ in pairs], [item for _, item in pairs]
        kept = {(u, i) for u, i in pairs if users.count(u) >= least and items.count(i) >= least}
        if kept == pairs:
            break
        pairs = kept
    if not pairs:
        with pytest.raises(ValueError, match="No interaction is left"):
            encoder.fit(log)
        return
    X = encoder.fit_transform(log)
    users, items, _ = encoder.inverse_transform(X)
    assert set(zip(users.tolist(), items.tolist(), strict=True)) == pairs


def test_whole_numbers_that_a_double_rounds_are_not_kept_silently():
    """2**53 + 3 is 2**53 + 4 as a double, which int64 would keep."""
    encoder = InteractionEncoder(value="rating", dtype=np.int64)
    log = {"user": [1, 2], "item": [1, 1], "rating": [1, 2**53 + 3]}
    with pytest.raises(ValueError, match="dtype=int64 cannot hold 1 of 2 values"):
        encoder.fit_transform(log)
    X = encoder.fit_transform(log | {"rating": [2**53 - 1, 2**53]})
    assert X.data.tolist() == [2**53 - 1, 2**53]
