"""Every public docstring passes numpydoc's validation, and says what the code does.

numpydoc comes with the ``docs`` extra; without it this file is skipped.
"""

import ast
import importlib
import inspect
import re

import pytest

from tests.docs_pages import api_pages

validate = pytest.importorskip("numpydoc.validate").validate
FunctionDoc = pytest.importorskip("numpydoc.docscrape").FunctionDoc

# Checks of numpydoc that are not ours:
LEFT_OUT = {
    "ES01": "an extended summary where the first line says it all would be padding",
    "RT02": "what is returned has a name, as in scikit-learn and scipy",
    "SS05": "it takes every first word that ends in s for a verb: 'Class probabilities'",
}
# Asked of classes and functions, not of methods, whose class has them.
NOT_OF_METHODS = {
    "EX01": "no examples",
    "SA01": "no See Also",
}


def _public():
    """Name, object and whether it is a method; what scikit-learn gives a class is not ours."""
    for module_name in api_pages.public_modules():
        for names in api_pages.public_objects(module_name).values():
            for name in names:
                value = getattr(importlib.import_module(module_name), name)
                yield f"{module_name}.{name}", value, False
                if inspect.isclass(value):
                    for method in sorted(set(dir(value)) - set(dir(object))):
                        member = inspect.getattr_static(value, method)
                        function = getattr(member, "fget", getattr(member, "fn", member))
                        module = getattr(function, "__module__", None) or ""
                        if not method.startswith("_") and module.startswith("skrec"):
                            yield f"{module_name}.{name}.{method}", function, True


PUBLIC = {name: (value, is_method) for name, value, is_method in _public()}


def test_something_is_checked():
    assert {"skrec.recommend", "skrec.linear_model.EASE", "skrec.linear_model.EASE.fit"} <= set(
        PUBLIC
    )


@pytest.mark.parametrize("name", PUBLIC)
def test_numpydoc_validation(name):
    left_out = set(LEFT_OUT)
    if PUBLIC[name][1] or name.startswith("skrec.base."):
        left_out |= set(NOT_OF_METHODS)
    errors = [f"{code}: {text}" for code, text in validate(name)["errors"] if code not in left_out]
    assert not errors


def _parameters(value):
    """Documented type of each parameter by name; ``a, b : int`` documents both."""
    doc = FunctionDoc(value if not inspect.isclass(value) else None, doc=inspect.getdoc(value))
    return {
        part.strip(): parameter.type
        for section in ("Parameters", "Other Parameters")
        for parameter in doc[section]
        for part in parameter.name.split(",")
    }


def _written(default):
    """What a docstring may write for a default."""
    forms = {repr(default)}
    if inspect.isclass(default):
        forms |= {f"{default.__module__}.{default.__name__}", default.__name__}
    return forms


@pytest.mark.parametrize("name", PUBLIC)
def test_defaults_are_the_documented_ones(name):
    value, _ = PUBLIC[name]
    function = value.__init__ if inspect.isclass(value) else value
    if function is object.__init__ or not callable(function):
        return
    documented = _parameters(value)
    for parameter in inspect.signature(function).parameters.values():
        if parameter.default is parameter.empty or parameter.name in ("self", "y"):
            continue
        text = documented[parameter.name].partition("default=")[2].strip()
        assert text, f"{parameter.name}: no default="
        assert _same(text, parameter), (
            f"{parameter.name}: default={text}, not {parameter.default!r}"
        )


def _same(text, parameter):
    if text in _written(parameter.default):
        return True
    try:
        value = ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return False
    # "user, item : str, default="user", "item"" documents one default each.
    several = isinstance(value, tuple) and not isinstance(parameter.default, tuple)
    return parameter.default in value if several else value == parameter.default


# A matrix or an array without a shape leaves the reader to guess what its rows are.
ARRAY = re.compile(r"ndarray|array-like|sparse matrix|csr_array")
SHAPE = re.compile(r"of shape|of length|of any shape|of the shape|-D|dict of|Bunch|list of")


@pytest.mark.parametrize("name", PUBLIC)
def test_arrays_have_shapes(name):
    value, _ = PUBLIC[name]
    doc = FunctionDoc(value if not inspect.isclass(value) else None, doc=inspect.getdoc(value))
    for section in ("Parameters", "Returns", "Attributes"):
        for parameter in doc[section]:
            if ARRAY.search(parameter.type):
                text = f"{parameter.type} {' '.join(parameter.desc)}"
                assert SHAPE.search(text), f"{section}: {parameter.name} : {parameter.type}"


@pytest.mark.parametrize("name", PUBLIC)
def test_references_are_cited_and_there(name):
    text = inspect.getdoc(PUBLIC[name][0])
    listed = set(re.findall(r"^\.\. \[(\d+)\]", text, flags=re.MULTILINE))
    cited = set(re.findall(r"\[(\d+)\]_", text))
    assert cited == listed
    # docutils takes "H." at the start of a single line for the number of a list, and drops it.
    assert not re.search(r"^\.\. \[\d+\] [A-Z]\. .*\n(?! {3})", text + "\n", flags=re.MULTILINE)
