"""Logs in several files: a folder, a pattern, a list of paths."""

import glob
import os
from pathlib import Path

from skrec.datasets._files import file_kind
from skrec.datasets._urls import RemoteFile, find_remote, is_url

__all__ = ["find_parts", "kind_of_parts"]


def find_parts(path):
    """Find the files of a log.

    Parameters
    ----------
    path : str, path-like or list of these
        A file, a folder, a pattern such as "logs/*.csv", or a URL for fsspec.

    Returns
    -------
    root : pathlib.Path or RemoteFile
        Name of all files in messages.
    paths : list of pathlib.Path or RemoteFile
        Sorted by name; a list keeps its order.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If a folder holds no log, or holds a data set, or if a file occurs twice.
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
    path = Path(os.path.expanduser(path))  # pathlib's expanduser raises for an unknown user
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
    """The common kind of all files; see `file_kind`.

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
        If the files have several kinds, or a kind that skrec reads only from a single file.
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
            "or a single file; pass the path of one file."
        )
    return kind


def _refuse_repeated(root, parts):
    """Raise if a file occurs twice: each of its lines would count twice."""
    known = {}
    for part in parts:
        place = part.path if hasattr(part, "fs") else os.path.realpath(part)
        if place in known:
            raise ValueError(
                f"{root}: a file occurs twice, as {known[place]} and as {part}. Expected each file "
                "once, since each of its lines would count twice; leave one of them out."
            )
        known[place] = str(part)


def _root_of_remote(parts, remote):
    """The common folder of all files of a list."""
    if not all(remote) or len({id(part.fs) for part in parts}) > 1:
        raise ValueError(
            f"The parts of a log are in several places: {', '.join(map(str, parts[:5]))}. Expected "
            "local files only, or URLs with the same protocol and host."
        )
    folder = os.path.commonpath([os.path.dirname(part.path) for part in parts])
    return RemoteFile(parts[0].fs, folder)


def _files_of_folder(folder):
    parts = sorted(
        path
        for path in folder.rglob("*")
        if path.is_file()
        # Spark's _SUCCESS and checksums are not parts of the log.
        and not any(name.startswith((".", "_")) for name in path.relative_to(folder).parts)
    )
    if not parts or (folder / "interactions.npz").is_file():
        raise ValueError(
            f"{folder} is a folder. Expected a file, or a folder with parts of a log; for a folder "
            "with an interactions.npz use "
            f"load_dataset({folder.name!r}, data_home={str(folder.parent)!r})."
        )
    return [part for part in parts if part.stat().st_size] or parts
