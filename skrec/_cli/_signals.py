"""Ctrl-C and the signals that end a process -> exceptions, so that nothing half is left."""

import signal
import threading
from contextlib import contextmanager

_ENDING = [
    getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)
]
_caught = []  # signals that came since `handled_signals` was entered


class Terminated(SystemExit):
    """The process was told to end; its code is what a shell expects."""


@contextmanager
def handled_signals():
    """Make exceptions of signals: SIGINT a KeyboardInterrupt, SIGTERM and SIGHUP `Terminated`.

    By default SIGTERM ends a process at once, and temporary files stay. A signal that the
    parent has chosen to ignore, as nohup does, stays ignored. Outside of the main thread,
    where Python has no signals, nothing is changed.
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
    """Work that ends whole or with an exception that says what an interrupt has left.

    Parameters
    ----------
    otherwise : str
        What there is if it is interrupted: "nothing was written".

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C, also where a library made something else of it.
    """
    from skrec.utils._interrupts import whole_fits_only  # with it comes scikit-learn

    try:
        with whole_fits_only():
            yield
    except (Exception, KeyboardInterrupt) as error:
        if not (isinstance(error, KeyboardInterrupt) or was_interrupted()):
            raise
        when = f" {error}" if isinstance(error, KeyboardInterrupt) and error.args else ""
        raise KeyboardInterrupt(f"{when}; {otherwise}") from error


def raise_if_interrupted():
    """Raise again what a library may have swallowed: before its result is used."""
    if was_interrupted():
        raise KeyboardInterrupt


def was_interrupted():
    """Whether Ctrl-C was pressed, whatever has become of its exception."""
    return signal.SIGINT in _caught


def exit_code(number=signal.SIGINT):
    """What a shell expects of a process that a signal has ended."""
    return 128 + number


def _interrupt(number, frame):
    _caught.append(number)
    raise KeyboardInterrupt


def _terminate(number, frame):
    _caught.append(number)
    raise Terminated(exit_code(number))
