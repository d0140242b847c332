"""Lists by 8 bits: to the bit those of the whole table, whatever the numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from skrec._factors import Factored, FactoredScoresMixin
from skrec.datasets import make_interactions
from skrec.decomposition import BPR, WMF, BiasedMF, PureSVD
from skrec.ensemble import Fallback
from skrec.preprocessing import InteractionEncoder
from skrec.serving import Server
from skrec.serving._narrow import NarrowFactors, NarrowTable
from skrec.serving._narrow_lists import narrow_lists
from skrec.utils._topk import top_k

N_USERS, N_ITEMS = 60, 2500
X = csr_array(make_interactions(n_users=N_USERS, n_items=N_ITEMS, random_state=0).X)
SMALL = {"n_components": 7, "max_iter": 2, "random_state": 0}


class Given(FactoredScoresMixin):
    """A model of given numbers."""

    n_jobs = 1

    def __init__(self, items, vector, bias=None, offset=None):
        self.components_, self._factors = items.T, Factored(vector[np.newaxis], bias, offset)
        self.item_bias_ = bias

    def _factored(self, X):
        return self._factors


class Seen:
    def __init__(self, items):
        self.indices = np.array(items, dtype=np.int32)
        self.indptr = np.array([0, len(self.indices)])


@pytest.fixture
def n_open(monkeypatch):
    """How many items were left, for each list; None where the whole table was read."""
    found, whole = [], NarrowTable.open_items

    def recorded(*arguments):
        items = whole(*arguments)
        found.append(None if items is None else len(items))
        return items

    monkeypatch.setattr(NarrowTable, "open_items", recorded)
    monkeypatch.setattr("skrec.serving._narrow_lists._LEAST_SIZE", 0)
    return found


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "model",
    [
        WMF(**SMALL),
        WMF(**SMALL, dtype="float32"),
        PureSVD(7, random_state=0),
        BPR(**SMALL),
        BiasedMF(**SMALL),
    ],
    ids=repr,
)
def test_lists_of_models(model, dtype, n_open):
    rows = X.astype(dtype)
    if isinstance(model, BiasedMF):
        rows.data[:] = 1 + 4 * np.random.default_rng(0).random(X.shape[1])[X.indices]
    model.fit(rows)
    encoder = InteractionEncoder.from_ids(np.arange(N_USERS), np.arange(N_ITEMS))
    server = Server({"model": model, "encoder": encoder, "interactions": rows})
    n_open.clear()
    for options in ({"k": 10}, {"k": 1}, {"k": 30, "exclude_seen": False}):
        found = model.recommend(rows, **options)
        for u in range(N_USERS):
            one, of_one = model.recommend(rows[[u]], return_scores=True, **options)
            answer = server.recommend_user(u, **options)
            assert answer.ids == one[0].tolist()
            assert answer.scores == of_one[0].tolist()
        assert [server.recommend_user(u, **options).ids for u in range(3)] == found[:3].tolist()
    told = [n for n in n_open if n is not None]
    assert len(told) > 0.9 * len(n_open)
    assert np.median(told) < N_ITEMS / 20
    first = server.recommend_user(3, k=5).ids
    assert first[0] not in server.recommend_user(3, k=5, exclude=first[:1]).ids
    assert server.recommend_user(3, k=5, exclude=first[:1]).ids[:4] == first[1:]


@pytest.mark.parametrize("least", [1, 12])
@pytest.mark.parametrize("model", [BiasedMF(**SMALL), WMF(**SMALL)], ids=repr)
def test_the_table_of_a_model_within_a_fallback_is_made_with_the_server(
    model, least, n_open, monkeypatch
):
    made, make = [], NarrowTable.__init__
    monkeypatch.setattr(
        NarrowTable, "__init__", lambda *arguments: made.append(1) or make(*arguments)
    )
    model = Fallback(model, min_interactions=least).fit(X)
    server = Server(model)
    assert made == [1]
    assert n_open  # kernels of the table are compiled
    n_open.clear()
    history = dict.fromkeys(range(100, 120), 2.0)
    answer = server.recommend(history, k=7)
    row = csr_array((np.full(20, 2.0, np.float32), ([0] * 20, list(history))), shape=(1, N_ITEMS))
    assert answer.ids == model.recommend(row, k=7)[0].tolist()
    assert made == [1]
    assert len(n_open) == 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_factors", [2, 7, 64])
def test_memory_beside_the_table(dtype, n_factors):
    items = np.random.default_rng(0).standard_normal((N_ITEMS, n_factors)).astype(dtype)
    bias = np.ones(N_ITEMS, dtype)
    held = vars(NarrowTable(items.T, bias)).values()
    arrays = [one for part in held for one in (part if isinstance(part, tuple) else (part,))]
    n_bytes = sum(one.nbytes for one in arrays if isinstance(one, np.ndarray))
    n_tiles = 2
    assert n_bytes == N_ITEMS * (n_factors + 16) + 4 * n_tiles


numbers = st.floats(-1, 1, width=32)


@st.composite
def problems(draw):
    seed = draw(st.integers(0, 2**16))
    rng = np.random.default_rng(seed)
    n, d = draw(st.integers(2, 3000)), draw(st.integers(2, 40))
    dtype, of_rows = (draw(st.sampled_from([np.float32, np.float64])) for _ in range(2))
    items = rng.standard_normal((n, d)).astype(dtype)
    kind = draw(st.sampled_from(["plain", "long tail", "equal", "few", "wide", "tiny", "huge"]))
    if kind == "long tail":
        items *= rng.pareto(1.0, (n, 1)).astype(dtype)
    elif kind == "equal":  # whole groups of ties
        items = items[rng.integers(0, 1 + n // 50, n)]
    elif kind == "few":
        items[rng.random(n) < 0.9] = 0
    elif kind == "wide":  # 8 bits say little
        items[:, 0] *= 1000
    elif kind == "tiny":
        items *= dtype(draw(st.sampled_from([1e-20, 1e-38, 1e-43])))
    elif kind == "huge":
        items *= dtype(draw(st.sampled_from([1e15, 1e25])))
    vector = rng.standard_normal(d).astype(dtype)
    if kind == "wide":
        vector[0] = 0.001
    bias = offset = None
    if draw(st.booleans()):
        bias = (draw(st.sampled_from([0.01, 1.0, 1e4])) * rng.standard_normal(n)).astype(dtype)
    if draw(st.booleans()):
        offset = np.array([draw(numbers)]).astype(of_rows)
    seen = rng.choice(n, rng.integers(0, min(n, 40)), replace=False)
    return Given(items, vector, bias, offset), seen, draw(st.integers(1, 60)), of_rows


@given(problem=problems())
def test_any_numbers(problem):
    model, seen, k, dtype = problem
    n_items = model.components_.shape[1]
    row = csr_array((1, n_items), dtype=dtype)
    k = min(k, n_items)
    expected = top_k(model._scores(row), k, seen=Seen(seen))
    found = NarrowFactors(model)(row, k, Seen(seen), "The scores")
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])


def test_what_is_left_is_not_read():
    from skrec.serving._narrow_kernels import TILE

    rng = np.random.default_rng(0)
    items = rng.standard_normal((5 * TILE, 8)).astype(np.float32)
    items[rng.random(len(items)) < 0.9] *= 0.01
    table = NarrowTable(items.T)
    weights = table._narrow[0]
    vector = rng.standard_normal(8).astype(np.float32)
    expected = table.open_items(vector, 10, np.empty(0, np.int32), np.float32)
    weights[:, 2 * TILE :] = 127  # of the shortest items: nobody looks at them
    found = table.open_items(vector, 10, np.empty(0, np.int32), np.float32)
    np.testing.assert_array_equal(found, expected)
    assert set(np.argsort(-(items @ vector))[:10]) <= set(found.tolist())


def test_numbers_that_are_not_finite(monkeypatch):
    monkeypatch.setattr("skrec.serving._narrow_lists._LEAST_SIZE", 0)
    items = np.ones((600, 3), np.float32)
    lists = narrow_lists(Given(items, np.array([np.nan, 1, 1], np.float32)))
    with pytest.raises(ValueError, match="The scores are not finite"):
        lists(csr_array((1, 600), dtype=np.float32), 5, Seen([]), "The scores")
    items[3, 1] = np.inf
    assert narrow_lists(Given(items, np.ones(3, np.float32))) is None
    assert narrow_lists(Given(np.asfortranarray(np.ones((600, 3))), np.ones(3))) is None
    assert narrow_lists(object()) is None


def networks():
    from skrec.autoencoder import GaussianMixtureVAE, MultDAE, MultVAE

    options = {"hidden_layer_sizes": (16,), "max_iter": 8, "random_state": 0, "device": "cpu"}
    return [
        MultVAE(6, **options),
        MultVAE(6, **options | {"hidden_layer_sizes": ()}),
        MultDAE(**options),
        GaussianMixtureVAE(4, **options),
        MultVAE(6, n_posterior_components=2, **options),
    ]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("place", range(5))
def test_lists_of_networks(place, dtype, n_open, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.setattr("skrec._torch._layers._LARGE", 0)
    rows = X.astype(dtype)
    model = networks()[place].fit(rows)
    encoder = InteractionEncoder.from_ids(np.arange(N_USERS), np.arange(N_ITEMS))
    server = Server({"model": model, "encoder": encoder, "interactions": rows})
    assert (server._narrow is None) == (place == 4)  # a mixture is no linear layer
    n_open.clear()
    for u in range(N_USERS):
        found, scores = model.recommend(rows[[u]], k=10, return_scores=True)
        answer = server.recommend_user(u, k=10)
        assert answer.ids == found[0].tolist()
        assert answer.scores == scores[0].tolist()
    if place < 4:
        assert sum(n is not None for n in n_open) > N_USERS / 2
        assert Server({"model": model, "encoder": encoder}, quantize="int8")._narrow is None
