"""What holds for every compiled function."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import skrec

_MOST_ARGUMENTS = 13


def _compiled():
    for path in sorted(Path(skrec.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and any(
                "njit" in ast.unparse(decorator) for decorator in node.decorator_list
            ):
                yield pytest.param(node, id=f"{path.stem}.{node.name}")


COMPILED = list(_compiled())


def test_there_are_some():
    assert "train_cells" in {case.values[0].name for case in COMPILED}


@pytest.mark.parametrize("function", COMPILED)
def test_arguments_are_few(function):
    """Named tuples hold what belongs together: nobody counts fourteen places right."""
    assert len(function.args.args) <= _MOST_ARGUMENTS


def test_only_one_module_uses_numba():
    """Kernels are compiled by `skrec.utils._compile.njit`, which needs no writable folder."""
    users = set()
    for path in Path(skrec.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module]
            else:
                continue
            if any(name.split(".")[0] == "numba" for name in names):
                users.add(path.name)
    assert users == {"_compile.py"}


@pytest.mark.slow
def test_who_compiles_and_who_loads_compiled_code_have_the_same_bits(tmp_path):
    """Sums that may be reordered are inlined where they are called from another kernel.

    As functions of their own they are linked from copies that are optimised once or twice.
    """
    place = {"NUMBA_CACHE_DIR": str(tmp_path), "OMP_NUM_THREADS": "1"}
    options = {"cwd": Path(__file__).parents[1], "env": os.environ | place}
    compiled, loaded = (
        json.loads(
            subprocess.run(
                [sys.executable, "-m", "tests.bits"], capture_output=True, check=True, **options
            ).stdout
        )
        for _ in range(2)
    )
    assert len(loaded) > 40
    assert [name for name in loaded if loaded[name] != compiled[name]] == []
