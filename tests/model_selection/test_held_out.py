"""HeldOut and SameUsersSplit by themselves; tests/metrics has them inside searches."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array, csr_matrix
from sklearn.base import clone
from sklearn.model_selection import check_cv
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

from skrec._evaluation._held_out import check_held_out
from skrec.model_selection import HeldOut, SameUsersSplit

Y = np.array([[0.0, 1.0, 0.0], [2.0, 0.0, 0.0], [0.0, 0.0, 0.0], [3.0, 0.0, 4.0]])


def test_shape_and_rows():
    y = HeldOut(csr_array(Y))
    assert y.shape == (4, 3)
    assert len(y) == _num_samples(y) == 4
    for rows in ([2, 0], np.array([2, 0]), np.array([True, False, True, False]), slice(1, 3)):
        expected = Y[rows]
        for part in (y[rows], y[rows, ...]):
            assert isinstance(part, HeldOut)
            np.testing.assert_array_equal(part.matrix.toarray(), expected)
    np.testing.assert_array_equal(y[-1].matrix.toarray(), Y[[3]])
    np.testing.assert_array_equal(_safe_indexing(y, np.array([3, 1])).matrix.toarray(), Y[[3, 1]])
    with pytest.raises(TypeError, match="rows only"):
        y[0, 1]


def test_input_kinds_and_pickle():
    for kind in (Y, Y.tolist(), csr_matrix(Y), csr_array(Y).tocoo(), pd.DataFrame(Y)):
        np.testing.assert_array_equal(HeldOut(kind).matrix.toarray(), Y)
    y = HeldOut(Y)
    assert HeldOut(y).matrix is y.matrix
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(y)).matrix.toarray(), Y)
    with pytest.raises(ValueError, match="2D array"):
        HeldOut([1.0, 2.0])
    with pytest.raises(ValueError, match="NaN"):
        HeldOut([[np.nan]])


def test_check_held_out():
    for y in (None, [0, 1, 0, 1], np.array(["a"] * 4), pd.Series([1, 2, 3, 4])):
        assert check_held_out(y, (4, 3)) is None
    for y in (Y, csr_array(Y), HeldOut(Y), pd.DataFrame(Y), Y.tolist()):
        np.testing.assert_array_equal(check_held_out(y, (4, 3)).toarray(), Y)
    for y in (Y.T, csr_array(Y.T), HeldOut(Y.T), Y[:, :1]):
        with pytest.raises(ValueError, match=r"expected \(4, 3\)"):
            check_held_out(y, (4, 3))


def test_same_users_split():
    cv = SameUsersSplit()
    ((train, test),) = cv.split(np.zeros((4, 3)), HeldOut(Y))
    np.testing.assert_array_equal(train, np.arange(4))
    np.testing.assert_array_equal(test, np.arange(4))
    assert cv.get_n_splits() == cv.get_n_splits(Y, Y) == 1
    assert check_cv(cv) is cv
    assert repr(cv) == "SameUsersSplit()"
    assert isinstance(clone(cv, safe=False), SameUsersSplit)
    for y in (None, np.zeros(4), [1, 2, 3, 4]):
        with pytest.raises(ValueError, match="Got no 2-D y"):
            list(cv.split(np.zeros((4, 3)), y))
