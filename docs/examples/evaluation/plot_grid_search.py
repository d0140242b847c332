"""
A pipeline and a grid search
============================

Recommenders are scikit-learn estimators, so what comes before them goes into a pipeline, and
a grid search tunes both together. Here the pipeline weighs the interactions by BM25 and then
fits :class:`~skrec.linear_model.EASE`. Does the weighting help, and how strong a penalty does
the model want?
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
# Rows are users, so the folds are users: every candidate is fitted on some of them and scored
# on others. The scorer hides a fifth of the items of each scored user, the same ones for all
# candidates, and looks how high the model ranks them. One scorer returns several metrics;
# ``refit`` names the one that decides.
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
# What the picture says:
#
# - Without weighting the best penalty is near 300, and on either side the score falls. A best
#   value at the border of the grid, as for b = 0.5, means that the grid is too narrow for it.
# - The penalty has to be tuned anew for each weighting: BM25 gives larger values and wants a
#   larger penalty. Compared at the same ``alpha``, weighting would look much worse or much
#   better than it is.
# - Tuned, BM25 with b = 0 comes close to no weighting, and b = 0.5 does not in nDCG. These
#   data have no counts, only ones; weights have more to do where there are plays to saturate.
# - The two metrics need not agree: in recall, b = 0.5 is much nearer to the others than in nDCG,
#   which looks at the order of the list as well.
#
# Test once
# ---------
# The test users took no part in the search. They are used once, to say how good the chosen
# pipeline is, and whether it is better than EASE as it comes:
tuned = evaluate(search, X_test, y_test, "ndcg@100")
plain = evaluate(EASE().fit(X_train), X_test, y_test, "ndcg@100")
print(f"tuned {tuned.mean['ndcg@100']:.3f}, default {plain.mean['ndcg@100']:.3f}")
found = compare(tuned, plain, "ndcg@100")
print(f"difference between {found.interval[0]:.4f} and {found.interval[1]:.4f}")

# %%
# The default, 250, is next to the chosen penalty, so there was little to gain.
# :func:`skrec.recommend` makes the lists of a pipeline or a search, which have no method
# ``recommend`` of their own:
print(data.titles[skrec.recommend(search, X_test[:2], k=3)])

# %%
# More on searches, for known users too: :doc:`/guide/tune`.
