"""The verb `evaluate`."""

import json
import platform
import sys

import numpy as np
import scipy
import sklearn

from skrec._cli._compare import count_steps, curve_metrics, rank_runs, run_models
from skrec._cli._data import active_part, read_data
from skrec._cli._errors import CommandError, unknown_name
from skrec._cli._files import atomic_text, check_output
from skrec._cli._models import SEARCH_METRIC, format_params, make_models, split_names
from skrec._cli._plots import require_matplotlib
from skrec._cli._progress import progress_bar
from skrec._cli._protocols import split_data
from skrec._cli._report import write_report
from skrec._cli._results import Comparison
from skrec._cli._sources import parse_columns
from skrec._cli._table import format_facts, format_table
from skrec._evaluation._names import LIST_METRICS, parse_metric
from skrec._version import __version__

_DEFAULT_METRICS = {
    "strong": "recall@20,recall@50,ndcg@100",
    "weak": "recall@20,recall@50,ndcg@100",
    "loo": "hr@10,ndcg@10",
}


def run(arguments):
    """Compare models and show the result.

    Parameters
    ----------
    arguments : argparse.Namespace
        See `skrec._cli._parser`.

    Raises
    ------
    CommandError
        For a mistake in the arguments or the data; or, once the table is printed, if a
        model failed.
    """
    report = check_output(arguments.output, "--output", (".html", ".htm"))
    results = check_output(arguments.results, "--results")
    if report:
        require_matplotlib()
    metrics = parse_metrics(arguments.metrics or _DEFAULT_METRICS[arguments.protocol])
    models = make_models(arguments.models, arguments.param, random_state=arguments.random_state)
    data = active_part(
        read_data(
            arguments.data,
            columns=parse_columns(arguments.columns),
            min_value=arguments.min_value,
            data_home=arguments.data_home,
        ),
        arguments.min_user_count,
    )
    split = split_data(
        data.X, data.times, protocol=arguments.protocol, random_state=arguments.random_state
    )
    header = _header(arguments, data, split)
    sys.stdout.write(format_facts(header) + "\n")
    sys.stdout.flush()
    more = curve_metrics(metrics, split.test.y.shape[1]) if report else []
    runs, failures = _run(models, split, [*metrics, *more], arguments)
    if runs:
        comparison = _compare(runs, metrics, data.title, header)
        _show(comparison)
        if report:
            write_report(comparison, report)
            sys.stdout.write(f"\nReport: {report}\n")
        if results:
            _write_json(comparison, results)
            sys.stdout.write(f"\nNumbers: {results}\n")
    if failures:
        sys.stdout.flush()
        reasons = "; ".join(f"{name}: {reason}" for name, reason in failures.items())
        raise CommandError(f"{len(failures)} of {len(models)} models failed. {reasons}")


def parse_metrics(text):
    """Read the names of ranking metrics.

    Parameters
    ----------
    text : str
        Separated by commas.

    Returns
    -------
    names : list of str

    Raises
    ------
    CommandError
        If a name is unknown, or of an error of ratings: interactions have none.
    """
    names = [name.lower() for name in split_names(text, "--metrics")]
    known = [*(f"{kind}@k" for kind in ("hr", *LIST_METRICS)), "auc"]
    for name in names:
        try:
            metric = parse_metric(name)
        except ValueError as error:
            raise unknown_name("metric (with a whole number for k)", name, known) from error
        if metric.is_rating:
            raise CommandError(
                f"metric {name!r} compares ratings, but `evaluate` ranks interactions. Known: "
                f"{', '.join(known)}."
            )
    return names


def _run(models, split, metrics, arguments):
    steps = count_steps(models, search=arguments.search)
    with progress_bar(steps, "step") as progress:
        return run_models(
            models,
            split,
            metrics,
            search=arguments.search,
            normalize=arguments.normalize,
            progress=progress,
        )


def _header(arguments, data, split):
    denominator = {
        "min": "recall@k divides by min(k, number of held-out items)",
        "relevant": "recall@k divides by the number of held-out items",
    }[arguments.normalize]
    lines = [*data.facts, ("protocol", split.protocol), ("split", split.sizes)]
    lines.append(("ranking", f"all items that the user does not have; {denominator}"))
    if arguments.search:
        lines.append(("search", f"parameters with the best {SEARCH_METRIC} on validation"))
    return [*lines, ("seed", str(arguments.random_state)), ("versions", _versions())]


def _versions():
    return (
        f"skrec {__version__}, Python {platform.python_version()}, numpy {np.__version__}, "
        f"scipy {scipy.__version__}, scikit-learn {sklearn.__version__}"
    )


def _compare(runs, metrics, title, header):
    models, main_metric = rank_runs(runs, metrics)
    return Comparison(
        title=title,
        header=header,
        metrics=metrics,
        main_metric=main_metric,
        models=models,
        n_users=runs[0].result.n_users[main_metric],
    )


def _show(comparison):
    sys.stdout.write(format_table(comparison, ansi=sys.stdout.isatty()))
    chosen = [model for model in comparison.models if model.trials]
    if chosen:
        sys.stdout.write("\nChosen parameters:\n")
    for model in chosen:
        params, score = max(model.trials, key=lambda trial: trial[1])
        sys.stdout.write(
            f"  {model.name}: {format_params(params)} ({SEARCH_METRIC} {score:.4f} on validation, "
            f"best of {len(model.trials)})\n"
        )


def _write_json(comparison, path):
    content = {
        "data": comparison.title,
        "header": dict(comparison.header),
        "metrics": comparison.metrics,
        "main_metric": comparison.main_metric,
        "n_users": comparison.n_users,
        "models": [_as_dict(model) for model in comparison.models],
    }
    with atomic_text(path) as file:
        json.dump(content, file, indent=2, allow_nan=False)
        file.write("\n")


def _as_dict(model):
    return {
        "name": model.name,
        "parameters": model.parameters,
        "scores": {name: _score_dict(score) for name, score in model.scores.items()},
        "fit_seconds": model.fit_seconds,
        "predict_seconds": model.predict_seconds,
        "peak_bytes": model.peak_bytes,
        "search": [{"params": params, "score": score} for params, score in model.trials],
    }


def _score_dict(score):
    # JSON has no NaN, which the standard error of a single user is.
    pairs = score._asdict().items()
    return {name: None if value is None or np.isnan(value) else value for name, value in pairs}
