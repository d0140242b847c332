"""LOCA: kernel, anchors, weights, scores, threads, and what it refuses."""

import joblib
import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from sklearn.decomposition import TruncatedSVD
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Binarizer, Normalizer
from sklearn.utils import get_tags

from skrec.autoencoder import MultVAE
from skrec.base import BaseRecommender
from skrec.datasets import make_interactions
from skrec.decomposition import WMF, PureSVD
from skrec.dummy import DummyRecommender
from skrec.ensemble import LOCA
from skrec.ensemble._anchors import coverage_anchors, random_anchors
from skrec.ensemble._kernel import angle_quantiles, angular_distance, kernel_weights, unit_rows
from skrec.ensemble._members import model_bytes
from skrec.linear_model import EASE, SLIM
from skrec.neighbors import ItemKNN
from skrec.utils import _memory
from skrec.utils._parallel import effective_n_threads
from tests.reference import loca as twin


def loca(estimator=None, **options):
    """LOCA with bandwidths as angles and the paper's mean of the local models alone."""
    paper = {
        "fit_bandwidth": 0.8, "predict_bandwidth": 0.4, "bandwidth_unit": "angle",
        "weight_sum": "n_local", "global_weight": 0.0,
    }  # fmt: skip
    return LOCA(estimator, **{**paper, **options})


class Spy(EASE):
    """Keeps what its fit was given."""

    def fit(self, X, y=None, *, sample_weight=None):
        self.given_ = (X, sample_weight, self.n_jobs)
        return super().fit(X, sample_weight=sample_weight)


class Hooked(BaseRecommender):
    """Takes weights by the private hook only; scores by weighted popularity."""

    def fit(self, X, y=None):
        X = self._start_fit(X)
        return self._fit_weighted(X, np.ones(X.shape[0]))

    def _fit_weighted(self, X, sample_weight):
        X = self._start_fit(X)
        self.popularity_ = sample_weight @ X.toarray()
        return self

    def _scores(self, X):
        return np.tile(self.popularity_.astype(X.dtype), (X.shape[0], 1))


class MeanRating(Hooked):
    """A model of ratings, negative ones too."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = False
        tags.recommender_tags.predicts_ratings = True
        return tags


@pytest.fixture
def X():
    rng = np.random.RandomState(0)
    dense = (rng.uniform(size=(40, 12)) < 0.3) * rng.randint(1, 4, size=(40, 12)).astype(float)
    dense[~dense.any(axis=1), 0] = 1
    dense[7] = 0
    return csr_array(dense)


def tastes(n_users=300, n_items=24, seed=0):
    """Two groups with opposite ideas of which items go together; and one item less of each."""
    rng = np.random.RandomState(seed)
    group = np.arange(n_users) % 2
    partner = np.where(group[:, None] == 0, np.arange(n_items) ^ 1, np.arange(n_items)[::-1] + 8)
    shown = np.zeros((n_users, n_items))
    # Some items that only one of the groups has tell which group it is.
    shown[:, :4] = (group == 0)[:, None]
    shown[:, 4:8] = (group == 1)[:, None]
    held_out = np.zeros_like(shown)
    for u in range(n_users):
        first, second = rng.choice(np.arange(8, n_items), 2, replace=False)
        shown[u, [first, second, partner[u, first]]] = 1
        held_out[u, partner[u, second]] = 1
    return csr_array(shown), csr_array(held_out)


# Distances, kernel, embeddings


def test_distance_and_kernel_by_hand():
    angles = np.deg2rad([0, 60, 90, 120, 180])
    rows = np.vstack([np.column_stack([np.cos(angles), np.sin(angles)]) * 3.0, [[0, 0]]])
    unit, anchor = unit_rows(rows), np.array([[1.0, 0.0]])
    expected = np.array([0, 2 / 3, 1, 4 / 3, 2, 2])
    np.testing.assert_allclose(angular_distance(unit, anchor)[:, 0], expected, atol=1e-6)
    narrow = 0.75 * np.array([1, 1 - 4 / 9, 0, 0, 0, 0])
    np.testing.assert_allclose(kernel_weights(unit, anchor, 1.0)[:, 0], narrow, atol=1e-6)
    wide = 0.75 * np.array([1, 1 - 1 / 9, 1 - 1 / 4, 1 - 4 / 9, 0, 0])
    np.testing.assert_allclose(kernel_weights(unit, anchor, 2.0)[:, 0], wide, atol=1e-6)
    # Exactly at, and beyond, the bandwidth, a user has no weight at all.
    assert kernel_weights(unit, anchor, 1.0)[2, 0] == 0


def test_distance_equals_the_slow_twin():
    rows = np.random.RandomState(0).normal(size=(20, 5))
    rows[3] = 0
    unit = unit_rows(rows)
    expected = [[twin.distance(a, b) for b in rows[5:9]] for a in rows]
    np.testing.assert_allclose(angular_distance(unit, unit[5:9]), expected, rtol=1e-12)
    expected = [[twin.kernel(a, b, 0.9) for b in rows[5:9]] for a in rows]
    np.testing.assert_allclose(kernel_weights(unit, unit[5:9], 0.9), expected, atol=1e-12)


def test_unit_rows_of_any_size():
    rows = np.array([[3.0, 4.0], [3e-200, 4e-200], [3e200, 4e200], [0, 0]])
    np.testing.assert_allclose(unit_rows(rows), [[0.6, 0.8]] * 3 + [[0, 0]], rtol=1e-15)
    assert rows[0, 0] == 3.0


@pytest.mark.parametrize("bad", [[[np.nan, 1.0]], [[np.inf, 1.0]], [1.0, 2.0]])
def test_bad_embeddings_are_refused(bad):
    with pytest.raises(ValueError, match="finite user embeddings of shape"):
        unit_rows(np.array(bad))


def test_rounding_of_cosines_is_fine_enough():
    rows = np.random.RandomState(0).normal(size=(50, 5))
    unit = unit_rows(rows)
    cosines = np.clip(unit @ unit.T, -1, 1)
    exact = 0.75 * np.maximum(0, 1 - (np.arccos(cosines) * 2 / np.pi / 0.8) ** 2)
    np.testing.assert_allclose(kernel_weights(unit, unit, 0.8), exact, atol=2e-6)
    assert (np.diagonal(kernel_weights(unit, unit, 0.8)) == 0.75).all()


# Anchors


@pytest.mark.parametrize("bandwidth", [0.05, 0.3, 0.6, 1.0, 1.7])
@pytest.mark.parametrize("seed", range(4))
def test_coverage_equals_brute_force(bandwidth, seed):
    rng = np.random.RandomState(seed)
    rows = rng.randint(-1, 3, size=(35, 3)).astype(float)  # many equal angles, some zeros
    found = coverage_anchors(unit_rows(rows), 25, bandwidth)
    assert found.tolist() == twin.coverage(rows, 25, bandwidth)


def test_coverage_starts_again_when_all_are_covered():
    unit = unit_rows(np.array([[1, 0], [1, 0.1], [0, 1], [0, 0], [0.1, 1]]))
    assert coverage_anchors(unit, 3, 0.5).tolist() == [0, 2, 1]
    assert coverage_anchors(unit, 9, 0.5).tolist() == [0, 2, 1, 4]


def test_random_anchors_are_distinct_users_with_an_embedding():
    unit = unit_rows(np.r_[np.zeros((3, 2)), np.ones((6, 2))])
    draws = [random_anchors(unit, 4, np.random.RandomState(seed)) for seed in range(20)]
    assert all(len(set(draw)) == 4 for draw in draws)
    assert set(np.concatenate(draws)) == set(range(3, 9))
    assert len(random_anchors(unit, 50, np.random.RandomState(0))) == 6


@pytest.mark.parametrize("anchors", ["coverage", "random"])
def test_fewer_users_than_anchors(X, anchors):
    model = loca(anchors=anchors, n_estimators=100, random_state=0).fit(X)
    assert sorted(model.anchors_) == [user for user in range(40) if user != 7]
    assert len(model.estimators_) == 39


# Local fits


@pytest.mark.parametrize("weight_sum", ["n_local", "n_users", "n_items", None])
def test_weights_reach_the_local_fits(X, weight_sum):
    model = loca(
        Spy(), n_estimators=6, fit_bandwidth=0.9, weight_sum=weight_sum, random_state=0
    ).fit(X)
    vectors = model.embedding_.transform(X)
    assert (model.estimator_.given_[0] != X).nnz == 0
    assert model.estimator_.given_[1] is None
    for anchor, member, size in zip(
        model.anchors_, model.estimators_, model.n_local_users_, strict=True
    ):
        expected = np.array([twin.kernel(row, vectors[anchor], 0.9) for row in vectors])
        users = np.flatnonzero(expected)
        assert 1 <= len(users) == size < 40, "some users are left out"
        expected = expected[users]
        total = {"n_local": size, "n_users": 40, "n_items": 12, None: expected.sum()}[weight_sum]
        rows, weight, _ = member.given_
        np.testing.assert_array_equal(rows.toarray(), X.toarray()[users])
        np.testing.assert_allclose(weight, expected * total / expected.sum(), rtol=1e-10)


def test_private_hook_takes_the_weights(X):
    model = loca(Hooked(), n_estimators=3, weight_sum=None, random_state=0).fit(X)
    unit = unit_rows(model.embedding_.transform(X))
    for anchor, member in zip(model.anchor_vectors_, model.estimators_, strict=True):
        weight = kernel_weights(unit, anchor[None], model.fit_bandwidth)[:, 0]
        np.testing.assert_allclose(member.popularity_, weight @ X.toarray(), rtol=1e-12)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_autoencoders_embed_and_weigh_the_users(n_jobs):
    from skrec.autoencoder import MultVAE

    train, (test, held_out) = sum(tastes(seed=0)), tastes(seed=1)
    base = MultVAE(6, hidden_layer_sizes=(12,), max_iter=30, learning_rate=0.01)
    model = loca(base, n_estimators=2, n_jobs=n_jobs, random_state=0).fit(train)
    assert model.embedding_ is model.estimator_
    assert (model.n_local_users_ < 300).all()
    again = loca(base, n_estimators=2, random_state=0).fit(train)
    np.testing.assert_allclose(
        again.decision_function(test), model.decision_function(test), rtol=1e-5, atol=1e-5
    )
    # The weights arrive: without them the first local model would be another one.
    users = kernel_weights(
        unit_rows(model.embedding_.transform(train)), model.anchor_vectors_[:1], 0.8
    )[:, 0].nonzero()[0]
    first = model.estimators_[0]
    unweighted = MultVAE(**first.get_params()).fit(train[users])
    assert not np.allclose(
        first.decision_function(test), unweighted.decision_function(test), atol=1e-3
    )
    assert model.score(test, held_out) > DummyRecommender().fit(train).score(test, held_out)


@pytest.mark.parametrize("base", [EASE(), SLIM(), DummyRecommender(), PureSVD(4), WMF(4)], ids=repr)
def test_one_wide_kernel_is_nearly_the_global_model(base):
    X = csr_array(np.tile([[1.0, 1, 0, 1], [1, 1, 1, 0], [1, 1, 0, 0]], (5, 1)))
    options = {"n_estimators": 1, "fit_bandwidth": 2.0, "predict_bandwidth": 2.0}
    model = loca(base, **options, random_state=0).fit(X)
    assert model.n_local_users_ == [15]
    scores, expected = model.decision_function(X), model.estimator_.decision_function(X)
    assert not np.array_equal(scores, expected)
    np.testing.assert_allclose(scores, expected, atol=0.25 * np.abs(expected).max())


def test_local_models_tell_conflicting_tastes_apart():
    train, (test, held_out) = sum(tastes(seed=0)), tastes(seed=1)
    model = loca(EASE(alpha=10.0), n_estimators=4, random_state=0).fit(train)
    group = np.arange(300) % 2
    parts = model.local_weights(test) > 0
    assert not (parts[group == 0].any(axis=0) & parts[group == 1].any(axis=0)).any()
    assert model.score(test, held_out) > model.estimator_.score(test, held_out) + 0.03


# Scores


@pytest.mark.parametrize("global_weight", [0.0, 0.4])
@pytest.mark.parametrize("bandwidth", [0.6, 0.9])
def test_scores_are_the_weighted_mean(X, global_weight, bandwidth):
    new = csr_array(np.random.RandomState(1).binomial(1, 0.3, size=(30, 12)).astype(float))
    model = loca(
        EASE(alpha=5.0),
        n_estimators=5,
        predict_bandwidth=bandwidth,
        global_weight=global_weight,
        anchors="random",
        random_state=0,
    ).fit(X)
    expected = twin.scores(
        new.toarray(),
        model.embedding_.transform(new),
        model.anchor_vectors_,
        [member.decision_function(new) for member in model.estimators_],
        model.estimator_.decision_function(new),
        bandwidth,
        global_weight,
    )
    np.testing.assert_allclose(model.decision_function(new), expected, rtol=1e-9, atol=1e-12)
    covered = model.local_weights(new).any(axis=1)
    assert covered.any()
    assert bandwidth == 0.9 or not covered.all()


@pytest.mark.parametrize("global_weight", [0.0, 0.4])
def test_uncovered_rows_are_those_of_the_global_model(X, global_weight):
    options = {"predict_bandwidth": 0.2, "global_weight": global_weight}
    model = loca(n_estimators=3, **options, random_state=0).fit(X)
    uncovered = ~model.local_weights(X).any(axis=1)
    assert uncovered[7]  # the empty row
    assert 1 < uncovered.sum() < 40
    scores, expected = model.decision_function(X), model.estimator_.decision_function(X)
    np.testing.assert_array_equal(scores[uncovered], expected[uncovered])
    assert (scores[~uncovered] != expected[~uncovered]).any(axis=1).all()


def test_bandwidth_and_global_weight_may_change_after_fit(X):
    model = loca(n_estimators=3, anchors="random", random_state=0).fit(X)
    fresh = loca(
        n_estimators=3, anchors="random", predict_bandwidth=0.7, global_weight=1.0, random_state=0
    ).fit(X)
    model.set_params(predict_bandwidth=0.7, global_weight=1.0)
    np.testing.assert_array_equal(model.decision_function(X), fresh.decision_function(X))


def test_a_share_of_the_users_is_the_angle_that_holds_that_share_of_all_pairs(X):
    options = {"estimator": EASE(alpha=5.0), "n_estimators": 5, "global_weight": 0.4}
    shares = loca(
        **options, fit_bandwidth=0.7, predict_bandwidth=0.3, bandwidth_unit="users", random_state=0
    ).fit(X)
    unit = unit_rows(shares.embedding_.transform(X))
    unit = unit[unit.any(axis=1)]
    fit, predict = (np.quantile(angular_distance(unit, unit), share) for share in (0.7, 0.3))
    assert 0 < predict < fit < 2
    angles = loca(**options, fit_bandwidth=fit, predict_bandwidth=predict, random_state=0).fit(X)
    np.testing.assert_array_equal(shares.anchors_, angles.anchors_)
    np.testing.assert_allclose(
        shares.decision_function(X), angles.decision_function(X), rtol=1e-9, atol=1e-12
    )
    for name in ("fit_bandwidth", "predict_bandwidth"):
        with pytest.raises(ValueError, match=f"{name} must be a share of the users.*'angle'"):
            loca(**{name: 1.5}, bandwidth_unit="users").fit(X)
    with pytest.raises(ValueError, match="predict_bandwidth must be a share"):
        shares.set_params(predict_bandwidth=1.5).decision_function(X)


@pytest.mark.parametrize("embedding", ["normal", "binary"])
def test_shares_do_not_depend_on_the_order_of_the_users(embedding):
    rng = np.random.default_rng(0)
    unit = rng.normal([1.0, 0.5, 0.0], 1.0, size=(1_700, 3))
    if embedding == "binary":  # many are alike in their first components
        unit = rng.integers(0, 2, (3_000, 8)).astype(float)
    unit = unit_rows(unit)
    found = angle_quantiles(unit)
    np.testing.assert_array_equal(angle_quantiles(unit[rng.permutation(len(unit))]), found)
    if embedding == "binary":  # angles come in steps
        return
    # Some users stand for all: what they say is near the angles of all pairs.
    of_all = np.quantile(angular_distance(unit, unit), np.linspace(0.0, 1.0, len(found)))
    np.testing.assert_allclose(found[50:-50], of_all[50:-50], atol=0.02)


def test_a_share_covers_as_many_users_whatever_the_embedding():
    X = make_interactions(200, 60, 4000, random_state=0, return_X=True)
    shares, angles = [], []
    for n_components in (3, 12, 40):
        embedding = PureSVD(n_components, random_state=0)
        for unit, found in (("users", shares), ("angle", angles)):
            model = loca(
                embedding=embedding, fit_bandwidth=0.5, bandwidth_unit=unit, anchors="random",
                n_estimators=60, random_state=0,
            ).fit(X)  # fmt: skip
            found.append(np.mean(model.n_local_users_) / 200)
    np.testing.assert_allclose(shares, 0.5, atol=0.06)
    assert max(angles) > 3 * min(angles)


def test_alike_users_have_a_bandwidth_all_the_same():
    X = csr_array(np.tile([[1.0, 1, 0, 1], [1, 1, 1, 0]], (6, 1)))
    model = LOCA(EASE(), n_estimators=2, fit_bandwidth=0.3, random_state=0).fit(X)
    np.testing.assert_array_equal(model.n_local_users_, [6, 6])


def test_nothing_known_of_anybody():
    empty = csr_array((6, 4))
    model = loca(DummyRecommender(), random_state=0).fit(empty)
    assert model.estimators_ == []
    assert model.local_weights(empty).shape == (6, 0)
    assert model.predict(empty).tolist() == [0] * 6


# Embeddings and seeds


def test_default_embedding(X):
    model = loca(WMF(4), n_estimators=3, random_state=0).fit(X)
    assert model.embedding_ is model.estimator_
    model = loca(EASE(), n_estimators=3, random_state=0).fit(X)
    assert isinstance(model.embedding_, PureSVD)


@pytest.mark.parametrize(
    "embedding", [TruncatedSVD(3), PureSVD(3), make_pipeline(Normalizer(), TruncatedSVD(3))]
)
def test_given_embedding(X, embedding):
    model = loca(embedding=embedding, n_estimators=3, random_state=0).fit(X)
    assert model.embedding_ is not embedding
    expected = unit_rows(model.embedding_.transform(X))[model.anchors_]
    np.testing.assert_array_equal(model.anchor_vectors_, expected)


def test_embeddings_that_cannot_be(X):
    with pytest.raises(TypeError, match=r"must have fit and transform\. Got EASE"):
        loca(embedding=EASE()).fit(X)
    with pytest.raises(TypeError, match="dense user embeddings"):
        loca(embedding=Normalizer()).fit(X)


def test_seeds_are_drawn_where_there_are_none(X):
    model = loca(WMF(3, random_state=5), embedding=PureSVD(3), n_estimators=3, random_state=0)
    model.fit(X)
    assert [member.random_state for member in model.estimators_] == [5, 5, 5]
    assert isinstance(model.embedding_.random_state, int)
    model = loca(WMF(3), n_estimators=3, random_state=0).fit(X)
    assert len({member.random_state for member in model.estimators_}) == 3
    again = loca(WMF(3), n_estimators=3, random_state=0).fit(X)
    np.testing.assert_array_equal(model.decision_function(X), again.decision_function(X))
    other = loca(WMF(3), n_estimators=3, random_state=1).fit(X)
    assert not np.array_equal(model.decision_function(X), other.decision_function(X))


# Kinds of data


def test_kind_of_data_is_that_of_the_estimator(X):
    assert not get_tags(LOCA()).recommender_tags.predicts_ratings
    model = loca(MeanRating(), embedding=TruncatedSVD(3), n_estimators=3, random_state=0)
    ratings = csr_array(X.toarray() - 2.0 * (X.toarray() > 0))  # -1, 0 (missing), 1
    model.fit(ratings)
    error = model.score(ratings, ratings)
    cells = ratings.tocoo()
    found = model.decision_function(ratings)[cells.coords]
    np.testing.assert_allclose(error, -np.sqrt(np.mean((found - cells.data) ** 2)))
    with pytest.raises(ValueError, match="Negative values"):
        LOCA().fit(ratings)


# Refusals


@pytest.mark.parametrize(
    ("estimator", "text"),
    [
        (make_pipeline(Binarizer(), EASE()), r"Got Pipeline.*make_pipeline\(Binarizer\(\), LOCA"),
        (GridSearchCV(EASE(), {"alpha": [1.0]}), "Got GridSearchCV.*estimator__alpha"),
        (ItemKNN(), "Got ItemKNN, which has no `sample_weight`.*_fit_weighted.*SLIM"),
        (TruncatedSVD(), "needs a recommender of skrec"),
    ],
)
def test_estimators_that_cannot_be(X, estimator, text):
    with pytest.raises(TypeError, match=text):
        loca(estimator).fit(X)


@pytest.mark.parametrize(
    "bad",
    [
        {"estimator": EASE},
        {"estimator": "EASE"},
        {"embedding": PureSVD},
        {"fit_bandwidth": 0.0},
        {"fit_bandwidth": 2.1},
        {"predict_bandwidth": -1.0},
        {"global_weight": -0.1},
        {"weight_sum": "items"},
        {"bandwidth_unit": "radian"},
        {"anchors": "greedy"},
        {"n_estimators": 0},
    ],
)
def test_bad_parameters(X, bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        loca(**bad).fit(X)


def test_memory_of_the_local_models_is_checked_first(X, monkeypatch):
    # Room for the global model and some local ones, not for 100 of 12 * 12 * 8 bytes.
    wide = csr_array(np.tile(X.toarray(), (1, 5)))
    monkeypatch.setattr(_memory, "available_memory", lambda: 200_000)
    with pytest.raises(MemoryError, match=r"LOCA with 39 local models Spy.*lower n_estimators"):
        loca(Spy(), n_estimators=100, random_state=0).fit(wide)
    model = loca(EASE(), n_estimators=5, random_state=0).fit(wide)
    assert len(model.estimators_) == 5


def test_bytes_of_a_model(X):
    model = EASE().fit(X)
    assert model_bytes(model, 40) == (12 * 12 * 8, 0)
    model = WMF(5, random_state=0).fit(X)
    fixed, growing = model_bytes(model, 40)
    assert growing == 40 * 5 * 8
    assert fixed >= 12 * 5 * 8
    model = SLIM(alpha=1.0).fit(X)
    assert model_bytes(model, 40)[0] >= model.coef_.nnz * 12


# Workers


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_workers_do_not_change_the_result(X, backend):
    expected = loca(EASE(), n_estimators=6, random_state=0).fit(X)
    with joblib.parallel_config(backend=backend, n_jobs=2):
        found = loca(EASE(), n_estimators=6, random_state=0).fit(X)
    np.testing.assert_array_equal(found.decision_function(X), expected.decision_function(X))
    assert all(member.n_jobs is None for member in found.estimators_)


def test_workers_share_the_threads(X):
    shared = loca(Spy(), n_estimators=4, n_jobs=2, random_state=0).fit(X)
    assert {member.given_[2] for member in shared.estimators_} == {
        max(1, effective_n_threads() // 2)
    }
    own = loca(Spy(n_jobs=3), n_estimators=4, n_jobs=2, random_state=0).fit(X)
    assert {member.given_[2] for member in own.estimators_} == {3}
    alone = loca(Spy(), n_estimators=4, random_state=0).fit(X)
    assert {member.given_[2] for member in alone.estimators_} == {None}


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_search_over_the_parameters_of_the_estimator(n_jobs):
    X = sum(tastes())
    grid = {"estimator__alpha": [1.0, 1000.0], "fit_bandwidth": [0.5]}
    search = GridSearchCV(
        loca(EASE(), n_estimators=3, random_state=0), grid, cv=3, n_jobs=n_jobs
    ).fit(X)
    assert search.best_params_["estimator__alpha"] == search.best_estimator_.estimator_.alpha
    assert {member.alpha for member in search.best_estimator_.estimators_} == {
        search.best_params_["estimator__alpha"]
    }
    first, second = search.cv_results_["mean_test_score"]
    assert first != second


def test_progress_is_shown_on_request(X, capsys):
    loca(n_estimators=3, random_state=0).fit(X)
    assert capsys.readouterr().err == ""
    loca(n_estimators=3, verbose=True, random_state=0).fit(X)
    assert "3/3" in capsys.readouterr().err


def test_pairs_are_scored_in_parts(monkeypatch):
    X = make_interactions(60, 20, 600, random_state=0, return_X=True)
    model = loca(EASE(10.0), n_estimators=3, fit_bandwidth=1.2, random_state=0).fit(X)
    rng = np.random.default_rng(0)
    rows, items = rng.integers(0, 60, 200), rng.integers(0, 20, 200)
    expected = model.decision_function(X)[rows, items]
    for n_pairs in (1, 7, 1 << 16):
        monkeypatch.setattr("skrec.ensemble._loca._N_PAIRS", n_pairs)
        np.testing.assert_allclose(model.score_pairs(X, rows, items), expected, rtol=1e-12)


def test_torch_has_its_share_of_the_threads_in_local_fits(monkeypatch):
    seen = []
    original = MultVAE._fit_weighted

    def watched(self, X, *args, **options):
        seen.append(torch.get_num_threads())
        return original(self, X, *args, **options)

    monkeypatch.setattr(MultVAE, "_fit_weighted", watched)
    monkeypatch.setattr("skrec.ensemble._loca.effective_n_threads", lambda: 2)
    before = torch.get_num_threads()
    X = make_interactions(60, 20, 600, random_state=0, return_X=True)
    base = MultVAE(3, hidden_layer_sizes=(5,), max_iter=1, random_state=0)
    loca(base, n_estimators=3, n_jobs=2, fit_bandwidth=2.0, random_state=0).fit(X)
    assert set(seen[-3:]) == {1}
    assert torch.get_num_threads() == before
