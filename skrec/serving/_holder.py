"""The model of a service: read again in the background when its file is replaced."""

import logging
import math
import sys
import threading
import time
from pathlib import Path
from typing import NamedTuple

from skrec.serving._server import Server
from skrec.utils._parallel import lock_across_forks

_LOG = logging.getLogger("skrec.serving")
_SHORT_TURN = 1e-4  # seconds
_LONGEST_PAUSE = 60.0  # seconds between two tries of a file
_OF_NO_FILE = object()


class Loaded(NamedTuple):
    """A server, and when it was made.

    Attributes
    ----------
    server : Server
    since : float
        Unix seconds.
    """

    server: Server
    since: float


class ModelHolder:
    """Holds a server, and watches its file from a thread of its own.

    The file is another one when its time, its size or its inode has changed. The new server is
    made beside the old one, which keeps answering, and takes its place by one assignment: a
    request keeps the server that it began with. A file that cannot be read changes nothing. Where
    the file itself is wrong, it is not tried again before it is replaced. Where something else
    failed, such as memory or the disk, it is tried again, after a pause that doubles each time.

    Parameters
    ----------
    model : str, path-like or Server
        A server is not watched.
    quantize : {None, "int8"}, default=None
    seconds : float, default=1.0
        Between two looks.

    Attributes
    ----------
    current : Loaded
    error : str or None
        Why the present file could not be read; None where it is the one that serves.
    n_reloads, n_failures : int

    Raises
    ------
    ValueError
        If JSON has no words for the ids of items.
    """

    def __init__(self, model, *, quantize=None, seconds=1.0):
        self.path = None if isinstance(model, Server) else Path(model)
        self._quantize, self._seconds = quantize, seconds
        self.error, self.n_reloads, self.n_failures = None, 0, 0
        # `_stamp` is of the file that serves or is known to be wrong, `_tried` of the last try.
        self._stamp = self._tried = self._stamp_now()
        self._pause, self._next_try = 0.0, -math.inf
        if self.path is None:
            check_ids(model)
        self.current = Loaded(model if self.path is None else self._read(), time.time())
        self._stop, self._thread = threading.Event(), None

    def start(self):
        """Begin to watch."""
        if self.path is None:
            return
        self._stop.clear()
        self._thread = threading.Thread(target=self._watch, name="skrec-reload", daemon=True)
        self._thread.start()

    def stop(self):
        """End it; a file that is being read is read to its end."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def look(self):
        """Read the file if it is another one.

        Returns
        -------
        changed : bool
            Whether there is a new server.
        """
        stamp = self._stamp_now()
        if stamp == self._stamp:
            return False
        if stamp is None:
            self._stamp = self._tried = None
            self._failed(f"{self.path} is gone")
            return False
        if stamp != self._tried:
            self._pause, self._next_try = self._seconds, -math.inf
        if time.monotonic() < self._next_try:
            return False
        self._tried = stamp
        started = time.perf_counter()
        try:
            with SHORT_TURNS:
                server = self._read()
        except Exception as error:  # whatever it is, the old model stays
            if _is_of_the_file(error):
                self._stamp = stamp
            else:
                self._stamp = _OF_NO_FILE  # also the old file, put back, is read again
                self._next_try = time.monotonic() + self._pause
                self._pause = max(self._seconds, min(2 * self._pause, _LONGEST_PAUSE))
            self._failed(f"{type(error).__name__}: {error}")
            return False
        self._stamp = stamp
        self.current, self.error = Loaded(server, time.time()), None
        self.n_reloads += 1
        _LOG.info(
            "reloaded %s: %d items, in %.1f s", self.path, server.n_items,
            time.perf_counter() - started,
        )  # fmt: skip
        return True

    def _watch(self):
        while not self._stop.wait(self._seconds):
            self.look()

    def _read(self):
        server = Server(self.path, quantize=self._quantize)
        check_ids(server)
        return server

    def _failed(self, text):
        self.error = text
        self.n_failures += 1
        _LOG.error("the model file cannot be used, the last model stays: %s", text)

    def _stamp_now(self):
        try:
            found = self.path.stat() if self.path else None
        except OSError:
            return None
        return found and (found.st_mtime_ns, found.st_size, found.st_ino)


class _ShortTurns:
    """A block in which Python changes threads often: requests do not wait for a file's reading.

    A request asks for the interpreter again after each system call and each kernel. While another
    thread copies arrays it waits for a whole turn each time, 5 ms by default: at 200 requests a
    second these waits alone are longer than the time there is.

    The interval belongs to the process: the last thread in the block restores the interval that
    the first thread found.
    """

    def __init__(self):
        self._lock, self._n_inside, self._found = lock_across_forks(), 0, None

    def __enter__(self):
        with self._lock:
            if self._n_inside == 0:
                self._found = sys.getswitchinterval()
                sys.setswitchinterval(min(self._found, _SHORT_TURN))
            self._n_inside += 1

    def __exit__(self, *error):
        with self._lock:
            self._n_inside -= 1
            if self._n_inside == 0:
                sys.setswitchinterval(self._found)


SHORT_TURNS = _ShortTurns()


def _is_of_the_file(error):
    """Whether a file would fail again: its content is wrong, and nothing around it."""
    passing = (OSError, MemoryError)
    # `skrec.load` has one error for all that goes wrong, and its cause.
    return isinstance(error, TypeError | ValueError) and not isinstance(error.__cause__, passing)


def check_ids(server):
    """Raise for ids of items that JSON has no word for.

    Parameters
    ----------
    server : Server
    """
    wrong = [one for one in server.item_ids if not _is_word_of_json(one)][:1]
    if wrong:
        raise ValueError(
            f"Ids of items must be text or finite numbers to be served over HTTP. Got {wrong[0]!r} "
            f"({type(wrong[0]).__name__}): convert the ids of the log to text before the fit."
        )


def _is_word_of_json(value):
    return type(value) in (str, int) or (type(value) is float and math.isfinite(value))
