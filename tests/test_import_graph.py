"""The import graph of skrec, drawn from its source: arrows go down, and never in a circle.

An import inside a function is an arrow like any other: it hides a circle, it does not undo it.
"""

import ast
import graphlib
from pathlib import Path
from typing import NamedTuple

import pytest

import skrec

ROOT = Path(skrec.__file__).parent

# From the bottom to the top. What stands in one layer does not import each other; "" is the
# package itself. Folders of docs/contributing.rst that are yet to come have their place already.
LAYERS = (
    ("_version",),
    ("utils",),
    ("_evaluation", "_log", "_loss", "_persistence", "_plot", "_recommend", "_user_side"),
    ("_factors", "base"),
    ("_torch", "_weighted_factors"),
    (
        "adapters", "autoencoder", "datasets", "decomposition", "dummy", "feature_extraction",
        "linear_model", "model_selection", "neighbors", "neural_network", "preprocessing",
    ),
    ("_delegation", "_why_not"),
    ("content", "ensemble", "inspection", "metrics"),
    ("_discovery", "dask"),
    ("_log_recommender",),
    ("_model_content",),
    ("serving",),
    ("_testing",),
    ("_cli",),
    ("", "__main__"),
)  # fmt: skip
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}

# What is public below and stands above, found by ``__getattr__`` when it is asked for.
LATE_NAMES = {
    ("skrec.utils", "skrec._discovery"),
    ("skrec.utils.estimator_checks", "skrec._testing._suite"),
}

# Sub-packages that may load torch when they are imported. Elsewhere a module may whose name
# ends in ``_torch``: an estimator imports it when it begins to compute.
TORCH = {"_loss", "_torch", "autoencoder", "content", "neural_network"}


class Arrow(NamedTuple):
    """An import: by whom, of which module, and whether it stands inside a function."""

    source: str
    target: str
    late: bool

    def __str__(self):
        return f"{self.source} -> {self.target}"


def modules_of(root):
    """Path of each module of a package by its full name."""
    found = {}
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def arrows_of(root):
    """Every import between modules of a package, and of torch."""
    modules = modules_of(root)
    arrows = set()
    for source, path in modules.items():
        package = source if path.name == "__init__.py" else source.rpartition(".")[0]
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for names, late in _imports(tree, package, late=False):
            for name in names:
                target = _module(name, modules)
                if target is not None and target != source:
                    arrows.add(Arrow(source, target, late))
    return arrows


def _imports(node, package, *, late):
    """Names that a piece of code imports, each with whether a function has to be called."""
    for child in ast.iter_child_nodes(node):
        inside = late or isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        if isinstance(child, ast.Import):
            yield [alias.name for alias in child.names], late
        elif isinstance(child, ast.ImportFrom):
            base = child.module or ""
            if child.level:
                above = package.split(".")
                above = above[: len(above) - child.level + 1]
                base = ".".join([*above, *([base] if base else [])])
            yield [f"{base}.{alias.name}" for alias in child.names], late
        elif _is_import_module(child):
            yield [child.args[0].value], late
        yield from _imports(child, package, late=inside)


def _is_import_module(node):
    """Whether it is ``importlib.import_module("...")``."""
    return (
        isinstance(node, ast.Call)
        and getattr(node.func, "attr", getattr(node.func, "id", "")) == "import_module"
        and len(node.args) == 1
        and isinstance(node.args[0], ast.Constant)
    )


def _module(name, modules):
    """The module that a name is, or is a part of; torch as a whole."""
    if name.partition(".")[0] == "torch":
        return "torch"
    while name and name not in modules:
        name = name.rpartition(".")[0]
    return name or None


def part(module):
    """The sub-package, or module of the first level, that a module belongs to."""
    return [*module.split("."), ""][1]


def upward(arrows):
    """Imports of what does not stand in a lower layer."""
    return sorted(
        str(arrow)
        for arrow in arrows
        if arrow.target != "torch"
        and part(arrow.source) != part(arrow.target)
        and arrow[:2] not in LATE_NAMES
        and not LEVEL[part(arrow.target)] < LEVEL[part(arrow.source)]
    )


def circle(arrows):
    """The modules of a circle, in order; empty where there is none."""
    graph = {}
    for arrow in arrows:
        if arrow[:2] not in LATE_NAMES:
            graph.setdefault(arrow.source, set()).add(arrow.target)
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return error.args[1]
    return []


def private_between_siblings(arrows):
    """Imports of ``skrec.a._x`` from outside of ``skrec.a``; utils are there for all."""
    return sorted(
        str(arrow)
        for arrow in arrows
        if part(arrow.source) != part(arrow.target)
        and part(arrow.target) != "utils"
        and not part(arrow.target).startswith("_")
        and any(name.startswith("_") for name in arrow.target.split(".")[2:])
    )


def torch_at_import(arrows):
    """Modules that load torch when they are imported, and are not allowed to."""
    graph = {}
    for arrow in arrows:
        if not arrow.late:
            graph.setdefault(arrow.source, set()).add(arrow.target)
            # To import a.b.c is to import a and a.b.
            parts = arrow.target.split(".")
            graph[arrow.source] |= {".".join(parts[:i]) for i in range(1, len(parts))}
    loads = {"torch"}
    while True:
        new = {source for source, targets in graph.items() if targets & loads} - loads
        if not new:
            break
        loads |= new
    return sorted(
        module
        for module in loads - {"torch"}
        if part(module) not in TORCH and not module.endswith("_torch")
    )


ARROWS = arrows_of(ROOT)


def test_every_part_has_a_layer():
    unknown = {part(module) for module in modules_of(ROOT)} - set(LEVEL)
    assert not unknown, f"say in LAYERS where {sorted(unknown)} stand"


def test_the_graph_is_there():
    drawn = {arrow[:2] for arrow in ARROWS}
    assert {
        ("skrec.base", "skrec._evaluation._default_score"),
        ("skrec._torch._estimator", "skrec.base"),
        ("skrec._torch._estimator", "torch"),
        # Inside a function.
        ("skrec._evaluation._rows", "skrec._evaluation._kernels"),
    } <= drawn
    assert drawn >= LATE_NAMES, "a name that is not found late any longer"


def test_no_arrow_goes_upward():
    assert not upward(ARROWS)


def test_no_circle():
    assert not circle(ARROWS)


def test_no_private_import_between_siblings():
    assert not private_between_siblings(ARROWS)


def test_base_has_no_late_import():
    assert not [str(arrow) for arrow in ARROWS if arrow.source == "skrec.base" and arrow.late]


def test_torch_is_not_loaded_where_nothing_needs_it():
    assert not torch_at_import(ARROWS)


@pytest.mark.parametrize(
    ("files", "finds", "expected"),
    [
        (
            {"base.py": "def f():\n    from skrec.metrics import g"},
            upward,
            ["skrec.base -> skrec.metrics"],
        ),
        (
            {"utils/_a.py": "import importlib\nx = importlib.import_module('skrec.base')"},
            upward,
            ["skrec.utils._a -> skrec.base"],
        ),
        (
            {"metrics/_a.py": "from ..ensemble import b"},
            upward,
            ["skrec.metrics._a -> skrec.ensemble"],
        ),
        ({"utils/_a.py": "from skrec.utils._b import x"}, upward, []),
        (
            {
                "utils/_a.py": "from skrec.utils import _b",
                "utils/_b.py": "def f():\n    import skrec.utils._a",
            },
            lambda arrows: sorted(set(circle(arrows))),
            ["skrec.utils._a", "skrec.utils._b"],
        ),
        (
            {"ensemble/_a.py": "from skrec.linear_model._b import x"},
            private_between_siblings,
            ["skrec.ensemble._a -> skrec.linear_model._b"],
        ),
        (
            {"ensemble/_a.py": "from skrec.linear_model import _b"},
            private_between_siblings,
            ["skrec.ensemble._a -> skrec.linear_model._b"],
        ),
        (
            {"ensemble/_a.py": "from skrec.linear_model import EASE\nfrom skrec.utils import _b"},
            private_between_siblings,
            [],
        ),
        (
            {
                "linear_model/_a.py": "from skrec._torch._b import x",
                "_torch/_b.py": "from torch import nn",
            },
            torch_at_import,
            ["skrec.linear_model._a"],
        ),
        (
            {"linear_model/_a.py": "class A:\n    def f(self):\n        import torch.nn"},
            torch_at_import,
            [],
        ),
        ({"linear_model/_a.py": "class A:\n    import torch"}, torch_at_import,
         ["skrec.linear_model._a"]),
    ],
)  # fmt: skip
def test_what_is_forbidden_is_found(tmp_path, files, finds, expected):
    root = tmp_path / "skrec"
    folders = ("_torch", "ensemble", "linear_model", "metrics", "utils")
    tree = {f"{folder}/{name}.py": "" for folder in folders for name in ("__init__", "_b")}
    for name, text in ({"__init__.py": "", "base.py": ""} | tree | files).items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert finds(arrows_of(root)) == expected
