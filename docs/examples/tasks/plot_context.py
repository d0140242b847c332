"""
Recommendations for the moment
==============================

People listen to other music in the morning than at night. A fit takes one row of context for each
interaction. A list takes one row of context for each user.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.sparse import csr_array

from skrec import InteractionContext
from skrec.content import DeepFM, WideAndDeep
from skrec.datasets import make_interactions
from skrec.ensemble import TwoStageRecommender
from skrec.linear_model import EASE
from skrec.metrics import evaluate

# %%
# A log with situations
# ---------------------
# Items are in eight groups, and each user likes some of the groups. Users take the items of a group
# mostly at one of four times of the day.
rng = np.random.default_rng(0)
times = ["morning", "noon", "evening", "night"]
data = make_interactions(500, 80, 10_000, n_groups=8, item_features=True, random_state=0)
F, usual = data.item_features.toarray(), data.item_group % 4
log = data.X.tocoo()
time = np.where(rng.random(log.nnz) < 0.8, usual[log.col], rng.integers(4, size=log.nnz))

# %%
# For each user one of the times is *now*. Half of the interactions at that time are held out, and
# the models learn from all others. `InteractionContext` has a row for each stored entry.
now = rng.integers(4, size=500)
test = (time == now[log.row]) & (rng.random(log.nnz) < 0.5)


def matrix(chosen):
    return csr_array((np.ones(chosen.sum()), (log.row[chosen], log.col[chosen])), shape=(500, 80))


X_train, X_test = matrix(~test), matrix(test)
context = InteractionContext(np.eye(4)[time[~test]], X_train.indptr)

# %%
# With and without the situation
# ------------------------------
# `DeepFM` learns products of all fields, among them the situation and the item. `WideAndDeep` has a
# weight for each pair of values in two chosen fields. Both are slow for each item that they score.
# So the last model asks `DeepFM` about 40 candidates only.
options = {
    "n_components": 8, "hidden_layer_sizes": (32,), "learning_rate": 0.01, "max_iter": 10,
    "n_iter_no_change": 2, "random_state": 0,
}  # fmt: skip
deep = DeepFM(**options)
wide = WideAndDeep(
    fields={"item_features": ["tag"] * F.shape[1]},
    cross_features=[("context", "item"), ("user", "tag")],
    **options,
)
two = TwoStageRecommender(EASE(), deep, n_candidates=40)
models = {
    "EASE": (EASE(), {}),
    "DeepFM": (deep, {"item_features": F}),
    "DeepFM, context": (deep, {"item_features": F, "context": context}),
    "WideAndDeep, context": (wide, {"item_features": F, "context": context}),
    "EASE, then DeepFM, context": (two, {"item_features": F, "context": context}),
}
found = {}
for name, (model, side) in models.items():
    model.fit(X_train, **side)
    known = {"context": np.eye(4)[now]} if "context" in side else {}
    found[name] = evaluate(model, X_train, X_test, ["ndcg@10"], **known)
    print(f"{name:27} {found[name].mean['ndcg@10']:.3f}")

# %%
# The same users at four times of the day
# ---------------------------------------
# Lists follow the time. The figure on the right shows, for lists made at each time, the share of
# the items that users mostly take at each time.
shares = []
for place in range(4):
    lists = wide.recommend(X_train, k=10, context=np.tile(np.eye(4)[place], (500, 1)))
    shares.append(np.bincount(usual[lists].ravel(), minlength=4) / lists.size)

fig, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
quality = [one.mean["ndcg@10"] for one in found.values()]
errors = [one.standard_error["ndcg@10"] for one in found.values()]
colors = ["#0072B2" if "context" in side else "#999999" for _, side in models.values()]
axes[0].barh(list(found), quality, xerr=errors, color=colors)
axes[0].invert_yaxis()
axes[0].set(xlabel="nDCG@10 of the items taken now")
image = axes[1].imshow(shares, cmap="Blues", vmin=0)
axes[1].set_xticks(range(4), [f"of the {when}" for when in times], rotation=20)
axes[1].set_yticks(range(4), times)
axes[1].set(xlabel="items", ylabel="lists made at")
fig.colorbar(image, ax=axes[1], label="share of the lists")
plt.show()

# %%
# One pair at several times
# -------------------------
# ``score_pairs`` takes a situation for each pair. If a user took an item at several times, a matrix
# holds only one of them. ``fit_rows`` takes the log itself, with all of them.
model = WideAndDeep(cross_features=[("context", "item")], **options)
model.fit_rows(log.row, log.col, context=np.eye(4)[time], shape=(500, 80))
item = int(np.flatnonzero(usual == 3)[0])
scores = model.score_pairs(X_train, [0] * 4, [item] * 4, context=np.eye(4))
print(dict(zip(times, scores.round(2).tolist(), strict=True)))
