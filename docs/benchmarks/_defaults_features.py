"""What run_defaults.py knows of the items: words, tags or genres, and dense vectors."""

import csv
import gzip
import os
from pathlib import Path

import numpy as np
from _data import interactions, sparse
from scipy.sparse import csr_array, hstack
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.preprocessing import normalize

# The data sets whose items have words, tags or genres.
WORDS = ("ml-100k", "ml-latest-small", "ml-1m", "citeulike-a", "citeulike-t", "amazon-beauty")
_FILES = {
    "citeulike-a": "item_tags.npz",
    "citeulike-t": "item_features.npz",
    "amazon-beauty": "item_attributes.npz",
}
_TEXTS = {"ml-100k": "overview", "ml-1m": "plot"}
# A word of fewer items says nothing about other items.
_LEAST, _MOST, _LENGTH, SEED = 5, 2000, 64, 0


def item_features(data, kind, items):
    """Features of some items.

    Parameters
    ----------
    data : str
    kind : {"words", "vectors"}
    items : ndarray of int of shape (n,)
        Items by their number in the data set.

    Returns
    -------
    features : csr_array of ones or ndarray of float32, of shape (n, n_features)
        "words": the words, tags or genres that at least five of the items have.
        "vectors": 64 components of their TF-IDF.
    """
    words = (sparse(data, _FILES[data]) if data in _FILES else _of_movies(data))[items]
    counts = np.bincount(words.indices, minlength=words.shape[1])
    kept = np.argsort(-counts, kind="stable")[:_MOST]
    words = csr_array(words[:, np.sort(kept[counts[kept] >= _LEAST])])
    words.data = np.ones(words.nnz, dtype=np.float32)
    if kind == "words":
        return words
    unit = normalize(TfidfTransformer().fit_transform(words))
    size = min(_LENGTH, unit.shape[1] - 1)
    return TruncatedSVD(size, random_state=SEED).fit_transform(unit).astype(np.float32)


def _of_movies(data):
    """Genres, and the words of the plot where there is one."""
    n_items = int(interactions(data)["item"].max()) + 1
    names = CountVectorizer(tokenizer=lambda text: text.split("|"), token_pattern=None, binary=True)
    blocks = [names.fit_transform(_column(data, "items.csv", "genres", n_items))]
    if data in _TEXTS:
        texts = _column(data, "items_text.csv.gz", _TEXTS[data], n_items)
        words = CountVectorizer(stop_words="english", binary=True, max_df=0.5, min_df=_LEAST)
        blocks.append(words.fit_transform(texts))
    return csr_array(hstack(blocks))


def _column(data, file, name, n_items):
    """A column of a CSV file in the order of the items; "" for an item that it lacks."""
    path, found = Path(os.environ["SKREC_DATA"]) / data / file, [""] * n_items
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            if int(row["item"]) >= 0:
                found[int(row["item"])] = row[name]
    return found
