"""Encoding of logs as matrices, and weights of interactions.

scikit-learn's `Binarizer`, `Normalizer` and `TfidfTransformer` work on user-item matrices too, so
this module has no such transformers.
"""

from skrec.preprocessing._bm25 import BM25Transformer
from skrec.preprocessing._encoder import InteractionEncoder
from skrec.preprocessing._time_decay import TimeDecay

__all__ = ["BM25Transformer", "InteractionEncoder", "TimeDecay"]
