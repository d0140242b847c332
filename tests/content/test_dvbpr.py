"""DVBPR: the network's gradient, cold items, files, held-out items, memory."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from torch import nn

import skrec
from skrec._torch._images import DeviceImages, distinct_items
from skrec.content import DVBPR
from skrec.content._image_net import image_network
from skrec.datasets import fetch_movielens, make_interactions
from skrec.datasets._base import get_data_home
from skrec.metrics import ranking_auc_score, top_k_ndcg_score
from skrec.utils._images import Images
from tests.content.first_batch import assert_slopes, first_batch, triplets_of, weights_of
from tests.reference import dvbpr as slow

PICTURES = np.random.default_rng(0).integers(256, size=(25, 3, 12, 8)).astype(np.uint8)


def dvbpr(**options):
    small = {"max_iter": 3, "batch_size": 128, "random_state": 0, "device": "cpu"}
    return DVBPR(**{"n_components": 3, **small, **options})


def flat_network(n_components):
    """A network without a convolution, that pickles."""
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 12 * 8, n_components))


@pytest.fixture(scope="module")
def X():
    return make_interactions(60, 25, 500, random_state=0, return_X=True)


@pytest.mark.parametrize("n_latent", [0, 2])
def test_loss_and_gradient_are_those_of_the_formula(X, n_latent):
    model = dvbpr(n_latent=n_latent, alpha=0.3, network_alpha=0.0, n_negatives=2)
    module, batch, loss = first_batch(model, X, PICTURES)
    found = {name: p.grad.clone() for name, p in module.named_parameters()}
    module.zero_grad()
    pixels = torch.from_numpy(PICTURES).float() / 127.5 - 1
    phi = torch.cat([module.network(pixels[[i]]) for i in range(25)])  # each by itself
    if n_latent:
        phi = torch.cat([phi, module.item.weight], dim=1)
    total = 0
    for u, i, negatives in zip(batch.users, batch.items, batch.negatives, strict=True):
        vector = module.user.weight[u]
        squares = vector @ vector
        for j in negatives:
            total = total + torch.log1p(torch.exp(-(vector @ (phi[i] - phi[j]))))
        if n_latent:
            for k in (i, *negatives):
                squares = squares + module.item.weight[k].square().sum()
        total = total + 0.3 / 2 * squares
    twin = total / len(batch.users)
    torch.testing.assert_close(loss, twin, rtol=1e-5, atol=1e-6)
    twin.backward()
    for name, parameter in module.named_parameters():
        torch.testing.assert_close(found[name], parameter.grad, rtol=1e-3, atol=1e-6, msg=name)


@pytest.mark.parametrize(
    "options", [{"n_latent": 2, "n_negatives": 2}, {"loss": "hinge"}], ids=lambda one: str(len(one))
)
def test_objective_and_slopes_are_those_of_the_slow_twin(X, options):
    model = dvbpr(alpha=0.3, network_alpha=0.02, batch_size=40, **options)
    module, batch, loss = first_batch(model, X, PICTURES)
    triplets, kind = triplets_of(batch), options.get("loss", "bpr")

    def twin(weights, network_alpha=0.02):
        return slow.objective(triplets, weights, PICTURES, 0.3, network_alpha, kind)

    assert loss.item() == pytest.approx(twin(weights_of(module), 0.0), rel=1e-5)
    assert_slopes(module, twin, 2)


def test_scores_are_those_of_the_slow_twin(X):
    model = dvbpr(n_latent=2).fit(X, item_features=PICTURES)
    weights = {name: value.astype(float) for name, value in model.weights_.items()}
    vectors = slow.item_vectors(PICTURES, weights)
    first = np.unique(X.toarray(), axis=0, return_index=True)[1]
    np.testing.assert_allclose(
        model.decision_function(X)[first], model.user_factors_[first] @ vectors.T,
        rtol=1e-4, atol=1e-5,
    )  # fmt: skip


@pytest.mark.parametrize("network", ["small", "cnn-f"])
def test_the_gradient_reaches_the_first_convolution(X, network):
    module, *_ = first_batch(dvbpr(network=network), X, PICTURES)
    assert isinstance(module.network[0], nn.Conv2d)
    assert (module.network[0].weight.grad.flatten(1).abs().sum(1) > 0).float().mean() > 0.4


def test_convolutions_move_in_a_fit(X):
    first = dvbpr(max_iter=1, network_rate=1e-9).fit(X, item_features=PICTURES)
    moved = dvbpr(max_iter=1).fit(X, item_features=PICTURES)
    names = [name for name in moved.weights_ if name.startswith("network.0")]
    assert names
    for name in names:
        assert np.abs(moved.weights_[name] - first.weights_[name]).mean() > 1e-4


@pytest.mark.parametrize(("network", "size"), [("small", (5, 7)), ("cnn-f", (33, 20))])
def test_networks_read_pictures_of_any_size(network, size):
    made = image_network(network, 4, size)
    assert made(torch.zeros(2, 3, *size)).shape == (2, 4)
    if network == "cnn-f":
        widths = [(p.in_channels, p.out_channels) for p in made if isinstance(p, nn.Conv2d)]
        assert widths == [(3, 64), (64, 256), (256, 256), (256, 256), (256, 256)]
        assert [p.out_features for p in made if isinstance(p, nn.Linear)] == [4096, 4096, 4]


def test_each_distinct_item_passes_the_network_once(X):
    model = dvbpr()
    counts = []

    class Counts(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = flat_network(3)

        def forward(self, pictures):
            counts.append(len(pictures))
            return self.inner(pictures)

    _, batch, _ = first_batch(model.set_params(network=Counts()), X, PICTURES)
    items = torch.cat([batch.items, batch.negatives.flatten()])
    assert counts[-1] == len(items.unique()) < len(items)


def test_scores_are_products_with_what_the_network_makes(X):
    model = dvbpr(n_latent=2).fit(X, item_features=PICTURES)
    module = model._module(torch.float32, torch.device("cpu"))
    phi = module.network(torch.from_numpy(PICTURES).float() / 127.5 - 1).detach().numpy()
    np.testing.assert_allclose(model.components_[:3].T, phi, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(model.components_[3:].T, model.weights_["item.weight"])
    np.testing.assert_array_equal(model.item_bias_, 0)
    first = np.unique(X.toarray(), axis=0, return_index=True)[1]
    np.testing.assert_allclose(
        model.decision_function(X)[first],
        (model.user_factors_ @ model.components_)[first],
        rtol=1e-4, atol=1e-5,
    )  # fmt: skip


def test_longer_catalogues_score_as_columns_without_users_do(X):
    new = PICTURES[:3] // 2
    wide = csr_array((X.data, X.indices, X.indptr), shape=(60, 28))
    longer = dvbpr(n_latent=2).fit(X, item_features=PICTURES).with_items(new)
    at_once = dvbpr(n_latent=2).fit(wide, item_features=np.concatenate([PICTURES, new]))
    np.testing.assert_allclose(longer.components_, at_once.components_, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(longer.components_[3:, 25:], 0)
    for name, value in at_once.weights_.items():  # empty columns change no weight
        np.testing.assert_allclose(longer.weights_[name], value, rtol=1e-4, atol=1e-6)
    with pytest.raises(ValueError, match="without item_features"):
        dvbpr().fit(X).with_items(new)


def test_without_pictures_there_is_no_network(X):
    model = dvbpr(n_latent=2, early_stopping=True).fit(X)
    assert list(model.weights_) == ["item.weight"]
    assert model.components_.shape == (5, 25)
    assert not hasattr(model, "image_size_")
    again = dvbpr(warm_start=True).fit(X, item_features=PICTURES)
    with pytest.raises(ValueError, match="warm_start=False"):
        again.fit(X)


def test_held_out_items_are_whole_and_no_weight_of_theirs_is_learned(X):
    model = dvbpr(n_latent=2, early_stopping=True, validation_fraction=0.2, max_iter=4)
    model.fit(X, item_features=PICTURES)
    held = ~model.item_has_users_ & (np.bincount(X.indices, minlength=25) > 0)
    assert held.sum() == 5
    np.testing.assert_array_equal(model.weights_["item.weight"][held], 0)
    scores = model.user_factors_[:, :3] @ model.components_[:3, held]
    expected = top_k_ndcg_score(X[:, held], scores, k=100)
    # Users who lost all their items have zeros in the fitted model.
    assert model.best_validation_score_ == pytest.approx(expected, abs=1e-4)
    assert model.best_validation_score_ == max(model.validation_scores_)


def test_a_fit_is_the_same_again_and_leaves_the_global_generator_alone(X):
    before = torch.default_generator.get_state()
    one, two = (dvbpr().fit(X, item_features=PICTURES) for _ in range(2))
    np.testing.assert_array_equal(one.components_, two.components_)
    assert torch.equal(torch.default_generator.get_state(), before)


def test_a_resumed_fit_goes_on(X):
    model = dvbpr(warm_start=True).fit(X, item_features=PICTURES)
    before = model.weights_["network.0.weight"].copy()
    model.set_params(max_iter=1, learning_rate=1e-9).fit(X, item_features=PICTURES)
    assert model.n_iter_ == 4
    np.testing.assert_allclose(model.weights_["network.0.weight"], before, atol=1e-6)


@pytest.mark.parametrize("network", [flat_network, flat_network(3)], ids=["function", "module"])
def test_networks_of_ones_own(X, network):
    model = dvbpr(network=network).fit(X, item_features=PICTURES)
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.decision_function(X), model.decision_function(X))
    assert copy.with_items(PICTURES[:1]).n_features_in_ == 26
    if isinstance(network, nn.Module):  # a copy has learned
        assert not np.allclose(network[1].weight.detach(), model.weights_["network.1.weight"])


def test_a_network_with_counters(X):
    network = nn.Sequential(nn.BatchNorm2d(3), *flat_network(3))
    model = dvbpr(network=network).fit(X, item_features=PICTURES)
    assert {value.dtype for value in model.weights_.values()} == {np.dtype(np.float32)}
    module = model._module(torch.float32, torch.device("cpu"))
    phi = module.network(torch.from_numpy(PICTURES).float() / 127.5 - 1).detach().numpy()
    np.testing.assert_allclose(model.components_.T, phi, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("network", "text"),
    [
        (lambda n: nn.Sequential(nn.Flatten(), nn.Linear(5, n)), "It cannot"),
        (flat_network(4), "shape"),
        (lambda n: "network", "must be a torch module"),
    ],
)
def test_wrong_networks(X, network, text):
    with pytest.raises(ValueError, match=text):
        dvbpr(network=network).fit(X, item_features=PICTURES)


@pytest.mark.parametrize(
    "options", [{"network": "vgg"}, {"n_latent": -1}, {"image_size": (3,)}, {"network_rate": 0}]
)
def test_wrong_parameters(X, options):
    with pytest.raises(ValueError, match=next(iter(options))):
        dvbpr(**options).fit(X)


def test_files_and_another_size(X, tmp_path):
    Image = pytest.importorskip("PIL.Image")
    paths = [tmp_path / f"{i}.png" for i in range(25)]
    for path, picture in zip(paths, PICTURES, strict=True):
        Image.fromarray(picture.transpose(1, 2, 0)).save(path)
    model = dvbpr(image_size=(12, 8)).fit(X, item_features=[*paths[:-1], None])
    black = np.concatenate([PICTURES[:-1], 0 * PICTURES[:1]])
    expected = dvbpr().fit(X, item_features=black)
    np.testing.assert_array_equal(model.components_, expected.components_)
    assert not hasattr(model, "n_item_features_in_")
    assert model.with_items(paths[:2]).n_features_in_ == 27
    assert dvbpr(image_size=16).fit(X, item_features=PICTURES).image_size_ == (16, 16)
    with pytest.raises(ValueError, match="nowhere"):
        dvbpr().fit(X, item_features=[*paths[:-1], "nowhere.png"])


def test_pictures_stay_bytes_and_are_not_kept(X, tmp_path, monkeypatch):
    images = DeviceImages(Images(PICTURES), torch.device("cpu"))
    assert images._all.dtype == torch.uint8
    expected = torch.from_numpy(PICTURES[[4, 4, 2]]).double() / 127.5 - 1
    torch.testing.assert_close(
        images[torch.tensor([4, 4, 2])].double(), expected, atol=1e-6, rtol=0
    )
    model = dvbpr().fit(X, item_features=PICTURES)
    monkeypatch.setattr("skrec._torch._images._MAX_BYTES", 10)
    monkeypatch.setattr("skrec._torch._images._N_NUMBERS", 1000)
    batches = DeviceImages(Images(PICTURES), torch.device("cpu"))
    assert batches._all is None
    np.testing.assert_allclose(
        dvbpr().fit(X, item_features=PICTURES).components_, model.components_, atol=1e-5
    )
    large = np.repeat(PICTURES, 40, axis=3)
    path = skrec.save(dvbpr(network="small", image_size=(12, 8)).fit(X, item_features=large),
                      tmp_path / "m.skops")  # fmt: skip
    assert path.stat().st_size < large.nbytes
    assert skrec.load(path).predict(X).shape == (60,)


def test_distinct_items():
    item = torch.tensor([[3, 1], [3, 7], [0, 1]])
    distinct, place = distinct_items(item, 9)
    assert distinct.tolist() == [0, 1, 3, 7]
    assert torch.equal(distinct[place], item)


@pytest.mark.cuda
def test_cuda_agrees(X):
    item = torch.randint(50, (64, 2))
    distinct, place = distinct_items(item.cuda(), 50)
    assert torch.equal(distinct[place].cpu(), item)
    options = {"network": flat_network, "max_iter": 2}  # without dropout, drawn by the device
    there = dvbpr(**options, device="cuda").fit(X, item_features=PICTURES)
    here = dvbpr(**options).fit(X, item_features=PICTURES)
    np.testing.assert_allclose(there.loss_curve_, here.loss_curve_, rtol=1e-3)
    np.testing.assert_allclose(there.components_, here.components_, rtol=1e-2, atol=1e-3)


def _posters():
    with np.load(Path(get_data_home()) / "ml-100k-posters" / "posters_72x48.npz") as file:
        item, images = file["item"], file["images"]
    halved = images.reshape(-1, 36, 2, 24, 2, 3).mean((2, 4)).round().astype(np.uint8)
    posters = np.zeros((1682, 3, 36, 24), np.uint8)
    posters[item] = halved.transpose(0, 3, 1, 2)
    return posters


@pytest.mark.slow
@pytest.mark.skipif(
    not (Path(get_data_home()) / "ml-100k-posters").exists(), reason="the posters are not there"
)
def test_figures_on_posters():
    """Cold AUC >= .54 and nDCG@100 >= .155 at the epoch that held-out items choose."""
    data = fetch_movielens("100k")
    X = csr_array((data.X >= 4).astype(float))
    X.eliminate_zeros()
    is_cold = np.zeros(1682, bool)
    is_cold[np.random.RandomState(0).permutation(1682)[:336]] = True
    warm, held = X.tolil(), X.tolil()
    warm[:, is_cold], held[:, ~is_cold] = 0, 0
    warm, held = csr_array(warm), csr_array(held)
    model = DVBPR(early_stopping=True, n_iter_no_change=3, max_iter=15, random_state=0)
    scores = model.fit(warm, item_features=_posters()).decision_function(warm)[:, is_cold]
    assert ranking_auc_score(held[:, is_cold], scores) >= 0.54
    assert top_k_ndcg_score(held[:, is_cold], scores, k=100) >= 0.155
