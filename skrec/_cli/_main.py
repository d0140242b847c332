"""Parse, run, and turn the outcome into an exit code."""

import errno
import shlex
import sys
import traceback
import warnings
from contextlib import suppress
from importlib import import_module

from skrec._cli._errors import CommandError, one_line
from skrec._cli._parser import parse
from skrec._cli._remedies import on_command_line
from skrec._cli._signals import Terminated, exit_code, handled_signals, was_interrupted
from skrec._cli._streams import drop_output, open_streams

# Errors of standard output: an error of a file names the file.
_OF_WRITING = {
    number
    for number, name in errno.errorcode.items()
    if name in ("ENOSPC", "EDQUOT", "EFBIG", "EIO", "EBADF")
}
_EXPECTED = (CommandError, ValueError, TypeError, OSError, MemoryError, ImportError)


def main(argv=None):
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, default=None
        Arguments without the program's name; None takes them from ``sys.argv``.

    Returns
    -------
    code : int
        0 for success, 2 for an error, 130 after Ctrl-C, 143 after SIGTERM (129 after
        SIGHUP), 141 if the reader of the output has gone.

    Examples
    --------
    >>> from skrec.__main__ import main
    >>> main(["--version"]) # doctest: +ELLIPSIS
    skrec ...
    0
    """
    open_streams()
    try:
        words = sys.argv[1:] if argv is None else argv
        arguments = parse(words)
        arguments.command = shlex.join(["python", "-m", "skrec", *words])
    except CommandError as error:
        return _fail(one_line(error))
    except SystemExit as done:  # argparse has printed the help or the version
        return int(done.code or 0)
    with handled_signals():
        try:
            return _run(arguments)
        except Terminated as error:
            _say("terminated; unfinished files are removed")
            return error.code


def _run(arguments):
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            # The verbs import scipy and scikit-learn; help and errors need not wait for them.
            import_module(f"skrec._cli._{arguments.verb}").run(arguments)
            sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:
        if arguments.traceback:
            traceback.print_exc()
        if isinstance(error, KeyboardInterrupt) or was_interrupted():
            _say("interrupted" + (str(error) if isinstance(error, KeyboardInterrupt) else ""))
            # After an interrupt within an exec CPython ignores the exit code and dies of the
            # signal, handled or not, until another exec has succeeded.
            exec("", {})
            return exit_code()
        if isinstance(error, OSError):
            drop_output()
        if isinstance(error, BrokenPipeError):
            return 141
        return _fail(_describe(error))
    return 0


def _describe(error):
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, OSError) and error.errno in _OF_WRITING:
        return f"standard output: {error.strerror}"
    if isinstance(error, CommandError):
        return one_line(error)
    if isinstance(error, _EXPECTED):
        return on_command_line(one_line(error), _parameters_in(error))
    return (
        f"unexpected {type(error).__name__}: {one_line(error)}. This is a bug in skrec; "
        "--traceback shows where."
    )


def _fail(text):
    _say(f"error: {text}")
    return 2


def _show_warning(message, category, filename, lineno, file=None, line=None):
    _say(f"warning: {on_command_line(one_line(message), _parameters_in(message))}")


def _parameters_in(message):
    """Names of parameters of models, looked up only if a message may name one."""
    if "=" not in str(message):
        return ()
    from skrec._cli._models import known_models

    classes = {cls for cls, _ in known_models().values()}
    return {name for cls in classes for name in cls().get_params()}


def _say(text):
    with suppress(OSError):  # the reader may have gone
        sys.stderr.write(f"skrec: {text}\n")
        sys.stderr.flush()
