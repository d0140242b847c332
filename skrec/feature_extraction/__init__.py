"""Features of items from pictures and texts, by scikit-learn transformers whose rows are items.

Use them once per catalogue, outside of the recommender's pipeline, whose rows are users: ``fit(X,
item_features=ItemFeatures(VisualStatistics().fit_transform(pictures)))``.
"""

from skrec.feature_extraction._image_embedder import ImageEmbedder
from skrec.feature_extraction._text_embedder import TextEmbedder
from skrec.feature_extraction._visual_statistics import VisualStatistics

__all__ = ["ImageEmbedder", "TextEmbedder", "VisualStatistics"]
