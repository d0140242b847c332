"""scikit-learn's callbacks on the neural estimators."""

import numpy as np
import pytest

from skrec.autoencoder import CDAE, ItemAutoRec, MultVAE, UserAutoRec
from skrec.metrics import make_ranking_scorer

callback = pytest.importorskip("sklearn.callback")

RNG = np.random.default_rng(0)
X = (RNG.random((30, 12)) < 0.4) * RNG.integers(1, 6, (30, 12)).astype(float)
SETTINGS = {"max_iter": 3, "random_state": 0}
MODELS = [
    MultVAE(4, hidden_layer_sizes=(6,), **SETTINGS),
    CDAE(4, **SETTINGS),
    UserAutoRec(4, **SETTINGS),
    ItemAutoRec(4, **SETTINGS),
]


class Recorder:
    """Keeps what the hooks are given."""

    def __init__(self, last=None):
        self.begun, self.ended, self.scores, self.last = [], [], [], last

    def setup(self, estimator, context):
        self.begun.append("setup")

    def teardown(self, estimator, context):
        self.begun.append("teardown")

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None):
        self.begun.append(context.task_name)

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, fitted_estimator=None):
        self.ended.append(context.task_name)
        self.scores.append(fitted_estimator.decision_function(X))
        return context.task_name == "epoch" and context.task_id == self.last


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_callbacks_see_each_epoch_as_a_fit_of_so_many_would_leave_it(model):
    recorder = Recorder()
    model.set_callbacks(recorder)
    plain = type(model)(**model.get_params()).fit(X)
    model.fit(X)
    assert recorder.begun == ["setup", "fit", "epoch", "epoch", "epoch", "teardown"]
    assert recorder.ended == ["epoch", "epoch", "epoch", "fit"]
    np.testing.assert_array_equal(recorder.scores[-1], plain.decision_function(X))
    np.testing.assert_array_equal(recorder.scores[-2], recorder.scores[-1])
    assert np.abs(recorder.scores[0] - recorder.scores[1]).max() > 0


def test_a_callback_ends_the_fit():
    model = MultVAE(4, hidden_layer_sizes=(6,), max_iter=9, random_state=0)
    model.set_callbacks(Recorder(last=1)).fit(X)
    assert model.n_iter_ == len(model.loss_curve_) == 2


def test_scores_are_monitored_against_y():
    scorer = make_ranking_scorer(["recall@5", "ndcg@100"])
    monitor = callback.ScoringMonitor(scoring=scorer)
    held = (RNG.random(X.shape) < 0.2) * (X == 0)
    model = MultVAE(4, hidden_layer_sizes=(6,), **SETTINGS).set_callbacks(monitor).fit(X, held)
    log = monitor.get_logs().data
    found = [row for row in log if row["task_name"] == "epoch"]
    assert len(found) == 3
    wanted = scorer(model, X, held)
    assert {name: found[-1][name] for name in wanted} == pytest.approx(wanted)
