"""Scorers: the split, the numbers, and scikit-learn's searches around them."""

import pickle
import warnings

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.sparse import csr_array, csr_matrix
from sklearn import config_context
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Binarizer, Normalizer

from skrec._evaluation._default_score import negative_rmse
from skrec._evaluation._entries import draw_seed, hide_entries
from skrec.dummy import DummyRecommender
from skrec.linear_model import EASE
from skrec.metrics import get_scorer, get_scorer_names, make_ranking_scorer
from skrec.model_selection import HeldOut, SameUsersSplit, holdout_split
from tests.reference import metrics as twin

NAMES = ["recall@5", "recall@20", "ndcg@10", "map@5", "mrr@5", "precision@5", "hr@1", "auc"]
EPS = float(np.finfo(np.float64).eps)


def slow_scores(model, X, names, *, held=None, threshold=0, weight=None):
    """The scorer by hand: hide, score a row at a time, mask, rank with the twin."""
    if held is None:
        X, held = hide_entries(X, 0.2, draw_seed(0))
    found = {name: [] for name in names}
    for u in range(X.shape[0]):
        scores = model.decision_function(X[[u]])[0]
        scores[X[[u]].toarray()[0] != 0] = -np.inf
        for name in names:
            kind = name.replace("hr@", "hit_rate@")
            truth = held[[u]].toarray()[0].tolist()
            value = twin.user_metric(kind, truth, scores.tolist(), EPS, threshold=threshold)
            found[name].append(np.nan if value is None else value)
    weight = np.ones(X.shape[0]) if weight is None else weight
    means = {}
    for name, values in found.items():
        known = ~np.isnan(values)
        means[name] = np.average(np.array(values)[known], weights=weight[known])
    return means


def test_dict_matches_slow_twin(popular, ratings):
    model = popular().fit(ratings)
    found = make_ranking_scorer(NAMES)(model, ratings)
    assert list(found) == NAMES
    assert all(type(value) is float for value in found.values())
    assert found == pytest.approx(slow_scores(model, ratings, NAMES), rel=1e-12)


def test_options_match_slow_twin(popular, ratings):
    model = popular().fit(ratings)
    weight = np.random.default_rng(0).random(ratings.shape[0])
    scorer = make_ranking_scorer(NAMES, relevance_threshold=3.5)
    found = scorer(model, ratings, sample_weight=weight)
    expected = slow_scores(model, ratings, NAMES, threshold=3.5, weight=weight)
    assert found == pytest.approx(expected, rel=1e-12)
    assert found != scorer(model, ratings)


def test_held_out_matrix_is_not_split(popular, ratings):
    shown, held = holdout_split(ratings, 0.4, random_state=1)
    model = popular().fit(shown)
    expected = slow_scores(model, shown, NAMES, held=held)
    for y in (held, csr_matrix(held), held.toarray(), HeldOut(held)):
        assert make_ranking_scorer(NAMES)(model, shown, y) == pytest.approx(expected, rel=1e-12)


def test_items_in_both_take_no_part(popular, ratings):
    model = popular().fit(ratings)
    shown, held = holdout_split(ratings, random_state=0)
    scorer = get_scorer("recall@10")
    assert scorer(model, shown, held + shown) == scorer(model, shown, held)
    with pytest.warns(UndefinedMetricWarning, match="no user can be evaluated"):
        assert np.isnan(scorer(model, ratings, ratings))


def test_one_name_gives_a_float(popular, ratings):
    model = popular().fit(ratings)
    several = make_ranking_scorer(NAMES)(model, ratings)
    for name in NAMES:
        score = get_scorer(name)(model, ratings)
        assert type(score) is float
        assert score == several[name]


def test_default_score_is_the_scorer(popular, mean_rating, ratings):
    model = popular().fit(ratings)
    assert model.score(ratings) == get_scorer("ndcg@100")(model, ratings)
    labels = np.full(ratings.shape[0], "not looked at")
    assert model.score(ratings, labels) == model.score(ratings)
    shown, held = holdout_split(ratings, random_state=0)
    assert model.score(shown, held) == get_scorer("ndcg@100")(model, shown, held)
    rating_model = mean_rating().fit(ratings)
    for y in (None, held):
        assert rating_model.score(shown, y) == pytest.approx(
            get_scorer("neg_rmse")(rating_model, shown, y), rel=1e-14
        )


def test_rating_scores_by_hand(mean_rating, ratings):
    model = mean_rating().fit(ratings)
    _, held = hide_entries(ratings, 0.2, draw_seed(0))
    error = held.data - model.mean_[held.indices]
    found = make_ranking_scorer(["neg_rmse", "neg_mae", "ndcg@5"])(model, ratings)
    assert found["neg_rmse"] == pytest.approx(-np.sqrt(np.mean(error**2)), rel=1e-12)
    assert found["neg_mae"] == pytest.approx(-np.mean(np.abs(error)), rel=1e-12)
    # Alone they take score_pairs, in a pipeline decision_function: the same numbers.
    for name in ("neg_rmse", "neg_mae"):
        assert get_scorer(name)(model, ratings) == pytest.approx(found[name], rel=1e-12)
        pipeline = make_pipeline("passthrough", model)
        assert get_scorer(name)(pipeline, ratings) == pytest.approx(found[name], rel=1e-12)
    calls = []

    def pairs(X, rows, items):
        calls.append(X.shape[0])
        return model._pair_scores(X, rows, items)

    assert negative_rmse(pairs, ratings) == pytest.approx(found["neg_rmse"], rel=1e-12)
    assert sum(calls) == np.sum(np.diff(ratings.indptr) >= 2)


# The split.


def test_split_depends_on_content_only(popular, ratings):
    model = popular().fit(ratings)
    scorer = make_ranking_scorer(["ndcg@10"], random_state=5)
    order = np.random.default_rng(0).permutation(ratings.shape[0])
    whole = scorer(model, ratings)["ndcg@10"]
    assert scorer(model, ratings[order])["ndcg@10"] == pytest.approx(whole, rel=1e-12)
    halves = [ratings[:45], ratings[45:]]
    counts = [np.sum(np.diff(part.indptr) >= 2) for part in halves]
    parts = [scorer(model, part)["ndcg@10"] for part in halves]
    assert np.average(parts, weights=counts) == pytest.approx(whole, rel=1e-12)
    assert make_ranking_scorer(["ndcg@10"], random_state=6)(model, ratings)["ndcg@10"] != whole
    assert make_ranking_scorer("ndcg@10", random_state=5)(model, ratings) == whole


def test_share_is_hidden(popular, ratings):
    sizes = []

    class Spy(popular):
        def decision_function(self, X):
            sizes.append(np.diff(X.indptr))
            return super().decision_function(X)

    model = Spy().fit(ratings)
    get_scorer("ndcg@10")(model, ratings)
    lengths = np.diff(ratings.indptr)
    lengths = lengths[lengths >= 2]
    np.testing.assert_array_equal(np.concatenate(sizes), lengths - np.maximum(1, lengths // 5))


# Containers.


def test_every_container_gives_the_same(popular, ratings):
    model = popular().fit(ratings)
    expected = make_ranking_scorer(NAMES)(model, ratings)
    dense = ratings.toarray()
    stored_zeros = csr_array(dense + 1)
    stored_zeros.data -= 1
    for X in (dense, dense.tolist(), csr_matrix(ratings), ratings.tocoo(), stored_zeros):
        assert make_ranking_scorer(NAMES)(model, X) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_frames_keep_their_names(popular, ratings, frame):
    names = [f"item {i}" for i in range(ratings.shape[1])]
    dense = ratings.toarray()
    if frame is pd.DataFrame:
        X = pd.DataFrame(dense, columns=names, index=np.arange(len(dense))[::-1] + 7)
    else:
        X = pl.DataFrame(dense, schema=names)
    model = make_pipeline(Binarizer(threshold=3.5), popular())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = make_ranking_scorer(NAMES)(model.fit(X), X)
        if frame is pd.DataFrame:
            cross_validate(model, X, scoring=make_ranking_scorer(NAMES), error_score="raise")
    assert found == pytest.approx(make_ranking_scorer(NAMES)(model.fit(dense), dense), rel=1e-12)


def test_X_is_not_changed(popular, ratings):
    model = popular().fit(ratings)
    for X in (ratings.copy(), ratings.toarray()):
        before = X.copy()
        get_scorer("ndcg@10")(model, X)
        assert (before != X).sum() == 0


def test_read_only_memmap(popular, ratings, tmp_path):
    model = popular().fit(ratings)
    joblib.dump(ratings, tmp_path / "X.joblib")
    X = joblib.load(tmp_path / "X.joblib", mmap_mode="r")
    assert get_scorer("ndcg@10")(model, X) == get_scorer("ndcg@10")(model, ratings)


# As objects.


def test_clone_pickle_params():
    scorer = make_ranking_scorer(["ndcg@10", "auc"], holdout=0.5, graded=True)
    for copy in (clone(scorer), pickle.loads(pickle.dumps(scorer))):
        assert copy is not scorer
        assert copy.get_params() == scorer.get_params()
    assert isinstance(scorer, BaseEstimator)
    assert scorer.set_params(holdout=0.1).holdout == 0.1
    assert "holdout=0.1" in repr(scorer)


def test_names():
    names = get_scorer_names()
    assert names == sorted(names)
    X = np.random.default_rng(0).integers(0, 6, size=(20, 12))
    for name in names:
        assert np.isfinite(get_scorer(name)(DummyRecommender().fit(X), X))
    own = get_scorer("recall@7")
    assert get_scorer(own) is own


@pytest.mark.parametrize(
    "name",
    ["recall", "recall@", "recall@0", "recall@1.5", "recall@-1", "auc@5", "f1@5", "neg_auc", 5],
)
def test_unknown_names(name):
    with pytest.raises(ValueError, match=r"(Unknown metric|named by a string)"):
        make_ranking_scorer([name])


def test_wrong_names():
    with pytest.raises(ValueError, match="'neg_rmse'"):
        make_ranking_scorer(["rmse"])
    with pytest.raises(ValueError, match="named twice"):
        make_ranking_scorer(["auc", "auc"])
    with pytest.raises(ValueError, match="No metric"):
        make_ranking_scorer([])
    with pytest.raises(ValueError, match="name of one metric"):
        get_scorer(["auc"])


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"holdout": 1.0}, "'holdout' parameter .* > 0 and < 1"),
        ({"holdout": 0}, "holdout"),
        ({"normalize": "max"}, "'min', 'relevant'"),
        ({"graded": 1}, "True or False"),
        ({"relevance_threshold": "3"}, "a number"),
        ({"random_state": "x"}, "random_state"),
    ],
)
def test_bad_params(popular, ratings, params, text):
    with pytest.raises(ValueError, match=text):
        make_ranking_scorer("auc", **params)(popular().fit(ratings), ratings)


def test_bad_input(popular, ratings):
    model = popular().fit(ratings)
    scorer = get_scorer("ndcg@10")
    with pytest.raises(ValueError, match=r"Got \(90, 39\), expected \(90, 40\)"):
        scorer(model, ratings, ratings[:, :39])
    with pytest.raises(ValueError, match="has no decision_function"):
        scorer(Normalizer().fit(ratings), ratings)
    with pytest.raises(ValueError, match="one weight per user"):
        scorer(model, ratings, sample_weight=np.ones(3))

    class Narrow(popular):
        def decision_function(self, X):
            return super().decision_function(X)[:, :-1]

    with pytest.raises(ValueError, match=r"one score per item of X. Got shape \(\d+, 39\)"):
        scorer(Narrow().fit(ratings), ratings)


def test_nobody_to_evaluate(popular):
    X = np.eye(4)
    model = popular().fit(X)
    with (
        pytest.warns(UndefinedMetricWarning, match="recall@5 is not defined"),
        pytest.warns(UndefinedMetricWarning, match="neg_rmse is not defined"),
    ):
        found = make_ranking_scorer(["recall@5", "neg_rmse"])(model, X)
    assert np.isnan(found["recall@5"])
    assert np.isnan(found["neg_rmse"])
    with pytest.warns(UndefinedMetricWarning):
        assert np.isnan(model.score(X))


def test_nan_scores_are_an_error(popular, ratings):
    class Broken(popular):
        def decision_function(self, X):
            return np.full(X.shape, np.nan)

    model = Broken().fit(ratings)
    for name in ("ndcg@10", "auc"):
        with pytest.raises(ValueError, match="NaN"):
            get_scorer(name)(model, ratings)
    pipeline = make_pipeline("passthrough", model)
    with pytest.raises(ValueError, match="NaN"):
        get_scorer("neg_rmse")(pipeline, ratings)


# Around scikit-learn.


def _block_data():
    """Two groups of users with items of their own: personalised models win clearly."""
    rng = np.random.default_rng(0)
    chance = np.full((120, 30), 0.05)
    chance[:60, :15] = chance[60:, 15:] = 0.45
    return csr_array((rng.random(chance.shape) < chance) * rng.integers(1, 6, chance.shape) * 1.0)


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_grid_search_of_a_pipeline(backend):
    X = _block_data()
    search = GridSearchCV(
        make_pipeline(Binarizer(threshold=1.5), EASE()),
        {"ease__alpha": [0.1, 10.0, 1e6]},
        scoring=make_ranking_scorer(["recall@5", "ndcg@10"], relevance_threshold=1.5),
        refit="ndcg@10",
        cv=KFold(3, shuffle=True, random_state=0),
        error_score="raise",
    )
    serial = clone(search).fit(X)
    with joblib.parallel_backend(backend, n_jobs=2):
        search.set_params(n_jobs=2).fit(X)
    assert search.best_params_ == serial.best_params_
    for name in ("recall@5", "ndcg@10"):
        np.testing.assert_array_equal(
            search.cv_results_[f"mean_test_{name}"], serial.cv_results_[f"mean_test_{name}"]
        )
    by_alpha = dict(zip([0.1, 10.0, 1e6], serial.cv_results_["mean_test_ndcg@10"], strict=True))
    assert by_alpha[10.0] > by_alpha[0.1]
    scorer = make_ranking_scorer(["ndcg@10"], relevance_threshold=1.5)
    assert scorer(search, X)["ndcg@10"] > 0.5, "a fitted search is scored like an estimator"


def test_folds_by_hand():
    X = _block_data()
    cv = KFold(4, shuffle=True, random_state=1)
    scorer = get_scorer("ndcg@10")
    found = cross_val_score(EASE(alpha=5.0), X, scoring=scorer, cv=cv)
    expected = [scorer(EASE(alpha=5.0).fit(X[a]), X[b]) for a, b in cv.split(X)]
    np.testing.assert_array_equal(found, expected)
    popular = cross_val_score(DummyRecommender(), X, scoring=scorer, cv=cv)
    assert found.min() > popular.max()


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_weak_generalisation(backend):
    X_train, X_heldout = holdout_split(_block_data(), 0.3, random_state=0)
    scoring = make_ranking_scorer(["ndcg@10", "recall@5"])
    grid = {"alpha": [1.0, 10.0, 100.0]}
    search = GridSearchCV(
        EASE(), grid, scoring=scoring, refit="ndcg@10", cv=SameUsersSplit(), n_jobs=2
    )
    with joblib.parallel_backend(backend, n_jobs=2):
        search.fit(X_train, X_heldout)
        found = cross_validate(
            EASE(alpha=10.0),
            X_train,
            HeldOut(X_heldout),
            scoring=scoring,
            cv=SameUsersSplit(),
            n_jobs=2,
            error_score="raise",
        )
        score = cross_val_score(
            EASE(alpha=10.0), X_train, HeldOut(X_heldout), cv=SameUsersSplit(), n_jobs=2
        )
    expected = [scoring(EASE(alpha=a).fit(X_train), X_train, X_heldout) for a in grid["alpha"]]
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_ndcg@10"], [e["ndcg@10"] for e in expected]
    )
    assert found["test_ndcg@10"] == [expected[1]["ndcg@10"]]
    assert found["test_recall@5"] == [expected[1]["recall@5"]]
    # Without scoring, `score` takes the held-out matrix.
    assert score == [EASE(alpha=10.0).fit(X_train).score(X_train, X_heldout)]
    # A search takes HeldOut too, and KFold cuts users and their held-out items alike.
    again = GridSearchCV(EASE(), grid, scoring=scoring, refit="ndcg@10", cv=SameUsersSplit())
    again.fit(X_train, HeldOut(X_heldout))
    assert again.best_score_ == search.best_score_
    folds = cross_val_score(EASE(), X_train, HeldOut(X_heldout), cv=KFold(3))
    by_hand = [
        EASE().fit(X_train[a]).score(X_train[b], X_heldout[b]) for a, b in KFold(3).split(X_train)
    ]
    np.testing.assert_array_equal(folds, by_hand)


def test_weights_are_routed():
    X = _block_data()
    weight = np.random.default_rng(0).random(X.shape[0])
    cv = KFold(3)
    with config_context(enable_metadata_routing=True):
        scorer = make_ranking_scorer(["ndcg@10"]).set_score_request(sample_weight=True)
        requests = clone(scorer).get_metadata_routing().score.requests
        assert requests == {"sample_weight": True, "user_features": None, "context": None}
        model = EASE(alpha=10.0).set_fit_request(sample_weight=False)
        search = GridSearchCV(model, {"alpha": [10.0]}, scoring=scorer, refit="ndcg@10", cv=cv)
        search.fit(X, sample_weight=weight)
        found = cross_validate(
            model, X, scoring=scorer, cv=cv, params={"sample_weight": weight}, error_score="raise"
        )
    expected = [
        scorer(EASE(alpha=10.0).fit(X[a]), X[b], sample_weight=weight[b])["ndcg@10"]
        for a, b in cv.split(X)
    ]
    np.testing.assert_array_equal(found["test_ndcg@10"], expected)
    assert search.best_score_ == np.mean(expected)
    unweighted = cross_val_score(EASE(alpha=10.0), X, scoring=get_scorer("ndcg@10"), cv=cv)
    assert not np.array_equal(unweighted, expected)
