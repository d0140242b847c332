"""The short way through the contract says what the long way says, of whatever is passed."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy.sparse import coo_array, csr_array, csr_matrix

from skrec.autoencoder import MultVAE
from skrec.datasets import make_interactions
from skrec.decomposition import WMF
from skrec.linear_model import EASE
from skrec.neighbors import ItemKNN
from skrec.preprocessing import InteractionEncoder
from skrec.utils import _validation
from skrec.utils._short_way import plain_rows
from skrec.utils._validation import validate_interactions

N_ITEMS = 30
ODD = (0.0, -0.0, -1.0, np.nan, np.inf, -np.inf)
_FITTED = {}


def _models():
    """One fitted model of each kind: item weights, neighbours, factors, a network."""
    if not _FITTED:
        X = make_interactions(n_users=60, n_items=N_ITEMS, random_state=0).X
        vae = MultVAE(4, hidden_layer_sizes=(8,), max_iter=2, random_state=0, device="cpu")
        models = (EASE(), ItemKNN(5), WMF(4, max_iter=2, random_state=0), vae)
        _FITTED.update({type(model).__name__: model.fit(X) for model in models})
    return _FITTED


def _outcome(function):
    """What a call returns, or the error that it raises, and its warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = function()
        except Exception as error:
            found = type(error), str(error)
    return found, [(w.category, str(w.message)) for w in caught]


def _long_way(function):
    """The same with the short way closed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_validation, "plain_rows", lambda estimator, X: None)
        return _outcome(function)


def _raw(kind, data, indices, indptr, shape):
    """A CSR matrix that scipy has not looked at."""
    X = kind(shape, dtype=np.float64)
    X.data, X.indices, X.indptr = data, indices, indptr
    return X


@st.composite
def matrices(draw):
    """Mostly canonical CSR matrices; some with one or more things that are not so."""
    n_rows, width = draw(st.integers(1, 4)), draw(st.sampled_from([N_ITEMS] * 5 + [N_ITEMS - 1]))
    rows = [sorted(draw(st.sets(st.integers(0, width - 1), max_size=6))) for _ in range(n_rows)]
    indptr = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    indices = np.array([item for row in rows for item in row], dtype=np.int64)
    values = st.floats(0.0625, 8, width=32) | st.sampled_from([1.0, 1e-30, 1e30])
    data = np.array(draw(st.lists(values, min_size=len(indices), max_size=len(indices))))
    if len(indices):
        place = draw(st.integers(0, len(indices) - 1))
        for flaw in draw(st.sets(st.integers(0, 5), max_size=2) | st.just(set())):
            if flaw == 0:
                data[place] = draw(st.sampled_from(ODD))
            elif flaw == 1:
                indices = indices[draw(st.permutations(range(len(indices))))]
            elif flaw == 2:
                indices[place] = draw(st.sampled_from([-1, width, width - 1, 0]))
            elif flaw == 3:
                indices[place] = indices[place - 1]
            elif flaw == 4:
                indptr[draw(st.integers(0, n_rows))] += draw(st.sampled_from([-1, 1]))
            else:
                data = data[:-1]
    kind = draw(st.sampled_from([csr_array, csr_array, csr_array, csr_matrix]))
    whole = draw(st.sampled_from([np.int32, np.int32, np.int32, np.int64]))
    dtype = draw(st.sampled_from(["f4", "f4", "f8", "f8", ">f8", "i4"]))
    if dtype == "i4":
        data = np.nan_to_num(data, nan=1, posinf=1, neginf=1).clip(-9, 9)
    with np.errstate(all="ignore"):
        data = data.astype(dtype)
    return _raw(kind, data, indices.astype(whole), indptr.astype(whole), (n_rows, width))


def _parts(X):
    return [np.array(part) for part in (X.data, X.indices, X.indptr)]


@settings(max_examples=400, deadline=None)
@given(X=matrices())
def test_validation_says_the_same(X):
    model = _models()["EASE"]
    before, noted = _parts(X), {k: v for k, v in vars(X).items() if k.startswith("_has")}
    (found, warned), (expected, expected_warned) = (
        way(lambda: validate_interactions(model, X, reset=False)) for way in (_outcome, _long_way)
    )
    assert warned == expected_warned
    if isinstance(expected, tuple):
        assert found == expected
        return
    assert type(found) is csr_array
    assert found is not X
    assert found.has_canonical_format
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    for part, other in zip(_parts(found), _parts(expected), strict=True):
        assert part.dtype == other.dtype
        assert_array_equal(part, other)
    for part, other in zip(before, _parts(X), strict=True):
        assert_array_equal(part, other)
    assert noted == {k: v for k, v in vars(X).items() if k.startswith("_has")}


@pytest.mark.parametrize("name", ["EASE", "ItemKNN", "WMF", "MultVAE"])
@settings(max_examples=40, deadline=None)
@given(X=matrices(), k=st.integers(1, N_ITEMS + 3))
def test_lists_and_scores_are_the_same(name, X, k):
    model = _models()[name]
    for call in (
        lambda: model.recommend(X, k=k, return_scores=True),
        lambda: [model.decision_function(X)],
        lambda: [model.predict(X)],
    ):
        (found, warned), (expected, expected_warned) = _outcome(call), _long_way(call)
        assert warned == expected_warned
        if isinstance(expected, tuple) and isinstance(expected[0], type):
            assert found == expected
            continue
        for part, other in zip(found, expected, strict=True):
            assert part.dtype == other.dtype
            assert_array_equal(part, other)


@pytest.mark.parametrize("name", ["EASE", "ItemKNN", "WMF", "MultVAE"])
@settings(max_examples=25, deadline=None)
@given(
    histories=st.lists(st.sets(st.integers(0, N_ITEMS - 1), min_size=1, max_size=8), min_size=1,
                       max_size=3),
    dtype=st.sampled_from(["auto", np.float64]),
    values=st.none() | st.lists(st.floats(0.125, 8, width=32), min_size=24, max_size=24),
    k=st.integers(1, N_ITEMS),
)  # fmt: skip
def test_rows_of_the_encoder_are_scored_the_same(name, histories, dtype, values, k):
    model = _models()[name]
    log = [(user, item) for user, items in enumerate(histories) for item in items]
    if values is not None:
        log = [(*pair, value) for pair, value in zip(log, values, strict=False)]
    encoder = InteractionEncoder.from_ids(range(2), range(N_ITEMS)).set_params(dtype=dtype)
    X, _ = encoder.transform_histories(log)
    assert X.dtype == (np.float32 if dtype == "auto" else dtype)
    assert plain_rows(model, X) is not None
    (found, warned), (expected, expected_warned) = (
        way(lambda: model.recommend(X, k=k, return_scores=True)) for way in (_outcome, _long_way)
    )
    assert warned == expected_warned
    assert found[1].dtype == X.dtype
    for part, other in zip(found, expected, strict=True):
        assert part.dtype == other.dtype
        assert_array_equal(part, other)


def _row(dtype=np.float32, kind=csr_array):
    return kind((np.ones(3, dtype), np.array([1, 4, 7], np.int32), np.array([0, 3], np.int32)),
                shape=(1, N_ITEMS))  # fmt: skip


@pytest.mark.parametrize("kind", [csr_array, csr_matrix])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_a_service_passes_goes_the_short_way(dtype, kind):
    X = _row(dtype, kind)
    found = plain_rows(_models()["EASE"], X)
    assert type(found) is csr_array
    for part in ("data", "indices", "indptr"):
        assert np.shares_memory(getattr(found, part), getattr(X, part))


class _Own(csr_array):
    pass


@pytest.mark.parametrize(
    "X",
    [
        _row().toarray(),
        _row().tocsc(),
        coo_array(_row()),
        _Own(_row()),
        _row(np.int64),
        _row()[:, :5],
        csr_array((0, N_ITEMS), dtype=np.float32),
        _raw(csr_array, np.ones(1), np.array([-1], np.int32), np.array([0, 1], np.int32), (1, 30)),
        _raw(csr_array, np.ones(2), np.array([3, 3], np.int32), np.array([0, 2], np.int32),
             (1, 30)),
        _raw(csr_array, np.ones(4)[::2], np.array([1, 3], np.int32), np.array([0, 2], np.int32),
             (1, 30)),
        _raw(csr_array, np.ones(2), np.array([1, 3], np.int32), np.array([0, 2, 1], np.int32),
             (2, 30)),
    ],
)  # fmt: skip
def test_the_rest_goes_the_long_way(X):
    assert plain_rows(_models()["EASE"], X) is None


def test_names_of_columns_are_missed():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(np.eye(N_ITEMS), columns=[f"i{i}" for i in range(N_ITEMS)])
    model = EASE(alpha=1.0).fit(frame + 1)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.recommend(_row())
