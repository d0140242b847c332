"""evaluate and compare: values per user, errors, candidates, tests of differences."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.stats import ttest_rel
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.pipeline import make_pipeline

from skrec.dummy import DummyRecommender
from skrec.linear_model import EASE
from skrec.metrics import compare, evaluate, make_ranking_scorer
from skrec.model_selection import HeldOut, holdout_split, leave_one_out_split
from tests.reference import metrics as twin

EPS = float(np.finfo(np.float64).eps)


@pytest.fixture
def split(ratings):
    return holdout_split(ratings, 0.3, random_state=2)


def test_values_per_user(popular, split):
    X, y = split
    names = ["recall@5", "ndcg@10", "auc"]
    model = popular().fit(X)
    result = evaluate(model, X, y, names)
    for name in names:
        for u in range(X.shape[0]):
            scores = model.decision_function(X[[u]])[0]
            scores[X[[u]].indices] = -np.inf
            expected = twin.user_metric(name, y[[u]].toarray()[0].tolist(), scores.tolist(), EPS)
            if expected is None:
                assert np.isnan(result.per_user[name][u])
            else:
                assert result.per_user[name][u] == pytest.approx(expected, rel=1e-13)
        known = result.per_user[name][~np.isnan(result.per_user[name])]
        assert result.mean[name] == pytest.approx(known.mean(), rel=1e-13)
        assert result.standard_error[name] == pytest.approx(known.std(ddof=1) / len(known) ** 0.5)
        assert result.n_users[name] == len(known) < X.shape[0]
        assert type(result.mean[name]) is float
    np.testing.assert_array_equal(result.n_held_out, np.diff(y.indptr))


def test_agrees_with_the_scorer(popular, ratings, split):
    model = popular().fit(ratings)
    names = ["recall@5", "ndcg@10", "neg_rmse"]
    for X, y in (split, (ratings, None)):
        options = {"relevance_threshold": 2.5, "graded": True, "normalize": "relevant"}
        result = evaluate(model, X, y, names, **options)
        assert result.mean == make_ranking_scorer(names, **options)(model, X, y)
    assert evaluate(model, ratings, metrics="auc").mean.keys() == {"auc"}
    default = evaluate(model, ratings)
    assert list(default.mean) == ["recall@20", "recall@50", "ndcg@100"]
    assert evaluate(model, split[0], HeldOut(split[1])).mean == evaluate(model, *split).mean


def test_rating_errors(mean_rating, split):
    X, y = split
    model = mean_rating().fit(X)
    result = evaluate(model, X, y, ["rmse", "mae", "neg_rmse"])
    error = y.data - model.mean_[y.indices]
    rows = np.repeat(np.arange(X.shape[0]), np.diff(y.indptr))
    assert result.mean["rmse"] == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-12)
    assert result.mean["mae"] == pytest.approx(np.mean(np.abs(error)), rel=1e-12)
    assert result.mean["neg_rmse"] == -result.mean["rmse"]
    assert result.standard_error["neg_rmse"] == result.standard_error["rmse"]
    np.testing.assert_array_equal(result.per_user["neg_rmse"], -result.per_user["rmse"])
    for u in np.unique(rows):
        assert result.per_user["mae"][u] == pytest.approx(np.mean(np.abs(error[rows == u])))
    assert np.isnan(result.per_user["mae"][np.diff(y.indptr) == 0]).all()


def test_standard_error_of_ratings_is_that_of_the_bootstrap(mean_rating):
    rng = np.random.default_rng(0)
    X = csr_array((rng.random((400, 30)) < rng.random((400, 1))) * rng.integers(1, 6, (400, 30)))
    shown, held = holdout_split(X, 0.4, random_state=0)
    result = evaluate(mean_rating().fit(shown), shown, held, ["rmse", "mae"])
    n = result.n_held_out
    for name in ("rmse", "mae"):
        loss = np.where(n > 0, result.per_user[name], 0.0) ** (2 if name == "rmse" else 1)
        draws = rng.integers(400, size=(4000, 400))
        pooled = (loss * n)[draws].sum(axis=1) / n[draws].sum(axis=1)
        spread = np.std(np.sqrt(pooled) if name == "rmse" else pooled)
        # 4,000 samples give the spread to about 1 percent, the first order a little less.
        assert result.standard_error[name] == pytest.approx(spread, rel=0.06)


def test_nothing_to_evaluate(popular):
    model = popular().fit(np.eye(5))
    with pytest.warns(UndefinedMetricWarning, match="recall@5"):
        result = evaluate(model, np.eye(5), metrics="recall@5")
    assert np.isnan(result.mean["recall@5"])
    assert np.isnan(result.standard_error["recall@5"])
    assert result.n_users["recall@5"] == 0


# Candidates.


class Fixed:
    """Scores of items that depend on nothing but the table it is given."""

    def __init__(self, table):
        self.table = np.asarray(table, dtype=float)

    def decision_function(self, X):
        assert X.shape[0] == len(self.table)
        return self.table


def test_candidates_by_hand():
    # The positive is item 1; it ties with 2, loses to 4, beats 3.
    model = Fixed([[0.0, 5.0, 5.0, 1.0, 9.0, 0.0]])
    X, y = np.array([[1, 0, 0, 0, 0, 0]]), np.array([[0, 1, 0, 0, 0, 0]])

    def found(candidates, name):
        return evaluate(model, X, y, name, candidates=[candidates]).mean[name]

    assert found([3], "hr@1") == 1
    assert found([2, 3], "hr@1") == 0, "a tie counts against the positive"
    assert found([2, 3], "hr@2") == 1
    assert found([2, 3, 4], "ndcg@10") == pytest.approx(1 / np.log2(4))
    assert found([2, 3, 4], "mrr@10") == pytest.approx(1 / 3)
    assert found([2, 3, 4], "map@2") == 0
    assert found([2, 3, 4], "precision@10") == pytest.approx(1 / 10)
    assert found([2, 3, 4], "auc") == pytest.approx(1 / 3)
    assert found([3, 1], "hr@1") == 1, "the positive itself is dropped"
    assert found([4, 4, 4], "mrr@10") == 1 / 2, "one named twice counts once"
    assert found([3, -1, -1], "auc") == 1, "padding counts for nothing"
    assert found([0, 3], "recall@1") == 1, "an item of X is ranked when it is a candidate"
    with pytest.warns(UndefinedMetricWarning, match="auc"):
        assert np.isnan(found([1, -1], "auc"))


@pytest.mark.parametrize("ties", [False, True])
def test_candidates_match_twin(ties):
    rng = np.random.default_rng(0)
    n_users, n_items = 60, 25
    table = rng.integers(0, 4, (n_users, n_items)) if ties else rng.random((n_users, n_items))
    positives = rng.integers(0, n_items, n_users)
    y = np.eye(n_items)[positives]
    candidates = rng.integers(-1, n_items, (n_users, 12))
    names = ["hr@3", "ndcg@5", "mrr@20", "auc"]
    result = evaluate(Fixed(table), np.zeros_like(y), y, names, candidates=candidates)
    for u in range(n_users):
        rank, n_others = twin.candidate_rank(positives[u], candidates[u], table[u], EPS)
        expected = [
            float(rank <= 3),
            1 / np.log2(rank + 1) if rank <= 5 else 0.0,
            1 / rank if rank <= 20 else 0.0,
            1 - (rank - 1) / n_others,
        ]
        assert [result.per_user[name][u] for name in names] == pytest.approx(expected, rel=1e-13)


def test_candidates_use_score_pairs_and_pipelines_agree():
    rng = np.random.default_rng(1)
    X = csr_array(rng.binomial(1, 0.3, (1500, 20)).astype(float))
    shown, held = leave_one_out_split(X, random_state=0)
    keep = np.diff(held.indptr) == 1
    shown, held = shown[keep], held[keep]
    candidates = np.array([rng.permutation(20)[:9] for _ in range(shown.shape[0])])
    model = EASE(alpha=20.0).fit(shown)
    names = ["hr@3", "ndcg@3"]
    direct = evaluate(model, shown, held, names, candidates=candidates)
    through = evaluate(
        make_pipeline("passthrough", model), shown, held, names, candidates=candidates
    )
    assert direct.mean == through.mean

    class NoDense(EASE):
        def decision_function(self, X):
            raise AssertionError("not needed")

    sparse = evaluate(NoDense(alpha=20.0).fit(shown), shown, held, names, candidates=candidates)
    assert sparse.mean == direct.mean
    popular = evaluate(DummyRecommender().fit(shown), shown, held, names, candidates=candidates)
    assert popular.mean["hr@3"] != direct.mean["hr@3"]


def test_all_other_items_as_candidates_are_the_full_ranking():
    rng = np.random.default_rng(2)
    table = rng.random((30, 12))
    X = np.zeros((30, 12))
    y = np.eye(12)[rng.integers(0, 12, 30)]
    names = ["hr@3", "ndcg@5", "map@5", "auc"]
    everything = np.tile(np.arange(12), (30, 1))
    with_candidates = evaluate(Fixed(table), X, y, names, candidates=everything)
    full = evaluate(Fixed(table), X, y, names)
    for name in names:
        np.testing.assert_allclose(with_candidates.per_user[name], full.per_user[name], rtol=1e-13)


def test_ncf_protocol_on_real_data(data_home):
    folder = data_home / "ml-1m"
    if not folder.is_dir():
        pytest.skip("ml-1m is not there")
    log, given = (np.load(folder / name) for name in ("interactions.npz", "ncf_leave_one_out.npz"))
    positive, negatives = given["test_item"].astype(int), given["negatives"].astype(int)
    users, n_items = np.arange(len(positive)), int(log["item"].max()) + 1
    X = csr_array((np.ones(len(log["user"])), (log["user"], log["item"])), shape=(6040, n_items))
    y = csr_array((np.ones(len(positive)), (users, positive)), shape=X.shape)
    train = csr_array(X - y)
    train.eliminate_zeros()
    found = evaluate(
        DummyRecommender().fit(train), train, y, ["hr@10", "ndcg@10"], candidates=negatives
    )
    counts = np.bincount(train.indices, minlength=n_items)
    rivals = negatives != positive[:, None]  # 156 of them are the positive itself
    ranks = 1 + ((counts[negatives] >= counts[positive][:, None]) & rivals).sum(axis=1)
    assert (~rivals).sum() == 156
    assert found.mean["hr@10"] == pytest.approx(np.mean(ranks <= 10), rel=1e-12)
    discounted = np.where(ranks <= 10, 1 / np.log2(ranks + 1), 0.0)
    assert found.mean["ndcg@10"] == pytest.approx(discounted.mean(), rel=1e-12)


def test_bad_candidates():
    model, X, y = Fixed(np.eye(3)), np.zeros((3, 3)), np.eye(3)
    candidates = np.zeros((3, 1), dtype=int)
    with pytest.raises(ValueError, match=r"Got 2 in row 1 \(2 rows in all"):
        evaluate(model, X, [[1, 0, 0], [1, 1, 0], [0, 0, 0]], "hr@1", candidates=candidates)
    with pytest.raises(ValueError, match="`y` must be a 2-D matrix"):
        evaluate(model, X, None, "hr@1", candidates=candidates)
    with pytest.raises(ValueError, match=r"Got \(2, 1\), expected \(3, m\)"):
        evaluate(model, X, y, "hr@1", candidates=candidates[:2])
    with pytest.raises(ValueError, match=r"`candidates` must lie in \[-1, 2\]"):
        evaluate(model, X, y, "hr@1", candidates=candidates + 3)
    with pytest.raises(ValueError, match="'rmse' compares ratings"):
        evaluate(model, X, y, ["hr@1", "rmse"], candidates=candidates)
    with pytest.raises(ValueError, match="NaN"):
        evaluate(Fixed(np.full((3, 3), np.nan)), X, y, "hr@1", candidates=candidates)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"holdout": 0.0}, "holdout must be a finite number > 0 and < 1"),
        ({"normalize": "max"}, "normalize must be one of 'min', 'relevant'"),
        ({"graded": "yes"}, "graded must be True or False"),
        ({"relevance_threshold": None}, "relevance_threshold must be a number"),
        ({"random_state": -1}, "random_state"),
        ({"metrics": "recall"}, "Unknown metric 'recall'"),
    ],
)
def test_bad_options(popular, ratings, options, text):
    with pytest.raises(ValueError, match=text):
        evaluate(popular().fit(ratings), ratings, **options)


# compare.


def _two(popular, split, names):
    X, y = split
    a = evaluate(popular(mix=0.9).fit(X), X, y, names)
    return a, evaluate(popular(mix=0.0).fit(X), X, y, names)


def test_compare_is_the_paired_t_test(popular, split):
    a, b = _two(popular, split, ["ndcg@10", "recall@5"])
    found = compare(a, b, "ndcg@10")
    x, y = (r.per_user["ndcg@10"][~np.isnan(r.per_user["ndcg@10"])] for r in (a, b))
    test = ttest_rel(x, y)
    assert found.statistic == pytest.approx(test.statistic)
    assert found.p_value == pytest.approx(test.pvalue)
    assert found.difference == pytest.approx(a.mean["ndcg@10"] - b.mean["ndcg@10"])
    assert found.standard_error == pytest.approx(np.std(x - y, ddof=1) / len(x) ** 0.5)
    assert found.n_users == len(x)
    low, high = found.interval
    assert low < found.difference < high
    # The bootstrap interval is near the normal one.
    assert (high - low) / 2 == pytest.approx(1.96 * found.standard_error, rel=0.15)
    swapped = compare(b, a, "ndcg@10")
    assert swapped.difference == -found.difference
    assert swapped.interval == pytest.approx((-high, -low), abs=0.1 * (high - low))


def test_compare_is_reproducible_and_blocks_do_not_matter(popular, split, monkeypatch):
    a, b = _two(popular, split, "ndcg@10")
    found = compare(a, b, "ndcg@10", random_state=3)
    assert compare(a, b, "ndcg@10", random_state=3) == found
    assert compare(a, b, "ndcg@10", random_state=4).interval != found.interval
    monkeypatch.setattr("skrec.metrics._compare._BLOCK_DRAWS", 1000)
    assert compare(a, b, "ndcg@10", random_state=3) == found


def test_compare_all_metrics(popular, split):
    a, b = _two(popular, split, ["ndcg@10", "recall@5"])
    found = compare(a, b)
    assert list(found) == ["ndcg@10", "recall@5"]
    assert found["recall@5"] == compare(a, b, "recall@5")


def test_compare_errors_of_ratings(mean_rating, popular, split):
    X, y = split
    a = evaluate(mean_rating().fit(X), X, y, ["rmse", "neg_rmse", "mae"])
    b = evaluate(popular(mix=0.0).fit(X), X, y, ["rmse", "neg_rmse", "mae"])
    for name in ("rmse", "mae", "neg_rmse"):
        found = compare(a, b, name)
        assert found.difference == pytest.approx(a.mean[name] - b.mean[name], rel=1e-12)
        assert found.interval[0] < found.difference < found.interval[1]
    assert compare(a, b, "rmse").difference == -compare(a, b, "neg_rmse").difference < 0


def test_compare_with_itself(popular, split):
    a, _ = _two(popular, split, "ndcg@10")
    found = compare(a, a, "ndcg@10")
    assert (found.difference, found.statistic, found.p_value) == (0.0, 0.0, 1.0)
    assert found.interval == (0.0, 0.0)


def test_compare_finds_nothing_in_noise():
    rng = np.random.default_rng(0)
    X = csr_array(rng.binomial(1, 0.3, (300, 30)).astype(float))
    p_values = []
    for seed in range(40):
        results = [
            evaluate(
                DummyRecommender("uniform", random_state=2 * seed + i).fit(X), X, metrics="ndcg@10"
            )
            for i in range(2)
        ]
        p_values.append(compare(*results, "ndcg@10", n_bootstrap=10).p_value)
    # Uniform p-values: of 40, 2 are expected below .05; 8 or more have a chance of .001.
    assert np.sum(np.array(p_values) < 0.05) < 8
    assert np.mean(p_values) == pytest.approx(0.5, abs=0.2)


def test_compare_wants_the_same_users(popular, split, ratings):
    a, b = _two(popular, split, ["ndcg@10"])
    model = popular().fit(ratings)
    with pytest.raises(ValueError, match="not of the same users"):
        compare(a, evaluate(model, ratings, metrics="ndcg@10"), "ndcg@10")
    with pytest.raises(ValueError, match="The results share"):
        compare(a, b, "recall@5")
    with pytest.raises(ValueError, match="The results share"):
        compare(a, evaluate(model, *split, metrics="auc"))
    with pytest.raises(ValueError, match="n_bootstrap must be"):
        compare(a, b, n_bootstrap=0)
    with pytest.raises(ValueError, match="confidence_level must be"):
        compare(a, b, confidence_level=1.0)


def test_compare_few_users(popular):
    X = np.array([[1, 1, 0, 0], [1, 0, 0, 0]])
    a = evaluate(popular(mix=0.1).fit(X), X, metrics="ndcg@2")
    found = compare(a, a, "ndcg@2")
    assert found.n_users == 1
    assert np.isnan([found.standard_error, found.statistic, found.p_value]).all()
