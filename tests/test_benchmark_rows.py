"""docs/benchmarks/run_rows.py: its tables, and that samples of clicks run through all models."""

import sys
from pathlib import Path

import numpy as np
import pytest

from skrec.content import DeepFMClassifier, FMClassifier, WideAndDeepClassifier

FOLDER = Path(__file__).parents[1] / "docs" / "benchmarks"


@pytest.fixture
def tables(monkeypatch, data_home):
    """The module of the tables; skipped without the data."""
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.setenv("SKREC_DATA", str(data_home))
    import _row_tables

    yield _row_tables
    sys.modules.pop("_row_tables", None)


@pytest.mark.parametrize("cls", [FMClassifier, DeepFMClassifier, WideAndDeepClassifier])
@pytest.mark.parametrize(("name", "n_rows"), [("criteo", 200), ("avazu", 100)])
def test_samples_of_clicks_run(tables, cls, name, n_rows):
    X, y, categories = tables.sample(name)
    assert len(X) == len(y) == n_rows
    assert set(y) == {0, 1}
    more = {"cross_features": [tuple(categories[:2])]} if cls is WideAndDeepClassifier else {}
    model = cls(categorical_features=categories, max_iter=10, random_state=0, **more)
    model.fit(X.iloc[:-20], y[:-20])
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    # Rows of categories that training has not, and of missing values.
    found = model.predict_proba(X.iloc[-20:])
    assert found.shape == (20, 2)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert found[:, 1].std() > 0


def test_frappe_has_two_draws_for_each_log_in_its_context(tables):
    data = tables.frappe()
    n = len(data.y) // 3
    assert data.y.sum() == n == 96_195
    rows = data.X.reshape(3, n, -1)
    place = {name: at for at, name in enumerate(tables.FRAPPE)}
    same = [place[name] for name in ("user", *tables.CONTEXT)]
    assert (rows[1:, :, same] == rows[0][:, same]).all()
    pairs = rows[:, :, place["user"]].astype(np.int64) * 10**4 + rows[:, :, place["app"]]
    assert not np.isin(pairs[1:], pairs[0]).any()
    part = data.part.reshape(3, n)
    assert (part == part[0]).all()
    assert np.bincount(part[0]).tolist() == [67_336, 19_239, 9_620]
    # A log is unseen if no log that is learned from has its user and app.
    known = set(pairs[0][part[0] == 0].tolist())
    unseen = np.array([pair not in known for pair in pairs[0].tolist()])
    np.testing.assert_array_equal(data.unseen.reshape(3, n), np.tile(unseen, (3, 1)))
    assert 0.05 < unseen[part[0] == 2].mean() < 0.2
    assert not unseen[part[0] == 0].any()
    app, cost = rows[..., place["app"]].ravel(), rows[..., place["cost"]].ravel()
    assert len(np.unique(app)) == len(np.unique(app * 10_000 + cost))
