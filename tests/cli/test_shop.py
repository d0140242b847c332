"""From the messy log of a shop to Monday's lists in three commands."""

import csv
import doctest
import io
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from skrec import load
from skrec.datasets import make_interactions


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """The folder of a shop: orders, products, stock and customers.

    Ids have leading zeros, fields are parted by semicolons, quantities have decimal commas;
    some lines lack a customer, some orders came back, some lines are there twice, and half of
    the times are in another zone.
    """
    folder = tmp_path_factory.mktemp("shop")
    data = make_interactions(300, 80, 5000, timestamps=True, random_state=1)
    rng = np.random.default_rng(0)
    lines = ["Kunde;Artikel;Menge;Bestellt"]
    for user, item, time in zip(data.user, data.item, data.timestamp, strict=True):
        moment = np.datetime64(int(time) % 31_536_000 + 1_700_000_000, "s")
        zone = "Z" if user % 2 else "+02:00"
        amount = f"{rng.integers(1, 5)},{5 * rng.integers(0, 2)}"
        lines.append(f"{user:07d};{item:04d};{amount};{moment}{zone}")
    returned = [line.split(";") for line in lines[1::25]]
    lines += [";".join([user, item, f"-{amount}", when]) for user, item, amount, when in returned]
    lines += lines[300:400]
    lines += [f";{item:04d};1,0;2023-12-01T10:00:00Z" for item in range(12)]
    body = lines[1:]
    rng.shuffle(body)
    (folder / "orders.csv").write_bytes(("\n".join([lines[0], *body]) + "\n").encode("latin-1"))
    titles = [f"{item:04d};Tee Nº {item}" for item in range(80)]
    (folder / "products.csv").write_text("Artikel;Titel\n" + "\n".join(titles) + "\n", "utf-8")
    (folder / "stock.txt").write_text("".join(f"{item:04d}\n" for item in range(0, 80, 2)))
    customers = ["0000007", "0000012", "9999999"]
    (folder / "customers.txt").write_text("\n".join(customers) + "\n")
    return folder


COMMANDS = """
evaluate orders.csv --columns user=Kunde,item=Artikel,value=Menge,timestamp=Bestellt \
    --decimal , --drop-missing --negative subtract --protocol temporal \
    --models ease,itemknn,popularity --search --results results.json
fit --from results.json --titles products.csv --output shop.skops
recommend shop.skops --users customers.txt --items stock.txt -k 5 --output monday.csv
similar shop.skops --items stock.txt -k 3 --output similar.csv
"""


def test_three_commands_and_similar_products(skrec, shop, monkeypatch):
    monkeypatch.chdir(shop)
    commands = [line.split() for line in COMMANDS.replace("\\\n", " ").strip().splitlines()]
    done = [skrec(*words) for words in commands]
    assert [one.code for one in done] == [0] * 4, [one.err for one in done]
    evaluated = " ".join(done[0].out.split())
    assert "12 lines without an id" in evaluated
    assert "in time: the last 20%" in evaluated
    # What came back is not there; what is left was bought.
    content = load("shop.skops")
    assert "0000007" in content["encoder"].user_ids_
    assert (content["seen"].data > 0).all()
    assert content["seen"].nnz < 5000
    lists = list(csv.DictReader(io.StringIO((shop / "monday.csv").read_text("utf-8"))))
    customers = ["0000007", "0000012", "9999999"]
    assert [row["user"] for row in lists] == np.repeat(customers, 5).tolist()
    encoder, seen = content["encoder"], content["seen"]
    for row in lists:
        assert int(row["item"]) % 2 == 0
        assert row["title"] == f"Tee Nº {int(row['item'])}"
        assert row["fallback"] == str(row["user"] == "9999999")
        if row["fallback"] == "False":
            place = encoder.encode_users([row["user"]])[0], encoder.encode_items([row["item"]])[0]
            assert not seen[place]
    similar = list(csv.DictReader(io.StringIO((shop / "similar.csv").read_text("utf-8"))))
    assert len(similar) == 3 * len(encoder.item_ids_)
    assert {int(row["similar"]) % 2 for row in similar} == {0}


PAGE = Path(__file__).parents[2] / "docs" / "guide" / "shop.rst"


def test_the_commands_of_the_guide(skrec, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = PAGE.read_text("utf-8")
    namespace = {}
    for example in doctest.DocTestParser().get_examples(text):
        exec(example.source, namespace)
        if example.source.startswith("write_shop("):
            break
    joined = re.sub(r"\\\n +", "", text)  # commands that are longer than a line
    commands = re.findall(r"^ +\$ python -m skrec (.*)$", joined, re.MULTILINE)
    assert [command.split()[0] for command in commands][:3] == ["evaluate", "fit", "recommend"]
    for command in commands:
        done = skrec(*shlex.split(command))
        assert done.code == 0, (command, done.err)
    lists = list(csv.DictReader(io.StringIO((tmp_path / "monday.csv").read_text("utf-8"))))
    stock = (tmp_path / "stock.txt").read_text().split()
    assert {row["item"] for row in lists} <= set(stock)
    assert all(row["title"].startswith("Mug No. ") for row in lists)
    assert len(lists) > 4 * len({row["user"] for row in lists}) > 3000
