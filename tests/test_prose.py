"""Spelling and words of what readers see: pages, docstrings, messages."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MADE = ("docs/api", "docs/auto_examples", "docs/_build", "docs/benchmarks/results")
# Names and other languages, not misspellings.
NAMES = "als,coo,bu,recal,stong,reccomend,produkt,nd,evalute,disjointness,cliente,categor,caf,alhpa"
# What a plainer word says; the rule is in docs/contributing.rst.
WORDS = {
    r"gives? back": "return, restore, reconstruct",
    r"in the place of": "in place of, instead of",
    r"in order to": "to",
    r"note that": "leave it out",
    r"(?:obviously|of course)": "leave it out",
    r"the (?:former|latter)": "name the thing",
    r"respectively": "say each thing with its own",
    r"(?:thereof|wherein|whilst|hereby)": "of it, where, while",
    r"(?:utili[sz](?:e|es|ed|ing)|leverage[sd]?)": "use",
    r"is no whole number": "is not a whole number",
    r"goes on (?:where|with|from|by)": "continue, keep",
    r"told apart": "distinguish, separate",
    r"in the course of": "over, during",
    r"(?:e\.g\.|i\.e\.|etc\.)": "such as, that is, and so on",
}


def _files(*patterns):
    for pattern in patterns:
        for path in sorted(ROOT.glob(pattern)):
            name = path.relative_to(ROOT).as_posix()
            if not name.startswith(MADE) and "__pycache__" not in name:
                yield path


READ = [
    *_files("README.md", "docs/**/*.rst", "docs/**/*.md", "docs/examples/**/*.py", "skrec/**/*.py")
]


def test_spelling():
    pytest.importorskip("codespell_lib")
    paths = [*READ, *_files("CHANGELOG.md", "docs/**/*.py", "tests/**/*.py", ".ci/*")]
    command = [sys.executable, "-m", "codespell_lib", "--ignore-words-list", f"{NAMES},titel"]
    done = subprocess.run([*command, *map(str, paths)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def said(text, words=WORDS):
    """The words of the list that a text says, with their line and what to say instead."""
    found = []
    for words_of_one, instead in words.items():
        pattern = words_of_one.replace(" ", r"\s+")  # a line may end within the words
        for match in re.finditer(rf"\b{pattern}(?!\w)", text, re.I):
            found.append((text.count("\n", 0, match.start()) + 1, match[0], instead))
    return sorted(found)


def test_words_that_have_a_plainer_one_are_not_said():
    found = [
        f"{path.relative_to(ROOT)}:{line}: {word!r}; say: {instead}"
        for path in READ
        for line, word, instead in said(path.read_text(encoding="utf-8"))
    ]
    assert not found, "\n".join(found)


def test_the_list_of_words_finds_them():
    text = "It works.\nIn order to fit, e.g. a model,\nit gives back the\nlatter."
    assert [(line, word) for line, word, _ in said(text)] == [
        (2, "In order to"),
        (2, "e.g."),
        (3, "gives back"),
        (3, "the\nlatter"),
    ]
