"""The data sets of visual recommendation, from the files of their authors to a problem.

Each function takes the folder of a data set and returns a `Problem`. get_data.py's ELSEWHERE lists
the files that the folder must have.
"""

import ast
import csv
import gzip
import pickle
from pathlib import Path
from typing import NamedTuple

import numpy as np
from _conversions import unpickled
from scipy.sparse import csr_array

from skrec.model_selection import leave_one_out_split

SEED = 0
# A record of McAuley's binary features: the id, and the outputs of a layer.
FEATURE_RECORD = np.dtype([("id", "S10"), ("values", "<f4", 4096)])
# An item with fewer training interactions than this is cold.
COLD_BELOW = 5


class Problem(NamedTuple):
    """A data set: training and held-out interactions, and what is known of the items.

    Attributes
    ----------
    X, y : csr_array of ones of shape (n_users, n_items)
    items : csr_array of bool, default=None
        Which items are ranked for each user.
    features : ndarray of float32 of shape (n_items, d), default=None
        Zeros where there are none.
    pictures : list of Path or None of length n_items, default=None
    groups : ndarray of int of shape (n_items,), default=None
        Such as the artist.
    """

    X: csr_array
    y: csr_array
    items: csr_array | None = None
    features: np.ndarray | None = None
    pictures: list | None = None
    groups: np.ndarray | None = None

    @property
    def y_cold(self):
        """Held-out interactions with items that hardly anybody has."""
        n_users = np.bincount(self.X.indices, minlength=self.X.shape[1])
        y = self.y.tocoo()
        kept = n_users[y.col] < COLD_BELOW
        return csr_array((y.data[kept], (y.row[kept], y.col[kept])), shape=y.shape)


def ugallery(folder):
    """Purchases of one-of-a-kind paintings; the last basket of each user with several is held out.

    The ranked items are the shop's stock at that time: the items uploaded before, less the
    one-of-a-kind paintings sold before.
    """
    inventory = _rows(folder / "inventory.csv")
    place = {row["artwork_id_hash"]: i for i, row in enumerate(inventory)}
    uploaded = np.array([float(row["upload_timestamp"]) for row in inventory])
    groups = np.unique([row["artist_id_hash"] for row in inventory], return_inverse=True)[1]
    baskets = {}
    for row in _rows(folder / "purchases.csv"):
        bought = [place[each] for each in ast.literal_eval(row["purchased_artwork_ids_hash"])]
        user = baskets.setdefault(row["user_id_hash"], {})
        user.setdefault(float(row["purchase_timestamp"]), []).extend(bought)
    n_items = len(inventory)
    log = [(t, i) for user in baskets.values() for t, items in user.items() for i in items]
    is_single = np.bincount([i for _, i in log], minlength=n_items) == 1
    sold = np.full(n_items, np.inf)
    for t, i in log:
        if is_single[i]:
            sold[i] = t
    learned, held, ranked = [], [], []
    for user in baskets.values():
        times = sorted(user)
        hidden = times.pop() if len(times) > 1 else None
        learned.append([i for t in times for i in user[t]])
        held.append([] if hidden is None else user[hidden])
        in_shop = [] if hidden is None else (uploaded <= hidden) & (sold >= hidden)
        ranked.append(np.flatnonzero(in_shop))
    features = named_vectors(folder / "resnet_embeddings.npy", list(place))
    items = _matrix(ranked, n_items).astype(bool)
    return Problem(_matrix(learned, n_items), _matrix(held, n_items), items, features, None, groups)


def wikimedia(folder):
    """Votes for featured pictures; the rows that are marked for evaluation are held out."""
    rows = _rows(folder / "interactions.csv")
    vectors = folder / "embedding-resnet50.npy"
    files = {Path(str(name)).stem: str(name) for name, _ in _objects(vectors)}
    items, users = sorted(files), sorted({row["user_id"] for row in rows})
    place, user = ({name: i for i, name in enumerate(names)} for names in (items, users))
    lists = {"False": [[] for _ in users], "True": [[] for _ in users]}
    for row in rows:
        lists[row["evaluation"]][user[row["user_id"]]].append(place[row["item_id"]])
    X, y = (_matrix(lists[held], len(items)) for held in ("False", "True"))
    pictures = _pictures(folder, [files[name] for name in items])
    return Problem(X, y, None, named_vectors(vectors, items), pictures)


def tradesy(folder):
    """Items that users (of five items or more) bought or want; one of each is held out."""
    users = {}
    with gzip.open(folder / "tradesy.json.gz", "rt", encoding="utf-8") as file:
        for line in file:
            row = ast.literal_eval(line)  # as Python prints it, with single quotes
            found = users.setdefault(row["uid"], set())
            found.update(str(i) for kind in ("bought", "want") for i in row["lists"][kind])
    lists = [sorted(found) for found in users.values() if len(found) >= 5]
    items = sorted({i for found in lists for i in found})
    place = {name: i for i, name in enumerate(items)}
    whole = _matrix([[place[name] for name in found] for found in lists], len(items))
    X, y = leave_one_out_split(whole, random_state=SEED)
    features = binary_features(folder / "image_features_tradesy.b", items)
    return Problem(csr_array(X), csr_array(y), None, features, _pictures(folder, items, ".jpg"))


def partitioned(folder):
    """A file of DVBPR's authors: three parts of interactions, and the pictures as JPEG.

    The training part is learned from, the test part is held out; the validation part is ranked.
    The pictures are written to files once. Features are read from ``features.npy``, if there is
    such a file.
    """
    paths = sorted(folder.glob("*ImgPartitioned.npy"))
    if len(paths) != 1:
        raise FileNotFoundError(f"{folder} must hold one *ImgPartitioned.npy. Got {len(paths)}.")
    with open(paths[0], "rb") as file:
        train, _, test, items, n_users, n_items = unpickled(file)
    X, y = (
        _matrix([[each["productid"] for each in part.get(u, ())] for u in range(n_users)], n_items)
        for part in (train, test)
    )
    pictures = folder / "pictures"
    if not pictures.is_dir():
        pictures.with_suffix(".part").mkdir(exist_ok=True)
        for i in range(n_items):
            file = pictures.with_suffix(".part") / f"{i}.jpg"
            file.write_bytes(items[i]["imgs"].encode("latin1"))
        pictures.with_suffix(".part").rename(pictures)  # whole, or not there
    vectors = folder / "features.npy"
    features = np.load(vectors, allow_pickle=False) if vectors.is_file() else None
    return Problem(X, y, None, features, _pictures(folder, range(n_items), ".jpg"))


def named_vectors(path, names):
    """Vectors of some names from a file of pairs; names of files stand without their ending."""
    vectors = {Path(str(name)).stem: vector for name, vector in _objects(path)}
    width = len(next(iter(vectors.values())))
    found = np.zeros((len(names), width), np.float32)
    for row, name in zip(found, names, strict=True):
        row[:] = vectors.get(Path(str(name)).stem, 0)
    return found


def binary_features(path, names):
    """Features of some items from McAuley's binary file, zeros where it has none."""
    records = np.memmap(path, FEATURE_RECORD, mode="r")
    place = {name.encode(): i for i, name in enumerate(names)}
    found = np.zeros((len(names), FEATURE_RECORD["values"].shape[0]), np.float32)
    for start in range(0, len(records), 1024):
        part = records[start : start + 1024]
        for at, name in enumerate(part["id"]):
            if (i := place.get(name.strip())) is not None:
                found[i] = part["values"][at]
    return found


def _objects(path):
    with open(path, "rb") as file:
        try:
            return unpickled(file)
        except pickle.UnpicklingError as error:
            raise ValueError(f"{path} is no array of names and vectors: {error}") from error


def _rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _matrix(lists, n_items):
    """Ones where a list of a user names an item, once or more often."""
    user = np.repeat(np.arange(len(lists)), [len(each) for each in lists])
    item = np.array([i for each in lists for i in each], dtype=np.intp)
    X = csr_array((np.ones(len(user), np.float32), (user, item)), shape=(len(lists), n_items))
    X.data[:] = 1
    return X


def _pictures(folder, names, ending=""):
    """Files of pictures, None where there is none; None if the folder has no pictures."""
    if not (folder / "pictures").is_dir():
        return None
    paths = [folder / "pictures" / f"{name}{ending}" for name in names]
    return [path if path.is_file() else None for path in paths]
