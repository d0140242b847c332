import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csc_matrix, csr_array, random_array
from sklearn.utils.estimator_checks import check_estimator

from skrec.preprocessing import BM25Transformer


def _slow(train, X, k1, b, use_idf):
    n_items = X.shape[1]
    length = train.sum(axis=0)
    out = np.zeros(X.shape)
    for u in range(X.shape[0]):
        n_u = np.count_nonzero(X[u])
        idf = np.log(1 + (n_items - n_u + 0.5) / (n_u + 0.5)) if use_idf else 1.0
        for i in range(n_items):
            x = X[u, i]
            if x:
                norm = k1 * (1 - b + b * length[i] / length.mean())
                out[u, i] = idf * x * (k1 + 1) / (x + norm)
    return out


def _data(seed=0, shape=(12, 9)):
    rng = np.random.default_rng(seed)

    def counts(size):
        return rng.integers(1, 9, size).astype(float)

    X = random_array(shape, density=0.4, random_state=rng, data_sampler=counts)
    return X.toarray()


@pytest.mark.parametrize("k1", [0.0, 1.2, 100.0])
@pytest.mark.parametrize("b", [0.0, 0.75, 1.0])
@pytest.mark.parametrize("use_idf", [True, False])
def test_slow_twin(k1, b, use_idf):
    train, X = _data(0), _data(1)
    model = BM25Transformer(k1=k1, b=b, use_idf=use_idf).fit(csr_array(train))
    assert_allclose(model.transform(csr_array(X)).toarray(), _slow(train, X, k1, b, use_idf))


def test_check_estimator():
    results = check_estimator(BM25Transformer(), on_skip=None)
    assert {result["status"] for result in results} == {"passed"}


def test_orientation():
    # Both weights are of one user with x = 1; the item with the longer column gets less.
    X = np.array([[1.0, 1.0, 0.0], [0.0, 5.0, 0.0], [0.0, 0.0, 1.0]])
    weights = BM25Transformer().fit_transform(X).toarray()
    assert weights[0, 0] > weights[0, 1] > 0


def test_new_users_do_not_depend_on_each_other():
    model = BM25Transformer().fit(_data())
    X = _data(3)
    assert_array_equal(model.transform(X[[2]]).toarray(), model.transform(X).toarray()[[2]])


def test_inputs_dtypes_and_zeros():
    X = _data()
    model = BM25Transformer().fit(X)
    expected = model.transform(X)
    assert isinstance(expected, csr_array)
    assert_array_equal(model.transform(csc_matrix(X)).toarray(), expected.toarray())
    assert model.transform(X.astype(np.float32)).dtype == np.float32
    explicit = csr_array(X + 1)
    explicit.data -= 1
    before = explicit.data.copy()
    assert_array_equal(model.transform(explicit).toarray(), expected.toarray())
    assert_array_equal(explicit.data, before)


def test_empty_items_rows_and_matrix():
    X = np.array([[0.0, 2.0], [0.0, 0.0]])
    model = BM25Transformer().fit(X)
    assert np.isfinite(model.transform(np.array([[3.0, 0.0]])).toarray()).all()
    assert BM25Transformer().fit_transform(np.zeros((2, 2))).nnz == 0


@pytest.mark.parametrize("params", [{"k1": -1}, {"b": 1.5}, {"b": "x"}, {"use_idf": 1}])
def test_bad_parameters(params):
    with pytest.raises(ValueError, match=next(iter(params))):
        BM25Transformer(**params).fit(_data())


def test_negative_values():
    with pytest.raises(ValueError, match="Negative values"):
        BM25Transformer().fit(-_data())
