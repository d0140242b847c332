"""Displays of metrics: the arrays behind the pictures, what the axes say, bad input."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex
from scipy.sparse import csr_array
from scipy.stats import ttest_rel
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Binarizer
from sklearn.utils import Bunch

import skrec
from skrec.metrics import (
    ActivityBreakdownDisplay,
    PopularityDisplay,
    RankingCurveDisplay,
    evaluate,
    gini_index_score,
)
from skrec.metrics._plot._groups import adjusted_p_values, quantile_groups
from skrec.model_selection import holdout_split

Y_TRUE = np.array([[1, 0, 1, 0], [0, 1, 0, 0]])
SCORES = {
    "good": np.array([[4.0, 3, 2, 1], [1, 4, 3, 2]]),
    "bad": np.array([[1.0, 2, 3, 4], [4, 3, 2, 1]]),
}
LISTS = np.array([[0, 1], [0, 2], [0, -1]])
# Four items with 3, 2, 1 and 0 users.
X_TRAIN = np.array([[1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0]])


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


@pytest.fixture
def split(ratings):
    return holdout_split(ratings, 0.3, random_state=2)


def legend_texts(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def result_of(values, metric="ndcg@10", n_held_out=None):
    values = np.asarray(values, dtype=float)
    n_held_out = np.ones(len(values), dtype=int) if n_held_out is None else n_held_out
    return Bunch(per_user={metric: values}, n_held_out=n_held_out)


class TestRankingCurve:
    def test_values_by_hand(self):
        display = RankingCurveDisplay.from_predictions(
            Y_TRUE, SCORES, metric="recall", k=[3, 1, 2], normalize="relevant"
        )
        np.testing.assert_array_equal(display.k, [1, 2, 3])
        # Of the first user's two items one is found, then both; the second has one item.
        np.testing.assert_allclose(display.mean["good"], [0.75, 0.75, 1.0])
        np.testing.assert_allclose(display.standard_error["good"], [0.25, 0.25, 0.0])
        np.testing.assert_allclose(display.mean["bad"], [0.0, 0.75, 0.75])
        np.testing.assert_allclose(display.standard_error["bad"], [0.0, 0.25, 0.25])
        assert display.n_users == 2

    def test_what_is_drawn(self):
        fig, ax = plt.subplots()
        display = RankingCurveDisplay.from_predictions(
            Y_TRUE, SCORES, metric="recall", k=(1, 2, 3), normalize="relevant", ax=ax
        )
        assert display.ax_ is ax
        assert display.figure_ is fig
        for line, band, name in zip(display.lines_, display.bands_, SCORES, strict=True):
            mean, error = display.mean[name], display.standard_error[name]
            np.testing.assert_array_equal(line.get_xdata(), [1, 2, 3])
            np.testing.assert_array_equal(line.get_ydata(), mean)
            corners = band.get_paths()[0].vertices
            for k, low, high in zip([1, 2, 3], mean - error, mean + error, strict=True):
                at = corners[corners[:, 0] == k, 1]
                assert (at.min(), at.max()) == pytest.approx((low, high))
        assert ax.get_ylabel() == "recall@k, mean over 2 users"
        assert ax.get_xlabel() == "k, length of the list"
        assert [tick.get_text() for tick in ax.get_xticklabels()] == ["1", "2", "3"]
        assert legend_texts(ax) == ["good", "bad"]
        assert "standard error" in ax.get_legend().get_title().get_text()
        colors = {to_hex(line.get_color()) for line in display.lines_}
        assert len(colors) == len({line.get_marker() for line in display.lines_}) == 2

    def test_agrees_with_evaluate(self, popular, split):
        X, y = split
        models = {"half": popular(0.5).fit(X), "none": popular(0.0).fit(X)}
        options = {"relevance_threshold": 2.5, "graded": True}
        display = RankingCurveDisplay.from_estimator(models, X, y, k=(3, 7), **options)
        for name, model in models.items():
            result = evaluate(model, X, y, ["ndcg@3", "ndcg@7"], **options)
            assert display.mean[name].tolist() == list(result.mean.values())
            assert display.standard_error[name].tolist() == list(result.standard_error.values())
        found = RankingCurveDisplay.from_estimator(models["half"], X, random_state=3, k=[5])
        assert (
            found.mean["Popular"][0]
            == evaluate(models["half"], X, metrics="ndcg@5", random_state=3).mean["ndcg@5"]
        )

    def test_same_hidden_items_for_all(self, popular, ratings):
        model = popular().fit(ratings)
        models = {"a": model, "b": make_pipeline(Binarizer(), popular()).fit(ratings), "c": model}
        display = RankingCurveDisplay.from_estimator(
            models, ratings, random_state=np.random.RandomState(0)
        )
        np.testing.assert_array_equal(display.mean["a"], display.mean["c"])
        assert (display.mean["a"] != display.mean["b"]).any()
        pipeline = RankingCurveDisplay.from_estimator(models["b"], ratings)
        assert list(pipeline.mean) == ["Popular"]

    def test_from_results(self, popular, split):
        X, y = split
        names = ["hr@10", "ndcg@20", "ndcg@3", "auc"]
        result = evaluate(popular().fit(X), X, y, names)
        display = RankingCurveDisplay.from_results({"model": result})
        np.testing.assert_array_equal(display.k, [3, 20])
        assert display.mean["model"].tolist() == [result.mean["ndcg@3"], result.mean["ndcg@20"]]
        assert RankingCurveDisplay.from_results({"m": result}, metric="hit_rate").k.tolist() == [10]
        with pytest.raises(ValueError, match=r"no 'recall@k'.*recall@5"):
            RankingCurveDisplay.from_results({"model": result}, metric="recall")
        with pytest.raises(TypeError, match="dict from names"):
            RankingCurveDisplay.from_results(result)
        other = evaluate(popular().fit(X), X, y, ["ndcg@3"])
        with pytest.raises(ValueError, match=r"'b' has \['ndcg@3'\], not \['ndcg@20'\]"):
            RankingCurveDisplay.from_results({"a": result, "b": other})
        other = evaluate(popular().fit(X), X, None, names)
        with pytest.raises(ValueError, match="not of the same users"):
            RankingCurveDisplay.from_results({"a": result, "b": other})

    def test_looks(self):
        first = RankingCurveDisplay.from_predictions(Y_TRUE, SCORES["good"], k=[1, 2])
        assert legend_texts(first.ax_) == ["model"]
        second = first.plot(first.ax_, line_kw={"label": "again"})
        colors = [line.get_color() for line in first.ax_.get_lines()]
        assert len(set(colors)) == 2, "lines on the axes keep their colours for themselves"
        assert legend_texts(second.ax_) == ["model", "again"]
        third = RankingCurveDisplay.from_predictions(
            Y_TRUE, SCORES, k=[1], line_kw=[{"color": "red"}, None], band_kw={"alpha": 0.5}
        )
        assert third.lines_[0].get_color() == "red"
        assert third.bands_[0].get_alpha() == 0.5
        np.testing.assert_array_equal(third.bands_[0].get_facecolor()[0], [1.0, 0.0, 0.0, 0.5])

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"metric": "ndcg@10"}, "without its '@k'"),
            ({"metric": "auc"}, "metric must be one of"),
            ({"metric": None}, "Got None"),
            ({"k": [0, 1]}, "whole numbers >= 1"),
            ({"k": [1.5]}, "whole numbers >= 1"),
            ({"k": []}, "whole numbers >= 1"),
            ({"k": [[1, 2]]}, "whole numbers >= 1"),
            ({"line_kw": [{}]}, "each of the 2 lines"),
            ({"line_kw": "red"}, "line_kw must be a dict"),
        ],
    )
    def test_bad_input(self, options, message):
        with pytest.raises(ValueError, match=message):
            RankingCurveDisplay.from_predictions(Y_TRUE, SCORES, **options)

    def test_bad_containers(self, popular, ratings):
        with pytest.raises(TypeError, match="given as a dict"):
            RankingCurveDisplay.from_estimator([popular().fit(ratings)], ratings)
        with pytest.raises(ValueError, match="at least one entry"):
            RankingCurveDisplay.from_estimator({}, ratings)
        with pytest.raises(ValueError, match="y_score must hold one score per item"):
            RankingCurveDisplay.from_predictions(Y_TRUE, SCORES["good"][:, :3])
        with pytest.raises(TypeError, match=r"matplotlib Axes or None\. Got ndarray"):
            RankingCurveDisplay.from_predictions(Y_TRUE, SCORES, ax=np.zeros(2))
        with (
            pytest.raises(ValueError, match="No user can be evaluated by 'ndcg'"),
            pytest.warns(UserWarning, match="no user can be evaluated"),
        ):
            RankingCurveDisplay.from_predictions(np.zeros((2, 4)), np.ones((2, 4)))
        with pytest.raises(ValueError, match="ascending"):
            RankingCurveDisplay(
                metric="ndcg", k=[2, 1], mean={"a": [0, 0]}, standard_error={"a": [0, 0]}
            )
        with pytest.raises(ValueError, match=r"mean\['a'\] must hold one number for each"):
            RankingCurveDisplay(metric="ndcg", k=[2], mean={"a": [0, 0]}, standard_error={})
        with pytest.raises(ValueError, match="same models"):
            RankingCurveDisplay(metric="ndcg", k=[2], mean={"a": [0]}, standard_error={"b": [0]})


@pytest.mark.parametrize("own", [{"c": "r"}, {"color": "r"}, {"ls": ":"}])
def test_lines_and_points_take_matplotlibs_short_names(own):
    X = csr_array(np.tril(np.ones((4, 4))))
    lists = np.array([[3], [3], [2], [0]])
    display = PopularityDisplay.from_predictions(lists, X, line_kw=own)
    assert display.lines_[0].get_color() == ("r" if "ls" not in own else display.lines_[0].get_c())
    assert display.lines_[0].get_linestyle() == own.get("ls", "-")
    if "ls" not in own:
        display = PopularityDisplay.from_predictions(lists, X, scatter_kw=own)
        np.testing.assert_array_equal(display.ax_.collections[0].get_facecolor()[0, :3], [1, 0, 0])


class TestActivityBreakdown:
    def test_groups(self):
        np.testing.assert_array_equal(
            quantile_groups(np.array([8, 1, 2, 5, 3, 1]), 3), [2, 0, 1, 2, 1, 0]
        )
        # The median is 1, and a value on a border is in the lower group.
        np.testing.assert_array_equal(quantile_groups(np.array([1, 1, 1, 9]), 2), [0, 0, 0, 1])
        np.testing.assert_array_equal(quantile_groups(np.array([4, 4, 4]), 5), [0, 0, 0])

    def test_holm(self):
        found = adjusted_p_values(np.array([[0.01, 0.04], [0.03, np.nan]]))
        np.testing.assert_allclose(found, [[0.03, 0.06], [0.06, np.nan]])
        np.testing.assert_array_equal(adjusted_p_values(np.array([0.6, 0.7])), [1.0, 1.0])

    def test_values_by_hand(self):
        activity = np.array([1, 1, 7, 2, 3, 5, 8])
        a = result_of([0.0, 1.0, np.nan, 0.5, 0.5, 0.2, 0.4])
        b = result_of([1.0, 1.0, np.nan, 0.4, 0.2, 0.8, 0.8])
        display = ActivityBreakdownDisplay.from_results(
            {"a": a, "b": b}, activity, metric="ndcg@10", n_groups=3, correction=None
        )
        np.testing.assert_array_equal(display.activity_range, [[1, 1], [2, 3], [5, 8]])
        np.testing.assert_array_equal(display.n_users, [2, 2, 2])
        np.testing.assert_allclose(display.mean["a"], [0.5, 0.5, 0.3])
        np.testing.assert_allclose(display.mean["b"], [1.0, 0.3, 0.8])
        # Half the distance of two values is the standard error of their mean.
        np.testing.assert_allclose(display.standard_error["a"], [0.5, 0.0, 0.1])
        assert list(display.p_value) == ["b"]
        expected = [
            ttest_rel([1, 1], [0, 1]).pvalue,
            ttest_rel([0.4, 0.2], [0.5, 0.5]).pvalue,
            ttest_rel([0.8, 0.8], [0.2, 0.4]).pvalue,
        ]
        np.testing.assert_allclose(display.p_value["b"], expected)
        ticks = [tick.get_text() for tick in display.ax_.get_xticklabels()]
        assert ticks == ["1\nn = 2", "2–3\nn = 2", "5–8\nn = 2"]
        assert display.ax_.get_ylabel() == "nDCG@10, mean over the group"
        assert display.ax_.get_xlabel() == "activity of the users (n: users of the group)"
        assert legend_texts(display.ax_) == ["a", "b"]
        for bars, name in zip(display.errorbars_, "ab", strict=True):
            np.testing.assert_array_equal(bars.lines[0].get_ydata(), display.mean[name])
            ends = np.array([part[:, 1] for part in bars.lines[2][0].get_segments()])
            np.testing.assert_allclose(
                ends[:, 1] - ends[:, 0], 2 * display.standard_error[name], atol=1e-15
            )

    def test_tests_and_stars(self):
        rng = np.random.default_rng(0)
        base = rng.random(60)
        activity = np.repeat([1, 2, 3], 20)
        # Far better, a little better, not different.
        shift = np.repeat([0.5, 0.1, 0.0], 20) + rng.normal(0, 0.15, 60)
        results = {"base": result_of(base), "better": result_of(base + shift)}
        options = {"metric": "ndcg@10", "n_groups": 3}
        raw = ActivityBreakdownDisplay.from_results(results, activity, correction=None, **options)
        expected = [
            ttest_rel((base + shift)[activity == g], base[activity == g]).pvalue for g in (1, 2, 3)
        ]
        np.testing.assert_allclose(raw.p_value["better"], expected)
        marks = [text.get_text() for text in raw.ax_.texts]
        assert marks[0] == "***"
        assert marks[1] in ("*", "**")
        assert marks[2] == ""
        title = raw.ax_.get_legend().get_title().get_text()
        assert "paired t-test,\nagainst base:\n* p < 0.05\n** p < 0.01\n*** p < 0.001" in title
        holm = ActivityBreakdownDisplay.from_results(results, activity, **options)
        assert "Holm" in holm.ax_.get_legend().get_title().get_text()
        order = np.sort(expected)
        np.testing.assert_allclose(
            np.sort(holm.p_value["better"]), np.minimum(order * [3, 2, 1], 1.0)
        )
        other = ActivityBreakdownDisplay.from_results(
            results, activity, reference="better", correction=None, **options
        )
        np.testing.assert_allclose(other.p_value["base"], expected)

    def test_rating_errors_are_pooled(self):
        n = np.array([1, 3, 2, 2])
        result = result_of([1.0, 2.0, 3.0, 1.0], "rmse", n)
        display = ActivityBreakdownDisplay.from_results(
            {"m": result}, [1, 1, 5, 5], metric="rmse", n_groups=2
        )
        np.testing.assert_allclose(
            display.mean["m"], [np.sqrt((1 * 1 + 3 * 4) / 4), np.sqrt((2 * 9 + 2 * 1) / 4)]
        )
        assert display.p_value == {}

    def test_from_estimator(self, popular, split):
        X, y = split
        models = {"half": popular(0.5).fit(X), "none": popular(0.0).fit(X)}
        display = ActivityBreakdownDisplay.from_estimator(
            models, X, y, metric="recall@5", n_groups=4
        )
        result = evaluate(models["half"], X, y, "recall@5")
        known = ~np.isnan(result.per_user["recall@5"])
        shown = np.diff(csr_array(X).indptr)
        assert display.n_users.sum() == known.sum()
        for (low, high), n, mean in zip(
            display.activity_range, display.n_users, display.mean["half"], strict=True
        ):
            of = known & (shown >= low) & (shown <= high)
            assert of.sum() == n
            assert mean == pytest.approx(result.per_user["recall@5"][of].mean())
        assert (display.activity_range[1:, 0] > display.activity_range[:-1, 1]).all()
        assert "items that the model sees" in display.ax_.get_xlabel()
        hidden = ActivityBreakdownDisplay.from_estimator(models["half"], X, metric="recall@5")
        assert hidden.activity_range.max() < shown.max(), "what is hidden is not seen"

    def test_from_predictions(self):
        display = ActivityBreakdownDisplay.from_predictions(
            Y_TRUE, SCORES, [3, 9], metric="hr@1", n_groups=2
        )
        np.testing.assert_array_equal(display.mean["good"], [1.0, 1.0])
        np.testing.assert_array_equal(display.mean["bad"], [0.0, 0.0])
        assert np.isnan(display.standard_error["bad"]).all()
        assert np.isnan(display.p_value["bad"]).all(), "one user a group: no test"

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"n_groups": 0}, "n_groups must be a whole number"),
            ({"correction": "bonferroni"}, "correction must be 'holm' or None"),
            ({"reference": "c"}, "reference must be one of the models"),
            ({"metric": "recall@3"}, r"not \['recall@3'\]"),
            ({"activity": [1, 2]}, "one number for each of the 3 users"),
            ({"activity": ["a", "b", "c"]}, "one number for each"),
            ({"activity": [1, 2, np.nan]}, "must be finite"),
            ({"metric": ["ndcg@10"]}, "the name of one metric"),
        ],
    )
    def test_bad_input(self, options, message):
        options = {"activity": [1, 2, 3], "metric": "ndcg@10"} | options
        results = {"a": result_of([0, 1, 1]), "b": result_of([1, 1, 0])}
        with pytest.raises(ValueError, match=message):
            ActivityBreakdownDisplay.from_results(results, options.pop("activity"), **options)

    def test_no_users(self):
        with pytest.raises(ValueError, match="No user can be evaluated"):
            ActivityBreakdownDisplay.from_results(
                {"a": result_of([np.nan, np.nan])}, [1, 2], metric="ndcg@10"
            )

    def test_bad_arrays(self):
        good = {"metric": "ndcg@10", "n_users": [3, 4], "activity_range": [[1, 2], [3, 4]],
                "mean": {"a": [0, 1]}, "standard_error": {"a": [0, 0]}}  # fmt: skip
        ActivityBreakdownDisplay(**good)
        for change, message in [
            ({"activity_range": [1, 2]}, "two numbers for each of the 2 groups"),
            ({"mean": {"a": [0]}}, r"mean\['a'\] must hold one number for each of the 2"),
            ({"p_value": {"b": [0, 0]}}, "of the same models"),
        ]:
            with pytest.raises(ValueError, match=message):
                ActivityBreakdownDisplay(**good | change)


class TestPopularity:
    def test_values_by_hand(self):
        display = PopularityDisplay.from_predictions({"m": LISTS}, X_TRAIN)
        np.testing.assert_array_equal(display.popularity, [3, 2, 1, 0])
        np.testing.assert_array_equal(display.exposure["m"], [3, 1, 1, 0])
        assert display.gini["m"] == pytest.approx(gini_index_score(LISTS, 4))
        assert display.popularity_gini == pytest.approx((-1 * 1 + 1 * 2 + 3 * 3) / (4 * 6))

    def test_exposure(self):
        display = PopularityDisplay.from_predictions({"m": LISTS}, X_TRAIN)
        ax = display.ax_
        # Items without users, with one, and the mean of those with two and three.
        np.testing.assert_array_equal(display.lines_[0].get_xdata(), [0.0, 1.0, 2.5])
        np.testing.assert_array_equal(display.lines_[0].get_ydata(), [0.0, 1.0, 2.0])
        np.testing.assert_array_equal(
            ax.collections[0].get_offsets(), [[3, 3], [2, 1], [1, 1], [0, 0]]
        )
        share = ax.get_lines()[-1]
        np.testing.assert_allclose(share.get_ydata(), share.get_xdata() * 5 / 6)
        assert legend_texts(ax) == ["m", "in proportion to popularity"]
        assert "users who have the item" in ax.get_xlabel()
        assert "lists that name the item" in ax.get_ylabel()

    def test_lorenz(self):
        display = PopularityDisplay.from_predictions({"m": LISTS}, X_TRAIN, kind="lorenz")
        line = display.lines_[0]
        np.testing.assert_allclose(line.get_xdata(), [0, 0.25, 0.5, 0.75, 1])
        np.testing.assert_allclose(line.get_ydata(), [0, 0, 0.2, 0.4, 1])
        texts = legend_texts(display.ax_)
        assert texts[:2] == ["m (Gini 0.45)", "interactions (Gini 0.42)"]
        assert "share of the items" in display.ax_.get_xlabel()
        assert "share of the recommendations" in display.ax_.get_ylabel()

    def test_from_estimator(self, popular, ratings):
        models = {"m": popular().fit(ratings), "p": make_pipeline(popular(0.0)).fit(ratings)}
        display = PopularityDisplay.from_estimator(models, ratings[:30], X_train=ratings, k=3)
        for name, model in models.items():
            lists = skrec.recommend(model, ratings[:30], k=3)
            expected = np.bincount(lists[lists >= 0], minlength=ratings.shape[1])
            np.testing.assert_array_equal(display.exposure[name], expected)
            assert display.gini[name] == pytest.approx(gini_index_score(lists, ratings.shape[1]))
        np.testing.assert_array_equal(display.popularity, (ratings > 0).sum(axis=0))
        own = PopularityDisplay.from_estimator(models["m"], ratings[:30])
        np.testing.assert_array_equal(own.popularity, (ratings[:30] > 0).sum(axis=0))

    @pytest.mark.parametrize(
        ("lists", "options", "message"),
        [
            (LISTS, {"kind": "gini"}, "kind must be 'exposure' or 'lorenz'"),
            ([[9, 0]], {}, "recommendations"),
            ([[-1, -1]], {}, "at least one of them positive"),
            ([[0, 0]], {}, "an item twice"),
            ({}, {}, "at least one entry"),
        ],
    )
    def test_bad_input(self, lists, options, message):
        with pytest.raises(ValueError, match=message):
            PopularityDisplay.from_predictions(lists, X_TRAIN, **options)

    def test_bad_arrays(self):
        with pytest.raises(ValueError, match=r"exposure\['m'\] must have shape \(2,\)"):
            PopularityDisplay(popularity=[1, 2], exposure={"m": [1]})
        with pytest.raises(ValueError, match=r"popularity must have shape \(n_items,\)"):
            PopularityDisplay(popularity=[[1, 2]], exposure={"m": [1]})
        with pytest.raises(ValueError, match="counts >= 0"):
            PopularityDisplay(popularity=[1, -2], exposure={"m": [1, 1]})
