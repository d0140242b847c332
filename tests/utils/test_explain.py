"""What every `explain` takes and returns."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from skrec.utils._explain import check_targets, contributions_at


def test_targets_get_two_dimensions_or_an_error():
    assert check_targets([1, -1], 2, 4).shape == (2, 1)
    assert check_targets([[1, 2, 3], [0, -1, -1]], 2, 4).shape == (2, 3)
    with pytest.raises(ValueError, match="n_users=2"):
        check_targets([1, 2, 3], 2, 4)
    with pytest.raises(ValueError, match="n_users=2"):
        check_targets(np.zeros((2, 1, 1), dtype=int), 2, 4)
    with pytest.raises(ValueError, match=r"\[-1, 3\]"):
        check_targets([0, 4], 2, 4)


def test_contributions_stand_at_the_items_of_each_row_once_for_each_target():
    X = csr_array(np.array([[1.0, 0, 1], [0, 1, 0]], dtype=np.float32))
    found = contributions_at(X, np.array([1.0, 2, 3, 0, 5, 6]), 2)
    assert found.dtype == np.float32
    assert found.nnz == 5  # no stored zero
    np.testing.assert_array_equal(found.toarray(), [[1, 0, 2], [3, 0, 0], [0, 5, 0], [0, 6, 0]])
