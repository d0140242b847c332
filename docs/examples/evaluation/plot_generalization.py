"""
Strong against weak generalisation
==================================

You can test a recommender on users that it has never seen (strong generalisation) or on held-out
items of its training users (weak generalisation). Papers report one or the other. How much do the
figures differ, and why can you not compare them?
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.sparse import vstack

from skrec.datasets import load_demo
from skrec.decomposition import BPR, PureSVD
from skrec.dummy import DummyRecommender
from skrec.linear_model import EASE
from skrec.metrics import compare, evaluate
from skrec.model_selection import holdout_split, user_train_test_split

X = load_demo(return_X=True)
models = {
    "EASE": EASE(alpha=500.0),
    "BPR": BPR(n_components=16, random_state=0),
    "PureSVD": PureSVD(n_components=16, random_state=0),
    "popularity": DummyRecommender(),
}

# %%
# Three experiments
# -----------------
# **Strong**: a fifth of the users are test users, and the models train on the other users. A fifth
# of each test user's items is held out; the models see the rest when they score.
X_train, X_test, y_test, _, test_users = user_train_test_split(X, random_state=0, return_users=True)
strong = {
    name: evaluate(model.fit(X_train), X_test, y_test, "ndcg@100") for name, model in models.items()
}

# %%
# **Known users, same question**: the training data now contain the visible items of the test users.
# Users and held-out items are the same as before. So the only difference is whether the model
# was trained on the rows that it scores.
X_more = vstack([X_train, X_test], format="csr")
known = {
    name: evaluate(model.fit(X_more), X_test, y_test, "ndcg@100") for name, model in models.items()
}

# %%
# **Weak**, in the usual way: a fifth of every user's items is held out, the models train on the
# rest, and all users are tested.
X_rest, X_heldout = holdout_split(X, random_state=0)
weak = {
    name: evaluate(model.fit(X_rest), X_rest, X_heldout, "ndcg@100")
    for name, model in models.items()
}

# %%
# What differs
# ------------
# Means over the test users, with bars of one standard error to either side:
experiments = {
    "strong: new users": (strong, "#0072B2", "o"),
    "the same users, known": (known, "#E69F00", "s"),
    "weak: a share of all rows": (weak, "#009E73", "^"),
}
fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
places = np.arange(len(models))
for shift, (label, (results, color, marker)) in zip(
    (-0.2, 0, 0.2), experiments.items(), strict=True
):
    means = [result.mean["ndcg@100"] for result in results.values()]
    errors = [result.standard_error["ndcg@100"] for result in results.values()]
    n_users = next(iter(results.values())).n_users["ndcg@100"]
    ax.errorbar(means, places + shift, xerr=errors, fmt=marker, color=color, capsize=3,
                label=f"{label} (n = {n_users:,})")  # fmt: skip
ax.set_yticks(places, models)
ax.invert_yaxis()
ax.set_xlabel("nDCG@100")
ax.legend()
plt.show()

# %%
# The first two experiments differ in one thing, so they can be compared in pairs:
for name in models:
    found = compare(known[name], strong[name], "ndcg@100")
    low, high = found.interval
    print(f"{name:10} known less new: {found.difference:+.4f}, between {low:+.4f} and {high:+.4f}")

# %%
# These models rank nearly as well for new users. Not every model does. EASE and PureSVD are
# functions of the row, known or new. BPR learns a vector for each training user and folds a new row
# in: it minimises its objective over the vector of this user alone, with the items' vectors fixed
# (:doc:`/guide/new_users`). An implementation that looks up vectors by the user's number could not
# take part in the first experiment at all.
#
# Why the figures cannot be compared
# ----------------------------------
# The third experiment has lower figures for the three personalised models, although its users are
# known. It tests other users, holds out other items, and every training row lacks a fifth of its
# items. Restricted to the test users of the first experiment, weak generalisation gives:
for name, result in weak.items():
    same_users = np.nanmean(result.per_user["ndcg@100"][test_users])
    print(f"{name:10} {same_users:.3f} (all users {result.mean['ndcg@100']:.3f}, "
          f"strong {strong[name].mean['ndcg@100']:.3f})")  # fmt: skip

# %%
# For EASE and BPR the users explain nearly all of the gap: these 400 happen to be easier. For
# PureSVD they explain the smaller part of it. This does not show that one protocol is easier than
# the other; on other data the gap can have the other sign. Do not compare a figure of one protocol
# with a figure of the other, even for the same data and the same model.
#
# Take the protocol of your case. If new users come after the fit, test strong generalisation. If
# you fit the model again before it serves the same users, test weak generalisation. More
# protocols, such as splits in time, are in :doc:`/guide/evaluate`.
