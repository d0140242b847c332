"""
Who is served well?
===================

A mean over all users hides which users a model serves well. One user has four items, another a
hundred; two models can be equally good for the first and far apart for the second. This page
breaks nDCG down by the activity of the users, as Liang et al. (2018) did in their figure 3.
"""

import matplotlib.pyplot as plt
import numpy as np

from skrec.datasets import make_interactions
from skrec.linear_model import EASE
from skrec.metrics import ActivityBreakdownDisplay, compare, evaluate
from skrec.model_selection import user_train_test_split
from skrec.neighbors import ItemKNN

X = make_interactions(4000, 600, 120_000, random_state=0, return_X=True)
X_train, X_test, y_test = user_train_test_split(X, test_size=0.4, random_state=0)

# %%
# Two item-item models: :class:`~skrec.neighbors.ItemKNN` computes each weight from two columns
# alone, :class:`~skrec.linear_model.EASE` solves for all weights together.
models = {
    "ItemKNN": ItemKNN(n_neighbors=None, target_exponent=0.5, activity_exponent=0.0).fit(X_train),
    "EASE": EASE(alpha=500.0).fit(X_train),
}

# %%
# Over all users
# --------------
results = {name: evaluate(model, X_test, y_test, "ndcg@100") for name, model in models.items()}
for name, result in results.items():
    print(f"{name:8} nDCG@100 {result.mean['ndcg@100']:.3f}")
found = compare(results["EASE"], results["ItemKNN"], "ndcg@100")
print(f"difference {found.difference:.3f}, p = {found.p_value:.1g}")

# %%
# EASE is better, and not by chance. But for which users?
#
# By activity
# -----------
# :class:`~skrec.metrics.ActivityBreakdownDisplay` puts the test users into five groups of about
# the same size, by the number of items that the model sees of them. It draws means with bars of
# one standard error. Stars mark significant paired tests within a group, adjusted for their number
# by Holm's method.
activity = np.diff(X_test.indptr)
display = ActivityBreakdownDisplay.from_results(
    results, activity, activity_name="items that the model sees of a user"
)
plt.show()

# %%
# For the least active users, with 4 to 8 known items, the two models are equally good. EASE is
# better in all other groups, and most of all for the most active users:
for group, (low, high) in enumerate(display.activity_range):
    lead = display.mean["EASE"][group] - display.mean["ItemKNN"][group]
    p_value = display.p_value["EASE"][group]
    print(f"{low:3} to {high:3} items: EASE leads by {lead:+.3f}, adjusted p = {p_value:.2g}")

# %%
# So the choice of a model depends on the users. If most users are new and have few items, the mean
# over these test users promises a gain that most users will not see.
#
# Compare the models within a group. Both rise from left to right for two reasons: the model sees
# more items of active users, and more of their items are held out, so there is more to find.
# :doc:`/auto_examples/tasks/plot_cold_users` isolates the first reason, and :doc:`/guide/evaluate`
# shows how to test fairly.
