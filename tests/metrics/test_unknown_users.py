"""Users of whom nothing is known are reported apart, and warned of once."""

import copy
import warnings

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.model_selection import GridSearchCV

from skrec.datasets import make_interactions
from skrec.dummy import DummyRecommender
from skrec.ensemble import Fallback
from skrec.linear_model import EASE
from skrec.metrics import compare_models, evaluate, make_ranking_scorer
from skrec.model_selection import SameUsersSplit, holdout_split, temporal_split
from tests.side_recommenders import SituationRidge

N_UNKNOWN = 60


@pytest.fixture(scope="module")
def split():
    """Held-out items of 200 users, of whom 60 show nothing: every third one, and some more."""
    X = make_interactions(200, 40, 2400, random_state=0, return_X=True)
    shown, held_out = holdout_split(X, 0.3, random_state=0)
    shown = shown.tolil()
    shown[:N_UNKNOWN] = 0
    return csr_array(shown), held_out


def test_both_kinds_are_reported(split):
    shown, held_out = split
    model = EASE(20.0).fit(shown)
    with pytest.warns(
        UserWarning, match=r"Nothing is known of 60 of the 200 evaluated users.*Fall"
    ):
        result = evaluate(model, shown, held_out, ["ndcg@10", "auc"])
    np.testing.assert_array_equal(result.unknown, np.arange(200) < N_UNKNOWN)
    for name in ("ndcg@10", "auc"):
        assert result.n_unknown[name] == N_UNKNOWN
        values = result.per_user[name]
        assert result.mean_unknown[name] == pytest.approx(np.nanmean(values[:N_UNKNOWN]))
        assert result.mean_known[name] == pytest.approx(np.nanmean(values[N_UNKNOWN:]))
    apart = evaluate(model, shown[N_UNKNOWN:], held_out[N_UNKNOWN:], ["ndcg@10"])
    assert apart.mean["ndcg@10"] == pytest.approx(result.mean_known["ndcg@10"])
    assert apart.n_unknown == {"ndcg@10": 0}
    assert np.isnan(apart.mean_unknown["ndcg@10"])
    assert "nothing is known" not in repr(apart)
    assert "; nothing is known of 60 of them: nDCG@10 ." in repr(result)
    assert "; of the others: nDCG@10 ." in repr(result)


def test_where_nothing_is_known_of_anybody_there_are_no_others(split):
    shown, held_out = (part[:N_UNKNOWN] for part in split)
    model = EASE(20.0).fit(split[0])
    with pytest.warns(UserWarning, match=r"of the 60 evaluated users.* guess\. A fallback"):
        result = evaluate(model, shown, held_out, "ndcg@10")
    assert "; nothing is known of 60 of them: nDCG@10 ." in repr(result)
    assert "others" not in repr(result)


def test_the_case_of_a_split_in_time():
    """EASE lost to popularity, by users of whom it knew nothing; around a fallback it wins."""
    data = make_interactions(400, 60, 5000, random_state=1)
    rng = np.random.default_rng(0)
    arrival = rng.random(400)[data.user]  # users come one after the other
    times = csr_array((arrival + 0.1 * rng.random(data.X.nnz), data.X.indices, data.X.indptr))
    X_train, y = temporal_split(data.X, times, quantile=0.8)
    results = {}
    for name, model in {
        "ease": EASE(50.0), "popularity": DummyRecommender(), "both": Fallback(EASE(50.0)),
    }.items():  # fmt: skip
        said = "They get the lists of the fallback" if name == "both" else "skrec.ensemble.Fallback"
        with pytest.warns(UserWarning, match=f"Nothing is known of.*{said}"):
            results[name] = evaluate(model.fit(X_train), X_train, y, "ndcg@10")
    unknown = {name: result.mean_unknown["ndcg@10"] for name, result in results.items()}
    known = {name: result.mean_known["ndcg@10"] for name, result in results.items()}
    assert unknown["ease"] < unknown["popularity"] == unknown["both"]
    assert known["popularity"] < known["ease"] == known["both"]
    assert results["both"].mean["ndcg@10"] > max(
        results["ease"].mean["ndcg@10"], results["popularity"].mean["ndcg@10"]
    )


def test_a_tenth_is_not_warned_of(split):
    shown, held_out = split
    model = EASE(20.0).fit(shown)
    for n_rows, warned in ((N_UNKNOWN * 10, False), (N_UNKNOWN * 10 - 1, True)):
        rows = np.r_[np.arange(N_UNKNOWN), np.resize(np.arange(N_UNKNOWN, 200), n_rows - N_UNKNOWN)]
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            result = evaluate(model, shown[rows], held_out[rows], "ndcg@10")
        assert result.n_unknown["ndcg@10"] == N_UNKNOWN
        assert bool(caught) == warned


def test_rows_that_are_not_evaluated_do_not_count(split):
    shown, held_out = split
    only = held_out.tolil()
    only[: N_UNKNOWN - 5] = 0  # of 55 of them nothing is held out
    result = evaluate(EASE(20.0).fit(shown), shown, csr_array(only), "ndcg@10")
    assert result.n_unknown["ndcg@10"] == 5


def test_stored_zeros_say_nothing(split):
    shown, held_out = split
    zeros = shown.copy()
    zeros.data[zeros.indptr[100] : zeros.indptr[101]] = 0
    with pytest.warns(UserWarning, match="Nothing is known of 61"):
        evaluate(EASE(20.0).fit(shown), zeros, held_out, "ndcg@10")


@pytest.mark.parametrize("sparse", [False, True])
def test_features_are_something(split, sparse):
    shown, held_out = split
    users = np.random.default_rng(0).normal(size=(200, 3))
    users[:7] = 0
    features = csr_array(users) if sparse else users
    model = SituationRidge().fit(shown, user_features=features)
    result = evaluate(model, shown, held_out, "ndcg@10", user_features=features)
    assert result.n_unknown["ndcg@10"] == 7


def test_candidates_and_ratings(split):
    shown, held_out = split
    with pytest.warns(UserWarning, match=r"RMSE"):
        result = evaluate(EASE(20.0).fit(shown), shown, held_out, "rmse")
    errors, n = result.per_user["rmse"], result.n_held_out
    of_unknown = np.sqrt(np.average(errors[:N_UNKNOWN] ** 2, weights=n[:N_UNKNOWN]))
    assert result.mean_unknown["rmse"] == pytest.approx(of_unknown)
    one = csr_array(
        (np.ones(200), (np.arange(200), held_out.indices[held_out.indptr[:-1]])), (200, 40)
    )
    candidates = np.tile(np.arange(10), (200, 1))
    with pytest.warns(UserWarning, match="Nothing is known"):
        found = evaluate(EASE(20.0).fit(shown), shown, one, "ndcg@5", candidates=candidates)
    assert found.n_unknown["ndcg@5"] == N_UNKNOWN


def test_a_search_warns_once(split):
    shown, held_out = split
    scorer = make_ranking_scorer(["ndcg@10", "recall@5"])
    search = GridSearchCV(
        EASE(), {"alpha": [1.0, 10.0, 100.0]}, scoring=scorer, refit="ndcg@10",
        cv=SameUsersSplit(),
    )  # fmt: skip
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        search.fit(shown, held_out)
        copy.deepcopy(search)
    assert [str(one.message)[:16] for one in caught] == ["Nothing is known"]
    assert repr(scorer) == "RankingScorer(metrics=['ndcg@10', 'recall@5'])"


@pytest.mark.slow
def test_models_are_compared_with_one_warning(split):
    shown, held_out = split
    models = {"EASE": EASE(20.0), "popularity": DummyRecommender(), "both": Fallback(EASE(20.0))}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        grid = {"EASE": [{"alpha": 5.0}, {"alpha": 20.0}]}
        found = compare_models(models, shown, shown, held_out, ["ndcg@10"], search=grid)
    assert sum("Nothing is known" in str(one.message) for one in caught) == 1
    frame = found.to_frame()
    assert frame.loc["both", "ndcg@10_unknown"] == frame.loc["popularity", "ndcg@10_unknown"]
    assert frame.loc["EASE", "ndcg@10_known"] > frame.loc["popularity", "ndcg@10_known"]
    assert "Nothing is known of 60 of the 200 users; ndcg@10" in " ".join(str(found).split())
    assert "Nothing is known of 60 of the 200 users" in found._repr_html_()
    assert found.to_dict()["models"][0]["scores"]["ndcg@10"]["mean_unknown"] > 0
    alike = compare_models(models, shown[80:], shown[80:], held_out[80:], ["ndcg@10"])
    assert "ndcg@10_unknown" not in alike.to_frame()
