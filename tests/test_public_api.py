"""Names: what is public, what parameters are called, what importing costs."""

import importlib
import inspect
import pkgutil
import subprocess
import sys

import pytest
from sklearn.base import BaseEstimator

import skrec
from skrec._torch._estimator import TORCH_RULES
from skrec.ensemble import TwoStageRecommender
from skrec.utils import all_recommenders
from skrec.utils._params import COMMON_RULES

# DESIGN, section 5: the field's term -> never these.
NEVER = {
    "factors", "rank", "embedding_dim", "reg", "l2", "lamb", "weight_decay", "epochs", "n_epochs",
    "lr", "layers", "anneal_cap", "K", "topk", "neg_ratio", "N", "topn", "seed", "num_threads",
    "n_factors", "regularization", "iterations", "n_iterations", "shrink", "top_k", "threads",
}  # fmt: skip

PACKAGES = [
    f"skrec.{info.name}"
    for info in pkgutil.iter_modules(skrec.__path__)
    if not info.name.startswith("_")
]


@pytest.mark.parametrize("package", ["skrec", *PACKAGES])
def test_all_is_sorted_and_true(package):
    module = importlib.import_module(package)
    assert list(module.__all__) == sorted(module.__all__)
    for name in module.__all__:
        assert getattr(module, name) is not None
        assert name in dir(module)


def test_every_sub_package_is_public():
    assert {name.split(".")[1] for name in PACKAGES} <= set(skrec.__all__)


def test_unknown_attribute():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = skrec.nothing


def _public_classes():
    for package in PACKAGES:
        module = importlib.import_module(package)
        for name in module.__all__:
            value = getattr(module, name)
            if (
                inspect.isclass(value)
                and issubclass(value, BaseEstimator)
                and not inspect.isabstract(value)
            ):
                yield value


@pytest.mark.parametrize("cls", sorted(set(_public_classes()), key=lambda c: c.__name__))
def test_parameter_vocabulary(cls):
    parameters = inspect.signature(cls.__init__).parameters
    names = set(parameters) - {"self"}
    if not issubclass(cls, skrec.base.BaseRecommender):
        names -= {"k"}  # a metric's list length
    assert not names & NEVER, f"{cls.__name__} uses {names & NEVER}; see DESIGN, section 5"
    # What trains a network is twelve parameters, as in scikit-learn's MLPClassifier (23).
    assert len(names - set(TORCH_RULES) - {"device", "random_state", "verbose"}) <= 15
    if issubclass(cls, skrec.base.BaseRecommender):
        assert "k" not in names
        positional = [p for p in list(parameters.values())[1:] if p.kind != p.KEYWORD_ONLY]
        most = 2 if cls is TwoStageRecommender else 1  # it stands around two models
        assert len(positional) <= most, "keyword-only after the first"
        rules = set(cls._parameter_rules)
        assert rules | (names & set(COMMON_RULES)) == names, "every parameter has its rule"
        assert not rules & set(COMMON_RULES), "the base has these"


def test_discovery():
    names = [name for name, _ in all_recommenders()]
    assert names == sorted(names)
    assert {"DummyRecommender", "EASE", "ItemKNN", "UserKNN"} <= set(names)


def _run(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_import_is_light():
    # scikit-learn imports pandas by itself where it is installed.
    code = (
        "import sys, sklearn.base; before = set(sys.modules); "
        "import skrec, skrec.base, skrec.linear_model, skrec.neighbors, skrec.metrics, "
        "skrec.model_selection, skrec.datasets, skrec.preprocessing, skrec.dummy; "
        "print(*[m for m in ('torch', 'numba', 'implicit', 'pandas', 'polars', 'pyarrow', "
        "'matplotlib') "
        "if m in set(sys.modules) - before])"
    )
    assert _run(code) == []


def test_import_is_fast():
    # Time of the processor: other workers of the tests may keep it waiting.
    code = (
        "import time, numpy, scipy.sparse, sklearn.utils.estimator_checks; t = time.process_time();"
        "import skrec; from skrec.linear_model import EASE; print(time.process_time() - t)"
    )
    assert min(float(_run(code)[0]) for _ in range(3)) < 0.5
