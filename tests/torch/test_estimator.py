"""What `fit` leaves behind when it resumes, diverges or is interrupted."""

import warnings

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from skrec._torch._schedules import annealed, planned_annealing
from skrec.autoencoder import (
    CDAE,
    GaussianMixtureVAE,
    ItemAutoRec,
    MultDAE,
    MultVAE,
    RecVAE,
    StackedAutoencoder,
    UserAutoRec,
)
from skrec.neural_network import GMF

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


ALL = [
    *MODELS,
    MultDAE((6,), **SMALL),
    GaussianMixtureVAE(2, n_components=3, hidden_layer_sizes=(6,), **SMALL),
    RecVAE(4, hidden_layer_sizes=(6,), **SMALL),
    UserAutoRec(4, **SMALL),
    StackedAutoencoder((4,), **SMALL),
]
EVERY = pytest.mark.parametrize("model", ALL, ids=lambda model: type(model).__name__)


@EVERY
def test_a_fit_that_fails_changes_nothing(model):
    model = type(model)(**model.get_params()).set_params(learning_rate=1e38)
    with pytest.raises(ValueError, match="learning_rate"):
        model.fit(X)
    with pytest.raises(NotFittedError):
        model.decision_function(X)
    model.set_params(learning_rate=0.01).fit(X)
    scores, state = model.decision_function(X), dict(vars(model))
    with pytest.raises(ValueError, match="learning_rate"):
        model.set_params(learning_rate=1e38).fit(10 * X[:, :8])
    assert vars(model).keys() == state.keys()
    for name in vars(model).keys() - {"learning_rate"}:
        assert vars(model)[name] is state[name], name
    np.testing.assert_array_equal(model.decision_function(X), scores)


@EVERY
def test_parameters_may_be_numbers_of_numpy(model):
    options = {"batch_size": np.int64(16), "max_iter": np.int32(2)}
    options["learning_rate"] = np.float32(0.5) / 512
    model = type(model)(**{**model.get_params(), **options})
    plain = {name: value.item() for name, value in options.items()}
    twin = type(model)(**{**model.get_params(), **plain})
    np.testing.assert_array_equal(
        model.fit(X).decision_function(X), twin.fit(X).decision_function(X)
    )


@pytest.mark.parametrize("make", [UserAutoRec, MultDAE], ids=lambda make: make.__name__)
def test_losses_are_means_over_users_whatever_the_batches(make):
    options = {**SMALL, "max_iter": 1, "learning_rate": 1e-12}
    if make is MultDAE:
        options["dropout"] = 0.0
    whole = make(batch_size=len(X), **options).fit(X).loss_curve_
    parts = make(batch_size=len(X) - 1, **options).fit(X).loss_curve_
    np.testing.assert_allclose(parts, whole, rtol=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_a_resumed_fit_keeps_the_model_it_began_with_if_none_is_better(seed):
    model = MultVAE(
        8, hidden_layer_sizes=(16,), max_iter=30, early_stopping=True, warm_start=True,
        batch_size=10, learning_rate=0.01, dropout=0.0, random_state=seed,
    ).fit(X)  # fmt: skip
    weights, best = copy_of(model.weights_), model.best_validation_score_
    model.set_params(max_iter=2, learning_rate=0.5).fit(X)
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert model.best_validation_score_ >= best
    if model.best_validation_score_ == best:
        for name, value in weights.items():
            np.testing.assert_array_equal(model.weights_[name], value)


def test_resumed_curves_of_errors_have_one_value_for_each_epoch():
    model = UserAutoRec(4, early_stopping=True, warm_start=True, **SMALL).fit(X)
    n_epochs = model.n_iter_
    model.fit(X)
    assert model.n_iter_ > n_epochs
    assert {len(curve) for curve in model.error_curves_.values()} == {model.n_iter_}


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
    with pytest.warns(ConvergenceWarning, match=f"the model of {which} is kept"):
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


@pytest.mark.parametrize(
    "model",
    [
        MultDAE((6,), **SMALL),
        MultVAE(4, hidden_layer_sizes=(6,), **SMALL),
        RecVAE(4, hidden_layer_sizes=(6,), **SMALL),
    ],
    ids=lambda model: type(model).__name__,
)
def test_many_users_stop_a_fit_early_by_default(model, monkeypatch):
    monkeypatch.setattr("skrec._torch._estimator.MANY_USERS", 30)
    few, many = clone(model).fit(X[:29]), clone(model).fit(X[:30])
    assert few.validation_scores_ == []
    assert not hasattr(few, "best_validation_score_")
    asked = clone(model).set_params(early_stopping=True).fit(X[:30])
    assert many.validation_scores_ == asked.validation_scores_
    assert len(many.validation_scores_) == many.n_iter_
    assert clone(model).set_params(early_stopping=False).fit(X).validation_scores_ == []
    # Nobody has two items: all epochs are made, and that is no fault of the caller's.
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*has two items")
        assert clone(model).fit(np.eye(12)[RNG.integers(0, 12, 40)]).n_iter_ == 4
    with pytest.raises(ValueError, match="early_stopping"):
        clone(model).set_params(early_stopping="never").fit(X)


@pytest.mark.parametrize(
    "model", [MultDAE(hidden_layer_sizes=(4,)), UserAutoRec(4), GMF(4), CDAE(4)]
)
def test_weights_that_leave_nothing_are_an_error_that_names_them(model):
    model = clone(model).set_params(max_iter=1, random_state=0)
    with pytest.raises(ValueError, match="sample_weight is zero for every user: no data is left"):
        model._fit_weighted(X, np.zeros(len(X)))
    for wrong in (np.nan, np.inf, -1.0):
        with pytest.raises(ValueError, match="sample_weight must be finite and >= 0"):
            model._fit_weighted(X, np.full(len(X), wrong))
    with pytest.raises(ValueError, match="one weight per user"):
        model._fit_weighted(X, np.ones(len(X) - 1))
    assert not hasattr(model, "n_features_in_")


def test_early_stopping_may_not_hold_out_all_weight():
    model = MultDAE(hidden_layer_sizes=(4,), max_iter=1, early_stopping=True, random_state=0)
    messages = set()
    for weight in np.eye(len(X)):
        try:
            model._fit_weighted(X, weight)
        except ValueError as error:
            messages.add(str(error))
    assert len(messages) == 1
    assert "early stopping holds out the other users" in messages.pop()
