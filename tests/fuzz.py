"""Fuzzed inputs over all estimators and public functions: a result, or an error that says why.

    python tests/fuzz.py --n 10000            # all of them, in processes that are watched
    python tests/fuzz.py --case 4711          # one again, in this process, with its traceback

Case i is drawn from a generator seeded with i, so a number is all that it takes to see one
again. A case fails where an exception is none of `DOCUMENTED` or reads like one of the inside,
where a result has the wrong shape or is not finite, where nothing comes back for two minutes, and
where the process dies.
"""

import argparse
import inspect
import re
import resource
import select
import signal
import subprocess
import sys
import time
import traceback
import warnings
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy.sparse import issparse

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [] if str(ROOT) in sys.path else [str(ROOT)]

from skrec.preprocessing import InteractionEncoder  # noqa: E402
from skrec.utils import all_recommenders  # noqa: E402
from tests.doors import function_doors, interactions  # noqa: E402
from tests.fuzz_inputs import (  # noqa: E402
    odd_log,
    odd_matrix,
    odd_number,
    odd_parameter,
    odd_places,
    pick,
)
from tests.instances import small  # noqa: E402

# NotFittedError is a ValueError; FileNotFoundError is for functions that take paths.
DOCUMENTED = (ValueError, TypeError, MemoryError, NotImplementedError, FileNotFoundError)
# What the inside says when an input got further than it should have.
INSIDE = re.compile(
    "unsupported operand|object is not|'NoneType' object|not subscriptable|could not be broadcast|"
    "cannot reshape|zero-size array|not supported between|cannot convert float|negative dimensions|"
    "mismatch in its core dimension|setting an array element|unhashable|truth value of|"
    "cannot be interpreted as an integer|has no len|not iterable|only length-1|"
    "Unable to allocate|unpack|missing .* required|unexpected keyword|Expected .* to be"
)
# What an input itself is, in the words of NumPy or of scikit-learn's check: fair to say so.
FAIR = re.compile("inhomogeneous|Expected 2D array|Expected a 2-dimensional|Found array with")
TORCH = {
    "CDAE", "CDL", "CMN", "CVAE", "CuratorNet", "DVBPR", "DeepFM", "GMF", "GaussianMixtureVAE",
    "ItemAutoRec", "MCRec",
    "MLPRecommender", "MultDAE", "MultVAE", "NeuMF", "RecVAE", "ResidualMF",
    "StackedAutoencoder", "UserAutoRec", "VBPR", "WideAndDeep", "YouTubeRecommender",
}  # fmt: skip
SLOW = {"LOCA"}
READS = {
    "CDL", "CTR", "CVAE", "ColdStart", "ContentRecommender", "CuratorNet", "DeepFM", "IBR",
    "ItemKNN", "VBPR", "VisRank", "WideAndDeep",
}  # fmt: skip
RATINGS = {
    "BiasedMF", "ItemAutoRec", "LLORMA", "RBMRecommender", "StackedAutoencoder", "UserAutoRec",
}  # fmt: skip
SECONDS = 120
ADDRESS_SPACE = 24 << 30


class Wrong(Exception):
    """A result that is not what the contract says."""


class Hangs(Exception):
    """A case that takes too long."""


@lru_cache
def _classes():
    found = []
    for name, cls in all_recommenders():
        found += [cls] * (2 if name in TORCH else 1 if name in SLOW else 8)
    return found


@lru_cache
def _functions():
    return function_doors()


def run_case(number):
    """Run a case; raises what is wrong with it.

    Parameters
    ----------
    number : int
        Its seed.

    Returns
    -------
    outcome : str
        "result" or the name of the documented exception.
    """
    rng = np.random.default_rng([20, number])
    kind = rng.random()
    run = _estimator_case if kind < 0.7 else _function_case if kind < 0.93 else _encoder_case
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return run(rng) or "result"
        except DOCUMENTED as error:
            return _documented(error)


def _documented(error):
    text = " ".join(str(error).split())
    if (
        isinstance(error, np.linalg.LinAlgError)
        or len(text) < 10
        or (INSIDE.search(text) and not FAIR.search(text))
    ):
        raise Wrong(f"{type(error).__name__}: {text}") from error
    return type(error).__name__


def _estimator_case(rng):
    cls = pick(rng, _classes())
    model = small(
        cls, **({"max_iter": 2} if "max_iter" in inspect.signature(cls).parameters else {})
    )
    names = list(model.get_params(deep=False))
    if rng.random() < 0.3:
        for name in rng.choice(names, min(len(names), int(rng.integers(1, 3))), replace=False):
            value = odd_parameter(rng, model.get_params(deep=False)[name])
            # Long runs are no errors.
            long = name in ("max_iter", "n_estimators", "pretraining_max_iter", "cg_steps")
            if not (long and isinstance(value, int | np.integer) and value > 3):
                model.set_params(**{str(name): value})
    ratings = cls.__name__ in RATINGS and rng.random() < 0.8
    outcome = None
    try:
        _fit(rng, model, odd_matrix(rng, ratings=ratings) if rng.random() < 0.6 else interactions())
    except DOCUMENTED as error:
        outcome = _documented(error)
        model = small(cls).fit(interactions())
    for _ in range(int(rng.integers(1, 4))):
        outcome = _use(rng, model, ratings) or outcome
    return outcome


def _fit(rng, model, X):
    options = {}
    taken = {*inspect.signature(model.fit).parameters} & {"sample_weight"}
    for name in sorted(taken | {"item_features"} if type(model).__name__ in READS else taken):
        if rng.random() < 0.4:
            options[name] = odd_matrix(rng, (16, 3)) if "features" in name else _weights(rng)
    if rng.random() < 0.05:
        options["user_features"] = odd_matrix(rng, (24, 3))
    model.fit(X, odd_matrix(rng) if rng.random() < 0.1 else None, **options)
    for name, value in vars(model).items():
        _check_finite(value, f"{type(model).__name__}.{name}")


def _weights(rng):
    plain = [np.ones(24), rng.random(24), np.zeros(24), np.ones(3), -np.ones(24), 2.0, "x"]
    return pick(rng, [*plain, rng.random(24) * 1e300, odd_matrix(rng), odd_number(rng)])


_METHODS = (
    "decision_function", "explain", "local_weights", "partial_fit", "posterior_weights", "predict",
    "predict_proba", "recommend", "reconstruction_error", "responsibilities", "score",
    "score_pairs", "similar_items", "similar_users", "transform", "with_items",
)  # fmt: skip


def _use(rng, model, ratings):
    """Call one method with arguments that are odd in part, and check what it says."""
    shape = (int(rng.integers(1, 30)), model.n_features_in_)
    X = odd_matrix(rng, shape, ratings=ratings) if rng.random() < 0.6 else None
    X = interactions(int(rng.integers(9)), shape[0], max(shape[1], 1)) if X is None else X
    name = pick(rng, [name for name in _METHODS if hasattr(model, name)])
    try:
        return _checked_call(rng, model, name, X)
    except DOCUMENTED as error:
        return _documented(error)


def _checked_call(rng, model, name, X):
    n_items, k = model.n_features_in_, odd_number(rng) if rng.random() < 0.4 else 3
    where = f"{type(model).__name__}.{name}"
    if name == "recommend":
        items = pick(rng, [None, None, odd_places(rng, n_items), odd_matrix(rng)])
        found, scores = model.recommend(X, k, items=items, return_scores=True)
        if found.shape != (_n_rows(X), k) or not np.isfinite(scores[found >= 0]).all():
            raise Wrong(f"{where} returned {found.shape} for k={k}, scores {scores[found >= 0]}")
    elif name == "score_pairs":
        rows, items = odd_places(rng, _n_rows(X)), odd_places(rng, n_items)
        rows, items = (rows, items) if rng.random() < 0.7 else ([0, 0], [0, n_items - 1])
        _check_finite(model.score_pairs(X, rows, items), where)
    elif name == "explain":
        _check_finite(model.explain(X, odd_places(rng, n_items)), where)
    elif name == "similar_items":
        _check_lists(model.similar_items(odd_places(rng, n_items), k), k, where)
    elif name == "similar_users":
        _check_lists(model.similar_users(X, k), k, where)
    elif name == "score":
        y = odd_matrix(rng, (_n_rows(X), n_items)) if rng.random() < 0.5 else None
        score = model.score(X, y, sample_weight=_weights(rng) if rng.random() < 0.2 else None)
        if not isinstance(score, float) or np.isinf(score):
            raise Wrong(f"{where} returned {score!r}")
    elif name == "with_items":
        model.with_items(odd_matrix(rng, (2, 3)))
    else:
        _check_finite(getattr(model, name)(X), where)
    return None


def _n_rows(X):
    return X.shape[0] if getattr(X, "shape", None) else len(X) if hasattr(X, "__len__") else 0


def _check_lists(found, k, where):
    if found.ndim != 2 or found.shape[1] != k or found.min(initial=-1) < -1:
        raise Wrong(f"{where} returned {found!r} for k={k}")


def _check_finite(value, where):
    if issparse(value):
        value = value.data
    if isinstance(value, dict):
        for name, one in value.items():
            _check_finite(one, f"{where}[{name!r}]")
    is_curve = where.endswith(("scores_", "curve_"))  # NaN where nothing could be scored
    floats = isinstance(value, np.ndarray) and value.dtype.kind == "f"
    if floats and not is_curve and not np.isfinite(value).all():
        raise Wrong(f"{where} is not finite: {value.ravel()[:5]}")


def _function_case(rng):
    door = pick(rng, _functions())
    arguments = dict(door.arguments)
    names = [name for name in arguments if name != "estimator"]
    for name in rng.choice(names, min(len(names), int(rng.integers(1, 3))), replace=False):
        arguments[str(name)] = _replacement(rng, arguments[str(name)])
    for name, parameter in _parameters(door.call).items():
        optional = parameter.default is not parameter.empty
        if optional and name not in {*arguments, *_LEAVE} and rng.random() < 0.15:
            arguments[name] = odd_number(rng)
    result = door.call(**arguments)
    if isinstance(result, float) and np.isinf(result):
        raise Wrong(f"{door.name} returned {result}")


# Arguments that decide how long a call takes, where it writes, and options of matplotlib.
_LEAVE = {
    "ax", "band_kw", "line_kw", "path", "point_kw", "reference", "return_estimators", "scatter_kw",
    "search", "verbose",
}  # fmt: skip


def _parameters(call):
    try:
        parameters = inspect.signature(call).parameters
    except ValueError:
        return {}
    return {name: p for name, p in parameters.items() if p.kind is not p.VAR_KEYWORD}


def _replacement(rng, value):
    if issparse(value) or (isinstance(value, np.ndarray) and value.ndim == 2):
        return odd_matrix(rng, value.shape)
    if isinstance(value, np.ndarray):
        return pick(rng, [odd_places(rng, 24), odd_matrix(rng), value[:-1], value.astype(object)])
    return odd_number(rng)


def _encoder_case(rng):
    encoder = InteractionEncoder()
    if rng.random() < 0.5:
        log = odd_log(rng)
        columns = list(log) if isinstance(log, dict) else list(getattr(log, "columns", []))
        named = dict(zip(["user", "item", "value", "timestamp"], columns, strict=False))
        encoder.set_params(**named)
    else:
        log = odd_log(rng)
    for name in ("min_user_count", "duplicates", "dtype", "unknown_users", "unknown_items"):
        if rng.random() < 0.1:
            encoder.set_params(**{name: odd_number(rng)})
    X = encoder.fit_transform(log)
    _check_finite(X, "InteractionEncoder.fit_transform")
    encoder.transform(log if rng.random() < 0.5 else odd_log(rng))
    encoder.decode_items(odd_places(rng, max(X.shape[1], 1)))
    encoder.encode_users(odd_places(rng, 5), unknown="ignore")
    encoder.inverse_transform(X if rng.random() < 0.5 else odd_matrix(rng, X.shape))


def _alarm(signum, frame):
    raise Hangs(f"no result after {SECONDS} seconds")


def worker(start, stop):
    """Run cases, one line before and one after each."""
    import matplotlib

    matplotlib.use("agg")
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGALRM, _alarm)
    for number in range(start, stop):
        print(f"RUN {number}", flush=True)
        signal.alarm(SECONDS)
        try:
            outcome = "OK " + run_case(number)
        except Exception as error:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            cause = error.__cause__
            if isinstance(error, Wrong) and cause is not None:
                frame = traceback.extract_tb(cause.__traceback__)[-1]
            text = " ".join(str(error).split())[:300]
            outcome = f"BAD {type(error).__name__}: {text} ({frame.filename}:{frame.lineno})"
        signal.alarm(0)
        _close_figures()
        print(outcome, flush=True)


def _close_figures():
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        pyplot.close("all")


def watch(start, stop, *, patience=300, out=None):
    """Run cases in a process that is started anew where it dies.

    Parameters
    ----------
    start, stop : int
        Numbers of the cases.
    patience : int, default=300
        Seconds without a line after which the process is ended.
    out : callable, default=None
        Gets a line for each failure as it happens.

    Returns
    -------
    failures : list of str
    outcomes : dict of str to int
    """
    failures, outcomes, number = [], {}, start
    while number < stop:
        command = [sys.executable, __file__, "--worker", str(number), str(stop)]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
        )
        last = number - 1
        for line in _lines(process, patience):
            what, _, rest = line.partition(" ")
            if what == "RUN":
                last = int(rest)
            elif what == "OK":
                outcomes[rest] = outcomes.get(rest, 0) + 1
                number = last + 1
            elif what == "BAD":
                _note(failures, f"case {last}: {rest}", out)
                number = last + 1
        code = process.wait()
        if number < stop:
            said = process.stderr.read()[-1500:] if code > 0 else ""
            if last < number:
                raise RuntimeError(f"the worker does not start: {said}")
            _note(failures, f"case {last}: the process ended with {code}. {said}", out)
            number = last + 1
    return failures, outcomes


def _note(failures, text, out):
    failures.append(text)
    if out is not None:
        out(text)


def _lines(process, patience):
    while True:
        ready, _, _ = select.select([process.stdout], [], [], patience)
        if not ready:
            process.kill()
        line = process.stdout.readline()
        if not line:
            return
        yield line.strip()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--n", type=int, default=1000, help="number of cases")
    parser.add_argument("--start", type=int, default=0, help="the first one")
    parser.add_argument("--case", type=int, help="run one in this process")
    parser.add_argument("--worker", type=int, nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        worker(*args.worker)
        return
    if args.case is not None:
        print(run_case(args.case))
        return
    begin = time.perf_counter()
    failures, outcomes = watch(args.start, args.start + args.n, out=print)
    seconds = time.perf_counter() - begin
    print(f"{args.n} cases in {seconds:.0f} s: {len(failures)} failures, outcomes {outcomes}")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
