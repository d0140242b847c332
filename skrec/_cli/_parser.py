"""The arguments of the verbs, and their help."""

import argparse

from skrec._cli._arguments import (
    add_data_options,
    add_list_options,
    add_log_options,
    add_param,
    count,
    port,
    seconds,
)
from skrec._cli._errors import CommandError, unknown_name
from skrec._version import __version__

_TOP_EPILOG = """\
examples:
  python -m skrec evaluate                            compare models on generated data
  python -m skrec evaluate log.csv --output report.html
  python -m skrec fit log.csv --model ease --output model.skops
  python -m skrec recommend model.skops --history new_users.csv -k 10
  python -m skrec similar model.skops -k 10 --output similar.csv
  python -m skrec serve model.skops --port 8000

Each verb has its own help: python -m skrec evaluate --help
"""

_DATA_HELP = """\
the interactions: a file (CSV, TSV, JSON lines, parquet, npz ...; one interaction a line:
user, item and, optionally, value and timestamp), a folder of files or a pattern, or the
name of a data set (1m or ml-1m, 100k, 20m, ..., demo, or any folder of the data home with
an interactions.npz)"""

_EVALUATE_EPILOG = """\
protocols:
  strong  Fit the models to some users and test them on others: the models see 80 % of
          a test user's items and predict the rest (Liang et al. 2018). Measures lists
          for new users. One eighth of the users each for validation and test.
  weak    Hold out a fifth of the items of each user; fit the models to all users.
  loo     Hold out the last item of each user (by time if there is one, else at random)
          and rank it among all items.
  temporal
          Hold out the last fifth of all interactions: how would a model fitted then have
          done since? Needs times. Users who came later get the popular items, as from
          `recommend`, and the table reports them separately.

examples:
  python -m skrec evaluate
  python -m skrec evaluate log.csv --models ease,itemknn,popularity --search
  python -m skrec evaluate ml-1m --param ease.alpha=300 --output report.html
  python -m skrec evaluate log.parquet --protocol loo --metrics hr@10,ndcg@10
"""

_FIT_EPILOG = """\
examples:
  python -m skrec fit log.csv --model ease --output model.skops
  python -m skrec fit ml-1m --model ease --param alpha=300 --output ml-1m.skops
  python -m skrec evaluate log.csv --search --results results.json
  python -m skrec fit log.csv --from results.json --output model.skops
"""

_RECOMMEND_EPILOG = """\
output: lines of user,rank,item,score, title if the model has titles, and fallback, which is
True if nothing is known of the user and the list has the popular items. Lists leave out the
items that the user already has. The name of --output decides the format: parquet
(LISTS.parquet), a folder of parquet parts (LISTS/, with a slash), else CSV. In parquet whole
numbers as ids stay numbers, unless --users names an id that is not one. A file appears only when
it is complete. An interrupted run continues its folder, if model, users and options are the same;
each part records them.

examples:
  python -m skrec recommend model.skops --output lists.csv
  python -m skrec recommend model.skops --history new_users.csv -k 20 --output lists.csv
  python -m skrec recommend model.skops --users ids.txt --items in_stock.txt --titles items.csv
  python -m skrec recommend model.skops --users all --history log/ --output lists/
"""

_SIMILAR_EPILOG = """\
output: lines of item,rank,similar,score and, if the model has titles, the title of the similar
item. The format is parquet if --output ends in .parquet, else CSV.

examples:
  python -m skrec similar model.skops 4711 0815 -k 5
  python -m skrec similar model.skops --items in_stock.txt --output similar.csv
"""


_COMPILE_EPILOG = """\
numba keeps the compiled kernels: in the folder of the environment variable NUMBA_CACHE_DIR,
else beside the package or in the user's cache folder. They run on the same kind of processor.
With NUMBA_CPU_NAME=generic, set now and for the service, they run on all processors of an
architecture, but slower.

examples:
  python -m skrec compile --models ease
  python -m skrec compile --models ease,wmf --param wmf.solver=cholesky
"""


_SERVE_EPILOG = """\
/docs describes the requests, /health names the model, /metrics has figures for Prometheus.
When you replace the file, as `fit` does, the service takes the new model without a lost request.
On SIGTERM or Ctrl-C it answers the requests that have begun, and ends. The service has no
passwords and no encryption: put a proxy in front of it if others can reach it.

examples:
  python -m skrec serve model.skops
  python -m skrec serve model.skops --host 0.0.0.0 --port 80 --workers 4
  curl -d '{"history": ["4711", "0815"], "k": 5}' http://127.0.0.1:8000/recommend
"""


class _Parser(argparse.ArgumentParser):
    """An argument parser that raises instead of printing its usage and exiting."""

    def error(self, message):
        raise CommandError(f"{message}; see {self.prog} --help")


def parse(words):
    """Read a command.

    Parameters
    ----------
    words : sequence of str
        Without the program's name.

    Returns
    -------
    arguments : argparse.Namespace
        With ``verb``.

    Raises
    ------
    CommandError
        If the arguments are wrong; without arguments, after printing the help.
    SystemExit
        After printing the help or the version on request.
    """
    parser, verbs = _build_parser()
    if not words:
        parser.print_help()
        raise CommandError("got no verb; expected one of those above.")
    if not words[0].startswith("-") and words[0] not in verbs:
        raise unknown_name("verb", words[0], verbs)
    arguments = parser.parse_args(words)
    if arguments.verb == "fit" and arguments.results is None:
        for name, text in (("data", "DATA"), ("model", "--model")):
            if getattr(arguments, name) is None:
                raise CommandError(f"{text} is missing; give it, or --from; see skrec fit --help")
    return arguments


def _build_parser():
    parser = _Parser(
        prog="skrec",
        description="Recommender systems: compare models on interaction data, fit one, and "
        "recommend with it.",
        epilog=_TOP_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"skrec {__version__}")
    verbs = parser.add_subparsers(title="verbs", dest="verb", required=True)
    _add_evaluate(verbs)
    _add_fit(verbs)
    _add_recommend(verbs)
    _add_similar(verbs)
    _add_serve(verbs)
    _add_compile(verbs)
    return parser, list(verbs.choices)


def _add_verb(verbs, name, *, summary, description, epilog):
    verb = verbs.add_parser(
        name,
        help=summary,
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    verb.add_argument(
        "--traceback", action="store_true", help="show where in the code an error happened"
    )
    return verb


def _add_evaluate(verbs):
    verb = _add_verb(
        verbs,
        "evaluate",
        summary="fit models, test them on held-out items, print a table",
        description="Split the data, fit each model, test it on the held-out items, and print a "
        "table.",
        epilog=_EVALUATE_EPILOG,
    )
    verb.add_argument(
        "data", metavar="DATA", nargs="?", help=f"{_DATA_HELP}; default: demo, generated data"
    )
    verb.add_argument(
        "--models",
        default="ease,itemknn,popularity",
        metavar="NAMES",
        help="models to compare, separated by commas; an unknown name lists all models (default: "
        "%(default)s)",
    )
    add_param(verb, "MODEL.NAME=VALUE", "a model, such as ease.alpha=100")
    verb.add_argument(
        "--search",
        action="store_true",
        help="first choose the parameters of each model from a small grid, by nDCG@100 on "
        "validation users (for weak and loo: on validation items)",
    )
    verb.add_argument(
        "--protocol",
        choices=("strong", "weak", "loo", "temporal"),
        default="strong",
        help="how to split, see below (default: %(default)s)",
    )
    verb.add_argument(
        "--metrics",
        metavar="NAMES",
        help="metrics, separated by commas (default: recall@20,recall@50,ndcg@100; for loo "
        "hr@10,ndcg@10)",
    )
    verb.add_argument(
        "--normalize",
        choices=("min", "relevant"),
        default="min",
        help="divide recall@k by min(k, number of held-out items) or by their number (default: "
        "%(default)s)",
    )
    verb.add_argument(
        "--output", metavar="REPORT.html", help="also write a report with plots, one HTML file"
    )
    verb.add_argument(
        "--results", metavar="RESULTS.json", help="also write all numbers as a JSON file"
    )
    add_data_options(verb, min_user_count=5, seeded="the split and of the models")


def _add_fit(verbs):
    verb = _add_verb(
        verbs,
        "fit",
        summary="fit one model on all data and save it",
        description="Fit one model on all data and save it together with the ids of users and "
        "items, so that `recommend` uses your ids.",
        epilog=_FIT_EPILOG,
    )
    verb.add_argument("data", metavar="DATA", nargs="?", help=_DATA_HELP)
    verb.add_argument("--model", metavar="NAME", help="model to fit, such as ease")
    verb.add_argument(
        "--from",
        dest="results",
        metavar="RESULTS.json",
        help="a file of `evaluate --results`: take the model (the best one, without --model), its "
        "given and chosen parameters, DATA and the options on the data; options on this line "
        "override the file",
    )
    add_param(verb, "NAME=VALUE", "the model, such as alpha=100")
    verb.add_argument(
        "--output", required=True, metavar="MODEL.skops", help="file to save the model in"
    )
    verb.add_argument(
        "--titles",
        metavar="ITEMS.csv",
        help="titles of items: a file with a column of ids and a column of titles",
    )
    add_data_options(verb, min_user_count=1, seeded="the model")


def _add_recommend(verbs):
    verb = _add_verb(
        verbs,
        "recommend",
        summary="recommend with a saved model, to known or to new users",
        description="Recommend items with a model saved by `fit`.",
        epilog=_RECOMMEND_EPILOG,
    )
    verb.add_argument("model", metavar="MODEL.skops", help="a file written by `fit`")
    verb.add_argument(
        "--users",
        metavar="IDS.txt",
        help="users of the training data, one id a line; - reads stdin; all, the default: all "
        "users of the training data, or with --history all users of that log",
    )
    verb.add_argument(
        "--history",
        metavar="LOG.csv",
        help="interactions of any users, as in the data of `fit`, a file or a folder of parts; "
        "lists use this log only, also for users that the model knows",
    )
    verb.add_argument(
        "--include-seen",
        action="store_true",
        help="recommend also items that the user already has",
    )
    verb.add_argument(
        "--unknown-users",
        choices=("popular", "skip", "error"),
        help="for users without known items: list the popular items, marked in the column "
        "fallback; make no list; or stop (default: popular, but an error if the model knows none "
        "of IDS.txt)",
    )
    add_list_options(verb)
    add_log_options(verb)
    verb.add_argument(
        "--unknown-items",
        choices=("skip", "error"),
        default="skip",
        help="what to do with items of LOG.csv that the model does not know: skip them with a "
        "warning, or stop (default: %(default)s)",
    )


def _add_similar(verbs):
    verb = _add_verb(
        verbs,
        "similar",
        summary="list similar items with a saved model",
        description="List the items similar to given items, such as the similar products of a "
        "shop, with a model saved by `fit`.",
        epilog=_SIMILAR_EPILOG,
    )
    verb.add_argument("model", metavar="MODEL.skops", help="a file written by `fit`")
    verb.add_argument("item", metavar="ITEM", nargs="*", help="ids of items (default: all items)")
    verb.add_argument(
        "--ids", metavar="IDS.txt", help="ids of items in a file, one a line; - reads stdin"
    )
    verb.add_argument(
        "--unknown-items",
        choices=("skip", "error"),
        default="error",
        help="what to do with ids that the model does not know (default: %(default)s)",
    )
    add_list_options(verb)


def _add_serve(verbs):
    verb = _add_verb(
        verbs,
        "serve",
        summary="serve a saved model over HTTP",
        description="Answer HTTP requests with the lists of a model file, written by `fit` or "
        "LogRecommender.save.",
        epilog=_SERVE_EPILOG,
    )
    verb.add_argument("model", metavar="MODEL.skops", help="a model file")
    verb.add_argument("--host", default="127.0.0.1", help="address (default: %(default)s)")
    verb.add_argument(
        "--port", type=port, default=8000, help="port; 0: any free port (default: %(default)s)"
    )
    verb.add_argument(
        "--workers",
        type=count,
        default=1,
        metavar="N",
        help="processes, each with its own model (default: %(default)s)",
    )
    verb.add_argument(
        "--quantize",
        choices=("int8",),
        help="keep the last layer of a network in 8 bits alone: less memory, nearly the same lists",
    )
    verb.add_argument(
        "--max-k", type=count, default=1000, metavar="K", help="longest list (default: %(default)s)"
    )
    verb.add_argument(
        "--max-body",
        type=count,
        default=1 << 20,
        metavar="BYTES",
        help="largest body of a request (default: %(default)s)",
    )
    verb.add_argument(
        "--reload-seconds",
        type=seconds,
        default=1.0,
        metavar="S",
        help="seconds between two looks at the file (default: %(default)s)",
    )
    verb.add_argument(
        "--log-level",
        choices=("debug", "info", "warning", "error"),
        default="info",
        help="info: a line for each request (default: %(default)s)",
    )


def _add_compile(verbs):
    verb = _add_verb(
        verbs,
        "compile",
        summary="compile the kernels of models, for example while building an image",
        description="Fit models to a little generated data, list items with them and evaluate "
        "them, so that the first request of a service need not wait for compilation.",
        epilog=_COMPILE_EPILOG,
    )
    verb.add_argument(
        "--models",
        default="ease,itemknn,popularity",
        metavar="NAMES",
        help="models to compile, separated by commas; an unknown name lists all models (default: "
        "%(default)s)",
    )
    add_param(verb, "MODEL.NAME=VALUE", "a model, such as wmf.solver=cholesky")
