"""Factor models of texts on citeulike-t, with the split of CVAE: CTR, CDL and CVAE.

    SKREC_DATA=../shared/data python docs/benchmarks/run_texts.py
    SKREC_DATA=... python docs/benchmarks/run_texts.py --models CDL CVAE

Ten training items a user (P=10), and one (P=1). Settings, and epochs of the networks, are chosen by
the recall@300 of entries held out of the ten of each user (`holdout_split`, a fifth, seed 1), and
each chosen one is fitted to all ten and tested once. With one item a user there is nothing to hold
out: P=1 takes the settings of P=10. Recall counts all test items of a user, and all items but the
user's training items are ranked. CTR and ItemKNN read the tf-idf of all words, the networks the
words that twenty texts have. A model that is run alone replaces its own entries of the record.
"""

import argparse
import json
from typing import NamedTuple

import numpy as np
from _data import sparse
from _record import RESULTS, as_json, environment, means_and_errors, timed
from run_content import citeulike_split
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.preprocessing import normalize

from skrec.content import CDL, CTR, CVAE
from skrec.metrics import evaluate
from skrec.model_selection import holdout_split
from skrec.neighbors import ItemKNN

NAME = "texts_citeulike-t"
PROTOCOL = " ".join(__doc__.split("\n\n")[2].split())
METRICS = ("recall@50", "recall@100", "recall@300")
LEAST_TEXTS = 20
COMMON = {"random_state": 0, "n_jobs": 1}
# Other settings were left behind in earlier looks at the same validation entries.
NETWORK = {
    "hidden_layer_sizes": (200,),
    "activation": "tanh",
    "batch_size": 128,
    "learning_rate": 2e-3,
    "network_alpha": 0.0,
    "text_weight": 0.1,
    **COMMON,
}
CDL_GRID = [{"alpha": 2.0, "item_alpha": 0.15, "pretraining_max_iter": 7}]
CVAE_GRID = [{"beta": 0.2, "alpha": 7.0, "item_alpha": 0.04, "pretraining_max_iter": 10}]


class Candidate(NamedTuple):
    """A model, the words that it reads, and the settings to try.

    Attributes
    ----------
    model : recommender
    reads : {"words", "tf-idf"} or None
    grid : list of dict, or str
        A name: what was chosen for that model.
    epochs : tuple of int or None
        Epochs at which a fit is looked at; None: it has none.
    """

    model: object
    reads: str | None
    grid: object
    epochs: tuple | None = None


def candidates():
    """Models by name."""
    penalties = [
        {"alpha": alpha, "item_alpha": item_alpha}
        for alpha in (0.03, 0.1, 0.3)
        for item_alpha in (1.0, 3.0, 10.0)
    ]
    return {
        "ItemKNN, texts alone": Candidate(ItemKNN(200, feature_weight=None), "tf-idf", [{}]),
        "CTR without texts": Candidate(CTR(**COMMON), None, penalties),
        "CTR": Candidate(CTR(**COMMON), "tf-idf", penalties),
        "CTR, cold items by texts themselves": Candidate(
            CTR(cold_items="text", **COMMON), "tf-idf", "CTR"
        ),
        "CDL": Candidate(CDL(**NETWORK), "words", CDL_GRID, (5, 10)),
        "CVAE": Candidate(CVAE(**NETWORK), "words", CVAE_GRID, (10, 15)),
    }


def texts():
    """Words that `LEAST_TEXTS` texts have, as counts, and all words as tf-idf of length 1."""
    counts = sparse("citeulike-t", "item_features.npz").astype(float)
    logs = counts.copy()
    logs.data = np.log1p(logs.data)
    kept = np.flatnonzero((counts > 0).sum(axis=0) >= LEAST_TEXTS)
    return {
        "words": csr_array(counts[:, kept]),
        "tf-idf": csr_array(normalize(TfidfTransformer().fit_transform(logs))),
    }


def figures(model, X, y, name):
    return means_and_errors(evaluate(model, X, y, METRICS, normalize="relevant"), name)


def look(candidate, setting, X, y, given):
    """Rows of one setting, one for each number of epochs, by validation entries."""
    model = clone(candidate.model).set_params(**setting)
    if candidate.epochs is None:
        found = figures(model.fit(X, **given), X, y, "validation")
        return [{"parameters": setting, **found}]
    rows, before = [], 0
    model.set_params(warm_start=True)
    for epochs in candidate.epochs:
        model.set_params(max_iter=epochs - before).fit(X, **given)
        parameters, before = setting | {"max_iter": epochs}, epochs
        rows.append({"parameters": parameters, **figures(model, X, y, "validation")})
        print(rows[-1], flush=True)
    return rows


def choose(candidate, X_train, given):
    """The settings that were tried, and the one that validated best."""
    X_rest, X_validation = holdout_split(X_train, 0.2, random_state=1)
    tried = []
    for setting in candidate.grid:
        tried += look(candidate, setting, X_rest, X_validation, given)
    return tried, max(tried, key=lambda row: row["validation"]["recall@300"])["parameters"]


def recorded(path):
    """The entries of the record, as they are now."""
    return json.loads(path.read_text())["models"] if path.exists() else {}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--models", nargs="+", choices=list(candidates()), default=[])
    options = parser.parse_args()
    shape = 7947, 25975
    splits = {f"P={n}": citeulike_split(shape, n) for n in (10, 1)}
    features, path = texts(), RESULTS / f"{NAME}.json"
    if not options.models:
        path.unlink(missing_ok=True)
    for name, candidate in candidates().items():
        if options.models and name not in options.models:
            continue
        given = {} if candidate.reads is None else {"item_features": features[candidate.reads]}
        row = {"reads": candidate.reads}
        if isinstance(candidate.grid, str):
            parameters = recorded(path)[candidate.grid]["parameters"]
        else:
            row["tried"], parameters = choose(candidate, splits["P=10"][0], given)
        row["parameters"] = parameters
        for split, (X_train, X_test) in splits.items():
            row[split] = {}
            with timed(row[split]):
                model = clone(candidate.model).set_params(**parameters).fit(X_train, **given)
            row[split] |= figures(model, X_train, X_test, "test")
            print(name, split, row[split], flush=True)
        row["all_parameters"] = model.get_params()
        row["command"] = environment()["command"]
        rows = recorded(path) | {name: row}
        result = {
            "environment": environment(),
            "protocol": PROTOCOL,
            "features": {key: value.shape[1] for key, value in features.items()},
            "fixed": {key: repr(candidate.model) for key, candidate in candidates().items()},
            "models": {key: rows[key] for key in candidates() if key in rows},
        }
        path.write_text(as_json(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
