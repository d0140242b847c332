"""Metrics of recommendations, scorers for searches, evaluation, comparison and displays."""

from skrec.metrics._catalogue import (
    catalogue_coverage_score,
    gini_index_score,
    novelty_score,
)
from skrec.metrics._compare import compare
from skrec.metrics._compare_models import compare_models
from skrec.metrics._comparison._comparison import Comparison
from skrec.metrics._diversity import diversity_score
from skrec.metrics._evaluate import evaluate
from skrec.metrics._plot._activity_breakdown import ActivityBreakdownDisplay
from skrec.metrics._plot._comparison import ComparisonDisplay
from skrec.metrics._plot._popularity import PopularityDisplay
from skrec.metrics._plot._ranking_curve import RankingCurveDisplay
from skrec.metrics._popularity import popularity_calibration_error
from skrec.metrics._rank_metrics import (
    ranking_auc_score,
    top_k_average_precision_score,
    top_k_ndcg_score,
    top_k_reciprocal_rank_score,
)
from skrec.metrics._rating import mean_absolute_rating_error, root_mean_squared_rating_error
from skrec.metrics._scorer import get_scorer, get_scorer_names, make_ranking_scorer
from skrec.metrics._set_metrics import (
    top_k_hit_rate_score,
    top_k_precision_score,
    top_k_recall_score,
)

__all__ = [
    "ActivityBreakdownDisplay",
    "Comparison",
    "ComparisonDisplay",
    "PopularityDisplay",
    "RankingCurveDisplay",
    "catalogue_coverage_score",
    "compare",
    "compare_models",
    "diversity_score",
    "evaluate",
    "get_scorer",
    "get_scorer_names",
    "gini_index_score",
    "make_ranking_scorer",
    "mean_absolute_rating_error",
    "novelty_score",
    "popularity_calibration_error",
    "ranking_auc_score",
    "root_mean_squared_rating_error",
    "top_k_average_precision_score",
    "top_k_hit_rate_score",
    "top_k_ndcg_score",
    "top_k_precision_score",
    "top_k_recall_score",
    "top_k_reciprocal_rank_score",
]
