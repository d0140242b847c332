"""The model of a service: read again in the background when its file is replaced."""

import logging
import threading
import time
from pathlib import Path
from typing import NamedTuple

from skrec.serving._server import Server

_LOG = logging.getLogger("skrec.serving")


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

    The file is another one when its time, its size or its inode is another. The new server is
    made beside the old one, which goes on answering, and takes its place by one assignment: a
    request keeps the server that it began with. A file that cannot be read changes nothing.

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
    """

    def __init__(self, model, *, quantize=None, seconds=1.0):
        self.path = None if isinstance(model, Server) else Path(model)
        self._quantize, self._seconds = quantize, seconds
        self.error, self.n_reloads, self.n_failures = None, 0, 0
        self._stamp = self._stamp_now()
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
        self._stamp = stamp
        if stamp is None:
            self._failed(f"{self.path} is gone")
            return False
        started = time.perf_counter()
        try:
            server = self._read()
        except Exception as error:  # whatever it is, the old model goes on
            self._failed(f"{type(error).__name__}: {error}")
            return False
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
        return Server(self.path, quantize=self._quantize)

    def _failed(self, text):
        self.error = text
        self.n_failures += 1
        _LOG.error("the model file cannot be used, the last one goes on: %s", text)

    def _stamp_now(self):
        try:
            found = self.path.stat() if self.path else None
        except OSError:
            return None
        return found and (found.st_mtime_ns, found.st_size, found.st_ino)
