"""WMF against dense algebra, its stated objective, implicit, and torch."""

from functools import partial

import joblib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array, csr_matrix

from skrec import _weighted_factors
from skrec.decomposition import WMF
from skrec.utils import _wmf_torch
from skrec.utils._wmf_als import HalfStep, alternate, gram_matrix, vanishing_penalty

N_USERS, N_ITEMS = 60, 40
# Hu et al.; iALS; values that count; nothing unobserved; all of it at once.
SETTINGS = [
    {"confidence": 3.0, "alpha": 2.0, "unobserved_weight": 1.0, "frequency_exponent": 0.0},
    {"confidence": 1.0, "alpha": 0.05, "unobserved_weight": 0.1, "frequency_exponent": 1.0},
    {"confidence": 1.0, "alpha": 0.5, "unobserved_weight": 0.0, "frequency_exponent": 0.5},
    {"confidence": 2.0, "alpha": 0.1, "unobserved_weight": 0.3, "frequency_exponent": 0.5},
]

# Chosen on training data by docs/benchmarks/run.py, ml1m_ncf.
NCF = {"unobserved_weight": 0.3, "alpha": 0.006}


def _data(seed=0, shape=(N_USERS, N_ITEMS), dtype=np.float64):
    rng = np.random.RandomState(seed)
    dense = (rng.uniform(size=shape) < 0.2) * rng.randint(1, 4, shape)
    return csr_array(dense.astype(dtype))


def _penalties(D, weight, *, alpha, unobserved_weight, frequency_exponent, **_):
    of_users = (D > 0).sum(1) + unobserved_weight * D.shape[1]
    of_items = weight @ (D > 0) + unobserved_weight * weight.sum()
    return alpha * of_users**frequency_exponent, alpha * of_items**frequency_exponent


def _objective(X, W, H, weight=None, **parameters):
    """What the class promises to minimise, cell by cell."""
    D = X.toarray()
    weight = np.ones(len(D)) if weight is None else weight
    C = parameters["unobserved_weight"] + parameters["confidence"] * D
    of_users, of_items = _penalties(D, weight, **parameters)
    cells = weight @ (C * ((D > 0) - W @ H.T) ** 2).sum(1)
    return cells + (weight * of_users) @ (W**2).sum(1) + of_items @ (H**2).sum(1)


def _solved_users(X, H, **parameters):
    D = X.toarray()
    C = parameters["unobserved_weight"] + parameters["confidence"] * D
    penalty, _ = _penalties(D, np.ones(len(D)), **parameters)
    eye = np.eye(H.shape[1])
    return np.array(
        [
            np.linalg.solve((H.T * c) @ H + p * eye, H.T @ (c * (row > 0)))
            if row.any()
            else np.zeros(len(eye))
            for c, p, row in zip(C, penalty, D, strict=True)
        ]
    )


@pytest.mark.parametrize("parameters", SETTINGS)
def test_rows_are_solved_in_closed_form(parameters):
    X = _data()
    new = csr_array(np.vstack([_data(1).toarray()[:20], np.zeros(N_ITEMS)]))
    model = WMF(6, **parameters, max_iter=5, random_state=0).fit(X)
    H = model.components_.T
    expected = _solved_users(new, H, **parameters)
    np.testing.assert_allclose(model.transform(new), expected, atol=1e-10)
    np.testing.assert_allclose(model.decision_function(new), expected @ H.T, atol=1e-10)
    # Conjugate gradients in the fit, Cholesky factors afterwards: equal but for rounding.
    np.testing.assert_allclose(model.transform(X), model.user_factors_, atol=1e-10)
    assert not model.decision_function(new[[20]]).any()


@pytest.mark.parametrize("parameters", SETTINGS)
@pytest.mark.parametrize("weighted", [False, True])
def test_the_loss_curve_is_the_stated_objective(parameters, weighted):
    X, rng = _data(), np.random.default_rng(0)
    weight = rng.uniform(0.5, 2, N_USERS) if weighted else None
    start = rng.normal(size=(N_ITEMS, 6))
    model = WMF(6, **parameters, solver="cholesky")
    model.alpha_ = parameters["alpha"]
    steps = model._half_steps(X, weight)
    curve = alternate(*steps, np.zeros((N_USERS, 6)), start.copy(), weight, range(3))
    H = start.copy()
    for found in curve:  # once more, a sweep at a time, to see the state in the middle
        W = _solved_users(X, H, **parameters)
        assert found == pytest.approx(_objective(X, W, H, weight, **parameters), rel=1e-9)
        alternate(*steps, W, H, weight, range(1))


@pytest.mark.parametrize("parameters", SETTINGS)
def test_the_loss_falls_and_the_gradient_vanishes(parameters):
    X = _data()
    model = WMF(3, **parameters, solver="cholesky", max_iter=800, random_state=1).fit(X)
    curve = np.array(model.loss_curve_)
    assert (np.diff(curve) <= 1e-9 * curve[0]).all()
    assert curve[-1] < 0.9 * curve[0]
    assert model.n_iter_ == len(curve) == 800
    W, H = model.user_factors_, np.array(model.components_.T)
    loss = partial(_objective, X, **parameters)
    step, rng = 1e-5, np.random.default_rng(0)
    for _ in range(20):
        direction = rng.normal(size=H.shape)
        slope = (loss(W, H + step * direction) - loss(W, H - step * direction)) / (2 * step)
        assert abs(slope) < 1e-4 * curve[-1]


@pytest.mark.parametrize("parameters", SETTINGS)
def test_conjugate_gradients_reach_what_cholesky_reaches(parameters):
    X = _data()
    fit = {"max_iter": 800, "random_state": 0, **parameters}
    exact = WMF(3, solver="cholesky", **fit).fit(X)
    rough = WMF(3, solver="cg", cg_steps=2, **fit).fit(X)
    assert (np.diff(rough.loss_curve_) <= 1e-9 * rough.loss_curve_[0]).all()
    assert rough.loss_curve_[-1] == pytest.approx(exact.loss_curve_[-1], rel=1e-6)


def test_enough_conjugate_gradient_steps_solve_a_half_step_exactly():
    X, H = _data(), np.random.default_rng(0).normal(size=(N_ITEMS, 5))
    problem = {"confidence": 2.0, "unobserved_weight": 0.3}
    gram = gram_matrix(H, 0.3)
    found = []
    for cg_steps in (0, 12):
        out = np.zeros((N_USERS, 5))
        step = HalfStep(X, np.ones(N_USERS), np.ones(N_ITEMS), **problem, cg_steps=cg_steps)
        step.solve(H, gram, out)
        found.append(out)
    np.testing.assert_allclose(found[1], found[0], atol=1e-10)


@given(st.integers(0, 100), st.floats(0.01, 2.0), st.floats(0.001, 1.0), st.floats(0, 2))
@settings(max_examples=25)
def test_the_objective_of_ials_revisited_is_ours_scaled(seed, alpha0, lambda_, nu):
    # Rendle et al. 2022, equations 2 to 4: observed cells twice, targets 1 and 0.
    X = csr_array((_data(seed) > 0).astype(float))
    D, rng = X.toarray(), np.random.default_rng(seed)
    W, H = rng.normal(size=(N_USERS, 4)), rng.normal(size=(N_ITEMS, 4))
    scale = 1 + alpha0
    w, h = W / np.sqrt(scale), H / np.sqrt(scale)
    y = w @ h.T
    theirs = (D * (y - 1) ** 2).sum() + alpha0 * (y**2).sum()
    theirs += lambda_ * ((D.sum(1) + alpha0 * N_ITEMS) ** nu @ (w**2).sum(1))
    theirs += lambda_ * ((D.sum(0) + alpha0 * N_USERS) ** nu @ (h**2).sum(1))
    ours = _objective(
        X, W, H, confidence=1.0, alpha=lambda_ * scale, unobserved_weight=alpha0,
        frequency_exponent=nu,
    )  # fmt: skip
    constant = D.sum() * alpha0 / scale
    assert ours == pytest.approx(scale**2 * (theirs - constant), rel=1e-9)


@pytest.mark.parametrize("confidence", [1.0, 15.0])
def test_rows_agree_with_implicits_recalculate_user(confidence):
    from implicit.cpu.als import AlternatingLeastSquares

    X = _data()
    model = WMF(
        8, confidence=confidence, alpha=3.0, unobserved_weight=1.0, frequency_exponent=0.0,
        max_iter=4, random_state=0,
    ).fit(X)  # fmt: skip
    peer = AlternatingLeastSquares(8, regularization=3.0, dtype=np.float64, num_threads=1)
    peer.item_factors = np.ascontiguousarray(model.components_.T)
    # implicit's stored value is the whole weight c of a cell; ours is 1 + confidence x.
    weights = csr_matrix(X)
    weights.data = 1 + confidence * weights.data
    expected = peer.recalculate_user(np.arange(N_USERS), weights)
    np.testing.assert_allclose(model.transform(X), expected, atol=1e-6)


@pytest.mark.parametrize("solver", ["cg", "cholesky"])
@pytest.mark.parametrize("unobserved_weight", [0.0, 0.2])
def test_sample_weight_is_repetition(solver, unobserved_weight):
    X = _data()
    weight = np.random.RandomState(1).randint(0, 4, N_USERS)
    fit = {"solver": solver, "unobserved_weight": unobserved_weight, "random_state": 0}
    weighted = WMF(5, **fit).fit(X, sample_weight=weight)
    repeated = WMF(5, **fit).fit(X[np.repeat(np.arange(N_USERS), weight)])
    np.testing.assert_allclose(weighted.components_, repeated.components_, atol=1e-9)
    np.testing.assert_allclose(weighted.loss_curve_, repeated.loss_curve_, rtol=1e-9)
    np.testing.assert_allclose(
        weighted.decision_function(X), repeated.decision_function(X), atol=1e-9
    )
    assert weighted.user_factors_.shape == (N_USERS, 5)  # of those with weight 0, too
    with pytest.raises(ValueError, match="zero for every user"):
        WMF().fit(X, sample_weight=np.zeros(N_USERS))


def test_order_of_the_users_and_threads_do_not_matter():
    X = _data(shape=(3000, 50))
    one = WMF(5, n_jobs=1, random_state=0).fit(X)
    two = WMF(5, n_jobs=2, random_state=0).fit(X)
    np.testing.assert_array_equal(one.components_, two.components_)
    np.testing.assert_array_equal(one.user_factors_, two.user_factors_)
    order = np.random.RandomState(0).permutation(X.shape[0])
    shuffled = WMF(5, random_state=0).fit(X[order])
    np.testing.assert_allclose(shuffled.components_, one.components_, atol=1e-8)


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_fits_run_side_by_side(backend):
    X = _data()
    models = joblib.Parallel(n_jobs=2, backend=backend)(
        joblib.delayed(WMF(4, n_jobs=2, random_state=seed).fit)(X) for seed in (0, 1)
    )
    for seed, model in enumerate(models):
        expected = WMF(4, n_jobs=1, random_state=seed).fit(X).components_
        np.testing.assert_array_equal(model.components_, expected)


def test_relabelled_items_are_relabelled_where_the_minimum_is_reached():
    # The first vectors are drawn by the index of the item; the minimum does not know of them.
    X, order = _data(), np.random.RandomState(2).permutation(N_ITEMS)
    fit = {"solver": "cholesky", "alpha": 0.3, "max_iter": 1500, "random_state": 0}
    expected = WMF(2, **fit).fit(X).decision_function(X)[:, order]
    actual = WMF(2, **fit).fit(csr_array(X[:, order])).decision_function(csr_array(X[:, order]))
    np.testing.assert_allclose(actual, expected, atol=1e-6)


def test_explain_adds_up_and_is_what_leaving_an_entry_out_of_b_takes_away():
    X = _data()
    model = WMF(6, **SETTINGS[3], random_state=0).fit(X)
    items = model.recommend(X, k=3)
    items[4, 1] = -1
    contributions = model.explain(X, items)
    scores = np.take_along_axis(model.decision_function(X), items, axis=1)
    scores[4, 1] = 0
    np.testing.assert_allclose(contributions.sum(axis=1), scores.ravel(), atol=1e-10)
    # By the formula, for one user.
    H, D = model.components_.T, X.toarray()
    c = 0.3 + 2 * D[7]
    penalty, _ = _penalties(D, np.ones(N_USERS), **SETTINGS[3])
    inverse = np.linalg.inv((H.T * c) @ H + penalty[7] * np.eye(6))
    expected = (D[7] > 0) * c * (H[items[7, 2]] @ inverse @ H.T)
    np.testing.assert_allclose(contributions[[23]].toarray()[0], expected, atol=1e-10)
    with pytest.raises(ValueError, match="n_users=60"):
        model.explain(X, [0])


def test_similar_items_are_those_with_the_largest_cosine():
    X = _data()
    model = WMF(6, random_state=0).fit(X)
    unit = model.components_ / np.maximum(np.linalg.norm(model.components_, axis=0), 1e-300)
    cosines = unit.T @ unit
    np.fill_diagonal(cosines, -np.inf)
    expected = np.argsort(-cosines[[3, 8]], axis=1)[:, :4]
    np.testing.assert_array_equal(model.similar_items([3, 8], k=4), expected)


def test_float32_is_close_to_float64():
    X = _data(shape=(400, 80))
    fit = {"max_iter": 5, "random_state": 0}
    narrow = WMF(8, dtype="float32", **fit).fit(X)
    wide = WMF(8, dtype="float64", **fit).fit(X)
    assert narrow.components_.dtype == np.float32
    assert narrow.transform(X).dtype == np.float64
    np.testing.assert_allclose(narrow.decision_function(X), wide.decision_function(X), atol=1e-4)
    assert WMF(2, max_iter=1).fit(csr_array((3, 2000))).components_.dtype == np.float32
    assert WMF(2, max_iter=1).fit(X).components_.dtype == np.float64


def _on_torch_cpu(monkeypatch):
    """Let WMF solve by the code that is meant for CUDA, on the CPU; returns its half steps."""
    import torch

    from skrec.utils._wmf_torch import TorchHalfStep

    made = []

    def half_step(X, penalty, weight, *, n_jobs, **problem):
        made.append(TorchHalfStep(X, penalty, weight, device=torch.device("cpu"), **problem))
        return made[-1]

    monkeypatch.setattr(_weighted_factors, "HalfStep", half_step)
    return made


@pytest.mark.parametrize("parameters", SETTINGS)
@pytest.mark.parametrize("elements", [1, 2000, 1 << 26])
def test_batched_solves_in_torch_agree(monkeypatch, parameters, elements):
    X, weight = _data(), np.random.RandomState(1).randint(0, 3, N_USERS)
    fit = {**parameters, "solver": "cholesky", "max_iter": 6, "random_state": 0}
    expected = WMF(5, **fit).fit(X, sample_weight=weight)
    made = _on_torch_cpu(monkeypatch)
    factor, n_solved = _wmf_torch._factor, []
    monkeypatch.setattr(
        _wmf_torch, "_factor", lambda batch: n_solved.append(len(batch)) or factor(batch)
    )
    monkeypatch.setattr(_wmf_torch, "_BATCH_ELEMENTS", elements)
    actual = WMF(5, **fit).fit(X, sample_weight=weight)
    # Users of weight 0 teach nothing; the vectors of all are solved for at the end, and then
    # those of the few users whose scores `fit` looks at.
    n_rows = [len(step.lengths) for step in made]
    assert n_rows[:-1] == [(weight > 0).sum(), X.shape[1], X.shape[0]]
    users, items, everyone, few = (np.count_nonzero(step.lengths) for step in made)
    assert few <= 8
    assert sum(n_solved) == 6 * (users + items) + everyone + few
    assert max(n_solved) == {1: 1, 2000: 32, 1 << 26: len(weight)}[elements]
    np.testing.assert_allclose(actual.loss_curve_, expected.loss_curve_, rtol=1e-9)
    np.testing.assert_allclose(actual.components_, expected.components_, atol=1e-8)
    np.testing.assert_allclose(actual.transform(X), expected.transform(X), atol=1e-8)


def test_torch_keeps_a_matrix_solvable_that_rounding_has_made_indefinite():
    import torch

    from skrec.utils._wmf_torch import _factor

    y = torch.tensor([1.0, 2.0, 3.0])
    matrix = torch.stack([torch.outer(y, y) - 1e-7 * torch.eye(3), torch.eye(3)])
    factor = _factor(matrix.clone())
    assert torch.isfinite(factor).all()
    torch.testing.assert_close(factor @ factor.mT, matrix, atol=1e-4, rtol=0)
    torch.testing.assert_close(factor[1], torch.eye(3), atol=0, rtol=0)  # was well already


@pytest.mark.parametrize("parameters", SETTINGS)
@pytest.mark.parametrize("elements", [1, 2000, 1 << 26])
@pytest.mark.parametrize("cg_steps", [1, 3, 30])
def test_batched_steps_in_torch_are_those_of_the_kernel(
    monkeypatch, parameters, elements, cg_steps
):
    X, weight = _data(), np.random.RandomState(1).randint(0, 3, N_USERS)
    fit = {**parameters, "cg_steps": cg_steps, "max_iter": 4, "random_state": 0}
    expected = WMF(5, **fit).fit(X, sample_weight=weight)
    _on_torch_cpu(monkeypatch)
    monkeypatch.setattr(_wmf_torch, "_BATCH_ELEMENTS", elements)
    actual = WMF(5, **fit).fit(X, sample_weight=weight)
    np.testing.assert_allclose(actual.loss_curve_, expected.loss_curve_, rtol=1e-9)
    np.testing.assert_allclose(actual.components_, expected.components_, atol=1e-8)
    np.testing.assert_allclose(actual.transform(X), expected.transform(X), atol=1e-8)


@pytest.mark.parametrize("scale", [1.0, 1e-18, 1e18, 1e-40])
def test_steps_in_torch_in_single_precision(scale):
    """Squares of what is solved would under- or overflow: see the kernel's units."""
    X, rng = _data(dtype=np.float32), np.random.default_rng(0)
    vectors = rng.normal(size=(N_ITEMS, 5)).astype(np.float32)
    gram = gram_matrix(vectors, 0.1)
    problem = (X, np.full(N_USERS, 1.0), np.ones(N_ITEMS))
    options = {"confidence": 1.0, "unobserved_weight": 0.1, "cg_steps": 4}
    prior = scale * rng.normal(size=(N_USERS, 5)).astype(np.float32)
    found = []
    for step in (
        HalfStep(*problem, **options),
        _wmf_torch.TorchHalfStep(*problem, **options, device="cpu"),
    ):
        out = np.zeros((N_USERS, 5), dtype=np.float32)
        loss = step.solve(vectors, gram, out, prior)
        found.append(out)
        assert np.isfinite(loss)
    np.testing.assert_allclose(*found, rtol=1e-4, atol=1e-4 * max(1, scale))


@pytest.mark.parametrize("largest", [0.0, 1e-300, 1e-200, 0.7, 1.0, 3.0, 1e200, np.inf, np.nan])
def test_units_in_torch(largest):
    import torch

    unit, moves = _wmf_torch._unit(
        torch.tensor([[0.0, -largest, largest / 3]], dtype=torch.float64)
    )
    expected = 2.0 ** np.floor(np.log2(largest)) if 1e-250 < largest < np.inf else 1.0
    assert (unit.item(), moves.item()) == (expected, not largest < 1e-250)


def test_torch_leaves_rows_that_have_their_solution():
    X, rng = _data(), np.random.default_rng(0)
    vectors = rng.normal(size=(N_ITEMS, 5))
    problem = (X, np.full(N_USERS, 1.0), np.ones(N_ITEMS))
    options = {"confidence": 1.0, "unobserved_weight": 0.1, "device": "cpu"}
    exact, gram = np.zeros((N_USERS, 5)), gram_matrix(vectors, 0.1)
    _wmf_torch.TorchHalfStep(*problem, **options).solve(vectors, gram, exact)
    again = exact.copy()
    _wmf_torch.TorchHalfStep(*problem, **options, cg_steps=50).solve(vectors, gram, again)
    np.testing.assert_allclose(again, exact, rtol=1e-10, atol=1e-12)


def test_a_sweep_in_torch_asks_the_device_for_nothing():
    """A tensor without data raises where the host would wait."""
    import torch

    X, meta = _data(), torch.device("meta")
    steps = [
        _wmf_torch.TorchHalfStep(
            matrix, np.ones(matrix.shape[0]), np.ones(matrix.shape[1]), confidence=1.0,
            unobserved_weight=0.1, cg_steps=3, device=meta,
        )
        for matrix in (X, csr_array(X.T.tocsr()))
    ]  # fmt: skip
    users, items = (torch.empty(n, 5, device=meta) for n in X.shape)
    weight = torch.empty(N_USERS, dtype=torch.float64, device=meta)
    assert steps[0]._sweep(steps[1], users, items, weight).device == meta


@pytest.mark.cuda
@pytest.mark.parametrize("parameters", SETTINGS)
@pytest.mark.parametrize("solver", ["cg", "cholesky"])
def test_cuda_agrees(parameters, solver):
    X = _data(shape=(500, 80))
    fit = {**parameters, "solver": solver, "max_iter": 6, "random_state": 0, "dtype": "float64"}
    expected = WMF(8, **fit).fit(X)
    actual = WMF(8, device="cuda", **fit).fit(X)
    np.testing.assert_allclose(actual.loss_curve_, expected.loss_curve_, rtol=1e-8)
    np.testing.assert_allclose(actual.components_, expected.components_, atol=1e-7)
    np.testing.assert_allclose(actual.set_params(device="cpu").transform(X), actual.user_factors_)


@pytest.mark.parametrize("solver", ["cg", "cholesky"])
@pytest.mark.parametrize("alpha", [1e3, 1e20])
def test_a_penalty_that_leaves_nothing(solver, alpha):
    """Vectors fall to zero; on the way their squares are zero already."""
    X = _data(dtype=np.float32)
    model = WMF(4, alpha=alpha, unobserved_weight=1.0, frequency_exponent=0.0, max_iter=20,
                solver=solver, random_state=0)  # fmt: skip
    np.testing.assert_allclose(model.fit(X).decision_function(X), 0, atol=1e-30)


@pytest.mark.parametrize("parameters", SETTINGS)
@pytest.mark.parametrize("solver", ["cg", "cholesky"])
def test_from_the_vanishing_penalty_on_nothing_is_left_where_all_are_alike(parameters, solver):
    # Each user has the next four items of a circle: all rows are alike, and all columns.
    n = 24
    X = csr_array(((np.arange(n)[:, None] - np.arange(n)) % n < 4) * 2.0)
    fixed = {name: value for name, value in parameters.items() if name != "alpha"}
    limit = vanishing_penalty(X, None, **fixed)
    fit = {**fixed, "solver": solver, "max_iter": 400, "init_scale": 1.0, "random_state": 0}
    left = WMF(2, alpha=0.95 * limit, **fit).fit(X).decision_function(X)
    assert left.max() > 1e-3
    with pytest.warns(UserWarning, match="scores all items alike"):
        gone = WMF(2, alpha=1.05 * limit, **fit).fit(X).decision_function(X)
    assert np.abs(gone).max() < 1e-6


@pytest.mark.parametrize("parameters", SETTINGS)
def test_auto_takes_the_same_share_of_it_whatever_the_data(parameters):
    fixed = {name: value for name, value in parameters.items() if name != "alpha"}
    X, weight = _data(), np.random.RandomState(1).randint(1, 4, N_USERS)
    model = WMF(2, **fixed, max_iter=1, random_state=0)
    assert model.fit(X).alpha_ == pytest.approx(0.05 * vanishing_penalty(X, None, **fixed))
    repeated = model.fit(X[np.repeat(np.arange(N_USERS), weight)]).alpha_
    assert model.fit(X, sample_weight=weight).alpha_ == pytest.approx(repeated)
    assert model.set_params(alpha=0.3).fit(X).alpha_ == 0.3
    assert WMF(2, max_iter=1).fit(csr_array((3, 4))).alpha_ > 0


def test_what_overflows_or_is_wrong_is_an_error():
    X = _data(dtype=np.float32)
    with pytest.raises(ValueError, match="overflow float32"):
        WMF(4, alpha=0.01, confidence=1e30, dtype="float32", random_state=0).fit(
            X * np.float32(1e15)
        )
    for wrong in (
        {"alpha": 0.0},
        {"alpha": "best"},
        {"confidence": -1.0},
        {"unobserved_weight": -0.1},
        {"frequency_exponent": float("nan")},
        {"solver": "lu"},
        {"dtype": "float16"},
        {"cg_steps": 0},
        {"init_scale": 0},
    ):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            WMF(**wrong).fit(X)
    with pytest.raises(ValueError, match="cuda"):
        WMF(device="cuda:99").fit(X)


@pytest.mark.slow
def test_ncf_protocol_on_movielens_1m(data_home):
    """He et al.'s split: HR@10 and nDCG@10 at least .715 and .440 with 64 factors."""
    folder = data_home / "ml-1m"
    if not folder.is_dir():
        pytest.skip("ml-1m is not there")
    log, split = np.load(folder / "interactions.npz"), np.load(folder / "ncf_leave_one_out.npz")
    test_item, negatives = split["test_item"].astype(np.intp), split["negatives"].astype(np.intp)
    train = log["item"] != test_item[log["user"]]
    users, items = log["user"][train], log["item"][train]
    X = csr_array((np.ones(len(users), np.float32), (users, items)), shape=(6040, 3706))
    model = WMF(64, **NCF, random_state=0).fit(X)
    everyone = np.arange(len(test_item))
    positive = model.score_pairs(X, everyone, test_item)
    others = model.score_pairs(X, np.repeat(everyone, 99), negatives.ravel()).reshape(-1, 99)
    ahead = (others >= positive[:, np.newaxis]) & (negatives != test_item[:, np.newaxis])
    rank = ahead.sum(axis=1)
    assert np.mean(rank < 10) > 0.715
    assert np.mean((rank < 10) / np.log2(rank + 2)) > 0.440
