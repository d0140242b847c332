"""Exit codes, help, and errors in one line."""

import re
import subprocess
import sys

import pytest

import skrec as package
from skrec._cli import _evaluate


def test_help_as_a_process():
    done = subprocess.run(
        [sys.executable, "-m", "skrec", "--help"], capture_output=True, text=True, check=True
    )
    assert "examples:" in done.stdout
    for verb in ("evaluate", "fit", "recommend", "similar", "serve", "compile"):
        assert re.search(rf"^ +{verb} +\w", done.stdout, re.MULTILINE)
    assert done.stderr == ""


@pytest.mark.parametrize("verb", ["evaluate", "fit", "recommend", "similar", "serve", "compile"])
def test_help_of_a_verb(skrec, verb):
    done = skrec(verb, "--help")
    assert done.code == 0
    assert f"python -m skrec {verb}" in done.out.partition("examples:")[2]
    # Every option is explained.
    for option in re.findall(r"^  (--?[a-z-]+).*$", done.out, re.MULTILINE):
        assert re.search(rf"^  {option}\b.*(\n {{10,}}\S|  \S)", done.out, re.MULTILINE), option


def test_help_and_errors_do_not_wait_for_what_verbs_import():
    code = (
        "import sys; from skrec.__main__ import main; main(['--help']); main(['evalute']); "
        "main(['fit', '--help']); main(['fit']); "
        "print([name for name in ('numpy', 'scipy', 'sklearn') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")


def test_version(skrec):
    assert skrec("--version") == (0, f"skrec {package.__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            ["evalute"],
            "unknown verb 'evalute'. Did you mean 'evaluate'? Known: compile, evaluate, fit,",
        ),
        (["reccomend", "m.skops"], "Did you mean 'recommend'?"),
        (["x"], "unknown verb 'x'. Known: "),
        (["evaluate", "--protocol", "medium"], "invalid choice: 'medium'"),
        (["evaluate", "--random-state", "-1"], "a whole number from 0"),
        (["evaluate", "--random-state", "many"], "got 'many'"),
        (["evaluate", "--min-user-count", "0"], "at least 1"),
        (["evaluate", "--min-value", "high"], "a finite number, got 'high'"),
        (["evaluate", "--serach"], "unrecognized arguments: --serach"),
        (["fit", "log.csv", "--output", "m.skops"], "--model is missing; give it, or --from"),
        (["fit", "--model", "ease", "--output", "m.skops"], "DATA is missing"),
        (["recommend"], "MODEL.skops"),
        (["recommend", "m.skops", "--users", "a", "--history", "b"], "give one of them"),
        (["recommend", "m.skops", "--users", "a", "-k", "0"], "at least 1"),
    ],
)
def test_wrong_arguments(skrec, arguments, expected):
    done = skrec(*arguments)
    assert done.code == 2
    assert done.out == ""
    assert done.err.startswith("skrec: error: ")
    assert done.err.count("\n") == 1
    assert expected in done.err


def test_without_a_verb_there_is_help(skrec):
    done = skrec()
    assert done.code == 2
    assert done.out == skrec("--help").out
    assert done.err == "skrec: error: got no verb; expected one of those above.\n"


def _raise(error):
    def read_data(*arguments, **options):
        raise error

    return read_data


def test_interrupt(skrec, monkeypatch):
    monkeypatch.setattr(_evaluate, "read_data", _raise(KeyboardInterrupt()))
    done = skrec("evaluate")
    assert done == (130, "", "skrec: interrupted\n")


def test_reader_went_away(model, tmp_path):
    users = tmp_path / "ids.txt"
    users.write_text("".join(f"u{i}\n" for i in range(160)))
    command = (
        f"{sys.executable} -m skrec recommend {model} --users {users} -k 40 "
        "| head -1; echo ${PIPESTATUS[0]}"
    )
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout == "user,rank,item,score,fallback\n141\n"
    assert done.stderr == ""


def test_error_text_is_one_line(skrec, monkeypatch):
    monkeypatch.setattr(_evaluate, "read_data", _raise(ValueError("first\n  second")))
    done = skrec("evaluate")
    assert done == (2, "", "skrec: error: first second\n")


def test_errors_of_files_name_the_file(skrec, tmp_path):
    done = skrec("recommend", tmp_path / "no.skops", "--users", "ids.txt")
    assert done.err == f"skrec: error: {tmp_path}/no.skops: No such file or directory\n"


def test_traceback_on_request(skrec, monkeypatch):
    monkeypatch.setattr(_evaluate, "read_data", _raise(ValueError("wrong")))
    assert "Traceback" not in skrec("evaluate").err
    done = skrec("evaluate", "--traceback")
    assert done.code == 2
    assert done.err.startswith("Traceback")
    assert done.err.endswith("skrec: error: wrong\n")


def test_a_bug_is_called_one(skrec, monkeypatch):
    monkeypatch.setattr(_evaluate, "read_data", _raise(KeyError("x")))
    done = skrec("evaluate")
    assert done.code == 2
    assert "unexpected KeyError" in done.err
    assert "--traceback" in done.err
