"""
Cold users
==========

How many items of a user must a personalised model know to be better than popularity? What should a
user without items get? Here the models see the same users with 0, 1, 2, 5 and 10 of their items.
They are not fitted again: a new user is a row like any other, see :doc:`/guide/new_users`.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from scipy.sparse import csr_array

from skrec.datasets import load_demo
from skrec.dummy import DummyRecommender
from skrec.linear_model import EASE
from skrec.metrics import compare, evaluate, top_k_recall_score
from skrec.model_selection import holdout_split, user_train_test_split
from skrec.neighbors import ItemKNN

X = load_demo(return_X=True)

# %%
# The users
# ---------
# Each number of known items needs the same users and the same held-out items; otherwise more than
# one thing would change. So 5 items of each test user are held out, and only users with more than
# 10 other items take part.
X_train, X_test, y_test = user_train_test_split(X, test_size=0.4, holdout=5, random_state=0)
enough = np.diff(X_test.indptr) > 10
X_test, y_test = X_test[enough], y_test[enough]
print(X_test.shape[0], "users")

# %%
# Ten items of each user are drawn, then five of the ten, two of the five, and one of the two.
# ``holdout_split`` with a whole number takes that many items out of each row and returns them
# second.
shown = {10: holdout_split(X_test, 10, random_state=0)[1]}
for n_known, n_before in ((5, 10), (2, 5), (1, 2)):
    shown[n_known] = holdout_split(shown[n_before], n_known, random_state=0)[1]
shown[0] = csr_array(X_test.shape)
lengths = sorted(shown)

# %%
# The models
# ----------
# The models train on the other users, with all their items.
models = {
    "EASE": EASE(alpha=500.0),
    "ItemKNN": ItemKNN(n_neighbors=None, target_exponent=0.5, activity_exponent=0.0),
    "popularity": DummyRecommender(),
}
for model in models.values():
    model.fit(X_train)
with warnings.catch_warnings():
    warnings.filterwarnings("ignore", message="Nothing is known of")  # this is the question here
    results = {
        name: [evaluate(model, shown[n], y_test, "recall@20") for n in lengths]
        for name, model in models.items()
    }


# %%
# An empty row
# ------------
# Models that sum over the items of a user have nothing to sum in an empty row. All scores are 0 and
# ties go to the lower column, so everybody gets the first columns of the matrix. That is not a
# recommendation. You decide outside of the model what these users get; the usual fallback is
# popularity:
def scores_with_fallback(X):
    empty = np.diff(X.indptr) == 0
    popularity = models["popularity"].decision_function(X)
    scores = np.where(empty[:, np.newaxis], popularity, models["EASE"].decision_function(X))
    scores[X.nonzero()] = -np.inf  # seen items are not ranked
    return scores


fallback = [top_k_recall_score(y_test, scores_with_fallback(shown[n]), k=20) for n in lengths]

# %%
# Quality by number of known items
# --------------------------------
looks = [("#0072B2", "o", "-"), ("#E69F00", "s", "--"), ("#009E73", "^", "-.")]
fig, ax = plt.subplots(figsize=(7, 4.2), layout="constrained")
places = np.arange(len(lengths))
for (name, of), (color, marker, line) in zip(results.items(), looks, strict=True):
    mean = np.array([result.mean["recall@20"] for result in of])
    error = np.array([result.standard_error["recall@20"] for result in of])
    ax.plot(places, mean, color=color, marker=marker, linestyle=line, label=name)
    ax.fill_between(places, mean - error, mean + error, color=color, alpha=0.2, linewidth=0)
ax.plot(places, fallback, "o", markersize=13, fillstyle="none", color="0.2",
        label="EASE, popularity for empty rows")  # fmt: skip
ax.set_xticks(places, lengths)
ax.set(xlabel="items known of each user", ylabel="recall@20, mean over the users", ylim=(0, None))
ax.legend(loc="lower right", title="shaded: ± 1 standard error")
plt.show()

# %%
# With one known item both models are well ahead of popularity, and every further item helps. With
# one and two items ItemKNN is ahead of EASE; from five on they are equal. The paired tests:
for i, n_known in enumerate(lengths[1:], start=1):
    found = compare(results["ItemKNN"][i], results["EASE"][i], "recall@20")
    low, high = found.interval
    print(f"{n_known:2} known: ItemKNN less EASE between {low:+.3f} and {high:+.3f}")

# %%
# At 0 the models find almost nothing, and the fallback (circles) finds as much as popularity.
# (Popularity rises a little with the number of known items: the lists leave these items out, which
# makes room for others.)
#
# The users here have at least 16 items, and most of them were hidden from the models. Users who
# really have only one item may be different people. So the figures show the effect of the *number
# of known items*, and not how good the lists of today's new users are.
