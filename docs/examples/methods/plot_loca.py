"""
LOCA and its anchors
====================

One model for everybody averages over tastes. :class:`~skrec.ensemble.LOCA` fits copies of a model
around anchor users, and the copies near a user score the items for that user. Which users are near
an anchor, and when do local models pay? :doc:`/methods/local_models` describes the model.
"""

# %%
# Data
# ----
# Local models should help most where users differ in *which items go together*. So we generate two
# logs of 4,500 users. The users of the first come from one population. The second has three
# populations of 1,500 users. They share the items, but in each population the items form other
# groups of taste.

import matplotlib.pyplot as plt
import numpy as np
from scipy.sparse import vstack
from sklearn.preprocessing import normalize

from skrec.datasets import make_interactions
from skrec.decomposition import PureSVD
from skrec.ensemble import LOCA
from skrec.inspection import EmbeddingDisplay
from skrec.linear_model import EASE
from skrec.metrics import compare, evaluate
from skrec.model_selection import strong_generalization_split

shape = {"n_items": 300, "n_groups": 4, "return_X": True}
logs = {
    "one population": make_interactions(4500, n_interactions=180_000, random_state=0, **shape),
    "three populations": vstack(
        [
            make_interactions(1500, n_interactions=60_000, random_state=seed, **shape)
            for seed in range(3)
        ],
        format="csr",
    ),
}
splits = {
    name: strong_generalization_split(X, n_validation=0.1, n_test=0.3, random_state=0)
    for name, X in logs.items()
}

# %%
# The model
# ---------
# We choose the penalty of :class:`~skrec.linear_model.EASE` for the global model, on the validation
# users. The local models use the same penalty. :class:`~skrec.decomposition.PureSVD` embeds the
# users, and the anchors are chosen to cover many of them.


def fit_loca(split):
    def validation_score(alpha):
        global_model = EASE(alpha=alpha).fit(split.X_train)
        return global_model.score(split.X_validation, split.y_validation)

    alpha = max([300.0, 1000.0, 3000.0, 10_000.0], key=validation_score)
    return LOCA(
        EASE(alpha=alpha),
        n_estimators=9,
        embedding=PureSVD(n_components=8, random_state=0),
        global_weight=0.0,
        fit_bandwidth=0.8,
        predict_bandwidth=0.6,
        bandwidth_unit="angle",
        weight_sum="n_local",
        random_state=0,
    ).fit(split.X_train)


models = {name: fit_loca(split) for name, split in splits.items()}
for name, model in models.items():
    print(f"{name}: alpha={model.estimator.alpha:g}, local users {model.n_local_users_}")

# %%
# The weights around one anchor
# -----------------------------
# The kernel depends on the angle between embeddings, so the map shows them scaled to length 1. A
# wide kernel weighs the users in the fit of a local model; a narrow kernel selects the users whom
# the model scores. Weights fall with the distance from the anchor. Where the map does not show
# this, the users are apart in dimensions that the map leaves out.

model, split = models["three populations"], splits["three populations"]
users = normalize(model.embedding_.transform(split.X_train))
number = 3
narrow = model.predict_bandwidth
figure, axes = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
for ax, use, bandwidth in [
    (axes[0], "fit", model.fit_bandwidth),
    (axes[1], "prediction", narrow),
]:
    model.set_params(predict_bandwidth=bandwidth)
    weight = model.local_weights(split.X_train)[:, number]
    display = EmbeddingDisplay.from_vectors(
        users, labels=weight, label_name="weight", ax=ax, scatter_kw={"vmin": 0, "vmax": 0.75}
    )
    anchor = display.coordinates[model.anchors_[number]]
    ax.plot(*anchor, "*", color="red", markersize=14, label=f"anchor {number}")
    ax.legend()
    ax.set_title(f"{use}: bandwidth {bandwidth}, {np.mean(weight > 0):.0%} of the users")
model.set_params(predict_bandwidth=narrow)

# %%
# All anchors
# -----------
# Each user has the colour of the anchor whose local model weighs most for the user. Stars are the
# anchors. No local model covers the users named "none"; they get the scores of the global model.

weights = model.local_weights(split.X_train)
covered = weights.any(axis=1)
labels = np.where(covered, np.char.add("anchor ", weights.argmax(axis=1).astype(str)), "none")
display = EmbeddingDisplay.from_vectors(users, labels=labels, label_name="highest weight")
stars = display.coordinates[model.anchors_]
_ = display.ax_.plot(*stars.T, "*", color="white", markeredgecolor="black", markersize=16)

# %%
# The three clouds are the three populations, although LOCA does not know them. Most local models
# weigh most for users of one population; anchors between the clouds have users of two.

population = split.train_users // 1500
for anchor in range(len(model.anchors_)):
    served = population[covered & (weights.argmax(axis=1) == anchor)]
    print(f"anchor {anchor}: users of each population {np.bincount(served, minlength=3)}")

# %%
# Do local models pay?
# --------------------
# LOCA minus its own global model, on the same test users:

for name, model in models.items():
    split = splits[name]
    local, everybody = (
        evaluate(one, split.X_test, split.y_test, "ndcg@100") for one in (model, model.estimator_)
    )
    found = compare(local, everybody, "ndcg@100")
    low, high = found.interval
    print(
        f"{name}: nDCG@100 {local.mean['ndcg@100']:.3f} against {everybody.mean['ndcg@100']:.3f}, "
        f"difference {found.difference:+.4f} ({low:+.4f} to {high:+.4f}), p = {found.p_value:.1g}"
    )

# %%
# Here local models pay in both logs, though not much: even users of a single population differ
# enough. This is no rule. Tune the bandwidths, the embedding and the number of anchors like the
# penalty. A kernel that is too narrow covers few users, and LOCA is then little more than its
# global model. LOCA also takes the memory of all its members: here ten matrices instead of one.
