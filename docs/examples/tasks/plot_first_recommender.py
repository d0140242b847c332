"""
A first recommender
===================

This page turns a log of interactions into lists of recommendations. Then it answers the first
question about such lists: are they better than recommending the popular items to everybody?
"""

import textwrap

import matplotlib.pyplot as plt
import numpy as np

from skrec.datasets import load_demo
from skrec.dummy import DummyRecommender
from skrec.linear_model import EASE
from skrec.metrics import RankingCurveDisplay, compare, evaluate
from skrec.model_selection import user_train_test_split
from skrec.neighbors import ItemKNN
from skrec.preprocessing import InteractionEncoder

# %%
# The log
# -------
# A log holds pairs of a user and an item. This log is generated and comes with the package: 2,000
# listeners have played albums. Each entry is a listener and the title of an album.
demo = load_demo()
log = {"user": demo.user_ids[demo.user], "item": demo.titles[demo.item]}
for user, item in zip(log["user"][:3], log["item"][:3], strict=True):
    print(user, "played", item)

# %%
# :class:`~skrec.preprocessing.InteractionEncoder` turns the log into a sparse matrix (CSR), with a
# row for each user and a column for each item. It keeps the ids, so it can name the columns later.
# A DataFrame works as well; :doc:`/guide/data` shows how to read files.
encoder = InteractionEncoder()
X = encoder.fit_transform(log)
print(X.shape, X.nnz)

# %%
# The activity of users and the popularity of items have long tails. Half of the listeners have
# played 12 albums or fewer, while some have played more than 100. Few albums have many listeners.
fig, (left, right) = plt.subplots(ncols=2, figsize=(8, 3.2), layout="constrained")
for ax, counts, what, whom in (
    (left, np.diff(X.indptr), "albums of a listener", "listeners"),
    (right, np.bincount(X.indices, minlength=X.shape[1]), "listeners of an album", "albums"),
):
    bins = np.geomspace(counts.min(), counts.max() + 1, 25)
    ax.hist(counts, bins=bins, color="#0072B2")
    ax.axvline(np.median(counts), color="0.2", linestyle=":", label=f"median {np.median(counts):g}")
    ax.set(xscale="log", xlabel=what, ylabel=f"number of {whom}")
    ax.xaxis.set_major_formatter("{x:g}")
    ax.legend()
plt.show()

# %%
# Fit and recommend
# -----------------
# A fifth of the users are test users, whom the models do not see in ``fit``. A fifth of each test
# user's items is held out (``y_test``); a model sees the rest when it scores (``X_test``).
X_train, X_test, y_test = user_train_test_split(X, random_state=0)
models = {
    "EASE": EASE(alpha=500.0),
    "ItemKNN": ItemKNN(),
    "popularity": DummyRecommender(),
}
for model in models.values():
    model.fit(X_train)

# %%
# ``recommend`` returns columns of ``X``, best first, and leaves out the user's own items. The
# encoder knows the names of the columns. Here are the albums that the first test user has played,
# and the lists of two models:
row = X_test[:1]
print(textwrap.fill("played: " + ", ".join(encoder.item_ids_[row.indices]), 76))
for name in ("EASE", "popularity"):
    titles = encoder.decode_items(models[name].recommend(row, k=5))[0]
    print(f"{name}:", ", ".join(titles))

# %%
# Evaluate
# --------
# Held-out items should be at the top of the lists. :func:`~skrec.metrics.evaluate` returns means
# over the users and their standard errors. Both metrics are 1 for a perfect list.
metrics = ["recall@20", "ndcg@100"]
results = {name: evaluate(model, X_test, y_test, metrics) for name, model in models.items()}
for name, result in results.items():
    print(f"{name:10}", *(f"{m} {result.mean[m]:.3f} ± {result.standard_error[m]:.3f}  "
                          for m in metrics))  # fmt: skip

# %%
# All models were tested on the same users, so the differences are tested in pairs:
for name in ("ItemKNN", "popularity"):
    found = compare(results["EASE"], results[name], "ndcg@100")
    low, high = found.interval
    print(f"EASE less {name}: between {low:.3f} and {high:.3f}, p = {found.p_value:.1g}")

# %%
# The picture shows recall for lists of several lengths. EASE reaches .49 with 10 items; popularity
# does not reach it with 50. ItemKNN with its defaults is nearly as good as EASE in long lists, and
# clearly worse at the top, where people look. (Recall divides by the number of relevant items or by
# k, whichever is smaller. So it can fall as k rises, as it does at the left.)
RankingCurveDisplay.from_estimator(models, X_test, y_test, metric="recall")
# sphinx_gallery_thumbnail_number = 2
plt.show()

# %%
# Neither model was tuned: :doc:`/auto_examples/evaluation/plot_grid_search` tunes one.
# :doc:`/auto_examples/evaluation/plot_generalization` explains the split of the users.
# :doc:`/guide/choose` says which model to begin with on other data.
