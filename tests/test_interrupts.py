"""A real Ctrl-C in the middle of a long fit: a KeyboardInterrupt, and the estimator as before."""

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from skrec.utils._parallel import in_other_thread, plain_interrupts
from tests.interrupted import LONG


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT goes to the whole console there")
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name == "BPR" else pytest.mark.slow) for name in sorted(LONG)],
)
def test_ctrl_c_in_a_long_fit(name):
    command = [sys.executable, "-m", "tests.interrupted", name]
    folder = Path(__file__).parents[1]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder) as process:
        assert process.stdout.readline() == "begins\n"
        time.sleep(1.0)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=120)
    assert out == "KeyboardInterrupt as before\n"


def test_an_interrupt_behind_system_errors_is_one():
    inner, outer = SystemError("returned a result with an exception set"), SystemError("again")
    inner.__cause__, outer.__cause__ = KeyboardInterrupt(), inner
    with pytest.raises(KeyboardInterrupt), plain_interrupts():
        raise outer


def test_what_returns_arrays_is_called_in_another_thread():
    main = threading.main_thread()
    assert in_other_thread(threading.current_thread) is not main
    assert in_other_thread(lambda: in_other_thread(threading.current_thread)) is not main


def test_other_system_errors_stay():
    with pytest.raises(SystemError, match="another"), plain_interrupts():
        raise SystemError("another")
