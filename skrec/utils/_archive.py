"""Checks of a model file before it is unpacked: its unpacked size and its types."""

import io
import json
from math import prod
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

import numpy as np

from skrec.utils._memory import available_memory, format_bytes

_SCHEMA = "schema.json"
_NPY, _ZIP = b"\x93NUMPY", b"PK\x03\x04"
# The loaders that skops uses for types that are not plain containers; other loaders are refused.
_LOADERS = {
    "scipy.sparse": {"SparseMatrixNode", "ObjectNode"},  # ObjectNode: older versions
    "skrec": {"ObjectNode", "TupleNode", "FunctionNode", "TypeNode"},
    "torch": {"ConstructorFromReduceNode"},
}


def check_archive(archive, *, depth=0):
    """Raise if an archive would not fit into memory, or an array contradicts its header.

    Parameters
    ----------
    archive : zipfile.ZipFile
    depth : int, default=0
        1 inside an entry that is itself an archive, such as a sparse matrix.

    Raises
    ------
    ValueError
        Also for object arrays, which need pickle, and for archives nested more deeply.
    """
    # The entries and the arrays made of them are in memory at once.
    required = 2 * sum(info.file_size for info in archive.infolist())
    available = available_memory()
    if available is not None and required > available:
        raise ValueError(
            f"unpacked it takes {format_bytes(required)} of memory, but only "
            f"{format_bytes(available)} are available"
        )
    for info in archive.infolist():
        if info.compress_type not in (ZIP_STORED, ZIP_DEFLATED) or info.flag_bits & 1:
            raise ValueError(f"{info.filename} is encrypted, or compressed in an unknown way")
        with archive.open(info) as entry:
            start = entry.read(len(_NPY))
            if start == _NPY:
                _check_array(archive, info)
            elif start.startswith(_ZIP):
                if depth:
                    raise ValueError(f"{info.filename} is an archive within an archive")
                with ZipFile(io.BytesIO(archive.read(info))) as inner:
                    check_archive(inner, depth=1)


def _check_array(archive, info):
    """Raise unless the header of an array agrees with the size of its entry."""
    with archive.open(info) as entry:
        version = np.lib.format.read_magic(entry)
        readers = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }
        if version not in readers:
            raise ValueError(f"{info.filename} has an array of format {version}")
        shape, _, dtype = readers[version](entry)
        header = entry.tell()
    if dtype.hasobject or dtype.kind == "V" or (dtype.itemsize == 0 and prod(shape)):
        raise ValueError(f"{info.filename} has an array of dtype {dtype}")
    n_bytes = prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or header + n_bytes != info.file_size:
        raise ValueError(
            f"{info.filename} has an array of shape {shape} and dtype {dtype}, which takes "
            f"{n_bytes} bytes, but holds {info.file_size - header}"
        )


def read_schema(archive):
    """Check the description of the content.

    Parameters
    ----------
    archive : zipfile.ZipFile

    Returns
    -------
    skeleton : bytes
        A small archive with the same description and types, whose entries are empty.

    Raises
    ------
    ValueError
        If the description names a loader that skops does not write for the type.
    """
    text = archive.read(_SCHEMA)
    waiting = [json.loads(text)]
    if not isinstance(waiting[0], dict):
        raise ValueError(f"{_SCHEMA} holds a {type(waiting[0]).__name__}, expected an object")
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            if "__loader__" in part:
                _check_loader(part)
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part
    skeleton = io.BytesIO()
    with ZipFile(skeleton, "w") as empty:
        empty.writestr(_SCHEMA, text)
        for name in sorted(set(archive.namelist()) - {_SCHEMA}):
            empty.writestr(name, b"")
    return skeleton.getvalue()


def _check_loader(part):
    loader, module, name = (part.get(f"__{key}__") for key in ("loader", "module", "class"))
    if not all(isinstance(value, str) for value in (loader, module, name)):
        raise ValueError(f"a part of {_SCHEMA} has no type: {loader!r}, {module!r}, {name!r}")
    for package, allowed in _LOADERS.items():
        if (module == package or module.startswith(f"{package}.")) and (
            loader not in allowed | {"CachedNode"}
        ):
            raise ValueError(f"{module}.{name} must not be built by {loader}")
