"""The guide's shop: ten lines of Python and three commands go from its messy files to lists."""

import csv
import doctest
import re
import shlex

import pytest

from skrec._cli._main import main
from tests.docs_pages import DOCS

PAGE = (DOCS / "guide" / "shop.rst").read_text()


def _examples(start, end):
    """The Python of the page between two of its texts."""
    text = PAGE.split(start, 1)[1].split(end, 1)[0]
    return doctest.DocTestParser().get_examples(text)


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A folder with the files of the page."""
    monkeypatch.chdir(tmp_path)
    names = {}
    for example in _examples("\nThe files\n", "\nTen lines: "):
        if 'open("orders.csv") as' not in example.source:
            exec(compile(example.source, "shop.rst", "exec"), names)
    return tmp_path


def _lists(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_ten_lines(shop):
    examples = _examples("\nTen lines: ", "\nThese lines read the log")
    lines = [line for example in examples for line in example.source.splitlines()]
    assert len(lines) == 10
    names = {}
    for line in lines:
        exec(compile(line, "shop.rst", "exec"), names)
    _check(shop, _lists("monday.csv"))
    assert names["log"].n_dropped == _missing(shop)


def test_three_commands(shop, capsys):
    commands = re.findall(r"\n   \$ python -m skrec (.*)", PAGE.replace("\\\n", ""))
    assert len(commands) == 3
    for command in commands:
        assert main(shlex.split(command)) in (0, None), capsys.readouterr().err
    _check(shop, _lists("monday.csv"))


def _orders(shop):
    with open(shop / "orders.csv", newline="") as file:
        return list(csv.DictReader(file, delimiter=";"))


def _missing(shop):
    return sum(not order["customer_id"] for order in _orders(shop))


def _check(shop, lists):
    """Five products each, in stock and not bought, with titles, by customers' own numbers."""
    orders = [order for order in _orders(shop) if order["customer_id"]]
    bought = {}
    for order in orders:
        pair = (order["customer_id"], order["product_id"])
        bought[pair] = bought.get(pair, 0) + int(order["quantity"])
    kept = {pair for pair, quantity in bought.items() if quantity > 0}
    stock = set((shop / "stock.txt").read_text().split())
    with open(shop / "products.csv", newline="") as file:
        titles = {row["product_id"]: row["title"] for row in csv.DictReader(file)}
    assert {row["user"] for row in lists} == {order["customer_id"] for order in orders}
    assert "0000648" in {row["user"] for row in lists}
    assert max(int(row["rank"]) for row in lists) == 5
    for row in lists:
        assert row["item"] in stock
        assert (row["user"], row["item"]) not in kept
        assert row["title"] == titles[row["item"]]
        assert row["fallback"] in ("True", "False")
