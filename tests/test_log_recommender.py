"""LogRecommender: ids in, frames out, and the same lists as the matrices would give."""

import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Binarizer, FunctionTransformer

import skrec
from skrec import LogRecommender
from skrec.datasets import load_demo, load_interactions, make_interactions
from skrec.decomposition import BPR, BiasedMF
from skrec.dummy import DummyRecommender
from skrec.ensemble import Fallback
from skrec.linear_model import EASE
from skrec.metrics import evaluate
from skrec.model_selection import temporal_split
from skrec.neighbors import ItemKNN, UserKNN
from skrec.preprocessing import InteractionEncoder


def _log(n_users=120, n_items=30, seed=0):
    """A log with ids of text with leading zeros, quantities, returns and dates."""
    X = make_interactions(n_users, n_items, 1500, random_state=seed, return_X=True).tocoo()
    rng = np.random.default_rng(seed)
    order = rng.permutation(X.nnz)
    frame = pd.DataFrame(
        {
            "customer_id": [f"{row:05d}" for row in X.row[order]],
            "product": [f"p-{column:03d}" for column in X.col[order]],
            "count": rng.integers(1, 5, X.nnz),
            "date": pd.date_range("2025-01-01", periods=X.nnz, freq="h"),
        }
    )
    returned = frame.iloc[:40].assign(count=lambda part: -part["count"])
    return pd.concat([frame, returned], ignore_index=True)


LOG = _log()
TITLES = {f"p-{item:03d}": f"Tea No. {item}" for item in range(30)}
KEPT = LOG.groupby(["customer_id", "product"])["count"].sum().loc[lambda total: total > 0]


@pytest.fixture(scope="module")
def model():
    return LogRecommender(EASE(20.0), titles=TITLES).fit(LOG)


def _matrix():
    users = sorted(set(LOG.customer_id))
    items = sorted(set(LOG["product"]))
    rows = [users.index(user) for user, _ in KEPT.index]
    columns = [items.index(item) for _, item in KEPT.index]
    ones = np.ones(len(rows), dtype=np.float32)
    return csr_array((ones, (rows, columns)), shape=(len(users), len(items)))


def _as_rows(frame):
    if isinstance(frame, pa.Table):
        return frame.to_pylist()
    return frame.to_dicts() if isinstance(frame, pl.DataFrame) else frame.to_dict("records")


def test_lists_are_those_of_the_matrix(model):
    X = _matrix()
    np.testing.assert_array_equal(model.interactions_.toarray(), X.toarray())
    expected, scores = EASE(20.0).fit(X).recommend(X, 4, return_scores=True)
    found = model.recommend(k=4)
    assert list(found) == ["user", "rank", "item", "score", "title", "fallback"]
    there = expected.ravel() >= 0  # some users have nearly everything
    np.testing.assert_array_equal(found["item"], model.encoder_.item_ids_[expected.ravel()[there]])
    np.testing.assert_array_equal(found["user"], np.repeat(model.encoder_.user_ids_, 4)[there])
    np.testing.assert_array_equal(found["rank"], np.tile([1, 2, 3, 4], X.shape[0])[there])
    np.testing.assert_allclose(found["score"], scores.ravel()[there])
    assert (found["title"] == found["item"].map(TITLES)).all()
    assert not found["fallback"].any()
    returned = LOG.iloc[-1]
    assert (returned.customer_id, returned["product"]) not in KEPT.index
    assert "00001" in set(found["user"])


@pytest.mark.parametrize("from_file", [False, True])
@pytest.mark.parametrize("dtype", ["auto", np.float64])
def test_the_encoder_decides_on_the_dtype(from_file, dtype, tmp_path):
    frame = pd.DataFrame({"user": [1, 1, 2], "item": [5, 6, 5], "weight": [0.1, 0.7, 1e-3]})
    frame.to_csv(tmp_path / "log.csv", index=False)
    log = str(tmp_path / "log.csv") if from_file else frame
    encoder = InteractionEncoder(value="weight", dtype=dtype)
    X = LogRecommender(EASE(1.0), encoder=encoder).fit(log).interactions_
    assert X.dtype == (np.float32 if dtype == "auto" else dtype)
    assert X.data.tolist() == frame.weight.to_numpy(X.dtype).tolist()


def test_the_dtype_of_a_log():
    model = LogRecommender(EASE(20.0)).fit(LOG)
    assert model.interactions_.dtype == np.float32
    assert model.recommend(["00003"], 3)["score"].dtype == np.float32


@pytest.mark.parametrize("kind", ["pandas", "polars", "lazy", "arrow", "mapping", "file", "tuples"])
def test_every_form_of_log(model, kind, tmp_path):
    path = tmp_path / "log.csv"
    LOG.to_csv(path, index=False)
    columns = [LOG[name].tolist() for name in LOG]
    log, options, expected = {
        "pandas": (LOG, {}, pd.DataFrame),
        "polars": (pl.from_pandas(LOG), {}, pl.DataFrame),
        "lazy": (pl.from_pandas(LOG).lazy(), {}, pl.DataFrame),
        "arrow": (pa.Table.from_pandas(LOG), {}, pa.Table),
        "mapping": (LOG.to_dict("list"), {}, pd.DataFrame),
        "file": (str(path), {}, pd.DataFrame),
        "tuples": (list(zip(*columns, strict=True)), {}, pd.DataFrame),
    }[kind]
    other = clone(model).set_params(**options).fit(log)
    found = other.recommend(["00003", "00017"], 3)
    assert isinstance(found, expected)
    assert _as_rows(found) == _as_rows(model.recommend(["00003", "00017"], 3))
    assert other.last_timestamp_ == model.last_timestamp_
    # What is asked for decides, where it is a frame.
    histories = pl.DataFrame({"user": ["x"], "item": ["p-001"]})
    assert isinstance(other.recommend(histories, 3), pl.DataFrame)
    assert isinstance(other.similar_items(pa.array(["p-001"]), 3), pa.Table)
    again = other.recommend(log, 2)
    assert isinstance(again, expected)
    assert _as_rows(again) == _as_rows(model.recommend(k=2))


def test_histories_are_scored_by_what_they_say(model):
    log = [("new", "p-001"), ("new", "p-002"), ("00003", "p-005"), ("who", "not-there")]
    found = model.recommend(log, 2)
    X = np.zeros((3, 30))
    X[0, 5] = X[1, 1] = X[1, 2] = 1
    scores = model.recommender_.decision_function(X)
    np.testing.assert_allclose(
        found["score"], np.sort(np.where(X > 0, -np.inf, scores), axis=1)[:, :-3:-1].ravel()
    )
    assert found["user"].tolist() == ["00003", "00003", "new", "new", "who", "who"]
    assert found["fallback"].tolist() == [False] * 4 + [True] * 2
    assert model.recommend([["new", "p-001"], ["new", "p-002"]], 2)["user"].tolist() == ["new"] * 2


def test_unknown_users(model):
    popular = KEPT.groupby("product").size().sort_values(ascending=False).index[0]
    found = model.recommend(["00003", "nobody"], 1)
    assert found["item"].tolist()[1] == popular
    assert found["fallback"].tolist() == [False, True]
    skipped = model.recommend(["nobody", "00003"], 1, unknown_users="skip")
    assert skipped["user"].tolist() == ["00003"]
    with pytest.raises(ValueError, match=r"1 of 2 users have no known interaction: 'nobody'"):
        model.recommend(["00003", "nobody"], unknown_users="error")
    with pytest.raises(ValueError, match=r"unknown_users must be one of"):
        model.recommend(["00003"], unknown_users="popular")
    with pytest.raises(ValueError, match=r"ids like 3 \(int\) never equal"):
        model.recommend([3])


@pytest.mark.parametrize(
    "users",
    ["00003", ["00003"], ("00003",), np.array(["00003"]), {"00003"}, iter(["00003"]),
     pd.Series(["00003"]), pd.Index(["00003"]), pl.Series(["00003"]), pa.array(["00003"])],
)  # fmt: skip
def test_users_in_every_container(model, users):
    found = _as_rows(model.recommend(users, 2))
    assert found == _as_rows(model.recommend("00003", 2))
    assert [row["user"] for row in found] == ["00003"] * 2


def test_ids_that_are_tuples():
    log = pd.DataFrame({"user": [(1, 2), (1, 2), (3, 4)], "item": ["a", "b", "a"]})
    model = LogRecommender(EASE(1.0)).fit(log)
    assert model.recommend([(3, 4)], 1)["item"].tolist() == ["b"]
    assert model.recommend([("x", "b")], 1)["item"].tolist() == ["a"]


def test_stock(model):
    stock = ["p-004", "p-007", "p-011"]
    found = model.recommend(k=3, items=pd.Series(stock), exclude=["p-007", "unknown"])
    assert set(found["item"]) == {"p-004", "p-011"}
    with pytest.warns(UserWarning, match=r"1 of the 2 items.*'new'.*before the next fit"):
        model.recommend(["00003"], items=["p-004", "new"])
    with pytest.raises(ValueError, match=r"none of which was in the log"):
        model.recommend(["00003"], items=["new"])
    with pytest.raises(ValueError, match=r"none of which was in the log"):
        model.recommend(["00003"], items=[])
    seen = KEPT.loc["00003"].index
    again = model.recommend("00003", 30, exclude_seen=False)
    assert set(seen) <= set(again["item"])
    assert not set(seen) & set(model.recommend("00003", 30)["item"])


@pytest.mark.parametrize(
    "estimator", [EASE(20.0), ItemKNN(), make_pipeline(Binarizer(), EASE(20.0))]
)
def test_similar_items(estimator):
    model = LogRecommender(estimator, titles=TITLES).fit(LOG)
    inner = estimator[-1] if hasattr(estimator, "steps") else estimator
    similar = clone(inner).fit(_matrix()).similar_items([4, 2], 5)
    found = model.similar_items(["p-004", "p-002"], 5)
    np.testing.assert_array_equal(found["similar"], model.encoder_.item_ids_[similar.ravel()])
    assert found["title"].tolist() == [TITLES[item] for item in found["similar"]]
    stock = sorted(set(found["similar"]))[::2]
    among = model.similar_items(["p-004", "p-002"], 5, items=stock)
    assert set(among["similar"]) <= set(stock)
    for item in ("p-004", "p-002"):
        kept = [one for one in found["similar"][found["item"] == item] if one in stock]
        assert among["similar"][among["item"] == item].tolist()[: len(kept)] == kept
    with pytest.raises(ValueError, match=r"1 of 1 items were not in the log.*'nothing'"):
        model.similar_items(["nothing"])


def test_what_an_estimator_cannot_do_names_those_that_can():
    model = LogRecommender(UserKNN()).fit(LOG)
    with pytest.raises(TypeError, match=r"UserKNN has no similar_items\. Use.*EASE.*ItemKNN"):
        model.similar_items("p-004")
    with pytest.raises(TypeError, match=r"BPR has no explain\. Use.*EASE"):
        LogRecommender(BPR(4, max_iter=2, random_state=0)).fit(LOG).explain("00003", "p-004")


def test_users_for_item(model):
    X = _matrix()
    scores = EASE(20.0).fit(X).decision_function(X)
    scores[X.toarray() > 0] = -np.inf
    found = model.users_for_item(["p-004", "p-002"], 4)
    for item, column in (("p-004", 4), ("p-002", 2)):
        best = np.argsort(-scores[:, column], kind="stable")[:4]
        part = found[found["item"] == item]
        assert part["user"].tolist() == model.encoder_.user_ids_[best].tolist()
        np.testing.assert_allclose(part["score"], scores[best, column])
        assert set(part["title"]) == {TITLES[item]}
    everybody = model.users_for_item("p-004", 10_000, exclude_seen=False)
    assert len(everybody) == X.shape[0]


def test_users_for_item_in_chunks(model, monkeypatch):
    expected = _as_rows(model.users_for_item(["p-004", "p-002"], 7))
    monkeypatch.setattr("skrec._log_recommender._answers._CHUNK", 1000)
    assert _as_rows(model.users_for_item(["p-004", "p-002"], 7)) == expected
    among = {"items": ["p-001", "p-007", "p-009"]}
    found = _as_rows(model.similar_items(["p-004", "p-002"], 7, **among))
    monkeypatch.undo()
    assert found == _as_rows(model.similar_items(["p-004", "p-002"], 7, **among))


def test_nobody_gets_no_line(model):
    columns = list(model.recommend("00003"))
    for users in ([], LOG.iloc[:0], pl.DataFrame({"user": [], "item": []})):
        found = model.recommend(users)
        assert list(found.columns) == columns
        assert len(found) == 0
    assert len(model.recommend(["nobody"], unknown_users="skip")) == 0
    assert len(model.similar_items([])) == len(model.users_for_item([])) == 0


def test_a_file_or_a_table_is_no_list_of_ids(model, tmp_path):
    path = tmp_path / "stock.txt"
    path.write_text("p-001\np-002\n")
    for given in (path, str(path)):
        for argument in ("items", "exclude"):
            with pytest.raises(TypeError, match=r"item ids.*Got a path.*read_text"):
                model.recommend("00001", **{argument: given})
    with pytest.raises(ValueError, match="none of which was in the log"):
        model.recommend("00001", items="p-001," * 60)
    with pytest.raises(ValueError, match="never equal ids of the fit"):
        model.recommend("00001", exclude=[1, 2])
    assert len(model.recommend("00001", k=3, exclude=["gone"])) == 3
    assert model.recommend("no user, " * 60, k=3)["fallback"].all()
    frame = pd.DataFrame({"item": ["p-001"], "stock": [3]})
    for call in (
        lambda: model.recommend("00001", items=frame),
        lambda: model.recommend("00001", exclude=pa.table({"item": ["p-001"]})),
        lambda: model.similar_items(frame),
    ):
        with pytest.raises(TypeError, match=r"item ids.*Got a table.*frame\['item'\]"):
            call()


def test_users_of_whom_too_little_is_known_want_nothing():
    model = LogRecommender(Fallback(EASE(20.0), min_interactions=8)).fit(LOG)
    short = KEPT.groupby("customer_id").size().loc[lambda n: n < 8].index
    assert len(short)
    assert not set(short) & set(model.users_for_item("p-004", 1000)["user"])
    assert model.recommend(short[0], 1)["fallback"].tolist() == [True]
    with pytest.raises(ValueError, match="Too little is known of user"):
        model.explain(short[0], "p-004")


@pytest.mark.parametrize(
    "estimator",
    [
        EASE(20.0),
        ItemKNN(),
        make_pipeline(FunctionTransformer(lambda X: X * 2.0, accept_sparse=True), EASE(20.0)),
        GridSearchCV(EASE(), {"alpha": [20.0]}, cv=2),
    ],
    ids=["EASE", "ItemKNN", "pipeline", "search"],
)
def test_explain(estimator):
    model = LogRecommender(estimator, titles=TITLES).fit(LOG)
    best = model.recommend("00003", 1)
    found = model.explain("00003", best["item"][0])
    assert list(found) == ["user", "item", "because", "contribution", "title"]
    assert found["contribution"].sum() == pytest.approx(best["score"][0])
    assert found["contribution"].is_monotonic_decreasing
    assert set(found["because"]) <= set(KEPT.loc["00003"].index)
    assert found["title"].tolist() == [TITLES[item] for item in found["because"]]
    history = model.explain([("x", "p-001"), ("x", "p-002")], "p-004")
    assert set(history["because"]) <= {"p-001", "p-002"}
    with pytest.raises(ValueError, match=r"one user and one item. Got 2 users"):
        model.explain(["00003", "00004"], "p-004")


def test_why_not_is_that_of_the_matrix(model):
    user = str(model.encoder_.user_ids_[3])
    row = model.interactions_[[3]]
    lists = model.recommend(user, k=30)
    item = lists["item"].iloc[6]
    column = model.encoder_.encode_items([item])[0]
    expected = skrec.why_not(model.recommender_, model.interactions_, 3, column, k=5)
    found = model.why_not(user, item, k=5)
    assert found[1:] == expected[1:]
    assert found.rank == 7
    assert found.reason.startswith(f"Item {item!r} has rank 7 of ")
    seen = str(model.encoder_.item_ids_[row.indices[0]])
    assert model.why_not(user, seen).reason == f"User {user!r} has item {seen!r} already."
    stock = [*lists["item"].iloc[5:]]
    assert model.why_not(user, item, items=stock).rank == 2
    assert model.why_not(user, item, items=stock, exclude=stock[:1]).rank == 1
    assert not model.why_not(user, item, exclude=[item]).is_candidate
    history = [("new", seen)]
    after = [*model.recommend(history, 30)["item"]]
    assert model.why_not(history, item).rank == 1 + after.index(item)
    assert model.why_not("nobody", item).reason.endswith(" The fallback makes the list.")
    with pytest.raises(ValueError, match="one user and one item"):
        model.why_not([user, "nobody"], item)
    with pytest.raises(ValueError, match="not in the log"):
        model.why_not(user, "p-999")


def test_evaluate_is_the_protocol(model):
    encoder = InteractionEncoder(user="customer_id", item="product", value="count")
    X = encoder.fit_transform(LOG)
    times = (
        clone(encoder)
        .set_params(value="t", duplicates="max")
        .fit_transform(LOG.assign(t=LOG["date"].astype("datetime64[s]").astype(np.int64)))
    )
    X.data[:] = X.data > 0
    X.eliminate_zeros()
    X_train, y = temporal_split(X, times, quantile=0.8)
    expected = evaluate(Fallback(EASE(20.0)).fit(X_train), X_train, y, ["ndcg@10", "recall@20"])
    before = model.recommend(k=2)
    found = model.evaluate(LOG)
    assert found.mean == expected.mean
    assert _as_rows(model.recommend(k=2)) == _as_rows(before)
    for split in ("strong", "weak", "leave_one_out"):
        assert 0 < clone(model).evaluate(LOG, split, "ndcg@10").mean["ndcg@10"] < 1
    with pytest.raises(ValueError, match="split must be one of"):
        model.evaluate(LOG, "time")
    with pytest.raises(ValueError, match="split='temporal' needs times"):
        model.evaluate(LOG.drop(columns="date"))


def test_refit_compares_on_the_latest_interactions():
    old_log = LOG.iloc[:1000]
    old = LogRecommender(EASE(20.0), titles=TITLES).fit(old_log)
    before = _as_rows(old.recommend(k=3))
    new_items = pd.DataFrame(
        {
            "customer_id": ["00003", "new", "new"],
            "product": ["p-new", "p-new", "p-004"],
            "count": 1,
            "date": pd.to_datetime("2025-02-20"),
        }
    )
    log = pd.concat([LOG.iloc[:1460], new_items], ignore_index=True)
    found = old.refit(log, holdout=0.5)
    assert _as_rows(old.recommend(k=3)) == before
    assert found.model.get_params()["estimator__alpha"] == 20.0
    assert "p-new" in found.model.encoder_.item_ids_
    assert _as_rows(found.model.recommend(k=3)) == _as_rows(clone(old).fit(log).recommend(k=3))
    assert found.n_items == 30
    later = log[log["date"] > old_log["date"].max()]
    n_held_out = len(later) - len(later) // 2
    assert abs(found.n_held_out - n_held_out) <= 2  # those of new items are left out
    assert set(found.comparison) == {"ndcg@10", "recall@20"}
    difference = found.new.mean["ndcg@10"] - found.old.mean["ndcg@10"]
    assert found.comparison["ndcg@10"].difference == pytest.approx(difference)
    assert repr(found).startswith("old: nDCG@10 .")
    assert found.since in repr(found)
    assert found.since.startswith("2025-02-")


def test_a_second_purchase_does_not_hide_the_first_from_the_new_model():
    frame = LOG[["customer_id", "product", "date"]].drop_duplicates(["customer_id", "product"])
    again = frame.iloc[:300].assign(date=frame["date"].max() + pd.to_timedelta(range(300), "h"))
    later = frame.iloc[-200:].assign(date=frame["date"].max() + pd.to_timedelta(range(200), "h"))
    old_log, log = frame.iloc[:-200], pd.concat([frame.iloc[:-200], again, later])
    results = []
    for merged in (False, True):
        old = LogRecommender(EASE(20.0)).fit(load_interactions(old_log) if merged else old_log)
        found = old.refit(load_interactions(log) if merged else log, holdout=0.5)
        results.append(found)
        shown = found.old.mean["ndcg@10"], found.new.mean["ndcg@10"]
        assert shown[1] > 0.8 * shown[0]
    one_by_one, merged = results
    # Pairs that the old model has learned from are ranked in neither.
    assert one_by_one.new.mean == pytest.approx(merged.new.mean)
    assert one_by_one.old.mean == pytest.approx(merged.old.mean)
    assert one_by_one.n_held_out == merged.n_held_out


def test_refit_on_a_part_of_the_log_says_so(model):
    week = LOG.iloc[1400:1480].copy()
    week["date"] += pd.to_timedelta(100, "D")
    week["product"] = np.roll(week["product"], 7)
    with pytest.warns(UserWarning, match="Pass the whole log, not only its latest part"):
        model.refit(week, holdout=0.5)


def test_columns_name_what_has_no_usual_name(tmp_path):
    names = {"customer_id": "buyer", "product": "article"}
    other = LOG.rename(columns=names)
    columns = {"user": "buyer", "item": "article"}
    path = tmp_path / "log.csv"
    other.to_csv(path, index=False)
    expected = LogRecommender(EASE(20.0)).fit(LOG)
    for log in (other, path, other.to_dict("list")):
        model = LogRecommender(EASE(20.0), columns=columns).fit(log)
        # Returns are subtracted and counts become ones, as without names.
        assert _as_rows(model.recommend(k=3)) == _as_rows(expected.recommend(k=3))
        assert model.last_timestamp_ == expected.last_timestamp_
    assert model.evaluate(other).mean == pytest.approx(expected.evaluate(LOG).mean)
    history = pd.DataFrame({"buyer": ["x"], "article": ["p-004"]})
    assert len(model.recommend(history, k=2)) == 2
    saved = LogRecommender.load(model.save(tmp_path / "model.skops"))
    assert saved.columns == columns
    with pytest.raises(ValueError, match="no column 'client' for the users"):
        LogRecommender(columns={"user": "client", "item": "article"}).fit(other)
    with pytest.raises(ValueError, match="must name columns by role"):
        LogRecommender(columns={"buyer": "user"}).fit(other)
    with pytest.raises(ValueError, match="pass columns= or encoder="):
        LogRecommender(columns=columns, encoder=InteractionEncoder()).fit(other)
    with pytest.raises(ValueError, match="name them: columns="):
        LogRecommender().fit(other)
    with pytest.raises(ValueError, match="pass user= and item=") as caught:
        LogRecommender().fit(path)
    assert "columns={'user': ..., 'item': ...}" in caught.value.__notes__[0]


def test_a_file_of_an_earlier_version_has_no_columns(model, tmp_path):
    old = clone(model).fit(LOG)
    del old.columns
    loaded = pickle.loads(pickle.dumps(old))
    assert loaded.columns is None
    assert _as_rows(loaded.recommend(k=2)) == _as_rows(model.recommend(k=2))


def test_titles_are_not_guessed_among_several_columns():
    frame = pd.DataFrame({"product": [*TITLES], "price": 1.5, "Bezeichnung": [*TITLES.values()]})
    with pytest.raises(ValueError, match="Cannot tell which column of titles has the titles"):
        LogRecommender(titles=frame).fit(LOG)
    two = LogRecommender(EASE(20.0), titles=frame.drop(columns="price")).fit(LOG)
    assert set(two.titles_) <= {*TITLES.values(), ""}


def test_refit_on_nothing_new_says_so(model):
    with pytest.warns(UserWarning, match="may have learned from the held-out interactions"):
        found = model.refit(LOG)
    assert found.n_held_out
    with pytest.raises(ValueError, match="needs times"):
        model.refit(LOG.drop(columns="date"))
    with pytest.raises(ValueError, match="holdout must be a share"):
        model.refit(LOG, holdout=5)
    again = LOG.iloc[100:105].assign(date=pd.to_datetime("2026-01-01"))
    with pytest.raises(ValueError, match="nothing to compare on"):
        model.refit(pd.concat([LOG, again]), holdout=0.99)
    with pytest.raises(ValueError, match="pass the whole log"):
        model.refit(LOG.iloc[[0]].assign(date=pd.to_datetime("2026-01-01")))


def test_ratings():
    log = LOG.iloc[:1400].assign(rating=np.arange(1400) % 5 + 1.0)
    model = LogRecommender(BiasedMF(4, random_state=0)).fit(log.rename(columns={"count": "n"}))
    assert set(np.unique(model.interactions_.data)) == {1, 2, 3, 4, 5}
    found = model.recommend(["00003", "nobody"], 3)
    assert found["score"].between(0, 6).all()
    assert found["fallback"].tolist() == [False] * 3 + [True] * 3
    assert set(model.evaluate(log, "ratings").mean) == {"rmse"}


def test_an_encoder_of_ones_own():
    encoder = InteractionEncoder(user="customer_id", item="product", duplicates="count")
    model = LogRecommender(EASE(20.0), encoder=encoder).fit(LOG)
    expected = clone(encoder).fit_transform(LOG)
    np.testing.assert_array_equal(model.interactions_.toarray(), expected.toarray())
    assert encoder.unknown_items == "error", "the encoder given stays as it is"
    with pytest.raises(ValueError, match=r"usual name for the users. Got columns \['a', 'b'\]"):
        LogRecommender().fit(pd.DataFrame({"a": [1], "b": [2]}))
    positive = LogRecommender(encoder=encoder.set_params(value="count", duplicates="sum"))
    with pytest.raises(ValueError, match=r"[Nn]egative"):
        positive.fit(LOG.assign(count=-1))


def test_files_with_names_of_ones_own(tmp_path):
    path = tmp_path / "log.csv"
    LOG.rename(columns={"customer_id": "kunde", "product": "artikel"}).to_csv(
        path, sep=";", index=False
    )
    encoder = InteractionEncoder(user="kunde", item="artikel", value="count", timestamp="date")
    model = LogRecommender(EASE(20.0), encoder=encoder)
    assert model.fit(path).encoder_.user_ids_[1] == "00001"
    assert model.last_timestamp_ == LogRecommender().fit(LOG).last_timestamp_
    data = load_interactions(path, user="kunde", item="artikel", value="count")
    bunch = LogRecommender(EASE(20.0)).fit(data)
    assert _as_rows(bunch.recommend(k=2)) == _as_rows(
        LogRecommender(EASE(20.0)).fit(LOG).recommend(k=2)
    )


def test_parts_of_a_log(model, tmp_path):
    for part, rows in (("a", slice(0, 700)), ("b", slice(700, None))):
        LOG.iloc[rows].to_csv(tmp_path / f"{part}.csv", index=False)
    paths = [tmp_path / "a.csv", str(tmp_path / "b.csv")]
    expected = _as_rows(model.recommend(k=2))
    assert _as_rows(clone(model).fit(paths).recommend(k=2)) == expected
    assert _as_rows(clone(model).fit(str(tmp_path / "*.csv")).recommend(k=2)) == expected


def test_data_sets_bring_their_titles():
    demo = load_demo()
    model = LogRecommender(EASE(100.0)).fit(demo)
    found = model.recommend(demo.user_ids[:1], 2)
    assert found["title"].tolist() == [demo.titles[demo.item_ids == i][0] for i in found["item"]]
    np.testing.assert_array_equal(model.interactions_.toarray(), demo.X.toarray())


@pytest.mark.parametrize("kind", ["mapping", "series", "frame", "polars", "file", "semicolons"])
def test_titles_of_every_form(kind, tmp_path):
    numbers = LOG.assign(product=LOG["product"].str[2:].astype(int))
    frame = pd.DataFrame({"price": 1.5, "product": range(30), "name": [*TITLES.values()]})
    frame.loc[3, "name"] = 'Tea; "the third", large'
    expected = frame["name"].tolist()
    path = tmp_path / "titles.csv"
    frame.to_csv(path, index=False, sep=";" if kind == "semicolons" else ",")
    titles = {
        "mapping": dict(zip(frame["product"], expected, strict=True)),
        "series": frame.set_index("product")["name"],
        "frame": frame,
        "polars": pl.from_pandas(frame),
    }.get(kind, path)
    model = LogRecommender(EASE(20.0), titles=titles).fit(numbers)
    assert model.titles_.tolist() == expected
    loaded = skrec.load(model.save(tmp_path / "model.skops"))
    assert _as_rows(loaded.recommend(k=1)) == _as_rows(model.recommend(k=1))
    assert clone(loaded).fit(numbers).titles_.tolist() == expected


def test_a_second_title_of_an_item_is_said(tmp_path):
    item = LOG["product"].iloc[0]
    path = tmp_path / "titles.csv"
    lines = [f"{item},Mint tea", f"{item},Green tea", f"{item},Mint tea", "p-001,Pot", "p-001,Pot"]
    path.write_text("\n".join(["id,title", *lines, "zz,One", "zz,Two"]) + "\n")
    message = rf"1 item has several titles, such as '{item}': 'Green tea' and 'Mint tea'"
    with pytest.warns(UserWarning, match=message) as caught:
        model = LogRecommender(EASE(20.0), titles=path).fit(LOG)
    assert caught[0].filename == __file__
    assert model.titles_[model.encoder_.encode_items([item])[0]] == "Mint tea"


def test_titles_of_nothing_or_of_the_wrong_kind(tmp_path):
    with pytest.raises(
        ValueError, match=r"a title for none of the 30 items. Got ids like 1 \(int\)"
    ):
        LogRecommender(titles={1: "a"}).fit(LOG)
    with pytest.raises(TypeError, match="titles must be a mapping"):
        LogRecommender(titles=3).fit(LOG)
    path = tmp_path / "one.csv"
    path.write_text("p-001\np-002\n")
    with pytest.raises(ValueError, match="an id and a title in each line"):
        LogRecommender(titles=path).fit(LOG)
    gaps = pd.DataFrame({"item": ["p-004", "p-005", "p-006"], "title": ["a", None, np.nan]})
    some = LogRecommender(titles=gaps).fit(LOG)
    assert set(some.recommend(k=30)["title"]) == {"a", ""}


def test_saves_clones_and_shows(model, tmp_path):
    expected = _as_rows(model.recommend(k=3))
    path = model.save(tmp_path / "model.skops")
    for copied in (skrec.load(path), LogRecommender.load(path), pickle.loads(pickle.dumps(model))):
        assert _as_rows(copied.recommend(k=3)) == expected
        assert _as_rows(copied.similar_items("p-004")) == _as_rows(model.similar_items("p-004"))
    assert "EASE" in model._repr_html_()
    assert repr(LogRecommender(EASE(20.0))) == "LogRecommender(estimator=EASE(alpha=20.0))"
    changed = clone(model).set_params(estimator__alpha=7.0)
    assert changed.get_params()["estimator__alpha"] == 7.0
    with pytest.raises(NotFittedError):
        changed.recommend()
    skrec.save(EASE().fit(np.eye(3)), path)
    with pytest.raises(ValueError, match="holds a EASE, expected a LogRecommender"):
        LogRecommender.load(path)


def test_parameters_are_checked():
    for name in ("estimator", "fallback", "encoder"):
        with pytest.raises(ValueError, match=f"'{name}' parameter of LogRecommender"):
            LogRecommender().set_params(**{name: EASE}).fit(LOG)
    fallback = LogRecommender(EASE(), fallback=DummyRecommender("uniform", random_state=0)).fit(LOG)
    assert fallback.recommender_.fallback_.strategy == "uniform"


def test_a_failed_fit_leaves_the_model(model):
    expected = _as_rows(model.recommend(k=2))
    with pytest.raises(ValueError, match="usual name"):
        model.fit(pd.DataFrame({"a": [1]}))
    assert _as_rows(model.recommend(k=2)) == expected


def test_import_is_light():
    code = (
        "import sys, skrec; skrec.LogRecommender; "
        "sys.exit(bool({'torch', 'polars', 'implicit', 'numba'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
