"""Each check of the contract fails for a recommender that breaks its rule, and says so."""

import threading
from unittest import SkipTest

import numpy as np
import pytest
from scipy.sparse import csr_array, issparse
from sklearn.exceptions import EstimatorCheckFailedWarning
from sklearn.utils import check_random_state
from sklearn.utils.estimator_checks import check_estimator

from skrec._testing import behaviour
from skrec.base import BaseRecommender
from skrec.dummy import DummyRecommender
from skrec.utils._params import POSITIVE, Interval
from skrec.utils.estimator_checks import check_recommender, parametrize_with_recommender_checks

NON_NEGATIVE_INTEGER = Interval(0, integer=True)


class _Popular(BaseRecommender):
    """Keeps the contract; each of the others breaks one rule of it."""

    _parameter_rules = {"alpha": POSITIVE}

    def __init__(self, alpha=1.0):
        self.alpha = alpha

    def fit(self, X, y=None):
        return self._learn(self._start_fit(X))

    def _learn(self, X):
        self.weight_ = X.sum(axis=0) / self.alpha
        return self

    def _scores(self, X):
        return np.tile(self.weight_, (X.shape[0], 1)).astype(X.dtype)


class _ScoresWithNumpy(_Popular):
    def score(self, X, y=None, sample_weight=None):
        return np.float64(super().score(X, y, sample_weight))


class _RecommendsSeen(_Popular):
    def recommend(self, X, k=10, *, items=None, exclude_seen=True, return_scores=False):
        return super().recommend(X, k, items=items, exclude_seen=False, return_scores=return_scores)


class _RecommendsTheWorst(_Popular):
    def recommend(self, X, k=10, *, items=None, exclude_seen=True, return_scores=False):
        self.weight_ = -self.weight_
        found = super().recommend(X, k, items=items, exclude_seen=exclude_seen, return_scores=True)
        self.weight_ = -self.weight_
        return found if return_scores else found[0]


class _IgnoresCandidates(_Popular):
    def recommend(self, X, k=10, *, items=None, exclude_seen=True, return_scores=False):
        return super().recommend(X, k, exclude_seen=exclude_seen, return_scores=return_scores)


class _Positional(_Popular):
    def _scores(self, X):
        scores = super()._scores(X)
        scores[:, 0] += X.shape[0]
        return scores


class _HigherIndexFirst(_Popular):
    def recommend(self, X, k=10, *, items=None, exclude_seen=True, return_scores=False):
        found, scores = super().recommend(
            X, k, items=items, exclude_seen=exclude_seen, return_scores=True
        )
        order = np.lexsort((-found, -scores), axis=1)
        found, scores = (np.take_along_axis(part, order, axis=1) for part in (found, scores))
        return (found, scores) if return_scores else found


class _ScoresByIndex(_Popular):
    def _scores(self, X):
        return super()._scores(X) + np.arange(X.shape[1], dtype=X.dtype)


class _OtherPairs(_Popular):
    def _pair_scores(self, X, rows, items):
        return super()._pair_scores(X, rows, items) + 1


class _DividesByActivity(_Popular):
    def _scores(self, X):
        with np.errstate(invalid="ignore", divide="ignore"):
            return (super()._scores(X) / X.sum(axis=1)[:, None]).astype(X.dtype)


class _Remembers(_Popular):
    def _learn(self, X):
        before = getattr(self, "weight_", np.zeros(0))
        super()._learn(X)
        self.weight_[: len(before)] += before[: len(self.weight_)]
        return self


class _ExplainsByWhatIsMissing(_Popular):
    def explain(self, X, items):
        items = np.asarray(items)
        return csr_array(np.ones((items.size, self.n_features_in_)))


class _CountsStoredZeros(_Popular):
    def fit(self, X, y=None):
        super().fit(X)
        stored = X.tocsr() if issparse(X) else csr_array(np.asarray(X))
        self.weight_ = np.bincount(stored.indices, minlength=stored.shape[1]).astype(float)
        return self


class _ForgetsNames(_Popular):
    def fit(self, X, y=None):
        return super().fit(X if issparse(X) else np.asarray(X))


class _LikesSinglePrecision(_Popular):
    def _learn(self, X):
        super()._learn(X)
        self.weight_[0] += 100 * (X.dtype == np.float32)
        return self


class _ChangesItsInput(_Popular):
    def fit(self, X, y=None):
        super().fit(X)
        if issparse(X):
            X.data[...] = 0
        return self


class _TakesNaN(_Popular):
    def fit(self, X, y=None):
        return super().fit(np.nan_to_num(X.toarray() if issparse(X) else X))


class _MendsItsArguments(_Popular):
    def recommend(self, X, k=10, *, items=None, exclude_seen=True, return_scores=False):
        k = max(1, int(k))
        return super().recommend(
            X, k, items=items, exclude_seen=exclude_seen, return_scores=return_scores
        )


class _SwallowsFeatures(_Popular):
    def decision_function(self, X, user_features=None):
        return super().decision_function(X)


class _WithoutRules(_Popular):
    _parameter_rules = {}

    def _learn(self, X):
        self.weight_ = X.sum(axis=0)
        return self


class _PicklesHalf(_Popular):
    def __getstate__(self):
        state = super().__getstate__()
        return state | {"weight_": state["weight_"] * np.arange(len(state["weight_"]))}


class _ClonesWhatIsFitted(_Popular):
    def __sklearn_clone__(self):
        twin = type(self)(self.alpha)
        vars(twin).update(vars(self))
        return twin


class _OtherInThreads(_Popular):
    def _scores(self, X):
        in_thread = threading.current_thread() is not threading.main_thread()
        return super()._scores(X) + in_thread * np.arange(X.shape[1], dtype=X.dtype)


class _DrawsGlobally(_Popular):
    def _learn(self, X):
        np.random.random()
        return super()._learn(X)


BROKEN = [
    ("check_output_shapes", _ScoresWithNumpy, "score returns .*float64"),
    ("check_seen_items_never_recommended", _RecommendsSeen, "a seen item was recommended"),
    ("check_recommend_equals_naive", _RecommendsTheWorst, "Arrays are not equal"),
    ("check_candidates", _IgnoresCandidates, "Arrays are not equal"),
    ("check_row_independence", _Positional, r"decision_function \(one row\)"),
    ("check_ties", _HigherIndexFirst, "of equal scores the lower index comes first"),
    ("check_duplicate_items_tie", _ScoresByIndex, "equal items must tie"),
    ("check_item_permutation", _ScoresByIndex, "Not equal to tolerance"),
    ("check_score_pairs", _OtherPairs, "Not equal to tolerance"),
    ("check_empty_rows_and_columns", _DividesByActivity, "are not finite"),
    ("check_refit_forgets", _Remembers, "decision_function"),
    ("check_explain", _ExplainsByWhatIsMissing, "only items of the row can contribute"),
    ("check_input_kinds", _CountsStoredZeros, r"decision_function \(explicit zeros\)"),
    ("check_dataframe", _ForgetsNames, "feature_names_in_"),
    ("check_float32", _LikesSinglePrecision, "Not equal to tolerance"),
    ("check_input_not_changed", _ChangesItsInput, "Arrays are not equal\ndata"),
    ("check_wrong_inputs", _TakesNaN, r"should have raised .*\(nan\)"),
    ("check_wrong_arguments", _MendsItsArguments, r"should have raised .*\(k must be\)"),
    ("check_unread_side_information", _SwallowsFeatures, r"should have raised .*user_features"),
    ("check_wrong_hyper_parameters", _WithoutRules, r"should have raised .*\(alpha\)"),
    ("check_copies", _PicklesHalf, r"decision_function \(pickle\)"),
    ("check_clone", _ClonesWhatIsFitted, "should have raised .*NotFittedError"),
    ("check_workers", _OtherInThreads, r"decision_function \(threading\)"),
    ("check_global_random_state", _DrawsGlobally, "global generator"),
]


def _checks(estimator):
    """Name -> check, of what is run for an estimator."""
    mark = parametrize_with_recommender_checks([estimator])
    return {case.id.rpartition("-")[2]: case.values[1] for case in mark.args[1]}


@pytest.mark.parametrize(("name", "broken", "rule"), BROKEN, ids=[case[0] for case in BROKEN])
def test_a_broken_rule_is_caught_by_its_check(name, broken, rule):
    with pytest.raises(AssertionError, match=rule) as found:
        _checks(broken())[name](broken())
    kind = {_ForgetsNames: AttributeError, _DividesByActivity: ValueError}.get(
        broken, AssertionError
    )
    assert isinstance(found.value.__cause__, kind)
    # The whole suite finds it, too, if nothing else is run.
    with pytest.raises(AssertionError, match=rule) as found:
        check_recommender(broken(), skip=_checks(broken()).keys() - {name})
    assert str(found.value).startswith(f"{name}: ")


def test_a_recommender_that_keeps_the_rules_passes():
    results = check_recommender(_Popular())
    assert {result["status"] for result in results} == {"passed"}
    assert [result["check_name"] for result in results] == list(_checks(_Popular()))


def test_results_are_those_of_scikit_learn_and_the_rule_that_each_check_guards():
    estimator = _RecommendsSeen()
    results = check_recommender(estimator, skip=["check_workers"], on_fail=None)
    theirs = check_estimator(DummyRecommender(), on_fail=None, on_skip=None)
    assert set(theirs[0]) == set(results[0]) - {"rule"}
    assert all(result["estimator"] is estimator for result in results)
    by_name = {result["check_name"]: result for result in results}
    assert list(by_name) == list(_checks(_Popular()))  # all are run, after the first failure too
    status = {name: result["status"] for name, result in by_name.items()}
    assert {status[name] for name in status if by_name[name]["exception"] is None} == {
        "passed", "skipped",
    }  # fmt: skip
    assert status["check_workers"] == "skipped"
    assert by_name["check_workers"]["expected_to_fail"]
    failed = by_name["check_seen_items_never_recommended"]
    assert failed["status"] == "failed"
    assert isinstance(failed["exception"], AssertionError)
    assert failed["rule"].startswith("Items of the row are left out unless asked for")
    assert all(result["rule"].endswith(".") for result in results)


def test_failures_warn_and_the_rest_is_run():
    with pytest.warns(EstimatorCheckFailedWarning) as caught:
        results = check_recommender(_RecommendsSeen(), on_fail="warn")
    failed = [result for result in results if result["status"] == "failed"]
    assert len(failed) > 1
    assert [w.message.check_name for w in caught] == [result["check_name"] for result in failed]
    assert f"{failed[0]['check_name']}: {failed[0]['rule']}" in str(caught[0].message)
    assert caught[0].filename == __file__


def test_the_first_failure_is_raised_with_the_name_of_its_check_and_its_rule():
    results = check_recommender(_RecommendsSeen(), on_fail=None)
    first = next(result for result in results if result["status"] == "failed")
    with pytest.raises(AssertionError) as found:
        check_recommender(_RecommendsSeen())
    assert str(found.value).startswith(f"{first['check_name']}: {first['rule']}")
    assert str(first["exception"]) in str(found.value)


def test_a_check_that_cannot_be_run_is_skipped(monkeypatch):
    def check_ties(estimator):
        """Of equal scores the lower index stands first."""
        raise SkipTest("no pandas")

    monkeypatch.setattr(behaviour, "check_ties", check_ties)
    results = check_recommender(_Popular(), on_fail="raise")
    assert [
        (r["check_name"], str(r["exception"])) for r in results if r["status"] == "skipped"
    ] == [("check_ties", "no pandas")]


def test_wrong_calls_of_the_suite():
    with pytest.raises(ValueError, match="on_fail must be 'raise', 'warn' or None"):
        check_recommender(_Popular(), on_fail="stop")
    with pytest.raises(TypeError, match="Got the class _Popular"):
        check_recommender(_Popular)


class _Drawn(BaseRecommender):
    """Declares no rule: the base has those of parameters that mean the same everywhere."""

    def __init__(self, *, device="cpu", n_jobs=None, random_state=None, verbose=False):
        self.device = device
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X, y=None):
        X = self._start_fit(X)
        self.seed_ = check_random_state(self.random_state).randint(2**31 - 1)
        self.weight_ = np.asarray(X.sum(axis=0)) * (1 + self.seed_ % 7)
        return self

    def _scores(self, X):
        return np.tile(self.weight_, (X.shape[0], 1)).astype(X.dtype)


class _Loud(_Drawn):
    _parameter_rules = {"verbose": NON_NEGATIVE_INTEGER}


def test_the_base_knows_what_random_state_n_jobs_verbose_and_device_may_be():
    check_recommender(_Drawn())
    X = np.eye(4)
    for name, wrong in {
        "device": ["tpu", None, 0],
        "n_jobs": [0, 1.5, "2"],
        "random_state": ["a", -1, np.random.default_rng(0)],
        "verbose": [2, "yes", None],
    }.items():
        for value in wrong:
            with pytest.raises(ValueError, match=f"The '{name}' parameter of _Drawn must be"):
                _Drawn(**{name: value}).fit(X)
    for right in ({"n_jobs": -1}, {"random_state": np.random.RandomState(0)}, {"device": "auto"}):
        _Drawn(**right).fit(X)


def test_a_rule_of_the_class_goes_before_that_of_the_base():
    _Loud(verbose=2).fit(np.eye(4))
    with pytest.raises(ValueError, match="verbose"):
        _Loud(verbose=-1).fit(np.eye(4))


def test_every_check_can_fail():
    assert [name for name, _, _ in BROKEN if name not in _checks(_Popular())] == []
    assert _checks(_Popular()).keys() == {name for name, _, _ in BROKEN}


def test_unknown_names_to_skip_are_refused():
    with pytest.raises(ValueError, match="check_nothing"):
        check_recommender(DummyRecommender(), skip=["check_nothing"])
