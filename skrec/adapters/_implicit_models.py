"""Models of the package implicit: their recipes and their fit.

The recipe of a model is a dict of plain values, ``{"class": full name, "parameters": {name:
value}}``, from which the same model can be made again. Only functions of this module import
implicit.
"""

import copy
import importlib
import inspect

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.utils import check_random_state

from skrec.utils._blas_threads import one_blas_thread
from skrec.utils._memory import check_memory
from skrec.utils._parallel import effective_n_threads, in_forked_child
from skrec.utils._params import (
    FRACTION,
    NON_NEGATIVE,
    NONE,
    POSITIVE,
    POSITIVE_INTEGER,
    InstanceOf,
    Interval,
)

DEFAULT = "implicit.cpu.als.AlternatingLeastSquares"
# The kind of a model decides how a row is scored, see `_implicit_users`.
KINDS = {
    DEFAULT: "als",
    "implicit.gpu.als.AlternatingLeastSquares": "als",
    "implicit.cpu.bpr.BayesianPersonalizedRanking": "bpr",
    "implicit.gpu.bpr.BayesianPersonalizedRanking": "bpr",
    "implicit.cpu.lmf.LogisticMatrixFactorization": "lmf",
    "implicit.nearest_neighbours.ItemItemRecommender": "item_item",
    "implicit.nearest_neighbours.CosineRecommender": "item_item",
    "implicit.nearest_neighbours.TFIDFRecommender": "item_item",
    "implicit.nearest_neighbours.BM25Recommender": "item_item",
}
_RULES = {
    "factors": POSITIVE_INTEGER,
    "regularization": NON_NEGATIVE,
    "alpha": POSITIVE,
    "learning_rate": POSITIVE,
    "iterations": POSITIVE_INTEGER,
    "cg_steps": POSITIVE_INTEGER,
    "neg_prop": POSITIVE_INTEGER,
    "K": POSITIVE_INTEGER,
    "K1": NON_NEGATIVE,
    "B": (FRACTION, Interval(1, 1)),
    # OpenMP ends the process if it cannot start a thread.
    "num_threads": Interval(0, 256, integer=True),
    "random_state": (
        NONE,
        Interval(0, 2**32 - 1, integer=True),
        InstanceOf((np.random.RandomState, np.random.Generator), "a numpy generator"),
    ),
}
_DTYPES = ("float32", "float64", "float16")
# Parameters that are attributes but not arguments of the constructor.
_FURTHER = {"als": ("cg_steps",)}


def class_name(model):
    """Full name of the class of a model, of a class, or of a recipe; None for anything else."""
    if isinstance(model, dict):
        name = model.get("class")
        return name if isinstance(name, str) else None
    kind = model if isinstance(model, type) else type(model)
    return f"{kind.__module__}.{kind.__qualname__}"


class _ImplicitModel:
    """Rule of the parameter `model`."""

    def __contains__(self, model):
        return model is None or is_factory(model) or class_name(model) in KINDS

    def __str__(self):
        names = sorted({name.rpartition(".")[2] for name in KINDS})
        return f"None or a model of the package implicit, one of {', '.join(names)}"


IMPLICIT_MODEL = _ImplicitModel()


def is_factory(model):
    """Whether an object is a function of implicit that makes a model, for the CPU or for CUDA."""
    return inspect.isfunction(model) and model.__module__ in (
        "implicit.als",
        "implicit.bpr",
        "implicit.lmf",
    )


def kind_of(model):
    """The kind of a model, "als", "bpr", "lmf" or "item_item"; None if it is not implicit's."""
    if model is None:
        return "als"
    if is_factory(model):
        return model.__module__.rpartition(".")[2]
    return KINDS.get(class_name(model))


def recipe_of(model):
    """The recipe of a model, a class or a factory; a recipe is returned unchanged."""
    if isinstance(model, dict):
        return model
    if model is None:
        model = _class(DEFAULT)
    if isinstance(model, type) or is_factory(model):
        with one_blas_thread():  # with more threads, implicit's constructors warn
            model = model()
    names = [*inspect.signature(type(model)).parameters, *_FURTHER.get(kind_of(model), ())]
    parameters = {name: getattr(model, name) for name in names if hasattr(model, name)}
    if "dtype" in parameters:
        parameters["dtype"] = _dtype_name(parameters["dtype"])
    return {"class": class_name(model), "parameters": parameters}


def text_of(model):
    """A model as Python code: the class, and the parameters that differ from the defaults."""
    recipe = recipe_of(model)
    name, parameters = recipe["class"], recipe["parameters"]
    try:
        usual = recipe_of(_class(name))["parameters"]
    except (ImportError, ValueError):
        usual = {}
    changed = [
        f"{key}={value!r}"
        for key, value in parameters.items()
        if key not in usual or repr(value) != repr(usual[key])
    ]
    return f"{name.rpartition('.')[2]}({', '.join(changed)})"


def _dtype_name(dtype):
    try:
        return np.dtype(dtype).name
    except TypeError:
        return dtype


def make_model(recipe):
    """Make an unfitted model from its recipe.

    Raises
    ------
    ImportError
        If implicit is not installed.
    ValueError
        If the class is unknown, or it needs CUDA and the machine has none.
    """
    name, parameters = recipe["class"], dict(recipe["parameters"])
    if name not in KINDS:
        raise ValueError(f"{name!r} is not a model of implicit. Expected one of {sorted(KINDS)}.")
    further = {n: parameters.pop(n) for n in _FURTHER.get(KINDS[name], ()) if n in parameters}
    if "dtype" in parameters:
        parameters["dtype"] = np.dtype(parameters["dtype"])
    with one_blas_thread():
        model = _class(name)(**parameters)
    for attribute, value in further.items():
        setattr(model, attribute, value)
    return model


def changed_model(model, changes):
    """Make a new model with other parameters; the old model stays unchanged.

    Raises
    ------
    ValueError
        If the model has no such parameter.
    """
    recipe = copy.deepcopy(recipe_of(model))
    unknown = sorted(set(changes) - set(recipe["parameters"]))
    if unknown:
        raise ValueError(
            f"{recipe['class']} has no parameter {unknown[0]!r}. Its parameters are "
            f"{sorted(recipe['parameters'])}."
        )
    recipe["parameters"].update(changes)
    return make_model(recipe)


def _class(name):
    module, _, name = name.rpartition(".")
    try:
        return getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "implicit":
            raise
        raise ImportError(
            "ImplicitRecommender needs the package implicit, which is not installed. Use "
            '`pip install "scikit-recsys[implicit]"`, or `pip install implicit`.'
        ) from error


def check_recipe(recipe):
    """Raise a ValueError for a parameter that the model cannot take."""
    for name, value in recipe["parameters"].items():
        allowed = _RULES.get(name, ())
        allowed = allowed if isinstance(allowed, tuple) else (allowed,)
        if allowed and not any(value in rule for rule in allowed):
            expected = ", or ".join(str(rule) for rule in allowed)
            raise _wrong_parameter(recipe, name, value, expected)
    dtypes = _DTYPES if ".gpu." in recipe["class"] else _DTYPES[:2]
    if recipe["parameters"].get("dtype", "float32") not in dtypes:
        raise _wrong_parameter(recipe, "dtype", recipe["parameters"]["dtype"], " or ".join(dtypes))


def _wrong_parameter(recipe, name, value, expected):
    return ValueError(
        f"The {name!r} parameter of the `model`, {recipe['class'].rpartition('.')[2]}, must be "
        f"{expected}. Got {value!r}; use set_params(model__{name}=...)."
    )


def seeded(recipe, random_state):
    """The recipe of a single fit, with an int as its seed.

    Parameters
    ----------
    recipe : dict
    random_state : int, RandomState or None
        Replaces the model's own; None keeps that one.

    Returns
    -------
    recipe : dict
    """
    parameters = dict(recipe["parameters"])
    if "random_state" in parameters:
        own = parameters["random_state"]
        chosen = own if random_state is None else random_state
        # The result of BPR and LMF depends on the number of threads, or on their timing. So a
        # seed goes before threads, unless the user has asked for threads.
        if KINDS[recipe["class"]] != "als" and chosen is not None and "num_threads" in parameters:
            parameters["num_threads"] = parameters["num_threads"] or 1
        parameters["random_state"] = _seed(chosen)
    return {"class": recipe["class"], "parameters": parameters}


def _seed(random_state):
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**31 - 1))
    if random_state is None or isinstance(random_state, np.random.RandomState):
        return int(check_random_state(random_state).randint(2**31 - 1))
    return int(random_state)


def fit_model(recipe, X, *, verbose):
    """Fit a new model, and return its learned arrays.

    Parameters
    ----------
    recipe : dict
        With an int as the seed, if the model takes a seed.
    X : csr_array of shape (n_users, n_items)
        Canonical; it is copied.
    verbose : bool
        Whether implicit shows its progress bar.

    Returns
    -------
    learned : tuple of ndarray
        User factors and item factors, float32 or float64; for item-item models only the
        similarities, a csr_matrix.

    Raises
    ------
    ValueError
        If implicit's fit fails, or its result is not finite.
    MemoryError
        If the factors do not fit into memory.
    """
    kind, parameters = KINDS[recipe["class"]], _bounded(recipe, X.shape)
    model = make_model({"class": recipe["class"], "parameters": parameters})
    matrix = _as_implicit_wants(X, np.float64 if kind == "item_item" else np.float32)
    if recipe["class"].startswith("implicit.gpu.als"):
        # On CUDA, implicit 0.7 reads alpha when it recalculates users, but not in its fit.
        matrix.data *= np.float32(model.alpha)
        model.alpha = 1.0
    try:
        # Empty columns make implicit divide by zero; `_weighted` mends the result.
        with one_blas_thread(), np.errstate(all="ignore"):
            learned = _run(model, matrix, kind, show_progress=bool(verbose))
    except (ArithmeticError, ValueError, _fit_error()) as error:
        raise ValueError(f"implicit's fit failed: {error}. {_ADVICE[kind]}") from error
    if not all(np.isfinite(getattr(part, "data", part)).all() for part in learned):
        raise ValueError(f"The factors or similarities of implicit are not finite. {_ADVICE[kind]}")
    return learned


_ADVICE = {
    "als": "Scale X down, or use a larger model__regularization or a smaller model__alpha.",
    "bpr": "Use a smaller model__learning_rate or a larger model__regularization.",
    "lmf": "Scale X down, or use a smaller model__learning_rate.",
    "item_item": "Scale X down.",
}


def _fit_error():
    from implicit.recommender_base import ModelFitError

    return ModelFitError


def _bounded(recipe, shape):
    """The parameters, cut to the limits of implicit's kernels where that changes no result."""
    parameters = dict(recipe["parameters"])
    n_users, n_items = shape
    if "K" in parameters:
        parameters["K"] = min(parameters["K"], n_items)
    if "factors" in parameters:
        width = parameters["factors"] + 2
        check_memory(
            8 * width * (n_users + n_items + width),
            f"implicit with {parameters['factors']:,} factors for {n_users:,} users and "
            f"{n_items:,} items",
            ["use a smaller model__factors"],
        )
        if "neg_prop" in parameters:  # implicit never draws more than factors + 2
            parameters["neg_prop"] = min(parameters["neg_prop"], width)
    if "num_threads" in parameters:
        parameters["num_threads"] = _n_threads(parameters["num_threads"])
    return parameters


def _n_threads(asked):
    """Threads of a fit; 1 in a forked child, where GNU's OpenMP would wait for ever."""
    if in_forked_child():
        return 1
    return int(asked) or effective_n_threads()


def _as_implicit_wants(X, dtype):
    """A new writable csr_matrix with 32-bit indices."""
    limit = np.iinfo(np.int32).max
    if X.nnz > limit or max(X.shape) > limit:
        raise ValueError(
            f"implicit counts in 32 bits. X has shape {X.shape} and {X.nnz:,} entries; expected "
            f"at most {limit:,} of each."
        )
    with np.errstate(over="ignore"):
        values = X.data.astype(dtype)
    parts = (values, X.indices.astype(np.int32), X.indptr.astype(np.int32))
    if not np.isfinite(values).all():
        raise ValueError(
            f"implicit computes in {np.dtype(dtype)}. The largest value of X is "
            f"{X.data.max():g}; expected at most {np.finfo(dtype).max:.3g}: scale X."
        )
    return csr_matrix(parts, shape=X.shape)


def _run(model, matrix, kind, *, show_progress):
    if kind != "item_item":
        model.fit(matrix, show_progress=show_progress)
        return _on_host(model.user_factors), _on_host(model.item_factors)
    from implicit.nearest_neighbours import ItemItemRecommender

    plain = ItemItemRecommender(model.K, num_threads=model.num_threads)
    plain.fit(_weighted(model, matrix), show_progress=show_progress)
    return (plain.similarity,)


def _weighted(model, matrix):
    """The matrix whose columns a model compares, with implicit's weights.

    An item whose users all have weight zero has length zero, and implicit divides by that
    length. Here the cosines of the item are zero.
    """
    from implicit.nearest_neighbours import bm25_weight, normalize, tfidf_weight

    name = type(model).__name__
    if name == "BM25Recommender":
        weighted = bm25_weight(matrix.T, model.K1, model.B)
    elif name == "TFIDFRecommender":
        weighted = normalize(tfidf_weight(matrix.T))
    elif name == "CosineRecommender":
        weighted = normalize(matrix.T)
    else:
        return matrix
    weighted.data[np.isnan(weighted.data)] = 0
    return weighted.T.tocsr()


def _on_host(factors):
    """Factors as an ndarray, copied from the GPU if necessary."""
    factors = factors.to_numpy() if hasattr(factors, "to_numpy") else np.asarray(factors)
    return factors.astype(np.float64 if factors.dtype == np.float64 else np.float32, copy=False)
