"""Neighbour models: scores from similar items, from similar users, or from walks between them."""

from skrec.neighbors._item_knn import ItemKNN
from skrec.neighbors._p3alpha import P3alpha
from skrec.neighbors._rp3beta import RP3beta
from skrec.neighbors._user_knn import UserKNN

__all__ = ["ItemKNN", "P3alpha", "RP3beta", "UserKNN"]
