"""Source files of the data sets -> the arrays that the benchmarks read."""

import io
import pickle
import zipfile
from pathlib import Path

import numpy as np

from skrec.datasets._movielens_raw import convert_archive

# A pickled array of objects has these parts alone; nothing else is built from a file.
_ARRAY_PARTS = (
    {
        (module, name)
        for module in ("numpy.core.multiarray", "numpy._core.multiarray", "numpy")
        for name in ("_reconstruct", "scalar", "ndarray", "dtype")
    }
    | {
        (module, name)
        for module in ("__builtin__", "builtins")
        for name in ("dict", "list", "set", "tuple")
    }
    | {("collections", "defaultdict")}
)


def movielens(name):
    """A function that converts GroupLens's archive, as `fetch_movielens` does.

    Parameters
    ----------
    name : str
        "ml-1m" or "ml-100k".

    Returns
    -------
    make : callable
        ``make(source, folder)`` writes ``interactions.npz`` and the files beside it.
    """

    def make(source, folder):
        convert_archive(Path(source) / f"{name}.zip", Path(folder))

    return make


def ncf_leave_one_out(source, folder):
    """ml-1m: NCF's test item of each user and its negatives, in the numbers of ``interactions``.

    NCF counts items by their first appearance in ratings.dat, whose order ``interactions`` has.
    """
    log = np.load(Path(folder) / "interactions.npz")
    found, first = np.unique(log["item"], return_index=True)
    items = found[np.argsort(first)].astype(np.int32)
    test = np.loadtxt(Path(source) / "ml-1m.test.rating", dtype=np.int64, ndmin=2)
    with open(Path(source) / "ml-1m.test.negative", encoding="utf-8") as file:
        negatives = [line.split("\t")[1:] for line in file]
    _write(
        Path(folder) / "ncf_leave_one_out.npz",
        test_item=items[test[:, 1]],
        test_rating=test[:, 2].astype(np.uint8),
        test_timestamp=test[:, 3],
        negatives=items[np.array(negatives, dtype=np.int64)].astype(np.int16),
        ncf_item_to_item=items,
    )


def mcrec_split(source, folder):
    """ml-100k: rows of ``interactions`` that MCRec trains on and tests; its ids begin at 1."""
    log = np.load(Path(folder) / "interactions.npz")
    key = (log["user"].astype(np.int64) + 1) * 2**32 + log["item"] + 1
    masks = {}
    for part in ("train", "test"):
        with open(Path(source) / f"ml-100k.{part}.rating", encoding="utf-8") as file:
            pairs = np.array([line.split()[:2] for line in file], dtype=np.int64)
        masks[part] = np.isin(key, pairs[:, 0] * 2**32 + pairs[:, 1])
    _write(Path(folder) / "mcrec_split.npz", **masks)


def gowalla(source, folder):
    """LightGCN++'s training (0) and validation (1) items and LightGCN's test items (2)."""
    columns = [[], [], []]
    for split, part in enumerate(("train", "valid", "test")):
        with open(Path(source) / f"{part}.txt", encoding="utf-8") as file:
            for line in file:
                user, *items = map(int, line.split())
                columns[0] += [user] * len(items)
                columns[1] += items
                columns[2] += [split] * len(items)
    user, item, split = (np.array(column, dtype=np.int32) for column in columns)
    order = np.lexsort((item, user))
    _write(
        Path(folder) / "interactions.npz",
        user=user[order],
        item=item[order],
        split=split[order].astype(np.uint8),
    )


def cmn_leave_one_out(source, folder):
    """citeulike-a: CMN's training pairs, and the test item and 100 negatives of each user."""
    with zipfile.ZipFile(Path(source) / "citeulike-a.npz") as file:
        train = np.lib.format.read_array(
            io.BytesIO(file.read("train_data.npy")), allow_pickle=False
        )
        test = unpickled(io.BytesIO(file.read("test_data.npy"))).item()
    users = sorted(test)
    if users != list(range(len(users))):
        raise ValueError(f"Expected a test item of each user from 0. Got users {users[:3]} ...")
    _write(
        Path(folder) / "cmn_leave_one_out.npz",
        train=train[:, :2].astype(np.int32),
        test_item=np.array([test[user][0] for user in users], dtype=np.int32),
        negatives=np.array([test[user][1] for user in users], dtype=np.int32),
    )


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module, name):
        if (module, name) not in _ARRAY_PARTS:
            raise pickle.UnpicklingError(f"{module}.{name} is no part of an array")
        return super().find_class(module, name)


def unpickled(file):
    """An array of objects, of nothing but numbers, containers and arrays."""
    version = np.lib.format.read_magic(file)
    read_header = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }[version]
    read_header(file)
    # Files of Python 2 hold their bytes as Latin-1.
    return _ArrayUnpickler(file, encoding="latin1").load()


def _write(path, **arrays):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **arrays)
