"""Lists that are cut where the scores are: the same as the host's, here on the CPU."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array, random_array

from skrec._torch import _estimator, _lists
from skrec._torch._estimator import TorchRecommender
from skrec._torch._lists import device_lists, device_top_k
from skrec.autoencoder import CDAE, MultDAE, MultVAE
from skrec.datasets import make_interactions
from skrec.neural_network import GMF, NeuMF
from skrec.utils import _device, all_recommenders
from skrec.utils._topk import top_k

CPU = torch.device("cpu")
# They solve for their users on the host.
ON_THE_HOST = {"ItemAutoRec", "CDL", "CVAE"}


def some_scores(rng, n_rows, n_items, dtype):
    """Rows of distinct scores, of many ties, of rounding about ties, and of odd scales."""
    scores = rng.normal(size=(n_rows, n_items))
    scores[1] = np.round(scores[1])
    scores[2] = np.round(scores[2]) * (1 + 1e-16 * rng.normal(size=n_items))
    scores[3] = 0.0
    scores[4] = 3.0
    scores[5] *= 1e-37 if dtype == np.float32 else 1e-300
    scores[6] = -np.abs(scores[6])
    return scores.astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("masks", ["none", "seen", "items", "rows"])
@pytest.mark.parametrize("k", [1, 7, 40])
def test_the_order_is_the_hosts(dtype, masks, k):
    rng = np.random.default_rng(0)
    scores = some_scores(rng, 9, 40, dtype)
    allowed, mask, seen = None, None, None
    if masks != "none":
        seen = csr_array(random_array((9, 40), density=0.4, random_state=1))
    if masks == "items":
        allowed = rng.random(40) < 0.3
        mask = torch.from_numpy(allowed)
    elif masks == "rows":
        allowed = csr_array(random_array((9, 40), density=0.5, random_state=2))
        mask = _lists._marked(allowed, CPU)
    places = None if seen is None else _lists._places(seen, CPU)
    items, values = top_k(scores, k, seen=seen, allowed=allowed)
    found = device_top_k(torch.from_numpy(scores), k, seen=places, allowed=mask)
    np.testing.assert_array_equal(found[0].numpy(), items)
    np.testing.assert_array_equal(found[1].numpy(), values)
    assert found[2].all()


def test_many_items_in_double_precision_are_sorted():
    """Cell and item are more than 63 bits then."""
    rng = np.random.default_rng(0)
    scores = some_scores(rng, 7, 70_000, np.float64)
    seen = csr_array(random_array(scores.shape, density=1e-3, random_state=1))
    found = device_top_k(torch.from_numpy(scores), 50, seen=_lists._places(seen, CPU))
    items, values = top_k(scores, 50, seen=seen)
    np.testing.assert_array_equal(found[0].numpy(), items)
    np.testing.assert_array_equal(found[1].numpy(), values)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_row_that_is_not_finite_is_told(bad):
    scores = torch.ones(3, 5)
    scores[1, 2] = bad
    assert device_top_k(scores, 2)[2].tolist() == [True, False, True]
    X = csr_array(np.eye(3, 5, dtype=np.float32))
    assert device_lists(lambda rows: scores, X, 2, CPU) is None


def test_nothing_is_asked_of_the_device_before_the_lists_are_there():
    """A tensor without data, of which nothing can be asked, goes the same way."""
    scores = torch.empty(6, 30, device="meta")
    seen, allowed = torch.zeros(4, dtype=torch.int64, device="meta"), scores > 0
    items, values, finite = device_top_k(scores, 5, seen=seen, allowed=allowed)
    assert (items.shape, values.shape, finite.shape) == ((6, 5), (6, 5), (6,))


@pytest.mark.parametrize("chunk_bytes", [1, 4000, 2**29])
def test_chunks_and_padding(chunk_bytes, monkeypatch):
    monkeypatch.setattr(_lists, "_CHUNK_BYTES", chunk_bytes)
    rng = np.random.default_rng(0)
    scores = some_scores(rng, 10, 30, np.float32)
    X = csr_array(random_array((10, 30), density=0.3, random_state=1, dtype=np.float32))
    X.data[:] = np.arange(X.nnz)  # tells the rows apart

    def score(rows):
        if not rows.nnz:
            return torch.from_numpy(scores[np.diff(X.indptr) == 0])
        first = np.searchsorted(X.indptr, rows.data[0], side="right") - 1
        skipped = int(np.flatnonzero(np.diff(rows.indptr))[0])
        return torch.from_numpy(scores[first - skipped : first - skipped + rows.shape[0]])

    assert (np.diff(X.indptr) == 0).sum() <= 1
    allowed = csr_array(random_array((10, 30), density=0.6, random_state=3))
    items, values = device_lists(score, X, 40, CPU, allowed=allowed)
    expected = top_k(scores, 30, seen=X, allowed=allowed)
    np.testing.assert_array_equal(items[:, :30], expected[0])
    np.testing.assert_array_equal(values[:, :30], expected[1])
    assert (items[:, 30:] == -1).all()
    assert np.isneginf(values[:, 30:]).all()
    assert (items.dtype, values.dtype) == (np.intp, np.float32)


@pytest.fixture
def on_device(monkeypatch):
    """Lists are cut as on CUDA, on the CPU; a list of how often."""
    calls = []

    def lists(*arguments, **options):
        calls.append(arguments)
        return device_lists(*arguments, **options)

    def go():
        monkeypatch.setattr(_device, "apart", lambda device: True)
        monkeypatch.setattr(_estimator, "device_lists", lists)
        return calls

    return go


NEURAL = [cls for _, cls in all_recommenders() if issubclass(cls, TorchRecommender)]


@pytest.mark.parametrize("cls", NEURAL)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_model_has_the_hosts_lists(cls, dtype, on_device):
    X = make_interactions(60, 40, 700, random_state=0, dtype=dtype, return_X=True)
    model = cls().set_params(max_iter=1, random_state=0).fit(X)
    # Known rows and new ones, an empty one, one that has all.
    rows = csr_array(np.vstack([X[:14].toarray(), X[:5].toarray()[:, ::-1], np.zeros((1, 40)),
                                np.ones((1, 40))]).astype(dtype))  # fmt: skip
    options = {"k": 12, "items": np.arange(3, 33), "return_scores": True}
    expected, best = model.recommend(rows, **options), model.predict(rows)
    calls = on_device()
    found = model.recommend(rows, **options)
    np.testing.assert_array_equal(found[0], expected[0])
    tolerance = (
        {"rtol": 1e-5, "atol": 1e-6} if dtype == np.float32 else {"rtol": 1e-12, "atol": 1e-14}
    )
    np.testing.assert_allclose(found[1], expected[1], **tolerance)
    assert found[1].dtype == dtype
    np.testing.assert_array_equal(model.predict(rows), best)
    assert len(calls) == (0 if cls.__name__ in ON_THE_HOST else 2)


@pytest.mark.parametrize("cls", [MultVAE, CDAE, NeuMF])
def test_a_call_makes_its_network_once(cls, on_device, monkeypatch):
    X = make_interactions(60, 40, 700, random_state=0, dtype=np.float32, return_X=True)
    model = cls().set_params(max_iter=1, random_state=0).fit(X)
    expected, calls, built = model.recommend(X, k=5), on_device(), []
    build = cls._built_module
    monkeypatch.setattr(
        cls, "_built_module", lambda *arguments: built.append(1) or build(*arguments)
    )
    monkeypatch.setattr(_lists, "_CHUNK_BYTES", 40 * 32 * 7)  # seven rows
    np.testing.assert_array_equal(model.recommend(X, k=5), expected)
    assert (len(calls), len(built)) == (1, 1)


@pytest.mark.parametrize(("cls", "n_few"), [(MultDAE, 8), (GMF, 8), (NeuMF, -1)])
def test_few_rows_are_scored_where_the_weights_are(cls, n_few, monkeypatch):
    monkeypatch.setattr(_estimator, "resolve_device", lambda device: torch.device("meta"))
    model = cls()
    assert model._scoring_device(n_few).type == "cpu"
    assert model._scoring_device(n_few + 1).type == "meta"


def test_the_host_says_what_is_wrong_with_scores(on_device):
    X = make_interactions(60, 40, 700, random_state=0, dtype=np.float32, return_X=True)
    model = MultDAE(max_iter=1, random_state=0).fit(X)
    model.weights_["last.bias"][3] = np.nan
    on_device()
    with pytest.raises(ValueError, match="not finite: they hold NaN"):
        model.recommend(X, k=5)


@pytest.mark.cuda
@pytest.mark.parametrize("cls", [MultVAE, CDAE, GMF, NeuMF])
def test_cuda_has_the_hosts_lists(cls):
    X = make_interactions(300, 200, 7000, random_state=0, return_X=True)
    model = cls(max_iter=2, random_state=0, device="cuda").fit(X)
    found, scores = model.recommend(X, k=20, return_scores=True)
    expected, there = model.set_params(device="cpu").recommend(X, k=20, return_scores=True)
    np.testing.assert_array_equal(found, expected)  # in double precision
    np.testing.assert_allclose(scores, there, rtol=1e-8)
