"""The progress bar of fits."""

import subprocess
import sys

import numpy as np

from skrec.decomposition import WMF
from skrec.utils._progress import ProgressBar


def test_the_steps_are_those_that_were_given():
    for shown in (False, True):
        assert list(ProgressBar(range(3, 6), "fit", shown=shown)) == [3, 4, 5]
        assert list(ProgressBar(iter("ab"), "fit", shown=shown, total=2)) == ["a", "b"]


def test_it_shows_epoch_loss_score_and_what_is_left(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")  # tqdm cuts a bar off where the terminal ends
    bar = ProgressBar(range(4, 7), "MultVAE", shown=True, unit="epoch")
    for epoch in bar:
        bar.show(epoch, 1 / epoch, None if epoch == 4 else 0.25)
    shown = capsys.readouterr()
    assert shown.out == ""
    last = shown.err.rpartition("\r")[2]
    assert "MultVAE: 100%" in last
    assert "3/3" in last
    assert "epoch=6, loss=0.16667, score=0.2500" in last


def test_nothing_is_written_unless_it_is_wanted(capsys):
    bar = ProgressBar(range(2), "fit", shown=False)
    for epoch in bar:
        bar.show(epoch, 0.5, 0.5)
    WMF(2, max_iter=2).fit(np.eye(4))
    assert capsys.readouterr() == ("", "")
    WMF(2, max_iter=2, verbose=True).fit(np.eye(4))
    assert "WMF: 100%" in capsys.readouterr().err


def test_tqdm_is_imported_for_a_bar_only():
    code = (
        "import sys; from skrec.utils._progress import ProgressBar; "
        "assert list(ProgressBar(range(2), 'fit', shown=False)) == [0, 1]; "
        "assert 'tqdm' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
