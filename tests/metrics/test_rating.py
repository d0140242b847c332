"""Rating errors against scikit-learn, the twin, and at the edges."""

import numpy as np
import pytest
from scipy.sparse import coo_array, csr_array
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import mean_absolute_error, root_mean_squared_error

from skrec.metrics import mean_absolute_rating_error, root_mean_squared_rating_error
from tests.reference import metrics as twin

BOTH = [
    (root_mean_squared_rating_error, root_mean_squared_error, twin.rmse),
    (mean_absolute_rating_error, mean_absolute_error, twin.mae),
]


def _case():
    rng = np.random.default_rng(0)
    y_true = (rng.random((20, 12)) < 0.3) * rng.integers(-5, 6, (20, 12)).astype(float)
    y_true[3] = 0
    return y_true, y_true + rng.standard_normal(y_true.shape)


@pytest.mark.parametrize(("ours", "theirs", "slow"), BOTH)
def test_matches_sklearn_and_twin(ours, theirs, slow):
    y_true, y_pred = _case()
    rated = y_true != 0
    assert ours(y_true, y_pred) == pytest.approx(theirs(y_true[rated], y_pred[rated]), rel=1e-14)
    assert ours(csr_array(y_true), y_pred[rated]) == ours(y_true, y_pred)
    values = ours(y_true, y_pred, average=None)
    for u in range(len(y_true)):
        pairs = list(zip(y_true[u][rated[u]], y_pred[u][rated[u]], strict=True))
        if pairs:
            assert values[u] == pytest.approx(slow(pairs), rel=1e-14)
        else:
            assert np.isnan(values[u])
    assert ours(y_true, y_pred, average="samples") == pytest.approx(np.nanmean(values), rel=1e-14)


@pytest.mark.parametrize(("ours", "theirs", "slow"), BOTH)
def test_sample_weight_is_the_same_as_repeating(ours, theirs, slow):
    y_true, y_pred = _case()
    weight = np.random.default_rng(1).integers(0, 4, size=len(y_true))
    for average in ("ratings", "samples"):
        assert ours(y_true, y_pred, sample_weight=weight, average=average) == pytest.approx(
            ours(y_true.repeat(weight, 0), y_pred.repeat(weight, 0), average=average), rel=1e-13
        )


def test_one_dimensional_predictions_follow_the_stored_order():
    y_true, y_pred = _case()
    expected = root_mean_squared_rating_error(y_true, y_pred)
    X = csr_array(y_true)
    # Entries of each row in reverse, and one stored zero, whose prediction is not used.
    bounds = zip(X.indptr[:-1], X.indptr[1:], strict=True)
    reverse = np.concatenate([np.arange(a, b)[::-1] for a, b in bounds])
    shuffled = csr_array((X.data[reverse], X.indices[reverse], X.indptr), shape=X.shape)
    rows = np.repeat(np.arange(20), np.diff(X.indptr))
    predicted = y_pred[rows, shuffled.indices]
    assert not shuffled.has_sorted_indices
    assert root_mean_squared_rating_error(shuffled, predicted) == pytest.approx(expected)
    empty_cell = int(np.flatnonzero(y_true[0] == 0)[0])
    coo = coo_array(
        (
            np.append(X.data, 0.0),
            (np.append(rows, 0), np.append(X.indices, empty_cell)),
        ),
        shape=X.shape,
    ).tocsr()
    assert coo.nnz == X.nnz + 1
    rows = np.repeat(np.arange(20), np.diff(coo.indptr))
    predicted = np.where(coo.data == 0, 99.0, y_pred[rows, coo.indices])
    assert root_mean_squared_rating_error(coo, predicted) == pytest.approx(expected)


def test_by_hand():
    y_true, y_pred = [[5, 0, 3], [0, 4, 0]], [[4.0, 9.0, 3.0], [9.0, 2.0, 9.0]]
    assert root_mean_squared_rating_error(y_true, y_pred) == pytest.approx(np.sqrt(5 / 3))
    assert mean_absolute_rating_error(y_true, y_pred) == 1.0
    assert mean_absolute_rating_error(y_true, y_pred, average="samples") == (0.5 + 2) / 2


def test_edges():
    with pytest.warns(UndefinedMetricWarning, match="rmse is not defined"):
        assert np.isnan(root_mean_squared_rating_error(np.zeros((2, 2)), np.ones((2, 2))))
    with pytest.raises(ValueError, match=r"Got shape \(2, 3\), expected \(2, 2\)"):
        root_mean_squared_rating_error(np.eye(2), np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"Got 3 entries, expected 2"):
        root_mean_squared_rating_error(np.eye(2), np.ones(3))
    with pytest.raises(ValueError, match="NaN"):
        mean_absolute_rating_error(np.eye(2), np.full((2, 2), np.nan))
    with pytest.raises(ValueError, match="average must be"):
        mean_absolute_rating_error(np.eye(2), np.eye(2), average="macro")
    twice = csr_array((np.ones(2), [1, 1], [0, 2]), shape=(1, 3))
    with pytest.raises(ValueError, match="more than once"):
        mean_absolute_rating_error(twice, [1.0, 1.0])
    assert mean_absolute_rating_error(twice, np.ones((1, 3))) == 1.0
