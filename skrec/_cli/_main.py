"""Parse, run, and turn whatever happens into an exit code."""

import os
import shlex
import sys
import traceback
import warnings
from importlib import import_module

from skrec._cli._errors import CommandError, one_line
from skrec._cli._parser import build_parser

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
        0 where all went well, 2 for an error, 130 after Ctrl-C, 141 where the reader of
        the output went away.

    Examples
    --------
    >>> from skrec.__main__ import main
    >>> main(["--version"]) # doctest: +ELLIPSIS
    skrec ...
    0
    """
    try:
        arguments = build_parser().parse_args(argv)
        words = sys.argv[1:] if argv is None else argv
        arguments.command = shlex.join(["python", "-m", "skrec", *words])
    except CommandError as error:
        return _fail(one_line(error))
    except SystemExit as done:  # argparse has shown the help or the version
        return int(done.code or 0)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            # The verbs import scipy and scikit-learn; help and errors need not wait for them.
            import_module(f"skrec._cli._{arguments.verb}").run(arguments)
            sys.stdout.flush()
    except KeyboardInterrupt:
        sys.stderr.write("skrec: interrupted\n")
        return 130
    except BrokenPipeError:
        # Python flushes stdout once more at exit, which must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception as error:
        if arguments.traceback:
            traceback.print_exc()
        return _fail(_describe(error))
    return 0


def _describe(error):
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, _EXPECTED):
        return one_line(error)
    return (
        f"unexpected {type(error).__name__}: {one_line(error)}. This is a bug in skrec; "
        "--traceback shows where."
    )


def _fail(text):
    sys.stderr.write(f"skrec: error: {text}\n")
    return 2


def _show_warning(message, category, filename, lineno, file=None, line=None):
    sys.stderr.write(f"skrec: warning: {one_line(message)}\n")
