"""What a Server is made of, and what it makes of histories: awkward data, values, fallbacks."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Binarizer

import skrec
from skrec.__main__ import main
from skrec._log._id_index import kept_index
from skrec._model_content import ModelContent, mapping_of
from skrec.autoencoder import MultVAE
from skrec.datasets import make_interactions
from skrec.decomposition import BiasedMF
from skrec.ensemble import Fallback
from skrec.linear_model import EASE
from skrec.metrics import make_ranking_scorer
from skrec.neighbors import UserKNN
from skrec.preprocessing import InteractionEncoder
from skrec.serving import Server
from skrec.serving._errors import RequestError, RequestValueError

N_USERS, N_ITEMS = 40, 30
X = csr_array(make_interactions(n_users=N_USERS, n_items=N_ITEMS, random_state=0).X)
USERS, ITEMS = np.arange(N_USERS), np.arange(N_ITEMS) * 10
ENCODER = InteractionEncoder.from_ids(USERS, ITEMS)


def made_of(model, **parts):
    return Server({"model": model, "encoder": ENCODER, "interactions": X} | parts)


def row_of(values):
    row = np.zeros((1, N_ITEMS))
    row[0, list(values)] = list(values.values())
    return row


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint8, bool, np.longdouble])
def test_interactions_become_floats_as_in_a_fit(dtype):
    model = EASE().fit(X)
    server = made_of(model, interactions=X.astype(dtype))
    assert server.recommend_user(3, k=5).ids == ITEMS[model.recommend(X[[3]], k=5)[0]].tolist()
    expected = model.recommend(row_of({0: 0.5, 1: 2.5}), k=5)[0]
    assert server.recommend({0: 0.5, 10: 2.5}, k=5).ids == ITEMS[expected].tolist()


@pytest.mark.parametrize("name", ["interactions", "seen"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_data_that_are_no_numbers_are_refused(name, value):
    wrong = X.astype(np.float64)
    wrong.data[3] = value
    with pytest.raises(ValueError, match=f"{name} must hold finite numbers"):
        made_of(EASE().fit(X), **{name: wrong})


def arrays_of(part):
    """Arrays and tensors that an object holds, or what it holds."""
    found, known, waiting = [], set(), [part]
    while waiting:
        one = waiting.pop()
        if id(one) in known or isinstance(one, type):
            continue
        known.add(id(one))
        if hasattr(one, "dtype") and hasattr(one, "shape"):
            found.append(np.asarray(one.detach() if hasattr(one, "detach") else one))
        elif isinstance(one, list | tuple | set):
            waiting += one
        else:
            waiting += (one if isinstance(one, dict) else getattr(one, "__dict__", {})).values()
    return found


def test_eight_bits_leave_no_other_copy_of_the_layer():
    network = {"hidden_layer_sizes": (8,), "max_iter": 1, "random_state": 0, "device": "cpu"}
    model = MultVAE(4, **network).fit(X)
    layer = model.weights_["last.weight"]
    mapping = {"model": model, "encoder": ENCODER}
    for quantize in (None, "int8"):
        arrays = arrays_of(Server(mapping, quantize=quantize))
        assert any(np.array_equal(one, layer) for one in arrays) == (quantize is None)
    (narrow,) = (one for one in arrays if one.dtype == np.int8)
    assert narrow.shape == layer.T.shape
    biases = [one for one in arrays if np.array_equal(one, model.weights_["last.bias"])]
    assert biases
    assert all(np.shares_memory(one, biases[0]) for one in biases)
    assert "last.weight" in model.weights_


FALLBACKS = {
    "plain": Fallback(EASE(), min_interactions=2),
    "search": GridSearchCV(
        Fallback(EASE(), min_interactions=2),
        {"estimator__alpha": [10.0]},
        scoring=make_ranking_scorer("ndcg@10"),
        cv=2,
    ),
    "pipeline": make_pipeline(Binarizer(threshold=1.5), Fallback(EASE(), min_interactions=1)),
    "one step": make_pipeline(Fallback(EASE(), min_interactions=2)),
    "within": Fallback(make_pipeline(Binarizer(), Fallback(EASE(), min_interactions=2))),
    "frozen": FrozenEstimator(Fallback(EASE(), min_interactions=2).fit(X)),
}


@pytest.mark.parametrize("name", list(FALLBACKS))
def test_lists_of_a_fallback_are_marked_wherever_it_stands(name):
    model = FALLBACKS[name]
    server = made_of(model if name == "frozen" else model.fit(2 * X), interactions=2 * X)
    histories = [{}, {50: 1.0}, {50: 2.0, 60: 2.0}]
    answers = [server.recommend(history, k=4) for history in histories]
    assert [answer.fallback for answer in answers] == [True, True, False]
    assert server.recommend_batch(histories, k=4) == answers
    assert server.recommend_user(-1).fallback
    assert not server.recommend_user(0).fallback
    assert not made_of(EASE().fit(X)).recommend({}).fallback


def test_a_value_of_zero_is_no_item_of_the_history():
    log = {"user": np.repeat(USERS, np.diff(X.indptr)), "item": ITEMS[X.indices]}
    model = skrec.LogRecommender(EASE()).fit(log)
    server = Server(model)
    answer = server.recommend({20: 0.0, 40: 5.0}, k=N_ITEMS)
    history = {"user": ["new"] * 2, "item": [20, 40], "value": [0.0, 5.0]}
    log["value"] = np.ones(len(log["item"]))
    model = skrec.LogRecommender(EASE()).fit(log)
    listed = model.recommend(history, k=N_ITEMS)["item"]
    assert 20 in set(listed)
    assert answer.ids == list(listed)
    # `skrec fit` keeps what was below its least value: the user has it.
    for parts in ({"min_value": 1.0}, {"seen": X}):
        assert 20 not in made_of(EASE().fit(X), **parts).recommend({20: 0.0, 40: 5.0}, k=99).ids


def test_ratings_need_values():
    ratings = X.copy()
    ratings.data = np.random.default_rng(0).integers(1, 6, X.nnz).astype(X.dtype)
    model = BiasedMF(2, max_iter=2, random_state=0).fit(ratings)
    server = made_of(model, interactions=ratings)
    with pytest.raises(ValueError, match="BiasedMF predicts ratings: it needs the value of each"):
        server.recommend([10, 20])
    with pytest.raises(ValueError, match="Got ids alone"):
        server.recommend_batch([{10: 4.0}, [20]])
    assert server.recommend([], k=3) == server.recommend({}, k=3)
    expected = model.recommend(row_of({1: 4.0}), k=3)[0]
    assert server.recommend({10: 4.0}, k=3).ids == ITEMS[expected].tolist()


def test_a_million_users_would_not_become_a_dictionary():
    users = np.arange(N_USERS) + 1000
    encoder = InteractionEncoder.from_ids(users, ITEMS)
    server = Server({"model": EASE().fit(X), "encoder": encoder, "interactions": X})
    assert server.knows(1003)
    assert server.knows(np.int32(1003))
    assert server.knows(1003.0)  # as in a dictionary: it equals the id
    assert not any(map(server.knows, ("1003", 1003.5, None, 2**70, np.nan, np.inf, b"x", (1003,))))
    assert kept_index(server._encoder.user_ids_)._places is None
    with pytest.raises(TypeError, match="user must be an id"):
        server.knows([1003])


@pytest.mark.parametrize("users", [np.array([], dtype="U1"), np.array([], dtype=np.int64)])
def test_an_encoder_without_users(users):
    encoder = InteractionEncoder.from_ids(users, ITEMS)
    server = Server({"model": EASE().fit(X), "encoder": encoder})
    expected = EASE().fit(X).recommend(row_of({1: 2.0}), k=3)[0]
    assert server.recommend({10: 2.0}, k=3).ids == ITEMS[expected].tolist()
    assert not server.knows("a")
    none = Server({"model": EASE().fit(X), "encoder": encoder, "interactions": X[:0]})
    assert not none.knows(0)


def test_candidates_from_a_generator():
    server = made_of(EASE().fit(X))
    with pytest.raises(ValueError, match="items names 3 candidates, none of which"):
        server.recommend([10], items=(name for name in ("a", "b", "c")))
    found = server.recommend([10], items=(i for i in (20, 30)), exclude=(i for i in (30,)))
    assert found.ids == [20]


def test_names_of_a_mapping_that_nothing_reads():
    with pytest.raises(ValueError, match="Got 'popular', 'names' too"):
        made_of(EASE().fit(X), popular=EASE().fit(X), names=ITEMS.astype(str))
    with pytest.raises(ValueError, match="'values' must be 'ones' or 'keep'"):
        made_of(EASE().fit(X), values="all")


@pytest.mark.parametrize("model", [UserKNN(5), make_pipeline(UserKNN(5))], ids=repr)
def test_values_that_no_score_holds_are_the_clients_fault(model):
    server = made_of(model.fit(X))
    largest = f"up to {X.data.max():g}"
    for ask in (server.recommend, lambda one: server.recommend_batch([[10], one, [20]])):
        with pytest.raises(RequestValueError, match="Got values of sizes 1 to 1e\\+300") as caught:
            ask({10: 1e300, 20: 1.0})
        assert largest in str(caught.value)
        assert "Send values in the unit of the fit" in str(caught.value)


def test_a_fault_of_the_model_is_not_blamed_on_values(monkeypatch):
    server = made_of(EASE().fit(X))

    def broken(X):
        raise ValueError("a fault of ours")

    monkeypatch.setattr(server, "_scorer", broken)
    for ask in (server.recommend, lambda one: server.recommend_batch([one])):
        with pytest.raises(ValueError, match="a fault of ours") as caught:
            ask({10: 3.0, 20: 1.0})
        assert not isinstance(caught.value, RequestError)


def test_negative_values_of_a_request_are_no_warning(recwarn):
    ratings = X.copy()
    ratings.data = np.random.default_rng(0).integers(-5, 6, X.nnz).astype(X.dtype)
    ratings.eliminate_zeros()
    model = BiasedMF(2, max_iter=2, random_state=0).fit(ratings)
    expected = model.recommend(row_of({1: -4.0}), k=3)[0]
    server = made_of(model, interactions=ratings)
    recwarn.clear()
    assert server.recommend({10: -4.0}, k=3).ids == ITEMS[expected].tolist()
    assert not recwarn.list


def test_a_file_is_checked_as_the_command_line_checks_it(tmp_path):
    content = ModelContent(Fallback(EASE()).fit(X), ENCODER, interactions=X, seen=X)
    server = Server(mapping_of(content))
    for parts in ({}, {"seen": None}):
        listed = Server(mapping_of(content) | parts).recommend_user(0, k=N_ITEMS).ids
        assert not set(listed) & set(ITEMS[X[[0]].indices].tolist())
    path = skrec.save(mapping_of(content), tmp_path / "model.skops")
    assert Server(path).recommend_user(0) == server.recommend_user(0)
    for parts, message in (
        ({"format": 99}, "in format 99"),
        ({"titles": [*["a"] * (N_ITEMS - 1), np.nan]}, r"titles must be text.*Got nan"),
        ({"titles": [*["a"] * (N_ITEMS - 1), None]}, r"text.*Got None \(NoneType\). Convert each"),
        ({"titles": list(range(N_ITEMS))}, r"titles must be text.*Got 0 \(int\). Convert each"),
        ({"min_value": True}, "'min_value' must be a finite number"),
        ({"min_value": np.inf}, "'min_value' must be a finite number"),
        ({"seen": X.toarray()}, "seen must be a sparse matrix. Got ndarray"),
    ):
        with pytest.raises(ValueError, match=message):
            Server(mapping_of(content) | parts)
    part = mapping_of(content)
    del part["values"]
    with pytest.raises(ValueError, match="Got none of 'values'"):
        Server(part)


def test_a_stored_zero_of_seen_is_no_item(tmp_path):
    zeros = X.copy()
    zeros.data[:3] = 0  # of user 0
    assert zeros.indptr[1] > 3
    without = zeros.copy()
    without.eliminate_zeros()
    model = Fallback(EASE()).fit(X)
    ids = []
    for name, seen in (("zeros", zeros), ("without", without)):
        content = ModelContent(model, ENCODER, interactions=X, seen=seen)
        path = skrec.save(mapping_of(content), tmp_path / f"{name}.skops")
        ids.append(Server(path).recommend_user(0, k=N_ITEMS).ids)
        ids.append(Server(mapping_of(content)).recommend_user(0, k=N_ITEMS).ids)
        out = tmp_path / f"{name}.csv"
        assert main(["recommend", str(path), "-k", str(N_ITEMS), "--output", str(out)]) == 0
        lines = [line.split(",") for line in out.read_text().splitlines()[1:]]
        ids.append([int(line[2]) for line in lines if line[0] == "0"])
    assert len(zeros.data) == X.nnz  # what is given is not changed
    expected = set(ITEMS.tolist()) - set(ITEMS[without[[0]].indices].tolist())
    assert set(ids[0]) == expected
    assert all(one == ids[0] for one in ids)
