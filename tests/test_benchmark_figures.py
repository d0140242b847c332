"""No page and no docstring quotes a figure that no record and no published table has."""

import ast
import json
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
RECORDS = DOCS / "benchmarks" / "results"
PAGES = [
    ROOT / "README.md",
    *sorted(DOCS.glob("*.rst")),
    *sorted(DOCS.glob("guide/*.rst")),
    *sorted(DOCS.glob("methods/*.rst")),
    *sorted(DOCS.glob("benchmarks/*.md")),
]
FIGURE = re.compile(r"(?<![\w.])(\d?\.\d{3,4})(?!\w)")
# Shares of the figures of a record, which the record does not hold.
DERIVED = {"docs/guide/large_data.rst": {"1.001"}, "skrec/linear_model/_sansa.py": {"1.001"}}
# What a section with figures must name: records or pages of them, or who published.
SOURCES = re.compile(r"benchmarks|results/|records?\b|:cite:|et al|\bpapers?\b")


def _numbers(value):
    """All numbers of a record, those in its texts too."""
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _numbers(each)
    elif isinstance(value, str):
        yield from map(float, re.findall(r"(?<![\w.])\d*\.\d+", value))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield float(value)


@pytest.fixture(scope="module")
def known():
    """Figures of records and of published tables, by the number of their decimals."""
    sys.path.insert(0, str(DOCS / "benchmarks"))
    try:
        from experiments import EXPERIMENTS, FIGURES
    finally:
        sys.path.remove(str(DOCS / "benchmarks"))
    records = [json.loads(path.read_text()) for path in RECORDS.rglob("*.json")]
    numbers = [abs(number) for number in _numbers(records)]
    numbers += [number for each in (*EXPERIMENTS, *FIGURES) for number in each.published]
    return {k: {f"{number:.{k}f}" for number in numbers} for k in (3, 4)}


def _prose(text):
    """A page without code, doctests and what is generated, with its lines where they were."""
    for part in (
        r"(?s)<!-- ([^>]*): generated.*?<!-- end of \1 -->",
        r"(?ms)^```.*?^```",
        r"(?m)^( *)\.\. (?:code-block|plot|math)::.*\n(?:(?:\1 +.*)?\n)+",
        r"(?m)^ *>>> (?:.*\S.*\n)+",
        r"(?m)::\n\n(?:(?: +.*)?\n)+",
    ):
        text = re.sub(part, lambda found: "\n" * found[0].count("\n"), text)
    return text


def _unknown(text, known):
    """Figures of a text that are none of the known ones, with their lines."""
    return [
        (text.count("\n", 0, found.start()) + 1, found[1])
        for found in FIGURE.finditer(text)
        if f"{float(found[1]):.{len(found[1].partition('.')[2])}f}"
        not in known[len(found[1].partition(".")[2])]
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_figure_of_a_page_is_of_a_record_or_published(page, known):
    _check(page, page.read_text(), known)


def _check(path, text, known):
    derived = DERIVED.get(path.relative_to(ROOT).as_posix(), ())
    unknown = _unknown(_prose(text), known)
    found = [(line, each) for line, each in unknown if each not in derived]
    assert not found, f"{path}: neither in docs/benchmarks/results nor published: {found}"


def test_every_figure_of_a_docstring_is_of_a_record_or_published(known):
    kinds = ast.Module | ast.ClassDef | ast.FunctionDef
    for path in sorted((ROOT / "skrec").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, kinds) and (text := ast.get_docstring(node)):
                _check(path, f"{text}\n", known)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_section_with_figures_says_where_they_come_from(page):
    sections = re.split(
        r"\n(?=[^\n]+\n(?:={4,}|-{4,}|\^{4,})\n)|\n(?=##+ )", _prose(page.read_text())
    )
    for section in sections:
        if FIGURE.search(section):
            assert SOURCES.search(section), f"{page.name}: {section.strip().splitlines()[0]}"


def test_figures_without_a_record_are_found():
    known = {3: {"0.412"}, 4: {"0.4123"}}
    text = (
        "nDCG .412 and .4123,\nalso 0.412; but .413 and .4124.\n\n>>> x\n.999\n\nv1.999.2, 12.345\n"
    )
    assert _unknown(_prose(text), known) == [(2, ".413"), (2, ".4124")]
