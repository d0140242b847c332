"""Both solvers of WMF on least squares problems of all shapes, easy ones and awkward ones."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from skrec.decomposition import WMF
from skrec.utils._wmf_als import HalfStep, gram_matrix
from skrec.utils._wmf_torch import TorchHalfStep

N_ROWS, N_OTHERS = 12, 40


@st.composite
def problems(draw):
    """Rows of 0 to 40 entries, the other side's vectors, and where to start."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    d = draw(st.integers(1, 10))
    density = draw(st.sampled_from([0.02, 0.1, 0.5, 1.0]))
    dense = (rng.uniform(size=(N_ROWS, N_OTHERS)) < density) * rng.choice([1.0, 2.0, 5.0])
    dense[0] = 0
    vectors = rng.normal(size=(N_OTHERS, d)) * 10.0 ** draw(st.integers(-12, 2))
    kind = draw(st.sampled_from(["any", "equal", "one axis", "some zero"]))
    if kind == "equal":
        vectors[:] = vectors[0]
    elif kind == "one axis":
        vectors[:, 1:] = 0
    elif kind == "some zero":
        vectors[::2] = 0
    penalty = np.full(N_ROWS, 10.0 ** draw(st.integers(-4, 8)))
    parts = {
        "X": csr_array(dense),
        "penalty": penalty,
        "weight": np.ones(N_OTHERS) * draw(st.sampled_from([1.0, 0.25, 30.0])),
        "confidence": draw(st.sampled_from([0.1, 1.0, 40.0])),
        "unobserved_weight": draw(st.sampled_from([0.0, 0.1, 1.0])),
    }
    if draw(st.booleans()):
        parts["counted"] = rng.uniform(size=N_OTHERS) < 0.7
    start = draw(st.sampled_from(["zero", "near", "far", "tiny"]))
    prior = rng.normal(size=(N_ROWS, d)).astype(dtype) if draw(st.booleans()) else None
    return parts, vectors.astype(dtype), start, rng, prior


def _missing(parts):
    counted = parts.get("counted", np.ones(N_OTHERS, bool))
    return parts["unobserved_weight"] * parts["weight"] * counted


def _systems(parts, vectors, prior):
    """A and b of each row, in float64."""
    H, D, s = vectors.astype(np.float64), parts["X"].toarray(), parts["weight"]
    weights = _missing(parts) + s * parts["confidence"] * D
    eye = np.eye(H.shape[1])
    A = [(H.T * c) @ H + p * eye for c, p in zip(weights, parts["penalty"], strict=True)]
    mean = 0.0 if prior is None else parts["penalty"][:, None] * prior.astype(np.float64)
    return np.array(A), (weights * (D > 0)) @ H + mean


def _started(start, A, b, dtype, rng):
    exact = np.linalg.solve(A, b[:, :, None])[:, :, 0]
    noise = rng.normal(size=b.shape)
    begin = {
        "zero": np.zeros_like(b),
        "near": exact,
        "far": noise * 100 * (1 + np.abs(exact).max()),
        "tiny": noise * 1e-40,
    }
    return begin[start].astype(dtype)


def test_a_row_that_overflows_stands_still():
    X = csr_array(np.array([[1e20]], dtype=np.float32))
    vectors, one = np.full((1, 2), 1e30, dtype=np.float32), np.ones(1)
    problem = {"confidence": 1.0, "unobserved_weight": 0.0, "cg_steps": 3}
    for step in (
        HalfStep(X, one, one, **problem), TorchHalfStep(X, one, one, device="cpu", **problem)
    ):  # fmt: skip
        found = np.zeros((1, 2), dtype=np.float32)
        step.solve(vectors, np.zeros((2, 2)), found)
        np.testing.assert_array_equal(found, 0)


@given(problems())
@settings(max_examples=200, deadline=None)
def test_all_solvers_solve_all_rows(problem):
    parts, vectors, start, rng, prior = problem
    dtype = vectors.dtype
    A, b = _systems(parts, vectors, prior)
    begin = _started(start, A, b, dtype, rng)
    weight = parts["weight"]
    gram = gram_matrix(vectors, 1.0, _missing(parts))
    steps = [
        HalfStep(**parts),
        HalfStep(**parts, cg_steps=1000),
        TorchHalfStep(**parts, device="cpu"),
    ]
    norm, info = np.linalg.norm(A, ord=2, axis=(1, 2)), np.finfo(dtype)
    D = parts["X"].toarray()
    terms = (D > 0) * (_missing(parts) + weight * parts["confidence"] * D)
    of_b = terms @ np.linalg.norm(vectors.astype(np.float64), axis=1)
    if prior is not None:
        of_b += parts["penalty"] * np.linalg.norm(prior.astype(np.float64), axis=1)
    solvers = [lambda out, step=step: step.solve(vectors, gram, out, prior) for step in steps]
    if prior is None:
        solvers += [lambda out: steps[0].solve_many(vectors, gram, out)]
    for solve in solvers:
        found = begin.copy()
        solve(found)
        assert np.isfinite(found).all()
        if prior is None:
            assert not found[0].any()  # a row without entries
        left = np.linalg.norm(b - (A @ found[:, :, None].astype(np.float64))[:, :, 0], axis=1)
        # Backward stable: the residual is what rounding makes of sums of (d + n) terms, those of
        # A x, of A x at the start and of b, and the least penalty, 4 eps trace(A), of A x. A
        # float32 below its normal numbers knows no better.
        length = np.linalg.norm(found.astype(np.float64), axis=1)
        rounding = norm * (length + np.linalg.norm(begin.astype(np.float64), axis=1)) + of_b
        d = vectors.shape[1]
        allowed = (d + N_OTHERS) * info.eps * rounding + 4 * d * info.eps * norm * length
        allowed += norm * info.tiny / info.eps
        solved = slice(prior is None, None)
        assert (left[solved] <= allowed[solved]).all()


def test_rows_that_conjugate_gradients_leave_are_solved_by_factors(monkeypatch):
    """Without steps enough, all but a row without entries are left."""
    rng = np.random.default_rng(0)
    X = csr_array(np.r_[np.zeros((1, N_OTHERS)), rng.uniform(size=(5, N_OTHERS)) < 0.3] * 1.0)
    vectors = rng.normal(size=(N_OTHERS, 8))
    options = {"confidence": 1.0, "unobserved_weight": 0.1}
    step = HalfStep(X, np.full(6, 0.1), np.ones(N_OTHERS), **options)
    gram = gram_matrix(vectors, 0.1)
    exact, found, wanted = np.zeros((6, 8)), np.zeros((6, 8)), []
    step.solve(vectors, gram, exact)
    descend = HalfStep._descend

    def few_steps(self, vectors, gram, out, prior, n_steps, losses):
        wanted.append(n_steps)
        return descend(self, vectors, gram, out, prior, 1, losses)

    monkeypatch.setattr(HalfStep, "_descend", few_steps)
    step.solve_many(vectors, gram, found)
    np.testing.assert_array_equal(found, exact)  # the same factors
    assert wanted == [16]


def test_enough_steps_leave_no_row(monkeypatch):
    rng = np.random.default_rng(0)
    X = csr_array((rng.uniform(size=(300, 200)) < 0.1).astype(np.float32))
    vectors = rng.normal(size=(200, 16)).astype(np.float32)
    step = HalfStep(X, np.ones(300), np.ones(200), confidence=1.0, unobserved_weight=0.1)
    gram, found = gram_matrix(vectors, 0.1), np.zeros((300, 16), np.float32)
    exact = found.astype(np.float64)
    step.solve(vectors.astype(np.float64), gram.astype(np.float64), exact)
    monkeypatch.setattr(HalfStep, "solve", lambda *_: pytest.fail("a row was left"))
    step.solve_many(vectors, gram, found)
    np.testing.assert_allclose(found, exact, atol=2e-6)


@given(
    shape=st.tuples(st.integers(2, 60), st.integers(2, 60)),
    density=st.sampled_from([0.01, 0.05, 0.3, 1.0]),
    alpha=st.sampled_from([0.1, 1.0, 100.0]),
    exponent=st.sampled_from([0.0, 0.5, 1.0]),
    dtype=st.sampled_from(["float32", "float64"]),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60, deadline=None)
def test_both_solvers_fit_the_same_model(shape, density, alpha, exponent, dtype, seed):
    X = csr_array((np.random.default_rng(seed).uniform(size=shape) < density) * 1.0)
    fit = {"alpha": alpha, "frequency_exponent": exponent, "dtype": dtype, "random_state": seed}
    fit |= {"n_components": 4, "max_iter": 10}
    exact = WMF(solver="cholesky", **fit).fit(X)
    rough = WMF(solver="cg", cg_steps=50, **fit).fit(X)
    # Scores are about 1. The error of a system is eps times its condition, which 60 vectors of
    # length 1 over a penalty of 0.1 make some hundreds, and ten sweeps hand it on.
    atol = 1e4 * np.finfo(dtype).eps
    np.testing.assert_allclose(
        rough.decision_function(X), exact.decision_function(X), rtol=0, atol=atol
    )
    np.testing.assert_allclose(rough.loss_curve_, exact.loss_curve_, rtol=atol, atol=atol)


def test_short_rows_over_many_items_converge_and_do_not_overflow():
    """Conjugate gradients used to go on from a residual of nothing, and grew."""
    rng = np.random.default_rng(0)
    pairs = rng.integers(0, 2000, (2, 8000))
    X = csr_array((np.ones(8000), pairs), shape=(2000, 2000))
    X.data[:] = 1
    fit = {"n_components": 16, "max_iter": 12, "dtype": "float32", "random_state": 0}
    exact = WMF(solver="cholesky", **fit).fit(X)
    for cg_steps in (3, 17, 200):
        rough = WMF(cg_steps=cg_steps, **fit).fit(X)
        np.testing.assert_allclose(rough.loss_curve_[-1], exact.loss_curve_[-1], rtol=1e-4)
        np.testing.assert_allclose(
            rough.decision_function(X[:50]), exact.decision_function(X[:50]), rtol=0, atol=1e-3
        )


@pytest.mark.parametrize("solver", ["cg", "cholesky"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("values", [5e-324, 1e-300, 1e-40, 1e-20, 1e15, 1e150], ids="{:g}".format)
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"unobserved_weight": 0.0},
        {"alpha": 1e-60},
        {"alpha": 1e-300, "confidence": 1e6},
        {"alpha": 1e30, "unobserved_weight": 0.0},
        {"alpha": 1e-60, "unobserved_weight": 0.0, "frequency_exponent": 0.0},
    ],
)
def test_values_and_penalties_of_any_size(solver, dtype, values, parameters):
    dense = np.zeros((8, 6))
    dense[0, 0] = dense[1] = dense[2, 3] = dense[3, 3] = values  # single, full, duplicates
    for X in (csr_array(dense), csr_array(np.full((5, 3), values)), csr_array((4, 3))):
        if dtype == "float32" and values > 1e20:
            continue  # an error, see test_wmf.py
        # With more unknowns than entries, A is singular but for its penalty.
        model = WMF(20, solver=solver, dtype=dtype, random_state=0, **parameters).fit(X)
        for rows in (X, csr_array(np.eye(X.shape[1]))):
            assert np.isfinite(model.decision_function(rows)).all()
        assert np.isfinite(model.explain(X, model.predict(X)).data).all()


@pytest.mark.parametrize("unobserved_weight", [0.1, 0.3])
def test_vectors_vanish_from_the_penalty_that_the_docstring_says(unobserved_weight):
    rng = np.random.default_rng(0)
    X = csr_array((np.ones(12_000), rng.integers(0, [[1000], [3000]], (2, 12_000))), (1000, 3000))
    X.data[:] = 1
    most = (1 + unobserved_weight) / unobserved_weight * X.nnz / (1000 * 3000)
    fit = {"unobserved_weight": unobserved_weight, "max_iter": 40, "random_state": 0}
    assert WMF(8, alpha=most / 2, **fit).fit(X).decision_function(X[:50]).max() > 0.1
    with pytest.warns(UserWarning, match="scores all items alike"):
        WMF(8, alpha=most * 4, **fit).fit(X)
