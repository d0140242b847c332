"""Ctrl-C and the signals that end a process -> exceptions, so that no half-written file stays."""

import signal
import threading
from contextlib import contextmanager

_ENDING = [
    getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)
]
_caught = []  # signals since `handled_signals` was entered


class Terminated(SystemExit):
    """A signal has ended the process; the code is the one that a shell expects."""


@contextmanager
def handled_signals():
    """Turn signals into exceptions: SIGINT into KeyboardInterrupt, others into `Terminated`.

    By default SIGTERM ends a process at once, and temporary files stay. A signal that the
    parent ignores, as under nohup, stays ignored. Outside the main thread, where Python has
    no signals, the function changes nothing.
    """
    _caught.clear()
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {signal.SIGINT: _interrupt} | dict.fromkeys(_ENDING, _terminate)
    before = {number: signal.getsignal(number) for number in handlers}
    try:
        for number, handler in handlers.items():
            if before[number] not in (signal.SIG_IGN, None):
                signal.signal(number, handler)
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:
                signal.signal(number, handler)


@contextmanager
def one_piece(otherwise):
    """Work that completes, or raises an exception that says what an interrupt has left.

    Parameters
    ----------
    otherwise : str
        The state after an interrupt: "nothing was written".

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C, also if a library raised another exception.
    """
    from skrec.utils._interrupts import whole_fits_only  # imports scikit-learn

    try:
        with whole_fits_only():
            yield
    except (Exception, KeyboardInterrupt) as error:
        if not (isinstance(error, KeyboardInterrupt) or was_interrupted()):
            raise
        when = f" {error}" if isinstance(error, KeyboardInterrupt) and error.args else ""
        raise KeyboardInterrupt(f"{when}; {otherwise}") from error


def raise_if_interrupted():
    """Raise an interrupt that a library may have swallowed, before using its result."""
    if was_interrupted():
        raise KeyboardInterrupt


def was_interrupted():
    """Whether the user pressed Ctrl-C, even if a library swallowed the exception."""
    return signal.SIGINT in _caught


def exit_code(number=signal.SIGINT):
    """Exit code that a shell expects after a signal."""
    return 128 + number


def _interrupt(number, frame):
    _caught.append(number)
    raise KeyboardInterrupt


def _terminate(number, frame):
    _caught.append(number)
    raise Terminated(exit_code(number))
