"""The verb `evaluate`."""

import json
import shlex
import sys
import warnings

from sklearn.exceptions import FitFailedWarning

from skrec._cli._data import active_part, read_data
from skrec._cli._errors import CommandError, unknown_name
from skrec._cli._ids import as_text
from skrec._cli._models import SEARCH_METRIC, as_options, make_models, split_names
from skrec._cli._output import check_output, format_facts
from skrec._cli._remedies import on_command_line
from skrec._cli._signals import one_piece, raise_if_interrupted
from skrec._cli._sources import reading_options
from skrec._cli._streams import check_stdout
from skrec._evaluation._names import LIST_METRICS, parse_metric
from skrec.metrics import compare_models
from skrec.model_selection import evaluation_split
from skrec.utils._files import atomic_text
from skrec.utils._search_grid import search_grid
from skrec.utils._text import versions_text

_DEFAULT_METRICS = {
    "strong": "recall@20,recall@50,ndcg@100",
    "weak": "recall@20,recall@50,ndcg@100",
    "loo": "hr@10,ndcg@10",
}
_DENOMINATORS = {
    "min": "recall@k divides by min(k, number of held-out items)",
    "relevant": "recall@k divides by the number of held-out items",
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
        _require_matplotlib()
    if not (report or results):
        check_stdout()
    metrics = parse_metrics(arguments.metrics or _DEFAULT_METRICS[arguments.protocol])
    models = make_models(arguments.models, arguments.param, random_state=arguments.random_state)
    data = active_part(
        read_data(
            arguments.data,
            reading=reading_options(arguments),
            min_value=arguments.min_value,
            data_home=arguments.data_home,
        ),
        arguments.min_user_count,
    )
    split = _split(data, arguments)
    header = _header(arguments, data, split)
    sys.stdout.write(format_facts(header) + "\n")
    sys.stdout.flush()
    unwritten = "; nothing was written" if report or results else ""
    with one_piece(f"the comparison is not complete{unwritten}"):
        comparison = _compare(models, split, metrics, arguments)
    sys.stdout.write(comparison.to_text(bold=sys.stdout.isatty(), failures=False))
    if report:
        _write_report(comparison, report, arguments, data, split, models, header)
        sys.stdout.write(f"\nReport: {report}\n")
    if results:
        content = {"data": data.title, "header": dict(header)} | comparison.to_dict()
        with atomic_text(results) as file:
            file.write(json.dumps(content, indent=2, allow_nan=False) + "\n")
        sys.stdout.write(f"\nNumbers: {results}\n")
    if comparison.failures:
        sys.stdout.flush()
        reasons = "; ".join(
            f"{model.name}: {on_command_line(reason, model.estimator.get_params(), model.name)}"
            for model in models
            if (reason := comparison.failures.get(model.name))
        )
        raise CommandError(f"{len(comparison.failures)} of {len(models)} models failed. {reasons}")


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


def _require_matplotlib():
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise CommandError(
            "--output writes a report with plots, which needs matplotlib: "
            'pip install "scikit-recsys[plot]"'
        ) from error


def _split(data, arguments):
    protocol = {"loo": "leave_one_out"}.get(arguments.protocol, arguments.protocol)
    times = data.times if arguments.protocol == "loo" else None
    try:
        return evaluation_split(
            data.X, protocol, timestamps=times, random_state=arguments.random_state
        )
    except ValueError as error:
        raise CommandError(
            f"{error} On the command line: lower --min-user-count or --min-value, or use another "
            "--protocol."
        ) from error


def _compare(models, split, metrics, arguments):
    search = None
    if arguments.search:
        search = {model.name: search_grid(model.estimator, set(model.given)) for model in models}
    try:
        with warnings.catch_warnings():
            # What failed is told in one line at the end.
            warnings.simplefilter("ignore", FitFailedWarning)
            comparison = compare_models(
                {model.name: model.estimator for model in models},
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
    return comparison


def _header(arguments, data, split):
    lines = [*data.facts, ("protocol", split.protocol), ("split", split.sizes)]
    denominator = _DENOMINATORS[arguments.normalize]
    lines.append(("ranking", f"all items that the user does not have; {denominator}"))
    if arguments.search:
        lines.append(("search", f"parameters with the best {SEARCH_METRIC} on validation"))
    return [*lines, ("seed", str(arguments.random_state)), ("versions", versions_text())]


def _write_report(comparison, path, arguments, data, split, models, header):
    items = data.item_ids if data.titles is None else data.titles
    comparison.to_html(
        path,
        title=f"Recommenders compared: {data.title}",
        facts=header,
        command=arguments.command,
        fit_commands={
            model.name: _fit_command(model, comparison.chosen[model.name], arguments)
            for model in models
            if model.name in comparison.chosen
        },
        item_names=[as_text(items[item]) for item in split.kept_items],
        user_names=[as_text(data.user_ids[user]) for user in split.test_users],
    )


def _fit_command(model, chosen, arguments):
    """The `fit` command with the parameters that were tested, ready to copy."""
    words = ["python", "-m", "skrec", "fit", arguments.data or "demo", "--model", model.name]
    words += as_options(model.given | chosen)
    for option in ("min_value", "min_user_count", "columns", "data_home", "random_state"):
        value = getattr(arguments, option)
        if value is not None:
            words += [f"--{option.replace('_', '-')}", f"{value}"]
    return shlex.join([*words, "--output", f"{model.name}.skops"])
