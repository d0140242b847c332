"""Environment and workers of the tests, also where only the guide is tested."""

import os

# These must be set before scipy, numba and torch are imported; workers inherit them.
# Without this scikit-learn skips one of its checks.
os.environ.setdefault("SCIPY_ARRAY_API", "1")
# Threads of BLAS and torch only get into each other's way on small matrices.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import joblib
import pytest

# A worker has libraries and kernels of its own.
_MAX_WORKERS = 8


@pytest.hookimpl(tryfirst=True)
def pytest_xdist_auto_num_workers(config):
    """How many processes ``-n auto`` of pyproject.toml is: none for files that are named."""
    if config.args_source is pytest.Config.ArgsSource.ARGS:
        return 0
    return min(joblib.cpu_count(), _MAX_WORKERS)
