"""The selection of the best candidates, against a full sort."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from skrec.utils._select_kernels import keep_best


@given(
    n=st.integers(0, 300),
    room=st.integers(0, 20),
    k=st.integers(0, 320),
    n_values=st.sampled_from([1, 2, 5, 1000]),
    order=st.sampled_from(["any", "ascending", "descending"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_best_come_to_the_front(n, room, k, n_values, order, seed):
    rng = np.random.default_rng(seed)
    keys = rng.integers(0, n_values, n + room) / 7.0
    if order != "any":
        keys[:n] = np.sort(keys[:n])[:: 1 if order == "ascending" else -1]
    items = rng.permutation(n + room).astype(np.int32)
    before = list(zip(keys, items, strict=True))
    keep_best(keys, items, np.int64(n), np.int64(k))
    after = list(zip(keys, items, strict=True))
    by_rank = sorted(before[:n], key=lambda pair: (-pair[0], pair[1]))
    assert sorted(after[:k][:n]) == sorted(by_rank[:k])
    assert sorted(after[:n]) == sorted(before[:n])  # none is lost
    assert after[n:] == before[n:]
