"""docs/benchmarks/run_growth.py at small sizes."""

import json

import numpy as np
import pytest

from tests.test_benchmarks import FOLDER

pytestmark = pytest.mark.slow


@pytest.fixture
def growth(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(FOLDER))
    import _growth_table
    import run_growth

    monkeypatch.setattr(run_growth, "PATH", tmp_path / "growth.json")
    monkeypatch.setattr(_growth_table, "RESULTS", tmp_path)
    monkeypatch.setattr(run_growth, "WARM", 5_000)
    return run_growth


def test_rows_are_canonical_and_grow_as_they_should(growth):
    for n_entries in (10_000, 40_000):
        X = growth.interactions(n_entries)
        assert X.shape == growth.shape(n_entries)
        assert X.has_canonical_format
        assert 0.5 * n_entries < X.nnz <= n_entries
        length = np.diff(X.indptr)
        assert growth.facts(X) == (*X.shape, X.nnz, (length**2).sum())


def test_slopes_stand_beside_the_stated_work(growth, monkeypatch, tmp_path):
    import _growth_table

    known = {case.name: case for case in growth.CASES}
    cases = [known["ItemKNN"], known["EASE"]]
    called = []

    def measure(case, n_entries, limit):
        called.append((case.name, n_entries))
        return growth.measure(case, n_entries)

    monkeypatch.setattr(growth, "in_a_process", measure)
    growth.run(cases, [5_000, 10_000], limit=60, minutes=10)
    growth.run(cases, [5_000, 10_000], limit=60, minutes=10)  # the record has them all
    assert called == [(name, size) for size in (5_000, 10_000) for name in ("ItemKNN", "EASE")]
    growth.run(cases, [10_000_000], limit=1e-6, minutes=10)
    assert len(called) == 4
    growth.run(cases[:1], [7_000], limit=60, minutes=10)  # below what was too much
    assert called[4:] == [("ItemKNN", 7_000)]
    header, lines, remarks = _growth_table.growth()
    assert [line[0] for line in lines] == ["ItemKNN", "EASE"]
    assert {len(line) for line in lines} == {len(header)}
    assert all("minutes expected" in remark for remark in remarks)
    assert len(remarks) == 2
    rows = json.loads(growth.PATH.read_text())["results"]["EASE"]
    fitted = [(size, rows[str(size)]) for size in (5_000, 10_000)]
    m, n = np.array([growth.shape(size) for size in (5_000, 10_000)]).T
    work = [row["facts"][3] + row["facts"][1] ** 3 for _, row in fitted]
    entries = [row["entries"] for _, row in fitted]
    wanted = np.diff(np.log(work)) / np.diff(np.log(entries))
    assert _growth_table.slopes(known["EASE"], fitted)[1] == pytest.approx(wanted.item())
    np.testing.assert_array_equal([row["shape"] for _, row in fitted], np.column_stack([m, n]))
    picture = tmp_path / "growth.svg"
    assert not _growth_table.is_current(picture)
    _growth_table.draw(picture)
    assert _growth_table.is_current(picture)
    rows["10000"]["fit"]["processor_seconds"] += 1.0
    growth.PATH.write_text(json.dumps({"results": {"EASE": rows}}))
    assert not _growth_table.is_current(picture)


def test_a_fit_that_fails_is_named(growth):
    known = {case.name: case for case in growth.CASES}
    row = growth.in_a_process(known["DummyRecommender"], 5_000, 60)
    assert row["fit"]["processor_seconds"] >= 0
    assert set(row["lists"]) == {"seconds", "peak_mib", "processor_seconds"}
    broken = known["DummyRecommender"]._replace(estimator=type("Unknown", (), {})())
    assert "KeyError" in growth.in_a_process(broken, 5_000, 60)["remark"]
