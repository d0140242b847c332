"""Broken sparse containers at every public door: a ValueError, never a crash nor a result."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

import skrec
from skrec.linear_model import EASE
from skrec.utils import all_recommenders
from skrec.utils._sparse_check import sound_sparse
from tests.doors import (
    BASES,
    NO_MATRIX,
    NO_MATRIX_ELSEWHERE,
    function_doors,
    interactions,
    public_methods,
    public_names,
)
from tests.malformed import BREAKAGES, reordered

ROOT = Path(skrec.__file__).parent


@pytest.mark.slow
def test_no_door_lets_a_broken_container_through():
    # In a process of its own: what reads out of bounds ends it by a signal, whose last line says
    # which call it was.
    run = subprocess.run(
        [sys.executable, "-m", "tests.malformed"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[1],
    )
    lines = run.stdout.splitlines()
    failures = [line for line in lines if line.startswith("FAILURE")] or lines[-1:]
    assert run.returncode == 0, "\n".join([*failures[:20], run.stderr[-2000:]])


def test_every_public_function_and_class_is_a_door():
    recommenders = {cls.__name__ for _, cls in all_recommenders()}
    known = {door.name.split()[0].split(".")[0] for door in function_doors()}
    missing = set(public_names()) - recommenders - known - NO_MATRIX - BASES
    assert not missing, f"say in tests/doors.py how they are called: {sorted(missing)}"


def test_every_public_method_of_other_classes_is_a_door():
    doors = {door.name for door in function_doors()}
    for name, cls in public_names().items():
        is_class = inspect.isclass(cls) and name not in NO_MATRIX | BASES
        if not is_class or name in {cls.__name__ for _, cls in all_recommenders()}:
            continue
        taken = NO_MATRIX_ELSEWHERE.get(name, set()) | {"plot", "from_results", "from_vectors"}
        missing = {method for method in public_methods(cls) if f"{name}.{method}" not in doors}
        assert not missing - taken, f"{name}: {sorted(missing - taken)}"


def test_sklearns_checks_are_called_behind_ours_only():
    allowed = {"utils/_matrices.py", "utils/_validation.py"}
    for path in sorted(ROOT.rglob("*.py")):
        if str(path.relative_to(ROOT)) in allowed or "_testing" in path.parts:
            continue
        names = {
            alias.name
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sklearn")
            for alias in node.names
        }
        assert not names & {"check_array", "check_X_y", "validate_data"}, path


@pytest.mark.parametrize("kind", ["array", "matrix"])
@pytest.mark.parametrize("form", ["csr", "csc", "coo", "bsr", "lil", "dok", "dia"])
@pytest.mark.parametrize("shape", [(7, 6), (1, 6), (7, 1), (0, 4), (4, 0)])
def test_sound_containers_pass_as_they_are(kind, form, shape):
    rng = np.random.default_rng(0)
    dense = rng.integers(0, 5, shape) * (rng.random(shape) < 0.5).astype(float)
    if 0 in shape and form == "dia":
        pytest.skip("scipy makes no diagonals without rows")
    X = getattr(sparse, f"{form}_{kind}")(dense)
    found = sound_sparse(X)
    assert type(found) is type(X)
    assert np.array_equal(found.toarray(), dense)


def test_flags_of_the_caller_are_not_believed():
    X = interactions()
    model = EASE().fit(X)
    stale = reordered(X)
    stale.has_canonical_format = True
    assert np.array_equal(EASE().fit(stale).coef_, model.coef_)
    assert np.array_equal(model.decision_function(stale), model.decision_function(X))


def test_duplicates_behind_a_stale_flag_are_summed():
    X = sparse.csr_array(
        (np.array([1.0, 2.0]), np.array([1, 1]), np.array([0, 2, 2])), shape=(2, 3)
    )
    X.has_canonical_format = True
    assert np.array_equal(EASE().fit(X).coef_, EASE().fit(X.toarray() * 1.0).coef_)


def test_arrays_of_other_byte_order_and_steps_are_read_rightly():
    X = interactions()
    model = EASE().fit(X)
    foreign = sparse.csr_array(X, copy=True)
    foreign.data, foreign.indptr = X.data.astype(">f8"), X.indptr.astype(">i4")
    foreign.indices = np.repeat(X.indices, 2)[::2].astype(np.uint16)
    assert np.array_equal(model.decision_function(foreign), model.decision_function(X))


def test_the_message_says_what_is_wrong_and_what_to_do():
    items = np.array([1, 2, 3])
    X = sparse.csr_array((np.ones(3), items, np.array([0, 2, 3])), shape=(2, 3))
    with pytest.raises(ValueError, match=r"from 1 to 3, expected 0 to 2.*begin at 1\?"):
        EASE().fit(X)


def test_breakages_are_broken():
    # Each one differs from what it is made of in a way that `sound_sparse` sees.
    for name, make in BREAKAGES.items():
        broken = make(interactions())
        if sparse.issparse(broken) and "dates" not in name:
            with pytest.raises(ValueError, match=r".+"):
                sound_sparse(broken)
