"""CTR, CDL and CVAE: against NumPy twins, and laws of their objectives."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array, hstack
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import skrec
from skrec import _weighted_factors
from skrec._torch._rows import DeviceRows
from skrec.content import CDL, CTR, CVAE
from skrec.content._text_factors import drawn_items
from skrec.content._text_recommender import TextBatch
from skrec.decomposition import WMF, PureSVD
from skrec.utils._wmf_torch import TorchHalfStep
from tests.reference import text_factors as reference

N_USERS, N_ITEMS, N_COLD, N_WORDS = 40, 24, 4, 15
SOLVES = {"unobserved_weight": 0.2, "alpha": 0.4, "item_alpha": 0.9}
MODELS = (CTR, CDL, CVAE)


def topics(n, seed):
    """Texts of n items in two topics, and which topic each has."""
    rng = np.random.default_rng(seed)
    topic = np.arange(n) % 2
    share = np.where(np.arange(N_WORDS) < N_WORDS // 2, 0.6, 0.1)
    chance = np.where(topic[:, None] == 0, share, share[::-1])
    words = (rng.uniform(size=(n, N_WORDS)) < chance) * rng.integers(1, 4, size=(n, N_WORDS))
    words[np.arange(n), np.where(topic == 0, 0, N_WORDS - 1)] = 2  # no text is empty
    return words.astype(float), topic


def interactions(topic, seed=0):
    """Users who like one topic; nobody has the last items."""
    rng = np.random.default_rng(seed)
    likes = np.arange(N_USERS) % 2
    dense = rng.uniform(size=(N_USERS, len(topic))) < np.where(topic == likes[:, None], 0.4, 0.05)
    dense[np.arange(N_USERS), np.arange(N_USERS) % (len(topic) - N_COLD)] = True
    dense[:, -N_COLD:] = False
    return csr_array(dense.astype(float))


FEATURES, TOPIC = topics(N_ITEMS, 0)
X = interactions(TOPIC)
KNOWN = np.arange(N_ITEMS) < N_ITEMS - N_COLD


def small(cls, **options):
    if cls is CTR:
        fit = {"n_components": 5, "random_state": 0, "max_iter": 4, "confidence": 1.5}
        return cls(**{**fit, **SOLVES, **options})
    sizes = {"n_components": 5, "hidden_layer_sizes": (6,), "pretraining_max_iter": 3}
    sizes["activation"] = "sigmoid"
    fit = {"random_state": 0, "max_iter": 4, "batch_size": 7, "learning_rate": 0.01}
    return cls(**{**sizes, **fit, **SOLVES, **options})


@pytest.mark.parametrize("cls", MODELS)
@pytest.mark.parametrize(
    ("n_users", "n_cells", "weight"), [(2000, 16, 0.01), (400, 12, 0.0375), (400, 64, 0.1)]
)
def test_the_weight_of_missing_entries_follows_their_number(cls, n_users, n_cells, weight):
    cells = np.arange(n_cells)  # eight items have users
    few = csr_array((np.ones(n_cells), (cells, cells % 8)), (n_users, N_ITEMS))
    model = small(cls, unobserved_weight="auto").fit(few, item_features=FEATURES)
    assert model.unobserved_weight_ == pytest.approx(weight)
    given = small(cls, unobserved_weight=model.unobserved_weight_).fit(few, item_features=FEATURES)
    np.testing.assert_array_equal(model.components_, given.components_)
    of_rows = given.transform(few)
    np.testing.assert_array_equal(model.transform(few), of_rows)
    # The fit has settled it.
    np.testing.assert_array_equal(given.set_params(unobserved_weight=0.5).transform(few), of_rows)


def test_a_model_of_an_earlier_version_has_its_weight_in_the_parameter():
    model = small(CTR).fit(X, item_features=FEATURES)
    expected = model.transform(X)
    del model.unobserved_weight_
    np.testing.assert_array_equal(model.transform(X), expected)
    with pytest.raises(ValueError, match="Fit it again"):
        model.set_params(unobserved_weight="auto").transform(X)


# ---------------------------------------------------------------- least squares


def theta_of_svd(features):
    known = features[KNOWN] / np.linalg.norm(features[KNOWN], axis=1).mean()
    svd = np.linalg.svd(known, full_matrices=False)[2][:5]
    return features / np.linalg.norm(features[KNOWN], axis=1).mean() @ svd.T


@pytest.mark.parametrize("cold_items", ["shrunk", "text"])
def test_ctr_is_its_slow_twin(cold_items):
    model = small(CTR, cold_items=cold_items).fit(X, item_features=FEATURES)
    theta = FEATURES @ model.text_components_.T
    # The projections of the texts, but for the signs of axes.
    np.testing.assert_allclose(theta @ theta.T, theta_of_svd(FEATURES) @ theta_of_svd(FEATURES).T,
                               atol=1e-8)  # fmt: skip
    start = theta[KNOWN] + drawn_items(np.random.RandomState(0), KNOWN.sum(), 5)
    dense = X.toarray()[:, KNOWN]
    _, items, curve = reference.sweeps(dense, start, theta[KNOWN], 4, confidence=1.5, **SOLVES)
    np.testing.assert_allclose(model.components_.T[KNOWN], items, rtol=1e-8)
    np.testing.assert_allclose(model.loss_curve_, curve, rtol=1e-8)
    assert (np.diff(curve) < 0).all()
    users = np.array([
        reference.solved(x, 0.2 + 1.5 * x, items, 0.4, np.zeros(5)) for x in dense
    ])  # fmt: skip
    np.testing.assert_allclose(model.user_factors_, users, rtol=1e-7, atol=1e-12)
    cold = theta[~KNOWN]
    expected = cold if cold_items == "text" else reference.shrunk(users, cold, 0.2, 0.9)
    np.testing.assert_allclose(model.components_.T[~KNOWN], expected, rtol=1e-7)
    if cold_items == "shrunk":
        assert (np.linalg.norm(expected, axis=1) < np.linalg.norm(cold, axis=1)).all()


@pytest.mark.parametrize("cls", MODELS)
def test_a_row_is_the_solve_of_its_own_problem(cls):
    model = small(cls).fit(X, item_features=FEATURES)
    confidence = 1.5 if cls is CTR else 1.0
    rows = np.zeros((2, N_ITEMS))
    rows[0, [1, 4, N_ITEMS - 1]] = 1, 2, 3  # the last item had no users
    items = model.components_.T.astype(float)
    expected = [
        reference.solved((x > 0) * 1.0, 0.2 * KNOWN + confidence * x, items, 0.4, np.zeros(5))
        for x in rows
    ]
    np.testing.assert_allclose(model.transform(rows), expected, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(model.decision_function(rows), expected @ items.T, atol=1e-6)
    contributions = model.explain(rows, model.predict(rows))
    np.testing.assert_allclose(
        contributions.toarray().sum(1), model.decision_function(rows).max(1, where=rows == 0,
                                                                         initial=-9), rtol=1e-6
    )  # fmt: skip


@pytest.mark.parametrize("cls", MODELS)
def test_solves_of_a_device_are_those_of_the_host(cls, monkeypatch):
    expected = small(cls).fit(X, item_features=FEATURES)

    def half_step(X, penalty, weight, *, n_jobs, **problem):
        return TorchHalfStep(X, penalty, weight, device=torch.device("cpu"), **problem)

    monkeypatch.setattr(_weighted_factors, "HalfStep", half_step)
    found = small(cls).fit(X, item_features=FEATURES)
    np.testing.assert_allclose(found.components_, expected.components_, atol=1e-8)
    np.testing.assert_allclose(found.loss_curve_, expected.loss_curve_, rtol=1e-9)


def test_without_texts_ctr_is_wmf_to_the_bit():
    known = csr_array(X[:, KNOWN])
    same = {"confidence": 1.5, "unobserved_weight": 0.2, "alpha": 0.4, "max_iter": 4}
    wmf = WMF(5, solver="cholesky", frequency_exponent=0.0, random_state=0, **same).fit(known)
    model = small(CTR, item_alpha=0.4).fit(known)
    np.testing.assert_array_equal(model.components_, wmf.components_)
    np.testing.assert_array_equal(model.decision_function(known), wmf.decision_function(known))
    assert model.loss_curve_ == wmf.loss_curve_


@pytest.mark.parametrize("cls", [CDL, CVAE])
def test_without_texts_there_is_no_network(cls):
    model = small(cls, max_iter=6).fit(X)
    assert model.weights_ == {}
    assert not hasattr(model, "text_mean_")
    assert not model.components_[:, ~KNOWN].any()
    draws = np.random.RandomState(np.random.RandomState(0).randint(2**31 - 1))
    start, dense = drawn_items(draws, KNOWN.sum(), 5), X.toarray()[:, KNOWN]
    _, items, curve = reference.sweeps(
        dense, start, np.zeros_like(start), 6, confidence=1.0, **SOLVES
    )
    np.testing.assert_allclose(model.components_.T[KNOWN], items, rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(model.loss_curve_, curve, rtol=1e-9)
    with pytest.raises(ValueError, match="without item_features"):
        model.with_items(FEATURES[:1])


@pytest.mark.parametrize("cls", MODELS)
def test_empty_columns_with_texts_change_no_bit(cls):
    more, _ = topics(3, 5)
    wide = csr_array(hstack([X, csr_array((N_USERS, 3))]))
    short = small(cls).fit(X, item_features=FEATURES)
    long = small(cls).fit(wide, item_features=np.vstack([FEATURES, more]))
    grown = short.with_items(more)
    assert grown.n_features_in_ == N_ITEMS + 3
    if cls is CTR:
        np.testing.assert_array_equal(long.components_[:, :N_ITEMS], short.components_)
    for found in (long, grown):
        np.testing.assert_allclose(found.components_[:, :N_ITEMS], short.components_, atol=1e-6)
    np.testing.assert_allclose(grown.components_, long.components_, atol=1e-6)
    np.testing.assert_array_equal(grown.item_has_users_, long.item_has_users_)


@pytest.mark.parametrize("cls", MODELS)
def test_texts_of_all_items_teach_if_they_are_to(cls):
    other = FEATURES.copy()
    other[-N_COLD:] = other[-N_COLD:, ::-1]
    for texts, same in (("known", True), ("all", False)):
        found = [
            small(cls, learned_texts=texts).fit(X, item_features=features).components_[:, KNOWN]
            for features in (FEATURES, other)
        ]
        assert np.array_equal(*found) == same


@pytest.mark.parametrize("cls", MODELS)
def test_a_row_of_zeros_has_the_mean_and_teaches_nothing(cls):
    zero = FEATURES.copy()
    zero[[2, N_ITEMS - 1]] = 0
    model = small(cls, cold_items="text").fit(X, item_features=zero)
    np.testing.assert_allclose(model.components_[:, -1], model.text_mean_)
    again = model.with_items(np.zeros((1, N_WORDS)))
    np.testing.assert_allclose(again.components_[:, -1], model.text_mean_)
    nothing = small(cls).fit(X, item_features=np.zeros((N_ITEMS, 2)))
    assert np.isfinite(nothing.components_).all()
    assert nothing.text_mean_.shape == (5,)


def test_ctr_reads_weights_in_any_unit():
    model = small(CTR).fit(X, item_features=FEATURES)
    scaled = small(CTR).fit(X, item_features=csr_array(1000 * FEATURES))
    np.testing.assert_allclose(scaled.components_, model.components_, rtol=1e-9, atol=1e-12)


def test_more_components_than_words_are_zeros_of_the_texts():
    model = small(CTR, n_components=20).fit(X, item_features=FEATURES[:, :3] + 1)
    assert (np.linalg.norm(model.text_components_, axis=1)[3:] == 0).all()


# ---------------------------------------------------------------- networks


def loss_parts(cls, likelihood, **options):
    """A model's loss as a function of a module in float64, and that module, batch and noise."""
    noise = {"corruption_level": 0.0} if cls is CDL else {"beta": 0.6}
    model = small(cls, likelihood=likelihood, **noise, **options)
    model.fit(X, item_features=FEATURES)
    module = model._module(torch.float64, torch.device("cpu"))
    module.requires_grad_(True)
    rng = np.random.default_rng(3)
    module.item = torch.nn.Parameter(torch.from_numpy(rng.normal(size=(N_ITEMS, 5))), False)
    words = model._words(FEATURES)
    rows = DeviceRows(words, "cpu", dtype=torch.float64)[torch.arange(3, N_ITEMS)]
    batch = TextBatch(rows, torch.from_numpy(KNOWN[3:].astype(float)))

    def value(model=model):
        return model._loss(module, batch, 0, torch.Generator().manual_seed(5))

    return model, module, value, words.toarray().astype(float)[3:]


@pytest.mark.parametrize("likelihood", ["logistic", "gaussian"])
@pytest.mark.parametrize("cls", [CDL, CVAE])
def test_loss_is_its_slow_twin(cls, likelihood):
    _, module, value, texts = loss_parts(cls, likelihood, text_weight=0.7)
    weights = {name: w.detach().numpy() for name, w in module.network.state_dict().items()}
    items, rated = module.item.detach().numpy()[3:], KNOWN[3:]
    given = {"likelihood": likelihood, "text_weight": 0.7, "item_alpha": 0.9}
    if cls is CDL:
        expected = reference.cdl_loss(weights, texts, texts, items, rated, **given)
    else:
        generator = torch.Generator().manual_seed(5)
        noise = torch.randn((len(texts), 5), dtype=torch.float64, generator=generator).numpy()
        expected = reference.cvae_loss(weights, texts, noise, items, rated, beta=0.6, **given)
    assert value().item() == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("cls", [CDL, CVAE])
def test_gradients_are_finite_differences(cls):
    _, module, value, _ = loss_parts(cls, "logistic")
    value().backward()
    rng = np.random.default_rng(0)
    for name, weight in module.network.named_parameters():
        flat, slope = weight.data.view(-1), weight.grad.reshape(-1)
        for place in rng.integers(0, len(flat), size=3):
            old = flat[place].item()
            ends = []
            for step in (1e-6, -1e-6):
                flat[place] = old + step
                ends.append(value().item())
            flat[place] = old
            found = (ends[0] - ends[1]) / 2e-6
            assert slope[place].item() == pytest.approx(found, rel=1e-5, abs=1e-7), name


@pytest.mark.parametrize("cls", [CDL, CVAE])
def test_the_encoder_learns_from_the_interactions(cls):
    """The gradient of the term of the vectors, which some libraries leave out of the loss."""
    model, module, value, _ = loss_parts(cls, "logistic")
    slopes = []
    for item_alpha in (1.0, 2.0):
        module.zero_grad()
        value(clone(model).set_params(item_alpha=item_alpha)).backward()
        slopes.append({n: w.grad.clone() for n, w in module.network.named_parameters()})
    for name, one in slopes[0].items():
        of_term = slopes[1][name] - one
        decodes = name.startswith(("decoder", "last"))
        assert bool(of_term.abs().max() > 1e-4) != decodes, name
    if cls is CVAE:  # it is the drawn z that is near the vector: deviations are taught too
        of_deviations = (slopes[1]["latent.weight"] - slopes[0]["latent.weight"])[5:]
        assert of_deviations.abs().max() > 1e-4


@pytest.mark.parametrize("cls", [CDL, CVAE])
def test_the_network_follows_the_vectors(cls):
    """Vectors and codes are nearer to each other than those of texts alone."""
    far, near = (
        small(cls, item_alpha=item_alpha, text_weight=0.1, max_iter=30).fit(
            X, item_features=FEATURES
        )
        for item_alpha in (1e-6, 3.0)
    )

    def distance(model):
        codes = codes_of(model, FEATURES)
        return np.linalg.norm(codes[KNOWN] - model.components_.T[KNOWN], axis=1).mean()

    assert distance(near) < 0.5 * distance(far)


def codes_of(model, features):
    """Codes of texts: what items that nobody has get with ``cold_items="text"``."""
    cold_items, model.cold_items = model.cold_items, "text"
    codes = model.with_items(features).components_.T[model.n_features_in_ :]
    model.cold_items = cold_items
    return codes


@pytest.mark.parametrize("cls", MODELS)
def test_items_that_nobody_has_are_ranked_by_their_texts(cls):
    options = {} if cls is CTR else {"max_iter": 40, "pretraining_max_iter": 20}
    model = small(cls, **options, item_alpha=1.0, alpha=0.1, unobserved_weight=0.05)
    model.fit(X, item_features=FEATURES)
    scores = model.decision_function(X)[:, ~KNOWN]
    likes = np.arange(N_USERS)[:, None] % 2 == TOPIC[~KNOWN]
    right = scores[likes].reshape(N_USERS, -1).mean(1) > scores[~likes].reshape(N_USERS, -1).mean(1)
    assert right.mean() >= 0.9


@pytest.mark.parametrize("n_levels", [1, 2])
def test_layers_are_pretrained_one_after_another(n_levels):
    sizes = (8, 6)[:n_levels]
    model = small(CDL, hidden_layer_sizes=sizes, pretraining_max_iter=30, corruption_level=0.0)
    model.fit(X, item_features=FEATURES)
    assert [len(curve) for curve in model.pretraining_curves_] == [30] * (n_levels + 1)
    assert all(curve[-1] < curve[0] for curve in model.pretraining_curves_)
    none = small(CDL, pretraining_max_iter=0).fit(X, item_features=FEATURES)
    assert none.pretraining_curves_ == []


@pytest.mark.parametrize("cls", [CDL, CVAE])
def test_word_values(cls):
    def fit(features, **options):
        return small(cls, **options).fit(X, item_features=features).components_

    ones = (FEATURES > 0) * 1.0
    shares = FEATURES / FEATURES.max(axis=1, keepdims=True)
    for name, given in (("binary", ones), ("max", shares)):
        np.testing.assert_array_equal(fit(FEATURES, word_values=name),
                                      fit(given, word_values="given"))  # fmt: skip
    with pytest.raises(ValueError, match=r"\[0, 1\]. Got item_features up to 3.*word_values"):
        fit(FEATURES, word_values="given")
    for unit in (2.0**-160, 2.0**160):  # beyond float32
        np.testing.assert_array_equal(fit(unit * FEATURES), fit(FEATURES))
    assert np.isfinite(fit(FEATURES, word_values="given", likelihood="gaussian")).all()


@pytest.mark.parametrize("cls", MODELS)
def test_negative_weights_of_words_are_refused(cls):
    fresh = small(cls)
    with pytest.raises(ValueError, match=r"not negative. Got item_features with -1"):
        fresh.fit(X, item_features=FEATURES - 1)
    with pytest.raises(NotFittedError):
        fresh.predict(X)
    model = small(cls).fit(X, item_features=FEATURES)
    with pytest.raises(ValueError, match="not negative"):
        model.with_items(-FEATURES[:1])


@pytest.mark.parametrize("cls", [CDL, CVAE])
def test_early_stopping_keeps_the_best_model(cls):
    model = small(
        cls, max_iter=12, early_stopping=True, validation_fraction=0.3, n_iter_no_change=4
    )
    model.fit(X, item_features=FEATURES)
    assert len(model.validation_scores_) == model.n_iter_
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert len(model.user_factors_) == N_USERS - 12
    # A fit that ends at that epoch is the same model.
    best = 1 + int(np.argmax(model.validation_scores_))
    short = clone(model).set_params(max_iter=best).fit(X, item_features=FEATURES)
    np.testing.assert_array_equal(short.components_, model.components_)
    for name, weight in model.weights_.items():
        np.testing.assert_array_equal(short.weights_[name], weight)


@pytest.mark.parametrize("cls", [CDL, CVAE])
def test_warm_start_goes_on(cls):
    model = small(cls, warm_start=True, max_iter=6).fit(X, item_features=FEATURES)
    curves, losses = model.pretraining_curves_, list(model.loss_curve_)
    model.set_params(max_iter=2).fit(X, item_features=FEATURES)
    assert model.n_iter_ == 8
    assert model.loss_curve_[:6] == losses
    assert model.loss_curve_[6] < losses[0]
    assert model.pretraining_curves_ == curves
    with pytest.raises(ValueError, match="warm_start"):
        model.fit(X, item_features=FEATURES[:, :5])


@pytest.mark.parametrize("cls", MODELS)
def test_a_saved_model_is_the_same(cls, tmp_path):
    model = small(cls).fit(X, item_features=csr_array(FEATURES))
    longer = model.with_items(FEATURES[:2])
    for one in (model, longer):
        skrec.save(one, tmp_path / "model.skops")
        twin = skrec.load(tmp_path / "model.skops")
        rows = csr_array(np.eye(one.n_features_in_))
        np.testing.assert_array_equal(twin.decision_function(rows), one.decision_function(rows))


def test_the_axes_are_those_of_pure_svd():
    model = small(CTR).fit(X, item_features=FEATURES)
    axes = PureSVD(5).fit(FEATURES[KNOWN]).components_
    unit = model.text_components_ / np.linalg.norm(model.text_components_, axis=1, keepdims=True)
    np.testing.assert_allclose(np.abs(np.sum(unit * axes, axis=1)), 1, atol=1e-8)


@pytest.mark.cuda
@pytest.mark.usefixtures("host_noise")
@pytest.mark.parametrize("cls", MODELS)
def test_cuda_agrees(cls):
    for features in (FEATURES, csr_array(FEATURES), None):
        options = {} if cls is CTR else {"early_stopping": True, "validation_fraction": 0.3}
        there, here = (
            small(cls, device=device, **options).fit(X, item_features=features)
            for device in ("cuda", "cpu")
        )
        np.testing.assert_allclose(there.loss_curve_, here.loss_curve_, rtol=1e-3)
        np.testing.assert_allclose(there.components_, here.components_, rtol=1e-2, atol=1e-2)
        on_cuda = there.decision_function(X)
        there.set_params(device="cpu")
        np.testing.assert_allclose(there.decision_function(X), on_cuda, rtol=1e-5, atol=1e-6)
