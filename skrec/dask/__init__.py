"""The same estimators over parts of the rows: on a Dask cluster, or on joblib's workers.

`fit` returns the ordinary fitted estimator, `recommend` writes lists from files to files. Dask
itself is needed only where there is a cluster: ``pip install "scikit-recsys[dask]"``.
"""

from skrec.dask._arrow import recommend_batches
from skrec.dask._encode import fit_encoder
from skrec.dask._evaluate import evaluate
from skrec.dask._fit import fit
from skrec.dask._lists import recommend

__all__ = ["evaluate", "fit", "fit_encoder", "recommend", "recommend_batches"]
