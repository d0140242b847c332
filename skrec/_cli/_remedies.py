"""Turns the advice of a library error into options of the command line."""

import re

__all__ = ["on_command_line"]

_OPTIONS = (
    "encoding",
    "delimiter",
    "header",
    "quotechar",
    "decimal",
    "timestamp_format",
    "drop_missing",
    "duplicates",
    "negative",
    "data_home",
)
_ROLES = ("user", "item", "value", "timestamp")
_VALUE = r"('[^']*'|\"[^\"]*\"|[\w.]*\w)?"
# Neither within an option, nor an attribute, nor part of a longer name.
_BEFORE = r"(?<![\w.,-])(?<!--columns )(?<!--param )"
_ROLE = rf"(?:{'|'.join(_ROLES)})={_VALUE.replace('(', '(?:', 1)}"
_ROLES_IN_A_ROW = re.compile(rf"{_BEFORE}{_ROLE}(?:(?:, | and | or |, and |, or ){_ROLE})*")
_ONE_ROLE = re.compile(rf"({'|'.join(_ROLES)})={_VALUE}")
_OPTION = re.compile(rf"{_BEFORE}({'|'.join(_OPTIONS)})={_VALUE}")
_SET_PARAMS = re.compile(r"(?:\w+\.)?set_params\((\w+)=([^()]*)\)")
# Calls of Python, which the command line replaces by its own work or by an option.
_CALLS = (
    (re.compile(r"; for a folder with an interactions\.npz use load_dataset\([^()]*\)"), ""),
    (re.compile(r"(?:read the log with )?load_interactions\(\w+, ([^()]*)\)"), r"pass \1"),
    (re.compile(r"numpy\.savez\(\w+, user=\.*, item=\.*\)"), "numpy.savez, arrays user and item"),
    (
        re.compile(r"Make a matrix of times with InteractionEncoder\([^()]*\) or [^()]*\([^()]*\)"),
        "For times pass --columns value=timestamp, --duplicates max and --values keep",
    ),
    (re.compile(r"Read it yourself and pass titles as a mapping"), "Save it as UTF-8"),
)
_PLACES = re.compile(r"Expected (\d+) to (\d+)(?=: the first line)")
_WORDS = {"True": "yes", "False": "no", "None": "none"}


def on_command_line(text, params=(), model=""):
    """Replace each argument of Python in a text by its option.

    Only this function knows both: a loader's error says ``encoding=`` and an estimator's says
    ``set_params(alpha=...)``, for callers in Python.

    Parameters
    ----------
    text : str
        Text of an error or a warning of the library.
    params : iterable of str, default=()
        Names of parameters of models, to be written as ``--param``.
    model : str, default=""
        Name of the model, if ``--param`` needs it.

    Returns
    -------
    text : str

    Examples
    --------
    >>> from skrec._cli._remedies import on_command_line
    >>> on_command_line("pass the right encoding=, such as encoding='latin-1'")
    'pass the right --encoding, such as --encoding latin-1'
    >>> on_command_line("pass user=, item=")
    'pass --columns user=NAME,item=NAME'
    >>> on_command_line("use set_params(alpha=...)", model="ease")
    'use --param ease.alpha=VALUE'
    """
    prefix = f"{model}." if model else ""
    changed = text
    for call, words in _CALLS:
        changed = call.sub(words, changed)
    changed = _SET_PARAMS.sub(
        lambda found: f"--param {prefix}{found[1]}={_value(found[2]) or 'VALUE'}", changed
    )
    changed = _OPTION.sub(_option, changed)
    changed = _ROLES_IN_A_ROW.sub(_columns, changed)
    if params:
        names = "|".join(sorted(map(re.escape, params), key=len, reverse=True))
        changed = re.sub(
            rf"{_BEFORE}({names})={_VALUE}",
            lambda found: f"--param {prefix}{found[1]}={_value(found[2]) or 'VALUE'}",
            changed,
        )
    if changed != text:
        changed = re.sub(r"(places?) from 0", r"\1 from 1", changed).replace("(None ", "(none ")
        changed = re.sub(r"(=NAME) (one of|the right)", r"\1, \2", changed)
        changed = _PLACES.sub(
            lambda found: f"Expected {int(found[1]) + 1} to {int(found[2]) + 1}", changed
        )
    return changed


def _option(found):
    name, value = found[1], _value(found[2])
    option = f"--{name.replace('_', '-')}"
    if name == "drop_missing" or value is None:
        return option
    return f"{option} {_quoted(_WORDS.get(value, value))}"


def _columns(found):
    pairs = [(role, _value(value)) for role, value in _ONE_ROLE.findall(found[0])]
    return "--columns " + ",".join(f"{role}={_column(value)}" for role, value in pairs)


def _column(value):
    if value is None:
        return "NAME"
    return str(int(value) + 1) if value.isdecimal() else _WORDS.get(value, value)


def _value(text):
    """The value itself, or None if the text leaves it open."""
    if not text or text == "...":
        return None
    return text[1:-1] if text[0] in "'\"" else text


def _quoted(value):
    return f"'{value}'" if re.search(r"[^\w.+-]", value) else value
