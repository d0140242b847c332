"""Checks of accepted and of refused inputs."""

import inspect
import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy import sparse
from sklearn.utils import get_tags

from skrec._testing._data import assert_same, expect_error, fitted, make_data, outputs
from skrec.utils._tags import SIDE_INFORMATION, recommender_tags


def _equal_inputs(X, folder):
    """The same matrix in every accepted form."""
    dense = X.toarray()
    forms = {"list": dense.tolist(), "ndarray": dense, "fortran": np.asfortranarray(dense)}
    for name in ("csr", "csc", "coo", "lil", "dok", "bsr", "dia"):
        forms[f"{name}_array"] = getattr(sparse, f"{name}_array")(dense)
        forms[f"{name}_matrix"] = getattr(sparse, f"{name}_matrix")(dense)
    wide = sparse.csr_array(dense)
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    forms["int64 indices"] = wide
    forms["explicit zeros"] = _with_explicit_zeros(X)
    forms["duplicates"] = _with_duplicates(X)
    forms["unsorted"] = _reversed_rows(X)
    parts = []
    for name in ("data", "indices", "indptr"):
        path = Path(folder) / f"{name}.npy"
        np.save(path, getattr(X, name))
        parts.append(np.load(path, mmap_mode="r"))
    forms["read-only memmap"] = sparse.csr_array(tuple(parts), shape=X.shape)
    return forms


def _with_explicit_zeros(X):
    coo = X.tocoo()
    row, col = coo.coords
    zero_row, zero_col = np.nonzero(X.toarray() == 0)
    parts = (
        np.concatenate([coo.data, np.zeros(10)]),
        (np.concatenate([row, zero_row[:10]]), np.concatenate([col, zero_col[:10]])),
    )
    return sparse.coo_array(parts, shape=X.shape).tocsr()


def _with_duplicates(X):
    # Halves add up exactly.
    doubled = (np.repeat(X.data / 2, 2), np.repeat(X.indices, 2), 2 * X.indptr)
    return sparse.csr_array(doubled, shape=X.shape)


def _reversed_rows(X):
    order = np.concatenate([np.arange(b - 1, a - 1, -1) for a, b in pairwise(X.indptr)])
    order = order.astype(np.intp)
    return sparse.csr_array((X.data[order], X.indices[order], X.indptr), shape=X.shape)


def check_input_kinds(estimator):
    """Every kind of container gives the same result in fit and in scoring."""
    X = make_data(estimator)
    expected = outputs(fitted(estimator, X), X)
    with tempfile.TemporaryDirectory() as folder:
        for name, form in _equal_inputs(X, folder).items():
            assert_same(outputs(fitted(estimator, form), form), expected, message=f"({name})")
    integers = sparse.csr_array(np.sign(np.abs(X.toarray())).astype(np.int32))
    model = fitted(estimator, integers)
    assert model.decision_function(integers).dtype == np.float64
    assert_same(outputs(model, integers.astype(bool)), outputs(model, integers), message="(bool)")


def check_dataframe(estimator):
    """A dataframe sets ``feature_names_in_`` and is checked by name afterwards."""
    try:
        import pandas as pd
    except ImportError:
        return
    X = make_data(estimator)
    names = [f"item {i}" for i in range(X.shape[1])]
    frame = pd.DataFrame(X.toarray(), columns=names)
    model = fitted(estimator, frame)
    assert list(model.feature_names_in_) == names
    assert_same(outputs(model, frame), outputs(fitted(estimator, X), X), message="(dataframe)")
    expect_error(ValueError, "feature names", model.predict, frame[names[::-1]])


def check_float32(estimator):
    """float32 input gives the scores of float64 input to single precision."""
    X = make_data(estimator)
    wide = fitted(estimator, X).decision_function(X)
    narrow = fitted(estimator, X.astype(np.float32)).decision_function(X.astype(np.float32))
    assert narrow.dtype == np.float32
    atol = 1e-3 * max(1.0, float(np.abs(wide).max()))
    np.testing.assert_allclose(narrow, wide, rtol=1e-3, atol=atol)


def check_input_not_changed(estimator):
    """Neither ``fit`` nor scoring changes the matrix, canonical or not."""
    for make in (lambda X: X, _with_explicit_zeros, _with_duplicates, _reversed_rows):
        X = make(make_data(estimator))
        before = [getattr(X, name).copy() for name in ("data", "indices", "indptr")]
        outputs(fitted(estimator, X), X)
        for name, kept in zip(("data", "indices", "indptr"), before, strict=True):
            np.testing.assert_array_equal(getattr(X, name), kept, err_msg=name)


def check_wrong_inputs(estimator):
    """Wrong data raises a ValueError that names the problem."""
    X = make_data(estimator)
    model = fitted(estimator, X)
    for bad, word in ((np.nan, "nan"), (np.inf, "inf")):
        for form in (X.toarray(), X.copy()):
            if sparse.issparse(form):
                form.data[0] = bad
            else:
                form[0, 0] = bad
            expect_error(ValueError, word, fitted, estimator, form)
            expect_error(ValueError, word, model.predict, form)
    if get_tags(estimator).input_tags.positive_only:
        negative = X.copy()
        negative.data[0] = -1
        expect_error(ValueError, "negative", fitted, estimator, negative)
        expect_error(ValueError, "negative", model.decision_function, negative)
    for method in (model.predict, model.decision_function, model.recommend, model.score):
        expect_error(ValueError, "features", method, X[:, :-1])
    expect_error(ValueError, "2d", fitted, estimator, np.ones(5))
    expect_error(ValueError, "dim", fitted, estimator, np.ones((2, 3, 4)))
    expect_error(ValueError, "complex", fitted, estimator, X.toarray() + 1j)
    expect_error(ValueError, "minimum of 1", fitted, estimator, np.ones((0, 4)))
    expect_error(ValueError, "minimum of 1", fitted, estimator, np.ones((4, 0)))


def check_wrong_arguments(estimator):
    """Arguments of methods that are out of range raise a ValueError."""
    X = make_data(estimator)
    model = fitted(estimator, X)
    for k in (0, -1, 2.5, True, "3"):
        expect_error(ValueError, "k must be", model.recommend, X, k=k)
    n_users, n_items = X.shape
    for items in ([n_items], [-1], [0.5], np.ones(n_items - 1, dtype=bool), np.ones((2, 2), int)):
        expect_error(ValueError, "items", model.recommend, X, items=items)
    wrong_mask = sparse.csr_array((n_users, n_items + 1))
    expect_error(ValueError, "items", model.recommend, X, items=wrong_mask)
    expect_error(ValueError, "rows", model.score_pairs, X, [n_users], [0])
    expect_error(ValueError, "items", model.score_pairs, X, [0], [n_items])
    expect_error(ValueError, "length", model.score_pairs, X, [0, 1], [0])
    expect_error(ValueError, "shape", model.score, X, sparse.csr_array((n_users, n_items + 1)))


def check_unread_side_information(estimator):
    """Methods have keywords for the side information they read; other kinds raise a TypeError."""
    X = make_data(estimator)
    model = fitted(estimator, X)
    reads = recommender_tags(estimator).reads
    named = inspect.signature(estimator.fit).parameters.keys() & {*SIDE_INFORMATION}
    assert reads - {"images"} <= named, f"fit has no keyword for some of {sorted(reads)}"
    for name in SIDE_INFORMATION:
        given = {name: np.ones((X.shape[0], 2))}
        if name not in reads:
            expect_error(TypeError, name, estimator.fit, X, **given)
        for method in (model.decision_function, model.predict, model.recommend, model.score):
            takes = name in inspect.signature(method).parameters
            if name not in reads or name == "item_features":
                expect_error(TypeError, name, method, X, **given)
            assert name == "item_features" or takes or name not in reads, f"{method} lacks {name}"
    assert hasattr(estimator, "with_items") == ("item_features" in reads)


def check_wrong_hyper_parameters(estimator):
    """An invalid parameter value raises, in fit, an error that names the parameter."""

    class Nothing:
        pass

    X = make_data(estimator)
    for name in estimator.get_params(deep=False):
        # The constructor itself must accept any value.
        wrong = type(estimator)(**{**estimator.get_params(deep=False), name: Nothing()})
        expect_error((ValueError, TypeError), name, wrong.fit, X)
