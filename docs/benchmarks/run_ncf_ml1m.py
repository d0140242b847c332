"""ML-1M, leave-one-out with 99 given negatives (He et al. 2017): HR@10 and nDCG@10.

    python docs/benchmarks/run_ncf_ml1m.py

Train is every rating but the test items, binarised; each test item is ranked among the 99
negatives of the authors' file, ties against it.
"""

import os
from pathlib import Path

import numpy as np
from _record import measured, write
from scipy.sparse import csr_array

from skrec.dummy import DummyRecommender
from skrec.linear_model import EASE
from skrec.metrics import evaluate

PUBLISHED = {
    "EASE": {"hit_rate@10": 0.7192, "ndcg@10": 0.4494, "source": "TOIS, lambda 1320"},
}
MODELS = {"EASE": EASE(1320.0), "DummyRecommender": DummyRecommender()}


def load():
    folder = Path(os.environ["SKREC_DATA"]) / "ml-1m"
    log, split = np.load(folder / "interactions.npz"), np.load(folder / "ncf_leave_one_out.npz")
    test_item = split["test_item"].astype(np.intp)
    train = log["item"] != test_item[log["user"]]
    shape = (6040, 3706)
    users, items = log["user"][train], log["item"][train]
    X = csr_array((np.ones(train.sum(), dtype=np.float32), (users, items)), shape=shape)
    y = csr_array((np.ones(6040), (np.arange(6040), test_item)), shape=shape)
    return X, y, split["negatives"].astype(np.intp)


def main():
    X, y, candidates = load()
    rows = {}
    for name, model in MODELS.items():
        row = {"parameters": repr(model), "fit": {}, "published": PUBLISHED.get(name)}
        with measured(row["fit"]):
            model.fit(X)
        found = evaluate(model, X, y, ["hit_rate@10", "ndcg@10"], candidates=candidates)
        row["mean"] = {key: round(value, 4) for key, value in found.mean.items()}
        row["standard_error"] = {k: round(v, 4) for k, v in found.standard_error.items()}
        rows[name] = row
    write("ncf_ml1m", {"protocol": __doc__.split("\n")[0], "models": rows})


if __name__ == "__main__":
    main()
