"""The guide is doctested: ``python -m pytest docs``. Only its pages are collected here."""

import pytest

collect_ignore_glob = ["*.py", "_build", "api", "auto_examples", "benchmarks", "examples"]


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path, monkeypatch):
    """The pages write files; each has a folder of its own."""
    monkeypatch.chdir(tmp_path)
