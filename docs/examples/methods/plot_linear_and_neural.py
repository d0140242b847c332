"""
Linear models against neural ones
=================================

Is a neural network worth its fit time? This page compares seven recommenders on the same users: how
well they rank, and how long they take to fit. :doc:`/guide/choose` says which of them suits which
data, and :doc:`/benchmarks/README` reports measurements on real data.
"""

# %%
# Data and models
# ---------------
# The bundled log is small and generated: the *order* of the methods may be another one on your
# data. The parameters of the first five models are the best of a handful on the validation users
# of this split. The autoencoders have the sizes and learning rates of the other examples. They
# hold out some training users and keep the epoch that is best for these users.

from time import perf_counter

import matplotlib.pyplot as plt
from sklearn.base import clone

from skrec.autoencoder import MultDAE, MultVAE
from skrec.datasets import load_demo
from skrec.decomposition import WMF, PureSVD
from skrec.linear_model import EASE, SLIM
from skrec.metrics import compare, evaluate
from skrec.model_selection import strong_generalization_split
from skrec.neighbors import ItemKNN

split = strong_generalization_split(
    load_demo(return_X=True), n_validation=0.1, n_test=0.3, random_state=0
)
training = {
    "learning_rate": 0.002,
    "batch_size": 100,
    "max_iter": 30,
    "early_stopping": True,
    "n_iter_no_change": 5,
    "random_state": 0,
    "device": "cpu",
}
linear = {
    "ItemKNN": ItemKNN(),
    "PureSVD": PureSVD(n_components=12, random_state=0),
    "WMF": WMF(n_components=32, alpha=0.03, random_state=0),
    "SLIM": SLIM(alpha=100.0, l1_ratio=0.01, solver="admm"),
    "EASE": EASE(alpha=300.0),
}
neural = {
    "MultDAE": MultDAE((64,), **training),
    "MultVAE": MultVAE(32, hidden_layer_sizes=(64,), **training),
}

# %%
# Fit and evaluate
# ----------------
# The first call of a compiled kernel or of torch takes longer than later calls. To leave this out
# of the times, a copy of each model is first fitted to a few users.

seconds, results = {}, {}
for name, model in (linear | neural).items():
    clone(model).fit(split.X_train[:50])
    start = perf_counter()
    model.fit(split.X_train)
    seconds[name] = perf_counter() - start
    results[name] = evaluate(model, split.X_test, split.y_test, "ndcg@100")

# %%
# The times below were measured on the machine that built this page. The time axis is logarithmic;
# bars are standard errors over the test users. The networks are orange.

_, ax = plt.subplots(figsize=(7.2, 4.5), layout="constrained")
markers = dict(zip(results, "osD^vPX", strict=True))
for models, color in [(linear, "#0072B2"), (neural, "#D55E00")]:
    for name in models:
        ax.errorbar(
            seconds[name],
            results[name].mean["ndcg@100"],
            results[name].standard_error["ndcg@100"],
            marker=markers[name],
            color=color,
            linestyle="none",
            markersize=8,
            capsize=3,
            label=name,
        )
ax.set(xscale="log", xlabel="seconds to fit", ylabel="nDCG@100 of new users")
ax.grid(alpha=0.3)
_ = ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1), borderaxespad=0)

# %%
# On these data the networks gain nothing over :class:`~skrec.linear_model.EASE`, whose closed form
# takes a fraction of their time. Only the nearest neighbours are far behind. Judge the difference
# of two models by the paired differences over the users (:doc:`/guide/evaluate`). Here is the best
# model against each of the others:

best = max(results, key=lambda name: results[name].mean["ndcg@100"])
for name in results:
    if name != best:
        found = compare(results[best], results[name], "ndcg@100")
        low, high = found.interval
        print(
            f"{best} - {name:8} {found.difference:+.3f}, 95 % interval {low:+.3f} to {high:+.3f}, "
            f"p = {found.p_value:.1g}"
        )
