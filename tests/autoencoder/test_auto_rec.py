"""UserAutoRec and ItemAutoRec: the objective, its optimum, predictions, curves."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from sklearn.base import clone

from skrec._torch._estimator import split_off_users
from skrec._torch._products import by_column, observed_product, sparse_product
from skrec._torch._rows import DeviceRows
from skrec._torch._schedules import rate_share
from skrec.autoencoder import ItemAutoRec, UserAutoRec
from skrec.autoencoder._code_ridge import solve_rows
from tests.problems import problem_of
from tests.reference import auto_rec as reference

SMALL = {"alpha": 1.0, "max_iter": 15, "batch_size": 16, "learning_rate": 0.01, "random_state": 0}
BOTH = pytest.mark.parametrize("Model", [UserAutoRec, ItemAutoRec])


def small(Model, **options):
    return Model(6, **{**SMALL, **options})


def make_ratings(n_users=60, n_items=25, *, density=0.4, seed=0):
    """Ratings with users', items' and two tastes' effects; never 0."""
    rng = np.random.default_rng(seed)
    level = 3 + rng.normal(0, 0.5, (n_users, 1)) + rng.normal(0, 0.5, (1, n_items))
    taste = rng.normal(0, 0.8, (n_users, 2)) @ rng.normal(0, 0.8, (2, n_items))
    ratings = np.clip(np.round(level + taste), 1, 5)
    return csr_array(ratings * (rng.random(ratings.shape) < density))


@pytest.fixture(scope="module")
def X():
    return make_ratings()


def drawn(shape, seed):
    return torch.from_numpy(np.random.default_rng(seed).normal(0, 0.3, shape))


def twin_weights(n_columns, d, seed):
    shapes = {
        "first.weight": (n_columns, d),
        "first.bias": (d,),
        "decoder.0.weight": (n_columns, d),
        "decoder.0.bias": (n_columns,),
        "center": (n_columns,),
    }
    return {
        name: drawn(shape, seed + at).numpy() for at, (name, shape) in enumerate(shapes.items())
    }


def loaded(model, weights, n_examples):
    """The module of a model in double precision with given weights."""
    model._n_examples = n_examples
    module = model._net(len(weights["first.weight"])).double()
    module.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    return module


def whole_gradient(model, module, batches):
    """What Adam gets as gradients of batches, times their sizes, added up."""
    total = {name: 0.0 for name, _ in module.named_parameters()}
    decay = {
        id(parameter): group.get("weight_decay", 0.0)
        for group in model._parameter_groups(module)
        for parameter in group["params"]
    }
    value = 0.0
    for batch in batches:
        module.zero_grad()
        loss = model._loss(module, batch, 0, None)
        loss.backward()
        size = (batch[0] if isinstance(batch[0], tuple) else batch).n_rows
        value += float(loss.detach()) * size
        for name, parameter in module.named_parameters():
            step = parameter.grad + decay[id(parameter)] * parameter.detach()
            total[name] = total[name] + size * step.numpy()
    return value, total


@pytest.mark.parametrize("weighted", [False, True])
@BOTH
def test_batches_add_up_to_the_objective(Model, weighted):
    """Loss and gradient of unequal batches, each with its share of the penalty: the twin's."""
    X = make_ratings(23, 9)
    model = small(Model, alpha=3.0, batch_size=10)
    n_users, n_items = X.shape
    n, m = (n_users, n_items) if Model is UserAutoRec else (n_items, n_users)
    R = X.toarray() if Model is UserAutoRec else X.toarray().T
    weight = np.random.default_rng(5).random(n_users) if weighted else None
    weights = twin_weights(m, 6, seed=7)
    module = loaded(model, weights, n)
    batches = model._batches(problem_of(X, weight))
    value, total = whole_gradient(model, module, batches)
    scaled = np.ones(n_users) if weight is None else weight / weight.mean()
    entry = np.broadcast_to(scaled, R.shape) if Model is ItemAutoRec else scaled[:, None]
    expected, gradient = reference.objective_and_gradient(R, weights, 3.0, entry)
    penalty = 1.5 * sum((weights[name] ** 2).sum() for name in weights if "weight" in name)
    assert value + penalty == pytest.approx(expected, rel=1e-5)
    for name, found in total.items():
        np.testing.assert_allclose(found, gradient[name], rtol=1e-4, atol=1e-4)


def test_the_twins_gradient_is_that_of_its_objective():
    R, weights = make_ratings(7, 5).toarray(), twin_weights(5, 3, seed=1)
    _, gradient = reference.objective_and_gradient(R, weights, 2.0)
    for name in gradient:
        value = weights[name]
        at = (0,) * value.ndim
        values = []
        for step in (1e-5, -1e-5):
            moved = {other: w.copy() for other, w in weights.items()}
            moved[name][at] += step
            values.append(reference.objective_and_gradient(R, moved, 2.0)[0])
        assert (values[0] - values[1]) / 2e-5 == pytest.approx(gradient[name][at], rel=1e-5)


def test_sparse_products_and_their_gradients():
    X = make_ratings(6, 8)
    rows = DeviceRows(X, "cpu", dtype=torch.float64).everything()
    turned = by_column(rows, 8)
    weight = drawn((8, 3), 0).requires_grad_()
    hidden = drawn((6, 3), 1).requires_grad_()
    product = sparse_product(rows, rows.value, weight, turned)
    np.testing.assert_allclose(product.detach(), X @ weight.detach().numpy(), rtol=1e-12)
    dense = (hidden @ weight.T).detach().numpy()
    observed = observed_product(rows, hidden, weight, turned)
    np.testing.assert_allclose(observed.detach(), dense[X.toarray() != 0], rtol=1e-12)
    assert torch.autograd.gradcheck(lambda w: sparse_product(rows, rows.value, w, turned), weight)
    assert torch.autograd.gradcheck(
        lambda h, w: observed_product(rows, h, w, turned), (hidden, weight)
    )


@pytest.mark.parametrize("n_components", [2, 8])
def test_linear_network_reaches_the_soft_thresholded_svd(n_components):
    rng = np.random.default_rng(0)
    R = rng.normal(size=(40, 3)) @ rng.normal(size=(3, 8)) + rng.normal(0, 0.3, (40, 8))
    R -= R.mean(axis=0)
    alpha = 60.0
    options = {"activation": "identity", "alpha": alpha, "batch_size": 40, "clip": False}
    model = UserAutoRec(n_components, **options, warm_start=True, random_state=0)
    for rate, n_epochs in ((0.02, 700), (0.002, 300)):
        model.set_params(learning_rate=rate, max_iter=n_epochs).fit(R)
    w = model.weights_
    penalty = alpha / 2 * sum((w[n].astype(np.float64) ** 2).sum() for n in w if "weight" in n)
    reached = ((R - model.decision_function(R)) ** 2).sum() + penalty
    best = reference.linear_optimum(R, alpha, n_components)
    # The threshold matters: without it, and with another one, the optimum is far off.
    assert reference.linear_optimum(R, 0.8 * alpha, n_components) < 0.95 * best
    assert best * (1 - 1e-5) <= reached <= 1.01 * best


@pytest.mark.parametrize("alpha", [0.0, 5.0])
def test_ridge_of_rows(alpha):
    """Fewer and more ratings than unknowns, one rating, none."""
    codes = np.random.default_rng(0).random((25, 6))
    X = make_ratings(30, 25)
    X = csr_array(
        np.vstack(
            [
                X.toarray()[:, :25],
                np.eye(1, 25),
                np.zeros((1, 25)),
                np.eye(2, 25)[1:] + np.eye(1, 25),
            ]
        )
    )
    weights, bias = solve_rows(X, codes, alpha)
    for row in range(X.shape[0]):
        at = np.flatnonzero(X[[row]].toarray()[0])
        design = np.column_stack([codes[at], np.ones(len(at))])
        normal = design.T @ design + alpha / 2 * np.diag([1.0] * 6 + [0.0])
        target = design.T @ X[[row]].toarray()[0, at]
        found = np.append(weights[row], bias[row])
        np.testing.assert_allclose(normal @ found, target, atol=1e-7)


def test_items_codes_are_kept_and_users_are_solved_for(X):
    model = small(ItemAutoRec, clip=False, center=True).fit(X)
    w = {name: value.astype(np.float64) for name, value in model.weights_.items()}
    ratings = X.toarray().T
    np.testing.assert_allclose(w["center"], ratings.sum(0) / (ratings != 0).sum(0), rtol=1e-6)
    read = (ratings - w["center"]) * (ratings != 0)
    codes = reference.sigmoid(read @ w["first.weight"] + w["first.bias"])
    np.testing.assert_allclose(model.components_, codes.T, rtol=1e-4)
    users, R = model.transform(X), X.toarray()
    bias = model.decision_function(X)[:, 0] - users @ model.components_[:, 0]
    learned = w["decoder.0.weight"], w["decoder.0.bias"]

    def objective(v, b):
        errors = ((R != 0) * (R - v @ codes.T - b[:, None]) ** 2).sum(axis=1)
        return errors + model.alpha / 2 * (v**2).sum(axis=1)

    assert (objective(users, bias) <= objective(*learned) + 1e-6).all()


@BOTH
def test_predicts_better_than_means(Model):
    R = make_ratings(300, 60, seed=3)
    held = np.random.default_rng(0).random(R.nnz) < 0.1
    rows = np.repeat(np.arange(300), np.diff(R.indptr))
    train, test = (
        csr_array((R.data[part], (rows[part], R.indices[part])), shape=R.shape)
        for part in (~held, held)
    )
    model = Model(40, alpha=20.0, max_iter=80, batch_size=32, learning_rate=0.005, random_state=0)
    found = -model.fit(train).score(train, test)
    count, total = (train != 0).sum(axis=0), train.sum(axis=0)
    means = (total / np.maximum(count, 1))[test.indices]
    assert found < 0.9 * np.sqrt(np.mean((means - test.data) ** 2))


@BOTH
def test_same_seed_same_bits(Model, X):
    one, two = (small(Model).fit(X) for _ in range(2))
    other = small(Model, random_state=1).fit(X)
    for name, value in one.weights_.items():
        np.testing.assert_array_equal(value, two.weights_[name])
        assert value.dtype == np.float32
    assert one.loss_curve_ == two.loss_curve_ != other.loss_curve_
    np.testing.assert_array_equal(one.decision_function(X), two.decision_function(X))


@BOTH
def test_default_where_nothing_is_known(Model, X):
    R = X.toarray()
    R[:, 3] = 0
    model = small(Model).fit(R)
    shown = np.vstack([R[:2], np.zeros((1, R.shape[1]))])
    scores = model.decision_function(shown)
    mean = R[R != 0].mean()
    np.testing.assert_allclose(scores[:, 3], mean)
    np.testing.assert_allclose(scores[2], mean)
    assert not np.isclose(scores[:2, [0, 1, 2, 4]], mean).any()
    given = small(Model, default_rating=2.5).fit(R).decision_function(shown)
    assert (given[:, 3] == 2.5).all()
    assert (given[2] == 2.5).all()
    np.testing.assert_array_equal(given[:2, 4:], scores[:2, 4:])


@BOTH
def test_clipping_to_the_observed_range(Model, X):
    R = X.toarray()
    R[R == 1] = 0  # the range is 2 to 5
    wide = small(Model, alpha=0.0, max_iter=60, clip=False).fit(R)
    free = wide.decision_function(R)
    assert free.min() < 2
    assert free.max() > 5
    clipped = clone(wide).set_params(clip=True).fit(R).decision_function(R)
    np.testing.assert_array_equal(clipped, np.clip(free, 2, 5))


@BOTH
def test_negative_ratings(Model, X):
    centred = X.toarray()
    centred[centred != 0] -= 3.5
    model = small(Model, max_iter=60, alpha=0.1).fit(centred)
    scores = model.decision_function(centred)
    assert np.corrcoef(scores[centred != 0], centred[centred != 0])[0, 1] > 0.6


@BOTH
def test_curves_of_errors(Model, X):
    test = make_ratings(20, 25, seed=1)
    model = small(Model).fit(X, X_test=test)
    curves = model.error_curves_
    assert set(curves) == {"train_reconstruction", "test_reconstruction", "test_prediction"}
    assert {len(curve) for curve in curves.values()} == {15}
    assert curves["train_reconstruction"][-1] < curves["train_reconstruction"][0]
    # The last epoch is the model: its own methods give the same errors.
    assert curves["test_prediction"][-1] == pytest.approx(-model.score(test), rel=1e-5)
    error = model.reconstruction_error(test)
    assert curves["test_reconstruction"][-1] == pytest.approx(error, rel=1e-5)
    dense = test.toarray()
    wrong = (model.decision_function(test) - dense)[dense != 0]
    assert error == pytest.approx(np.sqrt(np.mean(wrong**2)))
    plain = small(Model).fit(X)
    assert plain.error_curves_ == {}
    np.testing.assert_array_equal(plain.weights_["first.bias"], model.weights_["first.bias"])
    assert np.isnan(model.reconstruction_error(np.zeros((2, 25))))


@BOTH
def test_early_stopping_keeps_the_best(Model, X):
    options = {"early_stopping": True, "max_iter": 60, "n_iter_no_change": 4, "alpha": 0.01}
    model = small(Model, validation_fraction=0.3, learning_rate=0.05, **options).fit(X)
    scores = model.validation_scores_
    assert model.n_iter_ == len(scores) < 60
    assert model.best_validation_score_ == max(scores) > scores[-1]
    np.testing.assert_allclose(scores, -np.array(model.error_curves_["validation_prediction"]))
    seed = int(np.random.RandomState(0).randint(2**31 - 1))
    learned, held = split_off_users(X.shape[0], 0.3, seed)
    assert model.score(X[held]) == pytest.approx(model.best_validation_score_, rel=1e-5)
    best = int(np.argmax(scores))
    error = model.reconstruction_error(X[held])
    curve = model.error_curves_["validation_reconstruction"]
    assert curve[best] == pytest.approx(error, rel=1e-5)
    assert model.rating_range_ == (X[learned].data.min(), X[learned].data.max())


@BOTH
def test_warm_start(Model, X):
    model = small(Model, warm_start=True).fit(X)
    before = model.weights_["first.weight"].copy()
    model.set_params(max_iter=5).fit(X)
    assert model.n_iter_ == 20 == len(model.loss_curve_)
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    assert not np.array_equal(before, model.weights_["first.weight"])


def test_warm_start_of_other_users_is_refused(X):
    model = small(ItemAutoRec, warm_start=True).fit(X)
    with pytest.raises(ValueError, match="Got 40 users to learn from, expected 60"):
        model.fit(X[:40])


@BOTH
def test_bad_input(Model, X):
    with pytest.raises(ValueError, match="learning_rate"):
        small(Model, learning_rate=1e30, activation="identity").fit(X)
    with pytest.raises(ValueError, match="default_rating"):
        small(Model, default_rating="mean").fit(X)
    with pytest.raises(ValueError, match="7 features"):
        small(Model).fit(X, X_test=np.ones((3, 7)))


@BOTH
def test_linear_schedule_begins_alike_and_slows_down(Model, X):
    linear, constant = (small(Model, schedule=name).fit(X) for name in ("linear", "constant"))
    assert linear.loss_curve_[0] == constant.loss_curve_[0]
    assert linear.loss_curve_[1] != constant.loss_curve_[1]
    assert [rate_share("linear", done) for done in (0.25, 1.0)] == [0.75, 0.0]
    assert rate_share("constant", 0.25) == 1.0


@pytest.mark.cuda
@pytest.mark.usefixtures("host_noise")
@BOTH
def test_cuda_agrees_with_cpu(Model, X):
    cpu, cuda = (small(Model, device=device).fit(X) for device in ("cpu", "cuda"))
    for name, value in cpu.weights_.items():
        np.testing.assert_allclose(cuda.weights_[name], value, rtol=1e-3, atol=1e-3)
    cuda.set_params(device="cpu")
    found, expected = cuda.decision_function(X), cpu.decision_function(X)
    np.testing.assert_allclose(found, expected, rtol=1e-2, atol=1e-2)
