"""Every public door of skrec with arguments that pass through it, found by listing what is public.

`doors` gives calls; each argument that is a sparse matrix can be replaced by one that is broken,
see `tests.malformed`. A public function or method that this module does not know fails
`tests/test_malformed.py`.
"""

import importlib
import inspect
import pkgutil
import tempfile
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array, issparse
from sklearn.base import BaseEstimator, clone

import skrec
from skrec.utils import all_recommenders
from skrec.utils._tags import recommender_tags
from tests.instances import small
from tests.side_recommenders import ContentKNN, SituationRidge

N_USERS, N_ITEMS = 24, 16
# Functions and classes that take no matrix.
NO_MATRIX = {
    "Answer", "Comparison", "ComparisonDisplay", "FitCurveDisplay", "ImageEmbedder",
    "LogRecommender", "RecommenderMixin", "RecommenderTags", "TextEmbedder", "VisualStatistics",
    "all_recommenders", "catalogue_coverage_score", "check_recommender", "clear_data_home",
    "compare", "fetch_movielens", "fit_encoder", "get_data_home", "get_scorer_names",
    "gini_index_score", "load",
    "load_dataset", "load_demo", "load_interactions", "make_application", "make_interactions",
    "parametrize_with_recommender_checks", "recommend_batches", "save", "scan_interactions",
    "serve", "to_onnx", "trusted_types",
}  # fmt: skip
# Bases; their methods are those of the recommenders.
BASES = {"BaseRecommender", "UserSideMixin"}
# Methods without a matrix of users or features.
NO_MATRIX_METHODS = {"similar_items", "similar_users"}
SKLEARN = {
    "get_feature_names_out",
    "get_metadata_routing",
    "get_params",
    "set_output",
    "set_params",
}
# Methods of other classes that take a log, ids or places, or nothing.
NO_MATRIX_ELSEWHERE = {
    "InteractionEncoder": {
        "decode_items", "decode_users", "encode_items", "encode_users", "fit", "fit_transform",
        "from_ids", "row_ids", "transform", "transform_histories",
    },
    "ItemGridDisplay": {"from_lists"},
    "SameUsersSplit": {"get_n_splits"},
    "Server": {"knows", "recommend", "recommend_batch", "recommend_user", "similar"},
}  # fmt: skip


class Door(NamedTuple):
    """A call that works.

    Attributes
    ----------
    name : str
    call : callable
        Takes the arguments by name.
    arguments : dict of str to object
    ignored : frozenset of str
        Arguments that may be anything, by contract.
    """

    name: str
    call: object
    arguments: dict
    ignored: frozenset = frozenset()

    def sparse(self):
        """Names of the arguments that are sparse."""
        return [name for name, value in self.arguments.items() if issparse(value)]


def interactions(seed=0, n_users=N_USERS, n_items=N_ITEMS, share=0.4):
    """A small user-item matrix of counts in which nobody is without an item."""
    rng = np.random.default_rng(seed)
    dense = rng.integers(1, 6, (n_users, n_items)) * (rng.random((n_users, n_items)) < share)
    dense[np.arange(n_users), np.arange(n_users) % n_items] = 2
    return csr_array(dense.astype(float))


def public_names():
    """``{name: object}`` of all public functions and classes."""
    found = {}
    for module in ["skrec", *_subpackages()]:
        module = importlib.import_module(module)
        for name in module.__all__:
            value = getattr(module, name)
            error = inspect.isclass(value) and issubclass(value, BaseException)
            if (inspect.isclass(value) and not error) or inspect.isfunction(value):
                found[name] = value
    return found


def _subpackages():
    packages = [f"skrec.{m.name}" for m in pkgutil.iter_modules(skrec.__path__)]
    return [name for name in packages if not name.rpartition(".")[2].startswith("_")]


def public_methods(cls):
    """Names of the methods of a class that are its own or skrec's, and public."""
    known = {*dir(BaseEstimator), *SKLEARN}
    return [
        name
        for name in dir(cls)
        if not name.startswith(("_", "set_")) and name not in known and callable(getattr(cls, name))
    ]


def instances():
    """A small instance of each recommender, and two that read all kinds of side information."""
    found = [small(cls) for _, cls in all_recommenders()]
    return [*found, ContentKNN(), SituationRidge()]


def recommender_doors(estimator):
    """The methods of a recommender, on a fitted clone where they need one.

    Parameters
    ----------
    estimator : recommender

    Returns
    -------
    doors : list of Door
    """
    X = interactions()
    reads = _reads(estimator)
    side = {
        "item_features": interactions(3, N_ITEMS, 5),
        "user_features": interactions(4, N_USERS, 3),
    }
    entries = csr_array(np.random.default_rng(5).random((X.nnz, 2)))
    more_items = interactions(6, 3, 5)
    if "images" in recommender_tags(estimator).reads:
        side["item_features"], more_items = pictures(N_ITEMS), pictures(3)
    fit_side = {name: side[name] for name in side if name in reads}
    if "context" in reads:
        fit_side["context"] = skrec.InteractionContext(entries.toarray(), X.indptr)
    fitted = clone(estimator).fit(X, **fit_side)
    fold_in = interactions(1)
    values = {
        "X": fold_in,
        "y": interactions(2),
        "rows": np.arange(4),
        "k": 3,
        "user_features": side["user_features"],
        "item_features": more_items,
        "context": csr_array(np.random.default_rng(7).random((N_USERS, 2))),
        "sample_weight": np.ones(N_USERS),
    }
    return [
        _method_door(estimator, fitted, name, values, fit_side, reads)
        for name in public_methods(type(estimator))
        if name not in NO_MATRIX_METHODS and hasattr(fitted, name)
    ]


def pictures(n):
    """Bytes of n pictures."""
    return np.random.default_rng(n).integers(0, 256, (n, 3, 8, 8), dtype=np.uint8)


def _reads(estimator):
    return recommender_tags(estimator).reads & {"item_features", "user_features", "context"}


def _method_door(estimator, fitted, name, values, fit_side, reads):
    trains = name in ("fit", "fit_transform", "partial_fit")
    taken = inspect.signature(getattr(fitted, name)).parameters
    arguments = {key: values[key] for key in taken if key in values}
    for key in ("item_features", "user_features", "context"):
        if name != "with_items" and key not in reads:
            arguments.pop(key, None)
    if trains:
        side = {} if name == "partial_fit" else fit_side  # it reads users alone
        arguments |= {"X": interactions(), **side}
        arguments.pop("sample_weight", None)
    if name == "recommend":
        arguments["items"] = interactions(8)
    elif name == "score_pairs":
        arguments["items"] = np.arange(4)
        if "context" in arguments:
            arguments["context"] = arguments["context"][:4]
    elif name == "fit_rows":
        log = interactions()
        arguments |= {"users": np.repeat(np.arange(N_USERS), np.diff(log.indptr))}
        arguments |= {"items": log.indices, "y": log.data, **fit_side}
        arguments["context"] = csr_array(np.random.default_rng(5).random((log.nnz, 2)))
    elif name == "explain":
        arguments["items"] = fitted.recommend(arguments["X"], 2)

    def call(**given):
        model = clone(estimator) if name in ("fit", "fit_rows", "fit_transform") else fitted
        model = clone(estimator).fit(interactions()) if name == "partial_fit" else model
        return getattr(model, name)(**given)

    ignored = frozenset({"y"}) if trains else frozenset()
    return Door(f"{type(estimator).__name__}.{name}", call, arguments, ignored)


def function_doors():
    """The public functions, classes that take matrices, and what they make.

    Returns
    -------
    doors : list of Door
    """
    X, Y = interactions(1), interactions(2)
    lists = np.argsort(np.random.default_rng(0).random((N_USERS, N_ITEMS)), axis=1)[:, :4]
    return [
        *_metric_doors(X, Y, lists),
        *_split_doors(X, Y),
        *_estimator_doors(X, Y),
        *_display_doors(X, Y, lists),
        *_preprocessing_doors(X),
        *_row_doors(X),
        *_part_doors(X, Y),
    ]


def _metric_doors(X, Y, lists):
    from skrec import metrics

    scores = np.random.default_rng(1).random((N_USERS, N_ITEMS))
    doors = [
        Door(name, getattr(metrics, name), {"y_true": Y, "y_score": scores})
        for name in metrics.__all__
        if name.startswith("top_k_") or name == "ranking_auc_score"
    ]
    for name in ("mean_absolute_rating_error", "root_mean_squared_rating_error"):
        function = getattr(metrics, name)
        doors.append(Door(name, function, {"y_true": Y, "y_pred": scores}))
        doors.append(Door(f"{name} 1-D", function, {"y_true": Y, "y_pred": Y.data * 0.9}))
    features = interactions(3, N_ITEMS, 5)
    calibration = {"recommendations": lists, "X": X, "X_train": Y}
    return [
        *doors,
        Door("novelty_score", metrics.novelty_score, {"recommendations": lists, "X_train": X}),
        Door(
            "diversity_score",
            metrics.diversity_score,
            {"recommendations": lists, "item_features": features},
        ),
        Door("popularity_calibration_error", metrics.popularity_calibration_error, calibration),
    ]


def _split_doors(X, Y):
    from skrec import model_selection as splits

    times = csr_array((np.arange(X.nnz, dtype=float), X.indices, X.indptr), shape=X.shape)
    timed, array = {"X": X, "timestamps": times}, {"X": X, "timestamps": times.data}
    doors = [
        Door("HeldOut", splits.HeldOut, {"Y": Y}),
        Door(
            "SameUsersSplit.split",
            lambda X, y: list(splits.SameUsersSplit().split(X, y)),
            {"X": X, "y": Y},
        ),
        Door("cold_item_split", splits.cold_item_split, {"X": X}),
        Door("draw_candidates", splits.draw_candidates, {"X": X, "n_candidates": 2}),
        Door("holdout_split", splits.holdout_split, {"X": X}),
        Door("k_core", splits.k_core, {"X": X}),
        Door("strong_generalization_split", splits.strong_generalization_split, {"X": X}),
        Door("user_train_test_split", splits.user_train_test_split, {"X": X}),
    ]
    for protocol in ("strong", "weak", "ratings", "leave_one_out", "temporal"):
        given = (timed if protocol == "temporal" else {"X": X}) | {"protocol": protocol}
        doors.append(Door(f"evaluation_split {protocol}", splits.evaluation_split, given))
    for name in ("holdout_split", "leave_one_out_split", "temporal_split"):
        doors.append(Door(f"{name} times", getattr(splits, name), timed))
        doors.append(Door(f"{name} array", getattr(splits, name), array))
    return doors


def _estimator_doors(X, Y):
    from skrec.content import MCRec
    from skrec.linear_model import EASE
    from skrec.metrics import compare_models, evaluate, get_scorer, make_ranking_scorer

    train, users = interactions(), interactions(4, N_USERS, 3)
    model = EASE().fit(train)
    demographic = SituationRidge().fit(train, user_features=users)
    context = csr_array(np.random.default_rng(7).random((N_USERS, 2)))
    entries = csr_array(np.random.default_rng(5).random((train.nnz, 2)))
    situation = SituationRidge().fit(
        train, context=skrec.InteractionContext(entries.toarray(), train.indptr)
    )
    known = {"user_features": users}
    scorer = make_ranking_scorer(["recall@5"])
    several = {"X_train": train, "X_test": X, "y_test": Y, "metrics": ["ndcg@5"]}
    return [
        Door("recommend", skrec.recommend, {"estimator": model, "X": X, "items": Y}),
        Door("recommend users", skrec.recommend, {"estimator": demographic, "X": X, **known}),
        Door(
            "recommend context",
            skrec.recommend,
            {"estimator": situation, "X": X, "context": context},
        ),
        Door(
            "why_not", skrec.why_not, {"estimator": model, "X": X, "row": 0, "item": 1, "items": Y}
        ),
        Door("evaluate", evaluate, {"estimator": model, "X": X, "y": Y}),
        Door("evaluate users", evaluate, {"estimator": demographic, "X": X, "y": Y, **known}),
        Door("make_ranking_scorer", scorer, {"estimator": model, "X": X, "y": Y}),
        Door("get_scorer", get_scorer("ndcg@5"), {"estimator": model, "X": X, "y": Y}),
        Door("compare_models", lambda **given: compare_models({"EASE": EASE()}, **given), several),
        Door(
            "compare_models users",
            lambda user_features, **given: compare_models(
                {"D": SituationRidge()}, user_features=(user_features, users), **given
            ),
            several | known,
        ),
        Door(
            "MCRec.fit relations",
            lambda relation: small(MCRec).fit(train, relations={"item-genre": relation}),
            {"relation": interactions(3, N_ITEMS, 5)},
        ),
        Door(
            "InteractionContext",
            skrec.InteractionContext,
            {"values": entries, "indptr": train.indptr},
        ),
        Door(
            "ItemFeatures",
            lambda values: SituationRidge().fit(train, user_features=values),
            {"values": users},
        ),
    ]


def _display_doors(X, Y, lists):
    from skrec.decomposition import PureSVD
    from skrec.inspection import EmbeddingDisplay, ItemGridDisplay
    from skrec.metrics import ActivityBreakdownDisplay, PopularityDisplay, RankingCurveDisplay

    model = PureSVD(3).fit(interactions())
    scores = model.decision_function(X)
    given, found = {"estimator": model, "X": X, "y": Y}, {"y_true": Y, "y_score": scores}
    activity = np.arange(N_USERS)
    return [
        Door(
            "ActivityBreakdownDisplay.from_estimator",
            ActivityBreakdownDisplay.from_estimator,
            given | {"metric": "ndcg@5", "n_groups": 2},
        ),
        Door(
            "ActivityBreakdownDisplay.from_predictions",
            ActivityBreakdownDisplay.from_predictions,
            found | {"activity": activity, "metric": "ndcg@5", "n_groups": 2},
        ),
        Door(
            "PopularityDisplay.from_estimator",
            PopularityDisplay.from_estimator,
            {"estimator": model, "X": X, "X_train": Y, "k": 3},
        ),
        Door(
            "PopularityDisplay.from_predictions",
            PopularityDisplay.from_predictions,
            {"recommendations": lists, "X_train": X},
        ),
        Door(
            "ItemGridDisplay.from_estimator",
            ItemGridDisplay.from_estimator,
            {"estimator": model, "X": X, "rows": [0, 1], "k": 3},
        ),
        Door("RankingCurveDisplay.from_estimator", RankingCurveDisplay.from_estimator, given),
        Door("RankingCurveDisplay.from_predictions", RankingCurveDisplay.from_predictions, found),
        Door(
            "EmbeddingDisplay.from_estimator",
            EmbeddingDisplay.from_estimator,
            {"estimator": model, "X": X},
        ),
    ]


def _preprocessing_doors(X):
    from skrec.preprocessing import BM25Transformer, InteractionEncoder, TimeDecay

    weights = BM25Transformer().fit(X)
    decay = TimeDecay().fit(X)
    encoder = InteractionEncoder.from_ids(np.arange(N_USERS), np.arange(N_ITEMS))
    return [
        Door("BM25Transformer.fit", BM25Transformer().fit, {"X": X}),
        Door("BM25Transformer.fit_transform", BM25Transformer().fit_transform, {"X": X}),
        Door("BM25Transformer.partial_fit", BM25Transformer().partial_fit, {"X": X}),
        Door("BM25Transformer.transform", weights.transform, {"X": X}),
        Door("TimeDecay.fit", TimeDecay().fit, {"X": X}),
        Door("TimeDecay.fit_transform", TimeDecay().fit_transform, {"X": X}),
        Door("TimeDecay.transform", decay.transform, {"X": X}),
        Door("InteractionEncoder.inverse_transform", encoder.inverse_transform, {"X": X}),
    ]


def _part_doors(X, Y):
    """Calls whose matrices are parts, or stand in a mapping."""
    from skrec import dask
    from skrec.linear_model import EASE
    from skrec.preprocessing import InteractionEncoder
    from skrec.serving import Server

    model = EASE().fit(X)
    encoder = InteractionEncoder.from_ids(np.arange(N_USERS), np.arange(N_ITEMS))

    def lists(X):
        with tempfile.TemporaryDirectory() as folder:
            return dask.recommend(model, [X], folder)

    def server(interactions, seen):
        named = {"interactions": interactions, "seen": seen}
        return Server({"model": model, "encoder": encoder} | named).recommend_user(0)

    return [
        Door("fit parts", lambda X, Y: dask.fit(EASE(), [X, Y]), {"X": X, "Y": Y}),
        Door("evaluate parts", lambda X: dask.evaluate(model, [X], "ndcg@5"), {"X": X}),
        Door("evaluate pairs", lambda X, y: dask.evaluate(model, [(X, y)], "ndcg@5"),
             {"X": X, "y": Y}),
        Door("recommend parts", lists, {"X": X}),
        Door("Server", server, {"interactions": X, "seen": Y}),
    ]  # fmt: skip


def _row_doors(X):
    """The methods of the classifiers and regressors of rows."""
    from skrec import content

    doors, y = [], np.arange(N_USERS) % 2
    kinds = [f"{kind}{target}" for kind in ("FM", "DeepFM", "WideAndDeep")
             for target in ("Classifier", "Regressor")]  # fmt: skip
    for name in kinds:
        cls = getattr(content, name)
        fields = np.arange(N_ITEMS) % 3

        def fit(X, y, cls=cls, fields=fields):
            return small(cls, fields=fields).fit(X, y)

        fitted = fit(X, y)
        doors.append(Door(f"{name}.fit", fit, {"X": X, "y": y}))
        for method in public_methods(cls):
            if method != "fit":
                arguments = {"X": X} | ({"y": y} if method == "score" else {})
                doors.append(Door(f"{name}.{method}", getattr(fitted, method), arguments))
    return doors
