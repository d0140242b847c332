"""Arguments that several verbs share, and their types."""

import argparse

# As `skrec._log._aggregate` has them, which imports scipy: help need not wait for it.
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
    verb.add_argument(
        "--random-state",
        type=seed,
        default=0,
        metavar="SEED",
        help=f"seed of {seeded} (default: %(default)s)",
    )
    verb.add_argument(
        "--min-value",
        type=float,
        metavar="V",
        help="values below V are no interactions (default: 4 for MovieLens ratings, as in Liang "
        "et al. 2018; else every value above 0 counts)",
    )
    verb.add_argument(
        "--min-user-count",
        type=count,
        default=min_user_count,
        metavar="N",
        help="leave out users with fewer than N interactions (default: %(default)s)",
    )
    add_log_options(verb)
    verb.add_argument(
        "--data-home",
        metavar="DIR",
        help="folder of the data sets (default: $SKREC_DATA, else ~/scikit_recsys_data)",
    )


def add_log_options(verb):
    """Add the options on how a file is read, which `skrec._cli._sources.reading` reads."""
    group = verb.add_argument_group("how files are read")
    group.add_argument(
        "--columns",
        metavar="ROLE=NAME,...",
        help="columns whose names are not the usual ones, such as "
        "user=client,item=sku,value=none,timestamp=day; a number is a place, from 1",
    )
    group.add_argument(
        "--delimiter",
        metavar="TEXT",
        help="between the fields of a line, such as ';' or tab (default: found out)",
    )
    group.add_argument(
        "--header",
        choices=("yes", "no"),
        help="whether the first line holds names (default: found out)",
    )
    group.add_argument(
        "--no-header",
        dest="header",
        action="store_const",
        const="no",
        help="the same as --header no",
    )
    group.add_argument(
        "--encoding", metavar="NAME", help="of the text, such as latin-1 (default: utf-8)"
    )
    group.add_argument(
        "--quotechar",
        metavar="CHAR",
        help='encloses fields that hold the delimiter; none: quotes mean nothing (default: ")',
    )
    group.add_argument(
        "--decimal", choices=(".", ","), help="before the fraction of a value (default: .)"
    )
    group.add_argument(
        "--drop-missing",
        action="store_true",
        help="leave out lines that lack an id, a value or a time, and count them (default: stop)",
    )
    group.add_argument(
        "--duplicates",
        choices=DUPLICATES,
        help="what becomes of the values where a user has an item several times (default: sum)",
    )


def _whole_number(text, low, high, what):
    try:
        value = int(text)
    except ValueError:
        value = None
    if value is None or not low <= value <= high:
        raise argparse.ArgumentTypeError(f"expected {what}, got {text!r}")
    return value


def seed(text):
    return _whole_number(text, 0, 2**32 - 1, "a whole number from 0 to 4294967295")


def count(text):
    return _whole_number(text, 1, 2**31 - 1, "a whole number of at least 1")
