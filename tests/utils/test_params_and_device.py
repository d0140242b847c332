"""Rules of parameters, devices, threads, item features."""

import copy
import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.utils.validation import _num_samples

from skrec import ItemFeatures
from skrec.linear_model import EASE
from skrec.utils import all_recommenders
from skrec.utils._device import DEVICE, resolve_device
from skrec.utils._item_features import check_item_features
from skrec.utils._parallel import effective_n_threads, even_shares, row_chunks, run_ranges
from skrec.utils._params import BOOLEAN, FRACTION, N_JOBS, POSITIVE, Interval, Options


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        (POSITIVE, [1, 0.1, np.float32(2)], [0, -1, math.nan, math.inf, "1", None, True]),
        (FRACTION, [0, 0.0, 0.99], [1, 1.0, -0.1]),
        (Interval(1, integer=True), [1, np.int64(4)], [0, 1.0, 1.5, True, "2"]),
        (Options(("a", None)), ["a", None, np.str_("a")], ["b", 0, "A", b"a"]),
        (Options((1,)), [1], [True, 1.0, "1"]),
        (BOOLEAN, [True, False, np.True_], [0, 1, None]),
    ],
)
def test_rules(rule, good, bad):
    assert all(value in rule for value in good)
    assert not any(value in rule for value in bad)
    assert str(rule)


def test_message_names_parameter_value_and_expectation():
    with pytest.raises(ValueError, match=r"'alpha' parameter of EASE must be .* > 0.*Got -1 \(int"):
        EASE(alpha=-1).fit(np.eye(3))
    for n_jobs in (None, 1, -1):
        assert any(n_jobs in rule for rule in N_JOBS)
    assert not any(0 in rule for rule in N_JOBS)


def test_device_without_cuda_says_cause_and_remedy(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto") == torch.device("cpu")
    assert resolve_device(torch.device("cpu")) == torch.device("cpu")
    with pytest.raises(ValueError, match=r"cuda:3.*device='auto'"):
        resolve_device("cuda:3")
    for wrong in ("gpu", 3.5, object(), "meta", torch.device("meta")):
        with pytest.raises(ValueError, match=r"device must be .*Got .*use device='auto'"):
            resolve_device(wrong)


def test_rule_of_devices():
    good = ["auto", "cpu", "cpu:0", "cuda", "cuda:11", np.str_("cpu"), torch.device("cuda:1")]
    bad = ["CPU", "gpu", "cuda:", "cuda:-1", "cuda:x", "meta", torch.device("meta"), None, 0]
    assert all(device in DEVICE for device in good)
    assert not any(device in DEVICE for device in bad)
    assert all(resolve_device(device).type == "cpu" for device in ("cpu", "cpu:0"))


def test_the_cpu_and_the_rule_need_no_torch():
    code = (
        "import sys; from skrec.utils._device import DEVICE, cpu_or_device; "
        "assert 'cuda:1' in DEVICE and 3 not in DEVICE and cpu_or_device('cpu') == 'cpu'; "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


@pytest.mark.parametrize(
    "model", [cls() for _, cls in all_recommenders() if "device" in cls().get_params()], ids=repr
)
def test_a_wrong_device_stops_the_fit_at_once(model):
    name = type(model).__name__
    message = rf"'device' parameter of {name} must be .*cuda:N.*Got 'gpu' .*set_params\(device="
    with pytest.raises(ValueError, match=message):
        model.set_params(device="gpu").fit(np.eye(6))


@pytest.mark.cuda
def test_device_with_cuda():
    assert resolve_device("auto").type == "cuda"


@pytest.mark.parametrize("n_jobs", [None, 1, 2, 5])
@pytest.mark.parametrize("n", [0, 1, 7, 100])
def test_ranges_cover_everything_once(n, n_jobs):
    for weights in (None, np.arange(n) ** 2, np.zeros(n)):
        hits = np.zeros(n, dtype=int)

        def work(start, stop, hits=hits):
            hits[start:stop] += 1

        run_ranges(work, n, n_jobs=n_jobs, weights=weights)
        assert (hits == 1).all()


def test_ranges_hand_errors_on():
    def fail(start, stop):
        raise RuntimeError(f"{start}")

    with pytest.raises(RuntimeError):
        run_ranges(fail, 10, n_jobs=2)


@given(
    st.lists(st.integers(0, 1000), min_size=1, max_size=40),
    st.integers(1, 40),
)
def test_shares_hold_each_index_once_and_cost_alike(costs, n_shares):
    n_shares = min(n_shares, len(costs))
    shares = even_shares(np.array(costs), n_shares)
    assert len(shares) == n_shares
    assert sorted(np.concatenate(shares)) == list(range(len(costs)))
    # No share is dearer than the mean and one index more.
    dearest = max(sum(costs[i] for i in share) for share in shares)
    assert dearest <= sum(costs) / n_shares + max(costs) * (1 - 1 / n_shares) + 1e-9
    assert min(len(share) for share in shares) >= 1


def test_the_dearest_indices_are_dealt_first():
    shares = even_shares(np.array([1, 5, 2, 4, 3]), 3)
    assert [list(share) for share in shares] == [[1], [3, 0], [4, 2]]


def test_number_of_threads(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert effective_n_threads() == 1
    assert effective_n_threads(3) == 3
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert effective_n_threads() == effective_n_threads(-1) >= 1
    with pytest.raises(ValueError, match="n_jobs=0"):
        effective_n_threads(0)


def test_row_chunks_stay_within_the_budget():
    chunks = list(row_chunks(5000, 100_000, chunk_bytes=1 << 20))
    assert chunks[0] == (0, 10)
    assert chunks[-1][1] == 5000
    assert all(a[1] == b[0] for a, b in zip(chunks, chunks[1:], strict=False))
    assert next(iter(row_chunks(10, 1 << 40))) == (0, 1)  # one row is the least


def test_item_features_are_not_sliceable():
    features = ItemFeatures(np.eye(4))
    assert copy.deepcopy(features) is features
    assert clone(features) is features
    for name in ("__len__", "shape", "__array__"):
        assert not hasattr(features, name)
    with pytest.raises(TypeError):
        _num_samples(features)
    assert ItemFeatures(features).values is features.values
    with pytest.raises(TypeError, match="Got int"):
        ItemFeatures(3)


def test_item_features_are_checked_against_the_items():
    for values in (np.eye(4), csr_array(np.eye(4)), list("abcd"), ItemFeatures(np.eye(4))):
        check_item_features(values, 4)
        with pytest.raises(ValueError, match="Got 4 rows for 5 items"):
            check_item_features(values, 5)
