"""Kernels compile where nothing can be written."""

import os
import pickle
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
import warnings
from pathlib import Path

import numba
import numpy as np
import pytest
from numba.core.errors import NumbaWarning

import skrec
from skrec.utils import _compile
from skrec.utils._compile import njit
from tests.unprivileged import make_read_only, own_folder, run_without_home

KERNELS = """
from skrec.utils._compile import njit

@njit(nogil=True, cache=True, inline="always")
def double(x):
    return 2 * x

@njit(cache=True)
def other(x):
    return x - 1

@njit(cache=True)
def total(values):
    result = 0.0
    for value in values:
        result += other(double(value))
    return result
"""
USE = """
import warnings
import numpy as np
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    from kernels import other, total
    print(total(np.arange(4.0)))
    print(sum(total.stats.cache_hits.values()))
    print([str(item.message) for item in caught])
"""


@pytest.fixture
def package(tmp_path):
    """A folder with kernels in it that nobody may write; the tests' own skrec is used."""
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "kernels.py").write_text(KERNELS)
    make_read_only(folder)
    return folder


def _use(package, **options):
    root = Path(skrec.__file__).parent.parent
    options.setdefault("PYTHONPATH", f"{package}{os.pathsep}{root}")
    done = run_without_home(["-c", USE], package, **options)
    assert done.returncode == 0, done.stderr
    value, hits, caught = done.stdout.splitlines()
    assert value == "8.0"
    return int(hits), caught


def test_one_warning_where_nothing_can_be_written(package):
    pytest.importorskip("scipy", minversion="1.15", reason="scipy makes a file at its import")
    hits, caught = _use(package)
    assert hits == 0
    assert caught.count("Compiled kernels") == 1
    assert "NUMBA_CACHE_DIR" in caught


def test_private_folder_serves_the_next_process(package, tmp_path):
    temporary = own_folder(tmp_path / "temporary")
    assert _use(package, temporary=temporary) == (0, "[]")
    (folder,) = temporary.iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert _use(package, temporary=temporary) == (1, "[]")


@pytest.mark.slow
def test_remedy_works(package, tmp_path):
    kept, temporary = own_folder(tmp_path / "kept"), own_folder(tmp_path / "temporary")
    for expected in (0, 1):
        found = _use(package, temporary=temporary, NUMBA_CACHE_DIR=str(kept))
        assert found == (expected, "[]")
    assert list(temporary.iterdir()) == []


def test_home_that_is_no_folder_leaves_no_trace(tmp_path, monkeypatch):
    """numba makes a folder "~" in the working directory of a user who has no home at all."""
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    monkeypatch.chdir(tmp_path)
    assert not _compile._has_cache_home()
    monkeypatch.setattr(_compile, "_private_folder", lambda: None)
    monkeypatch.setattr(_compile, "_WARNED", threading.Event())
    with pytest.warns(UserWarning, match="NUMBA_CACHE_DIR"):
        assert njit(cache=True)(_plus_one)(1) == 2
    assert list(tmp_path.iterdir()) == []


# What may be wrong with a folder in which other users can make things, too.


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def _private():
    return _compile._private_folder.__wrapped__()


def test_private_folder(temporary):
    first = _private()
    assert first is not None
    assert _private() == first


def test_folder_that_others_can_write_is_not_taken(temporary):
    folder = _private()
    for mode in (0o770, 0o705, 0o750):
        (temporary / folder).chmod(mode)
        assert _private() is None


def test_link_is_not_taken(temporary, tmp_path):
    folder = temporary / _private()
    folder.rmdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    folder.symlink_to(elsewhere)
    assert _private() is None


def test_folder_of_another_user_is_not_taken(temporary, monkeypatch):
    folder = temporary / _private()
    own = _compile.os.getuid()
    monkeypatch.setattr("os.getuid", lambda: own + 1)
    temporary.chmod(0o1777)
    folder.rename(temporary / f"skrec-numba-{own + 1}")
    assert _private() is None


def test_temporary_folder_without_sticky_bit_is_not_taken(temporary):
    temporary.chmod(0o777)
    assert _private() is None
    temporary.chmod(0o1777)
    assert _private() is not None


def test_working_directory_is_not_taken(temporary, monkeypatch):
    monkeypatch.chdir(temporary)
    assert _private() is None
    assert list(temporary.iterdir()) == []


# A cache that fails later.


def _plus_one(x):
    return x + 1


@pytest.fixture
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(folder))
    monkeypatch.setattr(_compile, "_WARNED", threading.Event())
    return folder


def _call(argument=1):
    """Compile as a new process would: its dispatcher knows no code."""
    kernel = njit(cache=True)(_plus_one)
    assert kernel(argument) == argument + 1
    return sum(kernel.stats.cache_hits.values())


def test_code_is_kept(cache):
    assert [_call(), _call()] == [0, 1]


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
@pytest.mark.parametrize("damage", ["emptied", "cut", "zeros", "text", "folder"])
def test_damaged_file_is_replaced(cache, ending, damage):
    _call()
    (path,) = cache.rglob(f"*.{ending}")
    content = path.read_bytes()
    if damage == "folder":
        path.unlink()
        path.mkdir()
    else:
        path.write_bytes(
            {
                "emptied": b"",
                "cut": content[: len(content) // 2],
                "zeros": bytes(len(content)),
                "text": b"<html>not found</html>",
            }[damage]
        )
    if damage != "folder":
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert [_call(), _call()] == [0, 1]
    else:
        with pytest.warns(UserWarning, match="NUMBA_CACHE_DIR"):
            _call()


def test_folder_that_disappears_is_made_again(cache):
    kernel = njit(cache=True)(_plus_one)
    shutil.rmtree(cache)
    assert kernel(1) == 2
    assert _call() == 1


def test_folder_that_becomes_a_file(cache):
    kernel, again = njit(cache=True)(_plus_one), njit(cache=True)(_plus_one)
    shutil.rmtree(cache)
    cache.write_text("")
    with pytest.warns(UserWarning, match="NUMBA_CACHE_DIR") as caught:
        results = kernel(1), kernel(1.0), again(1)
    assert results == (2, 2.0, 2)
    assert len(caught) == 1


def test_what_can_never_be_cached_is_still_said(cache):
    """The tests of the package turn this warning into an error: it names a kernel to mend."""
    table = np.arange(1_000_000)

    @njit(cache=True)
    def look_up(i):
        return table[i]

    with pytest.raises(NumbaWarning, match="Cannot cache"):
        look_up(3)


# The decorator's own forms.


def test_bare_and_with_arguments():
    assert njit(_plus_one)(1) == njit()(_plus_one)(1) == njit(nogil=True)(_plus_one)(1) == 2


def test_parallel(cache):
    @njit(parallel=True, cache=True)
    def squares(n):
        result = np.empty(n)
        for i in numba.prange(n):
            result[i] = i * i
        return result

    np.testing.assert_array_equal(squares(5), [0, 1, 4, 9, 16])


def test_kernel_can_be_pickled():
    kernel = njit(nogil=True, cache=True)(_plus_one)
    kernel(1)
    assert pickle.loads(pickle.dumps(kernel))(1.5) == 2.5


def test_without_compilation():
    code = (
        "from skrec.utils._compile import njit\n"
        "print(njit(cache=True)(lambda values: sorted(values, key=str))([2, 1]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "[1, 2]", done.stderr


def test_workers_do_not_repeat_the_warning(monkeypatch):
    monkeypatch.setattr(_compile, "_WARNED", threading.Event())
    monkeypatch.setattr(_compile.multiprocessing.current_process(), "_name", "LokyProcess-1")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _compile._warn_once("of nothing")
