"""Checks of copies: clone, pickle, joblib, skops, workers."""

import copy
import pickle
import tempfile
from pathlib import Path

import joblib
import numpy as np
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from skops.io import get_untrusted_types

from skrec._persistence import load, write
from skrec._testing._data import (
    assert_same,
    expect_error,
    fitted,
    make_data,
    outputs,
    seeded,
)


def check_copies(estimator):
    """Pickle, deepcopy, joblib (also with a memory map) and skops preserve the model."""
    X = make_data(estimator)
    model = fitted(estimator, X)
    expected = outputs(model, X)
    copies = {"pickle": pickle.loads(pickle.dumps(model)), "deepcopy": copy.deepcopy(model)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.joblib"
        joblib.dump(model, path)
        copies["joblib"] = joblib.load(path)
        copies["joblib mmap"] = joblib.load(path, mmap_mode="r")
        copies["skops"] = through_skops(model, Path(folder) / "model.skops")
        for name, twin in copies.items():
            assert_same(outputs(twin, X), expected, message=f"({name})")
        del copies, twin  # the memory map must close its file before the folder is removed


def through_skops(model, path):
    with open(path, "wb") as file:  # `save` would warn about types of other packages
        write(model, file)
    # skrec's own types must load without `trusted`; types of other packages need it.
    foreign = [name for name in get_untrusted_types(file=path) if not name.startswith("skrec.")]
    return load(path, trusted=foreign)


def check_clone(estimator):
    """A clone has the parameters but no fitted state, and raises if it is used unfitted."""
    X = make_data(estimator)
    twin = clone(fitted(estimator, X))
    assert _said(twin) == _said(seeded(estimator))
    for method in (twin.predict, twin.decision_function, twin.recommend, twin.score):
        expect_error(NotFittedError, "fit", method, X)


def _said(estimator):
    """Parameters as text; an object without its own ``repr`` by its type."""
    return {
        name: type(value) if type(value).__repr__ is object.__repr__ else repr(value)
        for name, value in estimator.get_params().items()
    }


def _fit_and_score(estimator, X):
    return outputs(fitted(estimator, X), X)


def check_workers(estimator):
    """Two workers at once, threads or processes, give the result of a single one."""
    X = make_data(estimator)
    expected = outputs(fitted(estimator, X), X)
    for backend in ("threading", "loky"):
        with joblib.parallel_backend(backend, n_jobs=2):
            results = joblib.Parallel()(
                joblib.delayed(_fit_and_score)(estimator, X) for _ in range(4)
            )
        for result in results:
            assert_same(result, expected, message=f"({backend})")


def check_global_random_state(estimator):
    """Neither ``fit`` nor scoring uses numpy's global generator."""
    X = make_data(estimator)
    before = np.random.get_state()  # noqa: NPY002
    outputs(fitted(estimator, X), X)
    after = np.random.get_state()  # noqa: NPY002
    same = (np.array_equal(one, other) for one, other in zip(before, after, strict=True))
    assert all(same), "numpy's global generator was used"
