"""Folders of parquet files of lists that a stopped run goes on with.

Each file says in the metadata of its schema what it was made of: the model and the options, and
its own part of the users. So a file is known whoever wrote it, alone or among others, and no other
file has to agree with what stands there.
"""

import re
from contextlib import contextmanager
from typing import NamedTuple

from skrec._version import __version__
from skrec.utils._files import atomic_file
from skrec.utils._stamps import digest

# Key of the parquet schema under which a file says what it was made of.
_KEY = b"skrec.lists"
_NUMBERED = re.compile(r"part-\d{5,}\.parquet").fullmatch
_MAGIC = b"PAR1"  # a file of parquet begins and ends so


class _Found(NamedTuple):
    """What stands there: what it was made of, None of other files; its lines; is it broken."""

    mark: bytes | None
    n_lines: int
    is_broken: bool


class ListParts:
    """The files of one call in a folder.

    Parameters
    ----------
    folder : pathlib.Path
    names : list of str
        Of the files that the call is to write.
    made_of : str
        See `made_of`.
    remedy : str
        What to do about files of other lists, for the error.
    numbered : bool
        Whether the names are numbers of parts (`part_name`): then such files beyond those of the
        call are of other lists.
    overwrite : bool, default=False
        Whether files that stand there are written again.
    """

    def __init__(self, folder, names, made_of, *, remedy, numbered, overwrite=False):
        self.folder, self.names, self.made_of = folder, names, made_of
        self.remedy, self.numbered, self.overwrite = remedy, numbered, overwrite

    def check_folder(self):
        """Files of other lists, which would stand beside those of the call as if they were of it.

        Returns
        -------
        strangers : list of pathlib.Path

        Raises
        ------
        ValueError
            If there is one, and they are not to be written over.
        """
        found = []
        for path in sorted(self.folder.glob("*.parquet")):
            try:
                mark = _look(path).mark
            except OSError:  # a folder, or a file that others keep to themselves
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
        """How many lines a file has that need not be written.

        Parameters
        ----------
        name : str
        stamp : str
            What tells the part from others.

        Returns
        -------
        n_lines : int or None
            None where it is to be written: it is not there, or broken.

        Raises
        ------
        ValueError
            If it is of another model, other options or another part.
        OSError
            If it cannot be opened.
        """
        path = self.folder / name
        if self.overwrite or not path.exists():
            return None
        found = _look(path)
        if found.is_broken:
            return None
        if found.mark != self._mark(stamp):
            raise self._other(path)
        return found.n_lines

    @contextmanager
    def open(self, name, stamp):
        """Open a file, which takes its place when it is whole.

        Where another call has written one meanwhile, that file stays.

        Parameters
        ----------
        name, stamp : str
            As for `n_lines`, which said None.

        Yields
        ------
        file : binary file
        metadata : dict
            What the schema of the table is to hold.

        Raises
        ------
        ValueError
            If another call has written other lists meanwhile.
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
            f"{path} stands there and is of another model, other parameters, other users or "
            "another version of skrec. Expected no such file, or one that this call would write: "
            f"{self.remedy}."
        )


def made_of(*contents):
    """What decides the lists of all parts, as text without blanks.

    Parameters
    ----------
    *contents : object
        See `skrec.utils._stamps.digest`.
    """
    return digest([__version__, *contents])


def part_name(number):
    """The name of the file of a part that has none of its own."""
    return f"part-{number:05d}.parquet"


def is_part_name(name):
    """Whether a file is named as `part_name` names them."""
    return _NUMBERED(name) is not None


def _look(path):
    from pyarrow.parquet import read_metadata

    with open(path, "rb") as file:
        head = file.read(len(_MAGIC))
    try:
        facts = read_metadata(path)
    except (OSError, ValueError):
        # Cut off, or without content, such as a machine leaves that fails. Others are no parquet.
        return _Found(None, 0, head in (b"", _MAGIC))
    return _Found((facts.metadata or {}).get(_KEY), facts.num_rows, False)
