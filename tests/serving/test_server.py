"""Server: the lists of the model itself, from one request at a time."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Binarizer

import skrec
from skrec.autoencoder import GaussianMixtureVAE, MultDAE, MultVAE
from skrec.datasets import make_interactions
from skrec.decomposition import BPR, WMF, BiasedMF, PureSVD
from skrec.linear_model import EASE, SLIM
from skrec.metrics import make_ranking_scorer
from skrec.neighbors import ItemKNN
from skrec.preprocessing import InteractionEncoder
from skrec.serving import Answer, Server

N_ITEMS = 60
MADE = make_interactions(n_users=90, n_items=N_ITEMS, random_state=0)
X = csr_array(MADE.X, dtype=np.float32)
IDS = np.array([f"item-{i:03d}" for i in range(N_ITEMS)])[::-1].copy()
ENCODER = InteractionEncoder.from_ids(np.array([f"u{u}" for u in range(90)]), IDS)
NETWORK = {"max_iter": 2, "random_state": 0, "device": "cpu"}
MODELS = {
    "EASE": EASE(),
    "SLIM": SLIM(),
    "ItemKNN": ItemKNN(5),
    "WMF": WMF(4, max_iter=2, random_state=0),
    "PureSVD": PureSVD(4, random_state=0),
    "BPR": BPR(4, max_iter=2, random_state=0),
    "MultVAE": MultVAE(4, hidden_layer_sizes=(8,), **NETWORK),
    "MultDAE": MultDAE((8,), **NETWORK),
    "pipeline": make_pipeline(Binarizer(), EASE()),
    "search": GridSearchCV(EASE(), {"alpha": [10.0]}, scoring=make_ranking_scorer("ndcg@10"), cv=2),
}


HISTORIES = [IDS[X[[u]].indices].tolist() for u in range(12)]


def made_of(model):
    return Server({"model": model, "encoder": ENCODER, "interactions": X})


@pytest.fixture(scope="module")
def log():
    return {
        "user": np.array([f"u{u}" for u in MADE.user]),
        "item": np.array([f"i{i}" for i in MADE.item]),
    }


@pytest.fixture(scope="module")
def shop(log):
    return skrec.LogRecommender(titles={"i3": "Three"}).fit(log)


@pytest.mark.parametrize("name", list(MODELS))
def test_lists_are_those_of_the_model(name):
    model = MODELS[name].fit(X)
    server = made_of(model)
    for u, history in enumerate(HISTORIES):
        found, scores = skrec.recommend(model, X[[u]], k=7, return_scores=True)
        answer = server.recommend(history[::-1], k=7)  # in any order
        assert answer.ids == IDS[found[0]].tolist()
        np.testing.assert_array_equal(answer.scores, scores[0])
        assert server.recommend_user(f"u{u}", k=7) == answer
    found, scores = skrec.recommend(model, X[:12], k=7, return_scores=True)
    batch = server.recommend_batch(HISTORIES, k=7)
    assert [answer.ids for answer in batch] == IDS[found].tolist()
    np.testing.assert_allclose([answer.scores for answer in batch], scores, rtol=1e-5)


def test_candidates_and_exclusions():
    model = EASE().fit(X)
    server = made_of(model)
    allowed = np.zeros(N_ITEMS, dtype=bool)
    allowed[5:25] = True
    excluded = allowed.copy()
    excluded[[7, 9]] = False
    for options, mask in (
        ({"items": [*IDS[5:25], "gone"]}, allowed),
        ({"items": IDS[5:25], "exclude": [IDS[7], IDS[9], "gone"]}, excluded),
        ({"exclude": IDS[~allowed].tolist()}, allowed),
    ):
        for exclude_seen in (True, False):
            expected = model.recommend(X[:12], k=25, items=mask, exclude_seen=exclude_seen)
            answers = [
                server.recommend(h, k=25, exclude_seen=exclude_seen, **options) for h in HISTORIES
            ]
            for found, answer in zip(expected, answers, strict=True):
                assert answer.ids == IDS[found[found >= 0]].tolist()
                assert len(answer.scores) == len(answer.ids)
            batch = server.recommend_batch(HISTORIES, k=25, exclude_seen=exclude_seen, **options)
            assert batch == answers


def test_similar_items():
    model = ItemKNN(8).fit(X)
    server = made_of(model)
    found, scores = model.similar_items([4], k=6, return_scores=True)
    answer = server.similar(IDS[4], k=6)
    n = int((found >= 0).sum())
    assert answer.ids == IDS[found[0, :n]].tolist()
    np.testing.assert_array_equal(answer.scores, scores[0, :n])
    some = answer.ids[1:3]
    assert server.similar(IDS[4], k=6, items=some).ids == some
    assert server.similar(IDS[4], k=6, exclude=answer.ids[:1]).ids[0] == answer.ids[1]
    with pytest.raises(KeyError, match="'nothing' is unknown"):
        server.similar("nothing")
    with pytest.raises(TypeError, match="has no similar_items"):
        made_of(MODELS["MultDAE"].fit(X)).similar(IDS[4])


def test_a_log_recommender_with_its_fallback_and_titles(shop):
    server = Server(shop)
    users = ["u1", "u2", "nobody"]
    frame = shop.recommend(users, k=5)
    for user in users:
        lines = frame[frame["user"] == user]
        answer = server.recommend_user(user, k=5)
        assert answer.ids == lines["item"].tolist()
        assert answer.titles == lines["title"].tolist()
        assert answer.fallback == (user == "nobody") == lines["fallback"].all()
        np.testing.assert_array_equal(answer.scores, lines["score"])
    assert server.knows("u1")
    assert not server.knows("nobody")
    nothing = server.recommend(["never seen", "i3"], k=3)
    assert not nothing.fallback
    assert nothing.unknown == ["never seen"]
    unknown = server.recommend(["never seen"], k=5)
    assert unknown.fallback
    assert unknown.ids == server.recommend_user("nobody", k=5).ids
    both = server.recommend_batch([["never seen"], ["i3"]], k=3)
    assert [answer.fallback for answer in both] == [True, False]


def test_repeats_and_values(shop):
    server = Server(shop)  # which counts users and items alone
    assert server.recommend(["i3", "i3", "i4"]) == server.recommend(["i4", "i3"])
    assert server.recommend({"i3": 2.0, "i4": 7}) == server.recommend(["i4", "i3"])
    assert server.recommend({"i3": 0.0}).fallback
    model = EASE().fit(X)
    row = np.zeros((1, N_ITEMS), dtype=np.float32)
    row[0, [3, 8]] = 2, 5
    expected = IDS[model.recommend(row, k=4)[0]].tolist()
    weighted = made_of(model)
    assert weighted.recommend({IDS[3]: 2.0, IDS[8]: 5.0}, k=4).ids == expected
    row[0, [3, 8]] = 2, 1
    expected = IDS[model.recommend(row, k=4)[0]].tolist()
    assert weighted.recommend([IDS[3], IDS[8], IDS[3]], k=4).ids == expected


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (-1.0, ValueError, "must be >= 0 for EASE. Got -1"),
        (np.nan, ValueError, "finite"),
        (np.inf, ValueError, "finite"),
        (1e39, ValueError, "beyond float32"),
        ("many", TypeError, "must be numbers"),
    ],
)
def test_values_that_are_refused(value, error, message):
    with pytest.raises(error, match=message):
        made_of(EASE().fit(X)).recommend({IDS[3]: value, IDS[4]: 1.0})


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_requests_have_the_dtype_of_the_fit(dtype):
    """Another dtype has kernels of its own, which a request would wait for."""
    rows = X.astype(dtype)
    encoder = InteractionEncoder.from_ids(np.arange(X.shape[0]), IDS)
    server = Server({"model": EASE().fit(rows), "encoder": encoder, "interactions": rows})
    for history in ([IDS[3]], [IDS[3]] * 2, {IDS[3]: 1e-320, IDS[4]: 2.0}, {IDS[3]: 1 / 3}, {}):
        assert server._histories.row(history).X.dtype == dtype
    known = server._histories.row_of_user(server._histories.place_of_user(0))
    assert known.X.dtype == dtype


def test_ratings():
    ratings = csr_array(X, copy=True)
    ratings.data[:] = np.random.default_rng(0).integers(1, 6, ratings.nnz)
    model = BiasedMF(3, max_iter=2, random_state=0).fit(ratings)
    server = made_of(model)
    given = dict(zip(IDS[ratings[[2]].indices], ratings[[2]].data.tolist(), strict=True))
    assert server.recommend(given, k=5).ids == IDS[model.recommend(ratings[[2]], k=5)[0]].tolist()


def test_whole_numbers_and_columns_are_ids():
    plain = Server(EASE().fit(X))
    found = EASE().fit(X).recommend(X[:1], k=3)[0].tolist()
    assert plain.recommend(X[[0]].indices, k=3).ids == found
    assert plain.recommend([str(i) for i in X[[0]].indices], k=3).unknown  # text is no number
    assert not plain.knows(0)
    encoder = InteractionEncoder.from_ids(np.arange(90), np.arange(N_ITEMS) * 10)
    numbered = Server({"model": EASE().fit(X), "encoder": encoder, "interactions": X})
    assert numbered.recommend_user(0, k=3).ids == [10 * i for i in found]
    assert numbered.knows(np.int64(3))
    assert not any(map(numbered.knows, ("3", 3.5, 2**70, -1)))


def test_threads_give_the_serial_answers():
    pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    histories = [rng.choice(IDS, rng.integers(0, 20), replace=False).tolist() for _ in range(40)]
    for name, quantize in (("MultVAE", None), ("MultVAE", "int8"), ("WMF", None), ("BPR", None)):
        server = Server(
            {"model": MODELS[name].fit(X), "encoder": ENCODER, "interactions": X},
            quantize=quantize,
        )
        serial = [server.recommend(history, k=5) for history in histories]
        barrier = threading.Barrier(8)

        def all_of_them(start, barrier=barrier, server=server):
            barrier.wait()
            order = np.roll(np.arange(40), start)
            return {int(place): server.recommend(histories[place], k=5) for place in order}

        with ThreadPoolExecutor(8) as pool:
            for found in pool.map(all_of_them, range(0, 40, 5)):
                assert [found[place] for place in range(40)] == serial


def test_it_is_frozen():
    model = EASE().fit(X)
    server = made_of(model)
    before = server.recommend(HISTORIES[0])
    model.fit(X[:20])
    assert server.recommend(HISTORIES[0]) == before


def test_a_network_is_built_once(monkeypatch):
    model = MultVAE(4, hidden_layer_sizes=(8,), **NETWORK).fit(X)
    server = made_of(model)
    built = []
    build = MultVAE._build_module
    monkeypatch.setattr(MultVAE, "_build_module", lambda *a, **k: built.append(1) or build(*a, **k))
    for history in HISTORIES:
        server.recommend(history)
    assert not built


@pytest.mark.parametrize(
    "model",
    [
        MultVAE(6, hidden_layer_sizes=(16,), **NETWORK),
        MultVAE(6, **NETWORK),
        MultDAE((16,), **NETWORK),
        GaussianMixtureVAE(4, hidden_layer_sizes=(16,), **NETWORK),
    ],
    ids=lambda model: f"{type(model).__name__}{model.hidden_layer_sizes}",
)
def test_eight_bits(model):
    model.fit(X)
    server = Server({"model": model, "encoder": ENCODER, "interactions": X}, quantize="int8")
    exact = model.decision_function(X[:12])
    for u, history in enumerate(HISTORIES):
        answer = server.recommend(history, k=N_ITEMS, exclude_seen=False)
        places = [int(np.flatnonzero(item == IDS)[0]) for item in answer.ids]
        assert sorted(places) == list(range(N_ITEMS))
        # Half a step of each weight at most, and the hidden layer's far finer steps.
        spread = np.abs(exact[u]).max()
        np.testing.assert_allclose(answer.scores, exact[u, places], atol=0.02 * spread)
    batch = server.recommend_batch(HISTORIES, k=5)
    assert [a.ids for a in batch] == [server.recommend(h, k=5).ids for h in HISTORIES]


def test_long_sums_of_eight_bits():
    torch = pytest.importorskip("torch")
    from skrec.serving._int8_torch import Int8Linear

    layer = torch.nn.Linear(5000, 3)
    with torch.inference_mode():
        layer.weight.fill_(1.0)
        layer.weight[2] = 0
        layer.bias.zero_()
        found = Int8Linear(layer)(torch.full((2, 5000), 3.0)).numpy()
    np.testing.assert_allclose(found, [[15000, 15000, 0]] * 2, rtol=1e-3)


def test_a_file(shop, tmp_path):
    path = shop.save(tmp_path / "model.skops")
    assert Server(path).recommend(["i3"]) == Server(shop).recommend(["i3"])
    assert Server(str(path)).n_users == shop.interactions_.shape[0]
    with pytest.raises(FileNotFoundError):
        Server(tmp_path / "none.skops")
    (tmp_path / "bad.skops").write_bytes(b"no model")
    with pytest.raises(skrec.ModelFileError):
        Server(tmp_path / "bad.skops")


def test_what_is_refused(shop):
    server = made_of(EASE().fit(X))
    with pytest.raises(ValueError, match="k must be"):
        server.recommend(HISTORIES[0], k=0)
    with pytest.raises(ValueError, match="none of which the model knows"):
        server.recommend(HISTORIES[0], items=["gone"])
    with pytest.raises(TypeError, match="wrap it in a list"):
        server.recommend("item-001")
    with pytest.raises(TypeError, match="unhashable"):
        server.recommend([["item-001"]])
    with pytest.raises(TypeError, match="sequence of ids"):
        server.recommend(3)
    with pytest.raises(TypeError, match="A Server is made of"):
        Server(3)
    with pytest.raises(NotFittedError):
        Server(EASE())
    with pytest.raises(NotFittedError):
        Server(skrec.LogRecommender())
    with pytest.raises(ValueError, match="60 item ids"):
        Server({"model": EASE().fit(X[:, :50]), "encoder": ENCODER})
    with pytest.raises(ValueError, match="a row for each user id"):
        Server({"model": EASE().fit(X), "encoder": ENCODER, "interactions": X[:5]})
    with pytest.raises(ValueError, match="titles must have"):
        Server({"model": EASE().fit(X), "encoder": ENCODER, "titles": ["one"]})
    with pytest.raises(ValueError, match="quantize='int8' is for networks"):
        Server(shop, quantize="int8")
    with pytest.raises(ValueError, match="quantize must be"):
        Server(shop, quantize="int4")


def test_an_answer_is_never_longer_than_the_catalogue():
    server = made_of(EASE().fit(X))
    answer = server.recommend(HISTORIES[0], k=10**9)
    assert isinstance(answer, Answer)
    assert len(answer.ids) == N_ITEMS - len(HISTORIES[0])
    assert np.isfinite(answer.scores).all()
