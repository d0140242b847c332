"""
Two stages, fused lists and diversity
=====================================

Large systems make lists in steps: one model picks candidates, another model orders them, and a last
step makes the list more diverse. Here each step is an estimator, and so is the whole.
"""

import matplotlib.pyplot as plt
import numpy as np

import skrec
from skrec.content import ContentRecommender
from skrec.datasets import make_interactions
from skrec.ensemble import MMR, CalibratedReranker, RankFusion, TwoStageRecommender
from skrec.linear_model import EASE
from skrec.metrics import compare_models, diversity_score, evaluate
from skrec.model_selection import holdout_split
from skrec.neighbors import UserKNN

data = make_interactions(400, 120, n_groups=8, item_features=True, random_state=0)
X_train, X_test = holdout_split(data.X, 0.2, random_state=0)
F = data.item_features.toarray()

# %%
# Two stages, and one list from two
# ---------------------------------
# `UserKNN` retrieves 20 candidates. A logistic regression on users and features orders them. With
# ``negatives="retrieved"`` its negatives are items that `UserKNN` shows and the user does not have.
# `RankFusion` sums the reciprocal ranks of two lists.
ranker = ContentRecommender(random_state=0)
models = {
    "UserKNN": UserKNN(),
    "EASE": EASE(),
    "ranker alone": ranker,
    "two stages": TwoStageRecommender(UserKNN(), ranker, n_candidates=20),
    "two stages, retrieved negatives": TwoStageRecommender(
        UserKNN(), ranker, n_candidates=20, negatives="retrieved", random_state=0
    ),
    "fused": RankFusion([("knn", UserKNN()), ("ease", EASE())]),
}
found = compare_models(models, X_train, X_train, X_test, ["ndcg@10"], item_features=F)
print(found)

# %%
# In these data the groups explain everything, and no step beats `EASE` alone. `compare_models`
# tests the differences, so it can tell whether a step helps on your data.
#
# Diversity has a price
# ---------------------
# `MMR` orders the 50 best items by their relevance, less their similarity to the items above them.
# With a smaller `trade_off` a list is more diverse and finds less. `CalibratedReranker` aims at the
# user's own mix of groups, not at as many groups as possible.
trade_offs = [1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3]
kinds = {"MMR": (MMR, "#0072B2"), "CalibratedReranker": (CalibratedReranker, "#E69F00")}
fig, ax = plt.subplots(figsize=(6.5, 4), layout="constrained")
for name, (kind, color) in kinds.items():
    model = kind(EASE(), n_candidates=50).fit(X_train, item_features=F)
    points = []
    for trade_off in trade_offs:
        model.set_params(trade_off=trade_off)
        lists = model.recommend(X_train, k=10)
        quality = evaluate(model, X_train, X_test, ["ndcg@10"]).mean["ndcg@10"]
        points.append((diversity_score(lists, F), quality))
    diversity, quality = np.array(points).T
    ax.plot(diversity, quality, "o-", color=color, label=name)
    for place in (0, len(trade_offs) - 1):
        ax.annotate(
            f"{trade_offs[place]:g}", (diversity[place], quality[place]), (4, 4),
            textcoords="offset points", color=color,
        )  # fmt: skip
ax.set(xlabel="diversity of the lists of 10", ylabel="nDCG@10")
ax.legend(title="numbers: trade_off")
plt.show()

# %%
# Why not this item?
# ------------------
# After several steps it is hard to see why a list lacks an item. `why_not` tells:
model = models["two stages"].fit(X_train, item_features=F)
item = int(EASE().fit(X_train).predict(X_train[:1])[0])
print(skrec.why_not(model, X_train, row=0, item=item, k=5).reason)
