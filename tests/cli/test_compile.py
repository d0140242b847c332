"""The verb `compile`: what it compiles, a later process finds."""

import os
import subprocess
import sys

import pytest

_LATER = """
import numpy as np
from numba.core import event
from scipy.sparse import csr_array
from skrec.linear_model import EASE

class Compiled(event.Listener):
    names = []
    def on_start(self, happened):
        self.names.append(happened.data["dispatcher"].__name__)
    def on_end(self, happened):
        pass

event.register("numba:compile", Compiled())
X = csr_array((np.random.default_rng(0).random((40, 30)) < 0.3).astype(np.{dtype}))
EASE().fit(X).recommend(X[:1], k=5)
print(Compiled.names)
"""


def test_says_what_was_compiled(skrec):
    done = skrec("compile", "--models", "popularity,ease", "--param", "ease.alpha=10")
    assert done.code == 0
    lines = done.out.splitlines()
    assert [line.partition(": compiled")[0] for line in lines] == ["popularity", "ease"]


def test_an_unknown_model(skrec):
    done = skrec("compile", "--models", "eese")
    assert done.code == 2
    assert "unknown model 'eese'. Did you mean 'ease'?" in done.err


@pytest.mark.slow
def test_a_later_process_compiles_nothing(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    words = [sys.executable, "-m", "skrec", "compile", "--models", "ease"]
    subprocess.run(words, env=environment, check=True, capture_output=True)
    for dtype in ("float32", "float64"):
        done = subprocess.run(
            [sys.executable, "-c", _LATER.format(dtype=dtype)],
            env=environment, check=True, capture_output=True, text=True,
        )  # fmt: skip
        assert done.stdout == "[]\n"
