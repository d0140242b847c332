"""scikit-learn's checks and our own, over every public recommender, no failure expected."""

from unittest import SkipTest

import numpy as np
import pytest
from implicit.als import AlternatingLeastSquares
from implicit.bpr import BayesianPersonalizedRanking
from implicit.lmf import LogisticMatrixFactorization
from implicit.nearest_neighbours import (
    BM25Recommender,
    CosineRecommender,
    ItemItemRecommender,
    TFIDFRecommender,
)
from sklearn.linear_model import Ridge, RidgeClassifier
from sklearn.utils.estimator_checks import check_estimator, estimator_checks_generator

from skrec._torch._estimator import TorchRecommender
from skrec.adapters import ImplicitRecommender
from skrec.autoencoder import (
    CDAE,
    GaussianMixtureVAE,
    ItemAutoRec,
    MultDAE,
    MultVAE,
    RBMRecommender,
    StackedAutoencoder,
    UserAutoRec,
)
from skrec.content import (
    CDL,
    CTR,
    CVAE,
    DVBPR,
    IBR,
    VBPR,
    ColdStart,
    ContentRecommender,
    CuratorNet,
    DeepFM,
    MCRec,
    VisRank,
    WideAndDeep,
)
from skrec.content._field_recommender import FieldRecommender
from skrec.content._pair_recommender import PairRecommender
from skrec.decomposition import BPR, WMF, BiasedMF, GraphFilter, PureSVD
from skrec.dummy import DummyRecommender
from skrec.ensemble import (
    LLORMA,
    LOCA,
    MMR,
    CalibratedReranker,
    Fallback,
    RankFusion,
    Recency,
    ReservedSlots,
    TwoStageRecommender,
)
from skrec.linear_model import EASE, SANSA, SLIM, SLIST
from skrec.neighbors import ItemKNN, RP3beta, UserKNN
from skrec.neural_network import ResidualMF
from skrec.utils import all_recommenders
from skrec.utils._tags import recommender_tags
from skrec.utils.estimator_checks import check_recommender, parametrize_with_recommender_checks
from tests.instances import (
    OUR_CHECKS_SAME_FOR_VARIANTS,
    SAME_FOR_VARIANTS,
    name_of,
    scikit_learn_checks,
    small,
)

DEFAULTS = [cls() for _, cls in all_recommenders()]
SMALL = [small(cls) for _, cls in all_recommenders()]
VARIANTS = [
    DummyRecommender("uniform"),
    DummyRecommender("stratified"),
    EASE(dropout=0.3),
    EASE(dtype="float32"),
    EASE(positive=True),
    EASE(n_pairs=500, pair_alpha=100.0),
    SLIM(precompute=False),
    SLIM(solver="admm"),
    SLIM(positive=False, n_neighbors=5),
    small(BPR, loss="warp", negatives="popularity", solver="sgd", learning_rate=0.01),
    small(BPR, loss="hinge", known_users="fold_in"),
    small(BiasedMF, solver="sgd", known_users="fold_in"),
    small(BiasedMF, bias=False, alpha=0.0),
    small(WMF, solver="cholesky"),
    small(WMF, alpha=1.0, unobserved_weight=1.0, frequency_exponent=0.0),
    small(LLORMA, bandwidth=1.2, clip=True, n_jobs=2),
    small(LOCA, estimator=SLIM(), anchors="random", global_weight=0.5),
    small(LOCA, estimator=PureSVD(4), weight_sum=None, predict_bandwidth=0.8, n_jobs=2),
    small(LOCA, estimator=small(MultVAE), n_estimators=2, predict_bandwidth=0.9),
    Fallback(ItemKNN(), min_interactions=3),
    Fallback(SLIM(), fallback=DummyRecommender("stratified"), min_interactions=2),
    Fallback(small(MultVAE), fallback=PureSVD(4), min_interactions=2),
    Fallback(small(BiasedMF)),
    Recency(half_life=2.0, unit="position", fit_half_life=5.0, floor=0.1),
    Recency(ItemKNN(), half_life=np.inf),
    MMR(ItemKNN(), n_candidates=5),
    MMR(PureSVD(3), similarity="components"),
    CalibratedReranker(ItemKNN(), n_candidates=5),
    ReservedSlots(ItemKNN(), items=[0], positions=(1, 3)),
    RankFusion([("knn", ItemKNN()), ("popular", DummyRecommender())], method="scores"),
    TwoStageRecommender(ItemKNN(), DummyRecommender(), n_candidates=5),
    TwoStageRecommender(UserKNN(), EASE(), n_candidates=5),
    small(MultDAE, early_stopping=True, likelihood="logistic"),
    small(MultVAE, prior="gaussian_mixture"),
    small(MultVAE, prior="vamp", likelihood="gaussian"),
    small(MultVAE, divergence="mmd", beta=10.0),
    small(
        MultVAE,
        n_posterior_components=3,
        prior="gaussian_mixture",
        mixture_divergence="upper",
    ),
    small(MultVAE, hidden_layer_sizes=()),
    small(GaussianMixtureVAE, likelihood="gaussian"),
    small(CDAE, activation="identity", loss="square", early_stopping=True),
    small(CDAE, activation="tanh", known_users="fold_in", normalize=True),
    small(ItemAutoRec, activation="identity", schedule="constant", clip=False),
    small(UserAutoRec, early_stopping=True, default_rating=3.0),
    small(RBMRecommender, orientation="item", conditional=True),
    small(
        StackedAutoencoder,
        hidden_layer_sizes=(8, 4),
        tied_weights=True,
        pretraining="layerwise",
    ),
    small(ResidualMF, hidden_layer_sizes=(4,), branch_max_iter=2, early_stopping=True),
    small(ResidualMF, feedback="rating", known_users="fold_in"),
    SLIST(similarity=0.2, window=None, half_life=np.inf, gap_half_life=3.0),
    PureSVD(solver="arpack"),
    VisRank("max", center=True),
    VisRank("top_k", n_neighbors=2),
    small(IBR, aggregate="mean", alpha=0.0),
    small(CuratorNet, guidelines=("profile",), user_layer_sizes=(), early_stopping=True),
    small(MCRec, metapaths=(), loss="bpr", known_users="fold_in", alpha=0.0),
    small(MCRec, n_instances=1, solver="sparse_adam", early_stopping=True),
    small(GraphFilter, linear_weight=1.0, item_exponent=0.2),
    RP3beta(None, exponent=1.3, normalize=False),
    SANSA(density=0.3, max_iter=1),
    SANSA(dtype="float32"),
    ItemKNN(feedback="rating"),
    UserKNN(feedback="rating"),
    ItemKNN(feature_weight=None),
    UserKNN(feature_weight=None),
    small(VBPR, cold_items="zero", solver="sparse_adam", loss="hinge", known_users="fold_in"),
    small(DVBPR, n_latent=3, n_negatives=2, early_stopping=True),
    small(DVBPR, alpha=0.0, loss="hinge", known_users="fold_in"),
    small(CTR, learned_texts="all", cold_items="text"),
    small(CDL, likelihood="gaussian", word_values="given", early_stopping=True),
    small(CVAE, hidden_layer_sizes=(8, 6), word_values="given", cold_items="text"),
    ColdStart(EASE()),
    ColdStart(BiasedMF(4)),
    ContentRecommender(Ridge(), feedback="rating"),
    ContentRecommender(RidgeClassifier(), use_ids=False),
    ContentRecommender(weights="value"),
    small(DeepFM, hidden_layer_sizes=(), weights="value"),
    small(DeepFM, hidden_layer_sizes=(), feedback="rating"),
    small(WideAndDeep, cross_features=[("user", "item")], early_stopping=True),
    small(WideAndDeep, n_components=0, feedback="rating"),
    ImplicitRecommender(AlternatingLeastSquares(4, use_cg=False, dtype=np.float64)),
    ImplicitRecommender(BayesianPersonalizedRanking(4, iterations=5)),
    ImplicitRecommender(LogisticMatrixFactorization(4, iterations=5), known_users="fold_in"),
    ImplicitRecommender(ItemItemRecommender()),
    ImplicitRecommender(CosineRecommender()),
    ImplicitRecommender(TFIDFRecommender()),
    ImplicitRecommender(BM25Recommender(K=30)),
]


LISTS = (CalibratedReranker, MMR, RankFusion, ReservedSlots, TwoStageRecommender)


def _cannot_hold(estimator):
    fallback = estimator.fallback if isinstance(estimator, Fallback) else estimator
    if isinstance(fallback, DummyRecommender) and fallback.strategy != "most_popular":
        # Draws are keyed by the item's index, and by the row's content.
        return ["check_item_permutation", "check_duplicate_items_tie"]
    around = (ColdStart, Fallback, LOCA, Recency)
    base = estimator.estimator if isinstance(estimator, around) else estimator
    if isinstance(base, LISTS):
        # A score is a place in a list: it depends on which other items there are, rounding can
        # move it, and equal items have different places.
        names = [
            "check_duplicate_items_tie",
            "check_cold_items",
            "check_empty_columns_change_nothing",
            "check_with_items",
        ]
        inner = getattr(base, "estimator", base) or EASE()
        if "item_features" not in recommender_tags(inner).reads:  # it cannot score new items
            names += ["check_with_items_equals_fit", "check_side_copies"]
        # Components of two items that are alike differ by the rounding of float32, and the first of
        # them to be taken puts the other one far behind.
        if isinstance(base, MMR) and base.similarity == "components":
            names.append("check_float32")
        # WMF draws, and places are kept for columns by their number.
        if isinstance(base, (ReservedSlots, TwoStageRecommender)):
            names += ["check_item_permutation", "check_item_features_permutation"]
        return names
    if isinstance(base, PairRecommender):
        # Negatives are drawn entry by entry, so another order of the items is another draw; so are
        # the first weights of a network.
        drawn = [
            "check_item_permutation",
            "check_item_features_permutation",
            "check_duplicate_items_tie",
        ]
        draws = base.feedback == "implicit" or isinstance(base, FieldRecommender)
        return drawn if draws else []
    if isinstance(base, SANSA) and base.density is not None:
        # Of two equal items, the elements of one may be kept and those of the other dropped.
        return ["check_duplicate_items_tie"]
    if isinstance(base, ImplicitRecommender):
        model = base.get_params()
        if "model__K" in model:  # inner products of columns
            return []
        names = ["check_item_permutation"]
        return (
            names if model.get("model__use_cg") is False else [*names, "check_duplicate_items_tie"]
        )
    if isinstance(base, IBR):  # pairs of items, and a row of E for each, are drawn in their order
        names = ["check_item_permutation", "check_item_features_permutation"]
        return [*names, "check_duplicate_items_tie"]
    drawn = (BPR, BiasedMF, CTR, LLORMA, RBMRecommender, ResidualMF, TorchRecommender, WMF)
    if isinstance(base, drawn):
        # The first weights are drawn item by item, so another order of the items is another
        # draw, and another local optimum.
        names = ["check_item_permutation", "check_item_features_permutation"]
        # Where the last step solves for the items exactly, equal ones are equal again.
        solves_items = isinstance(base, (CDL, CTR, CVAE, ItemAutoRec)) or getattr(
            base, "solver", ""
        ) in ("als", "cholesky")
        if getattr(base, "learned_texts", "") == "all":  # texts of items that nobody has teach too
            names += [
                "check_cold_items",
                "check_empty_columns_change_nothing",
                "check_with_items_equals_fit",
            ]
        return names if solves_items else [*names, "check_duplicate_items_tie"]
    return ()


@pytest.mark.parametrize(
    ("estimator", "check"),
    [*scikit_learn_checks(SMALL), *scikit_learn_checks(VARIANTS, variants=True)],
)
def test_scikit_learn_checks(estimator, check):
    try:
        check(estimator)
    except SkipTest as error:
        pytest.fail(f"scikit-learn skips it: {error}")


@parametrize_with_recommender_checks(SMALL, skip=_cannot_hold)
def test_recommender_checks(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_recommender_checks(
    VARIANTS, skip=lambda one: [*_cannot_hold(one), *OUR_CHECKS_SAME_FOR_VARIANTS]
)
def test_recommender_checks_of_variants(estimator, check):
    check(estimator)


def test_what_is_left_out_for_variants_is_checked_for_every_class():
    pytest.importorskip("sklearn", minversion="1.9", reason="some of the checks are newer")
    names = {name_of(check) for one in SMALL for _, check in estimator_checks_generator(one)}
    assert names >= SAME_FOR_VARIANTS, "scikit-learn has no such check any longer"
    assert {type(one) for one in VARIANTS} <= {type(one) for one in SMALL}


@pytest.mark.slow
@pytest.mark.parametrize("estimator", DEFAULTS, ids=repr)
def test_no_scikit_learn_check_is_skipped_or_expected_to_fail(estimator):
    results = check_estimator(estimator, on_skip=None, on_fail=None)
    assert len(results) >= 41  # 42 where negative values are refused, more with `transform`
    assert {result["status"] for result in results} == {"passed"}


# Each check stands alone: of some defaults all of them take minutes, and workers share them.
@pytest.mark.slow
@parametrize_with_recommender_checks(DEFAULTS, skip=_cannot_hold)
def test_defaults_keep_the_contract(estimator, check):
    check(estimator)


def test_unknown_names_to_skip_are_refused():
    with pytest.raises(ValueError, match="check_nothing"):
        check_recommender(DummyRecommender(), skip=["check_nothing"])
