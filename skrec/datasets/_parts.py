"""Logs in several files: a folder, a pattern, a list of paths."""

import glob
import os
from pathlib import Path

from skrec.datasets._files import file_kind
from skrec.datasets._urls import RemoteFile, find_remote, is_url

__all__ = ["find_parts", "kind_of_parts"]


def find_parts(path):
    """Files of a log.

    Parameters
    ----------
    path : str, path-like or list of these
        A file, a folder, or a pattern such as "logs/*.csv", or a URL of fsspec.

    Returns
    -------
    root : pathlib.Path or RemoteFile
        What to call them all in messages.
    paths : list of pathlib.Path or RemoteFile
        Sorted by name; of a list in its order.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If a folder holds no log, or a data set, or if a file stands there twice.
    """
    root, parts = _found_parts(path)
    _refuse_repeated(root, parts)
    return root, parts


def _found_parts(path):
    if isinstance(path, list):
        parts = [part for some in path for part in _found_parts(some)[1]]
        remote = [hasattr(part, "fs") for part in parts]
        if any(remote):
            return _root_of_remote(parts, remote), parts
        return Path(os.path.commonpath([part.absolute().parent for part in parts])), parts
    if is_url(path):
        return find_remote(path)
    path = Path(os.path.expanduser(path))  # that of pathlib raises for an unknown user
    if path.is_dir():
        return path, _files_of_folder(path)
    if not path.exists() and set("*?[") & set(str(path)):
        parts = sorted(Path(name) for name in glob.glob(str(path), recursive=True))
        parts = [part for part in parts if part.is_file()]
        if not parts:
            raise FileNotFoundError(f"No file matches {path}. Expected an interaction log.")
        return path, parts
    if not path.exists():
        raise FileNotFoundError(f"There is no file {path}. Expected an interaction log.")
    return path, [path]


def kind_of_parts(root, paths, encoding="utf-8"):
    """The one kind of all files; see `file_kind`.

    Parameters
    ----------
    root : pathlib.Path
    paths : list of pathlib.Path
    encoding : str, default="utf-8"

    Returns
    -------
    kind : str

    Raises
    ------
    ValueError
        If they are of several kinds, or of one that is read from a single file only.
    """
    kinds = {path: file_kind(path, encoding) for path in paths}
    if len(set(kinds.values())) > 1:
        shown = {path.name: kind for path, kind in list(kinds.items())[:5]}
        raise ValueError(
            f"{root} holds files of several kinds: {shown}. Expected parts of one log; pass the "
            "path of the log."
        )
    kind = next(iter(kinds.values()))
    if len(paths) > 1 and kind not in ("text", "parquet"):
        raise ValueError(
            f"{root} holds {len(paths)} files of kind {kind}. Expected parts as text or parquet, "
            "or one file; pass the path of one."
        )
    return kind


def _refuse_repeated(root, parts):
    """Each line of a file that stands there twice would count twice."""
    known = {}
    for part in parts:
        place = part.path if hasattr(part, "fs") else os.path.realpath(part)
        if place in known:
            raise ValueError(
                f"{root}: one file stands there twice, as {known[place]} and as {part}. Expected "
                "each file once, since each of its lines would count twice; leave one of them out."
            )
        known[place] = str(part)


def _root_of_remote(parts, remote):
    """The folder that all files of a list are in."""
    if not all(remote) or len({id(part.fs) for part in parts}) > 1:
        raise ValueError(
            f"The parts of a log are in several places: {', '.join(map(str, parts[:5]))}. Expected "
            "all of them local, or under URLs of one protocol and host."
        )
    folder = os.path.commonpath([os.path.dirname(part.path) for part in parts])
    return RemoteFile(parts[0].fs, folder)


def _files_of_folder(folder):
    parts = sorted(
        path
        for path in folder.rglob("*")
        if path.is_file()
        # Spark's _SUCCESS and checksums are no parts.
        and not any(name.startswith((".", "_")) for name in path.relative_to(folder).parts)
    )
    if not parts or (folder / "interactions.npz").is_file():
        raise ValueError(
            f"{folder} is a folder. Expected a file, or a folder with parts of a log; for a folder "
            "with an interactions.npz use "
            f"load_dataset({folder.name!r}, data_home={str(folder.parent)!r})."
        )
    return [part for part in parts if part.stat().st_size] or parts
