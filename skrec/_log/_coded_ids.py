"""Columns that hold each distinct id once, as in dictionary columns of Arrow."""

import numpy as np

__all__ = ["CodedIds", "coded_column"]


class CodedIds:
    """A column of ids as distinct ids and codes.

    Parameters
    ----------
    ids : ndarray of shape (n_ids,)
        Distinct ids from `as_id_column`. Some may occur in no entry.
    codes : ndarray of int of shape (n,)
        Position in `ids` of each entry.
    """

    def __init__(self, ids, codes):
        self.ids, self.codes = ids, codes

    @property
    def dtype(self):
        """The dtype of the ids."""
        return self.ids.dtype

    def __len__(self):
        return len(self.codes)

    def __iter__(self):
        return iter(self.ids[self.codes])

    def __getitem__(self, rows):
        """Some entries, by a mask, an array of positions or a slice."""
        return CodedIds(self.ids, self.codes[rows])

    def item(self, row):
        """A single entry as a Python object."""
        return self.ids.item(self.codes[row])


def coded_column(values):
    """Convert a dictionary column of Arrow with text or whole numbers to `CodedIds`.

    Parameters
    ----------
    values : object

    Returns
    -------
    column : CodedIds or None
        None for other columns, and if an entry is missing or a dictionary has a missing id.
    """
    kind = getattr(values, "type", None)
    if not hasattr(values, "to_pylist") or not hasattr(kind, "value_type") or values.null_count:
        return None
    import pyarrow as pa

    if not pa.types.is_dictionary(kind):
        return None
    of = kind.value_type
    is_text = pa.types.is_string(of) or pa.types.is_large_string(of)
    if not is_text and not pa.types.is_integer(of):
        return None
    if any(one.dictionary.null_count for one in getattr(values, "chunks", [values])):
        return None
    if isinstance(values, pa.ChunkedArray):
        values = values.unify_dictionaries().combine_chunks()
        if isinstance(values, pa.ChunkedArray):  # more text than one array holds
            return None
    distinct = values.dictionary
    ids = np.array(distinct.to_pylist(), dtype=object) if is_text else distinct.to_numpy()
    return CodedIds(ids, values.indices.to_numpy())
