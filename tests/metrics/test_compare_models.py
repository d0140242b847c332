"""Several models under one split: numbers, search, failures, frame, plots and the report."""

import base64
import builtins
import json
import pickle
import re
import sys
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from scipy.stats import ttest_rel
from sklearn import config_context
from sklearn.exceptions import FitFailedWarning
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Binarizer

from skrec import InteractionContext
from skrec.base import BaseRecommender, UserSideMixin
from skrec.content import VisRank
from skrec.datasets import make_interactions
from skrec.decomposition import BiasedMF
from skrec.dummy import DummyRecommender
from skrec.linear_model import EASE
from skrec.metrics import Comparison, ComparisonDisplay, compare, compare_models, evaluate
from skrec.metrics._comparison._estimators import python_line
from skrec.metrics._comparison._paired import holm
from skrec.metrics._comparison._run import ModelRun
from skrec.metrics._comparison._table import format_p_value
from skrec.metrics._comparison._tuning import tune
from skrec.metrics._results import EvaluationResult
from skrec.model_selection import (
    cold_item_split,
    holdout_split,
    leave_one_out_split,
    user_train_test_split,
)
from skrec.neighbors import ItemKNN
from skrec.utils import all_recommenders
from skrec.utils._measure import Cost
from skrec.utils._search_grid import search_grid
from skrec.utils._text import format_seconds

METRICS = ["recall@5", "ndcg@10"]
RANKERS = dict(all_recommenders())


class Fails(BaseRecommender):
    """Cannot be fitted."""

    def __init__(self, error=ValueError):
        self.error = error

    def fit(self, X, y=None):
        raise self.error("no <b>way</b>")

    def _scores(self, X):
        return np.zeros(X.shape)


class Content(BaseRecommender):
    """Scores items by one feature; notes whether it got it."""

    _search_grid = ({"scale": 1.0}, {"scale": -1.0})

    def __init__(self, scale=1.0):
        self.scale = scale

    def fit(self, X, y=None, item_features=None):
        X = self._start_fit(X)
        features = np.zeros(X.shape[1]) if item_features is None else np.asarray(item_features)
        self.features_ = self.scale * features.ravel()
        return self

    def _scores(self, X):
        return np.tile(self.features_, (X.shape[0], 1)).astype(X.dtype)


@pytest.fixture(scope="module")
def X():
    return make_interactions(300, 60, 4000, random_state=0, return_X=True)


@pytest.fixture(scope="module")
def split(X):
    """Training users, what test users show, what is held out from them."""
    return user_train_test_split(X, test_size=80, random_state=0)


@pytest.fixture(scope="module")
def models():
    return {"ease": EASE(20.0), "popular": DummyRecommender(), "knn": ItemKNN(30)}


@pytest.fixture(scope="module")
def found(models, split):
    return compare_models(models, *split, METRICS)


def test_means_are_those_of_evaluate(found, models, split):
    X_train, X_test, y_test = split
    for name, model in models.items():
        own = evaluate(model.fit(X_train), X_test, y_test, METRICS)
        for metric in METRICS:
            assert found.results[name].mean[metric] == own.mean[metric]
            np.testing.assert_array_equal(found.per_user[name][metric], own.per_user[metric])
    means = [found.results[name].mean["ndcg@10"] for name in found.names]
    assert means == sorted(means, reverse=True)
    assert found.n_users == 80
    assert found.main_metric == "ndcg@10"
    assert all(value > 0 for value in found.fit_seconds.values())
    assert all(value > 0 for value in found.predict_seconds.values())


def test_tests_are_paired_and_after_holm(found):
    best, *others = found.names
    assert "ndcg@10" not in found.tests[best]
    p = {}
    for name in others:
        test = found.tests[name]["ndcg@10"]
        own = compare(found.results[name], found.results[best], "ndcg@10")
        assert test.difference == own.difference
        assert test.p_value == own.p_value
        assert test.against == best
        # The interval excludes 0 where the test, before Holm's correction, does so too.
        assert (test.interval[1] < 0) == (own.p_value < 0.05)
        p[name] = own.p_value
    low, high = sorted(p, key=p.get)
    assert found.tests[low]["ndcg@10"].holm_p_value == min(1.0, 2 * p[low])
    assert found.tests[high]["ndcg@10"].holm_p_value == max(min(1.0, 2 * p[low]), p[high])


def test_holm_by_hand():
    p = {"a": 0.01, "b": 0.04, "c": 0.03, "d": float("nan")}
    corrected = holm(p)
    assert corrected["a"] == pytest.approx(0.03)
    assert corrected["c"] == pytest.approx(0.06)
    assert corrected["b"] == pytest.approx(0.06)  # never below that of a smaller p
    assert np.isnan(corrected["d"])


def test_a_baseline(models, split):
    found = compare_models(models, *split, METRICS, baseline="popular")
    assert found.tests["popular"] == {}
    for name in ("ease", "knn"):
        test = found.tests[name]["ndcg@10"]
        values = [found.per_user[each]["ndcg@10"] for each in (name, "popular")]
        assert test.against == "popular"
        assert test.p_value == pytest.approx(ttest_rel(*values).pvalue)
    assert "against popular" in " ".join(str(found).split())
    assert "different from popular" in found.verdict
    with pytest.raises(ValueError, match="baseline must be one of"):
        compare_models(models, *split, METRICS, baseline="slim")


@pytest.mark.slow
def test_names(split):
    def names(estimators):
        return set(compare_models(estimators, *split, "ndcg@5").results)

    assert names([EASE(), EASE(30.0), DummyRecommender()]) == {
        "EASE-1", "EASE-2", "DummyRecommender",
    }  # fmt: skip
    assert names([("a", EASE()), make_pipeline(Binarizer(), ItemKNN())]) == {"a", "ItemKNN"}
    assert names(EASE()) == {"EASE"}
    for wrong in ([EASE], {"a": 3}, [("a", EASE(), 1)]):
        with pytest.raises(TypeError, match="estimators must be"):
            names(wrong)
    for wrong, text in (({}, "empty"), ([("a", EASE()), ("a", EASE())], "needs its own name")):
        with pytest.raises(ValueError, match=text):
            names(wrong)


def test_estimators_are_not_changed(models, split):
    model = ItemKNN(30)
    found = compare_models([model], *split, "ndcg@5", search=True, return_estimators=True)
    assert not hasattr(model, "similarity_")
    assert model.get_params() == ItemKNN(30).get_params()
    assert found.estimators["ItemKNN"].recommend(split[1], k=3).shape == (80, 3)
    assert compare_models([model], *split, "ndcg@5").estimators == {}


def test_search_chooses_on_what_is_given_and_fits_everything(split):
    X_train, X_test, y_test = split
    validation = user_train_test_split(X_train, test_size=60, random_state=1)
    grid = {"alpha": [1e5, 20.0, 1000.0]}
    found = compare_models(
        {"ease": EASE()}, *split, METRICS, search={"ease": grid}, validation=validation
    )
    scores = [
        evaluate(EASE(alpha).fit(validation[0]), *validation[1:], "ndcg@10").mean["ndcg@10"]
        for alpha in grid["alpha"]
    ]
    assert [trial.score for trial in found.trials["ease"]] == scores
    alpha = grid["alpha"][int(np.argmax(scores))]
    assert found.chosen["ease"] == {"alpha": alpha}
    assert found.parameters["ease"] == f"EASE(alpha={alpha})"
    own = evaluate(EASE(alpha).fit(X_train), X_test, y_test, "ndcg@10")
    assert found.results["ease"].mean["ndcg@10"] == own.mean["ndcg@10"]
    assert found.search_metric == "ndcg@10"
    assert f"ease: alpha={alpha} (ndcg@10 {max(scores):.4f} on validation, best of 3)" in str(found)


@pytest.mark.slow
def test_search_holds_out_training_users_or_entries(X, split, monkeypatch):
    from skrec.metrics._comparison import _parts

    seen = []
    own = _parts.evaluate_quietly

    def spy(estimator, X_test, y_test, metrics, **options):
        if metrics == ["recall@5"]:
            seen.append((X_test, y_test))
        return own(estimator, X_test, y_test, metrics, **options)

    monkeypatch.setattr(_parts, "evaluate_quietly", spy)
    options = {"search": {"ease": [{"alpha": 10.0}, {"alpha": 20.0}]}, "search_metric": "recall@5"}
    compare_models({"ease": EASE()}, *split, "ndcg@10", **options)
    assert len(seen) == 2
    rows = seen[0][0] + seen[0][1]
    assert rows.shape[0] == 220 // 8
    train = {tuple(row.indices) for row in csr_array(split[0])}
    assert {tuple(row.indices) for row in csr_array(rows)} <= train
    seen.clear()
    fitted, held_out = leave_one_out_split(X, random_state=0)
    compare_models({"ease": EASE()}, fitted, fitted, held_out, "ndcg@10", **options)
    shown, last = seen[0]
    np.testing.assert_array_equal((shown + last).toarray(), fitted.toarray())
    assert np.diff(last.indptr).max() == 1
    seen.clear()
    fitted, held_out = holdout_split(X, random_state=0)
    compare_models({"ease": EASE()}, fitted, fitted.copy(), held_out, "ndcg@10", **options)
    assert np.diff(seen[0][1].indptr).max() > 1


def test_what_has_no_grid_is_named(split):
    with pytest.warns(UserWarning, match="Nothing is searched for popular"):
        found = compare_models(
            {"popular": DummyRecommender(), "ease": EASE()}, *split, METRICS, search=True
        )
    assert found.not_searched == ["popular"]
    assert len(found.trials["ease"]) == 8
    assert "Nothing was searched for popular" in found.verdict
    with pytest.raises(ValueError, match="search has grids for"):
        compare_models([EASE()], *split, METRICS, search={"ease": []})


def test_what_is_set_is_left_alone():
    assert len(search_grid(EASE())) == 8
    grid = search_grid(EASE(alpha=33.0))
    assert grid == [{"dropout": 0.0}, {"dropout": 0.3}]
    assert search_grid(EASE(), fixed={"dropout"}) == [
        {"alpha": alpha} for alpha in (50.0, 200.0, 500.0, 1000.0)
    ]
    assert search_grid(EASE(alpha=33.0, dropout=0.1)) == []
    piped = search_grid(make_pipeline(Binarizer(), EASE(dropout=0.1)))
    assert piped == [{"ease__alpha": alpha} for alpha in (50.0, 200.0, 500.0, 1000.0)]


@pytest.mark.parametrize("name", sorted(RANKERS))
def test_every_model_says_what_to_search(name):
    cls = RANKERS[name]
    if name == "DummyRecommender":
        assert cls._search_grid == ()
        return
    grid = cls._search_grid
    assert 1 < len(grid) <= 8, "a grid stands beside _parameter_rules"
    assert search_grid(cls()) == list(grid), "settings differ, and defaults are not set"
    X = np.eye(12) + np.eye(12, k=1)
    for setting in grid:
        model = cls().set_params(**setting)
        if "max_iter" in model.get_params():
            model.set_params(max_iter=3)  # is it valid, not is it good
        model.fit(X)


@pytest.mark.slow
def test_pipelines_and_searches(X):
    ratings = csr_array(X * 3.0)
    split = user_train_test_split(ratings, test_size=60, random_state=0)
    search = GridSearchCV(EASE(), {"alpha": [5.0, 50.0]}, cv=3)
    fitted = GridSearchCV(
        make_pipeline(Binarizer(), EASE()), {"ease__alpha": [30.0, 1e4]}, cv=2
    ).fit(split[0])
    piped = make_pipeline(Binarizer(), EASE())
    found = compare_models(
        {"search": search, "fitted": fitted, "piped": piped, "plain": EASE()},
        *split,
        METRICS,
        search={"piped": {"ease__alpha": [10.0, 100.0]}, "plain": [{"alpha": 7.0}]},
    )
    assert (
        found.chosen["search"]
        == GridSearchCV(EASE(), search.param_grid, cv=3).fit(split[0]).best_params_
    )
    assert found.chosen["fitted"] == fitted.best_params_
    assert found.trials["fitted"] == []
    assert found.chosen["piped"]["ease__alpha"] in (10.0, 100.0)
    assert found.chosen["plain"] == {"alpha": 7.0}
    assert found.not_searched == []
    model = fitted.best_estimator_.fit(split[0])
    own = evaluate(model, *split[1:], METRICS).mean["ndcg@10"]
    assert found.results["fitted"].mean["ndcg@10"] == own
    assert "Binarizer" in found.parameters["piped"]


def test_a_frozen_model_is_taken_as_it_is(X, split):
    model = EASE(20.0).fit(X)  # also learned from the test users: not what is fitted here
    found = compare_models(
        {"as it is": FrozenEstimator(model), "anew": model}, *split, "ndcg@10", search={}
    )
    own = evaluate(model, *split[1:], "ndcg@10").mean["ndcg@10"]
    assert found.results["as it is"].mean["ndcg@10"] == own
    assert found.results["anew"].mean["ndcg@10"] < own
    assert np.isnan(found.fit_seconds["as it is"])
    assert found.peak_bytes["as it is"] is None


@pytest.mark.parametrize("error", [ValueError, RuntimeError, MemoryError])
def test_a_failing_model_does_not_stop_the_others(split, error):
    with pytest.warns(FitFailedWarning, match="bad failed. .*no <b>way</b>"):
        found = compare_models({"bad": Fails(error), "ease": EASE()}, *split, METRICS)
    assert found.names == ["ease"]
    assert "no <b>way</b>" in found.failures["bad"]
    assert "bad failed." in found.verdict
    assert "no <b>way</b>" in str(found)
    with (
        pytest.warns(FitFailedWarning),
        pytest.raises(ValueError, match=r"1 of 1 models failed\. bad: .*no <b>way"),
    ):
        compare_models({"bad": Fails(error)}, *split, METRICS)


@pytest.mark.slow
def test_hidden_here_where_nothing_is_held_out(X, split):
    X_train = split[0]
    found = compare_models([EASE(), DummyRecommender()], X_train, X[:50], metrics="ndcg@10")
    again = compare_models([EASE(), DummyRecommender()], X_train, X[:50], metrics="ndcg@10")
    assert found.n_users == 50
    for name in found.names:
        np.testing.assert_array_equal(
            found.per_user[name]["ndcg@10"], again.per_user[name]["ndcg@10"]
        )
    other = compare_models(
        [EASE(), DummyRecommender()], X_train, X[:50], metrics="ndcg@10", random_state=1
    )
    assert not np.array_equal(other.per_user["EASE"]["ndcg@10"], found.per_user["EASE"]["ndcg@10"])


def test_candidates(X):
    X_train, last = leave_one_out_split(X, random_state=0)
    rng = np.random.default_rng(0)
    candidates = rng.integers(0, 60, (300, 20))
    rows = np.flatnonzero(np.diff(last.indptr))
    parts = X_train[rows], last[rows], candidates[rows]
    found = compare_models(
        [EASE()], X_train, *parts[:2], "hr@5", candidates=parts[2], return_estimators=True
    )
    own = evaluate(EASE().fit(X_train), *parts[:2], "hr@5", candidates=parts[2])
    assert found.results["EASE"].mean["hr@5"] == own.mean["hr@5"]
    with pytest.raises(ValueError, match="validation part with its own candidates"):
        compare_models([EASE()], X_train, *parts[:2], "hr@5", candidates=parts[2], search=True)


@pytest.fixture(scope="module")
def cold(X):
    """A split with cold items, and features by which they can be told apart."""
    X_train, X_heldout, cold_items = cold_item_split(X, random_state=0)
    features = np.linalg.svd(X.toarray(), full_matrices=False)[2][:8].T
    return X_train, X_heldout, cold_items, features


@pytest.mark.slow
def test_cold_items_among_themselves_and_among_all(cold):
    X_train, X_heldout, cold_items, features = cold
    models = {"content": VisRank(), "popularity": DummyRecommender()}
    options = {"item_features": features, "return_estimators": True}
    among_all = compare_models(models, X_train, X_train, X_heldout, METRICS, **options)
    mask = np.isin(np.arange(X_train.shape[1]), cold_items)
    per_user = csr_array(np.broadcast_to(mask, X_train.shape))
    found = {}
    for name, items in (("indices", cold_items), ("mask", mask), ("per user", per_user)):
        found[name] = compare_models(
            models, X_train, X_train, X_heldout, METRICS, items=items, **options
        )
    for model in models:
        fitted = found["indices"].estimators[model]
        wide = evaluate(fitted, X_train, X_heldout, METRICS)
        narrow = evaluate(fitted, X_train, X_heldout, METRICS, items=cold_items)
        assert among_all.results[model].mean | wide.mean == among_all.results[model].mean
        for each in found.values():
            assert each.results[model].mean | narrow.mean == each.results[model].mean
        assert narrow.mean["ndcg@10"] > wide.mean["ndcg@10"]
    for each in (found["mask"], found["per user"]):
        assert all(np.isin(lists, [-1, *cold_items]).all() for lists in each._lists.values())
    assert not all(np.isin(lists, cold_items).all() for lists in among_all._lists.values())


def test_held_out_entries_of_items_that_are_not_ranked_do_not_count(split):
    y_test = split[2]
    items = np.arange(0, y_test.shape[1], 7)
    found = compare_models([EASE()], *split, "ndcg@10", items=items)
    kept = y_test.toarray()[:, items].any(axis=1)
    assert found.n_users == kept.sum() < len(kept)
    assert np.isin(found._held_out.indices, items).all()


def test_a_search_ranks_the_items_of_its_validation_part(cold):
    X_train, X_heldout, cold_items, features = cold
    fit, held_out, inner = cold_item_split(X_train, random_state=1)
    validation = {"X_train": fit, "X_test": fit, "y_test": held_out, "items": inner}
    grid = {"content": [{"aggregate": "mean"}, {"aggregate": "max"}]}
    arguments = ({"content": VisRank()}, X_train, X_train, X_heldout, "ndcg@10")
    options = {"items": cold_items, "item_features": features, "search": grid}
    found = compare_models(*arguments, validation=validation, **options)
    scores = [
        evaluate(
            VisRank(**setting).fit(fit, item_features=features),
            fit, held_out, "ndcg@10", items=inner,
        ).mean["ndcg@10"]
        for setting in grid["content"]
    ]  # fmt: skip
    assert [trial.score for trial in found.trials["content"]] == scores
    with pytest.raises(ValueError, match="validation part with its own items"):
        compare_models(*arguments, **options)


def test_items_that_are_wrong(split):
    with pytest.raises(ValueError, match="Got items and candidates"):
        compare_models([EASE()], *split, items=[0, 1], candidates=np.zeros((1, 1), int))
    with pytest.raises(ValueError, match="one entry per item"):
        compare_models([EASE()], *split, items=[True, False])
    with pytest.raises(ValueError, match="must lie in"):
        compare_models([EASE()], *split, items=[10**6])


def test_errors_of_ratings_order_from_the_least(mean_rating, ratings):
    rng = np.random.RandomState(0)
    train, held_out = holdout_split(ratings, 0.2, random_state=rng)
    models = {"mean": mean_rating(), "mf": BiasedMF(2, alpha=0.1, random_state=0)}
    models["worse"] = BiasedMF(8, alpha=1e-6, max_iter=60, random_state=0)
    found = compare_models(models, train, train, held_out, "rmse")
    errors = [found.results[name].mean["rmse"] for name in found.names]
    assert errors == sorted(errors)
    assert found.best("rmse") == found.names[0]
    assert all(found.tests[name]["rmse"].difference > 0 for name in found.names[1:])
    grid = {"mf": {"alpha": [1e-6, 0.1]}}
    found = compare_models({"mf": BiasedMF(8, random_state=0)}, train, train, held_out, "rmse",
                           search=grid)  # fmt: skip
    scores = [trial.score for trial in found.trials["mf"]]
    assert found.chosen["mf"]["alpha"] == grid["mf"]["alpha"][int(np.argmin(scores))]


def test_item_features_reach_those_who_take_them(X):
    popularity = np.asarray(X.sum(axis=0), dtype=float).reshape(-1, 1)
    split = user_train_test_split(X, random_state=0)
    found = compare_models(
        {"content": Content(), "piped": make_pipeline(Binarizer(), Content()), "ease": EASE()},
        *split,
        "ndcg@10",
        item_features=popularity,
        search={"content": [{"scale": 1.0}, {"scale": -1.0}]},
    )
    assert found.chosen["content"] == {"scale": 1.0}
    assert found.results["content"].mean == found.results["piped"].mean
    blind = compare_models([Content()], *split, "ndcg@10").results["Content"].mean["ndcg@10"]
    assert found.results["content"].mean["ndcg@10"] > blind


class Regions(UserSideMixin, BaseRecommender):
    """Popularity by the one user feature, a region."""

    def __init__(self, share=1.0):
        self.share = share

    def fit(self, X, y=None, *, user_features=None, context=None):
        X = self._start_fit(X)
        side = self._start_side(X, user_features=user_features, context=context)
        self.has_context_ = side.context is not None
        self.popularity_ = np.asarray(X.sum(axis=0), dtype=float).reshape(1, -1)
        self.items_ = None if side.user_features is None else X.T @ side.user_features
        return self

    def _scores(self, X, side):
        scores = np.repeat(self.popularity_, X.shape[0], axis=0)
        if side.user_features is not None:
            scores = (1 - self.share) * scores + self.share * side.user_features @ self.items_.T
        return scores.astype(X.dtype)


@pytest.fixture(scope="module")
def regions():
    """Users of two regions, which have other items, and their regions as features."""
    rng = np.random.default_rng(0)
    region = rng.integers(0, 2, 240)
    chance = np.where(region[:, None] == (np.arange(40) < 20)[None, :], 0.4, 0.02)
    return csr_array((rng.random((240, 40)) < chance).astype(float)), np.eye(2)[region]


def test_user_features_follow_their_users(regions):
    X, U = regions
    X_train, X_test, y_test, train, test = user_train_test_split(
        X, test_size=80, random_state=0, return_users=True
    )
    models = {"regions": Regions(), "popular": DummyRecommender()}
    options = {"search": {"regions": {"share": [0.0, 1.0]}}}
    with pytest.warns(UserWarning, match="Nothing is searched for popular"):
        found = compare_models(
            models, X_train, X_test, y_test, "ndcg@10", user_features=(U[train], U[test]), **options
        )
    assert found.chosen["regions"] == {"share": 1.0}
    own = evaluate(
        Regions().fit(X_train, user_features=U[train]), X_test, y_test, "ndcg@10",
        user_features=U[test],
    )  # fmt: skip
    assert found.results["regions"].mean["ndcg@10"] == own.mean["ndcg@10"]
    assert own.mean["ndcg@10"] > found.results["popular"].mean["ndcg@10"] + 0.1
    with pytest.raises(ValueError, match="user_features must be a tuple"):
        compare_models(models, X_train, X_test, y_test, "ndcg@10", user_features=U[train])
    # The same users: one array is enough, in the search too.
    shown, held_out = holdout_split(X, random_state=0)
    known = compare_models(
        {"regions": Regions()}, shown, shown, held_out, "ndcg@10", user_features=U, **options
    )
    own = evaluate(Regions().fit(shown, user_features=U), shown, held_out, "ndcg@10",
                   user_features=U)  # fmt: skip
    assert known.results["regions"].mean["ndcg@10"] == own.mean["ndcg@10"]


def test_user_features_are_routed_through_a_pipeline(regions):
    X, U = regions
    shown, held_out = holdout_split(X, random_state=0)
    with config_context(enable_metadata_routing=True):
        model = Regions().set_fit_request(user_features=True)
        model.set_decision_function_request(user_features=True)
        found = compare_models(
            {"piped": make_pipeline(Binarizer(), model), "plain": model},
            shown, shown, held_out, "ndcg@10", user_features=U,
        )  # fmt: skip
    assert found.results["piped"].mean == found.results["plain"].mean
    blind = compare_models([Regions()], shown, shown, held_out, "ndcg@10")
    assert found.results["piped"].mean["ndcg@10"] > blind.results["Regions"].mean["ndcg@10"]


def test_frames(split):
    frames = [pd.DataFrame(part.toarray(), columns=[f"i{i}" for i in range(60)]) for part in split]
    models = {"ease": EASE(), "popular": DummyRecommender()}
    options = {"search": {"ease": {"alpha": [10.0, 100.0]}}, "return_estimators": True}
    found = compare_models(models, *frames[:2], frames[2].to_numpy(), METRICS, **options)
    expected = compare_models(models, *split, METRICS, **options)
    assert found.results["ease"].mean == expected.results["ease"].mean
    assert list(found.estimators["ease"].feature_names_in_) == list(frames[0].columns)
    assert found.chosen == expected.chosen


def test_side_information_of_a_given_validation_part(regions):
    X, U = regions
    X_train, X_test, y_test, train, test = user_train_test_split(
        X, test_size=80, random_state=0, return_users=True
    )
    X_fit, shown, held_out, fit, rest = user_train_test_split(
        X_train, test_size=40, random_state=0, return_users=True
    )
    validation = {"X_train": X_fit, "X_test": shown, "y_test": held_out}
    options = {
        "user_features": (U[train], U[test]),
        "search": {"regions": {"share": [0.0, 1.0]}},
    }
    own = (U[train][fit], U[train][rest])
    parts = {"regions": Regions()}, X_train, X_test, y_test, "ndcg@10"
    found = compare_models(*parts, validation=validation | {"user_features": own}, **options)
    assert found.chosen["regions"] == {"share": 1.0}
    for wrong in (validation, (X_fit, shown, held_out)):
        with pytest.raises(ValueError, match="needs its own"):
            compare_models(*parts, validation=wrong, **options)


def test_context_reaches_those_who_take_it(regions):
    X, _ = regions
    shown, held_out = holdout_split(X, random_state=0)
    context = InteractionContext(np.ones((shown.nnz, 1)), shown.indptr)
    found = compare_models(
        [Regions(), EASE()], shown, shown, held_out, "ndcg@10",
        context=(context, np.ones((240, 1))), return_estimators=True,
    )  # fmt: skip
    assert found.estimators["Regions"].has_context_
    with pytest.raises(ValueError, match="with its own context"):
        compare_models(
            [EASE()], shown, shown, held_out, "ndcg@10", search=True,
            context=(context, np.ones((240, 1))),
        )  # fmt: skip


def test_mistakes(split):
    X_train, X_test, y_test = split
    for options, text in [
        ({"metrics": "recal@5"}, "Unknown metric"),
        ({"normalize": "most"}, "normalize must be"),
        ({"random_state": -1}, "random_state must be"),
        ({"search": True, "validation": X_test}, "validation must be"),
    ]:
        with pytest.raises(ValueError, match=text):
            compare_models([EASE()], X_train, X_test, y_test, **options)
    with pytest.raises(ValueError, match="same items as columns"):
        compare_models([EASE()], X_train[:, :50], X_test, y_test)


def test_a_setting_that_fails_is_passed_over(split):
    grid = [{"metric": "jaccard", "weighting": "tfidf"}, {"metric": "cosine"}]
    found = compare_models([ItemKNN()], *split, "ndcg@10", search={"ItemKNN": grid})
    assert found.chosen["ItemKNN"] == grid[1]
    assert "does not look at values" in found.trials["ItemKNN"][0].remark


@pytest.mark.slow
def test_equal_scores_take_the_first_and_time_ends_a_search(split):
    def look(model):
        return {"ndcg@10": 0.5 + 1e-7 * model.alpha}

    grid = [{"alpha": 1.0}, {"alpha": 2.0}]
    best, model, trials = tune(EASE(), grid, split[0], look, keep=True)
    assert best.parameters == {"alpha": 1.0}
    assert model.alpha == 1.0
    best, _, trials = tune(EASE(), grid, split[0], look, max_seconds=0.0)
    assert trials[1].remark == "not tried: the time was over"
    nan = {1.0: float("nan"), 2.0: 0.1}
    best, _, _ = tune(EASE(), grid, split[0], lambda m: {"rmse": nan[m.alpha]}, sign=-1)
    assert best.parameters == {"alpha": 2.0}


# What is shown of it.


def test_frame(found):
    frame = found.to_frame()
    assert list(frame.index) == found.names
    assert list(frame.columns[:4]) == [
        "recall@5", "recall@5_standard_error", "recall@5_difference", "recall@5_p_value",
    ]  # fmt: skip
    name = found.names[1]
    assert frame.loc[name, "ndcg@10"] == found.results[name].mean["ndcg@10"]
    assert frame.loc[name, "ndcg@10_p_value"] == found.tests[name]["ndcg@10"].holm_p_value
    assert np.isnan(frame.loc[found.names[0], "ndcg@10_p_value"])
    assert frame.loc[name, "fit_seconds"] == found.fit_seconds[name]


def test_a_frame_names_failures(split):
    with pytest.warns(FitFailedWarning):
        found = compare_models({"bad": Fails(), "ease": EASE()}, *split, METRICS)
    frame = found.to_frame()
    assert frame.loc["bad", "failure"] == "no <b>way</b>"
    assert np.isnan(frame.loc["bad", "ndcg@10"])


def _without(monkeypatch, package):
    own = builtins.__import__

    def refuse(name, *arguments, **options):
        if name.partition(".")[0] == package:
            raise ImportError(f"no module {package}")
        return own(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)


def test_no_pandas(found, monkeypatch):
    _without(monkeypatch, "pandas")
    with pytest.raises(ImportError, match="pip install pandas"):
        found.to_frame()


def test_texts(found):
    lines = str(found).splitlines()
    assert lines[0].split() == [
        "model", "recall@5", "ndcg@10", "p", "fit", "predict", "peak", "memory",
    ]  # fmt: skip
    assert lines[2].startswith(found.names[0])
    mean = found.results[found.names[0]].mean["ndcg@10"]
    assert f"*{mean:.4f} (" in lines[2]
    assert "standard error over 80 users" in " ".join(str(found).split())
    assert repr(found).startswith(f"Comparison({found.names[0]}: nDCG@10 .{mean:.4f}"[:-6])
    assert "\n" not in repr(found)
    assert found.verdict.startswith(f"{found.names[0]} is best by nDCG@10: ")
    for name in found.names:
        assert name in found.verdict


def _run_of(name, values):
    values = np.asarray(values, dtype=float)
    result = EvaluationResult(
        per_user={"auc": values},
        mean={"auc": values.mean()},
        standard_error={"auc": 0.1},
        n_users={"auc": len(values)},
        n_held_out=np.ones(len(values), dtype=int),
    )
    return ModelRun(name, result, name, "", 1.0, 1.0, None)


def test_marks():
    base = 0.8 + np.linspace(-0.1, 0.1, 50)
    runs = [
        _run_of("a", base),
        _run_of("b", base - 0.001 + 0.1 * (-1.0) ** np.arange(50)),
        _run_of("c", base - 0.5),
    ]
    lines = str(Comparison(runs, metrics=["auc"], main_metric="auc")).splitlines()
    marks = {line[0]: line[1:].lstrip()[0] for line in lines[2:5]}
    assert marks == {"a": "*", "b": "~", "c": "0"}
    assert lines[2].endswith("?")
    # Of a single user nothing is known to differ.
    single = Comparison([_run_of("a", [1]), _run_of("b", [0])], metrics=["auc"], main_metric="auc")
    assert re.match(r"b +~0\.0000 \(0\.1000\) +\? ", str(single).splitlines()[3])
    assert single.to_dict()["models"][1]["scores"]["auc"]["p_value"] is None


def test_a_dict_for_json(found):
    content = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert [model["name"] for model in content["models"]] == found.names
    name = found.names[1]
    score = content["models"][1]["scores"]["ndcg@10"]
    assert score["mean"] == found.results[name].mean["ndcg@10"]
    assert score["p_value"] == found.tests[name]["ndcg@10"].holm_p_value
    assert content["models"][0]["scores"]["ndcg@10"]["p_value"] is None


def test_reprs_of_one_line(found):
    result = found.results["ease"]
    mean, error = result.mean["ndcg@10"], result.standard_error["ndcg@10"]
    assert f"nDCG@10 .{mean:.4f} ± .{error:.4f}".replace(".0.", ".") in repr(result)
    assert repr(result).endswith("; 80 users")
    test = compare(result, found.results["popular"], "ndcg@10")
    low, high = test.interval
    assert str(test) == (
        f"+{test.difference:.3f} nDCG@10, 95 % {low:.3f} to {high:.3f}, 80 users".replace("0.", ".")
    )
    # Still the Bunches that they were.
    assert result["mean"] is result.mean
    assert dict(test)["p_value"] == test.p_value
    assert pickle.loads(pickle.dumps(test)).interval == test.interval
    errors = evaluate(BiasedMF(2, random_state=0).fit(np.eye(4) * 3), np.eye(4), np.ones((4, 4)),
                      ["neg_rmse", "mae"])  # fmt: skip
    assert re.match(r"minus RMSE -[\d.]+ ± [\d.]+, MAE [\d.]+ ± [\d.]+; 4 users", repr(errors))


def test_plots(found):
    display = found.plot()
    assert isinstance(display, ComparisonDisplay)
    assert [text.get_text() for text in display.ax_.get_yticklabels()] == found.names
    drawn = [container.lines[0].get_xdata()[0] for container in display.points_]
    assert drawn == [found.results[name].mean["ndcg@10"] for name in found.names]
    assert display.ax_.get_ylim() == (2.5, -0.5)
    timed = found.plot("recall@5", against="fit_seconds")
    assert timed.ax_.get_xscale() == "log"
    drawn = [container.lines[0].get_xdata()[0] for container in timed.points_]
    assert drawn == [found.fit_seconds[name] for name in found.names]
    curve = found.plot(against="k")
    assert list(curve.k) == [1, 2, 5, 10]
    for options in ({"metric": "ndcg@7"}, {"against": "money"}):
        with pytest.raises(ValueError, match="must be"):
            found.plot(**options)
    with pytest.raises(ValueError, match="cost must be of the models"):
        ComparisonDisplay(metric="auc", mean={"a": 1}, standard_error={"a": 0},
                          against="fit_seconds")  # fmt: skip


class Page(HTMLParser):
    """Checks that elements nest, and collects text, images and links."""

    void = {"meta", "img"}

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.images, self.links, self.text = [], [], [], [], ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        named = dict(attributes)
        self.links += [named[name] for name in ("href", "src") if name in named]
        assert not any(name.startswith("on") for name in named)
        if tag == "img":
            assert named["alt"]
            self.images.append(named["src"])
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_report(found, split, tmp_path):
    path = tmp_path / "report.html"
    text = found.to_html(
        path,
        title="Five shops",
        facts=[("data", "a log")],
        command="python -m skrec evaluate",
        item_names=[f"title {item}" for item in range(60)],
    )
    assert path.read_text(encoding="utf-8") == text
    assert text.startswith("<!DOCTYPE html>\n")
    page = Page(text)
    for tag in ("html", "head", "title", "body", "h1"):
        assert page.tags.count(tag) == 1
    words = " ".join(page.text.split())
    fit = "from skrec.linear_model import EASE model = EASE(alpha=20.0).fit(X)"
    for expected in (found.verdict, "python -m skrec evaluate", "a log", "Written by skrec", fit):
        assert expected in words
    assert re.search(r"date ?\d{4}-\d\d-\d\d", words)
    # Two metrics, two curves, time; each an SVG that needs nothing else.
    assert len(page.images) == 5
    for image in page.images:
        head, _, data = image.partition(",")
        assert head == "data:image/svg+xml;base64"
        root = ElementTree.fromstring(base64.b64decode(data))
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        links = [value for node in root.iter() for key, value in node.items() if "href" in key]
        assert all(link.startswith("#") for link in links)
    assert page.links == page.images
    assert "script" not in page.tags
    assert page.tags.count("section") == 10


def test_lists_of_the_report_are_those_of_the_best_model(found, models, split):
    X_train, X_test, y_test = split
    text = found.to_html(user_names=[f"u{user}" for user in range(80)])
    best = models[found.names[0]].fit(X_train)
    sections = re.findall(r"<section>(.*?)</section>", text, re.DOTALL)
    users = [int(re.search(r"User u(\d+)", section)[1]) for section in sections]
    assert users == sorted(set(users))
    assert len(users) == 10
    for user, section in zip(users, sections, strict=True):
        items = [int(item) for item in re.findall(r"<li.*?>(\d+)", section)]
        assert items == best.recommend(X_test[[user]], k=10)[0].tolist()
        hits = [int(item) for item in re.findall(r'<li class="hit">(\d+) ✓', section)]
        assert hits == [item for item in items if y_test[user, item] > 0]
    with pytest.raises(ValueError, match="one name for each of the 60 items"):
        found.to_html(item_names=["a"])


def test_hostile_names_are_escaped(split):
    nasty = "<img src=x onerror=alert(1)>$\\frac$ & 'q' \"q\""
    with pytest.warns(FitFailedWarning):
        found = compare_models(
            {nasty: EASE(20.0), "$_{$": DummyRecommender(), "<b>bad": Fails()}, *split, METRICS
        )
    names = [f"<script>{item}</script>" for item in range(60)]
    text = found.to_html(
        title=f"</title>{nasty}",
        facts=[("<i>", nasty)],
        command=nasty,
        fit_commands=dict.fromkeys(found.names, nasty),
        item_names=names,
        user_names=[nasty] * 80,
    )
    page = Page(text)
    assert {"script", "i", "b", "em"}.isdisjoint(set(page.tags) - {"b"})
    assert page.tags.count("b") == 1  # ours, around the name of the one that failed
    assert page.tags.count("img") == len(page.images) == 5
    assert page.text.count(nasty) > 15
    assert "<script>3</script>" in page.text or "<script>1</script>" in page.text
    table = Page(found._repr_html_())
    assert nasty in table.text
    assert "img" not in table.tags


@pytest.mark.slow
def test_same_input_same_plots(models, split):
    def plots(comparison):
        return Page(comparison.to_html()).images[:4]  # the last one shows the time

    first, second = (compare_models(models, *split, METRICS) for _ in range(2))
    assert plots(first) == plots(second)


def test_a_report_without_matplotlib(found, monkeypatch):
    _without(monkeypatch, "matplotlib")
    text = found.to_html()
    assert Page(text).images == []
    assert found.verdict.split(".")[0] in text


def test_python_lines_run(split):
    pipeline = make_pipeline(Binarizer(threshold=0.5), ItemKNN(7, target_exponent=0.25))
    for model in (EASE(alpha=3.0), pipeline):
        scope = {"X": split[0]}
        exec(python_line(model), scope)
        expected = model.fit(split[0]).decision_function(split[1])
        np.testing.assert_array_equal(scope["model"].decision_function(split[1]), expected)


def test_texts_for_people():
    assert [format_seconds(s) for s in (0.0123, 0.5, 3, 42.4, 125, 7260, float("nan"))] == [
        "0.012 s", "0.50 s", "3.0 s", "42 s", "2 min 5 s", "2 h 1 min", "?",
    ]  # fmt: skip
    assert [format_p_value(p) for p in (0.0004, 0.034, float("nan"))] == ["<0.001", "0.034", "?"]


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_cost_is_of_the_block():
    with Cost() as large:
        np.ones(25_000_000).sum()  # 200 MB, freed at once
    with Cost() as small:
        np.ones(2_500_000).sum()
    assert 190e6 < large.peak_bytes < 240e6
    # Not the mark of the block before.
    assert 19e6 < small.peak_bytes < 40e6
    assert 0 < small.seconds < large.seconds
    assert 0 < small.processor_seconds < large.processor_seconds
    with Cost(memory=False) as timed:
        sum(range(1000))
    assert timed.seconds > 0
    assert timed.peak_bytes is None
    assert repr(Cost()) == "Cost(?, ?)"


def test_verbose_shows_what_is_done(split, capsys):
    compare_models([EASE()], *split, "ndcg@5", verbose=True)
    assert "EASE: fitting" in capsys.readouterr().err
    compare_models([EASE()], *split, "ndcg@5")
    assert capsys.readouterr().err == ""


def test_a_comparison_is_made_of_plain_values(found):
    assert isinstance(found, Comparison)
    assert json.dumps({name: result.mean for name, result in found.results.items()})
    assert pickle.loads(pickle.dumps(found)).names == found.names
