"""Content of the items of a log: tables of features, texts and pictures."""

import numpy as np
from sklearn.utils import Bunch

from skrec.datasets._tables import aligned_table

__all__ = ["read_item_content"]

_TEXTS = ("overview", "plot", "description", "text")
_PICTURES = (".jpg", ".jpeg", ".png", ".webp")


def read_item_content(folder, item_ids):
    """Read the content of items from a folder and from its siblings ``NAME-...``.

    Parameters
    ----------
    folder : pathlib.Path
        Folder of the log.
    item_ids : ndarray of shape (n_items,)

    Returns
    -------
    content : dict of str to object
        Any of item_feature_tables, item_texts and item_images that exist, see
        `skrec.datasets.load_dataset`.
    """
    folders = [folder, *sorted(p for p in folder.parent.glob(f"{folder.name}-*") if _is_content(p))]
    content = {}
    tables = Bunch()
    for path in (found for one in folders for found in sorted(one.glob("item_features*.npz"))):
        tables |= _tables(path, len(item_ids))
    if tables:
        content["item_feature_tables"] = Bunch(**tables)
    texts = next((p for p in sorted(folder.glob("items_text.csv*"))), None)
    if texts is not None:
        content["item_texts"] = _texts(aligned_table(texts, "item", len(item_ids)))
    images = _images(folders, item_ids)
    return content if images is None else {**content, "item_images": images}


def _is_content(path):
    """Whether a folder is not itself a data set."""
    return path.is_dir() and not (path / "interactions.npz").exists()


def _tables(path, n_items):
    """Every table of numbers in a file, by item; zeros for items without a row."""
    with np.load(path, allow_pickle=False) as file:
        items = file["item"] if "item" in file.files else np.arange(n_items)
        found = {}
        for name in file.files:
            table = file[name]
            if table.ndim == 2 and table.dtype.kind == "f" and len(table) == len(items):
                found[name] = _placed(path, items, table.astype(np.float32), n_items)
    return found


def _placed(path, items, rows, n_items):
    """Put rows at the positions of their items."""
    if items.ndim != 1 or items.dtype.kind not in "iu" or not _within(items, n_items):
        raise ValueError(
            f"{path}: 'item' must hold positions from 0 to {n_items - 1}. Got dtype {items.dtype} "
            f"and shape {items.shape}; delete the file to load without it."
        )
    table = np.zeros((n_items, *rows.shape[1:]), rows.dtype)
    table[items] = rows
    return table


def _within(items, n_items):
    return not len(items) or (items.min() >= 0 and items.max() < n_items)


def _texts(table):
    """Texts of the items, joined over the columns of text; "" for an item without text."""
    columns = [table[name] for name in _TEXTS if name in table]
    if not columns:
        return [""] * len(next(iter(table.values()), ()))
    return [" ".join(filter(None, map(str, parts))) for parts in zip(*columns, strict=True)]


def _images(folders, item_ids):
    """An array of pictures from a file, else paths in a folder ``images``, else None."""
    for path in (found for one in folders for found in sorted(one.glob("*.npz"))):
        with np.load(path, allow_pickle=False) as file:
            if {"item", "images"} <= set(file.files):
                images = file["images"]
                if images.shape[-1] in (1, 3):
                    images = images.transpose(0, 3, 1, 2)
                return _placed(path, file["item"], images, len(item_ids))
    for one in folders:
        files = {p.stem: str(p) for p in (one / "images").glob("*") if p.suffix in _PICTURES}
        if files:
            return [files.get(str(item)) for item in item_ids]
    return None
