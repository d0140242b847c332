"""Two readers of text, one rule; each remedy of an error names an argument."""

import ast
import inspect
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

import skrec.datasets
from skrec.datasets import _scan_readers, load_interactions, scan_interactions

_ODD = [
    *("", " ", "1_0", "0x10", "1e5", "1e-400", "1e400", "inf", "-Infinity", "nan", "NaN", "NULL"),
    *(
        "\\N",
        "+5",
        " 5",
        "5 ",
        "٣",
        "٣.٥",
        "007",
        "-0",
        "1.",
        ".5",
        "1,5",
        "1 000",
        "5\x00",
        "1\x0b",
    ),
    *("\u20035", "2024-05-01", "2024-05-01T10:00:00+02:00", "20240501", "1700000000", "true", "é"),
    *('"', "'", "#1"),
]
plain = st.text(st.sampled_from("ab01.-,;\t \"'é\\#%"), max_size=4) | st.sampled_from(_ODD)
quoted = plain.map(lambda text: '"' + text.replace('"', '""') + '"')
ends = st.sampled_from(["\n", "\r\n", "\r", "\r\r\n", "\n\n", "\n \n"])
good = st.tuples(
    st.sampled_from(["u1", "u2", "007", '"u, 3"', "é"]),
    st.sampled_from(["5", "6", " 7", '"8"']),
    st.sampled_from(["3", "4.5", "-1e2", " 2 ", "+5"]),
    st.sampled_from(["1700000000", "2024-05-01", "1.5"]),
)


@st.composite
def texts(draw, delimiter):
    """Lines of one width, of which few or none are odd."""
    width = draw(st.integers(2, 4))
    rows = [list(row[:width]) for row in draw(st.lists(good, min_size=1, max_size=6))]
    for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
        row = draw(st.sampled_from(rows))
        row[draw(st.integers(0, width - 1))] = draw(plain | quoted)
    if draw(st.sampled_from([False, False, False, True])):
        draw(st.sampled_from(rows)).append(draw(plain))
    if draw(st.booleans()):
        rows.insert(0, ["user", "item", "rating", "time"][:width])
    end = draw(ends)
    text = end.join(delimiter.join(row) for row in rows) + end * draw(st.booleans())
    return draw(st.sampled_from(["", "", "\ufeff", "# made\n", "sep=,\r\n"])) + text


def _outcome(path, params, large, monkeypatch, read=load_interactions):
    monkeypatch.setattr(_scan_readers, "_LARGE", large)
    try:
        data = read(path, negative="keep", **params)
    except ValueError as error:
        return str(error)
    return data


def _is_same(one, other):
    if isinstance(one, str) or isinstance(other, str):
        return one == other
    for name in ("user_ids", "item_ids", "user", "item", "timestamp"):
        if name in one or name in other:
            assert_array_equal(one[name], other[name])
            assert one[name].dtype == other[name].dtype
    assert_array_equal(one.X.data, other.X.data)
    assert_array_equal(np.signbit(one.X.data), np.signbit(other.X.data))
    return one.n_dropped == other.n_dropped


@settings(max_examples=400)
@given(
    data=st.data(),
    params=st.fixed_dictionaries(
        {"delimiter": st.sampled_from([None, ",", ";", "::", r"\s+"])},
        optional={
            "decimal": st.just(","),
            "quotechar": st.sampled_from([None, "'"]),
            "drop_missing": st.just(True),
            "header": st.booleans(),
        },
    ),
)
def test_both_readers_agree(tmp_path_factory, data, params):
    """Whatever the text and its size: the same log, or the same error."""
    given = params["delimiter"]
    text = data.draw(texts({None: ",", r"\s+": " "}.get(given, given)))
    path = tmp_path_factory.getbasetemp() / "both.csv"
    path.write_bytes(text.encode())
    with pytest.MonkeyPatch.context() as monkeypatch:
        careful = _outcome(path, params, 1 << 40, monkeypatch)
        assert _is_same(_outcome(path, params, 0, monkeypatch), careful)
        in_small_blocks = partial(scan_interactions, batch_size=1)
        assert _is_same(_outcome(path, params, 0, monkeypatch, in_small_blocks), careful)


@settings(max_examples=300)
@given(
    numbers=st.lists(
        st.tuples(st.sampled_from(_ODD) | st.floats().map(repr), st.integers(0, 9)), min_size=1
    ),
    decimal=st.sampled_from([".", ","]),
)
@example(numbers=[("1e400", 0)], decimal=".")
def test_both_readers_read_the_same_numbers(tmp_path_factory, numbers, decimal):
    assume(not any("\t" in text for text, _ in numbers))
    path = tmp_path_factory.getbasetemp() / "numbers.tsv"
    lines = [f"u{place}\ti{item}\t{text}\n" for place, (text, item) in enumerate(numbers)]
    path.write_bytes(("user\titem\trating\n" + "".join(lines)).encode())
    with pytest.MonkeyPatch.context() as monkeypatch:
        params = {"delimiter": "\t", "decimal": decimal, "value": "rating"}
        careful = _outcome(path, params, 1 << 40, monkeypatch)
        assert _is_same(_outcome(path, params, 0, monkeypatch), careful)


# Remedies.

_FOLDER = Path(skrec.datasets.__file__).parent
_READERS = [
    *(_FOLDER / f"_{name}.py" for name in ("arrow", "delimiter", "files", "guess", "json")),
    *(
        _FOLDER / f"_{name}.py"
        for name in ("layout", "load", "parts", "reading", "tabular", "text")
    ),
    *(_FOLDER.parent / "_log" / f"_{name}.py" for name in ("aggregate", "entries", "returns")),
]
_ADVICE = re.compile(r"\bpass (?:the right |another column as \b)?(\w+)(=?)")
# What is passed in place of an argument of its own.
_NO_ARGUMENT = {"another", "it", "its", "numpy", "records", "rows", "the"}


def _messages(path):
    """The constant parts of all text in a module, other than docstrings."""
    tree = ast.parse(path.read_text())
    documented = ast.Module | ast.FunctionDef | ast.ClassDef
    nodes = list(ast.walk(tree))
    docs = {ast.get_docstring(node, clean=False) for node in nodes if isinstance(node, documented)}
    for node in nodes:
        if isinstance(node, ast.JoinedStr):
            parts = (part.value if isinstance(part, ast.Constant) else "X" for part in node.values)
            yield "".join(parts)
        elif isinstance(getattr(node, "value", None), str) and node.value not in docs:
            yield node.value


@pytest.mark.parametrize("path", _READERS, ids=lambda path: path.stem)
def test_remedies_name_arguments_as_they_are_written(path):
    """``name=``, which the command line turns into an option; no argument without it."""
    # X stands for a role, in a text that is put together.
    arguments = {*inspect.signature(load_interactions).parameters, "data_home", "X"}
    for message in _messages(path):
        for name, sign in _ADVICE.findall(message):
            assert (sign and name in arguments) or (not sign and name in _NO_ARGUMENT), message
