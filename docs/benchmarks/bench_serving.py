"""One request through `skrec.serving.Server`, and what 8 bits do to the lists of a network.

    SKREC_DATA=../shared/data python docs/benchmarks/bench_serving.py

A request is a history of 28 text ids; its answer is ten ids and their scores. The catalogue has
20,000 items. Times are microseconds of processor time on one thread, the mean of a pass over many
users, and the least of several interleaved passes: "request" is the whole, "encoding" the way from
the ids to a row. ``bench_one_user.py`` makes the models. MultVAE has 600 hidden units.
"encoding" is also measured at a million items: it must not grow with the catalogue.

"ranking" fits MultVAE (600 hidden, 200 components) on MovieLens-1M, strong generalisation, and
compares the lists of its test users in float32 and in 8 bits: nDCG@100 of both, with the standard
error of the mean difference, and the mean share of a list's items that the other list has too.
Without ``SKREC_DATA`` it is left out.

It takes about five minutes, and 3 GB of memory. Results go to ``results/serving.json``.
"""

import argparse
import os
import time

import numpy as np
import torch
from _record import write
from bench_one_user import data, models
from scipy.sparse import csr_array
from threadpoolctl import threadpool_limits

from skrec.autoencoder import MultVAE
from skrec.dummy import DummyRecommender
from skrec.metrics import top_k_ndcg_score
from skrec.preprocessing import InteractionEncoder
from skrec.serving import Server
from skrec.serving._scorers import make_scorer
from skrec.utils._topk import top_k

K, HISTORY, WIDE = 10, 28, 1_000_000


def encoder_of(n_items):
    ids = np.array([f"item-{i:07d}" for i in range(n_items)])
    return InteractionEncoder.from_ids(np.arange(1), ids)


def histories(n, ids, rng):
    return [rng.choice(ids, HISTORY, replace=False).tolist() for _ in range(n)]


def servers(X):
    """Servers by name."""
    encoder, found = encoder_of(X.shape[1]), {}
    for name, model in models(X).items():
        for quantize in (None, "int8") if name == "MultVAE" else (None,):
            content = {"model": model, "encoder": encoder}
            found[name + (" int8" if quantize else "")] = Server(content, quantize=quantize)
    return found


def least(function, given, best):
    start = time.process_time()
    for one in given:
        function(one)
    return min(best, 1e6 * (time.process_time() - start) / len(given))


def request_times(X, n_asked, repeats, wide):
    """Microseconds of a request by model, and of an encoding by number of items."""
    rng = np.random.default_rng(0)
    made = servers(X)
    given = histories(n_asked, encoder_of(X.shape[1]).item_ids_, rng)
    requests = dict.fromkeys(made, np.inf)
    rows = {}
    for n_items in (X.shape[1], wide):
        encoder = encoder_of(n_items)
        popular = DummyRecommender().fit(csr_array((1, n_items)))  # a row asks nothing of a model
        server = Server({"model": popular, "encoder": encoder})
        rows[n_items] = server._histories.row, histories(n_asked, encoder.item_ids_, rng)
    encodings = dict.fromkeys(rows, np.inf)
    for _ in range(repeats):
        for name, server in made.items():
            requests[name] = least(lambda one, s=server: s.recommend(one, K), given, requests[name])
        for n_items, (function, asked) in rows.items():
            encodings[n_items] = least(function, asked, encodings[n_items])
    rounded = [
        {str(key): round(value, 1) for key, value in d.items()} for d in (requests, encodings)
    ]
    return dict(zip(("request_us", "encoding_us"), rounded, strict=True))


def ranking(max_iter):
    """The effect of 8 bits on the lists of MovieLens-1M."""
    from _protocols import ml1m_strong_split

    split = ml1m_strong_split()
    model = MultVAE(
        hidden_layer_sizes=(600,), batch_size=500, max_iter=max_iter, device="cpu", random_state=0
    ).fit(split.X_train.astype(np.float32))
    X, y = split.X_test.astype(np.float32), split.y_test
    lists, per_user, scores = {}, {}, {}
    for name, quantize in (("float32", None), ("int8", "int8")):
        values = scores[name] = make_scorer(model, quantize)(X)
        lists[name] = top_k(values, 100, seen=X)[0]
        masked = values.copy()
        masked[X.nonzero()] = -np.inf
        per_user[name] = np.array(
            [top_k_ndcg_score(y[[u]], masked[[u]], k=100) for u in range(X.shape[0])]
        )
    difference = per_user["int8"] - per_user["float32"]
    return {
        "users": int(X.shape[0]),
        "epochs": int(model.n_iter_),
        "ndcg@100": {name: round(float(np.nanmean(v)), 5) for name, v in per_user.items()},
        "difference": round(float(np.nanmean(difference)), 6),
        "standard_error": round(float(np.nanstd(difference) / np.sqrt(len(difference))), 6),
        "overlap": {f"@{k}": round(overlap(lists, k), 4) for k in (10, 20, 100)},
        "largest_error_of_a_score": round(
            float(np.abs(scores["int8"] - scores["float32"]).max()), 5
        ),
        "spread_of_scores": round(float(np.std(scores["float32"])), 4),
    }


def overlap(lists, k):
    pairs = zip(lists["float32"][:, :k], lists["int8"][:, :k], strict=True)
    return float(np.mean([len(np.intersect1d(a, b)) / k for a, b in pairs]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--record", default="serving", help="name of the record")
    parser.add_argument("--users", type=int, default=5000)
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--entries", type=int, default=150_000)
    parser.add_argument("--wide", type=int, default=WIDE, help="items of the large catalogue")
    parser.add_argument("--asked", type=int, default=200, help="users who ask for a list")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--epochs", type=int, default=100, help="of MultVAE on MovieLens-1M")
    options = parser.parse_args()
    torch.set_num_threads(1)
    threadpool_limits(1)
    X = data(options.users, options.items, options.entries)
    result = {
        "what": "processor time of one request of 28 text ids; lists in 8 bits against float32",
        "shape": [int(n) for n in X.shape],
        "history": HISTORY,
        "k": K,
        "asked": options.asked,
        "repeats": options.repeats,
        "threads": 1,
        "load_average_5_min": round(os.getloadavg()[1], 1),
        **request_times(X, options.asked, options.repeats, options.wide),
    }
    if "SKREC_DATA" in os.environ:
        result["ranking"] = ranking(options.epochs)
    write(options.record, result)


if __name__ == "__main__":
    main()
