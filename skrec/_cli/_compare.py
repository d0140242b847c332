"""Split the data, compare models, and tell users apart of whom nothing was known."""

import sys
import warnings

import numpy as np
from sklearn.exceptions import FitFailedWarning

from skrec._cli._errors import CommandError
from skrec._cli._models import SEARCH_METRIC
from skrec._cli._signals import raise_if_interrupted
from skrec.ensemble import Fallback
from skrec.metrics import compare_models
from skrec.model_selection import evaluation_split
from skrec.utils._search_grid import search_grid
from skrec.utils._text import parameters_text

# What stands before the name of a parameter of the model within a `Fallback`.
_WITHIN = "estimator__"


def split_data(data, arguments):
    """Split the interactions as ``--protocol`` says.

    Parameters
    ----------
    data : Interactions
    arguments : argparse.Namespace

    Returns
    -------
    split : Bunch
        Of `skrec.model_selection.evaluation_split`.

    Raises
    ------
    CommandError
        If times are missing, or nothing is held out.
    """
    protocol = {"loo": "leave_one_out"}.get(arguments.protocol, arguments.protocol)
    times = data.times if arguments.protocol in ("loo", "temporal") else None
    if arguments.protocol == "temporal" and not data.on_one_clock:
        raise CommandError(
            f"--protocol temporal needs times, and {data.title} has none; name their column with "
            "--columns timestamp=NAME, or use another --protocol."
        )
    try:
        return evaluation_split(
            data.X, protocol, timestamps=times, random_state=arguments.random_state
        )
    except ValueError as error:
        raise CommandError(
            f"{error} On the command line: lower --min-user-count or --min-value, or use another "
            "--protocol."
        ) from error


def compare(models, split, metrics, arguments):
    """Compare models; after Ctrl-C those that are done are printed.

    Parameters
    ----------
    models : list of Model
    split : Bunch
        Of `split_data`.
    metrics : list of str
    arguments : argparse.Namespace

    Returns
    -------
    comparison : Comparison

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C.
    """
    served = arguments.protocol == "temporal"
    estimators, search = {}, {} if arguments.search else None
    for model in models:
        # Users without a past get what `recommend` would give them.
        estimators[model.name] = Fallback(model.estimator) if served else model.estimator
        if arguments.search:
            grid = search_grid(model.estimator, set(model.given))
            search[model.name] = [_prefixed(one) for one in grid] if served else grid
    try:
        with warnings.catch_warnings():
            # What failed is told in one line at the end.
            warnings.simplefilter("ignore", FitFailedWarning)
            comparison = compare_models(
                estimators,
                split.X_train,
                split.X_test,
                split.y_test,
                metrics,
                search=search,
                search_metric=SEARCH_METRIC,
                validation=split.validation,
                normalize=arguments.normalize,
                random_state=arguments.random_state,
                verbose=sys.stderr.isatty(),
            )
    except KeyboardInterrupt as interrupt:
        done = getattr(interrupt, "comparison", None)
        if done is not None:
            sys.stdout.write(f"Incomplete: {len(done.names)} of {len(models)} models.\n")
            sys.stdout.write(done.to_text(bold=sys.stdout.isatty(), failures=False))
            sys.stdout.flush()
        raise
    raise_if_interrupted()
    return _of_models_within(comparison, models) if served else comparison


def without_past(comparison, split):
    """Tell apart the users of whom a model knows nothing when it is tested.

    Parameters
    ----------
    comparison : Comparison
    split : Bunch
        Of `split_data`.

    Returns
    -------
    apart : dict
        "n_users" and "n_without_past", and "scores": by model and metric the means "with" and
        "without" a past. Empty where everybody has one.
    """
    empty = np.diff(split.X_test.indptr) == 0
    values = comparison.per_user[comparison.names[0]][comparison.main_metric]
    tested = ~np.isnan(values)
    n_without = int((empty & tested).sum())
    if not n_without:
        return {}
    scores = {
        name: {
            metric: {
                "with": _mean(comparison.per_user[name][metric], ~empty),
                "without": _mean(comparison.per_user[name][metric], empty),
            }
            for metric in comparison.metrics
        }
        for name in comparison.names
    }
    return {"n_users": int(tested.sum()), "n_without_past": n_without, "scores": scores}


def describe_without_past(comparison, apart):
    """Write the means of `without_past` for people."""
    metric, n_users, n_without = comparison.main_metric, apart["n_users"], apart["n_without_past"]
    width = max(map(len, comparison.names))
    lines = [
        f"{n_without:,} of the {n_users:,} users had no past at the time of the split "
        f"({n_without / n_users:.1%}); they get the popular items. {metric} apart:",
        f"  {'':{width}}  with a past  without",
    ]
    for name in comparison.names:
        with_past, without = (
            "-" if value is None else f"{value:.4f}"
            for value in apart["scores"][name][metric].values()
        )
        lines.append(f"  {name:{width}}  {with_past:>11}  {without:>7}")
    return "\n".join(lines) + "\n"


def _mean(values, rows):
    found = values[rows & ~np.isnan(values)]
    return float(found.mean()) if len(found) else None


def _prefixed(setting):
    return {f"{_WITHIN}{name}": value for name, value in setting.items()}


def _of_models_within(comparison, models):
    """Say what is searched and fitted of the models within, as `fit` takes it."""
    estimators = {model.name: model.estimator for model in models}
    for name in comparison.names:
        comparison.chosen[name] = _plain(comparison.chosen[name])
        for trial in comparison.trials[name]:
            trial.parameters = _plain(trial.parameters)
        estimator = estimators[name].set_params(**comparison.chosen[name])
        comparison.parameters[name] = parameters_text(estimator)
    return comparison


def _plain(setting):
    return {name.removeprefix(_WITHIN): value for name, value in setting.items()}
