"""Features of items: content alone, beside interactions, and for items that nobody has.

    SKREC_DATA=../shared/data python docs/benchmarks/run_content.py ml-100k
    SKREC_DATA=../shared/data python docs/benchmarks/run_content.py citeulike-t

Two protocols. warm: a fifth of each user's items is held out (`holdout_split`, seed 0), for
citeulike-t the split of CVAE with ten training items a user. cold: a fifth of the items is held
out whole (`cold_item_split`, seed 0); the cold items are ranked among themselves and, as "among
all", for the same users among all items. For ml-100k and citeulike-t the hybrid is chosen by
entries that are held out of the training rows (seed 1). Each setting is tested as well, so that the
best one on the test entries is there to see. MovieLens: ratings >= 4 are interactions; where all
features are joined, the genres are counts or have length 1, and count once or by half, as ranks
held-out training entries best by content alone.
"""

import argparse
import json
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from _data import interactions, sparse
from _record import RESULTS, means_and_errors, timed, write
from scipy.sparse import csr_array, hstack
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.preprocessing import normalize

from skrec.content import ColdStart, ContentRecommender
from skrec.decomposition import WMF, PureSVD
from skrec.dummy import DummyRecommender
from skrec.linear_model import EASE
from skrec.metrics import evaluate
from skrec.model_selection import cold_item_split, holdout_split
from skrec.neighbors import ItemKNN


class Problem(NamedTuple):
    """A data set, its metrics, and the settings to try.

    Attributes
    ----------
    X : csr_array of shape (n_users, n_items)
    features : dict of str to csr_array of shape (n_items, n_features)
    warm : tuple of csr_array
        Training and test entries.
    metrics : tuple of str
        The first one chooses.
    n_neighbors : int
    joined : str
        The features of the hybrid.
    hybrids : list of dict
        Its settings.
    chooses : bool
        Whether one of them is chosen by validation entries.
    cold : bool
        Whether items are held out too.
    normalize : {"min", "relevant"}
        Denominator of recall.
    genres : str
        Form of the genres in the joined features of MovieLens; the other features have length 1.
    reduced : dict of str to ndarray of shape (n_items, d)
        Features for models that want them dense, as `ColdStart`.
    """

    X: csr_array
    features: dict
    warm: tuple
    metrics: tuple
    n_neighbors: int
    joined: str
    hybrids: list
    chooses: bool = True
    cold: bool = True
    normalize: str = "min"
    genres: str = ""
    reduced: dict = {}


def cosine(n_neighbors, **options):
    """Neighbours by plain cosine, whatever the defaults are."""
    return ItemKNN(n_neighbors, metric="cosine", activity_exponent=0.0, **options)


WEIGHTS = [{"feature_weight": weight} for weight in (0.1, 0.2, 0.3, 0.5, 1.0)]


def unit(table):
    return csr_array(normalize(table))


def matrix(log, kept=slice(None)):
    ones = np.ones(len(log["user"][kept]))
    shape = (int(log["user"].max()) + 1, int(log["item"].max()) + 1)
    return csr_array((ones, (log["user"][kept], log["item"][kept])), shape=shape)


def table(name, file, n_items):
    """Rows of a CSV file by item."""
    import pandas as pd

    frame = pd.read_csv(Path(os.environ["SKREC_DATA"]) / name / file)
    frame = frame[frame["item"] >= 0].drop_duplicates("item").set_index("item")
    return frame.reindex(range(n_items)).fillna("")


def movielens(name, text_column, others=()):
    log = interactions(name)
    X = matrix(log, log["rating"] >= 4)
    genres = CountVectorizer(tokenizer=lambda text: text.split("|"), token_pattern=None)
    items, texts = (table(name, file, X.shape[1]) for file in ("items.csv", "items_text.csv.gz"))
    counts = genres.fit_transform(items["genres"]).astype(np.float64)
    features = {"genres": unit(counts)}
    words = TfidfVectorizer(stop_words="english", min_df=2, sublinear_tf=True)
    features["text"] = unit(words.fit_transform(texts[text_column]))
    for column in others:
        people = CountVectorizer(tokenizer=lambda text: text.split(","), token_pattern=None)
        counts = people.set_params(min_df=2).fit_transform(texts[column].str.replace(", ", ","))
        features[column] = unit(TfidfTransformer().fit_transform(counts))
    warm, metrics = holdout_split(X, 0.2, random_state=0), ("ndcg@100", "ndcg@20", "recall@20")
    X_rest, X_validation = holdout_split(warm[0], 0.2, random_state=1)
    others, validated = list(features.values())[1:], {}
    blocks = {
        f"{weight:g} {form}": weight * block
        for form, block in (("of length 1", features["genres"]), ("counts", counts))
        for weight in (0.5, 1.0)
    }
    for form, block in blocks.items():
        content = cosine(100, feature_weight=None)
        content.fit(X_rest, item_features=unit(hstack([block, *others])))
        validated[form] = evaluate(content, X_rest, X_validation, metrics).mean["ndcg@100"]
    chosen = max(validated, key=validated.get)
    print("genres:", validated, flush=True)
    features["all"] = unit(hstack([blocks[chosen], *others]))
    return Problem(
        X, features, warm, metrics, 100, "all", WEIGHTS if name == "ml-100k" else WEIGHTS[:3],
        chooses=name == "ml-100k", genres=chosen,
    )  # fmt: skip


def citeulike_a():
    X = matrix(interactions("citeulike-a"))
    tags = sparse("citeulike-a", "item_tags.npz")
    counts = np.bincount(tags.indices, minlength=tags.shape[1])
    idf = np.log(tags.shape[0] / np.maximum(counts, 1))
    features = {"tags": unit(csr_array(tags.astype(np.float64).multiply(idf[None])))}
    hybrids = [{"feature_weight": weight} for weight in (0.3, 0.5, 1.0, 1.4)]
    svd = TruncatedSVD(300, random_state=0).fit_transform(features["tags"])
    return Problem(
        X, features, holdout_split(X, 0.2, random_state=0), ("ndcg@50", "recall@20", "recall@50"),
        200, "tags", hybrids, chooses=False, reduced={"tags, 300 components": svd},
    )  # fmt: skip


def citeulike_split(shape, n_training):
    """Training and test entries of CVAE's split of citeulike-t, with 1 or 10 items a user."""
    split = np.load(Path(os.environ["SKREC_DATA"]) / "citeulike-t" / "cdl_splits.npz")
    return tuple(
        csr_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=shape)
        for pairs in (split[f"train_p{n_training}"], split[f"test_p{n_training}"])
    )


def citeulike_t():
    log = interactions("citeulike-t")
    X = matrix(log)
    words = sparse("citeulike-t", "item_features.npz").astype(np.float64)
    words.data = np.log1p(words.data)
    warm = citeulike_split(X.shape, 10)
    features = {"text": unit(TfidfTransformer().fit_transform(words))}
    return Problem(
        X, features, warm, ("recall@50", "recall@100", "recall@300"), 200, "text", HYBRIDS_T,
        cold=False, normalize="relevant",
    )  # fmt: skip


# With a power below 1 of the scored item's norm, popular items have more of the interactions' part.
ASYMMETRIC = {"metric": "asymmetric_cosine", "source_exponent": 1.0}
HYBRIDS_T = [
    {"feature_weight": 1.0},
    *(
        {**ASYMMETRIC, "target_exponent": exponent, "feature_weight": weight}
        for exponent, weight in (
            (0.5, 1.0),
            (0.3, 0.7),
            (0.3, 1.0),
            (0.3, 1.4),
            (0.1, 0.7),
            (0.1, 1.0),
        )
    ),
]

DATA = {
    "ml-100k": lambda: movielens("ml-100k", "overview"),
    "ml-1m": lambda: movielens("ml-1m", "plot", ("director", "actors")),
    "citeulike-a": citeulike_a,
    "citeulike-t": citeulike_t,
}


def measured(problem, model, X, y, name="test", **among):
    found = evaluate(model, X, y, problem.metrics, normalize=problem.normalize, **among)
    return means_and_errors(found, name)


def run_warm(problem):
    """Content alone, interactions alone, and both by each setting."""
    X_train, X_test = problem.warm
    X_rest, X_validation = holdout_split(X_train, 0.2, random_state=1)
    neighbors, rows = cosine(problem.n_neighbors), {}

    def note(name, model, **given):
        rows[name] = {}
        with timed(rows[name]):
            model.fit(X_train, **given)
        rows[name] |= measured(problem, model, X_train, X_test)
        print("warm", name, rows[name], flush=True)

    note("popularity", DummyRecommender())
    note("interactions", neighbors)
    for name, features in problem.features.items():
        content = cosine(problem.n_neighbors, feature_weight=None)
        note(f"content: {name}", content, item_features=features)
    features, tried = problem.features[problem.joined], []
    for setting in problem.hybrids:
        model = cosine(problem.n_neighbors).set_params(**setting)
        row = {"parameters": setting}
        if problem.chooses:
            model.fit(X_rest, item_features=features)
            row |= measured(problem, model, X_rest, X_validation, "validation")
        with timed(row):
            model.fit(X_train, item_features=features)
        row |= measured(problem, model, X_train, X_test)
        print("hybrid", row, flush=True)
        tried.append(row)
    first = problem.metrics[0]
    rows["hybrid"] = {
        "chosen": max(tried, key=lambda row: row["validation"][first]) if problem.chooses else None,
        "best on test": max(tried, key=lambda row: row["test"][first]),
        "tried": tried,
    }
    return rows


def cold_models(problem):
    """Models that rank cold items, each with the features that it reads."""
    n_neighbors, features = problem.n_neighbors, problem.features
    for name in features:
        for n in (n_neighbors, n_neighbors // 2)[: 1 + (problem.X.shape[0] < 2_000)]:
            yield f"content: {name}, {n} neighbours", cosine(n, feature_weight=None), name
    joined = problem.joined
    chosen = {
        f"joined, weight {weight}": cosine(n_neighbors, feature_weight=weight)
        for weight in (0.3, 1.0)
    }
    if problem.X.shape[1] <= 4_000:  # the regression is dense
        chosen["ColdStart around PureSVD"] = ColdStart(PureSVD(random_state=0))
        chosen["ColdStart around EASE"] = ColdStart(EASE(250.0))
    for reduced in problem.reduced:
        yield (
            f"ColdStart around PureSVD: {reduced}",
            ColdStart(PureSVD(200, random_state=0)),
            reduced,
        )
        yield (
            f"ColdStart around WMF: {reduced}",
            ColdStart(WMF(128, alpha=0.01, random_state=0)),
            reduced,
        )
    for name, model in chosen.items():
        yield name, model, joined
    if "genres" in features and problem.X.shape[0] < 2_000:
        yield "ContentRecommender", ContentRecommender(random_state=0), "genres"


def run_cold(problem, known, beginnings):
    """Rows of cold items, for the models whose names begin so; the other models keep their rows."""
    X_train, X_test, cold_items = cold_item_split(problem.X, random_state=0)
    rows, features = dict(known), problem.features | problem.reduced
    models = [("random", DummyRecommender("uniform", random_state=0), None)]
    for name, model, read in [*models, *cold_models(problem)]:
        if not name.startswith(beginnings):
            continue
        rows[name] = {}
        with timed(rows[name]):
            model.fit(X_train, **({} if read is None else {"item_features": features[read]}))
        rows[name] |= measured(problem, model, X_train, X_test, items=cold_items)
        rows[name] |= measured(problem, model, X_train, X_test, "among all")
        print("cold", name, rows[name], flush=True)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", choices=list(DATA))
    parser.add_argument("--only", choices=["warm", "cold"], help="the other rows stay as they are")
    parser.add_argument("--models", nargs="+", help="beginnings of names of the cold part's")
    options = parser.parse_args()
    if options.models and options.only != "cold":
        parser.error("--models wants --only cold")
    name = options.data
    problem = DATA[name]()
    path = RESULTS / f"content_{name}.json"
    known = json.loads(path.read_text()) if options.only else {}
    result = {
        "protocol": " ".join(__doc__.split("Two protocols. ")[1].split()),
        "shape": problem.X.shape,
        "interactions": problem.X.nnz,
        **({"genres": problem.genres} if problem.genres else {}),
        "features": {key: value.shape[1] for key, value in problem.features.items()},
    }
    result["warm"] = known["warm"] if options.only == "cold" else run_warm(problem)
    if problem.cold and options.only == "warm":
        result["cold"] = known["cold"]
    elif problem.cold:
        kept = known["cold"] if options.models else {}
        result["cold"] = run_cold(problem, kept, tuple(options.models or ("",)))
    write(f"content_{name}", result)


if __name__ == "__main__":
    main()
