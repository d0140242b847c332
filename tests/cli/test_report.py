"""The HTML report: valid, self-contained, escaped; and small parts of the output."""

import base64
import builtins
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from skrec._cli import _evaluate

_VOID = {"meta", "img"}


class Page(HTMLParser):
    """Checks that elements nest, and collects what the tests ask about."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.images, self.links, self.ids = [], [], [], [], []
        self.cells, self.text = [], ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        named = dict(attributes)
        self.ids += [named["id"]] if "id" in named else []
        self.links += [named[name] for name in ("href", "src") if name in named]
        if tag == "img":
            assert named["alt"]
            self.images.append(named["src"])
        if tag not in _VOID:
            self.open.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data
        if self.open and self.open[-1] in ("td", "th"):
            self.cells[-1] += data


@pytest.fixture(scope="module")
def report(skrec, log, tmp_path_factory):
    """Text of a report, and what was printed with it."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    done = skrec(
        "evaluate", log, "--models", "ease,popularity", "--output", path, "--search",
        "--metrics", "recall@5,auc,ndcg@10",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert f"Report: {path}" in done.out
    return path.read_text(encoding="utf-8"), done.out


def test_report_is_one_valid_file(report):
    text, _ = report
    assert text.startswith("<!DOCTYPE html>\n")
    page = Page(text)
    for tag in ("html", "head", "title", "body", "h1"):
        assert page.tags.count(tag) == 1
    assert len(page.ids) == len(set(page.ids))
    assert len(page.images) == 6  # three metrics, two curves, time
    assert all(link.startswith("data:image/svg+xml;base64,") for link in page.links)
    assert "script" not in page.tags
    assert "@import" not in text
    assert "url(" not in text


def test_plots_are_svg_that_needs_nothing(report):
    for image in Page(report[0]).images:
        root = ElementTree.fromstring(base64.b64decode(image.partition(",")[2]))
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        links = [value for node in root.iter() for key, value in node.items() if "href" in key]
        assert all(link.startswith("#") for link in links)
        assert len(list(root.iter("{http://www.w3.org/2000/svg}path"))) > 10


def test_report_and_table_say_the_same(report):
    text, printed = report
    page = Page(text)
    for cell in re.findall(r"0\.\d{4} \(0\.\d{4}\)", printed):
        assert any(cell in shown for shown in page.cells)
    words = " ".join(page.text.split())
    for label in ("protocol", "split", "versions"):
        line = re.search(rf"^{label} +((?:.*\n)(?: +.*\n)*)", printed, re.MULTILINE)[1]
        assert " ".join(line.split()) in words
    assert "ndcg@100 on validation" in words
    assert "EASE(" in words


def test_same_input_same_report(skrec, log, tmp_path, report):
    def plots(text):
        # The last plot shows the time.
        return Page(text).images[:5]

    again = tmp_path / "again.html"
    skrec(
        "evaluate", log, "--models", "ease,popularity", "--output", again, "--search",
        "--metrics", "recall@5,auc,ndcg@10",
    )  # fmt: skip
    assert plots(again.read_text()) == plots(report[0])


def test_names_are_escaped(skrec, log, tmp_path):
    nasty = tmp_path / '<img src="x"> & co.csv'
    nasty.write_text(log.read_text())
    path = tmp_path / "r.html"
    assert skrec("evaluate", nasty, "--models", "popularity", "--output", path).code == 0
    page = Page(path.read_text())
    assert '<img src="x"> & co.csv' in page.text
    assert all(link.startswith("data:") for link in page.links)


def test_no_matplotlib_is_said_before_the_work(skrec, tmp_path, monkeypatch):
    own = builtins.__import__

    def refuse(name, *arguments, **options):
        if name.partition(".")[0] == "matplotlib":
            raise ImportError("no module")
        return own(name, *arguments, **options)

    def too_late(*arguments, **options):
        raise RuntimeError("the data was read first")

    monkeypatch.setattr(builtins, "__import__", refuse)
    monkeypatch.setattr(_evaluate, "read_data", too_late)
    done = skrec("evaluate", "--output", tmp_path / "r.html")
    assert done.code == 2
    assert 'pip install "scikit-recsys[plot]"' in done.err
