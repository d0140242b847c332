"""Logs in parquet or CSV files as tables: only the needed columns, each distinct id once.

A table keeps each line, because rules for returns and repeated pairs need it, and dates as they
are. `skrec.datasets` reads whole logs into one entry for each pair.
"""

import csv
from contextlib import contextmanager

import numpy as np

from skrec._log._ids import is_text
from skrec._log._text_ids import is_whole

_KNOWN = ("user_ids_", "item_ids_")


def read_parquet_log(path, encoder):
    """Read the table of a parquet file.

    Parameters
    ----------
    path : str or path-like
    encoder : InteractionEncoder
        Names the columns to read.

    Returns
    -------
    table : pyarrow.Table
        Ids that are text are a dictionary column.

    Raises
    ------
    ValueError
        If the file is damaged.
    """
    from pyarrow import types
    from pyarrow.parquet import ParquetFile

    with _errors_of_file(path, "parquet"):
        with ParquetFile(path) as file:
            metadata, schema = file.metadata, file.schema_arrow
        wanted = _wanted(schema.names, encoder)
        text = [
            name for name in {encoder.user, encoder.item} if wanted is not None
            and (types.is_string(schema.field(name).type)
                 or types.is_large_string(schema.field(name).type))
        ]  # fmt: skip
        with ParquetFile(path, metadata=metadata, read_dictionary=text) as file:
            table = file.read(columns=wanted)
        # Nothing else checks the offsets in a file, which are used as addresses.
        table.validate(full=True)
        return table


def read_csv_log(path, encoder):
    """Read the table of a CSV file, with ids of the same kind as the fitted encoder's.

    pyarrow would infer the type of a column from the beginning of one file: "7" could be a number
    in one part and text in the next. So ids stay text until the ids of all files are known.

    Parameters
    ----------
    path : str or path-like
    encoder : InteractionEncoder
        Names the columns to read. If it is not fitted, ids stay text.

    Returns
    -------
    table : pyarrow.Table
        Ids are dictionary columns.

    Raises
    ------
    ValueError
        If the file is damaged, if the ids of the encoder are neither text nor whole numbers, or if
        they are whole numbers and the file has other ids.
    """
    import pyarrow as pa
    from pyarrow.csv import ConvertOptions, read_csv

    names = (encoder.user, encoder.item)
    with open(path, newline="", encoding="utf-8-sig", errors="replace") as file:
        header = next(csv.reader(file), [])
    with _errors_of_file(path, "CSV"):
        table = read_csv(
            path,
            convert_options=ConvertOptions(
                column_types=dict.fromkeys(names, pa.dictionary(pa.int32(), pa.string())),
                include_columns=_wanted(header, encoder),
                null_values=[""],  # "NA" may be an id
                strings_can_be_null=True,
            ),
        ).unify_dictionaries()
    for name, known in zip(names, _KNOWN, strict=True):
        ids, place = getattr(encoder, known, None), table.schema.get_field_index(name)
        if ids is None or place < 0 or not len(ids) or is_text(ids):
            continue
        if ids.dtype.kind not in "iu":
            raise ValueError(
                f"{path} holds text, but {known} of the encoder has dtype {ids.dtype}. Expected "
                "whole numbers or text, as fit_encoder reads them from CSV files: fit the encoder "
                "on these files, or pass parquet files."
            )
        chunks = [_as_numbers(chunk, path, known) for chunk in table.column(place).chunks]
        kind = pa.dictionary(pa.int32(), pa.int64())
        table = table.set_column(place, name, pa.chunked_array(chunks, kind))
    return table


def _wanted(names, encoder):
    """The columns to read; None for all if one is missing, which the encoder then reports."""
    wanted = (encoder.user, encoder.item, encoder.value, encoder.timestamp)
    wanted = [name for name in dict.fromkeys(wanted) if name is not None]
    return wanted if all(names.count(name) == 1 for name in wanted) else None


def _as_numbers(chunk, path, known):
    import pyarrow as pa

    texts = chunk.dictionary.to_pylist()
    odd = next((text for text in texts if not is_whole(text)), None)
    if odd is not None:
        raise ValueError(
            f"{path} has the id {odd!r}, which is not written like a whole number, but {known} of "
            "the encoder are whole numbers. Expected ids of one kind: fit the encoder on logs that "
            "have such ids too, or leave these lines out."
        )
    return pa.DictionaryArray.from_arrays(chunk.indices, pa.array(map(int, texts), pa.int64()))


def settled_ids(ids):
    """Settle the kind of the ids of all CSV files: whole numbers if all are written so, else text.

    Parameters
    ----------
    ids : ndarray
        Distinct.

    Returns
    -------
    ids : ndarray
        Sorted.
    """
    if ids.dtype.kind != "U" or not all(map(is_whole, ids.tolist())):
        return ids
    return np.sort(ids.astype(np.int64))


@contextmanager
def _errors_of_file(path, kind):
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise ValueError(
            f"{path} cannot be read as {kind} ({error}). Expected a whole file with one "
            "interaction in each line; write it again."
        ) from error
