"""The grid search of the README on ML-1M ratings: the same alpha on every run.

python docs/benchmarks/run_grid_search_ml1m.py --repeats 2
"""

import argparse
import json

import numpy as np
from _record import measured, write
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Binarizer

from skrec.datasets import fetch_movielens
from skrec.linear_model import EASE
from skrec.metrics import make_ranking_scorer

ALPHAS = [50.0, 100.0, 250.0, 500.0, 1000.0]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=2)
    X = fetch_movielens("1m", dtype=np.float64).X  # as the record was made
    runs = []
    for _ in range(parser.parse_args().repeats):
        row = {}
        search = GridSearchCV(
            make_pipeline(Binarizer(threshold=3.5), EASE()),
            {"ease__alpha": ALPHAS},
            scoring=make_ranking_scorer(["recall@20", "ndcg@100"], relevance_threshold=3.5),
            refit="ndcg@100",
            cv=5,
            n_jobs=2,
        )
        with measured(row):
            search.fit(X)
        row["best"] = search.best_params_
        for name in ("recall@20", "ndcg@100"):
            scores = search.cv_results_[f"mean_test_{name}"]
            row[name] = dict(zip(map(str, ALPHAS), scores.tolist(), strict=True))
        print(json.dumps(row), flush=True)
        runs.append(row)
    same = all(run["best"] == runs[0]["best"] for run in runs)
    same_scores = all(run["ndcg@100"] == runs[0]["ndcg@100"] for run in runs)
    write("grid_search_ml1m", {"runs": runs, "same_alpha": same, "same_scores": same_scores})


if __name__ == "__main__":
    main()
