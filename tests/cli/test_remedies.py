"""What an error advises can be typed: options in place of the arguments of Python."""

import inspect
import os
import re

import numpy as np
import pytest
from scipy.sparse import csr_array

from skrec import load
from skrec._cli import _arguments
from skrec._cli._models import known_models
from skrec._cli._remedies import on_command_line
from skrec._log._aggregate import DUPLICATES
from skrec._log._returns import NEGATIVE
from skrec._model_content import VALUES
from skrec.datasets import load_interactions
from skrec.utils._times import warn_if_unordered

_LINES = "".join(f"u{n % 7},i{n % 5}\n" for n in range(35))
_OF_PYTHON = {name for name in inspect.signature(load_interactions).parameters if name != "path"}


def names_of_python(text):
    """Arguments of Python that a message names, other than as an option."""
    words = re.sub(r"--(columns|param) \S+", "", text)
    found = set(re.findall(r"(?<![\w-])(\w+)=", words))
    params = {name for cls, _ in known_models().values() for name in cls().get_params()}
    return found & (_OF_PYTHON | params | {"data_home"}) | set(re.findall(r"set_params", words))


CASES = {
    "encoding": (
        "user,item\nJosé,x\nb,y\n".encode("latin-1"),
        [],
        "--encoding latin-1",
        ["--encoding", "latin-1"],
    ),
    "decimal": (
        b"1;2;4,5\n1;3;3,0\n2;2;1,5\n",
        [],
        "--decimal ','",
        ["--decimal", ","],
    ),
    "header": (
        b"client,product\nc1,p1\nc2,p2\n",
        [],
        "--header yes",
        ["--header", "yes", "--columns", "user=client,item=product"],
    ),
    "no header": (b"client,product\nc1,p1\nc2,p2\n", [], "--header no", ["--no-header"]),
    "missing": (b"user,item\n,p1\nc2,p2\n", [], "--drop-missing", ["--drop-missing"]),
    "quotes": (b'user,item\n"c1,p1\nc2,p2\n', [], "--quotechar none", ["--quotechar", "none"]),
    "fields": (b"user,item\nc1,p1\nc2,'p,2'\n", [], "--quotechar", ["--quotechar", "'"]),
    "value": (
        b"user,item,rating\nc1,p1,good\nc2,p2,3\n",
        [],
        "--columns value=NAME",
        ["--columns", "value=none"],
    ),
    "time": (
        b"user,item,timestamp\nc1,p1,late\nc2,p2,3\n",
        [],
        "--columns timestamp=NAME",
        ["--columns", "timestamp=none"],
    ),
    "times for items": (
        b"1\t1600000000\t5\n1\t1600000100\t6\n2\t1600000200\t5\n",
        [],
        "--columns user=1,item=3,value=none,timestamp=2",
        ["--columns", "user=1,item=3,value=none,timestamp=2"],
    ),
    "times for values": (
        b"1,7,1600000000\n1,8,1600000100\n2,7,1600000200\n",
        [],
        "--columns",
        ["--columns", "user=1,item=2,value=none,timestamp=3"],
    ),
    "names": (
        b"who,what,user\nc1,p1,x\nc2,p2,y\n",
        ["--header", "yes"],
        "--columns",
        ["--header", "yes", "--columns", "user=who,item=what"],
    ),
    "repeated": (
        b"user,item\nc1,p1\nc1,p1\nc2,p1\n",
        ["--duplicates", "error"],
        "--duplicates",
        ["--duplicates", "max"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_remedy_of_the_loader_is_an_option_that_helps(skrec, tmp_path, case):
    content, given, advised, remedy = CASES[case]
    path, model = tmp_path / "log.csv", tmp_path / "m.skops"
    path.write_bytes(content)
    words = ["fit", path, "--model", "popularity", "--output", model]
    done = skrec(*words, *given)
    assert done.code == 2, done.out
    assert done.err.startswith("skrec: error: ")
    assert done.err.count("\n") == 1
    assert advised in done.err
    assert names_of_python(done.err) == set()
    done = skrec(*words, *remedy)
    assert done.code == 0, done.err
    assert model.exists()


def test_returns(skrec, tmp_path):
    path, model = tmp_path / "log.csv", tmp_path / "m.skops"
    path.write_text("user,item,quantity\na,x,2\na,y,1\na,y,-1\nb,x,1\nb,x,-3\nc,y,4\n")
    words = ["fit", path, "--model", "popularity", "--values", "keep", "--output", model]
    done = skrec(*words)
    assert done.code == 0
    assert done.err.startswith("skrec: warning: ")
    assert "--negative subtract" in done.err
    assert names_of_python(done.err) == set()
    done = skrec(*words, "--negative", "error")
    assert done.code == 2
    assert names_of_python(done.err) == set()
    for how, expected in (("subtract", [[2, 0], [0, 4]]), ("drop", [[2, 1], [1, 0], [0, 4]])):
        done = skrec(*words, "--negative", how)
        assert done.code == 0
        assert "negative" not in done.err
        assert ("returns" in done.out) == (how != "keep")
        assert load(model)["interactions"].toarray().tolist() == expected


def test_folders_and_patterns(skrec, tmp_path, monkeypatch):
    for day in range(3):
        (tmp_path / f"day{day}.csv").write_text(f"user,item\na,i{day}\nb,i{day}\n")
    monkeypatch.chdir(tmp_path)
    model = tmp_path.parent / "m.skops"
    for name, n_items in (("day*.csv", 3), (".", 3), (str(tmp_path), 3), ("day[01].csv", 2)):
        done = skrec("fit", name, "--model", "popularity", "--output", model)
        assert done.code == 0, done.err
        assert load(model)["interactions"].shape == (2, n_items)
    assert skrec("fit", "no*.csv", "--model", "popularity", "--output", model).code == 2
    history = skrec("recommend", model, "--history", "day0.csv")
    assert skrec("recommend", model, "--history", "day[0].csv") == history


@pytest.mark.parametrize("option", ["--history"])
def test_histories_are_read_with_the_same_options(skrec, model, tmp_path, option):
    path = tmp_path / "new.csv"
    path.write_bytes("Käufer;Ware\nAnn;i3\n;i4\nBö;i5\n".encode("latin-1"))
    words = ["recommend", model, option, path, "-k", "2"]
    done = skrec(*words)
    assert done.code == 2
    assert names_of_python(done.err) == set()
    done = skrec(
        *words, "--encoding", "latin-1", "--delimiter", ";", "--header", "yes", "--drop-missing",
        "--columns", "user=Käufer,item=Ware",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert [line.split(",")[0] for line in done.out.splitlines()[1:]] == ["Ann"] * 2 + ["Bö"] * 2
    assert "1 lines without an id" in done.err


def test_what_is_left_out_is_told(skrec, tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("user,item\n" + _LINES + ",i1\nu1,\n")
    done = skrec("evaluate", path, "--drop-missing", "--protocol", "weak", "--models", "popularity")
    assert done.code == 0, done.err
    assert re.search("^left out +2 lines without", done.out, re.MULTILINE)


def test_delimiters_by_name(skrec, tmp_path):
    path = tmp_path / "log.txt"
    path.write_text(_LINES.replace(",", "\t").replace("u", "u a"))
    for name in ("tab", "\\t", "\t"):
        done = skrec(
            "fit", path, "--model", "popularity", "--delimiter", name, "--output",
            tmp_path / "m.skops",
        )  # fmt: skip
        assert done.code == 0, done.err
    assert load(tmp_path / "m.skops")["encoder"].user_ids_[0] == "u a0"


def test_options_on_files_are_for_files(skrec):
    for option in (["--encoding", "latin-1"], ["--drop-missing"], ["--columns", "user=a"]):
        done = skrec("evaluate", "demo", *option)
        assert done.code == 2
        assert f"{option[0]} is for files, but demo is not a file" in done.err


def test_a_number_for_a_tuple(skrec, log, tmp_path):
    for text in ("8", "8,", "(8,)", "[8]"):
        path = tmp_path / "m.skops"
        done = skrec(
            "fit", log, "--model", "multvae", "--param", f"hidden_layer_sizes={text}", "--param",
            "max_iter=1", "--output", path,
        )  # fmt: skip
        assert done.code == 0, done.err
        assert "hidden_layer_sizes=(8,)" in done.out
    for text in ("wide", "0", "8.5"):
        done = skrec(
            "evaluate", log, "--models", "multvae", "--param", f"multvae.hidden_layer_sizes={text}"
        )
        assert done.code == 2
        assert "--param multvae.hidden_layer_sizes=VALUE" in done.err
        assert names_of_python(done.err) == set()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pass delimiter= or quotechar=", "pass --delimiter or --quotechar"),
        ("pass delimiter=';', or", "pass --delimiter ';', or"),
        ("quotechar=None", "--quotechar none"),
        ("with drop_missing=True to leave", "with --drop-missing to leave"),
        ("pass user=0, item=1", "pass --columns user=1,item=2"),
        ("pass value= the right column", "pass --columns value=NAME, the right column"),
        ("Pass data_home=, or set SKREC_DATA", "Pass --data-home, or set SKREC_DATA"),
        ("such as --columns user=1,item=2", "such as --columns user=1,item=2"),
        ("a --param alpha=1 or", "a --param alpha=1 or"),
        ("set_params(device='cpu'), or", "--param device=cpu, or"),
        ("raise alpha=, or pass n_jobs=1", "raise --param alpha=VALUE, or pass --param n_jobs=1"),
        ("pass decimal=','.", "pass --decimal ','."),
        ("read the log with load_interactions(log, drop_missing=True).", "pass --drop-missing."),
        (
            "save the log with numpy.savez(path, user=..., item=...).",
            "save the log with numpy.savez, arrays user and item.",
        ),
        (
            "pass user= one of them, or its place from 0",
            "pass --columns user=NAME, one of them, or its place from 1",
        ),
        (
            "user=8 is no column of x. Expected 0 to 1: the first line",
            "--columns user=9 is no column of x. Expected 1 to 2: the first line",
        ),
        ("my_alpha=3 and x.alpha=3", "my_alpha=3 and x.alpha=3"),
    ],
)
def test_translation(text, expected):
    assert on_command_line(text, ["alpha", "n_jobs"]) == expected


def test_a_model_of_times_says_how_to_read_them():
    with pytest.warns(UserWarning, match="SLIST takes") as caught:
        warn_if_unordered(csr_array(np.ones((2, 3))), "SLIST")
    told = on_command_line(str(caught[0].message))
    assert told.endswith("pass --columns value=timestamp, --duplicates max and --values keep.")
    assert names_of_python(told) == set()


def test_no_error_of_a_model_names_an_argument(skrec, log, tmp_path):
    path = tmp_path / "m.skops"
    for model, text in [
        ("ease", "alpha=-1"),
        ("slim", "n_jobs=0"),
        ("multvae", "device=cuda:77"),
        ("multvae", "batch_size=0"),
        ("wmf", "solver=none"),
    ]:
        done = skrec("fit", log, "--model", model, "--param", text, "--output", path)
        assert done.code == 2, (model, text)
        assert names_of_python(done.err) == set(), done.err
        done = skrec("evaluate", log, "--models", model, "--param", f"{model}.{text}")
        assert done.code == 2, (model, text)
        assert names_of_python(done.err) == set(), done.err


def test_pipes_and_odd_numbers_are_refused(skrec, model, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for words in (["evaluate", pipe], ["recommend", model, "--history", pipe]):
        done = skrec(*words)
        assert done.code == 2
        assert "is not a regular file" in done.err
    for text in ("nan", "inf", "-inf"):
        assert f"a finite number, got '{text}'" in skrec("evaluate", f"--min-value={text}").err
    path = tmp_path / "log.csv"
    path.write_text("user,item,rating\na,b,1e39\nc,d,2\n")
    words = ["fit", path, "--model", "ease", "--output", tmp_path / "m.skops"]
    assert skrec(*words).code == 0
    done = skrec(*words, "--values", "keep")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "--values ones" in done.err


def test_the_options_are_those_of_the_loader():
    assert _arguments.DUPLICATES == DUPLICATES
    assert _arguments.NEGATIVE == NEGATIVE
    assert _arguments.VALUES == VALUES
    # dtype is no question of the command line, and columns stand for four. The models that read
    # times as values are compared with others on ones, which is done in Python.
    others = {"as_times", "dtype", "return_X", "user", "item", "value", "timestamp"}
    assert set(_arguments.LOG_OPTIONS) - {"columns"} == _OF_PYTHON - others
