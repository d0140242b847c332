"""The top-k kernel against a naive argsort twin: masks, ties, infinities, scales."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import csr_array

from skrec.utils._ties import quantize_scores
from skrec.utils._topk import top_k
from skrec.utils._topk_kernels import _largest_finite

DTYPES = (np.float32, np.float64)


def naive(scores, k, *, seen=None, allowed=None):
    """Stable argsort of the quantised scores, one row at a time."""
    keys = quantize_scores(scores)
    items = np.full((len(scores), k), -1, dtype=np.intp)
    values = np.full((len(scores), k), -np.inf, dtype=scores.dtype)
    for u, row in enumerate(keys):
        part = scores[u] != -np.inf
        if seen is not None:
            part &= seen.toarray()[u] == 0
        if allowed is not None:
            part &= allowed if isinstance(allowed, np.ndarray) else allowed.toarray()[u] != 0
        order = [i for i in np.argsort(-row, kind="stable") if part[i]][:k]
        items[u, : len(order)] = order
        values[u, : len(order)] = scores[u, order]
    return items, values


def check(scores, k, **masks):
    for n_jobs in (1, 2):
        items, values = top_k(scores, k, n_jobs=n_jobs, **masks)
        expected_items, expected_values = naive(scores, k, **masks)
        np.testing.assert_array_equal(items, expected_items)
        np.testing.assert_array_equal(values, expected_values)
        assert items.dtype == np.intp
        assert values.dtype == scores.dtype


def _scores(kind, shape, rng):
    if kind == "normal":
        return rng.standard_normal(shape)
    if kind == "ties":
        return rng.integers(-2, 3, size=shape).astype(float)
    if kind == "sparse":
        return np.where(rng.random(shape) < 0.02, rng.random(shape), 0.0)
    if kind == "skewed":
        return np.exp(4 * rng.standard_normal(shape))
    if kind == "near":  # cells that hold several different scores
        return 1.0 + 1e-6 * rng.integers(0, 20, size=shape) + 1e-14 * rng.standard_normal(shape)
    if kind == "ascending":
        return np.sort(rng.standard_normal(shape), axis=1)
    if kind == "infinite":
        scores = rng.standard_normal(shape)
        scores[rng.random(shape) < 0.4] = -np.inf
        scores[rng.random(shape) < 0.01] = np.inf
        return scores
    raise ValueError(kind)


KINDS = ("normal", "ties", "sparse", "skewed", "near", "ascending", "infinite")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_items", [7, 512, 513, 1700])
def test_matches_naive_twin(kind, n_items, dtype):
    rng = np.random.default_rng(n_items)
    scores = _scores(kind, (3, n_items), rng).astype(dtype)
    seen = csr_array((rng.random(scores.shape) < 0.1).astype(float))
    mask = rng.random(n_items) < 0.6
    per_row = csr_array((rng.random(scores.shape) < 0.5).astype(float))
    for k in (1, 10, 100):
        check(scores, k)
        check(scores, k, seen=seen)
        check(scores, k, allowed=mask)
        check(scores, k, allowed=per_row)
        check(scores, k, seen=seen, allowed=mask)
        check(scores, k, seen=seen, allowed=per_row)


@given(
    st.sampled_from(DTYPES),
    st.integers(1, 12),
    st.integers(0, 2**31),
    arrays(
        np.float64,
        st.tuples(st.integers(1, 4), st.integers(1, 30)),
        elements=st.sampled_from(
            [0.0, -0.0, 1.0, 1.0 + 2**-52, 1.0 + 1e-12, -1.0, 0.5, 3.25, -np.inf, np.inf, 1e-40]
        ),
    ),
)
def test_hypothesis(dtype, k, seed, scores):
    rng = np.random.default_rng(seed)
    scores = scores.astype(dtype)
    seen = csr_array((rng.random(scores.shape) < 0.3).astype(float))
    check(scores, k)
    check(scores, k, seen=seen, allowed=rng.random(scores.shape[1]) < 0.7)


@pytest.mark.parametrize("scale", [1e-300, 5e-324, 1e-38, 1.0, 1e30, 1e300])
def test_scales(scale):
    scores = np.random.default_rng(0).integers(-5, 6, size=(5, 900)) * scale
    check(scores, 20)
    # Only the ratios count, so a scale without rounding changes nothing.
    expected, _ = top_k(np.rint(scores / scale), 20)
    np.testing.assert_array_equal(top_k(scores, 20)[0], expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("constant", [0.0, -3.5, 1e-9, np.inf])
def test_constant_rows_go_by_index(constant, dtype):
    scores = np.full((3, 2000), constant, dtype=dtype)
    seen = csr_array((np.arange(2000) == 1).astype(float)[None].repeat(3, axis=0))
    items, values = top_k(scores, 150, seen=seen)
    np.testing.assert_array_equal(items, [[0, *range(2, 151)]] * 3)
    assert (values == scores[0, 0]).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_rounding_does_not_decide(dtype):
    rng = np.random.default_rng(1)
    scores = np.repeat(rng.standard_normal((4, 400)).astype(dtype), 3, axis=1)
    # Two ulps of the largest score: far less than a cell of 64.
    noise = np.finfo(dtype).eps * np.abs(scores).max(axis=1, keepdims=True)
    shaken = scores + (noise * rng.integers(-1, 2, size=scores.shape)).astype(dtype)
    agree = top_k(scores, 30)[0] == top_k(shaken, 30)[0]
    # A value on the border of a cell may flip; nearly none is.
    assert agree.mean() > 0.9
    plain = np.argsort(-shaken, axis=1, kind="stable")[:, :30]
    assert (plain == top_k(scores, 30)[0]).mean() < 0.9


@pytest.mark.parametrize("dtype", DTYPES)
def test_nan_is_an_error(dtype):
    scores = np.zeros((5, 1500), dtype=dtype)
    scores[3, 700] = np.nan
    with pytest.raises(ValueError, match=r"Scores contain NaN \(first in row 3\)"):
        top_k(scores, 5)


def test_masked_nan_is_none():
    scores = np.array([[1.0, np.nan, 2.0, 0.5]])
    seen = csr_array(np.array([[0.0, 1.0, 0.0, 0.0]]))
    np.testing.assert_array_equal(top_k(scores, 3, seen=seen)[0], [[2, 0, 3]])
    allowed = np.array([True, False, True, True])
    np.testing.assert_array_equal(top_k(scores, 3, allowed=allowed)[0], [[2, 0, 3]])
    np.testing.assert_array_equal(
        top_k(scores, 3, allowed=csr_array(allowed[None] * 1.0))[0], [[2, 0, 3]]
    )


def test_no_candidates_and_long_lists():
    scores = np.array([[3.0, 1.0, 2.0], [-np.inf, -np.inf, -np.inf]])
    items, values = top_k(scores, 5)
    np.testing.assert_array_equal(items, [[0, 2, 1, -1, -1], [-1] * 5])
    np.testing.assert_array_equal(values[1], [-np.inf] * 5)
    everything = csr_array(np.ones((2, 3)))
    assert (top_k(scores, 2, seen=everything)[0] == -1).all()
    assert (top_k(scores, 2, allowed=csr_array((2, 3)))[0] == -1).all()


def test_read_only_and_fortran_order():
    scores = np.random.default_rng(0).standard_normal((8, 1200))
    expected = naive(scores, 10)[0]
    frozen = scores.copy()
    frozen.flags.writeable = False
    np.testing.assert_array_equal(top_k(frozen, 10)[0], expected)
    np.testing.assert_array_equal(top_k(np.asfortranarray(scores), 10)[0], expected)
    seen = csr_array((np.random.default_rng(1).random(scores.shape) < 0.1).astype(float))
    np.testing.assert_array_equal(top_k(frozen, 10, seen=seen)[0], naive(scores, 10, seen=seen)[0])


def test_restricting_candidates_keeps_the_order():
    rng = np.random.default_rng(5)
    scores = rng.standard_normal((20, 2000)).round(2)
    allowed = rng.random(2000) < 0.3
    full, _ = top_k(scores, 2000)
    part, _ = top_k(scores, 50, allowed=allowed)
    for whole, few in zip(full, part, strict=True):
        np.testing.assert_array_equal(few, whole[allowed[whole]][:50])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("compiled", [True, False])
def test_the_largest_finite_score_is_found_with_and_without_compilation(dtype, compiled):
    # Without compilation, as with NUMBA_DISABLE_JIT=1, NumPy refuses a mask that has no sign.
    function = _largest_finite if compiled else getattr(_largest_finite, "py_func", _largest_finite)
    scores = np.array([1.0, -3.0, np.inf, 2.0], dtype=dtype)
    bits = scores.view(f"i{scores.itemsize}")
    largest, worst = function(bits, bits[2])
    assert np.array([largest], dtype=bits.dtype).view(dtype)[0] == 3.0
    assert worst == bits[2]
