"""Every attribute that a fit sets is declared, and a model file that breaks a rule is refused."""

import copy
import json
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError

import skrec
from skrec._persistence import write
from skrec._testing._data import make_data, seeded
from skrec.autoencoder import MultVAE, RBMRecommender
from skrec.content import VBPR
from skrec.content._row_categories import Categories
from skrec.decomposition import GraphFilter
from skrec.linear_model import EASE
from skrec.neighbors import ItemKNN, UserKNN
from skrec.neural_network import ResidualMF
from skrec.preprocessing import InteractionEncoder, TimeDecay
from skrec.utils._fitted import Absent, Array, Sparse, Table
from skrec.utils._fitted_check import check_objects, fitted_rules, learned
from skrec.utils._sparse_check import sound_sparse
from tests.instances import small
from tests.tamper import STRANGE, subjects

SUBJECTS = list(subjects())
VARIANTS = [
    *(UserKNN(metric=metric) for metric in ("jaccard", "cosine", "pearson", "adjusted_cosine")),
    *(UserKNN(weighting=weighting) for weighting in ("tfidf", "bm25")),
    *(UserKNN(metric=metric, feedback="rating") for metric in ("pearson", "adjusted_cosine")),
    *(ItemKNN(metric=metric) for metric in ("jaccard", "pearson", "adjusted_cosine")),
    *(small(MultVAE, prior=prior) for prior in ("gaussian_mixture", "vamp")),
    small(MultVAE, n_posterior_components=2),
]


def _name(subject):
    return type(subject[0] if isinstance(subject, tuple) else subject).__name__


def _all_estimators(value):
    """An estimator and those that it has learned."""
    yield value
    if isinstance(value, BaseEstimator):
        for part in vars(value).values():
            for one in part if isinstance(part, list) else [part]:
                if isinstance(one, BaseEstimator):
                    yield from _all_estimators(one)


@pytest.mark.parametrize("subject", SUBJECTS, ids=_name)
def test_all_that_a_fit_sets_is_declared(subject):
    for estimator in _all_estimators(subject[0]):
        if type(estimator).__module__.startswith("skrec."):
            undeclared = set(learned(estimator)) - set(fitted_rules(type(estimator)))
            assert not undeclared, type(estimator)
    check_objects(subject[0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("original", VARIANTS, ids=str)
def test_rules_hold_for_variants(original, dtype):
    X = make_data(original, dtype=dtype)
    model = seeded(original).fit(X)
    assert set(learned(model)) <= set(fitted_rules(type(model)))
    check_objects(model)


@pytest.mark.parametrize("name", ["EASE", "WMF", "BPR", "MultVAE", "ItemKNN"])
def test_rules_hold_for_frames_and_empty_matrices(name):
    pd = pytest.importorskip("pandas")
    cls = next(type(model) for model, _ in SUBJECTS if type(model).__name__ == name)
    X = make_data(EASE())
    frame = pd.DataFrame(X.toarray(), columns=[f"item {i}" for i in range(X.shape[1])])
    check_objects(small(cls).fit(frame))
    check_objects(small(cls).fit(sparse.csr_array((4, 6))))


def _other_arrays(array, *, sized=True):
    """Arrays that a rule for this one must refuse."""
    if sized:
        yield "too short", array[:-1]
        yield "too long", np.concatenate([array, array])
    yield "more dimensions", array[None]
    yield "objects", array.astype(object)
    yield "text", array.astype(str)
    yield "complex", array.astype(complex)
    yield "half precision", array.astype(np.float16)
    if array.dtype.itemsize > 1:
        yield "swapped bytes", array.astype(array.dtype.newbyteorder())
    if array.dtype.kind == "f" and array.size:
        for value in (np.nan, np.inf):
            other = array.copy()
            other.reshape(-1)[0] = value
            yield str(value), other


# Nothing else in these says how long the array is.
_FREE = {
    ("MMR", "item_vectors_"),
    ("CDL", "user_factors_"),
    ("CTR", "user_factors_"),
    ("CVAE", "user_factors_"),
    ("WMF", "user_factors_"),
    ("ImplicitRecommender", "components_"),
    ("InteractionEncoder", "user_ids_"),
    ("InteractionEncoder", "item_ids_"),
}
_DTYPES_OF_LABELS = ("text", "half precision", "swapped bytes")


@pytest.mark.parametrize(
    "subject", [s for s in SUBJECTS if hasattr(s[0], "_parameter_rules")], ids=_name
)
def test_every_part_that_is_tampered_with_is_refused(subject, tmp_path):
    model, _ = subject
    path = tmp_path / "model.skops"
    rules = fitted_rules(type(model))
    n_refused = 0
    for name, value in learned(model).items():
        others = []
        if isinstance(value, np.ndarray) and value.dtype.kind in "iufb":
            free = (type(model).__name__, name) in _FREE
            others = list(_other_arrays(value, sized=not free))
            if type(model) is InteractionEncoder:  # ids of all dtypes are ids
                others = [one for one in others if one[0] in ("more dimensions", "complex")]
            if isinstance(rules.get(name), Categories):  # labels of other dtypes are labels
                others = [one for one in others if one[0] not in _DTYPES_OF_LABELS]
        elif sparse.issparse(value):
            others = list(_other_matrices(value))
            if (type(model).__name__, name) in _FREE:
                others = [one for one in others if one[0] != "columns"]
            if isinstance(rules.get(name), Table):  # which may be dense
                others = [one for one in others if one[0] != "dense"]
        others += [(f"a {type(o).__name__}", o) for o in STRANGE if type(o) in (str, dict, bytes)]
        others.append(("too many items", [[1.0, "a"], None]))
        if not isinstance(rules.get(name), Absent):
            others.append(("missing", None))
        for what, other in others:
            if type(other) is type(value) and type(other) is dict:
                continue
            twin = copy.copy(model)
            vars(twin)[name] = other
            if what == "missing":
                del vars(twin)[name]
            with open(path, "wb") as file:
                write(twin, file)
            with _refused(f"{type(model).__name__}.{name}, {what}"):
                skrec.load(path)
            n_refused += 1
    assert n_refused > 5


@contextmanager
def _refused(what):
    try:
        yield
    except skrec.ModelFileError as error:
        assert "model.skops" in str(error)  # noqa: PT017
    else:
        raise AssertionError(f"{what}, was taken")


def _other_matrices(matrix):
    def changed(**parts):
        other = matrix.copy()
        for name, part in parts.items():
            setattr(other, name, part)
        return other

    n_rows, n_columns = matrix.shape
    indices, indptr = matrix.indices, matrix.indptr
    beyond, below = indices.copy(), indices.copy()
    beyond[0], below[-1] = n_columns, -1
    yield "beyond", changed(indices=beyond)
    yield "below", changed(indices=below)
    if np.diff(indptr).max() > 1:  # one entry in each row may stand anywhere
        yield "unsorted", changed(indices=indices[::-1].copy())
        yield "twice", changed(indices=np.zeros_like(indices))
    yield "few pointers", changed(indptr=indptr[:-1])
    yield "falling pointers", changed(indptr=indptr[::-1].copy())
    yield "few values", changed(data=matrix.data[:-1])
    yield "NaN", changed(data=np.full_like(matrix.data, np.nan))
    yield "whole numbers", changed(data=matrix.data.astype(np.int8))
    yield "columns", changed(_shape=(n_rows, n_columns + 1))
    yield "CSC", matrix.tocsc()
    yield "dense", matrix.toarray()


@pytest.mark.parametrize("name", ["n_features_in_", "seed_"])
@pytest.mark.parametrize("value", [-1, 10**30, "14", 14.0, None, True])
def test_numbers_are_looked_at(name, value, tmp_path):
    model = copy.copy(next(m for m, _ in SUBJECTS if hasattr(m, "seed_")))
    vars(model)[name] = value
    with pytest.warns(UserWarning, match="will refuse"):
        skrec.save(model, tmp_path / "m.skops")
    with pytest.raises(skrec.ModelFileError, match=name):
        skrec.load(tmp_path / "m.skops")


def test_parameters_are_looked_at(tmp_path):
    model = EASE(alpha=-1.0)
    with pytest.warns(UserWarning, match="alpha"):
        skrec.save(model, tmp_path / "m.skops")
    with pytest.raises(skrec.ModelFileError, match=r"m\.skops.*alpha"):
        skrec.load(tmp_path / "m.skops")


def test_nothing_takes_the_place_of_a_method(tmp_path):
    model = copy.copy(next(m for m, _ in SUBJECTS if type(m) is EASE))
    model._scores = "text"
    with pytest.warns(UserWarning, match="_scores"):
        skrec.save(model, tmp_path / "m.skops")
    with pytest.raises(skrec.ModelFileError, match="_scores"):
        skrec.load(tmp_path / "m.skops")


def test_memory_of_the_process_is_not_disclosed(tmp_path):
    X = np.eye(400)
    model = EASE(alpha=1.0).fit(X)
    model.coef_ = model.coef_[:1]
    with pytest.warns(UserWarning, match="coef_"):
        skrec.save(model, tmp_path / "x.skops")
    with pytest.raises(skrec.ModelFileError, match=r"coef_.*shape \(1, 400\)"):
        skrec.load(tmp_path / "x.skops")


def test_an_array_that_was_replaced_reaches_no_kernel():
    n_refused = 0
    for model, X in SUBJECTS:
        for name in learned(model) if hasattr(model, "_start_scoring") else ():
            value, rule = vars(model)[name], fitted_rules(type(model)).get(name)
            rule = rule.rule if isinstance(rule, Absent) else rule
            if (isinstance(rule, Array) and "n_items" in rule.shape) or isinstance(rule, Sparse):
                twin = copy.copy(model)
                axis = -1 if getattr(rule, "shape", ("n_items",))[-1] == "n_items" else 0
                vars(twin)[name] = value[..., :-1] if axis else value[:-1]
                with pytest.raises(ValueError, match=f"{name} is not as a fit leaves it"):
                    twin.recommend(X, 3)
                n_refused += 1
    assert n_refused > 25


@pytest.mark.parametrize(
    ("model", "changed"),
    [
        (EASE(), {"n_pairs": 3}),
        (GraphFilter(3), {"linear_weight": 1.0}),
        (ItemKNN(), {"feedback": "rating"}),
        (RBMRecommender(3, max_iter=1), {"orientation": "item"}),
        (ResidualMF(3, max_iter=1), {"hidden_layer_sizes": (2,)}),
        (TimeDecay(), {"reference": "fit"}),
    ],
    ids=str,
)
def test_parameters_that_ask_for_what_the_fit_has_not_kept(model, changed):
    X = make_data(EASE())
    model.fit(X).set_params(**changed)
    with pytest.raises(NotFittedError, match="after fit: they now need"):
        model.transform(X) if isinstance(model, TimeDecay) else model.predict(X)


def test_pairs_stay_in_the_scores_whatever_is_set_later():
    X = make_data(EASE())
    model = EASE(n_pairs=3).fit(X)
    expected = model.decision_function(X)
    np.testing.assert_array_equal(model.set_params(n_pairs=0).decision_function(X), expected)


def test_features_that_were_added_later(tmp_path):
    features = np.random.default_rng(0).normal(size=(14, 3))
    model = small(VBPR, random_state=0).fit(make_data(VBPR()), item_features=features)
    longer = model.with_items(features[:2])
    path = skrec.save(longer, tmp_path / "m.skops")
    X = make_data(VBPR(), n_items=16)
    np.testing.assert_array_equal(skrec.load(path).predict(X), longer.predict(X))


def test_sound_matrices_stay_as_they_are(tmp_path):
    for matrix in (make_data(EASE()), make_data(EASE()).tocsc(), make_data(EASE()).tocoo()):
        again = skrec.load(skrec.save({"X": matrix}, tmp_path / "m.skops"))["X"]
        assert type(again) is type(matrix)
        assert (sound_sparse(again) != matrix).nnz == 0


def _tamper(n_files, seed):
    command = [sys.executable, "-m", "tests.tamper", str(n_files), str(seed)]
    ran = subprocess.run(
        command, capture_output=True, text=True, cwd=Path(__file__).parents[1], check=False
    )
    assert ran.returncode in (0, 1), f"{ran.returncode}: {ran.stderr[-2000:]}"
    found = json.loads(ran.stdout)
    assert not found["failures"], found["failures"]
    assert sum(found["outcomes"].values()) == n_files
    assert found["outcomes"]["refused"] > n_files / 2


def test_some_tampered_files():
    _tamper(50, seed=0)


@pytest.mark.slow
def test_a_thousand_tampered_files():
    _tamper(1000, seed=1)
