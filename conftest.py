"""Environment and workers of the tests, also where only the guide is tested."""

import gc
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


def pytest_collection_finish():
    """Keep the garbage collector from going through the modules and tests that stay to the end.

    `compare_models` collects garbage before each fit, and numba's compiler allocates so much that
    Python does; each time took longer than the work of a small test.
    """
    _freeze()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item, nextitem):
    """Do the same with what the tests of a file leave, once its fixtures are gone."""
    if nextitem is None or nextitem.path != item.path:
        _freeze()


def _freeze():
    gc.collect()
    gc.freeze()
