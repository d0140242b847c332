"""What every recommender says of small data, as digests: run as a script, ``python -m tests.bits``.

With the variants of test_common.py, whose kernels are others.
"""

import json
import sys
import warnings

import joblib
import numpy as np

from skrec._testing._data import fitted, make_data, outputs
from tests.test_common import SMALL, VARIANTS


def main():
    """Print a JSON object: the digest of each estimator's arrays and outputs."""
    warnings.simplefilter("ignore")
    found = {}
    for estimator in [*SMALL, *VARIANTS]:
        X = make_data(estimator)
        model = fitted(estimator, X)
        arrays = [
            value for _, value in sorted(vars(model).items()) if isinstance(value, np.ndarray)
        ]
        found[str(estimator)] = joblib.hash((arrays, outputs(model, X)))
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
