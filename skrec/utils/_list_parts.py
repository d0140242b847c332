"""Folders of parquet files of lists, which a stopped run can continue.

The metadata of each file's schema identify the model, the options and the part of the users that
it was made from. So a call recognises each file on its own, whoever wrote it.
"""

import re
from contextlib import contextmanager
from typing import NamedTuple

from skrec._version import __version__
from skrec.utils._files import atomic_file
from skrec.utils._stamps import digest

# Key of the metadata of the parquet schema that identifies the source of a file.
_KEY = b"skrec.lists"
_NUMBERED = re.compile(r"part-\d{5,}\.parquet").fullmatch
_MAGIC = b"PAR1"  # a parquet file begins and ends with these bytes


class _Found(NamedTuple):
    """An existing file: its mark (None for other files), number of lines, whether it is broken."""

    mark: bytes | None
    n_lines: int
    is_broken: bool


class ListParts:
    """The files of one call in a folder.

    Parameters
    ----------
    folder : pathlib.Path
    names : list of str
        Names of the files that the call will write.
    made_of : str
        See `made_of`.
    remedy : str
        Remedy for files of other lists, for the error.
    numbered : bool
        Whether the names are numbers of parts (`part_name`). If so, numbered files that are not
        in `names` belong to other lists.
    overwrite : bool, default=False
        Whether to write existing files again.
    """

    def __init__(self, folder, names, made_of, *, remedy, numbered, overwrite=False):
        self.folder, self.names, self.made_of = folder, names, made_of
        self.remedy, self.numbered, self.overwrite = remedy, numbered, overwrite

    def check_folder(self):
        """Find files of other lists, which readers of the folder would take for files of this call.

        Returns
        -------
        strangers : list of pathlib.Path

        Raises
        ------
        ValueError
            If there is such a file and `overwrite` is False.
        """
        found = []
        for path in sorted(self.folder.glob("*.parquet")):
            try:
                mark = _look(path).mark
            except OSError:  # a folder, or a file without permission to read
                continue
            if mark is None or (self.overwrite and path.name in self.names):
                continue
            beyond = self.numbered and _NUMBERED(path.name) and path.name not in self.names
            if beyond or mark.split()[0] != self.made_of.encode():
                found.append(path)
        if found and not self.overwrite:
            raise self._other(found[0])
        return found

    def n_lines(self, name, stamp):
        """Number of lines of a file that need not be written again.

        Parameters
        ----------
        name : str
        stamp : str
            Digest of the part.

        Returns
        -------
        n_lines : int or None
            None if the file must be written, because it is missing or broken.

        Raises
        ------
        ValueError
            If the file belongs to another model, other options or another part, or is not a file.
        OSError
            If the file cannot be opened.
        """
        path = self.folder / name
        if self.overwrite or not (path.exists() or path.is_symlink()):
            return None
        if not path.is_file():
            raise ValueError(
                f"{path} is a folder, or a link to nothing. Expected no such path, or a file of "
                f"lists: {self.remedy}."
            )
        found = _look(path)
        if found.is_broken:
            return None
        if found.mark != self._mark(stamp):
            raise self._other(path)
        return found.n_lines

    @contextmanager
    def open(self, name, stamp):
        """Open a file that gets its name when it is complete.

        If another call has written the file meanwhile, that file stays.

        Parameters
        ----------
        name, stamp : str
            As for `n_lines`, which returned None.

        Yields
        ------
        file : binary file
        metadata : dict
            Metadata for the schema of the table.

        Raises
        ------
        ValueError
            If another call has written other lists to this file meanwhile.
        """
        path = self.folder / name
        if path.exists() and _look(path).is_broken:
            path.unlink(missing_ok=True)
        try:
            with atomic_file(path, replace=self.overwrite) as file:
                yield file, {_KEY: self._mark(stamp)}
        except FileExistsError:
            if _look(path).mark != self._mark(stamp):
                raise self._other(path) from None

    def _mark(self, stamp):
        return f"{self.made_of} {stamp}".encode()

    def _other(self, path):
        return ValueError(
            f"{path} exists and comes from another model, other parameters, other users or another "
            "version of skrec. Expected no such file, or one that this call would write: "
            f"{self.remedy}."
        )


def made_of(*contents):
    """Digest of everything that decides the lists of all parts, as text without blanks.

    Parameters
    ----------
    *contents : object
        See `skrec.utils._stamps.digest`.
    """
    return digest([__version__, *contents])


def part_name(number):
    """Name of the file of a part without a name of its own."""
    return f"part-{number:05d}.parquet"


def is_part_name(name):
    """Whether a name has the form of `part_name`."""
    return _NUMBERED(name) is not None


def _look(path):
    from pyarrow.parquet import read_metadata

    with open(path, "rb") as file:
        head = file.read(len(_MAGIC))
    try:
        facts = read_metadata(path)
    except (OSError, ValueError):
        # A cut or empty file, as a failed machine may leave, is broken. Others are not parquet.
        return _Found(None, 0, _MAGIC.startswith(head))
    return _Found((facts.metadata or {}).get(_KEY), facts.num_rows, False)
