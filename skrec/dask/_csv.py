"""Logs in CSV files: ids as they are written, until the ids of all files are known."""

import re

import numpy as np

from skrec._log._ids import is_text

# As a whole number of 64 bits is written. "007" and "+7" are other ids than 7.
_WHOLE = re.compile(r"-?[1-9][0-9]{0,18}|0").fullmatch


def read_csv_log(path, encoder):
    """The table of a file, its ids of the kind of a fitted encoder's.

    pyarrow tells the type of a column by the beginning of one file: "7" would be a number in this
    part and text in the next.

    Parameters
    ----------
    path : str or path-like
    encoder : InteractionEncoder
        Names the columns of ids. If it is not fitted, ids stay text.

    Returns
    -------
    table : pyarrow.Table

    Raises
    ------
    ValueError
        If the ids of the encoder are neither text nor whole numbers, or are whole numbers and
        the file has others.
    """
    import pyarrow as pa
    from pyarrow.csv import ConvertOptions, read_csv

    names = (encoder.user, encoder.item)
    table = read_csv(
        path,
        convert_options=ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            null_values=[""],  # "NA" may be an id
            strings_can_be_null=True,
        ),
    )
    for name, known in zip(names, ("user_ids_", "item_ids_"), strict=True):
        ids, place = getattr(encoder, known, None), table.schema.get_field_index(name)
        if ids is None or place < 0 or not len(ids) or is_text(ids):
            continue
        if ids.dtype.kind not in "iu":
            raise ValueError(
                f"{path} is text, and {known} of the encoder has dtype {ids.dtype}. Expected "
                "whole numbers or text, as fit_encoder makes them of CSV files: fit the encoder "
                "on these files, or pass parquet files."
            )
        table = table.set_column(place, name, _as_numbers(table.column(place), path, known))
    return table


def _as_numbers(column, path, known):
    import pyarrow as pa

    texts = column.to_pylist()
    odd = next((text for text in texts if text is not None and not _is_whole(text)), None)
    if odd is not None:
        raise ValueError(
            f"{path} has the id {odd!r}, which is not written like a whole number, and {known} of "
            "the encoder are whole numbers. Expected ids of one kind: fit the encoder on logs that "
            "have such ids too, or leave these lines out."
        )
    return pa.array([None if text is None else int(text) for text in texts], pa.int64())


def settled_ids(ids):
    """Ids of all CSV files together: whole numbers where all are written so, else text.

    Parameters
    ----------
    ids : ndarray
        Distinct.

    Returns
    -------
    ids : ndarray
        Sorted.
    """
    if ids.dtype.kind != "U" or not all(map(_is_whole, ids.tolist())):
        return ids
    return np.sort(ids.astype(np.int64))


def _is_whole(text):
    return _WHOLE(text) is not None and -(2**63) <= int(text) < 2**63
