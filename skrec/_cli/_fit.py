"""The verb `fit`."""

import sys
import time

import numpy as np

from skrec._cli._arguments import fill_defaults
from skrec._cli._data import read_data
from skrec._cli._errors import CommandError
from skrec._cli._modelfile import save_model_file
from skrec._cli._models import make_model, split_params
from skrec._cli._output import check_output, format_facts, status
from skrec._cli._results import read_recipe
from skrec._cli._signals import one_piece, raise_if_interrupted
from skrec._log_recommender._titles import titles_of_items
from skrec._model_content import ModelContent
from skrec.ensemble import Fallback
from skrec.preprocessing import InteractionEncoder
from skrec.utils._memory import format_bytes
from skrec.utils._text import format_seconds, parameters_text


def run(arguments):
    """Fit a model on all data, save it, and describe the file.

    Parameters
    ----------
    arguments : argparse.Namespace
        See `skrec._cli._parser`.

    Raises
    ------
    CommandError
        For a mistake in the arguments or the data.
    """
    path = check_output(arguments.output, "--output", (".skops",))
    searched = _take_results(arguments) if arguments.results else []
    fill_defaults(arguments, min_user_count=1)
    kept = f", {path} is as it was" if path.exists() else ""
    with one_piece(f"nothing was written{kept}"):
        model, facts, seconds, what = _fit(arguments, searched, path)
    facts["model"] = parameters_text(model)
    facts["fit"] = format_seconds(seconds)
    facts["written"] = f"{path} ({format_bytes(path.stat().st_size)}): {what}"
    sys.stdout.write(format_facts(list(facts.items())))


def _take_results(arguments):
    """Fill in the results and options of a comparison; returns the parameters of the model.

    Arguments of the command line override the file, also options on the data.
    """
    recipe = read_recipe(arguments.results, arguments.model)
    arguments.model = recipe.model
    if arguments.data is None:
        arguments.data = recipe.data
    for name, value in recipe.options.items():
        if getattr(arguments, name) in (None, False):
            setattr(arguments, name, value)
    return recipe.assignments


def _fit(arguments, searched, path):
    """Read, fit and write; returns the fitted model and facts about it."""
    model = make_model(
        arguments.model,
        [*searched, *split_params(arguments.param, arguments.model)],
        random_state=arguments.random_state,
    )
    data = read_data(arguments)
    titles = data.titles
    if arguments.titles is not None:
        titles = titles_of_items(arguments.titles, data.item_ids)
    X, learned = _learned_part(data.X, arguments.min_user_count)
    with status(f"fitting {model.name} ..."):
        start = time.perf_counter()
        fitted = Fallback(model.estimator).fit(X)
        seconds = time.perf_counter() - start
    raise_if_interrupted()
    facts = dict([*data.facts, ("learned", learned)])
    content = ModelContent(
        model=fitted,
        encoder=InteractionEncoder.from_ids(data.user_ids, data.item_ids),
        interactions=data.X,
        seen=data.seen,
        titles=titles,
        min_value=data.min_value,
        values=arguments.values or "ones",
        facts=facts,
    )
    with status(f"writing {path} ..."):
        save_model_file(content, path)
    return fitted.estimator_, facts, seconds, _what(data, titles)


def _learned_part(X, min_user_count):
    """Rows to learn from; the other rows stay in the file for their users' lists."""
    users = np.flatnonzero(np.diff(X.indptr) >= min_user_count)
    if not len(users):
        raise CommandError(
            f"no user has {min_user_count} interactions that count; lower --min-user-count or "
            "--min-value."
        )
    part = X if len(users) == X.shape[0] else X[users]
    return part, f"from {len(users):,} users with {part.nnz:,} interactions"


def _what(data, titles):
    known = "" if titles is None else f", titles of {int((titles != '').sum()):,} of them"
    return f"model, ids of {len(data.user_ids):,} users and {len(data.item_ids):,} items{known}"
