"""
Cold items
==========

A new item has no users, so a model of interactions alone cannot rank it. A model that reads its
features can. Ask two questions of a model. Does it rank the new items well among themselves? Do the
new items find their place among the others? A model may be good at the first and never show a new
item to anybody.
"""

import matplotlib.pyplot as plt
import numpy as np

from skrec.content import VBPR, ColdStart, VisRank
from skrec.datasets import make_interactions
from skrec.decomposition import PureSVD
from skrec.inspection import ItemGridDisplay
from skrec.metrics import evaluate
from skrec.model_selection import cold_item_split

data = make_interactions(600, 200, n_groups=8, item_features=True, random_state=0)
X_train, X_cold, cold = cold_item_split(data.X, random_state=0)
F = data.item_features.toarray()
print(len(cold), "new items,", X_cold.nnz, "interactions to find")

# %%
# Four models
# -----------
# `PureSVD` knows only interactions. `ColdStart` around it predicts the scores of items that nobody
# has from their features. `VisRank` learns nothing and scores by similarity of features. `VBPR`
# learns vectors of items together with the users' taste in features.
models = {
    "PureSVD": PureSVD(16).fit(X_train),
    "ColdStart": ColdStart(PureSVD(16)).fit(X_train, item_features=F),
    "VisRank": VisRank().fit(X_train, item_features=F),
    "VBPR": VBPR(16, n_content_components=16, max_iter=30, device="cpu", random_state=0).fit(
        X_train, item_features=F
    ),
}

# %%
# Both questions
# --------------
# ``items=cold`` restricts the ranking to the new items. Without it they compete with all items that
# the user does not have.
among = {"new items only": {"items": cold}, "all items": {}}
found = {
    (name, where): evaluate(model, X_train, X_cold, ["ndcg@10"], **how)
    for name, model in models.items()
    for where, how in among.items()
}
fig, ax = plt.subplots(figsize=(7, 3.8), layout="constrained")
places = np.arange(len(models))
colors = dict(zip(among, ("#0072B2", "#E69F00"), strict=True))
for shift, (where, color) in zip((-0.2, 0.2), colors.items(), strict=True):
    means = [found[name, where].mean["ndcg@10"] for name in models]
    errors = [found[name, where].standard_error["ndcg@10"] for name in models]
    ax.bar(places + shift, means, 0.4, yerr=errors, color=color, label=f"among {where}")
ax.set_xticks(places, models)
ax.set(ylabel="nDCG@10 of the new items")
fig.legend(title="± 1 standard error", loc="outside upper center", ncols=2)
plt.show()

# %%
# Without features the order of the new items ignores the user, and they rank below all others. The
# models with features agree on the first question and differ on the second. `VBPR` predicts the
# vectors of new items from their features, and learns a level for them among the others. With
# ``cold_items="zero"``, the paper's rule, they hardly get into a list.
#
# Lists
# -----
# Generated items have no titles. The titles here name the group and mark new items.
titles = [
    f"group {group}{', new' if new else ''}"
    for group, new in zip(data.item_group, np.isin(np.arange(200), cold), strict=True)
]
ItemGridDisplay.from_estimator(models["ColdStart"], X_train, rows=[0, 1, 2], titles=titles)
plt.show()

# %%
# ``with_items`` adds items that came after the fit, by their features and without a new fit.
later = models["VisRank"].with_items(F[:2])
print(models["VisRank"].n_features_in_, "items, then", later.n_features_in_)
