"""Which side information a class reads, how it is checked in `fit`, and what stays after."""

import inspect
import pickle

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.utils import get_tags

from skrec import InteractionContext, ItemFeatures
from skrec.base import BaseRecommender, UserSideMixin
from skrec.decomposition import BiasedMF
from skrec.linear_model import EASE
from skrec.utils import all_recommenders


class ReadsAll(UserSideMixin, BaseRecommender):
    """Keeps what it was given; scores tell which side information reached which row."""

    def fit(self, X, y=None, *, item_features=None, user_features=None, context=None):
        X = self._start_fit(X)
        self.side_ = self._start_side(
            X, item_features=item_features, user_features=user_features, context=context
        )
        return self

    def _scores(self, X, side):
        scores = np.zeros(X.shape, dtype=X.dtype)
        for part in side:
            if part is not None:
                scores += part.sum(axis=1)[:, None]
        return scores + np.arange(X.shape[1]) / 100

    def _extended(self, item_features):
        return {}


class ReadsItems(BaseRecommender):
    def fit(self, X, y=None, *, item_features=None):
        X = self._start_fit(X)
        features = self._start_side(X, item_features=item_features).item_features
        self.features_ = np.eye(X.shape[1]) if features is None else features
        return self

    def _scores(self, X):
        return np.tile(np.asarray(self.features_).sum(axis=1), (X.shape[0], 1)).astype(X.dtype)

    def _extended(self, item_features):
        return {"features_": np.concatenate([self.features_, item_features])}


class ReadsImages(ReadsItems):
    def _scores(self, X):
        return np.tile(np.arange(X.shape[1]), (X.shape[0], 1)).astype(X.dtype)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.recommender_tags.reads |= {"images"}
        return tags


@pytest.fixture
def X():
    return csr_array((np.random.RandomState(0).uniform(size=(7, 5)) < 0.5).astype(float))


def _requested(estimator, method):
    return set(getattr(estimator.get_metadata_routing(), method).requests)


def test_what_a_class_reads_are_the_keywords_of_its_fit():
    def reads(estimator):
        return set(get_tags(estimator).recommender_tags.reads)

    assert reads(EASE()) == set()
    assert reads(ReadsItems()) == {"item_features"}
    assert reads(ReadsAll()) == {"item_features", "user_features", "context"}
    assert reads(ReadsImages()) == {"item_features", "images"}
    assert not hasattr(EASE(), "with_items")
    assert hasattr(ReadsItems(), "with_items")


def test_discovery_by_what_is_read():
    for name in ("item_features", "user_features", "context", "images"):
        for _, cls in all_recommenders(reads=name):
            assert name in get_tags(cls()).recommender_tags.reads
    assert "EASE" not in dict(all_recommenders(reads="item_features"))
    with pytest.raises(ValueError, match="'features'"):
        all_recommenders(reads="features")


def test_which_models_have_a_vector_of_each_training_user():
    learned = {
        name for name, cls in all_recommenders() if get_tags(cls()).recommender_tags.learned_users
    }
    assert {"BPR", "CDAE"} <= learned
    assert not learned & {"EASE", "MultVAE", "WMF", "BiasedMF"}
    assert get_tags(BiasedMF(solver="sgd")).recommender_tags.learned_users


def test_signatures_and_routing_name_what_is_read_only():
    assert "item_features" not in inspect.signature(EASE.fit).parameters
    assert _requested(EASE(), "fit") == {"sample_weight"}
    assert _requested(EASE(), "decision_function") == set()
    assert _requested(ReadsItems(), "fit") == {"item_features"}
    assert _requested(ReadsItems(), "score") == {"sample_weight"}
    assert _requested(ReadsAll(), "decision_function") == {"user_features", "context"}
    assert _requested(ReadsAll(), "score") == {"sample_weight", "user_features", "context"}


@pytest.mark.parametrize("cls", [cls for _, cls in all_recommenders()], ids=lambda c: c.__name__)
def test_no_class_overrides_what_is_no_hook(cls):
    """The base's own helpers must not be hidden by a method that has their name by chance."""
    hooks = {"_scores", "_pair_scores", "_extended", "_start_fit", "_start_side"}
    hooks |= {"_parameter_rules", "_search_grid", "_fitted_rules", "_check_fitted"}
    hooks |= {"_may_score_alike", "_score_unit"}
    hooks |= {"_lists"}  # models that torch scores cut lists where the scores are
    own = {name for name in {**vars(BaseRecommender), **vars(UserSideMixin)} if name[:1] == "_"}
    own = {name for name in own if not name.endswith("__") and "_abc_" not in name} - hooks
    bases = [base for base in cls.__mro__ if issubclass(base, BaseRecommender)]
    for base in set(bases) - {BaseRecommender}:
        assert not own & vars(base).keys(), base


@pytest.mark.parametrize("name", ["item_features", "user_features", "context"])
@pytest.mark.parametrize(
    "method", ["fit", "decision_function", "predict", "recommend", "score_pairs", "score"]
)
def test_what_is_not_read_is_refused_with_the_remedy(X, name, method):
    model = EASE().fit(X)
    arguments = (X, [0], [1]) if method == "score_pairs" else (X,)
    with pytest.raises(TypeError, match=f"{name}.*no side information.*all_recommenders"):
        getattr(model, method)(*arguments, **{name: np.ones((7, 2))})
    if (name, method) != ("item_features", "fit"):
        with pytest.raises(TypeError, match=name):
            getattr(ReadsItems().fit(X), method)(*arguments, **{name: np.ones((7, 2))})


def test_the_wrapped_fit_survives_clone_and_pickle(X):
    model = ReadsItems().fit(X, item_features=np.eye(5))
    assert not hasattr(clone(model), "features_")
    twin = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(twin.decision_function(X), model.decision_function(X))
    assert ReadsItems.fit.__name__ == "fit"
    assert ReadsItems.fit.__qualname__ == "ReadsItems.fit"


@pytest.mark.parametrize("wrap", [np.asarray, csr_array, ItemFeatures, "frame", "list"])
def test_item_features_of_every_kind(X, wrap):
    given = values = np.arange(10.0).reshape(5, 2)
    if wrap == "list":
        given = values.tolist()
    elif wrap == "frame":
        given = pytest.importorskip("pandas").DataFrame(values, columns=["a", "b"])
    else:
        given = wrap(values)
    model = ReadsAll().fit(X, item_features=given)
    found = model.side_.item_features
    np.testing.assert_array_equal(found.toarray() if wrap is csr_array else found, values)
    assert model.n_item_features_in_ == 2
    assert hasattr(model, "item_feature_names_in_") == (wrap == "frame")


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.ones((4, 2)), "one row per item.*4 rows for 5"),
        (np.ones(5), "2-D"),
        (np.ones((5, 2, 2)), "2-D"),
        (np.full((5, 2), np.nan), "NaN.*zeros after scaling"),
        (csr_array(np.full((5, 2), np.inf)), "infinity.*zeros after scaling"),
        (np.full((5, 2), "a"), "numbers.*OneHotEncoder"),
        (np.ones((5, 2), dtype=complex), "[Cc]omplex"),
        (np.ones((5, 3, 4, 4), dtype=np.uint8), "images"),
        (["a.png"] * 5, "images"),
        (np.ones((5, 0)), "0 feature"),
    ],
)
def test_item_features_that_are_refused(X, bad, message):
    with pytest.raises(ValueError, match=message):
        ReadsItems().fit(X, item_features=bad)


def test_images_for_a_class_that_reads_them(X):
    pixels = np.zeros((5, 3, 4, 4), dtype=np.uint8)
    assert ReadsImages().fit(X, item_features=pixels).features_.dtype == np.uint8
    paths = [f"{i}.png" for i in range(5)]
    assert ReadsImages().fit(X, item_features=ItemFeatures(paths)).features_ == paths
    with pytest.raises(ValueError, match="finite"):
        ReadsImages().fit(X, item_features=np.full((5, 3, 4, 4), np.nan))
    with pytest.raises(ValueError, match="one row per item"):
        ReadsImages().fit(X, item_features=paths[:-1])


def test_features_keep_float32_and_turn_others_to_float64(X):
    for dtype, expected in (("f4", "f4"), ("f8", "f8"), ("f2", "f8"), ("i4", "f8"), ("?", "f8")):
        side = ReadsAll().fit(X, item_features=np.ones((5, 2), dtype=dtype)).side_
        assert side.item_features.dtype == expected, dtype


def test_frames_in_another_order_are_refused(X):
    pd = pytest.importorskip("pandas")
    items, users = list("vwxyz"), [f"u{i}" for i in range(7)]
    frame = pd.DataFrame(X.toarray(), columns=items, index=users)
    F = pd.DataFrame(np.eye(5), index=items)
    U = pd.DataFrame(np.ones((7, 2)), index=users)
    model = ReadsAll().fit(frame, item_features=F, user_features=U)
    with pytest.raises(ValueError, match=r"item_features.*order.*'z'"):
        ReadsAll().fit(frame, item_features=ItemFeatures(F.iloc[::-1]))
    with pytest.raises(ValueError, match=r"user_features.*order.*'u6'"):
        ReadsAll().fit(frame, user_features=U.iloc[::-1])
    with pytest.raises(ValueError, match=r"user_features.*order"):
        model.decision_function(frame, user_features=U.iloc[::-1])
    # Other labels say nothing of the order: rows are taken by position.
    ReadsAll().fit(frame, item_features=F.reset_index(drop=True))


def test_a_fit_that_fails_leaves_no_half_of_two_models(X):
    fresh = ReadsItems()
    with pytest.raises(ValueError, match="NaN"):
        fresh.fit(X, item_features=np.full((5, 2), np.nan))
    assert not vars(fresh)
    model = ReadsItems().fit(X, item_features=np.eye(5))
    before = dict(vars(model))
    with pytest.raises(ValueError, match="one row per item"):
        model.fit(X[:, :3], item_features=np.eye(5))
    assert vars(model) == before
    model.decision_function(X)


def test_a_second_fit_forgets_the_features_of_the_first(X):
    pd = pytest.importorskip("pandas")
    model = ReadsAll().fit(
        X, item_features=pd.DataFrame(np.eye(5)).add_prefix("f"), user_features=np.ones((7, 2))
    )
    model.fit(X)
    left = {name for name in vars(model) if "feature" in name or "means" in name}
    assert left == {"n_features_in_"}


# ---------------------------------------------------------------- context


def _context(X, width=1):
    values = np.arange(X.nnz * width, dtype=float).reshape(X.nnz, width)
    return InteractionContext(values, X.indptr)


@pytest.mark.parametrize(
    "rows",
    [
        slice(1, 5),
        slice(None, None, -2),
        np.array([6, 0, 0, 3]),
        [2, 1],
        np.arange(7) % 2 == 0,
        np.array([], dtype=int),
        [],
        -1,
    ],
)
@pytest.mark.parametrize("as_sklearn", [False, True])
def test_a_slice_of_context_has_the_entries_of_its_users(X, rows, as_sklearn):
    X = X.copy()
    X.data[:] = np.arange(1, X.nnz + 1)
    context = InteractionContext(X.data[:, None] * 10, X.indptr)
    part = context[(rows, ...)] if as_sklearn else context[rows]
    expected = X[
        np.atleast_1d(
            np.arange(7)[rows if not isinstance(rows, list) else np.array(rows, dtype=int)]
        )
    ]
    np.testing.assert_array_equal(part.values[:, 0], expected.data * 10)
    np.testing.assert_array_equal(part.indptr, expected.indptr)
    assert len(part) == expected.shape[0]
    assert part.shape == (expected.shape[0],)


def test_context_refuses_what_it_cannot_be(X):
    values = np.ones((X.nnz, 1))
    for bad, message in ((np.ones(X.nnz), "2-D"), (values * np.nan, "NaN"), (values[1:], "indptr")):
        with pytest.raises(ValueError, match=message):
            InteractionContext(bad, X.indptr)
    for indptr in (X.indptr[1:], X.indptr.astype(float), X.indptr[::-1], X.indptr[None], []):
        with pytest.raises(ValueError, match="indptr"):
            InteractionContext(values, indptr)
    with pytest.raises(TypeError, match="users only"):
        InteractionContext(values, X.indptr)[0, 1]


def test_context_in_fit(X):
    model = ReadsAll().fit(X, context=_context(X, 2))
    np.testing.assert_array_equal(model.side_.context, _context(X, 2).values)
    assert model.n_context_features_in_ == 2
    with pytest.raises(TypeError, match="InteractionContext"):
        ReadsAll().fit(X, context=np.ones((X.nnz, 1)))
    with pytest.raises(ValueError, match="one row per stored entry"):
        ReadsAll().fit(X[:-1], context=_context(X))
    with pytest.raises(ValueError, match="one row per stored entry"):
        ReadsAll().fit(X[::-1], context=_context(X))


def test_context_wants_a_canonical_matrix(X):
    zeros, doubled, unsorted = X.copy(), X.copy(), X.copy()
    zeros.data[3] = 0
    unsorted.indices[:2], unsorted.data[:2] = X.indices[1::-1], X.data[1::-1]
    unsorted.has_sorted_indices = True  # a stale flag must not pass for the truth
    doubled.indices[1] = doubled.indices[0]
    for bad in (zeros, doubled, unsorted, X.tocsc(), X.tocoo()):
        with pytest.raises(ValueError, match="With context"):
            ReadsAll().fit(bad, context=_context(X))
    ReadsAll().fit(X.toarray(), context=_context(X))


# ---------------------------------------------------------------- scoring


@pytest.fixture
def model(X):
    rng = np.random.RandomState(1)
    users = rng.uniform(size=(7, 2))
    return ReadsAll().fit(X, user_features=users, context=_context(X, 3)), users


def test_rows_get_their_own_features_and_context(X, model):
    model, users = model
    now = np.random.RandomState(2).uniform(size=(7, 3))
    side = {"user_features": users, "context": now}
    scores = model.decision_function(X, **side)
    base = (users.sum(axis=1) + now.sum(axis=1))[:, None]
    np.testing.assert_allclose(scores, base + np.arange(5) / 100)
    lists, values = model.recommend(X, k=2, return_scores=True, **side)
    np.testing.assert_array_equal(lists[:, 0], model.predict(X, **side))
    real = lists >= 0
    np.testing.assert_allclose(values[real], np.take_along_axis(scores, lists, axis=1)[real])


def test_pairs_have_a_situation_each(X, model):
    model, users = model
    rows, items = np.array([3, 0, 3, 3]), np.array([1, 4, 1, 0])
    now = np.random.RandomState(3).uniform(size=(4, 3))
    found = model.score_pairs(X, rows, items, user_features=users, context=now)
    np.testing.assert_allclose(found, users[rows].sum(axis=1) + now.sum(axis=1) + items / 100)
    with pytest.raises(ValueError, match="one row per pair"):
        model.score_pairs(X, rows, items, user_features=users, context=now[:3])


def test_missing_features_warn_once_and_take_the_mean(X, model):
    model, users = model
    means = model.user_feature_means_, model.context_means_
    np.testing.assert_allclose(means[0], users.mean(axis=0))
    for call in (model.decision_function, model.predict, model.recommend, model.score):
        with pytest.warns(UserWarning, match="scored") as caught:
            call(X)
        assert len(caught) == 2, "one for user_features, one for context"
        assert "scored as unknown users" in str(caught[0].message)
        assert "set_score_request(user_features=True)" in str(caught[0].message)
        assert caught[0].filename == __file__, "the warning names the caller's line"
    with pytest.warns(UserWarning, match="unknown"):
        scores = model.decision_function(X)
    np.testing.assert_allclose(scores[:, 0], means[0].sum() + means[1].sum())


def test_scoring_checks_rows_columns_and_values(X, model):
    model, users = model
    now = np.ones((7, 3))
    for bad, message in (
        (users[:-1], "one row per row of X"),
        (users[:, :1], "columns"),
        (users * np.nan, "NaN"),
        (np.ones(7), "2-D"),
    ):
        with pytest.raises(ValueError, match=f"user_features.*{message}"):
            model.predict(X, user_features=bad, context=now)
    with pytest.raises(ValueError, match="situation"):
        model.predict(X, user_features=users, context=_context(X, 3))
    with pytest.raises(ValueError, match="fitted without"):
        ReadsAll().fit(X).predict(X, user_features=users)


def test_scoring_casts_to_the_dtype_of_X(X, model):
    model, users = model
    side = {"user_features": users, "context": np.ones((7, 3))}
    assert model.decision_function(X.astype(np.float32), **side).dtype == np.float32


def test_columns_of_frames_keep_their_order(X):
    pd = pytest.importorskip("pandas")
    users = pd.DataFrame(np.ones((7, 2)), columns=["age", "height"])
    model = ReadsAll().fit(X, user_features=users, item_features=pd.DataFrame(np.eye(5)))
    model.predict(X, user_features=users)
    with pytest.raises(ValueError, match=r"'height'.*'age'"):
        model.predict(X, user_features=users[["height", "age"]])


# ---------------------------------------------------------------- with_items


def test_with_items_makes_a_longer_model_and_leaves_the_first(X):
    model = ReadsItems().fit(X, item_features=np.eye(5))
    before = dict(vars(model))
    longer = model.with_items(ItemFeatures(2 * np.eye(5)[:2]))
    assert vars(model) == before
    assert longer.n_features_in_ == 7
    wide = csr_array(np.hstack([X.toarray(), np.zeros((7, 2))]))
    np.testing.assert_array_equal(longer.decision_function(wide)[0], [1, 1, 1, 1, 1, 2, 2])
    with pytest.raises(ValueError, match="expecting 7"):
        longer.predict(X)
    with pytest.raises(ValueError, match="columns that the model was fitted with"):
        model.with_items(np.eye(4))
    with pytest.raises(ValueError, match="NaN"):
        model.with_items(np.full((2, 5), np.nan))
    with pytest.raises(ValueError, match="without item_features"):
        ReadsItems().fit(X).with_items(np.eye(5))
    with pytest.raises(ValueError, match="and only then"):
        model.with_items(np.eye(5)[:1], names=["new"])


def test_names_of_new_items(X):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X.toarray(), columns=list("vwxyz"))
    model = ReadsItems().fit(frame, item_features=np.eye(5))
    longer = model.with_items(np.eye(5)[:2], names=["a", "b"])
    assert longer.feature_names_in_.tolist() == list("vwxyzab")
    assert model.feature_names_in_.tolist() == list("vwxyz")
    wide = frame.assign(a=0.0, b=0.0)
    longer.predict(wide)
    with pytest.raises(ValueError, match="need names"):
        model.with_items(np.eye(5)[:2])
    for names, message in (
        (["a", "a"], "'a' more than once"),
        (["a", "v"], "'v' more than once"),
        (["a"], "one text per"),
        ([1, 2], "one text per"),
    ):
        with pytest.raises(ValueError, match=message):
            model.with_items(np.eye(5)[:2], names=names)
    features = pd.DataFrame(np.eye(5)[:2], index=["b", "a"])
    with pytest.raises(ValueError, match="order"):
        model.with_items(features, names=["a", "b"])
