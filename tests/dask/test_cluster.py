"""Fits, lists and evaluations over two worker processes of Dask, one of which is killed."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from operator import getitem

import joblib
import numpy as np
import pytest
from pyarrow.parquet import read_table
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

import skrec.dask
from skrec.datasets import make_interactions
from skrec.decomposition import WMF
from skrec.linear_model import EASE
from skrec.metrics import evaluate
from skrec.preprocessing import InteractionEncoder

distributed = pytest.importorskip("distributed")
delayed = pytest.importorskip("dask").delayed

X = make_interactions(400, 40, 3_000, random_state=0, return_X=True)
PARTS = [X[start : start + 50] for start in range(0, 400, 50)]


@pytest.fixture(scope="module")
def client():
    cluster = distributed.LocalCluster(
        n_workers=2, processes=True, threads_per_worker=1, dashboard_address=None
    )
    with cluster, distributed.Client(cluster) as client:
        yield client


def processes(client):
    return list(client.run(os.getpid).values())


def test_ease_over_workers_is_one_fit_to_the_bit(client):
    whole = EASE(alpha=20.0).fit(X)
    assert np.array_equal(skrec.dask.fit(EASE(alpha=20.0), PARTS, client=client).coef_, whole.coef_)
    futures = client.scatter(PARTS)
    assert np.array_equal(skrec.dask.fit(EASE(alpha=20.0), futures).coef_, whole.coef_)


def test_errors_of_workers_come_here(client):
    with pytest.raises(ValueError, match="Negative values"):
        skrec.dask.fit(EASE(), [X, -X], client=client)
    with pytest.raises(ValueError, match="40 and 20"):
        skrec.dask.fit(EASE(), [X, X[:, :20]], client=client)


def test_lists_and_metrics_over_workers_are_those_of_one_process(client, tmp_path):
    model = EASE(alpha=20.0).fit(X)
    paths = skrec.dask.recommend(model, PARTS, tmp_path, k=5, client=client)
    found = np.concatenate([np.asarray(read_table(path)["item"]) for path in paths])
    assert np.array_equal(found.reshape(-1, 5), model.recommend(X, 5))
    assert sorted(path.name for path in tmp_path.iterdir()) == [path.name for path in paths]
    result = skrec.dask.evaluate(model, PARTS, "ndcg@10", client=client)
    whole = evaluate(model, X, None, "ndcg@10")
    assert np.array_equal(result.per_user["ndcg@10"], whole.per_user["ndcg@10"], equal_nan=True)


def test_collections_of_dask_are_parts(client):
    bag = pytest.importorskip("dask.bag")
    user, item = X.nonzero()
    lines = [{"user": u, "item": i} for u, i in zip(user.tolist(), item.tolist(), strict=True)]
    cuts = [int(np.searchsorted(user, u)) for u in (0, 130, 400)]
    logs = bag.from_delayed([delayed(lines[a:b]) for a, b in zip(cuts[:-1], cuts[1:], strict=True)])
    encoder = skrec.dask.fit_encoder(logs, client=client)
    whole = InteractionEncoder()
    rows = whole.fit_transform(lines)
    assert np.array_equal(encoder.item_ids_, whole.item_ids_)
    model = skrec.dask.fit(EASE(alpha=20.0), logs, encoder=encoder, client=client)
    assert np.array_equal(model.coef_, EASE(alpha=20.0).fit(rows).coef_)


def test_a_dataframe_is_brought_in_order_by_user(client):
    pd = pytest.importorskip("pandas")
    frames = pytest.importorskip("dask.dataframe")
    user, item = X.nonzero()
    order = np.random.RandomState(0).permutation(len(user))
    log = pd.DataFrame({"user": user[order], "item": item[order]})
    frame = frames.from_pandas(log, npartitions=5, sort=False)
    encoder = skrec.dask.fit_encoder(frame, client=client)
    model = skrec.dask.fit(EASE(alpha=20.0), frame, encoder=encoder, client=client)
    whole = EASE(alpha=20.0).fit(InteractionEncoder().fit_transform(log))
    assert np.array_equal(model.coef_, whole.coef_)


def test_a_search_runs_on_the_cluster(client):
    search = GridSearchCV(EASE(), {"alpha": [5.0, 50.0]}, cv=2)
    alone = clone(search).fit(X)
    with joblib.parallel_config("dask"):
        search.fit(X)
    scores = "mean_test_score"
    assert np.allclose(search.cv_results_[scores], alone.cv_results_[scores], rtol=1e-12)
    assert search.best_params_ == alone.best_params_


def test_a_worker_that_is_killed_changes_nothing(client, tmp_path):
    model, before = EASE(alpha=20.0), processes(client)
    with ThreadPoolExecutor(1) as pool:
        fit = pool.submit(skrec.dask.fit, model, _slow(PARTS), client=client)
        _kill_one(before, fit)
        fitted = fit.result(60)
        lists = pool.submit(
            skrec.dask.recommend, fitted, _slow(PARTS), tmp_path, k=5, client=client
        )
        _kill_one(processes(client), lists)
        paths = lists.result(60)
    whole = model.fit(X)
    assert np.array_equal(fitted.coef_, whole.coef_)
    found = np.concatenate([np.asarray(read_table(path)["item"]) for path in paths])
    assert np.array_equal(found.reshape(-1, 5), whole.recommend(X, 5))
    assert sorted(path.name for path in tmp_path.iterdir()) == [path.name for path in paths]
    client.wait_for_workers(2, timeout=60)
    assert set(before) - set(processes(client)), "one was killed"


@pytest.mark.slow
def test_wmf_goes_on_when_a_worker_is_killed(client):
    model, before = WMF(8, random_state=0, max_iter=16), processes(client)
    with ThreadPoolExecutor(1) as pool:
        fit = pool.submit(skrec.dask.fit, model, PARTS, client=client)
        _kill_one(before, fit)
        fitted = fit.result(120)
    whole = model.fit(X)
    assert np.allclose(fitted.components_, whole.components_, atol=1e-4)
    same = (fitted.recommend(X, 10) == whole.recommend(X, 10)).all(axis=1)
    assert same.mean() >= 0.999
    client.wait_for_workers(2, timeout=60)
    assert set(before) - set(processes(client)), "one was killed"


def _slow(parts):
    """Parts that take a while to be there, in a cluster."""
    return [delayed(getitem)([part, delayed(time.sleep)(0.25)], 0) for part in parts]


def _kill_one(pids, work):
    time.sleep(0.5)
    assert not work.done(), "too late to disturb it"
    os.kill(pids[0], signal.SIGKILL)
