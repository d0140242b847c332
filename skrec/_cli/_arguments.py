"""Arguments that several verbs share, and their types."""

import argparse
import math

# Options for reading a file, and options on which interactions count, and how.
LOG_OPTIONS = (
    "columns", "delimiter", "header", "encoding", "quotechar", "decimal", "timestamp_format",
    "drop_missing", "negative", "duplicates",
)  # fmt: skip
DATA_OPTIONS = ("min_value", "values", "min_user_count", "data_home", "random_state", *LOG_OPTIONS)

# The same as in `skrec._log` and `skrec._model_content`, which import scipy: help need not wait.
VALUES = ("ones", "keep")
NEGATIVE = ("warn", "keep", "drop", "subtract", "error")
DUPLICATES = ("sum", "count", "first", "last", "max", "min", "mean", "error")


def add_param(verb, metavar, of):
    verb.add_argument(
        "--param",
        action="append",
        default=[],
        metavar=metavar,
        help=f"set a parameter of {of}; may be repeated",
    )


def add_data_options(verb, *, min_user_count, seeded):
    """Add the options on which interactions count; an option that is not given is None."""
    verb.add_argument(
        "--random-state", type=seed, metavar="SEED", help=f"seed of {seeded} (default: 0)"
    )
    verb.add_argument(
        "--min-value",
        type=number,
        metavar="V",
        help="ignore values below V (default: 4 for MovieLens ratings, as in Liang et al. 2018; "
        "else every value above 0 counts)",
    )
    verb.add_argument(
        "--values",
        choices=VALUES,
        help="ones: each pair of user and item counts as 1, however large the value; keep: values, "
        "such as quantities, are weights (default: ones)",
    )
    verb.add_argument(
        "--min-user-count",
        type=count,
        metavar="N",
        help=f"leave out users with fewer than N interactions (default: {min_user_count})",
    )
    add_log_options(verb)
    verb.add_argument(
        "--data-home",
        metavar="DIR",
        help="folder of the data sets (default: $SKREC_DATA, else ~/scikit_recsys_data)",
    )


def given_options(arguments):
    """The given data options, by name; values as the command line of `fit` takes them."""
    values = {name: getattr(arguments, name) for name in DATA_OPTIONS}
    return {
        name: value for name, value in values.items() if value is not None and value is not False
    }


def fill_defaults(arguments, *, min_user_count):
    """Set the data options that were not given and whose default does not depend on the data."""
    if arguments.random_state is None:
        arguments.random_state = 0
    if arguments.min_user_count is None:
        arguments.min_user_count = min_user_count


def add_list_options(verb):
    """Add the options on the items of a list, and on the file to write."""
    verb.add_argument("-k", type=count, default=10, help="length of a list (default: %(default)s)")
    verb.add_argument(
        "--items",
        metavar="IDS.txt",
        help="items that lists may contain, such as those in stock, one id a line (default: all)",
    )
    verb.add_argument(
        "--exclude-items", metavar="IDS.txt", help="items to leave out of all lists, one id a line"
    )
    verb.add_argument(
        "--titles",
        metavar="ITEMS.csv",
        help="titles of items: a file with a column of ids and a column of titles (default: the "
        "titles given to `fit`)",
    )
    verb.add_argument(
        "--output", metavar="LISTS.csv", help="file to write; default: standard output"
    )


def add_log_options(verb):
    """Add the options for reading a file, which `skrec._cli._sources.reading_options` reads."""
    group = verb.add_argument_group("reading files")
    group.add_argument(
        "--columns",
        metavar="ROLE=NAME,...",
        help="names of columns that are not the usual ones, such as "
        "user=client,item=sku,value=none,timestamp=day; a number is a position, from 1",
    )
    group.add_argument(
        "--delimiter",
        metavar="TEXT",
        help="text between the fields of a line, such as ';' or tab (default: detected)",
    )
    group.add_argument(
        "--header",
        choices=("yes", "no"),
        help="whether the first line has the names of the columns (default: detected)",
    )
    group.add_argument(
        "--no-header",
        dest="header",
        action="store_const",
        const="no",
        help="the same as --header no",
    )
    group.add_argument(
        "--encoding", metavar="NAME", help="encoding of the text, such as latin-1 (default: utf-8)"
    )
    group.add_argument(
        "--quotechar",
        metavar="CHAR",
        help='character around fields with the delimiter; none: no quoting (default: ")',
    )
    group.add_argument(
        "--decimal", choices=(".", ","), help="decimal mark of the values (default: .)"
    )
    group.add_argument(
        "--timestamp-format",
        metavar="FORMAT",
        help="form of the times, such as %%d.%%m.%%Y or '%%Y%%m%%d %%H:%%M' (default: numbers, and "
        "dates such as 2024-12-31)",
    )
    group.add_argument(
        "--drop-missing",
        action="store_true",
        help="leave out lines without an id, a value or a time, and count them (default: stop)",
    )
    group.add_argument(
        "--negative",
        choices=NEGATIVE,
        help="meaning of negative values: ratings (keep), or returns, to leave out (drop) or to "
        "subtract from purchases (subtract); or an error (default: warn)",
    )
    group.add_argument(
        "--duplicates",
        choices=DUPLICATES,
        help="how to combine the values of repeated pairs of user and item (default: sum)",
    )


def _whole_number(text, low, high, what):
    try:
        value = int(text)
    except ValueError:
        value = None
    if value is None or not low <= value <= high:
        raise argparse.ArgumentTypeError(f"expected {what}, got {text!r}")
    return value


def number(text):
    """A finite number."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"expected a finite number, got {text!r}")
    return value


def seed(text):
    return _whole_number(text, 0, 2**32 - 1, "a whole number from 0 to 4294967295")


def count(text):
    return _whole_number(text, 1, 2**31 - 1, "a whole number of at least 1, at most 2147483647")


def port(text):
    return _whole_number(text, 0, 65535, "a port, a whole number from 0 to 65535")


def seconds(text):
    value = number(text)
    if not 0 < value <= 7 * 24 * 3600:
        raise argparse.ArgumentTypeError(
            f"expected a number of seconds above 0, at most 604800 (a week), got {text!r}"
        )
    return value
