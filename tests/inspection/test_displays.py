"""Displays of fitted estimators: curves of a fit, maps of vectors."""

import subprocess
import sys

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Binarizer

from skrec.autoencoder import MultVAE, UserAutoRec
from skrec.datasets import make_interactions
from skrec.decomposition import BPR, PureSVD
from skrec.inspection import EmbeddingDisplay, FitCurveDisplay
from skrec.linear_model import EASE

SMALL = {"hidden_layer_sizes": (4,), "n_components": 2, "device": "cpu", "random_state": 0}


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def X():
    return make_interactions(60, 20, random_state=0, return_X=True)


@pytest.fixture(scope="module")
def annealed(X):
    """Two updates in each of four epochs."""
    return MultVAE(**SMALL, beta=0.5, n_annealing_steps=10, batch_size=30, max_iter=4).fit(X)


@pytest.fixture(scope="module")
def stopped(X):
    return MultVAE(**SMALL, batch_size=30, max_iter=5, early_stopping=True).fit(X)


@pytest.fixture(scope="module")
def rated():
    R = make_interactions(60, 20, feedback="rating", random_state=0, return_X=True)
    model = UserAutoRec(
        n_components=2, max_iter=3, early_stopping=True, device="cpu", random_state=0
    )
    return model.fit(R[:40], X_test=R[40:])


def legend_texts(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


class TestFitCurve:
    def test_loss_and_beta(self, annealed):
        display = FitCurveDisplay.from_estimator(annealed)
        assert list(display.curves) == ["loss", "divergence", "beta"]
        np.testing.assert_array_equal(display.curves["loss"]["MultVAE"], annealed.loss_curve_)
        # Updates 1, 3, 5 and 7 are the last of their epochs: min(.5, update / 10).
        np.testing.assert_allclose(display.curves["beta"]["MultVAE"], [0.1, 0.3, 0.5, 0.5])
        for quantity, panel in zip(display.curves, display.axes_, strict=True):
            (line,) = display.lines_[quantity]
            np.testing.assert_array_equal(line.get_xdata(), [1, 2, 3, 4])
            np.testing.assert_array_equal(line.get_ydata(), display.curves[quantity]["MultVAE"])
            assert legend_texts(panel) == ["MultVAE"]
        labels = [panel.get_ylabel()[:8] for panel in display.axes_]
        assert labels == ["training", "divergen", "β, weigh"]
        assert display.axes_[-1].get_xlabel() == "epoch"
        assert display.ax_ is display.axes_[0]
        assert display.figure_ is display.ax_.figure

    def test_validation(self, annealed, stopped):
        display = FitCurveDisplay.from_estimator({"a": annealed, "b": stopped})
        assert list(display.curves) == ["loss", "validation_score", "divergence", "beta"]
        assert list(display.curves["loss"]) == ["a", "b"]
        assert list(display.curves["validation_score"]) == ["b"]
        scores = stopped.validation_scores_
        np.testing.assert_array_equal(display.curves["validation_score"]["b"], scores)
        assert display.best_epoch == {"b": int(np.argmax(scores)) + 1}
        panel = display.axes_[1]
        assert "nDCG@100" in panel.get_ylabel()
        assert legend_texts(panel) == ["b", f"best epoch: {display.best_epoch['b']}"]
        marks = [
            line for line in panel.get_lines() if line not in display.lines_["validation_score"]
        ]
        assert [list(line.get_xdata()) for line in marks] == [[display.best_epoch["b"]] * 2]

    def test_a_model_looks_alike_in_all_panels(self, annealed, stopped):
        display = FitCurveDisplay.from_estimator({"a": annealed, "b": stopped})
        of_b = {lines[-1].get_color() for lines in display.lines_.values()}
        assert len(of_b) == 1
        assert of_b != {display.lines_["loss"][0].get_color()}
        display.plot(line_kw=[{"c": "r"}, {"c": "b"}])
        assert [line.get_color() for line in display.lines_["loss"]] == ["r", "b"]
        assert [line.get_color() for line in display.lines_["validation_score"]] == ["b"]
        display.plot(line_kw={"b": {"linewidth": 7}})
        assert display.lines_["validation_score"][0].get_linewidth() == 7
        assert display.lines_["loss"][0].get_linewidth() != 7
        with pytest.raises(ValueError, match=r"not drawn\. Got \['c'\], expected .*'a', 'b'"):
            display.plot(line_kw={"c": {"linewidth": 7}})
        with pytest.raises(ValueError, match="each of the 2 lines"):
            display.plot(line_kw=[{"c": "r"}])

    def test_styles_beside_errors(self, rated):
        display = FitCurveDisplay.from_estimator(rated, line_kw=[{"c": "r"}])
        assert [line.get_color() for line in display.lines_["loss"]] == ["r"]
        name = next(iter(display.curves["error"]))
        display.plot(line_kw={name: {"c": "g"}})
        assert display.lines_["error"][0].get_color() == "g"
        alone = FitCurveDisplay(curves={"error": {"a": [2, 1], "b": [3, 2]}})
        alone.plot(line_kw=[{"c": "r"}, {"c": "b"}])
        assert [line.get_color() for line in alone.lines_["error"]] == ["r", "b"]

    def test_errors(self, rated):
        display = FitCurveDisplay.from_estimator(rated)
        assert list(display.curves) == ["loss", "validation_score", "error"]
        errors = display.curves["error"]
        assert len(errors) == len(rated.error_curves_) == 5
        np.testing.assert_array_equal(
            errors["test prediction"], rated.error_curves_["test_prediction"]
        )
        assert legend_texts(display.axes_[2]) == list(errors)
        both = FitCurveDisplay.from_estimator({"a": rated, "b": rated})
        assert (
            both.curves["error"]["b, test prediction"].tolist()
            == (rated.error_curves_["test_prediction"])
        )
        texts = legend_texts(both.axes_[1])
        assert texts[2:] == [f"best epoch of {name}: {both.best_epoch[name]}" for name in "ab"]
        lines = both.axes_[1].get_lines()
        assert lines[2].get_color() == lines[0].get_color() != lines[3].get_color()
        assert display.axes_[2].get_ylabel() == "RMSE"
        assert "minus RMSE" in display.axes_[1].get_ylabel()

    def test_without_torch(self, X):
        model = make_pipeline(Binarizer(), BPR(n_components=2, max_iter=3, random_state=0)).fit(X)
        display = FitCurveDisplay.from_estimator(model)
        assert list(display.curves) == ["loss"]
        np.testing.assert_array_equal(display.curves["loss"]["BPR"], model[-1].loss_curve_)

    def test_choice_and_axes(self, stopped):
        _, ax = plt.subplots()
        display = FitCurveDisplay.from_estimator(stopped, quantities="validation_score", ax=ax)
        assert display.ax_ is ax
        assert list(display.curves) == ["validation_score"]
        _, axes = plt.subplots(2)
        display = FitCurveDisplay.from_estimator(stopped, quantities=["beta", "loss"], ax=axes)
        assert display.axes_.tolist() == axes.tolist()
        assert display.axes_[0].get_ylabel().startswith("β")
        assert list(display.curves) == ["beta", "loss"]
        with pytest.raises(ValueError, match="one Axes for each of the 4 panels"):
            FitCurveDisplay.from_estimator(stopped, ax=ax)
        with pytest.raises(TypeError, match="matplotlib Axes"):
            FitCurveDisplay.from_estimator(stopped, quantities="loss", ax="axes")

    def test_bad_input(self, X, annealed):
        with pytest.raises(ValueError, match=r"EASE has no loss_curve_"):
            FitCurveDisplay.from_estimator(EASE().fit(X))
        with pytest.raises(NotFittedError):
            FitCurveDisplay.from_estimator(BPR())
        with pytest.raises(ValueError, match="no curve 'validation_score'"):
            FitCurveDisplay.from_estimator(annealed, quantities=["loss", "validation_score"])
        with pytest.raises(ValueError, match="no curve 'kl'"):
            FitCurveDisplay(curves={"kl": {"a": [1, 2]}})
        with pytest.raises(ValueError, match="at least one entry"):
            FitCurveDisplay(curves={})


class TestEmbedding:
    def test_map_of_known_vectors(self):
        # On a line in the plane of the first two axes, and a little beside it.
        along = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
        beside = np.array([0.1, -0.2, 0.2, -0.2, 0.1])
        vectors = np.column_stack([along + beside, along - beside, np.full(5, 7.0)])
        display = EmbeddingDisplay.from_vectors(vectors)
        x, y = display.coordinates.T
        np.testing.assert_allclose(np.abs(x), np.sqrt(2) * np.abs(along), atol=1e-12)
        np.testing.assert_allclose(np.abs(y), np.sqrt(2) * np.abs(beside), atol=1e-12)
        ratio = (along**2).sum() / ((along**2).sum() + (beside**2).sum())
        np.testing.assert_allclose(display.explained_variance_ratio, [ratio, 1 - ratio])
        assert (
            display.ax_.get_xlabel()
            == f"principal component 1 ({100 * ratio:.0f} % of the variance)"
        )
        assert "component 2" in display.ax_.get_ylabel()
        assert display.ax_.get_aspect() == 1.0
        np.testing.assert_array_equal(display.scatters_[0].get_offsets(), display.coordinates)

    def test_from_estimator(self, X):
        model = make_pipeline(Binarizer(), PureSVD(n_components=4)).fit(X)
        display = EmbeddingDisplay.from_estimator(model, X, labels=np.arange(60))
        expected = EmbeddingDisplay.from_vectors(model.transform(X)).coordinates
        np.testing.assert_array_equal(display.coordinates, expected)
        with pytest.raises(ValueError, match="EASE has no transform"):
            EmbeddingDisplay.from_estimator(EASE().fit(X), X)

    def test_groups(self):
        vectors = np.random.default_rng(0).random((6, 3))
        labels = ["b", "a", "b", "c", "a", "a"]
        display = EmbeddingDisplay.from_vectors(vectors, labels=labels, label_name="genre")
        assert legend_texts(display.ax_) == ["a", "b", "c"]
        assert display.ax_.get_legend().get_title().get_text() == "genre"
        assert [len(one.get_offsets()) for one in display.scatters_] == [3, 2, 1]
        np.testing.assert_array_equal(
            display.scatters_[1].get_offsets(), display.coordinates[[0, 2]]
        )
        assert len({tuple(one.get_facecolor()[0]) for one in display.scatters_}) == 3
        assert display.colorbar_ is None

    @pytest.mark.parametrize("labels", [np.linspace(0, 1, 30), np.arange(30)])
    def test_scale(self, labels):
        vectors = np.random.default_rng(0).random((30, 3))
        display = EmbeddingDisplay.from_vectors(vectors, labels=labels, label_name="activity")
        np.testing.assert_array_equal(display.scatters_[0].get_array(), labels)
        assert display.colorbar_.ax.get_ylabel() == "activity"
        few = EmbeddingDisplay.from_vectors(vectors, labels=np.repeat([1, 2, 3], 10))
        assert legend_texts(few.ax_) == ["1", "2", "3"]

    @pytest.mark.parametrize(
        ("labels", "message"),
        [
            (["a"], "one label for each of the 30 points"),
            ([None] + ["a"] * 29, "1 of the labels are missing"),
            ([np.nan, np.inf] + [1.0] * 28, "2 of the labels are missing"),
            ([f"group {i}" for i in range(30)], "30 groups"),
        ],
    )
    def test_bad_labels(self, labels, message):
        with pytest.raises(ValueError, match=message):
            EmbeddingDisplay.from_vectors(np.eye(30), labels=labels)

    def test_bad_vectors(self):
        for vectors, message in [
            (np.ones((4, 3)), "that are all the same"),
            (np.eye(3)[:, :1], "minimum of 2"),
            (np.eye(3)[:1], "minimum of 2"),
            ([[1.0, np.nan], [1.0, 2.0]], "vectors contains NaN"),
        ]:
            with pytest.raises(ValueError, match=message):
                EmbeddingDisplay.from_vectors(vectors)
        with pytest.raises(ValueError, match=r"shape \(n_points, 2\)"):
            EmbeddingDisplay(coordinates=np.eye(3))


@pytest.mark.parametrize("labels", [None, np.linspace(0, 1, 9), list("abcabcabc")])
@pytest.mark.parametrize("own", [{"c": "r"}, {"color": "r"}, {"lw": 2}, {"edgecolors": "k"}])
def test_points_take_matplotlibs_short_names(labels, own):
    vectors = np.random.default_rng(0).normal(size=(9, 3))
    display = EmbeddingDisplay.from_vectors(vectors, labels=labels, scatter_kw=own)
    for points in display.scatters_:
        if {"c", "color"} & set(own):
            assert np.allclose(points.get_facecolor()[:, :3], (1, 0, 0))
            assert display.colorbar_ is None
        if "lw" in own:
            assert points.get_linewidth() == [2]


def test_axes_that_hold_something_already():
    _, ax = plt.subplots()
    ax.plot([0, 1], [0, 1], label="mine")
    EmbeddingDisplay.from_vectors(np.eye(4), labels=list("aabb"), ax=ax)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["mine", "a", "b"]
    _, ax = plt.subplots()
    ax.set_xscale("log")
    display = FitCurveDisplay(curves={"loss": {"m": [3.0, 2.0]}}).plot(ax, line_kw={"c": "r"})
    assert display.lines_["loss"][0].get_color() == "r"


def test_matplotlib_is_imported_late():
    code = (
        "import sys, skrec.inspection, skrec.metrics; "
        "print(*[m for m in ('torch', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_matplotlib_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"FitCurveDisplay\.plot needs matplotlib"):
        FitCurveDisplay(curves={"loss": {"m": [1, 2]}}).plot()
    with pytest.raises(ImportError, match="pip install"):
        EmbeddingDisplay.from_vectors(np.eye(3))
