"""
Two stages, fused lists and diversity
=====================================

Large systems make lists in steps: one model names candidates, another one orders them, and the
order is changed so that the list is not ten times the same. Each step is an estimator here, and so
is the whole.
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
# Two stages, and one list of two
# -------------------------------
# `UserKNN` retrieves 20 candidates. A logistic regression of users and features orders them; with
# ``negatives="retrieved"`` it learns from items that `UserKNN` shows and the user does not have.
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
# On these data, where all is in the groups, no step beats `EASE` by itself. Whether one does on
# yours is a question for `compare_models`, which tests the differences.
#
# Diversity has a price
# ---------------------
# `MMR` orders the 50 best items for relevance and for likeness to what stands above them. The
# smaller `trade_off`, the more a list differs within itself, and the less it finds.
# `CalibratedReranker` wants the user's own mix of groups and not as many groups as possible.
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
# A list that was made in steps raises the question why something is missing.
model = models["two stages"].fit(X_train, item_features=F)
item = int(EASE().fit(X_train).predict(X_train[:1])[0])
print(skrec.why_not(model, X_train, row=0, item=item, k=5).reason)
