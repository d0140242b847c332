"""Fit an estimator to rows that come in parts."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array, issparse, vstack
from sklearn.base import BaseEstimator, clone
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags

from skrec.utils._finite import arithmetic
from skrec.utils._fit_outcome import check_outcome
from skrec.utils._memory import check_model
from skrec.utils._params import check_parameters
from skrec.utils._statistics import Pass, run_rounds
from skrec.utils._tags import recommender_tags
from skrec.utils._validation import validate_interactions

__all__ = ["Facts", "fit_parts", "has_sums"]

# Number of rows that are scored to check the outcome of a fit.
_N_ROWS = 8


@dataclass(frozen=True)
class Facts:
    """Facts about a matrix whose rows come in parts.

    Attributes
    ----------
    n_users, n_items, n_entries : int
    total : float
        Sum of the values.
    dtype : str
        "float32" if all parts with rows have this dtype, else "float64".
    rows : csr_array
        Some of the longest rows of the first parts.
    names : tuple of str or None, default=None
        Names of the columns, if the parts are dataframes.
    """

    n_users: int
    n_items: int
    n_entries: int
    total: float
    dtype: str
    rows: csr_array
    names: tuple[str, ...] | None = None

    @classmethod
    def of(cls, X, names=None):
        """The facts of one part."""
        X = csr_array(X if issparse(X) else np.asarray(X))
        longest = np.argsort(-np.diff(X.indptr), kind="stable")[:_N_ROWS]
        total = float(X.data.sum(dtype=np.float64))
        return cls(*X.shape, X.nnz, total, str(X.dtype), X[np.sort(longest)], names)

    def __add__(self, other):
        if self.n_items != other.n_items:
            raise ValueError(
                f"The parts have different numbers of columns: {self.n_items} and "
                f"{other.n_items}. Expected one column for each item of the catalogue in every "
                "part: encode all parts with one encoder."
            )
        if not (self.n_users and other.n_users):  # the names and dtype of an empty part are ignored
            return self if self.n_users else other
        if self.names != other.names:
            raise ValueError(_other_names(self.names, other.names))
        return Facts(
            self.n_users + other.n_users,
            self.n_items,
            self.n_entries + other.n_entries,
            self.total + other.total,
            str(np.result_type(self.dtype, other.dtype)),
            csr_array(vstack([self.rows, other.rows], format="csr")[:_N_ROWS]),
            self.names,
        )


def _other_names(first, second):
    what = "The parts have columns of different names, or in another order"
    if first is None or second is None:
        shown = "names in some parts and none in others"
    else:
        place = next(
            i for i, pair in enumerate(zip(first, second, strict=True)) if len({*pair}) > 1
        )
        shown = f"{first[place]!r} and {second[place]!r} in column {place}"
    return (
        f"{what}: {shown}. Expected the same columns in every part: reorder the columns of the "
        "dataframes, for example with part[parts[0].columns]."
    )


def _names_of(X):
    """Names of the columns of a dataframe if all are text, as in scikit-learn; else None."""
    names = getattr(X, "columns", None)
    if names is None or not all(isinstance(name, str) for name in names):
        return None  # the check of X refuses a mixture
    return tuple(names)


class ValidRows:
    """Open a part, and check it as `fit` checks its X.

    Parameters
    ----------
    opener : callable
        ``opener(part) -> matrix``.
    estimator : estimator
        Its tags say which values are allowed. Rows must match its ``n_features_in_`` and
        ``feature_names_in_``, if it has them.
    dtype : str or None
        Dtype that values are cast to; None: their own.
    """

    def __init__(self, opener, estimator, dtype=None):
        self.opener, self.estimator, self.dtype = opener, estimator, dtype

    def __call__(self, part):
        return self.check(self.opener(part))

    def check(self, X):
        """Check the matrix of an opened part."""
        if X.shape[0] == 0:  # a partition that a filter has emptied
            dtype = self.dtype or getattr(X, "dtype", np.float64)
            return csr_array((0, X.shape[1]), dtype=dtype)
        model = clone(self.estimator)
        known = hasattr(self.estimator, "n_features_in_")
        if known:
            _set_columns(model, self.estimator)
        X = validate_interactions(model, X, reset=not known)
        return X if self.dtype is None else X.astype(self.dtype, copy=False)


def _set_columns(model, known):
    model.n_features_in_ = known.n_features_in_
    if hasattr(known, "feature_names_in_"):
        model.feature_names_in_ = known.feature_names_in_


class TransformedRows:
    """Open a part, and transform it.

    Parameters
    ----------
    opener : callable
    transformer : fitted transformer
    """

    def __init__(self, opener, transformer):
        self.opener, self.transformer = opener, transformer

    def __call__(self, part):
        X = self.opener(part)
        return self.transformer.transform(X) if X.shape[0] else X  # transformers need a row


def has_sums(estimator):
    """Whether an estimator can be fitted over parts."""
    return hasattr(type(estimator), "_rounds")


def fit_parts(estimator, engine):
    """Fit a clone of an estimator over the parts of an engine.

    Parameters
    ----------
    estimator : estimator or Pipeline
        Must implement `_rounds`. Steps of a pipeline that need no fit are fitted to a few rows.
    engine : engine
        See `skrec.utils._engines`. The rows of its parts are users; each user is in one part.

    Returns
    -------
    fitted : estimator

    Raises
    ------
    TypeError
        If the estimator cannot be fitted over parts.
    """
    if isinstance(estimator, Pipeline):
        return _fit_pipeline(estimator, engine)
    if not isinstance(estimator, BaseEstimator) or not has_sums(estimator):
        raise TypeError(
            f"{type(estimator).__name__} cannot be fitted over parts: its fit is no sum over "
            "users. Use an estimator that the guide lists on its page about more than one process, "
            "such as EASE, ItemKNN or WMF; or fit this one in one process."
        )
    model, opener = clone(estimator), engine.opener
    if rules := getattr(model, "_parameter_rules", None):
        check_parameters(model, rules)
    facts = _facts(engine, ValidRows(None, clone(model)))
    model.n_features_in_ = facts.n_items
    if facts.names is not None:
        model.feature_names_in_ = np.array(facts.names, dtype=object)
    if get_tags(model).estimator_type == "recommender":
        check_model(model, (facts.n_users, facts.n_items))
    walk = engine.with_opener(ValidRows(opener, clone_of_width(model), facts.dtype))
    try:
        with arithmetic(f"The fit of {type(model).__name__}"):
            run_rounds(model._rounds(facts), walk.sum)
    finally:
        walk.close()
    if get_tags(model).estimator_type == "recommender":
        check_outcome(model, facts.rows.astype(facts.dtype), recommender_tags(model), stacklevel=3)
    return model


def clone_of_width(model):
    """An unfitted clone with the number and names of the items of a model."""
    twin = clone(model)
    _set_columns(twin, model)
    return twin


def _fit_pipeline(pipeline, engine):
    steps = []
    for name, step in pipeline.steps[:-1]:
        if step not in (None, "passthrough"):
            step = _fit_step(step, engine)
            engine = engine.with_opener(TransformedRows(engine.opener, step))
        steps.append((name, step))
    name, last = pipeline.steps[-1]
    if last not in (None, "passthrough"):
        last = fit_parts(last, engine)
    fitted = clone(pipeline)
    fitted.steps = [*steps, (name, last)]
    return fitted


def _fit_step(step, engine):
    if has_sums(step):
        return fit_parts(step, engine)
    if getattr(get_tags(step), "requires_fit", True):
        raise TypeError(
            f"{type(step).__name__} cannot be fitted over parts. Got it as a step of a pipeline; "
            "use transformers that need no fit, such as Binarizer, or BM25Transformer."
        )
    facts = _facts(engine)
    fitted = clone(step).fit(facts.rows)
    if facts.names is not None and hasattr(fitted, "n_features_in_"):
        fitted.feature_names_in_ = np.array(facts.names, dtype=object)
    return fitted


def _facts(engine, rows=None):
    """The facts of all parts; `rows`: the `ValidRows` that check the parts."""
    facts = engine.sum(Pass(_facts_of, (rows,)))
    if facts.n_users == 0:
        raise ValueError("No part has a user. Expected at least one row in all parts together.")
    return facts


def _facts_of(X, rows):
    names = _names_of(X)
    return Facts.of(X if rows is None else rows.check(X), names)
