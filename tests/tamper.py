"""Model files that nobody's fit has written: run as a script, so that a signal is a failure.

``python -m tests.tamper 1000`` tampers so many times with models of all classes, in their state
and in the bytes of the file, and loads what comes out: it must be a `ModelFileError`, or a model
that scores as documented.
"""

import copy
import io
import json
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

import skrec
from skrec._persistence import write
from skrec._testing._data import make_data, seeded
from skrec.adapters import ImplicitRecommender
from skrec.adapters._implicit_models import make_model
from skrec.autoencoder import MultVAE, RBMRecommender
from skrec.content import (
    VBPR,
    ColdStart,
    ContentRecommender,
    DeepFM,
    DeepFMClassifier,
    DeepFMRegressor,
    FMClassifier,
    FMRegressor,
    WideAndDeepClassifier,
    WideAndDeepRegressor,
)
from skrec.content._row_model import RowModel
from skrec.decomposition import BiasedMF, GraphFilter
from skrec.ensemble import LOCA, Fallback
from skrec.linear_model import EASE, SANSA, SLIM
from skrec.neighbors import ItemKNN, UserKNN
from skrec.preprocessing import BM25Transformer, InteractionEncoder
from skrec.utils import all_recommenders
from tests.instances import small

STRANGE = (None, "text", [], {}, -1, 10**30, float("nan"), True, (1, 2), b"x", 0, np.float64(3))


def subjects():
    """Fitted estimators of all kinds, with the rows that they are to score."""
    found = [small(cls) for _, cls in all_recommenders()]
    found += [
        BiasedMF(4, solver="sgd", max_iter=3),
        small(DeepFM, hidden_layer_sizes=()),
        EASE(n_pairs=20),
        small(RBMRecommender, orientation="item"),
        Fallback(small(VBPR)),
        small(GraphFilter, linear_weight=1.0),
        ItemKNN(feedback="rating", deviation="both"),
        LOCA(small(MultVAE), n_estimators=2),
        SLIM(solver="admm"),
        UserKNN(feedback="rating", deviation="both"),
        UserKNN(metric="pearson"),
        UserKNN(metric="adjusted_cosine"),
        GridSearchCV(EASE(), {"alpha": [1.0, 10.0]}, cv=2),
        make_pipeline(BM25Transformer(), Normalizer(), EASE()),
    ]
    for estimator in found:
        ours = hasattr(estimator, "_parameter_rules")
        X = make_data(estimator if ours else EASE())
        yield seeded(estimator).fit(X), X
    for partly in (EASE(), SANSA()):
        X = make_data(partly)
        yield partly.partial_fit(X), X
    features = np.random.default_rng(0).normal(size=(14, 3))
    content = small(VBPR, random_state=0).fit(X, item_features=features)
    yield content.with_items(features[:2]), make_data(VBPR(), n_items=16)
    for model in (ItemKNN(), ItemKNN(feature_weight=None), ColdStart(EASE()), ContentRecommender()):
        content = seeded(model).fit(X, item_features=features)
        yield content.with_items(features[:2]), make_data(EASE(), n_items=16)
    log = [("a", "x"), ("b", "y"), ("b", "x"), ("c", "y"), ("c", "z"), ("a", "z")]
    yield InteractionEncoder().fit(log), None
    yield skrec.LogRecommender(EASE(), titles={"x": "The x"}).fit(log), None
    yield skrec.LogRecommender(small(MultVAE, random_state=0)).fit(log), None
    for name in ("bpr.BayesianPersonalizedRanking", "lmf.LogisticMatrixFactorization"):
        recipe = {"class": f"implicit.cpu.{name}", "parameters": {"factors": 3, "random_state": 0}}
        X = make_data(EASE())
        yield ImplicitRecommender(make_model(recipe)).fit(X), X
    yield InteractionEncoder().fit([(("a", 1), 5), ((b"b", 2), 7)]), None
    yield from row_models()


def row_models():
    """Fitted models of rows of fields, with rows: of text and numbers, and sparse ones."""
    rng = np.random.default_rng(0)
    table = np.empty((40, 3), dtype=object)
    table[:, 0] = rng.choice(["rome", "oslo", None], 40)
    table[:, 1] = rng.normal(size=40)
    table[:, 2] = rng.integers(3, size=40)
    rows = sparse.csr_array(rng.integers(0, 3, (40, 6)).astype(float))
    rows[[0], [0]] = 1
    quick = {"n_components": 2, "max_iter": 2, "random_state": 0}
    of_table = {"categorical_features": [0, 2], **quick}
    deep = {"hidden_layer_sizes": (3,), "batch_norm": True}
    classes = np.arange(40) % 2
    for model, X, y in (
        (FMClassifier(**of_table), table, classes),
        (FMRegressor(fields=["a", "b", "a", "c", "c", "c"], **quick), rows, classes * 2.5),
        (DeepFMClassifier(**of_table, **deep), table, np.where(classes, "yes", "no")),
        (DeepFMRegressor(**quick, **deep), rows, classes * 2.5),
        (WideAndDeepClassifier(cross_features=[(0, 2)], **of_table, **deep), table,
         np.arange(40) % 3),
        (WideAndDeepRegressor(cross_features=[(0, 2)], **of_table), table, classes * 2.5),
    ):  # fmt: skip
        yield model.fit(X, y), X


def places(value, depth=0):
    """(holder, key) of all that is in an estimator, deeper parts too."""
    if isinstance(value, BaseEstimator):
        parts = vars(value)
    elif isinstance(value, dict):
        parts = value
    elif isinstance(value, list):
        parts = dict(enumerate(value))
    else:
        return
    for key, part in parts.items():
        yield (vars(value) if isinstance(value, BaseEstimator) else value), key
        if depth < 6:
            yield from places(part, depth + 1)


def other_array(array, rng):
    """An array that differs from one in shape, dtype or values."""
    ways = [
        lambda a: a[:-1],
        lambda a: a[:0],
        lambda a: np.concatenate([a, a]),
        lambda a: a.T if a.ndim > 1 else a[:, None],
        lambda a: a.ravel()[:-1],
        lambda a: a.reshape(-1, 1, 1),
        lambda a: a.astype(object),
        lambda a: a.astype(np.str_),
        lambda a: a.astype(rng.choice(["f2", "f4", "f8", "i1", "i4", "i8", "u8", "c16", "M8[s]"])),
        lambda a: a.astype(a.dtype.newbyteorder(">")),
        lambda a: changed(a, np.nan),
        lambda a: changed(a, np.inf),
        lambda a: changed(a, -7),
        lambda a: changed(a, 2**31 - 1),
        lambda a: changed(a, 2**62),
        lambda a: np.array(3.0),
        lambda a: np.zeros((0, 0)),
        lambda a: np.zeros(10**2 if a.dtype == object else 10**6, a.dtype),  # objects take long
    ]
    return ways[rng.integers(len(ways))](array)


def changed(array, value):
    """A copy with another value somewhere, in the dtype that the array has."""
    array = array.copy()
    flat = array.reshape(-1)
    if flat.size and array.dtype.kind in "fiu":
        with np.errstate(all="ignore"):
            flat[flat.size // 2] = np.array(value).astype(array.dtype)
    return array


def other_sparse(matrix, rng):
    """A sparse matrix with arrays that do not belong together."""
    matrix = matrix.copy()
    n = len(matrix.indices)
    ways = [
        lambda m: setattr(m, "indices", changed(m.indices, m.shape[1])),
        lambda m: setattr(m, "indices", changed(m.indices, -1)),
        lambda m: setattr(m, "indices", changed(m.indices, 2**31 - 1)),
        lambda m: setattr(m, "indices", m.indices[::-1].copy()),
        lambda m: setattr(m, "indices", np.zeros_like(m.indices)),
        lambda m: setattr(m, "indices", m.indices[: n // 2]),
        lambda m: setattr(m, "indices", m.indices.astype(np.float64)),
        lambda m: setattr(m, "indptr", m.indptr[:-1]),
        lambda m: setattr(m, "indptr", m.indptr[::-1].copy()),
        lambda m: setattr(m, "indptr", changed(m.indptr, 2**31 - 1)),
        lambda m: setattr(m, "indptr", changed(m.indptr, -5)),
        lambda m: setattr(m, "data", m.data[: n // 2]),
        lambda m: setattr(m, "data", changed(m.data, np.nan)),
        lambda m: setattr(m, "data", m.data.astype(rng.choice(["i1", "c16", "f4", "f8"]))),
        lambda m: setattr(m, "_shape", (m.shape[0] + 5, m.shape[1])),
        lambda m: setattr(m, "_shape", (m.shape[0], 3)),
    ]
    ways[rng.integers(len(ways))](matrix)
    return matrix


def other_value(value, rng):
    """Something else in place of a value."""
    if rng.random() < 0.25:
        return STRANGE[rng.integers(len(STRANGE))]
    if sparse.issparse(value):
        if rng.random() < 0.2:
            return [value.toarray(), value.T.tocsr()[:5], value.tocoo(), value.tocsc()][
                rng.integers(4)
            ]
        return other_sparse(value, rng)
    if isinstance(value, np.ndarray):
        return other_array(value, rng)
    if isinstance(value, list | tuple) and len(value):
        other = list(value)
        place = rng.integers(len(other))
        ways = ["drop", "change", "double"]
        way = ways[rng.integers(3)]
        if way == "drop":
            del other[place]
        elif way == "change":
            other[place] = other_value(other[place], rng)
        else:
            other += other
        return type(value)(other)
    return STRANGE[rng.integers(len(STRANGE))]


def tampered_state(model, path, rng):
    """Write a model of which one part, somewhere inside, is another."""
    model = copy.deepcopy(model)
    found = list(places(model))
    holder, key = found[rng.integers(len(found))]
    what = f"{key}: {type(holder[key]).__name__}"
    if rng.random() < 0.12:
        del holder[key]
    else:
        holder[key] = other_value(holder[key], rng)
        what += f" -> {type(holder[key]).__name__}"
    with open(path, "wb") as file:
        write(model, file)
    return what


def tampered_bytes(content, path, rng):
    """Write a file of which some bytes are others, or the end is missing."""
    content = bytearray(content)
    way = ["cut", "flip", "noise", "insert"][rng.integers(4)]
    if way == "cut":
        content = content[: rng.integers(len(content))]
    elif way == "flip":
        for place in rng.integers(len(content), size=rng.integers(1, 8)):
            content[place] ^= 1 << int(rng.integers(8))
    elif way == "noise":
        place = int(rng.integers(len(content)))
        content[place : place + 64] = rng.bytes(64)
    else:
        place = int(rng.integers(len(content)))
        content[place:place] = rng.bytes(int(rng.integers(1, 100)))
    path.write_bytes(bytes(content))
    return way


def tampered_schema(content, path, rng):
    """Write a file with another description of what it holds."""
    with ZipFile(io.BytesIO(content)) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(entries["schema.json"])
    found = []
    waiting = [schema]
    while waiting:
        part = waiting.pop()
        items = part.items() if isinstance(part, dict) else enumerate(part)
        for key, value in list(items):
            found.append((part, key))
            if isinstance(value, dict | list):
                waiting.append(value)
    part, key = found[rng.integers(len(found))]
    others = [value[k] for value, k in found]
    what = f"schema {key}"
    if rng.random() < 0.2:
        del part[key]
    else:
        strange = [None, "", "a", -1, 10**40, 1.5, [], {}, True, [1], "[" * 3000, "NaN", "1e999"]
        pool = strange if rng.random() < 0.4 else others
        part[key] = copy.deepcopy(pool[rng.integers(len(pool))])
    entries["schema.json"] = json.dumps(schema).encode()
    if rng.random() < 0.1 and len(entries) > 1:
        entries.pop(sorted(entries)[0])
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        for name, value in entries.items():
            archive.writestr(name, value)
    return what


def use(model, X):
    """Ask a model for all that it says; errors of which the docs tell are fine."""
    if isinstance(model, skrec.LogRecommender):
        model.recommend(["a", "q"], 2)
        if hasattr(model.recommender_, "similar_items"):
            model.similar_items("x", 2)
        return
    if isinstance(model, InteractionEncoder):
        model.transform_histories([("a", "x"), ("q", "y")])
        model.decode_items([0])
        return
    if isinstance(model, RowModel):
        for name in ("predict", "decision_function", "predict_proba"):
            for rows in (X, X[:1]) if hasattr(model, name) else ():
                said = getattr(model, name)(rows)
                finite = said.dtype.kind not in "fc" or np.isfinite(said).all()
                if len(said) != rows.shape[0] or not finite:
                    raise AssertionError(f"{name}: shape {said.shape}, or not finite")
        return
    for rows in (X, X[:1], sparse.csr_array(X.shape)):
        scores = model.decision_function(rows)
        if scores.shape != rows.shape or not np.isfinite(scores).all():
            raise AssertionError(f"scores of shape {scores.shape}, not all of them finite")
        model.predict(rows)
    for name, arguments in {
        "recommend": (X, 3),
        "score_pairs": (X, [0, 1], [1, 2]),
        "explain": (X, np.ones(X.shape[0], dtype=int)),
        "similar_items": ([0, 3],),
        "similar_users": (X, 3),
        "transform": (X,),
    }.items():
        if hasattr(model, name):
            getattr(model, name)(*arguments)


def run(n_files, seed=0):
    """Tamper so many times; returns what came out, counted, and the failures."""
    rng = np.random.default_rng(seed)
    outcomes, failures = Counter(), []
    models = list(subjects())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.skops"
        written = []
        for model, _ in models:
            with open(path, "wb") as file:
                write(model, file)
            written.append(path.read_bytes())
            skrec.load(path)  # as it was written, it is taken
        for number in range(n_files):
            place = number % len(models)
            model, X = models[place]
            draw = rng.random()
            if draw < 0.6:
                try:
                    what = tampered_state(model, path, rng)
                except Exception as error:  # what cannot be written need not be read
                    outcomes[f"not written: {type(error).__name__}"] += 1
                    continue
            elif draw < 0.8:
                what = tampered_schema(written[place], path, rng)
            else:
                what = tampered_bytes(written[place], path, rng)
            case = f"{number} {str(model)[:50]!r} {what}"
            print(case, file=sys.stderr, flush=True)
            outcome = _outcome(path, X)
            outcomes[outcome.partition(":")[0]] += 1
            if outcome.startswith("wrong"):
                failures.append(f"{case} {outcome}")
    return outcomes, failures


def _outcome(path, X):
    try:
        loaded = skrec.load(path)
    except skrec.ModelFileError:
        return "refused"
    except BaseException as error:
        return f"wrong: load ends in {error!r}"
    asked = "fit" if X is None or isinstance(loaded, RowModel) else "decision_function"
    if not isinstance(loaded, BaseEstimator) or not hasattr(loaded, asked):
        return "no model"
    try:
        use(loaded, X)
    except ValueError as error:  # NotFittedError among them
        return f"error: {error}"
    except BaseException as error:
        return f"wrong: {type(error).__name__}: {error}"
    return "works"


def main():
    """Print what came out; exit with 1 where something is wrong."""
    warnings.simplefilter("ignore")
    outcomes, failures = run(int(sys.argv[1]), *map(int, sys.argv[2:]))
    print(json.dumps({"outcomes": outcomes, "failures": failures}, indent=1))
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
