"""
A pipeline and a grid search
============================

Recommenders are scikit-learn estimators, so they work in a pipeline after other steps, and a grid
search tunes all steps together. Here the pipeline weighs the interactions by BM25 and then fits
:class:`~skrec.linear_model.EASE`. Does the weighting help, and how strong a penalty does the model
want?
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

import skrec
from skrec.datasets import load_demo
from skrec.linear_model import EASE
from skrec.metrics import compare, evaluate, make_ranking_scorer
from skrec.model_selection import user_train_test_split
from skrec.preprocessing import BM25Transformer

data = load_demo()
X_train, X_test, y_test = user_train_test_split(data.X, random_state=0)

# %%
# The search
# ----------
# Rows are users, so the folds are users: the search fits every candidate on some users and scores
# it on others. The scorer hides a fifth of each scored user's items, the same items for all
# candidates, and measures how high the model ranks them. One scorer returns several metrics;
# ``refit`` names the metric that decides.
#
# :class:`~skrec.preprocessing.BM25Transformer` gives a smaller weight to entries of active users,
# and with ``b`` above 0 to popular items as well. ``"passthrough"`` is no weighting at all.
search = GridSearchCV(
    Pipeline([("weights", "passthrough"), ("model", EASE())]),
    {
        "weights": ["passthrough", BM25Transformer(b=0.0), BM25Transformer(b=0.5)],
        "model__alpha": np.logspace(2, 4.5, 6),
    },
    scoring=make_ranking_scorer(["recall@20", "ndcg@100"]),
    refit="ndcg@100",
    cv=3,
).fit(X_train)
print(f"alpha {search.best_params_['model__alpha']:.0f}, weights {search.best_params_['weights']}")

# %%
# The score over the penalty
# --------------------------
# ``cv_results_`` holds the mean over the folds for each candidate, in the order of the grid.
penalties = search.param_grid["model__alpha"]
names = ["no weighting", "BM25, b = 0", "BM25, b = 0.5"]
looks = [("#0072B2", "o", "-"), ("#E69F00", "s", "--"), ("#009E73", "^", "-.")]
fig, axes = plt.subplots(ncols=2, figsize=(9, 4), layout="constrained", sharex=True)
for ax, metric in zip(axes, ("ndcg@100", "recall@20"), strict=True):
    # The grid runs over its keys in alphabetical order, the last one fastest.
    mean = search.cv_results_[f"mean_test_{metric}"].reshape(len(penalties), len(names))
    for name, score, (color, marker, line) in zip(names, mean.T, looks, strict=True):
        ax.plot(penalties, score, color=color, marker=marker, linestyle=line, label=name)
    best = np.unravel_index(mean.argmax(), mean.shape)
    ax.plot(penalties[best[0]], mean[best], "o", markersize=14, fillstyle="none", color="0.2",
            label="best of the grid")  # fmt: skip
    label = f"{metric.replace('ndcg', 'nDCG')}, mean over the folds"
    ax.set(xscale="log", xlabel="alpha of EASE", ylabel=label)
axes[0].legend(loc="lower right")
plt.show()

# %%
# The picture shows four things:
#
# - Without weighting the best penalty is near 300, and the score falls on either side. If the best
#   value lies at the border of the grid, as for b = 0.5, the grid is too narrow.
# - Each weighting needs its own penalty: BM25 makes the values larger, and they want a larger
#   penalty. At one and the same ``alpha`` weighting would look much worse or much better than it
#   is.
# - Tuned, BM25 with b = 0 comes close to no weighting; b = 0.5 stays behind in nDCG. These data
#   have only ones and no counts. Weights matter more for counts, such as plays, which BM25
#   saturates.
# - The two metrics need not agree. In recall b = 0.5 is much nearer to the others than in nDCG,
#   because nDCG also depends on the order within the list.
#
# Test once
# ---------
# The search did not use the test users. They serve once, to measure the chosen pipeline and to
# compare it with the default EASE:
tuned = evaluate(search, X_test, y_test, "ndcg@100")
plain = evaluate(EASE().fit(X_train), X_test, y_test, "ndcg@100")
print(f"tuned {tuned.mean['ndcg@100']:.3f}, default {plain.mean['ndcg@100']:.3f}")
found = compare(tuned, plain, "ndcg@100")
print(f"difference between {found.interval[0]:.4f} and {found.interval[1]:.4f}")

# %%
# The default, 250, is near the chosen penalty, so there was little to gain. Pipelines and searches
# have no method ``recommend``; :func:`skrec.recommend` makes their lists:
print(data.titles[skrec.recommend(search, X_test[:2], k=3)])

# %%
# :doc:`/guide/tune` says more on searches, also for known users.
