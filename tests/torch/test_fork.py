"""Processes that are forked after torch, BLAS and kernels have had threads end."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing is forked here")

# What stands before each case: threads are used, whatever the tests' own environment says.
SET_UP = """
import multiprocessing, threading, warnings
import numpy as np, torch
from skrec.autoencoder import CDAE, GaussianMixtureVAE, ItemAutoRec, MultVAE
from skrec.decomposition import BPR, WMF, BiasedMF, PureSVD
from skrec.linear_model import EASE, SANSA, SLIM
from skrec.neighbors import ItemKNN, UserKNN
from skrec.neural_network import GMF
warnings.simplefilter("ignore")
torch.set_num_threads(2)
X = (np.random.default_rng(0).random((600, 300)) < 0.05) * 1.0

def in_child(work):
    child = multiprocessing.get_context("fork").Process(target=work)
    child.start()
    child.join(240)  # seconds suffice where it does not hang
    if child.is_alive():
        child.kill()
        raise SystemExit("the child hangs")
    if child.exitcode:
        raise SystemExit(f"the child ended with {child.exitcode}")

def used(a=torch.ones(1 << 20)):
    (a + 1).sum()
    torch.ones(400, 400) @ torch.ones(400, 400)
"""
CASES = {
    "neural models": """
models = [
    cls(max_iter=1, device="cpu", random_state=0)
    for cls in (MultVAE, GaussianMixtureVAE, ItemAutoRec, CDAE, GMF)
]
for model in models:
    model.fit(X)

def work():
    for model in models:
        model.decision_function(X)
        model.fit(X).recommend(X[:5])
    assert torch.get_num_threads() == 1

in_child(work)
assert torch.get_num_threads() == 2
""",
    "models that are not neural": """
models = [
    EASE(n_jobs=2), SLIM(n_jobs=2, max_iter=2), SANSA(n_jobs=2), ItemKNN(n_jobs=2), WMF(n_jobs=2),
    UserKNN(n_jobs=2), PureSVD(8), BPR(max_iter=1, n_jobs=2), BiasedMF(max_iter=1, n_jobs=2),
    SLIM(solver="admm", max_iter=2, device="cpu"),
]
for model in models:
    model.fit(X).recommend(X)

def work():
    for model in models:
        model.recommend(X)
        model.fit(X)

in_child(work)
""",
    "torch was used, but not by skrec": """
used()

def work():
    MultVAE(max_iter=1, device="cpu").fit(X)

in_child(work)
""",
    "threads of the child": """
MultVAE(max_iter=1, device="cpu").fit(X)

def work():
    other = threading.Thread(target=lambda: MultVAE(max_iter=1, device="cpu").fit(X))
    other.start()
    other.join()
    MultVAE(max_iter=1, device="cpu").fit(X)

in_child(work)
""",
    "a search": """
import joblib
from sklearn.model_selection import GridSearchCV
model = MultVAE(8, max_iter=1, device="cpu", random_state=0).fit(X)
with joblib.parallel_config(backend="multiprocessing"):
    search = GridSearchCV(model, {"beta": [0.1, 0.2]}, cv=2, n_jobs=2).fit(X)
assert np.isfinite(search.cv_results_["mean_test_score"]).all()
""",
    "an ensemble": """
from skrec.ensemble import LOCA
member = MultVAE(8, max_iter=1, device="cpu")
model = LOCA(member, n_estimators=2, n_jobs=2, random_state=0).fit(X)
in_child(lambda: model.fit(X).recommend(X))
""",
}


_FAST = ("torch was used, but not by skrec",)


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, marks=[] if case in _FAST else [pytest.mark.slow]) for case in CASES],
)
def test_child_ends(case):
    threads = {f"{name}_NUM_THREADS": "2" for name in ("OMP", "OPENBLAS", "MKL")}
    done = subprocess.run(
        [sys.executable, "-c", SET_UP + CASES[case]],
        env=os.environ | threads,
        capture_output=True,
        text=True,
        timeout=600,
        start_new_session=True,
    )
    assert done.returncode == 0, done.stderr
