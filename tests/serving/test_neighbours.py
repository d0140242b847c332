"""The page on indexes of neighbours: for which models inner products rank as the scores do."""

import numpy as np
import pytest

from skrec.content import CTR
from skrec.datasets import make_interactions
from skrec.decomposition import BPR, WMF, BiasedMF, GraphFilter, PureSVD

X = make_interactions(n_users=40, n_items=30, random_state=0).X
RATINGS = X * np.random.default_rng(0).integers(1, 6, X.shape)
SMALL = {"n_components": 4, "random_state": 0}


def order_by_vectors(model):
    """Scores by the page's recipe, without what is the same for all items of a row."""
    items, users = model.components_.T, model.transform(RATINGS)
    if hasattr(model, "item_bias_"):
        items = np.column_stack([items, model.item_bias_])
        users = np.column_stack([users, np.ones(len(users))])
    products = users @ items.T
    return products - products.mean(axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("model", "holds"),
    [
        (PureSVD(**SMALL), True),
        (WMF(max_iter=2, **SMALL), True),
        (BPR(max_iter=2, **SMALL), True),
        (BiasedMF(max_iter=2, **SMALL), True),
        (CTR(max_iter=2, **SMALL), True),
        (GraphFilter(**SMALL), False),
    ],
    ids=lambda one: type(one).__name__,
)
def test_inner_products(model, holds):
    features = {"item_features": np.eye(30)} if isinstance(model, CTR) else {}
    scores = model.fit(RATINGS, **features).decision_function(RATINGS)
    scores = scores - scores.mean(axis=1, keepdims=True)
    same = np.allclose(order_by_vectors(model), scores, atol=1e-3 * np.abs(scores).max())
    assert same == holds
