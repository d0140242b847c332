"""Numbers at the edge of what a float or a machine holds: a right value or a clear error."""

import subprocess
import sys
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy.sparse import csr_array

import skrec
from skrec.autoencoder import MultDAE
from skrec.decomposition import WMF, BiasedMF, PureSVD
from skrec.linear_model import EASE, SANSA, SLIM
from skrec.metrics import evaluate, root_mean_squared_rating_error
from skrec.model_selection import HeldOut, holdout_split, k_core
from skrec.neighbors import ItemKNN, UserKNN
from skrec.preprocessing import BM25Transformer
from skrec.utils import all_recommenders
from skrec.utils._finite import require_finite, require_squares
from skrec.utils._memory import check_dense, check_model
from tests.doors import interactions
from tests.instances import small

X = interactions()
RECOMMENDERS = [cls for _, cls in all_recommenders()]
REMEDIES = ("cale", "learning_rate", "smaller")


def _instance(cls):
    model = small(cls)
    return model.set_params(random_state=0) if "random_state" in model.get_params() else model


def _finite_or_advised(call):
    message = ""
    try:
        result = call()
    except ValueError as error:
        message = str(error)
    if message:
        assert any(word in message for word in REMEDIES), message
    else:
        assert np.isfinite(result).all()


@pytest.mark.parametrize("cls", RECOMMENDERS)
@pytest.mark.parametrize("factor", [1e155, 1e200, 1e-200, 5e-324])
def test_values_whose_squares_leave_the_range(cls, factor):
    wide = X * factor
    model = _instance(cls)
    _finite_or_advised(lambda: model.fit(wide).decision_function(wide))


@pytest.mark.parametrize("cls", RECOMMENDERS)
def test_float32_at_its_largest(cls):
    large = csr_array(np.minimum(X.toarray(), 1).astype(np.float32) * np.float32(3e38))
    model = _instance(cls)
    _finite_or_advised(lambda: model.fit(large).decision_function(large))


@pytest.mark.parametrize("model", [ItemKNN(), UserKNN(), PureSVD(3), SLIM()])
@pytest.mark.parametrize("factor", [1e155, 1e-200])
def test_lost_squares_are_no_silent_zeros(model, factor):
    # A cosine with an infinite norm would be zero for all pairs, with finite scores.
    with pytest.raises(ValueError, match=r"[Ss]cale"):
        model.fit(X * factor).recommend(X * factor)


@pytest.mark.parametrize("model", [ItemKNN(), PureSVD(3, random_state=0)])
def test_large_values_within_the_range_rank_as_small_ones(model):
    expected = model.fit(X).recommend(X, 5)
    assert np.array_equal(model.fit(X * 1e100).recommend(X * 1e100, 5), expected)


def test_scores_of_rows_that_overflow():
    row = csr_array(np.full((1, X.shape[1]), 3e38, dtype=np.float32))
    ease, svd = EASE().fit(X), PureSVD(3).fit(X)
    for call in (ease.decision_function, ease.recommend, ease.predict, svd.transform):
        _finite_or_advised(lambda call=call: call(row))
    ease.coef_ = np.abs(ease.coef_) + 1.0
    for call in (ease.decision_function, ease.recommend, ease.predict, ease.score):
        with pytest.raises(ValueError, match=r"not finite.*Scale"):
            call(row)


def test_a_failed_fit_at_the_edge_leaves_the_model_as_it_was():
    model = EASE().fit(X)
    before = model.coef_
    with pytest.raises(ValueError, match=r"[Ss]cale"):
        model.fit(X * 1e200)
    assert model.coef_ is before


def test_wmf_without_weight_on_what_is_missing_fits_an_empty_matrix():
    model = WMF(n_components=2, unobserved_weight=0.0).fit(csr_array((5, 4)))
    assert np.array_equal(model.decision_function(np.zeros((2, 4))), np.zeros((2, 4)))


@pytest.mark.parametrize(
    "cls",
    [cls for cls in RECOMMENDERS if hasattr(cls, "similar_items")],
    ids=lambda cls: cls.__name__,
)
def test_similar_items_of_what_is_no_list_of_items(cls):
    model = _instance(cls).fit(X)
    for items in ([[0]], [[0, 1]], [0.5], [-1], [2**70], ["0"], None, [X.shape[1]]):
        with pytest.raises(ValueError, match="items"):
            model.similar_items(items)


@pytest.mark.parametrize("k", [2**31, 2**63, 2**70])
def test_a_list_longer_than_any_is_refused(k):
    model = ItemKNN().fit(X)
    for call in (lambda: model.recommend(X, k), lambda: model.similar_items([0], k),
                 lambda: skrec.recommend(model, X, k)):  # fmt: skip
        with pytest.raises(ValueError, match=r"k must be a whole number.*at most 2,147,483,647"):
            call()


def test_lists_that_do_not_fit_into_memory_are_refused_before_they_are_allocated():
    model = ItemKNN().fit(X)
    with pytest.raises(MemoryError, match=r"24 lists of k=2,000,000,000.*k <= 16"):
        model.recommend(X, 2_000_000_000)
    with pytest.raises(MemoryError, match="lists of k"):
        UserKNN().fit(X).similar_users(X, 2_000_000_000)


@pytest.mark.parametrize("holdout", [2**63, 2**70])
def test_a_huge_count_is_more_than_every_row_has(holdout):
    train, held_out = holdout_split(X, holdout)
    assert held_out.nnz == 0
    assert (train != X).nnz == 0


@pytest.mark.parametrize("value", [2**31, 2**63, 2**70, Fraction(1, 3), 10**400])
def test_parameters_that_no_kernel_can_count(value):
    for model in (ItemKNN(n_neighbors=value), WMF(max_iter=value), EASE(alpha=value)):
        if isinstance(model, EASE) and value < 10**300 and not isinstance(value, Fraction):
            continue
        with pytest.raises(ValueError, match="must be"):
            model.fit(X)
    with pytest.raises(ValueError, match="ndcg@"):
        evaluate(EASE().fit(X), X, metrics=f"ndcg@{10**30}")


def test_dates_and_durations_are_no_numbers():
    dates = np.full((3, 3), "2020-01-01", dtype="M8[s]")
    durations = np.ones((3, 3), dtype="m8[s]")
    frame = pd.DataFrame({"a": pd.to_datetime(["2020-01-01"] * 3), "b": [1, 2, 3]})
    objects = np.array([[np.timedelta64(1, "s"), 1], [1, 2]], dtype=object)
    for given in (dates, durations, dates.tolist(), frame, objects, durations.astype(object)):
        for door in (EASE().fit, BM25Transformer().fit, HeldOut, k_core, holdout_split):
            with pytest.raises((ValueError, TypeError)):
                door(given)
    for weight in (durations[0], dates[0]):
        with pytest.raises(ValueError, match="sample_weight must be an array of numbers"):
            EASE().fit(np.eye(3), sample_weight=weight)


def test_a_whole_number_that_no_float_holds():
    with pytest.raises(ValueError, match="no float64 can hold"):
        EASE().fit([[10**400, 1], [1, 1]])


def test_errors_of_ratings_that_overflow():
    with pytest.raises(ValueError, match=r"overflow.*Scale"):
        root_mean_squared_rating_error([[1e200, 1.0]], [[1.0, 1.0]])
    with pytest.raises(ValueError, match=r"overflow|[Ss]cale"):
        BiasedMF(2).fit(X).score(X, X * 1e200)


def _frames(columns):
    values = {name: [1.0, 2.0, 3.0] for name in columns}
    return [pd.DataFrame(values), pl.DataFrame(values), pa.table(values)]


@pytest.mark.parametrize(
    "columns",
    [("user", "item"), ("user_id", "movieId", "rating"), ("item", "user", "rating", "timestamp"),
     ("userId", "asin", "stars", "time", "day")],
)  # fmt: skip
def test_a_log_passed_for_a_matrix_is_told_so_at_every_door(columns):
    model = EASE().fit(np.eye(len(columns)))
    for log in _frames(columns):
        for door in (EASE().fit, model.decision_function, model.recommend, BM25Transformer().fit,
                     HeldOut, k_core, holdout_split,
                     lambda log: skrec.recommend(model, log),
                     lambda log: evaluate(model, log)):  # fmt: skip
            with pytest.raises(ValueError, match=r"is a log: its columns are.*InteractionEncoder"):
                door(log)


def test_columns_by_name_that_are_no_frame_are_told_so():
    frame = _frames(("user", "item", "rating"))[0]
    for log in (frame.to_records(index=False), frame.to_dict("list")):
        for door in (EASE().fit, EASE().fit(np.eye(3)).recommend, k_core, holdout_split, HeldOut):
            with pytest.raises(ValueError, match=r"named columns: got.*InteractionEncoder"):
                door(log)


@pytest.mark.parametrize(
    "columns", [("a", "b"), ("user", "b"), ("item", "rating"), ("user", "item", *"abcd")]
)
def test_other_frames_are_matrices(columns):
    frame = _frames(columns)[0]
    assert EASE().fit(frame).coef_.shape == (len(columns),) * 2


def test_few_columns_without_names_are_a_matrix():
    assert EASE().fit(np.array([[1.0, 2.0], [2.0, 3.0]])).coef_.shape == (2, 2)


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS binds on Linux")
def test_a_limit_of_address_space_counts():
    code = """
import resource
import numpy as np
from scipy.sparse import csr_array
from skrec.dummy import DummyRecommender
from skrec.utils._memory import available_memory
resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
assert available_memory() < 6 << 30
model = DummyRecommender().fit(csr_array((1, 200_000)))
try:
    model.decision_function(csr_array((20_000, 200_000)))
except MemoryError as error:
    print(error)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "DummyRecommender with 20,000 x 200,000 scores in float64 needs 32 GB" in run.stdout, run
    assert "use recommend" in run.stdout


@pytest.mark.parametrize(
    "model",
    [WMF(10**9), PureSVD(10**9), BiasedMF(10**9), MultDAE((10**9, 10**9)), SANSA(), ItemKNN()],
)
def test_sizes_of_models_are_looked_at_first(model):
    if isinstance(model, SANSA | ItemKNN):
        check_model(model, (10**9, 10**9))
        return
    with pytest.raises(MemoryError, match=f"{type(model).__name__} of this size.*smaller"):
        model.fit(csr_array(np.eye(50)))


def test_transform_looks_at_memory_first(monkeypatch):
    model = PureSVD(3).fit(X)
    monkeypatch.setattr("skrec.utils._memory._WORTH_A_LOOK", 0)
    monkeypatch.setattr("skrec.utils._memory.available_memory", lambda: 100)
    for call in (model.transform, model.decision_function):
        with pytest.raises(MemoryError, match=r"PureSVD with 24 x .*use recommend.*score_pairs"):
            call(X)
    network = MultDAE((4,), max_iter=1)
    with pytest.raises(MemoryError, match="MultDAE of this size"):
        network.fit(X)


def test_small_results_are_allocated_without_a_look(monkeypatch):
    def look():
        raise AssertionError

    monkeypatch.setattr("skrec.utils._memory.available_memory", look)
    check_dense((1, 100_000), np.float64, "It", ["wait"])


def test_require_finite_and_squares():
    values = np.array([3e38, 3e38], dtype=np.float32)  # the sum overflows, no value does
    assert require_finite(values, "It") is values
    for bad in (np.nan, np.inf, -np.inf):
        with pytest.raises(ValueError, match="It are not finite"):
            require_finite(np.array([1.0, bad]), "It")
    with pytest.raises(ValueError, match="too large"):
        require_squares(values, "It")
    with pytest.raises(ValueError, match="too small"):
        require_squares(np.array([1e-170]), "It")
    require_squares(np.array([1e-170, 1.0, 0.0]), "It")
    require_squares(np.zeros(3), "It")


@pytest.mark.parametrize("ids", [["17", "18"], [17, 18], 17, "17", X[[0]].toarray()[0]])
def test_ids_and_single_rows_are_told_of_a_matrix(ids):
    model = EASE().fit(X)
    for call in (model.recommend, model.decision_function, EASE().fit):
        with pytest.raises(ValueError, match=r"Reshape your data.*X\[\[0\]\].*LogRecommender"):
            call(ids)
