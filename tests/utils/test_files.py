"""Files that are written whole or not at all."""

import os
import signal
import stat
import subprocess
import sys
import time

import numpy as np
import pytest

import skrec
from skrec.dummy import DummyRecommender
from skrec.utils._files import abandoned_parts, atomic_file, atomic_text, new_part


@pytest.fixture(params=[atomic_file, atomic_text])
def writer(request):
    """Each of both, and what to write through it."""
    return request.param, {atomic_file: b"%s", atomic_text: "%s"}[request.param]


@pytest.fixture
def umask():
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


def _content(text, like):
    return text.encode() if isinstance(like, bytes) else text


def test_the_new_file_takes_the_place_of_the_old_one(tmp_path, writer):
    write, like = writer
    path = tmp_path / "out"
    path.write_text("old")
    with write(path) as file:
        file.write(_content("née\n", like))
        assert path.read_text() == "old"
    assert path.read_bytes() == "née\n".encode()
    with write(str(tmp_path / ("x" * 250))) as file:  # as long as a name may be
        file.write(_content("", like))
    assert sorted(map(len, os.listdir(tmp_path))) == [3, 250]


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
@pytest.mark.parametrize("mask", [0o022, 0o002, 0o077])
def test_permissions_are_those_of_any_new_file(tmp_path, umask, writer, mask):
    umask(mask)
    path = tmp_path / "out"
    for _ in range(2):
        with writer[0](path):
            pass
        assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask
    model = skrec.save(DummyRecommender().fit(np.eye(3)), tmp_path / "model.skops")
    assert stat.S_IMODE(model.stat().st_mode) == 0o666 & ~mask


@pytest.mark.parametrize("error", [OSError, RuntimeError, KeyboardInterrupt, GeneratorExit])
@pytest.mark.parametrize("exists", [True, False])
def test_a_failed_write_leaves_what_was_there(tmp_path, writer, error, exists):
    write, like = writer
    path = tmp_path / "out"
    if exists:
        path.write_text("old")

    def fail():
        with write(path) as file:
            file.write(_content("half", like))
            raise error

    with pytest.raises(error):
        fail()
    assert os.listdir(tmp_path) == ["out"] * exists
    assert not exists or path.read_text() == "old"


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_full_disk_leaves_what_was_there(tmp_path, monkeypatch, writer, step):
    path = tmp_path / "out"
    path.write_text("old")

    def full(*args):
        raise OSError("disk full")

    monkeypatch.setattr(os, step, full)
    with pytest.raises(OSError, match="disk full"), writer[0](path) as file:
        file.write(_content("new", writer[1]))
    assert os.listdir(tmp_path) == ["out"]
    assert path.read_text() == "old"


def test_content_is_on_the_disk_before_the_name_changes(tmp_path, monkeypatch, writer):
    done = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: done.append(os.fstat(fd).st_size) or fsync(fd))
    monkeypatch.setattr(os, "replace", lambda *names: done.append("moved") or replace(*names))
    with writer[0](tmp_path / "out") as file:
        file.write(_content("four", writer[1]))
    assert done == [4, "moved"]


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_killed_process_leaves_the_old_file(tmp_path):
    path = tmp_path / "out"
    path.write_text("old")
    code = (
        "import time\n"
        "from skrec.utils._files import atomic_file\n"
        f"with atomic_file({str(path)!r}) as file:\n"
        "    file.write(b'half')\n"
        "    file.flush()\n"
        "    print('written', flush=True)\n"
        "    time.sleep(60)\n"
    )
    for kill, names in ((signal.SIGINT, 1), (signal.SIGKILL, 2)):
        with subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as child:
            assert child.stdout.readline() == b"written\n"
            time.sleep(0.05)
            child.send_signal(kill)
            assert child.wait(30) != 0
        assert path.read_text() == "old"
        # Python tidies up after Ctrl-C; nobody can after a kill.
        assert len(os.listdir(tmp_path)) == names
    with atomic_file(path) as file:  # but the next who writes
        file.write(b"new")
    assert os.listdir(tmp_path) == ["out"]


def test_parts_of_others_stay(tmp_path):
    path = tmp_path / "out"
    own = new_part(path)
    machine, process, random = own.name.removeprefix(".out.").removesuffix(".part").split("-")
    assert int(process) == os.getpid()
    of_parent = f".out.{machine}-{os.getppid()}-{random}.part"
    of_first = f".out.{machine}-1-{random}.part"
    of_another = f".out.{'0' * 8}-{2**22 + 1}-{random}.part"
    names = {own.name, of_parent, of_first, of_another}
    strangers = {".out.txt", "out.part", ".out.part", f"out.{machine}-{2**22 + 1}-{random}.part"}
    for name in names | strangers:
        (tmp_path / name).touch()
    assert abandoned_parts(tmp_path) == []
    with atomic_file(path):
        pass
    assert set(os.listdir(tmp_path)) == names | strangers | {"out"}
    long_ago = time.time() - 90_000
    for name in names | strangers:
        os.utime(tmp_path / name, (long_ago, long_ago))
    with atomic_file(path):
        pass
    assert set(os.listdir(tmp_path)) == strangers | {"out"}


@pytest.mark.skipif(os.name != "posix", reason="processes of POSIX")
def test_parts_of_processes_that_have_ended_go(tmp_path):
    path = tmp_path / "out"
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
    names = new_part(path).name.split("-")
    part = tmp_path / "-".join([names[0], str(child.pid), names[2]])
    part.touch()
    assert abandoned_parts(tmp_path) == abandoned_parts(tmp_path, path) == [part]
    assert abandoned_parts(tmp_path, tmp_path / "out of it") == []
    with atomic_file(tmp_path / "out-2026-11-29"):
        pass
    assert os.listdir(tmp_path) == ["out-2026-11-29"]


def test_the_folder_must_exist(tmp_path, writer):
    with pytest.raises(FileNotFoundError, match=r"no does not exist\. Create it"):
        writer[0](tmp_path / "no" / "out").__enter__()
