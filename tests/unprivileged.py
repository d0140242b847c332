"""Run a command as a user who has no home and may not write where things are installed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import skrec

# Who runs as root may write everywhere. This user may read everything, so that it finds a
# Python that stands in somebody's home, and writes only where it owns the folder.
_NOBODY = 65534
_SETPRIV = [
    "setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups",
    "--securebits=+no_setuid_fixup",  # else os.access forgets what may be read
    *(f"--{kind}=-all,+dac_read_search" for kind in ("inh-caps", "ambient-caps", "bounding-set")),
]  # fmt: skip


def read_only_copy(folder):
    """Copy skrec to where the user may read it only, and return the folder to import it from."""
    shutil.copytree(
        Path(skrec.__file__).parent, folder / "skrec", ignore=shutil.ignore_patterns("__pycache__")
    )
    make_read_only(folder)
    return folder


def make_read_only(folder):
    """Take the right to write from a folder and all that is in it."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)


def own_folder(path):
    """Make a folder that the user may write."""
    path.mkdir()
    if os.getuid() == 0:
        os.chown(path, _NOBODY, _NOBODY)
    return path


def run_without_home(arguments, package, *, temporary=None, **environment):
    """Run Python as a user without a home.

    Parameters
    ----------
    arguments : list of str
        Of Python.
    package : pathlib.Path
        Where Python finds packages first; the working directory, too.
    temporary : pathlib.Path, default=None
        The temporary folder. None: no file can be written anywhere, as on a full disk.
    **environment : str
        Further environment variables.

    Returns
    -------
    done : subprocess.CompletedProcess
        With text.
    """
    command = [sys.executable, *arguments]
    if temporary is None:
        command = ["sh", "-c", 'ulimit -f 0; exec "$@"', "sh", *command]
    if os.getuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root may write everywhere, and there is no setpriv")
        command = [*_SETPRIV, *command]
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    one_thread = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
    places = {"HOME": "/nonexistent", "PYTHONPATH": str(package)}
    if temporary is not None:
        places["TMPDIR"] = str(temporary)
    return subprocess.run(
        command,
        cwd=package,
        env=kept | one_thread | places | environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
