"""The file of `evaluate --results` for `fit --from`: numbers, and how to fit each model."""

import json
from pathlib import Path
from typing import NamedTuple

from skrec._cli._arguments import DATA_OPTIONS
from skrec._cli._errors import CommandError, unknown_name
from skrec._cli._models import as_text_values
from skrec.utils._files import atomic_text


class Recipe(NamedTuple):
    """How to fit one of the models of a comparison.

    Attributes
    ----------
    data : str
    options : dict of str to (str, float, int or bool)
        Values of `DATA_OPTIONS`.
    model : str
    assignments : list of (str, str)
        Parameters and their values as text.
    """

    data: str
    options: dict
    model: str
    assignments: list


def write_results(path, numbers, *, data, options, parameters):
    """Write the numbers of a comparison, and how to fit its models.

    Parameters
    ----------
    path : pathlib.Path
    numbers : dict
        Numbers that JSON can hold.
    data : str
        DATA of the command line.
    options : dict of str to object
        Values of `DATA_OPTIONS`.
    parameters : dict of str to dict
        By model, best first: the given and chosen parameters.
    """
    fit = {
        "data": data,
        "options": options,
        "models": {name: as_text_values(params) for name, params in parameters.items()},
    }
    with atomic_text(path) as file:
        file.write(json.dumps(numbers | {"fit": fit}, indent=2, allow_nan=False) + "\n")


def read_recipe(path, model):
    """Read how to fit a model of a comparison.

    Parameters
    ----------
    path : str
        A file of `write_results`.
    model : str or None
        Name of the model; None: the best one.

    Returns
    -------
    recipe : Recipe

    Raises
    ------
    CommandError
        If it is another kind of file, or has no such model.
    OSError
        If the file cannot be read.
    """
    try:
        fit = json.loads(Path(path).read_text("utf-8"))["fit"]
        data, options, models = (fit[name] for name in ("data", "options", "models"))
        sound = isinstance(data, str) and set(options) <= set(DATA_OPTIONS)
        sound = sound and all(_is_option(value) for value in options.values()) and len(models) > 0
        sound = sound and all(
            isinstance(text, str) for params in models.values() for text in params.values()
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        sound = False
    if not sound:
        raise CommandError(
            f"{path} is not a file of results; expected one written by `evaluate --results`."
        )
    name = next(iter(models)) if model is None else model.lower()
    if name not in models:
        raise unknown_name(f"model in {path}", model, models)
    return Recipe(data, options, name, list(models[name].items()))


def _is_option(value):
    return isinstance(value, str | float | int)
