"""What all row models promise: their tables, weights of rows, files, scikit-learn around them."""

import copy
import pickle

import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, KBinsDiscretizer, OneHotEncoder

import skrec
from skrec._persistence import write
from skrec.content import (
    ContentRecommender,
    DeepFMClassifier,
    DeepFMRegressor,
    FMClassifier,
    FMRegressor,
    WideAndDeepClassifier,
    WideAndDeepRegressor,
)
from skrec.utils._fitted_check import check_objects

pd = pytest.importorskip("pandas")
RNG = np.random.default_rng(0)
QUICK = {"n_components": 3, "max_iter": 4, "early_stopping": False, "random_state": 0}
CLASSIFIERS = [FMClassifier, DeepFMClassifier, WideAndDeepClassifier]
REGRESSORS = [FMRegressor, DeepFMRegressor, WideAndDeepRegressor]
ALL = CLASSIFIERS + REGRESSORS


def table(n=120, seed=0):
    """A frame of text, categories that are numbers, numbers and missing values, and classes."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "city": rng.choice(["rome", "oslo", "lima", None], n),
            "price": rng.lognormal(size=n),
            "kind": pd.Categorical(rng.integers(3, size=n)),
            "age": np.where(rng.random(n) < 0.2, np.nan, rng.integers(20, 80, n)),
        }
    )
    y = ((frame.city == "rome") ^ (frame.kind == 1)).to_numpy().astype(int)
    return frame, y


def said(model, X):
    """What a model says of rows."""
    return getattr(model, "decision_function", model.predict)(X)


@pytest.mark.parametrize("cls", ALL)
def test_frames_and_arrays_with_named_columns_are_the_same_table(cls):
    frame, y = table()
    expected = said(cls(**QUICK).fit(frame, y), frame)
    as_objects = frame.astype(object).to_numpy()
    for given in ([0, 2], [True, False, True, False]):
        model = cls(categorical_features=given, **QUICK).fit(as_objects, y)
        np.testing.assert_array_equal(said(model, as_objects), expected)
    named = frame.assign(kind=frame.kind.astype(int))
    model = cls(categorical_features=["city", "kind"], **QUICK).fit(named, y)
    np.testing.assert_array_equal(said(model, named), expected)


@pytest.mark.parametrize("cls", ALL)
def test_polars(cls):
    pl = pytest.importorskip("polars")
    frame, y = table()
    plain = frame.assign(kind=frame.kind.astype(str))
    expected = said(cls(**QUICK).fit(plain, y), plain)
    other = pl.from_pandas(plain)
    np.testing.assert_array_equal(said(cls(**QUICK).fit(other, y), other), expected)


@pytest.mark.parametrize("cls", ALL)
def test_a_weight_is_as_many_copies_and_order_does_not_matter(cls):
    frame, y = table()
    weight = np.random.default_rng(1).integers(0, 4, len(y))
    options = QUICK | {"batch_size": 16, "early_stopping": True, "max_iter": 6}
    weighted = cls(**options).fit(frame, y, sample_weight=weight)
    rows = np.repeat(np.arange(len(y)), weight)
    rows = np.random.default_rng(2).permutation(rows)
    copied = cls(**options).fit(frame.iloc[rows].reset_index(drop=True), y[rows])
    np.testing.assert_array_equal(said(weighted, frame), said(copied, frame))
    assert weighted.validation_scores_ == copied.validation_scores_
    unweighted = cls(**options).fit(frame, y)
    assert np.abs(said(unweighted, frame) - said(weighted, frame)).max() > 1e-4


@pytest.mark.parametrize("cls", ALL)
def test_same_seed_same_bits_and_global_draws_stay(cls):
    frame, y = table()
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first, second = (cls(**QUICK).fit(frame, y) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    for name, value in first.weights_.items():
        np.testing.assert_array_equal(value, second.weights_[name])
    other = cls(**QUICK | {"random_state": 1}).fit(frame, y)
    assert (other.weights_["vectors"] != first.weights_["vectors"]).any()


@pytest.mark.parametrize("cls", ALL)
def test_unseen_and_missing_categories(cls):
    frame, y = table()
    known = frame.assign(city=frame.city.fillna("lima"))  # no city is missing
    model = cls(**QUICK | {"max_iter": 20, "learning_rate": 0.05}).fit(known, y)
    rows = frame.iloc[:4].assign(city=["nowhere", "elsewhere", None, "rome"], kind=1, price=1.0)
    rows = rows.assign(age=30.0, kind=pd.Categorical([1] * 4, categories=[0, 1, 2]))
    nowhere, elsewhere, missing, rome = said(model, rows)
    # None is in the training rows: what is unseen and what is missing says nothing of the city.
    assert nowhere == elsewhere == missing
    assert abs(nowhere - rome) > 1e-3
    model = cls(**QUICK | {"max_iter": 20, "learning_rate": 0.05}).fit(frame, y)
    nowhere, elsewhere, missing, rome = said(model, rows)
    assert nowhere == elsewhere
    assert abs(missing - nowhere) > 1e-3
    # A missing number has weights of its own as well.
    ages = said(model, rows.iloc[:3].assign(city="rome", age=[np.nan, 49.0, 50.0]))
    assert abs(ages[0] - ages[1]) > abs(ages[1] - ages[2])


def test_what_is_unseen_has_weights_of_zero():
    frame, y = table()
    model = FMClassifier(**QUICK).fit(frame, y)
    seen = model.fields_.seen_
    assert 0 < (~seen).sum() < len(seen)
    for name in ("vectors", "linear.weight"):
        assert (model.weights_[name][~seen] == 0).all()
        assert (model.weights_[name][seen] != 0).any(axis=1).all()


def test_one_hot_columns_with_fields_are_the_categories():
    frame, y = table()
    text = frame[["city"]].fillna("none").assign(kind=frame.kind.astype(str))
    hot = OneHotEncoder().fit(text)
    fields = np.repeat(["city", "kind"], [len(c) for c in hot.categories_])
    rows = []
    one_hot = hot.transform(text)
    for X, given in ((text, None), (one_hot, fields), (one_hot.toarray(), fields)):
        found = FMClassifier(fields=given, **QUICK).fit(X, y).fields_
        encoded = found.scaled(found.encode(X if given is None else sparse.csr_array(X)))
        rows.append(encoded[:, np.flatnonzero(found.seen_)].toarray())
        assert found.n_fields == 2
    np.testing.assert_array_equal(rows[0], one_hot.toarray())
    np.testing.assert_array_equal(rows[0], rows[1])
    np.testing.assert_array_equal(rows[0], rows[2])


def test_several_entries_of_a_field_are_scaled():
    X = sparse.csr_array([[1, 0, 0, 1.0], [1, 1, 0, 0], [0, 0, 0, 2], [1, 1, 1, 0]])
    model = FMClassifier(fields=[7, 7, 7, 3], **QUICK).fit(X, [0, 1, 0, 1])
    assert model.fields_.labels_.tolist() == [3, 7]
    rows = model.fields_.scaled(model.fields_.encode(X)).toarray()
    # The column of field 3 and of its absence; three of field 7, and of its absence.
    r2, r3 = 1 / np.sqrt(2), 1 / np.sqrt(3)
    expected = [
        [0.5, 0, 1, 0, 0, 0],
        [0, 1, r2, r2, 0, 0],
        [1, 0, 0, 0, 0, 1],
        [0, 1, *[r3] * 3, 0],
    ]
    np.testing.assert_allclose(rows, expected)


@pytest.mark.parametrize("cls", ALL)
def test_sparse_without_fields(cls):
    X = sparse.random_array((80, 30), density=0.2, random_state=RNG).tocsr()
    y = np.arange(80) % 2
    model = cls(**QUICK).fit(X, y)
    np.testing.assert_allclose(said(model, X.toarray()), said(model, X), rtol=1e-12)
    for kind in ("csc_matrix", "coo_array"):
        np.testing.assert_array_equal(said(model, getattr(sparse, kind)(X)), said(model, X))
    empty = sparse.csr_array((1, 30))
    bias = model.weights_["linear.bias"][0]
    if cls is FMClassifier:
        assert said(model, empty)[0] == pytest.approx(bias)


@pytest.mark.parametrize("cls", ALL)
def test_early_stopping_keeps_the_best_epoch(cls):
    frame, y = table(400)
    y = np.where(np.random.default_rng(0).random(400) < 0.3, 1 - y, y)
    options = QUICK | {"early_stopping": True, "max_iter": 60, "learning_rate": 0.1}
    model = cls(**options, n_iter_no_change=3, batch_size=32).fit(frame, y)
    assert model.n_iter_ == len(model.validation_scores_) < 60
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert model.validation_scores_[-1] < model.best_validation_score_
    best = int(np.argmax(model.validation_scores_)) + 1
    short = cls(**options | {"max_iter": best}, n_iter_no_change=9, batch_size=32).fit(frame, y)
    np.testing.assert_array_equal(said(short, frame), said(model, frame))


@pytest.mark.parametrize("cls", CLASSIFIERS)
def test_early_stopping_by_auc(cls):
    frame, y = table(400)
    model = cls(**QUICK | {"early_stopping": True, "scoring": "roc_auc"}).fit(frame, y)
    assert all(0 <= score <= 1 for score in model.validation_scores_)
    with pytest.raises(ValueError, match="for two classes"):
        model.fit(frame, np.arange(400) % 3)


def test_many_rows_stop_early_by_themselves():
    X = RNG.normal(size=(10_001, 1))
    model = FMClassifier(2, max_iter=1, random_state=0).fit(X, X[:, 0] > 0)
    assert len(model.validation_scores_) == 1
    model.fit(X[:10_000], X[:10_000, 0] > 0)
    assert model.validation_scores_ == []


@pytest.mark.parametrize("cls", ALL)
def test_warm_start_goes_on(cls):
    frame, y = table()
    model = cls(**QUICK, warm_start=True).fit(frame, y)
    first = said(model, frame)
    model.fit(frame, y)
    assert model.n_iter_ == len(model.loss_curve_) == 8
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    assert (said(model, frame) != first).any()
    with pytest.raises(ValueError, match="warm_start continues"):
        model.set_params(n_components=5).fit(frame, y)
    assert model.n_iter_ == 8


@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"learning_rate": 1e30}, "diverged"),
        ({"n_components": -1}, "n_components"),
        ({"categorical_features": ["nothing"]}, "names columns that X does not have"),
        ({"categorical_features": [9]}, "places from 0 to 3"),
        ({"categorical_features": [True]}, "one for each of the 4"),
        ({"categorical_features": 0.5}, "categorical_features must be"),
        ({"categorical_features": None}, "Expected numbers in column 0"),
    ],
    ids=str,
)
def test_a_fit_that_fails_leaves_the_model(cls, change, message):
    frame, y = table()
    model = cls(**QUICK).fit(frame, y)
    before, scores = dict(vars(model)), said(model, frame)
    model.set_params(**change)
    with pytest.raises(ValueError, match=message):
        model.fit(frame.iloc[::-1], y[::-1])
    model.set_params(**{name: before[name] for name in change})
    assert vars(model).keys() == before.keys()
    assert all(vars(model)[name] is value for name, value in before.items() if name.endswith("_"))
    np.testing.assert_array_equal(said(model, frame), scores)
    with pytest.raises(NotFittedError):
        cls(**QUICK).set_params(**change).predict(frame)


def test_bad_tables():
    frame, y = table()
    model = FMClassifier(**QUICK).fit(frame, y)
    with pytest.raises(ValueError, match=r"column 0.*expected text"):
        model.predict(frame.assign(city=1.5).astype({"city": object}))
    with pytest.raises(ValueError, match="all numbers or all text"):
        FMClassifier(**QUICK).fit(frame.assign(city=["a", 1] * 60), y)
    with pytest.raises(ValueError, match="infinity"):
        model.predict(frame.assign(price=np.inf))
    with pytest.raises(ValueError, match="dates"):
        FMClassifier(**QUICK).fit(frame.assign(price=pd.Timestamp("2020-01-01")), y)
    with pytest.raises(ValueError, match="label"):
        FMClassifier(fields=[1, 2], **QUICK).fit(np.eye(3), [0, 1, 0])
    with pytest.raises(ValueError, match="leave it out"):
        FMClassifier(categorical_features=[0], **QUICK).fit(sparse.csr_array(np.eye(3)), [0, 1, 0])
    with pytest.raises(ValueError, match="two classes"):
        FMClassifier(**QUICK).fit(frame, np.zeros(len(y)))
    with pytest.raises(ValueError, match="one part has no rows"):
        FMClassifier(**QUICK | {"early_stopping": True}).fit(frame[:4], y[:4] * 0 + [0, 1, 0, 1])
    with pytest.raises(ValueError, match=">= 0"):
        FMClassifier(**QUICK).fit(frame, y, sample_weight=-np.ones(len(y)))
    broken = sparse.csr_array(np.eye(4))
    broken.indices = broken.indices + 3
    with pytest.raises(ValueError, match="ind"):
        FMClassifier(**QUICK).fit(broken, [0, 1, 0, 1])


@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize("kind", ["frame", "fields", "sparse"])
def test_files(cls, kind, tmp_path):
    frame, y = table()
    X, fields = frame, None
    if kind != "frame":
        X = sparse.csr_array(np.random.default_rng(0).integers(0, 3, (len(y), 6)).astype(float))
        fields = ["a", "b", "a", "c", "c", "c"] if kind == "fields" else None
    y = np.array(["no", "yes"])[y] if cls in CLASSIFIERS else y
    model = cls(**QUICK, fields=fields).fit(X, y)
    check_objects(model)
    for again in (
        pickle.loads(pickle.dumps(model)),
        copy.deepcopy(model),
        skrec.load(skrec.save(model, tmp_path / "model.skops")),
    ):
        np.testing.assert_array_equal(said(again, X), said(model, X))


def test_files_that_were_tampered_with(tmp_path):
    frame, y = table()
    model = FMClassifier(**QUICK).fit(frame, y)
    path = tmp_path / "model.skops"

    def refused(change, message):
        twin = copy.deepcopy(model)
        change(twin)
        with open(path, "wb") as file:
            write(twin, file)
        with pytest.raises(skrec.ModelFileError, match=message):
            skrec.load(path)

    def widen(twin):
        twin.fields_.categories_[0] = np.array(["a", "b", "c", "d", "e"], dtype=object)

    def unordered(twin):
        twin.fields_.categories_[2] = twin.fields_.categories_[2][::-1].copy()

    refused(widen, "categories_")
    refused(unordered, "ascending")
    refused(lambda twin: twin.weights_.update(vectors=twin.weights_["vectors"][:-1]), "weights_")
    refused(lambda twin: twin.fields_.scale_.fill(0), "scale_")
    refused(lambda twin: setattr(twin.fields_, "field_", twin.fields_.field_ + 1), "steps")
    refused(lambda twin: setattr(twin, "classes_", np.array([1, 0])), "ascending")
    refused(lambda twin: setattr(twin, "fields_", None), "make no network")
    refused(lambda twin: vars(twin).pop("weights_"), "weights_")


def test_calibrated():
    frame, y = table(300)
    model = CalibratedClassifierCV(FMClassifier(**QUICK), cv=3).fit(frame, y)
    found = model.predict_proba(frame)
    np.testing.assert_allclose(found.sum(1), 1)
    assert np.mean((found[:, 1] > 0.5) == y) > 0.5


@pytest.mark.parametrize("cls", ALL)
def test_behind_a_column_transformer(cls):
    frame, y = table(200)
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["city", "kind"]),
        (KBinsDiscretizer(3, strategy="uniform"), ["price"]),
    )
    model = make_pipeline(columns, cls(**QUICK)).fit(frame, y)
    assert model.predict(frame).shape == (200,)
    fields = np.repeat([0, 1, 2], [4, 3, 3])
    model = make_pipeline(columns, cls(fields=fields, **QUICK)).fit(frame, y)
    assert model.predict(frame.iloc[:3]).shape == (3,)
    # Columns that stay a frame keep their dtypes.
    kept = make_pipeline(FunctionTransformer(lambda X: X[["kind", "city"]]), cls(**QUICK))
    assert kept.fit(frame, y)[-1].fields_.n_fields == 2


@pytest.mark.parametrize("cls", ALL)
def test_search(cls):
    frame, y = table(200)
    model = cls(**QUICK | {"max_iter": 15, "learning_rate": 0.05})
    search = GridSearchCV(model, {"n_components": [0, 4]}, cv=3).fit(frame, y)
    assert search.best_params_ == {"n_components": 4}  # an exclusive or is no sum
    assert search.score(frame, y) > 0.8
    assert len(cross_val_predict(model, frame, y, cv=2)) == 200


def test_a_recommender_of_rows():
    rng = np.random.default_rng(0)
    X = sparse.csr_array((rng.random((60, 2)) @ rng.random((2, 20)) > 0.55).astype(float))
    around = FMClassifier(4, max_iter=30, learning_rate=0.02, early_stopping=False)
    model = ContentRecommender(around, pairs="concatenate", random_state=0).fit(X)
    scores = model.decision_function(X)
    own = scores[X.toarray() > 0].mean()
    assert own > scores[X.toarray() == 0].mean() + 1


@pytest.mark.parametrize("cls", ALL)
def test_an_interrupted_fit_keeps_its_last_epoch(cls, monkeypatch):
    frame, y = table()
    reference = cls(**QUICK | {"max_iter": 2}).fit(frame, y)
    model = cls(**QUICK)
    calls = []
    original = cls._loss

    def loss(self, *arguments):
        calls.append(0)
        if len(calls) > 2 * 4:  # batches of 32
            raise KeyboardInterrupt
        return original(self, *arguments)

    monkeypatch.setattr(cls, "_loss", loss)
    with pytest.warns(ConvergenceWarning, match="interrupted in epoch 3"):
        model.fit(frame, y)
    assert model.n_iter_ == 2
    np.testing.assert_array_equal(said(model, frame), said(reference, frame))


@pytest.mark.cuda
@pytest.mark.parametrize("cls", ALL)
def test_cuda_agrees(cls):
    frame, y = table()
    on_cpu, on_cuda = (cls(**QUICK, device=device).fit(frame, y) for device in ("cpu", "cuda"))
    np.testing.assert_allclose(said(on_cuda, frame), said(on_cpu, frame), rtol=1e-2, atol=1e-3)
    scores = said(on_cuda, frame)
    on_cuda.set_params(device="cpu")
    np.testing.assert_allclose(said(on_cuda, frame), scores, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("cls", [FMClassifier, DeepFMRegressor])
def test_callbacks_see_each_epoch(cls):
    pytest.importorskip("sklearn.callback")
    frame, y = table()
    found = []

    class Recorder:
        def setup(self, estimator, context):
            pass

        def teardown(self, estimator, context):
            pass

        def on_fit_task_begin(self, estimator, context, *, X=None, y=None):
            pass

        def on_fit_task_end(self, estimator, context, *, X=None, y=None, fitted_estimator=None):
            found.append(said(fitted_estimator, X))
            return context.task_name == "epoch" and len(found) == 2

    model = cls(**QUICK)
    model.set_callbacks(Recorder())
    model.fit(frame, y)
    assert model.n_iter_ == 2
    assert (found[0] != found[1]).any()
    np.testing.assert_array_equal(found[-1], said(model, frame))
    np.testing.assert_array_equal(
        said(cls(**QUICK | {"max_iter": 2}).fit(frame, y), frame), found[1]
    )
