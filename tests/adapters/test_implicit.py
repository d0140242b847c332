"""Models of implicit as recommenders: scores against implicit's own, parameters, files."""

import pickle
import subprocess
import sys
import warnings

import joblib
import numpy as np
import pytest
from implicit.als import AlternatingLeastSquares
from implicit.bpr import BayesianPersonalizedRanking
from implicit.lmf import LogisticMatrixFactorization
from implicit.nearest_neighbours import (
    BM25Recommender,
    CosineRecommender,
    ItemItemRecommender,
    TFIDFRecommender,
)
from scipy.optimize import minimize
from scipy.sparse import csr_array, csr_matrix
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Binarizer
from sklearn.utils import get_tags

import skrec
from skrec.adapters import ImplicitRecommender, _implicit_models
from skrec.adapters._implicit_users import bpr_vectors, lmf_penalty, lmf_vectors
from skrec.datasets import make_interactions
from skrec.metrics import compare_models, evaluate
from skrec.model_selection import holdout_split, user_train_test_split
from skrec.utils import all_recommenders
from skrec.utils._hashing import keyed_choices, row_hashes

MODELS = {
    "als": lambda: AlternatingLeastSquares(factors=8, alpha=3.0, random_state=1),
    "als64": lambda: AlternatingLeastSquares(
        factors=8, use_cg=False, dtype=np.float64, random_state=1
    ),
    "bpr": lambda: BayesianPersonalizedRanking(factors=8, num_threads=1, random_state=1),
    "lmf": lambda: LogisticMatrixFactorization(factors=8, num_threads=1, random_state=1),
    "item": lambda: ItemItemRecommender(K=7),
    "cosine": CosineRecommender,
    "tfidf": lambda: TFIDFRecommender(K=30),
    "bm25": lambda: BM25Recommender(K=9, B=0.3),
}


@pytest.fixture(scope="module")
def X():
    X = make_interactions(120, 40, 1500, random_state=0, return_X=True).astype(float)
    X.data[:] = np.random.default_rng(0).integers(1, 4, len(X.data))
    return csr_array(X)


@pytest.fixture(scope="module")
def new(X):
    return csr_array((np.random.default_rng(7).random((9, X.shape[1])) < 0.2) * 2.0)


@pytest.fixture(params=MODELS)
def make(request):
    return MODELS[request.param]


def _implicit_matrix(model, X):
    return csr_matrix(X).astype(np.float64 if hasattr(model, "K") else np.float32)


@pytest.mark.filterwarnings("ignore:Method expects CSR")
def test_lists_and_scores_are_those_of_implicit(make, X):
    adapter, model = ImplicitRecommender(make()).fit(X), make()
    matrix = _implicit_matrix(model, X)
    model.fit(matrix, show_progress=False)
    solve = {"recalculate_user": True} if adapter.kind_ == "als" else {}
    items, scores = model.recommend(np.arange(X.shape[0]), matrix, N=10, **solve)
    _, found_scores = adapter.recommend(X, 10, return_scores=True)
    # Item-item models of implicit fill up with items of score 0, also such that a user has.
    there = (scores > -1e30) & ((scores != 0) | (adapter.kind_ != "item_item"))
    close = {"rtol": 2e-6, "atol": 2e-6 * np.abs(scores[there]).max()}
    np.testing.assert_allclose(found_scores[there], scores[there], **close)
    # The lists may differ in items of equal score only.
    theirs = np.take_along_axis(adapter.decision_function(X), np.maximum(items, 0), axis=1)
    np.testing.assert_allclose(theirs[there], scores[there], **close)
    _, values = model.similar_items(np.arange(40), N=6)
    _, ours = adapter.similar_items(np.arange(40), 5, return_scores=True)
    there = values[:, 1:] > -1e30
    np.testing.assert_allclose(ours[there], values[:, 1:][there], rtol=1e-5, atol=1e-6)


def test_new_rows_of_als_are_those_of_recalculate_user(X, new):
    model = MODELS["als"]()
    adapter = ImplicitRecommender(MODELS["als"]()).fit(X)
    model.fit(_implicit_matrix(model, X), show_progress=False)
    expected = model.recalculate_user(np.arange(len(new.toarray())), _implicit_matrix(model, new))
    np.testing.assert_allclose(adapter.transform(new), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        adapter.decision_function(new), expected @ model.item_factors.T, rtol=1e-4, atol=1e-5
    )
    assert not adapter.transform(np.zeros((1, X.shape[1]))).any()


@pytest.mark.parametrize("name", ["als", "als64", "item", "tfidf"])
def test_explanations_add_up_to_the_scores(name, X, new):
    adapter = ImplicitRecommender(MODELS[name]()).fit(X)
    items = adapter.recommend(new, 3)
    items[2, 1] = -1
    parts = adapter.explain(new, items)
    scores = np.take_along_axis(adapter.decision_function(new), np.maximum(items, 0), axis=1)
    scores[items < 0] = 0
    np.testing.assert_allclose(parts.sum(axis=1), scores.ravel(), rtol=1e-9, atol=1e-9)
    with pytest.raises(ValueError, match="items"):
        adapter.explain(new, items[:2])


@pytest.mark.filterwarnings("ignore:Method expects CSR")
def test_explanations_are_those_of_implicit(X):
    model = MODELS["als64"]()
    adapter = ImplicitRecommender(MODELS["als64"]()).fit(X)
    model.fit(csr_matrix(X).astype(np.float32), show_progress=False)
    parts = adapter.explain(X[4:5], [[7]])
    total, top, _ = model.explain(4, csr_matrix(X), 7, N=5)
    np.testing.assert_allclose(parts.sum(), total, rtol=1e-6)
    np.testing.assert_allclose([parts[0, i] for i, _ in top], [s for _, s in top], rtol=1e-6)
    assert not hasattr(ImplicitRecommender(MODELS["bpr"]()), "explain")


def test_als_without_penalty_and_with_more_factors_than_items_is_finite(X, new):
    model = AlternatingLeastSquares(factors=60, regularization=0.0, random_state=0)
    adapter = ImplicitRecommender(model).fit(X)
    scores = adapter.decision_function(new)
    assert np.isfinite(scores).all()
    # The items of a row are fitted well where nothing is held back.
    assert scores[new.nonzero()].mean() > scores[new.toarray() == 0].mean() + 0.3


@pytest.mark.parametrize("name", ["bpr", "lmf"])
def test_known_rows_have_learned_vectors_and_others_are_folded_in(name, X, new):
    adapter = ImplicitRecommender(MODELS[name]()).fit(X)
    np.testing.assert_array_equal(adapter.transform(X[5:7]), adapter.user_factors_[5:7])
    folded = clone(adapter).set_params(known_users="fold_in").fit(X)
    assert not np.allclose(folded.transform(X), adapter.user_factors_)
    np.testing.assert_array_equal(folded.transform(new), adapter.transform(new))
    together = adapter.transform(new)
    alone = np.concatenate([adapter.transform(new[[u]]) for u in range(new.shape[0])])
    np.testing.assert_array_equal(together, alone)
    # BPR knows rows by their items, LMF by their values as well.
    twice = adapter.transform(X[5:7] * 2)
    assert np.array_equal(twice, adapter.user_factors_[5:7]) == (name == "bpr")


@pytest.mark.parametrize("penalty", [0.6, 0.0])
def test_lmf_is_folded_in_at_the_minimum(penalty, X, new):
    model = LogisticMatrixFactorization(factors=6, regularization=penalty, random_state=0)
    adapter = ImplicitRecommender(model).fit(X)
    items, popularity = adapter.components_.T.astype(float), adapter.item_popularity_
    hashes = row_hashes(new)
    each = lmf_penalty(adapter.user_factors_, penalty)
    found = lmf_vectors(new, hashes, items, popularity, adapter.seed_, penalty=each, neg_prop=30)
    drawn = keyed_choices(hashes, 256, adapter.seed_, popularity)
    free = np.r_[0:6, 7]

    def loss(v, u):
        score = items[:, free] @ v + items[:, 6]
        own = new[[u]].indices
        size = min(8, 30 * len(own))
        total = new[[u]].data @ (np.logaddexp(0, score[own]) - score[own])
        total += size * np.logaddexp(0, score[drawn[u]]).mean()
        return total + each @ v**2 / 2

    for u in range(3):
        best = minimize(loss, np.zeros(7), args=(u,), tol=1e-12)
        assert loss(found[u, free], u) <= best.fun + 1e-6
        np.testing.assert_allclose(found[u, free], best.x, atol=1e-3)
        assert found[u, 6] == 1


def test_bpr_is_folded_in_by_implicits_steps(X, new):
    adapter = ImplicitRecommender(
        BayesianPersonalizedRanking(factors=3, iterations=4, learning_rate=0.1, random_state=0)
    ).fit(X)
    items, hashes = adapter.components_.T, row_hashes(new)
    args = (items, adapter.item_popularity_, adapter.seed_, adapter.model_parameters_)
    found = bpr_vectors(new, hashes, *args)
    drawn = keyed_choices(hashes, 256, adapter.seed_, adapter.item_popularity_)
    for u in range(new.shape[0]):
        own, v, n = new[[u]].indices, np.zeros(3), 0
        for _ in range(4):
            for i in own:
                j, n = drawn[u, n % 256], n + 1
                if j in own:
                    continue
                gap = items[i] - items[j]
                z = 1 / (1 + np.exp(gap[:3] @ v + gap[3]))
                v += 0.1 * (z * gap[:3] - 0.01 * v)
        np.testing.assert_allclose(found[u], [*v, 1.0], atol=1e-5)


@pytest.mark.parametrize("name", ["bpr", "lmf"])
def test_folded_in_users_are_ranked_about_as_well_as_learned_ones(name, data_home):
    log = np.load(data_home / "ml-100k" / "interactions.npz")
    liked = log["rating"] >= 4
    X = csr_array((np.ones(liked.sum()), (log["user"][liked], log["item"][liked])))
    X_train, y = holdout_split(X, random_state=0)
    model = {
        "bpr": BayesianPersonalizedRanking(factors=32, random_state=0),
        "lmf": LogisticMatrixFactorization(factors=30, regularization=5.0, random_state=0),
    }[name]
    learned = ImplicitRecommender(model).fit(X_train)
    folded = clone(learned).set_params(known_users="fold_in").fit(X_train)
    found = [evaluate(m, X_train, y, "ndcg@20").mean["ndcg@20"] for m in (learned, folded)]
    assert found[1] > 0.93 * found[0]


def test_keyed_choices_are_in_proportion_to_the_weight():
    hashes = np.random.default_rng(0).integers(0, 2**63, size=(400, 2)).astype(np.uint64)
    weight = np.array([0, 5, 0, 1, 14, 0])
    drawn = keyed_choices(hashes, 50, 3, weight)
    share = np.bincount(drawn.ravel(), minlength=6) / drawn.size
    np.testing.assert_allclose(share, weight / 20, atol=0.01)
    assert not share[weight == 0].any()
    np.testing.assert_array_equal(keyed_choices(hashes[7:8], 50, 3, weight), drawn[7:8])
    assert (keyed_choices(hashes, 50, 4, weight) != drawn).any()


def test_parameters_of_the_model_are_parameters(X):
    model = AlternatingLeastSquares(factors=5)
    adapter = ImplicitRecommender(model)
    assert adapter.get_params()["model__factors"] == 5
    adapter.set_params(model__factors=6, model__cg_steps=2, random_state=3)
    assert (adapter.model.factors, adapter.model.cg_steps, model.factors) == (6, 2, 5)
    assert repr(adapter) == (
        "ImplicitRecommender(model=AlternatingLeastSquares(factors=6, cg_steps=2),\n"
        "                    random_state=3)"
    ) or "AlternatingLeastSquares(factors=6, cg_steps=2)" in repr(adapter)
    adapter.set_params(model=BM25Recommender(), model__K=4)
    assert type(adapter.model) is BM25Recommender
    assert adapter.model.K == 4
    with pytest.raises(ValueError, match=r"no parameter 'factors'.*'K1'"):
        adapter.set_params(model__factors=4)
    with pytest.raises(ValueError, match="n_factors"):
        adapter.set_params(n_factors=4)
    assert ImplicitRecommender().set_params(model__factors=4).fit(X).components_.shape == (4, 40)


def test_the_model_is_never_fitted_and_a_fitted_one_is_not_gone_on_with(X):
    model = MODELS["als"]()
    expected = ImplicitRecommender(model).fit(X).components_
    assert model.item_factors is None
    model.fit(csr_matrix(X).astype(np.float32), show_progress=False)
    adapter = ImplicitRecommender(model)
    np.testing.assert_array_equal(adapter.fit(X).components_, expected)
    np.testing.assert_array_equal(adapter.fit(X).components_, expected)
    np.testing.assert_array_equal(clone(adapter).fit(X).components_, expected)


@pytest.mark.parametrize("given", [CosineRecommender, AlternatingLeastSquares, None])
def test_classes_and_factories_are_models_too(given, X):
    adapter = ImplicitRecommender(given)
    assert clone(adapter).model is given
    assert adapter.fit(X).kind_ == ("item_item" if given is CosineRecommender else "als")
    assert hasattr(adapter, "transform") == (given is not CosineRecommender)
    assert hasattr(ImplicitRecommender(given), "transform") == (given is not CosineRecommender)


def test_a_seed_gives_the_same_bits_without_a_number_of_threads(X, new):
    for make in (BayesianPersonalizedRanking, LogisticMatrixFactorization, AlternatingLeastSquares):
        one, other = (ImplicitRecommender(make(factors=4), random_state=5).fit(X) for _ in "ab")
        np.testing.assert_array_equal(one.components_, other.components_)
        own = ImplicitRecommender(make(factors=4, random_state=5)).fit(X)
        np.testing.assert_array_equal(one.components_, own.components_)
        assert own.seed_ == 5
        state = np.random.RandomState(5)
        drawn = ImplicitRecommender(make(factors=4, random_state=state)).fit(X)
        assert not np.array_equal(drawn.components_, own.components_)
        generator = np.random.default_rng(5)
        assert ImplicitRecommender(make(factors=4, random_state=generator)).fit(X).seed_ != 5


@pytest.mark.slow
def test_searches_pipelines_and_tables(X):
    search = GridSearchCV(
        make_pipeline(Binarizer(), ImplicitRecommender(random_state=0)),
        [
            {"implicitrecommender__model__factors": [2, 5]},
            {"implicitrecommender__model": [CosineRecommender(K=10), MODELS["bpr"]()]},
        ],
        cv=2,
        error_score="raise",
    ).fit(X)
    scores = search.cv_results_["mean_test_score"]
    assert np.isfinite(scores).all()
    assert len(set(scores)) == 4
    loky = clone(search).set_params(n_jobs=2).fit(X)
    np.testing.assert_array_equal(loky.cv_results_["mean_test_score"], scores)
    split = user_train_test_split(X, test_size=40, random_state=0)
    validation = user_train_test_split(split[0], test_size=20, random_state=1)
    found = compare_models(
        {
            "als": ImplicitRecommender(random_state=0),
            "cosine": ImplicitRecommender(CosineRecommender()),
        },
        *split,
        "ndcg@10",
        search={"als": {"model__factors": [2, 8]}},
        validation=validation,
    )
    assert "factors" in str(found.chosen["als"])
    assert "cosine" in str(found)


def test_what_is_set_is_not_searched():
    from skrec.utils._search_grid import search_grid

    assert len(search_grid(ImplicitRecommender())) == 8
    assert search_grid(ImplicitRecommender(BM25Recommender())) == []
    fixed = search_grid(ImplicitRecommender(), {"model__factors", "random_state"})
    assert [sorted(row) for row in fixed] == [["model__alpha", "model__regularization"]] * 4


@pytest.mark.parametrize("how", ["pickle", "joblib", "skops"])
def test_a_file_holds_no_object_of_implicit(make, how, X, new, tmp_path):
    adapter = ImplicitRecommender(make()).fit(X)
    expected, path = adapter.decision_function(new), tmp_path / "model"
    if how == "pickle":
        path.write_bytes(pickle.dumps(adapter))
        loaded = pickle.loads(path.read_bytes())
    elif how == "joblib":
        joblib.dump(adapter, path)
        loaded = joblib.load(path)
    else:
        skrec.save(adapter, path)
        loaded = skrec.load(path)
    np.testing.assert_array_equal(loaded.decision_function(new), expected)
    assert "model" not in vars(loaded)
    assert repr(loaded) == repr(adapter)
    assert type(loaded.model) is type(adapter.model)
    np.testing.assert_array_equal(loaded.fit(X).decision_function(new), expected)
    twice = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(adapter))))
    np.testing.assert_array_equal(twice.decision_function(new), expected)


_WITHOUT = """
import sys
sys.modules["implicit"] = None  # as if it were not installed
import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *args: None if name == "implicit" else found(name, *args)
import numpy as np, skrec
from skrec.adapters import ImplicitRecommender
"""


@pytest.mark.slow
def test_what_was_fitted_scores_where_implicit_is_not_installed(make, X, new, tmp_path):
    adapter = ImplicitRecommender(make()).fit(X)
    skrec.save(adapter, tmp_path / "model.skops")
    np.save(tmp_path / "new.npy", new.toarray())
    np.save(tmp_path / "expected.npy", adapter.decision_function(new))
    code = _WITHOUT + (
        f"model = skrec.load({str(tmp_path / 'model.skops')!r})\n"
        f"folder = {str(tmp_path)!r}\n"
        "X, expected = (np.load(f'{folder}/{name}.npy') for name in ('new', 'expected'))\n"
        "np.testing.assert_array_equal(model.decision_function(X), expected)\n"
        "repr(model), model.get_params(), model.recommend(X), model.similar_items([1])\n"
        f"skrec.save(model, {str(tmp_path / 'again.skops')!r})\n"
        "try:\n    model.fit(X)\n"
        "except ImportError as error:\n    assert 'scikit-recsys[implicit]' in str(error)\n"
        "else:\n    raise SystemExit('it was fitted')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    again = skrec.load(tmp_path / "again.skops")
    np.testing.assert_array_equal(
        again.fit(X).decision_function(new), adapter.decision_function(new)
    )


@pytest.mark.slow
def test_without_implicit_nothing_else_is_missing():
    code = _WITHOUT + (
        "from skrec.utils import all_recommenders\n"
        "from skrec.linear_model import EASE\n"
        "assert 'ImplicitRecommender' not in dict(all_recommenders())\n"
        "model = ImplicitRecommender()\n"
        "repr(model), model.get_params()\n"
        "try:\n    model.fit(np.eye(3))\n"
        "except ImportError as error:\n    print(error)\n"
        "assert not hasattr(model, 'n_features_in_')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install" in done.stdout
    assert "ImplicitRecommender" in dict(all_recommenders())


@pytest.mark.slow
def test_scoring_and_loading_import_no_implicit(X, tmp_path):
    skrec.save(ImplicitRecommender(CosineRecommender()).fit(X), tmp_path / "model.skops")
    code = (
        f"import sys, numpy as np, skrec\nmodel = skrec.load({str(tmp_path / 'model.skops')!r})\n"
        "model.recommend(np.eye(40))\nassert 'implicit' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (AlternatingLeastSquares(factors=0), "'factors'.*whole number >= 1.*Got 0"),
        (AlternatingLeastSquares(factors=2.5), "'factors'.*Got 2.5"),
        (AlternatingLeastSquares(regularization=-1.0), "'regularization'"),
        (AlternatingLeastSquares(alpha=0.0), "'alpha'"),
        (AlternatingLeastSquares(iterations=0), "'iterations'"),
        (AlternatingLeastSquares(random_state=-3), "'random_state'"),
        (AlternatingLeastSquares(dtype=np.float16), "'dtype'.*float32 or float64"),
        (AlternatingLeastSquares(dtype=np.int32), "'dtype'"),
        (BayesianPersonalizedRanking(learning_rate=0.0), "'learning_rate'"),
        (BayesianPersonalizedRanking(num_threads=10**6), "'num_threads'"),
        (LogisticMatrixFactorization(neg_prop=0), "'neg_prop'"),
        (CosineRecommender(K=0), "'K'"),
        (CosineRecommender(num_threads=-1), "'num_threads'"),
        (BM25Recommender(B=1.5), "'B'"),
        ("als", "'model'.*None or a model of the package implicit"),
        (dict, "'model'"),
        ({"class": "os.system", "parameters": {}}, "'model'"),
        ({"class": 3}, "'model'"),
    ],
)
def test_wrong_models_are_refused(model, message, X):
    with pytest.raises(ValueError, match=message):
        ImplicitRecommender(model).fit(X)


@pytest.mark.parametrize(
    "values",
    [
        np.zeros((5, 4)),
        np.ones((1, 1)),
        np.zeros((1, 1)) + np.eye(1),
        np.ones((6, 1)),
        np.ones((1, 6)),
        np.ones((6, 4)),
        np.array([[1.0, 0], [0, 1], [1, 0]]),
        np.eye(5) * 1e-40,
        np.eye(30, 3),
    ],
    ids=["empty", "one", "one cell", "one item", "one user", "full", "two items", "tiny", "few"],
)
def test_odd_matrices_are_fitted_or_refused(make, values):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Said of every recommender, and rightly: there is nothing to learn in some of these.
        warnings.filterwarnings("ignore", "ImplicitRecommender scores all items alike")
        adapter = ImplicitRecommender(make()).fit(csr_array(values))
    assert np.isfinite(adapter.decision_function(values)).all()
    assert np.isfinite(adapter.decision_function(1 - np.minimum(values, 1))).all()
    assert adapter.recommend(values, 3).shape == (len(values), 3)


def test_what_implicit_cannot_hold_is_a_clear_error_and_changes_nothing(X):
    adapter = ImplicitRecommender(MODELS["als"]()).fit(X)
    before = adapter.decision_function(X)
    with pytest.raises(ValueError, match=r"float32.*1e\+60.*scale X"):
        adapter.fit(X * 0 + csr_array(np.full(X.shape, 1e60)))
    with pytest.raises(ValueError, match=r"implicit's fit failed.*Scale X down"):
        adapter.fit(csr_array(np.full((5, 4), 1e30)))
    with pytest.raises(MemoryError, match="smaller model__factors"):
        ImplicitRecommender(AlternatingLeastSquares(factors=10**9)).fit(X)
    model = AlternatingLeastSquares(factors=30, regularization=0.0, use_cg=False)
    with pytest.raises(ValueError, match="larger model__regularization"):
        ImplicitRecommender(model, random_state=0).fit(csr_array(np.eye(4)))
    np.testing.assert_array_equal(adapter.decision_function(X), before)


def test_large_parameters_are_cut_to_what_they_can_do(X, new):
    pairs = [
        (CosineRecommender(K=10**9), CosineRecommender(K=40)),
        (
            LogisticMatrixFactorization(factors=4, neg_prop=10**9, random_state=0),
            LogisticMatrixFactorization(factors=4, neg_prop=6, random_state=0),
        ),
    ]
    for large, enough in pairs:
        one, other = (ImplicitRecommender(model).fit(X) for model in (large, enough))
        np.testing.assert_array_equal(one.decision_function(X), other.decision_function(X))


def test_nothing_of_another_kind_stays_after_a_refit(X):
    adapter = ImplicitRecommender(MODELS["lmf"]()).fit(X)
    assert get_tags(adapter).recommender_tags.learned_users
    adapter.set_params(model=CosineRecommender()).fit(X)
    assert not {"components_", "user_factors_", "user_hashes_", "seed_"} & set(vars(adapter))
    assert not get_tags(adapter).recommender_tags.learned_users
    assert not hasattr(adapter, "transform")
    adapter.set_params(model=MODELS["als"]()).fit(X)
    assert adapter.transform(X).shape == (120, 8)
    assert list(adapter.get_feature_names_out()[:1]) == ["implicitrecommender0"]


@pytest.mark.slow
def test_a_fit_in_a_forked_child_ends(X):
    # GNU's OpenMP hangs in a child of a process whose threads it has used.
    code = (
        "import multiprocessing, sys, numpy as np\n"
        "from implicit.als import AlternatingLeastSquares\n"
        "from skrec.adapters import ImplicitRecommender\n"
        "X = (np.random.default_rng(0).random((500, 200)) < 0.1) * 1.0\n"
        "model = ImplicitRecommender(AlternatingLeastSquares(factors=16, num_threads=2))\n"
        "model.fit(X)\n"
        "child = multiprocessing.get_context('fork').Process(target=model.fit, args=(X,))\n"
        "child.start(); child.join(60)\n"
        "code = child.exitcode\n"
        "child.kill()\n"
        "sys.exit(code is None or code)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=120, check=False).returncode == 0


def test_a_model_on_cuda_is_taken_from_there(monkeypatch, X, new):
    """Without CUDA: a stand-in for implicit's, whose factors are not in the host's memory."""
    from implicit.cpu.als import AlternatingLeastSquares as OnCPU

    class Matrix:
        def __init__(self, values):
            self.values = values

        def to_numpy(self):
            return self.values

    seen = {}

    class OnCUDA(OnCPU):
        def fit(self, user_items, show_progress=True, callback=None):
            seen.update(alpha=self.alpha, largest=user_items.data.max())
            super().fit(user_items, show_progress, callback)
            self.user_factors, self.item_factors = map(
                Matrix, (self.user_factors, self.item_factors)
            )

    OnCUDA.__module__, OnCUDA.__qualname__ = "implicit.gpu.als", "AlternatingLeastSquares"
    known = _implicit_models._class
    name = "implicit.gpu.als.AlternatingLeastSquares"
    monkeypatch.setattr(
        _implicit_models, "_class", lambda each: OnCUDA if each == name else known(each)
    )
    options = {"factors": 8, "alpha": 3.0, "random_state": 0}
    adapter = ImplicitRecommender(OnCUDA(**options)).fit(X)
    assert seen == {"alpha": 1.0, "largest": 9.0}
    assert adapter.model_parameters_["alpha"] == 3.0
    expected = ImplicitRecommender(AlternatingLeastSquares(**options)).fit(X)
    np.testing.assert_array_equal(adapter.decision_function(new), expected.decision_function(new))
