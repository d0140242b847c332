"""What holds for every compiled function."""

import ast
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
