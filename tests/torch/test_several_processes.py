"""The guide's script for several GPUs, on two processes of this machine."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from scipy.sparse import save_npz

import skrec
from skrec.autoencoder import MultDAE
from skrec.datasets import make_interactions
from tests.docs_pages import DOCS


@pytest.mark.slow
@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch without distributed")
def test_two_processes_make_the_steps_of_one_with_all_users(tmp_path):
    X = make_interactions(120, 40, 900, random_state=0, return_X=True)
    rows = tmp_path / "rows"
    rows.mkdir()
    for number, start in enumerate(range(0, 120, 30)):
        save_npz(rows / f"{number}.npz", X[start : start + 30])
    path = tmp_path / "model.skops"
    run = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    run += [str(DOCS / "guide" / "several_gpus.py"), str(rows), str(path)]
    options = {"dropout": 0.0, "max_iter": 10}  # without noise, and one batch of all users
    run += ["--hidden=16", "--batch-size=60", "--dropout=0", "--max-iter=10"]
    done = subprocess.run(run, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2_000:]
    model = skrec.load(path)
    assert type(model) is MultDAE
    alone = MultDAE((16,), batch_size=120, early_stopping=False, random_state=0, **options).fit(X)
    for name, weights in alone.weights_.items():
        assert np.allclose(model.weights_[name], weights, atol=1e-5), name
    assert np.array_equal(model.recommend(X, 5), alone.recommend(X, 5))
    assert [path.name for path in tmp_path.iterdir()].count("model.skops") == 1
