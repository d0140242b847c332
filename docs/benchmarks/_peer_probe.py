"""Tell what a package has: another environment's Python runs this file and prints JSON.

It imports nothing but the standard library before the package itself, and nothing of this folder.
"""

import ast
import contextlib
import importlib
import inspect
import json
import os
import platform
import signal
import sys
import warnings
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

SECONDS = 60  # of one class


def named(folder):
    """Names that the package's files define at their top, read without running them."""
    found = set()
    for path in sorted(folder.rglob("*.py")):
        with contextlib.suppress(SyntaxError, UnicodeDecodeError):
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.ClassDef | ast.FunctionDef):
                    found.add(node.name)
    return found


def imported(module, folder):
    """Objects by name of all modules that can be imported, and why the package itself cannot."""
    try:
        importlib.import_module(module)
    except Exception as error:
        return {}, said(error)
    objects = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix not in (".py", ".so") or "test" in path.relative_to(folder).as_posix():
            continue
        parts = path.relative_to(folder.parent).with_suffix("").parts
        name = ".".join(part.partition(".")[0] for part in parts).removesuffix(".__init__")
        with contextlib.suppress(BaseException):  # a module may end the process
            objects |= vars(importlib.import_module(name))
    own = {name: each for name, each in objects.items() if inspect.isclass(each)
           and each.__module__.partition(".")[0] == module}  # fmt: skip
    return own, None


def said(error):
    """An error in one line."""
    return f"{type(error).__name__}: {error}".split("\n")[0][:160]


def stopped(*_):
    raise TimeoutError(f"longer than {SECONDS} s")


def attempt(work):
    """The result of `work`, or the error as text."""
    signal.signal(signal.SIGALRM, stopped)
    signal.alarm(SECONDS)
    try:
        return work()
    except Exception as error:
        return said(error)
    finally:
        signal.alarm(0)


def checks(kind):
    """How many of scikit-learn's checks an estimator passes, and how many there are."""
    from sklearn.utils.estimator_checks import check_estimator

    rows = check_estimator(kind(), on_fail=None, on_skip=None)
    passed = sum(row["status"] in ("passed", "skipped") for row in rows)
    return {"passed": passed, "of": len(rows)}


def tried(code):
    """Whether a piece of code runs: True, or the error as text."""
    return True if code is None else attempt(lambda: exec(code, {}) or True)


def main():
    asked = json.load(sys.stdin)
    answer = {"python": platform.python_version(), "versions": {}}
    for name in (asked["package"], "numpy", "scipy", "scikit-learn", "pandas", "torch"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            answer["versions"][name] = metadata.version(name)
    folder = Path(find_spec(asked["module"]).origin).parent
    objects, answer["import_error"] = imported(asked["module"], folder)
    answer["names"] = sorted({*named(folder), *objects} & set(asked["names"]))
    estimators = {}
    if find_spec("sklearn") is not None:
        from sklearn.base import BaseEstimator

        estimators = {name: objects[name] for name in answer["names"]
                      if name in objects and issubclass(objects[name], BaseEstimator)}  # fmt: skip
    answer["sklearn_estimators"] = {
        name: attempt(lambda kind=kind: checks(kind)) for name, kind in estimators.items()
    }
    for name in ("csr", "grid_search"):
        answer[name] = None if asked[name] is None else tried(asked[name])
    return answer


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    out = os.dup(1)
    os.dup2(2, 1)  # what a package prints is not part of the answer
    found = main()
    os.write(out, json.dumps(found).encode())
    os._exit(0)  # a package may have threads that never end
