"""The transpose in threads is scipy's."""

import numpy as np
import pytest
from scipy.sparse import csr_array, random_array

from skrec.utils import _sparse
from skrec.utils._sparse import transposed

RNG = np.random.default_rng(0)


@pytest.fixture(params=[None, 0], ids=["few entries", "many entries"])
def limit(request, monkeypatch):
    """Both ways, for any size."""
    if request.param is not None:
        monkeypatch.setattr(_sparse, "_MANY_ENTRIES", request.param)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (40, 30), (200, 7), (3, 0), (0, 3)])
@pytest.mark.parametrize("n_jobs", [1, 2, 5])
@pytest.mark.parametrize("dtype", [None, "float32", "float64"])
def test_it_is_scipys(limit, shape, n_jobs, dtype):
    X = csr_array(random_array(shape, density=0.3, random_state=np.random.default_rng(1)))
    X.indices, X.indptr = X.indices.astype(np.int32), X.indptr.astype(np.int32)  # scipy 1.14
    found = transposed(X, dtype=dtype, n_jobs=n_jobs)
    expected = X.T.tocsr().astype(dtype or X.dtype)
    assert type(found) is csr_array
    assert found.shape == shape[::-1]
    for name in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
        assert getattr(found, name).dtype == getattr(expected, name).dtype
    assert found.has_canonical_format


def test_rows_in_no_order_give_rows_in_order(limit):
    X = csr_array(random_array((50, 40), density=0.4, random_state=np.random.default_rng(2)))
    expected = X.T.tocsr()
    for u in range(50):
        row = slice(X.indptr[u], X.indptr[u + 1])
        order = RNG.permutation(X.indptr[u + 1] - X.indptr[u])
        X.indices[row], X.data[row] = X.indices[row][order], X.data[row][order]
    found = transposed(X, n_jobs=3)
    np.testing.assert_array_equal(found.indices, expected.indices)
    np.testing.assert_array_equal(found.data, expected.data)


def test_one_row_may_hold_everything(limit):
    dense = np.zeros((6, 500))
    dense[2] = RNG.uniform(1, 2, 500)
    found = transposed(csr_array(dense), n_jobs=4)
    np.testing.assert_array_equal(found.toarray(), dense.T)
