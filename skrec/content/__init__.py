"""Recommenders that read the content of items or users, and classifiers of rows of fields.

Each is loaded on first use: some of them need no torch.
"""

import importlib

_MODULES = {
    "CDL": "_cdl",
    "CTR": "_ctr",
    "CVAE": "_cvae",
    "ColdStart": "_cold_start",
    "ContentRecommender": "_content_recommender",
    "CuratorNet": "_curator_net",
    "DVBPR": "_dvbpr",
    "DeepFM": "_deep_fm_recommender",
    "DeepFMClassifier": "_deep_fm",
    "DeepFMRegressor": "_deep_fm",
    "FMClassifier": "_fm",
    "FMRegressor": "_fm",
    "IBR": "_ibr",
    "MCRec": "_mcrec",
    "VBPR": "_vbpr",
    "VisRank": "_vis_rank",
    "WideAndDeep": "_wide_and_deep_recommender",
    "WideAndDeepClassifier": "_wide_and_deep",
    "WideAndDeepRegressor": "_wide_and_deep",
}

__all__ = [
    "CDL",
    "CTR",
    "CVAE",
    "ColdStart",
    "ContentRecommender",
    "CuratorNet",
    "DVBPR",
    "DeepFM",
    "DeepFMClassifier",
    "DeepFMRegressor",
    "FMClassifier",
    "FMRegressor",
    "IBR",
    "MCRec",
    "VBPR",
    "VisRank",
    "WideAndDeep",
    "WideAndDeepClassifier",
    "WideAndDeepRegressor",
]


def __getattr__(name):
    if name in _MODULES:
        value = getattr(importlib.import_module(f"skrec.content.{_MODULES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'skrec.content' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
