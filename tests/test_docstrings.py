"""Every public object has a numpydoc docstring that names its parameters and returns."""

import importlib
import inspect
import pkgutil

import pytest

import skrec

PACKAGES = [
    f"skrec.{info.name}"
    for info in pkgutil.iter_modules(skrec.__path__)
    if not info.name.startswith("_")
]


def _public_objects():
    seen = set()
    for package in ["skrec", *PACKAGES]:
        module = importlib.import_module(package)
        for name in module.__all__:
            value = getattr(module, name)
            if not (inspect.isclass(value) or inspect.isfunction(value)) or value in seen:
                continue
            seen.add(value)
            yield f"{package}.{name}", value
            if inspect.isclass(value):
                for method, function in inspect.getmembers(value, inspect.isfunction):
                    if not method.startswith("_") and function.__module__.startswith("skrec"):
                        yield f"{package}.{name}.{method}", function


OBJECTS = dict(_public_objects())


@pytest.mark.parametrize("name", OBJECTS)
def test_docstring(name):
    value = OBJECTS[name]
    doc = inspect.getdoc(value)
    assert doc, "no docstring"
    assert doc[0].isupper() or doc.startswith("k_core"), "a sentence begins with a capital"
    assert doc.split("\n")[0].endswith("."), "the first line is a sentence"
    function = value.__init__ if inspect.isclass(value) else value
    if function is object.__init__:
        return
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name == "self" or parameter.kind == parameter.VAR_KEYWORD:
            continue
        documented = [
            line
            for line in doc.split("\n")
            if line.startswith(parameter.name) or f", {parameter.name}" in line.split(" : ")[0]
        ]
        assert any(" : " in line for line in documented), f"{parameter.name} is not documented"
        if parameter.default is not parameter.empty and parameter.name != "y":
            start = doc.index(documented[0])
            assert "default=" in doc[start : start + 250], f"default of {parameter.name} is missing"
    if inspect.isclass(value) and issubclass(value, skrec.base.BaseRecommender):
        sections = ["Parameters\n", "Examples\n"]
        if not inspect.isabstract(value):
            sections += ["Attributes\n", "References\n", "See Also\n"]
        for section in sections:
            assert section in doc, f"section {section.strip()} is missing"
