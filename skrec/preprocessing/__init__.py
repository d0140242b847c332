"""From logs to matrices, and weights of their entries.

scikit-learn's `Binarizer`, `Normalizer` and `TfidfTransformer` work on user-item matrices
as they are and are not repeated here.
"""

from skrec.preprocessing._bm25 import BM25Transformer
from skrec.preprocessing._encoder import InteractionEncoder
from skrec.preprocessing._time_decay import TimeDecay

__all__ = ["BM25Transformer", "InteractionEncoder", "TimeDecay"]
