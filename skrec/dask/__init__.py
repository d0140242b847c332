"""The same estimators on parts of the rows, over a Dask cluster or joblib's workers.

`fit` returns the ordinary fitted estimator, `recommend` reads files and writes files of lists.
Only a cluster needs Dask itself: ``pip install "scikit-recsys[dask]"``.
"""

from skrec.dask._arrow import recommend_batches
from skrec.dask._encode import fit_encoder
from skrec.dask._evaluate import evaluate
from skrec.dask._fit import fit
from skrec.dask._lists import recommend

__all__ = ["evaluate", "fit", "fit_encoder", "recommend", "recommend_batches"]
