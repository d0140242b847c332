"""Fit models, test them on the same held-out items, and tell them apart."""

import time
import warnings
from contextlib import suppress
from typing import NamedTuple

from sklearn.base import clone
from sklearn.utils import Bunch

from skrec._cli._errors import one_line
from skrec._cli._memory import PeakMemory
from skrec._cli._models import SEARCH_METRIC, configurations, format_params
from skrec._cli._results import ModelResult, Score
from skrec.metrics import compare, evaluate

_CURVE_LENGTHS = (1, 2, 5, 10, 20, 50, 100)
# What compiled kernels specialise on (dtypes, thresholds in the number of items) is the
# same for this much of the data as for all of it.
_WARM_UP_USERS, _WARM_UP_ITEMS = 64, 1100


class Run(NamedTuple):
    """A model that has been fitted and tested.

    Attributes
    ----------
    name, parameters : str
    result : Bunch
        Of `skrec.metrics.evaluate`, for the metrics of the table and the curves.
    fit_seconds, predict_seconds : float
    peak_bytes : int or None
    trials : list of (dict, float)
    """

    name: str
    parameters: str
    result: Bunch
    fit_seconds: float
    predict_seconds: float
    peak_bytes: int | None
    trials: list


def run_models(models, split, metrics, *, search, normalize, progress):
    """Fit and test each model.

    Parameters
    ----------
    models : list of Model
    split : Split
    metrics : list of str
    search : bool
        Whether to choose the parameters on the validation part first.
    normalize : {"min", "relevant"}
        Denominator of recall.
    progress : tqdm
        Moves on once per fit and once per test.

    Returns
    -------
    runs : list of Run
        Of the models that did not fail.
    failures : dict of str to str
        What went wrong with the others.
    """
    runs, failures = [], {}
    for model in models:
        try:
            runs.append(_run_model(model, split, metrics, search, normalize, progress))
        except (ValueError, MemoryError, ArithmeticError) as error:
            # The others are worth their time even if one does not fit into memory.
            failures[model.name] = one_line(error)
    return runs, failures


def count_steps(models, *, search):
    """How often `run_models` moves its progress bar on."""
    n_trials = [len(configurations(model)) if search else 0 for model in models]
    return sum(2 + (n if n > 1 else 0) for n in n_trials)


def rank_runs(runs, metrics):
    """Order the models and test which differ from the best.

    Parameters
    ----------
    runs : list of Run
    metrics : list of str
        Of the table.

    Returns
    -------
    models : list of ModelResult
        Best first.
    main_metric : str
        What they are ordered by: the first nDCG, or the first metric.
    """
    main = next((name for name in metrics if name.startswith("ndcg")), metrics[0])
    ordered = sorted(runs, key=lambda run: -run.result.mean[main])
    best = {name: max(ordered, key=lambda run: run.result.mean[name]) for name in metrics}
    models = [
        ModelResult(
            name=run.name,
            parameters=run.parameters,
            scores={name: _score(run, best[name], name) for name in metrics},
            fit_seconds=run.fit_seconds,
            predict_seconds=run.predict_seconds,
            peak_bytes=run.peak_bytes,
            trials=run.trials,
            curves=_curves(run, metrics),
        )
        for run in ordered
    ]
    return models, main


def curve_metrics(metrics, n_items):
    """Metrics at several lengths of the list, for the plots.

    Parameters
    ----------
    metrics : list of str
        Of the table.
    n_items : int

    Returns
    -------
    names : list of str
        For each kind of metric@k of the table; none of those already in it.
    """
    kinds = dict.fromkeys(name.partition("@")[0] for name in metrics if "@" in name)
    lengths = [k for k in _CURVE_LENGTHS if k <= n_items]
    names = [f"{kind}@{k}" for kind in kinds for k in lengths]
    return [name for name in names if name not in metrics]


def _run_model(model, split, metrics, search, normalize, progress):
    estimator, trials = clone(model.estimator), []
    progress.set_description(f"{model.name}: preparing")
    _warm_up(estimator, split.test)
    grid = configurations(model) if search else []
    if len(grid) > 1:
        for params in grid:
            progress.set_description(f"{model.name}: trying {format_params(params)}")
            trials.append((params, _validate(clone(estimator).set_params(**params), split)))
            progress.update()
        estimator.set_params(**max(trials, key=lambda trial: trial[1])[0])
    progress.set_description(f"{model.name}: fitting")
    with PeakMemory() as peak:
        start = time.perf_counter()
        estimator.fit(split.test.X_train)
        fit_seconds = time.perf_counter() - start
    progress.update()
    progress.set_description(f"{model.name}: testing")
    start = time.perf_counter()
    result = evaluate(estimator, split.test.X_shown, split.test.y, metrics, normalize=normalize)
    predict_seconds = time.perf_counter() - start
    progress.update()
    parameters = " ".join(repr(estimator).split())
    return Run(model.name, parameters, result, fit_seconds, predict_seconds, peak.n_bytes, trials)


def _warm_up(estimator, part):
    """Compile and import what a fit and a test need, which is no part of their time and memory."""
    n_items = min(_WARM_UP_ITEMS, part.y.shape[1])
    X, shown, y = (matrix[:_WARM_UP_USERS][:, :n_items] for matrix in part)
    # A sample can be too small where the data are not; the fit itself will tell.
    with warnings.catch_warnings(), suppress(ValueError):
        warnings.simplefilter("ignore")
        evaluate(clone(estimator).fit(X), shown, y, metrics="ndcg@10")


def _validate(estimator, split):
    part = split.validation
    fitted = estimator.fit(part.X_train)
    return evaluate(fitted, part.X_shown, part.y, SEARCH_METRIC).mean[SEARCH_METRIC]


def _score(run, best, metric):
    mean, error = run.result.mean[metric], run.result.standard_error[metric]
    if run is best:
        return Score(mean, error)
    # Only the t-test is wanted, not the bootstrap interval.
    test = compare(run.result, best.result, metric, n_bootstrap=1)
    return Score(mean, error, test.p_value)


def _curves(run, metrics):
    curves = {}
    for kind in dict.fromkeys(name.partition("@")[0] for name in metrics if "@" in name):
        lengths = sorted(
            int(name.partition("@")[2]) for name in run.result.mean if name.startswith(f"{kind}@")
        )
        names = [f"{kind}@{k}" for k in lengths]
        curves[kind] = [
            (k, run.result.mean[name], run.result.standard_error[name])
            for k, name in zip(lengths, names, strict=True)
        ]
    return curves
