"""The verb `evaluate`."""

import shlex
import sys

from skrec._cli._arguments import fill_defaults, given_options
from skrec._cli._compare import compare, split_data
from skrec._cli._data import active_part, read_data
from skrec._cli._errors import CommandError, unknown_name
from skrec._cli._ids import as_text
from skrec._cli._models import SEARCH_METRIC, as_options, make_models, split_names
from skrec._cli._output import check_output, format_facts
from skrec._cli._remedies import on_command_line
from skrec._cli._results import write_results
from skrec._cli._signals import one_piece
from skrec._cli._streams import check_stdout
from skrec._evaluation._names import LIST_METRICS, parse_metric
from skrec.utils._text import versions_text

_DEFAULT_METRICS = {
    "strong": "recall@20,recall@50,ndcg@100",
    "weak": "recall@20,recall@50,ndcg@100",
    "loo": "hr@10,ndcg@10",
    "temporal": "recall@20,recall@50,ndcg@100",
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
        For a mistake in the arguments or the data; or, after printing the table, if a
        model failed.
    """
    report = check_output(arguments.output, "--output", (".html", ".htm"))
    results = check_output(arguments.results, "--results")
    if report:
        _require_matplotlib()
    if not (report or results):
        check_stdout()
    options = given_options(arguments)  # without the filter of the evaluation, if it is not given
    fill_defaults(arguments, min_user_count=5)
    metrics = parse_metrics(arguments.metrics or _DEFAULT_METRICS[arguments.protocol])
    models = make_models(arguments.models, arguments.param, random_state=arguments.random_state)
    data = active_part(read_data(arguments), arguments.min_user_count)
    split = split_data(data, arguments)
    header = _header(arguments, data, split)
    sys.stdout.write(format_facts(header) + "\n")
    sys.stdout.flush()
    unwritten = "; nothing was written" if report or results else ""
    with one_piece(f"the comparison is not complete{unwritten}"):
        comparison = compare(models, split, metrics, arguments)
    sys.stdout.write(comparison.to_text(bold=sys.stdout.isatty(), failures=False))
    given = {model.name: model.given for model in models}
    parameters = {name: given[name] | comparison.chosen[name] for name in comparison.names}
    if report:
        commands = {
            name: _fit_command(name, parameters[name], arguments, options) for name in parameters
        }
        _write_report(comparison, report, arguments, data, split, commands, header)
        sys.stdout.write(f"\nReport: {report}\n")
    if results:
        numbers = {"data": data.title, "header": dict(header)} | comparison.to_dict()
        write_results(
            results, numbers, data=arguments.data or "demo", options=options, parameters=parameters
        )
        sys.stdout.write(f"\nNumbers: {results}\n")
    sys.stdout.flush()
    _raise_failures(comparison, models)


def _raise_failures(comparison, models):
    reasons = [
        f"{model.name}: {on_command_line(reason, model.estimator.get_params(), model.name)}"
        for model in models
        if (reason := comparison.failures.get(model.name))
    ]
    if reasons:
        raise CommandError(f"{len(reasons)} of {len(models)} models failed. {'; '.join(reasons)}")


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
        If a name is unknown, or is a metric of ratings.
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


def _header(arguments, data, split):
    lines = [*data.facts, ("protocol", split.protocol), ("split", split.sizes)]
    denominator = _DENOMINATORS[arguments.normalize]
    lines.append(("ranking", f"all items that the user does not have; {denominator}"))
    if arguments.protocol == "temporal":
        lines.append(("new users", "without a past: the popular items, as from `recommend`"))
    if arguments.search:
        lines.append(("search", f"parameters with the best {SEARCH_METRIC} on validation data"))
    return [*lines, ("seed", str(arguments.random_state)), ("versions", versions_text())]


def _write_report(comparison, path, arguments, data, split, commands, header):
    items = data.item_ids if data.titles is None else data.titles
    comparison.to_html(
        path,
        title=f"Recommenders compared: {data.title}",
        facts=header,
        command=arguments.command,
        fit_commands=commands,
        item_names=[as_text(items[item]) for item in split.kept_items],
        user_names=[as_text(data.user_ids[user]) for user in split.test_users],
    )


def _fit_command(name, parameters, arguments, options):
    """The `fit` command with the tested parameters, ready to copy."""
    words = ["python", "-m", "skrec", "fit", arguments.data or "demo", "--model", name]
    words += as_options(parameters)
    for option, value in options.items():
        words.append(f"--{option.replace('_', '-')}")
        words += [] if value is True else [f"{value}"]
    return shlex.join([*words, "--output", f"{name}.skops"])
