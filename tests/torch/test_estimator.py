"""What `fit` leaves behind when it resumes, diverges or is interrupted."""

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning

from skrec._torch._schedules import annealed, planned_annealing
from skrec.autoencoder import CDAE, ItemAutoRec, MultDAE, MultVAE, StackedAutoencoder

RNG = np.random.default_rng(0)
X = (RNG.random((40, 12)) < 0.4) * RNG.integers(1, 6, (40, 12)).astype(float)
SMALL = {"max_iter": 4, "random_state": 0}
MODELS = [
    MultVAE(4, hidden_layer_sizes=(6,), **SMALL),
    CDAE(4, **SMALL),
    ItemAutoRec(4, **SMALL),
]
EACH = pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)


def copy_of(weights):
    return {name: value.copy() for name, value in weights.items()}


@EACH
def test_a_resumed_fit_leaves_the_old_weights_alone(model):
    model = type(model)(**{**model.get_params(), "warm_start": True}).fit(X)
    old, before = model.weights_, copy_of(model.weights_)
    model.fit(X)
    for name, value in before.items():
        np.testing.assert_array_equal(old[name], value)
    assert any(np.any(model.weights_[name] != value) for name, value in before.items())


@EACH
def test_a_resumed_fit_that_diverges_leaves_the_model(model):
    model = type(model)(**{**model.get_params(), "warm_start": True}).fit(X)
    scores = model.decision_function(X)
    with pytest.raises(ValueError, match="learning_rate"):
        model.set_params(learning_rate=1e38).fit(X)
    np.testing.assert_array_equal(model.decision_function(X), scores)


def test_the_last_update_counts_too():
    with pytest.raises(ValueError, match="weights after epoch 1 are not finite"):
        MultDAE((6,), max_iter=1, batch_size=100, learning_rate=1e38, random_state=0).fit(X)


def test_another_network_cannot_be_resumed():
    model = MultDAE((6,), warm_start=True, **SMALL).fit(X)
    with pytest.raises(ValueError, match="warm_start=False"):
        model.set_params(hidden_layer_sizes=(7,)).fit(X)


class _Keep:
    """A callback that keeps the estimators it is given; or ends the fit as Ctrl-C does."""

    def __init__(self, interrupted_at=None):
        self.models, self.scores, self.interrupted_at = [], [], interrupted_at

    def setup(self, estimator, context):
        """Nothing to do."""

    def teardown(self, estimator, context):
        """Nothing to do."""

    def on_fit_task_begin(self, estimator, context):
        """Nothing to do."""

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        if context.task_name == "epoch" and context.task_id == self.interrupted_at:
            raise KeyboardInterrupt
        self.models.append(fitted_estimator)
        self.scores.append(fitted_estimator.decision_function(X))


@EACH
def test_estimators_that_callbacks_get_stay_as_they_were(model):
    pytest.importorskip("sklearn.callback")
    keep = _Keep()
    type(model)(**model.get_params()).set_callbacks(keep).fit(X)
    for kept, scores in zip(keep.models, keep.scores, strict=True):
        np.testing.assert_array_equal(kept.decision_function(X), scores)


@pytest.mark.parametrize("early_stopping", [False, True])
def test_an_interrupted_fit_says_which_model_it_leaves(early_stopping):
    pytest.importorskip("sklearn.callback")
    model = MultDAE((6,), early_stopping=early_stopping, **SMALL)
    which = "the epoch that validated best" if early_stopping else "epoch 3"
    with pytest.warns(ConvergenceWarning, match=f"the model is that of {which}"):
        model.set_callbacks(_Keep(interrupted_at=2)).fit(X)
    assert model.n_iter_ == len(model.loss_curve_) == 3
    assert np.isfinite(model.decision_function(X)).all()


def test_an_interruption_ends_pretraining_and_fit(monkeypatch):
    calls = []

    def interrupted(self, module, level, batch, generator):
        calls.append(level)
        raise KeyboardInterrupt

    monkeypatch.setattr(StackedAutoencoder, "_rating_loss", interrupted)
    with pytest.raises(KeyboardInterrupt):
        StackedAutoencoder((6, 3), pretraining="layerwise", **SMALL).fit(X)
    assert calls == [0]


def test_pretraining_weighs_users():
    model = StackedAutoencoder((6, 3), pretraining="layerwise", pretraining_max_iter=2, **SMALL)
    weight = np.arange(1.0, 41.0)
    curves = [model._fit_weighted(X, w).pretraining_curves_ for w in (None, weight)]
    for plain, weighted in zip(*curves, strict=True):
        assert np.abs(np.subtract(plain, weighted)).min() > 1e-3


def test_no_global_generator_is_touched(monkeypatch):
    seeded = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeded.append)
    before = torch.random.get_rng_state()
    MultVAE(4, hidden_layer_sizes=(6,), **SMALL).fit(X)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert seeded == []


@pytest.mark.parametrize(("dtype", "scale"), [(np.float32, 1e-25), (np.float64, 1e-170)])
def test_very_small_values_have_scores(dtype, scale):
    model = MultDAE((6,), **SMALL).fit(X)
    scores = model.decision_function((X * scale).astype(dtype))
    np.testing.assert_allclose(scores, model.decision_function(X.astype(dtype)), rtol=1e-4)


def test_annealing_goes_on_where_it_was():
    model = MultVAE(4, hidden_layer_sizes=(6,), warm_start=True, **SMALL).fit(X)
    steps, n_updates = model.n_annealing_steps_, model._n_updates
    model.fit(X)
    assert model.n_annealing_steps_ == steps
    assert annealed(n_updates, model.beta, steps) == model.beta


def test_large_weights_are_annealed_too():
    assert annealed(40, 1000.0, planned_annealing(1000.0, 100)) == pytest.approx(500.0)


def test_early_stopping_without_anyone_to_look_at():
    single = np.eye(12)[RNG.integers(0, 12, 40)]
    with pytest.warns(UserWarning, match="has two items"):
        model = MultDAE((6,), early_stopping=True, **SMALL).fit(single)
    assert model.n_iter_ == 4
    assert not hasattr(model, "best_validation_score_")
