"""The grid of a user's items beside the recommended ones."""

import numpy as np
import pytest

from skrec.content import VisRank
from skrec.inspection import ItemGridDisplay

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

X = np.array([[3.0, 0, 1, 2, 0, 0], [0, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]])
IMAGES = np.random.RandomState(0).randint(1, 256, (6, 3, 4, 5)).astype(np.uint8)


@pytest.fixture(autouse=True)
def _close():
    yield
    matplotlib.pyplot.close("all")


@pytest.fixture
def model():
    return VisRank().fit(X, item_features=IMAGES.reshape(6, -1).astype(float))


def test_what_stands_where(model):
    display = ItemGridDisplay.from_estimator(model, X, k=2, n_had=2, images=IMAGES)
    assert display.axes_.shape == (3, 4)
    np.testing.assert_array_equal(display.had[0], [0, 3])  # the largest values first
    np.testing.assert_array_equal(display.recommended, model.recommend(X, 2))
    shown = [[len(ax.images) for ax in row] for row in display.axes_]
    assert shown == [[1, 1, 1, 1], [1, 0, 1, 1], [0, 0, 1, 1]]
    drawn = display.axes_[0, 1].images[0].get_array()
    np.testing.assert_array_equal(drawn, IMAGES[3].transpose(1, 2, 0))
    assert display.axes_[1, 0].get_ylabel() == "user 1"


def test_titles_and_missing_pictures(model):
    titles = [f"film number {i}" for i in range(6)]
    images = IMAGES.copy()
    images[0] = 0
    display = ItemGridDisplay.from_estimator(model, X, rows=[0], k=2, images=images, titles=titles)
    assert display.axes_[0, 0].texts[0].get_text() == "film number 0"
    assert display.axes_[0, 1].get_xlabel() == "film number 3"
    bare = ItemGridDisplay.from_lists([[1]], [[2, -1]])
    assert [len(ax.texts) for ax in bare.axes_[0]] == [1, 1, 0]


def test_wrong_arguments(model):
    with pytest.raises(ValueError, match="one entry per user"):
        ItemGridDisplay.from_lists([[1]], [[2], [3]])
    with pytest.raises(ValueError, match=r"images must have .* item. Got 2"):
        ItemGridDisplay.from_lists([[1]], [[5]], images=IMAGES[:2])
    with pytest.raises(ValueError, match="n_had"):
        ItemGridDisplay.from_estimator(model, X, n_had=0)
    with pytest.raises(ValueError, match="rows"):
        ItemGridDisplay.from_estimator(model, X, rows=[7])
