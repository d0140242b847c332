"""Signals, closed and full outputs: nothing half is written, and the exit code says so."""

import errno
import os
import signal
import subprocess
import sys
import time

import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from skrec import load
from skrec._torch import _epochs
from skrec.autoencoder import MultVAE
from skrec.linear_model import EASE
from skrec.metrics import compare_models
from skrec.utils._interrupts import whole_fits_only

_ENDLESS = ["--param", "max_iter=1000000", "--param", "batch_size=40"]


class Process(subprocess.Popen):
    """A command as a process of its own, with text for output."""

    def __init__(self, *arguments, **options):
        words = [sys.executable, "-m", "skrec", *map(str, arguments)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
        super().__init__(words, text=True, **pipes)

    def ended(self, number):
        """Send a signal; exit code, standard output, standard error."""
        self.send_signal(number)
        out, err = self.communicate(timeout=60)
        return self.returncode, out, err


# A fit tells this module when an epoch is over: a signal comes when a fit is under way.
_TOLD = """
import os, signal, sys
from skrec._torch import _epochs
from skrec._torch._fit_loop import fit_loop as own
from skrec.__main__ import main

def fit_loop(*arguments, on_epoch=None, **options):
    def tell(epoch, *others):
        if epoch == 3 and len(arguments[2]) > {least_batches}:
            os.kill(os.getpid(), {number})
        return None if on_epoch is None else on_epoch(epoch, *others)
    return own(*arguments, on_epoch=tell, **options)

_epochs.fit_loop = fit_loop
sys.exit(main({words!r}))
"""


def interrupted_in_epoch(words, number=signal.SIGINT, least_batches=0):
    """Run a command whose neural fit gets a signal at the end of its third epoch."""
    code = _TOLD.format(
        words=list(map(str, words)), number=int(number), least_batches=least_batches
    )
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.slow
@pytest.mark.parametrize("model", ["multvae", "cdae"])
def test_an_interrupted_fit_does_not_replace_the_good_file(skrec, log, tmp_path, model):
    path = tmp_path / "model.skops"
    words = ["fit", log, "--model", model, "--output", path]
    assert skrec(*words, "--param", "max_iter=1").code == 0
    before = path.read_bytes()
    done = interrupted_in_epoch([*words, *_ENDLESS])
    assert done.returncode == 130
    assert done.stdout == ""
    assert done.stderr == (
        f"skrec: interrupted after 3 epochs; nothing was written, {path} is as it was\n"
    )
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.skops"]


@pytest.mark.slow
def test_no_file_is_no_file(log, tmp_path):
    words = ["fit", log, "--model", "multvae", "--output", tmp_path / "new.skops", *_ENDLESS]
    done = interrupted_in_epoch(words)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "skrec: interrupted after 3 epochs; nothing was written\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)], ids=["TERM", "HUP"]
)
def test_a_fit_that_is_told_to_end(log, tmp_path, number, code):
    path = tmp_path / "model.skops"
    path.write_text("as it was")
    words = ["fit", log, "--model", "multvae", "--output", path, *_ENDLESS]
    done = interrupted_in_epoch(words, number)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith("skrec: terminated")
    assert done.stderr.count("\n") == 1
    assert path.read_text() == "as it was"
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.skops"]


@pytest.mark.slow
def test_an_interrupted_comparison_shows_what_is_done(log, tmp_path):
    results = tmp_path / "results.json"
    words = [
        "evaluate", log, "--models", "popularity,multvae,ease", "--param",
        "multvae.max_iter=50", "--results", results,
    ]  # fmt: skip
    # More batches than the warm-up on a sample has: the fit itself is interrupted.
    done = interrupted_in_epoch([*words, "--param", "multvae.batch_size=40"], least_batches=2)
    assert done.returncode == 130
    assert "Incomplete: 1 of 3 models." in done.stdout
    lines = done.stdout.splitlines()
    assert any(line.startswith("popularity") for line in lines)
    assert not any(line.startswith(("multvae", "ease")) for line in lines)
    assert done.stderr == (
        "skrec: interrupted after 3 epochs; the comparison is not complete; nothing was written\n"
    )
    assert not results.exists()


@pytest.mark.slow
@pytest.mark.parametrize("search", [[], ["--search"]], ids=["", "search"])
def test_no_model_of_an_interrupted_comparison_is_starred(log, search):
    words = ["evaluate", log, "--models", "multvae,popularity", *search]
    done = interrupted_in_epoch([*words, "--param", "multvae.max_iter=1000000"])
    assert done.returncode == 130
    assert "*" not in done.stdout
    assert "popularity" not in done.stdout
    assert "the comparison is not complete" in done.stderr


@pytest.mark.slow
def test_a_signal_while_a_file_is_written(model, tmp_path):
    # A reader that is not there yet holds the command up in the middle of its work.
    users = tmp_path / "users"
    os.mkfifo(users)
    path = tmp_path / "lists.csv"
    path.write_text("as it was")
    command = ["recommend", model, "--users", users, "--output", path]
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        process = Process(*command)
        with open(users, "w") as file:  # returns when the command has opened its end
            file.flush()
            found = process.ended(number)
        assert found[:2] == (code, "")
        assert found[2].startswith("skrec: ")
        assert found[2].count("\n") == 1
    assert path.read_text() == "as it was"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["lists.csv", "users"]


@pytest.mark.slow
def test_a_signal_that_the_parent_ignores_stays_ignored(log, tmp_path):
    path = tmp_path / "m.skops"
    words = ["fit", log, "--model", "multvae", "--param", "max_iter=5", "--output", path]
    code = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN); "
    code += f"signal.signal(signal.SIGINT, signal.SIG_IGN)\n{_TOLD}"
    for number in (signal.SIGHUP, signal.SIGINT):
        done = subprocess.run(
            [sys.executable, "-c", code.format(
                words=list(map(str, words)), number=int(number), least_batches=0
            )],
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert load(path)["model"].estimator_.n_iter_ == 5


@pytest.mark.slow
def test_an_interrupt_within_an_import_or_an_exec(log, tmp_path):
    # namedtuples and scipy call exec while they are imported.
    (tmp_path / "sitecustomize.py").write_text("""
import os, signal, time
from skrec._cli import _evaluate

def read_data(*arguments, **options):
    exec("os.kill(os.getpid(), signal.SIGINT); time.sleep(9)", globals())

_evaluate.read_data = read_data
""")
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    process = Process("evaluate", log, env=os.environ | {"PYTHONPATH": path})
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out, err) == (130, "", "skrec: interrupted\n")


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("verb", ["fit", "recommend", "evaluate"])
def test_a_file_that_is_half_written_is_taken_away(model, log, tmp_path, verb, number, code):
    folder = tmp_path / "out"
    folder.mkdir()
    path = folder / "result.skops"
    path.write_text("as it was")
    words = {
        "fit": ["fit", log, "--model", "popularity", "--output", path],
        "recommend": ["recommend", model, "--output", path],
        "evaluate": ["evaluate", log, "--models", "popularity", "--results", path],
    }[verb]
    # The signal comes when all is written under the temporary name.
    program = f"""
import os, sys
from skrec.__main__ import main

def fsync(number):
    print(*sorted(os.listdir({str(folder)!r})), file=sys.stderr)
    os.kill(os.getpid(), {int(number)})

os.fsync = fsync
sys.exit(main({[str(word) for word in words]!r}))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == code, done.stderr
    there, said = done.stderr.splitlines()
    assert len(there.split()) == 2
    assert said.startswith("skrec: interrupted" if number == signal.SIGINT else "skrec: terminated")
    assert [entry.name for entry in folder.iterdir()] == ["result.skops"]
    assert path.read_text() == "as it was"


def test_handlers_are_as_they_were(skrec):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    assert skrec("evaluate", "--models", "nothing").code == 2
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


@pytest.mark.parametrize("kind", [None, SystemError, ValueError])
def test_an_interrupt_that_a_library_turns_into_an_error(skrec, log, tmp_path, monkeypatch, kind):
    def swallows(self, X, y=None):
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(5)
        except KeyboardInterrupt as error:
            if kind is not None:
                raise kind("returned a result with an exception set") from error
        return self

    monkeypatch.setattr(EASE, "fit", swallows)
    path = tmp_path / "m.skops"
    done = skrec("fit", log, "--model", "ease", "--output", path)
    assert done == (130, "", "skrec: interrupted; nothing was written\n")
    assert not path.exists()
    done = skrec("evaluate", log, "--models", "ease")
    assert done.code == 130
    assert "*" not in done.out


@pytest.fixture
def interrupt_in_epoch_3(monkeypatch):
    """Raise what Ctrl-C raises at the end of the third epoch of any fit with many epochs."""
    own = _epochs.fit_loop

    def fit_loop(*arguments, on_epoch, **options):
        def raising(epoch, *others):
            if epoch == 3:
                raise KeyboardInterrupt
            return on_epoch(epoch, *others)

        return own(*arguments, on_epoch=raising, **options)

    monkeypatch.setattr(_epochs, "fit_loop", fit_loop)


def test_in_python_a_fit_keeps_its_last_epoch(generated, interrupt_in_epoch_3):
    model = MultVAE(4, hidden_layer_sizes=(8,), max_iter=9, random_state=0)
    with pytest.warns(ConvergenceWarning, match="interrupted in epoch 4"):
        model.fit(generated.X)
    assert model.n_iter_ == 3
    with whole_fits_only(), pytest.raises(KeyboardInterrupt, match="after 3 epochs"):
        clone(model).fit(generated.X)


def test_in_python_a_comparison_ends(generated, interrupt_in_epoch_3):
    models = {"ease": EASE(20), "vae": MultVAE(4, hidden_layer_sizes=(8,), random_state=0)}
    with pytest.raises(KeyboardInterrupt, match="after 3 epochs") as caught:
        compare_models(models, generated.X, generated.X, metrics="ndcg@10")
    assert caught.value.comparison.names == ["ease"]
    with pytest.raises(KeyboardInterrupt) as caught:
        compare_models({"vae": models["vae"]}, generated.X, generated.X, metrics="ndcg@10")
    assert not hasattr(caught.value, "comparison")


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no full device")
def test_full_disk(model, log, tmp_path):
    users = tmp_path / "ids.txt"
    users.write_text("u1\n")
    for words in (
        ["evaluate", log, "--models", "popularity"],
        ["recommend", model, "--users", users],
    ):
        with open("/dev/full", "w") as full:
            process = Process(*words, stdout=full)
            _, err = process.communicate(timeout=60)
        assert process.returncode == 2
        assert err == "skrec: error: standard output: No space left on device\n"


def test_a_full_disk_names_the_file_and_leaves_nothing(skrec, model, tmp_path, monkeypatch):
    users = tmp_path / "ids.txt"
    users.write_text("u1\n")

    def fsync(number):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fsync)
    path = tmp_path / "lists.csv"
    done = skrec("recommend", model, "--users", users, "--output", path)
    assert done == (2, "", f"skrec: error: {path}: No space left on device\n")
    assert [entry.name for entry in tmp_path.iterdir()] == ["ids.txt"]


@pytest.mark.slow
def test_closed_streams(model, log, tmp_path):
    users, path = tmp_path / "ids.txt", tmp_path / "lists.csv"
    users.write_text("u1\n")
    shell = f"{sys.executable} -m skrec"
    cases = [
        (f"evaluate {log} --models popularity >&-", 2, "standard output is closed"),
        (f"recommend {model} --users {users} --output {path} >&-", 0, ""),
        (f"evaluate {log} --models popularity --results {path} >&-", 0, ""),
        ("evaluate no.csv >&- 2>&-", 2, ""),
    ]
    for words, code, expected in cases:
        done = subprocess.run(
            ["bash", "-c", f"{shell} {words}"], capture_output=True, text=True, check=False
        )
        assert done.returncode == code, (words, done.stderr)
        assert expected in done.stderr
        assert done.stderr.count("\n") == bool(expected)
