"""Interaction logs: generated, from files, and from the web."""

from skrec.datasets._base import clear_data_home, get_data_home
from skrec.datasets._dataset import load_dataset
from skrec.datasets._demo import load_demo
from skrec.datasets._generator import make_interactions
from skrec.datasets._load import load_interactions
from skrec.datasets._movielens import fetch_movielens
from skrec.datasets._scan import scan_interactions

__all__ = [
    "clear_data_home",
    "fetch_movielens",
    "get_data_home",
    "load_dataset",
    "load_demo",
    "load_interactions",
    "make_interactions",
    "scan_interactions",
]
