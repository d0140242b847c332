"""Files at a URL, through fsspec."""

import os
from typing import NamedTuple

__all__ = ["RemoteFile", "find_remote", "is_url"]


class _Size(NamedTuple):
    st_size: int


class RemoteFile:
    """A file or folder of fsspec, with the methods of `pathlib.Path` that readers need.

    Parameters
    ----------
    fs : fsspec.AbstractFileSystem
    path : str
        Path in the file system.
    """

    def __init__(self, fs, path):
        self.fs, self.path = fs, path

    def __str__(self):
        return self.fs.unstrip_protocol(self.path)

    @property
    def name(self):
        """The last part of the path."""
        return self.path.rstrip("/").rsplit("/", 1)[-1]

    @property
    def suffix(self):
        """The ending of the name."""
        return os.path.splitext(self.name)[1]

    def is_dir(self):
        """Whether the path is a folder."""
        return self.fs.isdir(self.path)

    def stat(self):
        """The size of the file."""
        return _Size(self.fs.size(self.path))

    def open(self, mode):
        """Open the file for reading bytes."""
        return self.fs.open(self.path, mode)


def is_url(path):
    """Whether a path is a URL, such as "s3://bucket/logs", and not the name of a local file."""
    return isinstance(path, str) and "://" in path and not os.path.exists(path)


def find_remote(url):
    """Find the files of a log at a URL.

    Parameters
    ----------
    url : str
        URL of a file or folder, or a pattern.

    Returns
    -------
    root : RemoteFile
        Name of all files in messages.
    files : list of RemoteFile
        Sorted by name.

    Raises
    ------
    ImportError
        If fsspec, or a package that it needs for this protocol, is not installed.
    FileNotFoundError
        If there is no such file.
    ValueError
        If fsspec does not know the protocol, or a folder holds no log.
    """
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise ImportError(
            f"{url} is a URL, which fsspec opens. Install it with pip install fsspec, or give the "
            "path of a local file."
        ) from error
    try:
        fs, path = url_to_fs(url)
    except ImportError as error:
        raise ImportError(f"{url} cannot be opened: {error}") from error
    except ValueError as error:
        raise ValueError(
            f"{url} cannot be opened: {error}. Expected a path, or a URL whose protocol fsspec "
            "knows, such as s3://, gs://, https:// or memory://."
        ) from error
    root = RemoteFile(fs, path)
    if set("*?[") & set(path):
        found = sorted(name for name in fs.glob(path) if fs.isfile(name))
    elif fs.isdir(path):
        found = [name for name in sorted(fs.find(path)) if not _is_hidden(path, name)]
        found = [name for name in found if fs.size(name)] or found
    else:
        found = [path] if fs.exists(path) else []
    if not found:
        raise FileNotFoundError(f"There is no file {url}. Expected an interaction log.")
    return root, [RemoteFile(fs, name) for name in found]


def _is_hidden(folder, name):
    """Whether a file is not part of a log, such as Spark's _SUCCESS and checksums."""
    inner = name[len(folder) :] if name.startswith(folder) else name
    return any(part.startswith((".", "_")) for part in inner.split("/"))
