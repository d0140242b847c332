"""Split the data, and compare models."""

import sys
import warnings

from sklearn.exceptions import FitFailedWarning

from skrec._cli._errors import CommandError
from skrec._cli._models import SEARCH_METRIC
from skrec._cli._signals import raise_if_interrupted
from skrec.ensemble import Fallback
from skrec.metrics import compare_models
from skrec.model_selection import evaluation_split
from skrec.utils._search_grid import search_grid
from skrec.utils._text import parameters_text

# Prefix of the parameters of the model within a `Fallback`.
_WITHIN = "estimator__"


def split_data(data, arguments):
    """Split the interactions by ``--protocol``.

    Parameters
    ----------
    data : Interactions
    arguments : argparse.Namespace

    Returns
    -------
    split : Bunch
        Result of `skrec.model_selection.evaluation_split`.

    Raises
    ------
    CommandError
        If times are missing, or no interaction can be held out.
    """
    protocol = {"loo": "leave_one_out"}.get(arguments.protocol, arguments.protocol)
    times = data.times if arguments.protocol in ("loo", "temporal") else None
    if arguments.protocol == "temporal" and not data.on_one_clock:
        raise CommandError(
            f"--protocol temporal needs times, and {data.title} has none; name the column with "
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
    """Compare models; after Ctrl-C print the finished ones.

    Parameters
    ----------
    models : list of Model
    split : Bunch
        Result of `split_data`.
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
        # Users without a past get the same list as from `recommend`.
        estimators[model.name] = Fallback(model.estimator) if served else model.estimator
        if arguments.search:
            grid = search_grid(model.estimator, set(model.given))
            search[model.name] = [_prefixed(one) for one in grid] if served else grid
    try:
        with warnings.catch_warnings():
            # One line at the end names the failed models.
            warnings.simplefilter("ignore", FitFailedWarning)
            # The legend of the table has the same figures.
            warnings.filterwarnings("ignore", "Nothing is known of", UserWarning)
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


def _prefixed(setting):
    return {f"{_WITHIN}{name}": value for name, value in setting.items()}


def _of_models_within(comparison, models):
    """Name the parameters of the wrapped models, as `fit` takes them."""
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
