"""A common schema for the parquet files of a log.

Each file has its own types. A reader that uses the types of the first file silently turns
microseconds into seconds and "007" into 7, and loses a column that the first file lacks.
"""

__all__ = ["common_fields", "names_of_parts", "require_columns"]

_TEXT, _BYTES, _WHOLE, _FLOATING = "text", "bytes", "whole numbers", "floating-point numbers"


def names_of_parts(dataset):
    """Names of the columns of all files with rows, starting with those of the first file.

    Parameters
    ----------
    dataset : pyarrow.dataset.FileSystemDataset

    Returns
    -------
    names : list of str
    """
    files = [f.physical_schema.names for f in dataset.get_fragments() if _has_rows(f)]
    if not files:
        return dataset.schema.names
    names = list(files[0])
    for others in (_names_of_folders(dataset), *files[1:]):
        names += [name for name in others if name not in names]
    return names


def require_columns(source, dataset, names):
    """Raise a ValueError if only some of the files have one of the columns.

    Parameters
    ----------
    source : pathlib.Path or RemoteFile
        Name of all files in messages.
    dataset : pyarrow.dataset.FileSystemDataset
    names : list of str
        The columns that are read.
    """
    of_folders = _names_of_folders(dataset)
    files = [(f.path, f.physical_schema.names) for f in dataset.get_fragments() if _has_rows(f)]
    for name in names:
        with_it = next((path for path, known in files if name in known), None)
        without = next((path for path, known in files if name not in known), None)
        if name not in of_folders and with_it is not None and without is not None:
            raise ValueError(
                f"{source}: {without} has no column {name!r}, but {with_it} has it. Expected parts "
                "of one log with the same columns; write the files again, or, if you do not want "
                "the column, name another one or pass None for it (value= or timestamp=)."
            )


def common_fields(source, dataset, names, id_names):
    """Fields of the columns, with the narrowest types that hold the types of all files.

    Two types of whole numbers have a wider common type; so have two types of floating-point
    numbers, decimals, text or times. Values and times may be whole numbers in some files and
    floating-point numbers in others. Files without rows are ignored. A column of nulls fits any
    type.

    Parameters
    ----------
    source : pathlib.Path or RemoteFile
        Name of all files in messages.
    dataset : pyarrow.dataset.FileSystemDataset
    names : list of str
        The columns that are read.
    id_names : tuple of str
        The columns that hold ids.

    Returns
    -------
    fields : list of pyarrow.Field

    Raises
    ------
    ValueError
        If the types of two files have no common type.
    """
    import pyarrow as pa

    of_folders = _names_of_folders(dataset)
    fields = []
    for name in names:
        if name in of_folders:
            fields.append(dataset.schema.field(name))
            continue
        common, path = pa.null(), None
        for fragment in dataset.get_fragments():
            schema = fragment.physical_schema
            # The reader refuses two columns of the same name.
            places = schema.get_all_field_indices(name) if _has_rows(fragment) else []
            for found in (schema.field(place).type for place in places):
                wider = _wider(common, found, is_id=name in id_names)
                if wider is None:
                    raise ValueError(
                        f"{source}: the column {name!r} is {found} in {fragment.path}, and "
                        f"{common} in {path}. Expected parts of one log with the same type for "
                        "each column; write the files again, or read them separately."
                    )
                path = fragment.path if wider != common else path
                common = wider
        fields.append(pa.field(name, common))
    return fields


def _has_rows(fragment):
    return fragment.metadata.num_rows > 0


def _names_of_folders(dataset):
    """Names of the columns that come from names of folders, such as ``day=1``.

    The schema of a dataset is the schema of its first file plus these columns.
    """
    first = next(iter(dataset.get_fragments())).physical_schema.names
    return [name for name in dataset.schema.names if name not in first]


def _wider(one, other, *, is_id):
    """The narrowest type that holds both types without changing values; None if there is none."""
    import pyarrow as pa

    if one == other or pa.types.is_null(other):
        return one
    if pa.types.is_null(one):
        return other
    one, other = _plain(one), _plain(other)
    if one == other:
        return one
    families = {_family(one), _family(other)}
    if families in ({_TEXT}, {_BYTES}):
        return pa.large_string() if families == {_TEXT} else pa.large_binary()
    if families == {_WHOLE}:
        return _wider_whole(one, other)
    if families == {_FLOATING} or (families == {_WHOLE, _FLOATING} and not is_id):
        return pa.float64()
    if pa.types.is_timestamp(one) and pa.types.is_timestamp(other):
        return _wider_times(one, other)
    if pa.types.is_decimal(one) and pa.types.is_decimal(other):
        return _wider_decimals(one, other)
    return None


def _plain(kind):
    import pyarrow as pa

    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _family(kind):
    from pyarrow import types

    if types.is_string(kind) or types.is_large_string(kind):
        return _TEXT
    if types.is_binary(kind) or types.is_large_binary(kind):
        return _BYTES
    if types.is_integer(kind):
        return _WHOLE
    return _FLOATING if types.is_floating(kind) else str(kind)


def _wider_whole(one, other):
    """int64 for a signed and an unsigned type; the cast raises for values that it cannot hold."""
    import pyarrow as pa

    signed = {pa.types.is_signed_integer(one), pa.types.is_signed_integer(other)}
    if len(signed) > 1:
        return pa.int64()
    return one if one.bit_width > other.bit_width else other


def _wider_times(one, other):
    """The finer unit; None if only one of the types has a time zone."""
    import pyarrow as pa

    if (one.tz is None) != (other.tz is None):
        return None
    unit = max(one.unit, other.unit, key=("s", "ms", "us", "ns").index)
    return pa.timestamp(unit, one.tz if one.tz == other.tz else "UTC")


def _wider_decimals(one, other):
    import pyarrow as pa

    scale = max(one.scale, other.scale)
    precision = scale + max(one.precision - one.scale, other.precision - other.scale)
    return pa.decimal128(precision, scale) if precision <= 38 else None
