"""The site forgets nothing: the reference, the pages of the methods, the commands."""

import contextlib
import importlib
import io
import os
import pkgutil
import re
import shlex
import sys
import textwrap

import pytest

import skrec
from skrec._cli._parser import parse
from skrec.utils import all_recommenders
from tests.docs_pages import DOCS, api_pages, gallery_order, methods_table

PAGES = sorted([*DOCS.glob("*.rst"), *DOCS.glob("guide/*.rst"), *DOCS.glob("methods/*.rst")])


def _modules_with_all():
    """Every importable module without an underscore in its path that says what is public."""
    yield "skrec"
    for info in pkgutil.walk_packages(skrec.__path__, "skrec."):
        if any(part.startswith("_") for part in info.name.split(".")):
            continue
        if hasattr(importlib.import_module(info.name), "__all__"):
            yield info.name


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The pages as the build writes them."""
    folder = tmp_path_factory.mktemp("docs") / "api"
    api_pages.write_api_pages(folder)
    return folder


def test_reference_has_every_public_module(written):
    modules = set(_modules_with_all())
    assert modules == set(api_pages.public_modules())
    assert {path.stem for path in written.iterdir()} == {"index", *modules}
    listed = {line.strip() for line in (written / "index.rst").read_text().splitlines()}
    assert modules <= listed


@pytest.mark.parametrize("name", sorted(_modules_with_all()))
def test_reference_has_every_public_object(written, name):
    lines = (written / f"{name}.rst").read_text().splitlines()
    listed = {line.strip() for line in lines if re.fullmatch(r" {3}\w+", line)}
    public = set(importlib.import_module(name).__all__) - {"__version__"}
    assert listed == {item for item in public if f"{name}.{item}" not in sys.modules}


def test_reference_is_written_once(written):
    before = {path: path.stat().st_mtime_ns for path in written.iterdir()}
    pages = api_pages.write_api_pages(written)
    assert pages == [f"api/{name}.rst" for name in api_pages.public_modules()]
    assert {path: path.stat().st_mtime_ns for path in written.iterdir()} == before


def test_reference_forgets_what_is_gone(tmp_path):
    (tmp_path / "generated").mkdir()
    kept = tmp_path / "generated" / "skrec.linear_model.EASE.rst"
    gone = [tmp_path / "skrec.gone.rst", tmp_path / "generated" / "skrec.gone.Gone.rst"]
    for path in [kept, *gone]:
        path.write_text("x")
    api_pages.write_api_pages(tmp_path)
    assert kept.exists()
    assert not any(path.exists() for path in gone)


def test_reference_refuses_what_it_has_no_place_for(monkeypatch):
    import skrec.dummy

    monkeypatch.setattr(skrec.dummy, "__all__", ["DummyRecommender", "table"])
    monkeypatch.setattr(skrec.dummy, "table", {}, raising=False)
    with pytest.raises(TypeError, match=r"skrec\.dummy\.table is a dict"):
        api_pages.public_objects("skrec.dummy")


def test_short_names_are_unambiguous():
    names = api_pages.short_names()
    assert names["EASE"] == "skrec.linear_model.EASE"
    for name, full in names.items():
        module, _, last = full.rpartition(".")
        assert last == name
        assert name in importlib.import_module(module).__all__


def _text(*folders):
    return "".join(path.read_text() for folder in folders for path in DOCS.glob(f"{folder}/*.rst"))


@pytest.mark.parametrize("name", [name for name, _ in all_recommenders()])
def test_every_recommender_is_on_a_page_of_its_family(name):
    assert f"`{name}`" in _text("methods")
    assert f"`{name}`" in (DOCS / "guide" / "choose.rst").read_text()


README = (DOCS.parent / "README.md").read_text()


def test_the_table_of_methods_is_of_the_classes():
    assert methods_table.with_table(README) == README, "run `python docs/_methods_table.py`"


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ('H. Steck, "Embarrassingly shallow", WWW 2019', "Steck 2019"),
        ('R. He and J. McAuley, "VBPR 2",\n       AAAI, 2016, 144', "He and McAuley 2016"),
        ('H.-T. Cheng et al., "Wide & deep", 2016', "Cheng et al. 2016"),
        ('P. A. M. Mediano, C.-T. Lu,\n       F. del Rio, "X", 2018', "Mediano et al. 2018"),
    ],
)  # fmt: skip
def test_a_paper_is_named_by_its_authors_and_year(entry, expected):
    doc = f"Summary.\n\nReferences\n----------\n.. [1] {entry}.\n.. [2] A. Other, 1999."
    assert methods_table.paper(doc) == expected
    assert methods_table.paper("Summary.") == ""


def test_readme_and_first_page_begin_with_the_same_lines_and_they_print_what_is_said():
    page = (DOCS / "index.rst").read_text()
    blocks = []
    for kind in ("python", "text"):
        blocks.append(re.search(rf"^```{kind}\n(.*?)^```", README, re.M | re.S)[1].strip())
        shown = re.search(rf"code-block:: {kind}\n(?: +:.*\n)?\n((?: {{9}}.*\n|\n)+)", page)[1]
        assert textwrap.dedent(shown).strip() == blocks[-1]
    code, said = blocks
    if not os.path.isdir(os.path.join(os.environ.get("SKREC_DATA", ""), "ml-1m")):
        pytest.skip("SKREC_DATA has no ml-1m")
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(code, {})
    assert printed.getvalue().strip() == said


def _commands():
    """Arguments of each ``python -m skrec`` that a page shows."""
    sources = [*PAGES, DOCS.parent / "README.md"]
    for path in sources:
        for line in path.read_text().replace("\\\n", "").splitlines():
            match = re.fullmatch(r"\s*(?:\$ )?python -m skrec ([^#]*)(?:#.*)?", line)
            if match:
                yield pytest.param(match[1], id=f"{path.stem}: {match[1].strip()}")


@pytest.mark.parametrize("arguments", list(_commands()))
def test_commands_are_understood(arguments):
    parsed = parse(shlex.split(arguments))
    assert callable(importlib.import_module(f"skrec._cli._{parsed.verb}").run)


EXAMPLES = sorted((DOCS / "examples").rglob("*.py"))


def test_gallery_begins_with_the_first_recommender():
    names = sorted((path.name for path in EXAMPLES), key=gallery_order.example_order)
    assert names[0] == "plot_first_recommender.py"
    assert gallery_order.example_order("plot_new.py") > max(
        gallery_order.example_order(name) for name in gallery_order.ORDER
    )


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_has_its_place(path):
    assert path.name in gallery_order.ORDER
    # Other scripts are shown in the gallery, but not run.
    assert path.name.startswith("plot_")
