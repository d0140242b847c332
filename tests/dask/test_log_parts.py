"""Logs in parts are one log: minimum counts, returns, CSV files, users who must be together."""

import re

import numpy as np
import pytest
from scipy.sparse import csr_array, save_npz
from sklearn.base import clone

import skrec
import skrec.dask
from skrec.datasets import load_interactions, make_interactions
from skrec.linear_model import EASE
from skrec.neighbors import ItemKNN
from skrec.preprocessing import InteractionEncoder

USERS, ITEMS = make_interactions(120, 30, 700, random_state=2, return_X=True).nonzero()
SPLIT = [USERS < 50, (USERS >= 50) & (USERS < 80), USERS >= 80]
LOG = {"user": USERS, "item": np.array([f"i{n:02d}" for n in range(30)])[ITEMS]}
PARTS = [{name: column[rows] for name, column in LOG.items()} for rows in SPLIT]


@pytest.mark.parametrize("counts", [(6, 1), (1, 20), (5, 15)])
@pytest.mark.parametrize("model", [EASE(alpha=5.0), ItemKNN(10, weighting="tfidf")], ids=repr)
def test_fit_of_parts_leaves_out_whom_the_encoder_has_left_out(counts, model):
    encoder = InteractionEncoder(min_user_count=counts[0], min_item_count=counts[1])
    X = clone(encoder).fit_transform(LOG)
    assert X.shape[0] < 120 or X.shape[1] < 30
    whole = clone(model).fit(X)
    found = skrec.dask.fit(model, PARTS, encoder=skrec.dask.fit_encoder(PARTS, encoder))
    assert np.array_equal(found.decision_function(X), whole.decision_function(X))


@pytest.mark.parametrize("negative", ["drop", "subtract"])
def test_returns_in_parts_are_those_of_one_log(negative):
    bought = {"user": [1, 1, 2, 2, 4], "item": list("abbca"), "value": [1.0, 2.0, 1.0, 1.0, 2.0]}
    sent_back = {"user": [3], "item": ["a"], "value": [-1.0]}
    rest = {"user": [5, 5, 5], "item": ["d", "d", "c"], "value": [1.0, -1.0, 2.0]}
    parts = [sent_back, bought, {"user": [], "item": [], "value": []}, rest]
    log = {name: [x for part in parts for x in part[name]] for name in bought}
    encoder = InteractionEncoder(value="value", negative=negative)
    X = clone(encoder).fit_transform(log)
    fitted = skrec.dask.fit_encoder(parts, encoder)
    assert fitted.get_params() == encoder.get_params()
    assert fitted.item_ids_.tolist() == clone(encoder).fit(log).item_ids_.tolist()
    assert fitted.user_ids_.tolist() == clone(encoder).fit(log).user_ids_.tolist()
    model = ItemKNN(3, weighting="tfidf", metric="cosine")
    found = skrec.dask.fit(model, parts, encoder=fitted)
    assert np.array_equal(found.decision_function(X), clone(model).fit(X).decision_function(X))
    with pytest.raises(ValueError, match="all purchases in them are returned"):
        skrec.dask.fit_encoder([sent_back], encoder)


@pytest.mark.parametrize("empty", [{"user": [], "item": []}, ([], []), []], ids=repr)
def test_a_log_without_lines_is_no_part_of_anything(empty):
    encoder = skrec.dask.fit_encoder([PARTS[0], empty])
    assert np.array_equal(encoder.item_ids_, InteractionEncoder().fit(PARTS[0]).item_ids_)
    model = skrec.dask.fit(EASE(), [empty, PARTS[0]], encoder=encoder)
    assert model.coef_.shape == (len(encoder.item_ids_),) * 2


class Frame:
    """What skrec asks of a Dask dataframe: delayed partitions, and a shuffle by a column."""

    def __init__(self, log, n_partitions=3, on=None):
        self.log, self.n, self.on = log, n_partitions, on

    def shuffle(self, on):
        return Frame(self.log, self.n, on)

    def to_delayed(self):
        keys = np.arange(len(self.log["user"])) if self.on is None else np.array(self.log[self.on])
        parts = (keys % self.n == number for number in range(self.n))
        return [Delayed({k: np.array(v)[rows] for k, v in self.log.items()}) for rows in parts]


class Delayed:
    def __init__(self, part):
        self.part = part

    def compute(self):
        return self.part


@pytest.mark.parametrize("kind", ["pair", "file", "LogRecommender"])
def test_a_dataframe_is_shuffled_by_the_users_of_whatever_reads_it(kind, tmp_path):
    pq = pytest.importorskip("pyarrow.parquet")
    encoder = InteractionEncoder()
    model = EASE(alpha=20.0).fit(encoder.fit_transform(LOG))
    options = {}
    if kind == "pair":
        options["encoder"] = encoder
    elif kind == "file":
        model = skrec.save({"model": model, "encoder": encoder}, tmp_path / "model.skops")
    else:
        model = skrec.LogRecommender(EASE(alpha=20.0)).fit(LOG)
    paths = skrec.dask.recommend(model, Frame(LOG), tmp_path / "lists", k=3, **options)
    users = [user for path in paths for user in pq.read_table(path).column("user").to_pylist()]
    assert sorted(users) == sorted(3 * list(range(120)))
    if kind != "LogRecommender":
        result = skrec.dask.evaluate(model, Frame(LOG), "ndcg@10", **options)
        assert len(result.per_user["ndcg@10"]) == 120


def test_what_was_bought_and_what_came_back_meet_in_one_part():
    log = {"user": [1, 1, 2, 1], "item": list("abba"), "value": [1.0, 1.0, 1.0, -1.0]}
    encoder = InteractionEncoder(value="value", negative="subtract")
    assert skrec.dask.fit_encoder(Frame(log), encoder).item_ids_.tolist() == ["b"]


CSV = [
    ["user,item\n1,A7\n1,7\n2,A7\n2,007\n", "user,item\n3,7\n3,007\n4,8\n"],
    ["user,item\n1,7\n2,10\n2,7\n", "user,item\n30,10\n4,8\n"],
    ["user,item\n1,007\n2,10\n", "user,item\nx,10\n4,8\n"],
    ["user,item\n1,NA\n2,true\n", "user,item\n3,2020-01-01\n4,8.0\n"],
]


@pytest.mark.parametrize("texts", CSV)
def test_ids_of_csv_files_are_those_of_load_interactions(texts, tmp_path):
    pq = pytest.importorskip("pyarrow.parquet")
    logs = tmp_path / "logs"
    logs.mkdir()
    for name, text in zip("ab", texts, strict=True):
        (logs / f"{name}.csv").write_text(text)
    whole = load_interactions(logs)
    encoder = skrec.dask.fit_encoder(logs)
    for found, expected in (
        (encoder.item_ids_, whole.item_ids),
        (encoder.user_ids_, whole.user_ids),
    ):
        assert found.dtype.kind == expected.dtype.kind
        assert np.array_equal(found, expected)
    model = skrec.dask.fit(EASE(alpha=1.0), logs, encoder=encoder)
    assert np.array_equal(model.coef_, EASE(alpha=1.0).fit(whole.X).coef_)
    paths = skrec.dask.recommend(
        model, logs, tmp_path / "lists", k=9, encoder=encoder.set_params(unknown_users="error")
    )
    lines = [line for path in paths for line in pq.read_table(path).to_pylist()]
    listed = {(line["user"], line["item"]) for line in lines}
    seen = {(whole.user_ids[u], whole.item_ids[i]) for u, i in zip(*whole.X.nonzero(), strict=True)}
    assert listed.isdisjoint(seen), "no history is lost"
    assert len(listed | seen) == whole.X.shape[0] * whole.X.shape[1]


def test_csv_files_of_other_ids_are_refused(tmp_path):
    pytest.importorskip("pyarrow")
    (tmp_path / "a.csv").write_text("user,item\n1,7\n2,A7\n")
    numbers = InteractionEncoder(unknown_items="ignore").fit({"user": [1], "item": [7]})
    with pytest.raises(ValueError, match=r"a\.csv has the id 'A7'.*whole numbers"):
        skrec.dask.fit(EASE(), tmp_path, encoder=numbers)
    mixed = InteractionEncoder().fit({"user": [1, 2], "item": [7, "A7"]})
    with pytest.raises(ValueError, match="item_ids_ of the encoder has dtype object"):
        skrec.dask.fit(EASE(), tmp_path, encoder=mixed)
    with pytest.raises(ValueError, match="1 of 2 parts are CSV files"):
        skrec.dask.fit_encoder([tmp_path / "a.csv", PARTS[0]])


def test_matrices_are_no_logs(tmp_path):
    X = csr_array(np.eye(3))
    save_npz(tmp_path / "a.npz", X)
    encoder = InteractionEncoder().fit(LOG)
    for part in (tmp_path / "a.npz", X):
        for call in (
            lambda part: skrec.dask.fit_encoder([part]),
            lambda part: skrec.dask.fit(EASE(), [part], encoder=encoder),
        ):
            with pytest.raises(TypeError, match=r"is a matrix.*leave encoder= out"):
                call(part)
    (tmp_path / "b.csv").write_text("user,item\n1,7\n")
    with pytest.raises(TypeError, match=r"b\.csv is a log.*pass encoder="):
        skrec.dask.fit(EASE(), [tmp_path / "b.csv"])


def test_the_docstring_lists_what_can_be_fitted():
    text = skrec.dask.fit.__doc__.split("estimator : ")[1].split("parts : ")[0]
    names = re.findall(r"`([A-Z]\w+)`", text)
    packages = (skrec.decomposition, skrec.dummy, skrec.linear_model, skrec.neighbors)
    packages += (skrec.preprocessing,)
    classes = {name: getattr(one, name) for one in packages for name in one.__all__}
    X = make_interactions(40, 12, 200, random_state=0, return_X=True)
    small = {"n_components": 3, "max_iter": 20}
    assert "EASE" in names
    for name in names:
        model = classes[name]()
        model.set_params(**{k: v for k, v in small.items() if k in model.get_params()})
        fitted = skrec.dask.fit(model, [X[:20], X[20:]])
        assert fitted.n_features_in_ == 12
