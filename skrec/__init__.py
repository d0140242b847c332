"""skrec: recommender systems as scikit-learn estimators over a sparse user-item matrix.

Everything is loaded on first use. Importing skrec imports neither torch nor numba nor
scikit-learn, so the command line answers at once.
"""

import importlib

from skrec._version import __version__

_SUBPACKAGES = (
    "adapters",
    "autoencoder",
    "base",
    "content",
    "dask",
    "datasets",
    "decomposition",
    "dummy",
    "ensemble",
    "feature_extraction",
    "inspection",
    "linear_model",
    "metrics",
    "model_selection",
    "neighbors",
    "neural_network",
    "preprocessing",
    "serving",
    "utils",
)
_OBJECTS = {
    "InteractionContext": "skrec.utils._interaction_context",
    "ItemFeatures": "skrec.utils._item_features",
    "LogRecommender": "skrec._log_recommender",
    "ModelFileError": "skrec._persistence",
    "load": "skrec._persistence",
    "recommend": "skrec._recommend",
    "save": "skrec._persistence",
    "trusted_types": "skrec._persistence",
    "why_not": "skrec._why_not",
}

__all__ = [
    "InteractionContext",
    "ItemFeatures",
    "LogRecommender",
    "ModelFileError",
    "__version__",
    "adapters",
    "autoencoder",
    "base",
    "content",
    "dask",
    "datasets",
    "decomposition",
    "dummy",
    "ensemble",
    "feature_extraction",
    "inspection",
    "linear_model",
    "load",
    "metrics",
    "model_selection",
    "neighbors",
    "neural_network",
    "preprocessing",
    "recommend",
    "save",
    "serving",
    "trusted_types",
    "utils",
    "why_not",
]


def __getattr__(name):
    if name in _SUBPACKAGES:
        return importlib.import_module(f"skrec.{name}")
    if name in _OBJECTS:
        value = getattr(importlib.import_module(_OBJECTS[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'skrec' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
