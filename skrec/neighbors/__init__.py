"""Neighbour models: what similar items, or similar users, say."""

from skrec.neighbors._item_knn import ItemKNN
from skrec.neighbors._user_knn import UserKNN

__all__ = ["ItemKNN", "UserKNN"]
