"""
Recommending by the looks of items
==================================

Pictures tell something about items that nobody has yet. Here small generated pictures show stripes
in the colours of the groups that users like. We compute features of the pictures, with and without
a network, and recommend new items by these features alone.
"""

import matplotlib.pyplot as plt
import torch
from sklearn.preprocessing import StandardScaler

from skrec.content import VisRank
from skrec.datasets import make_interactions
from skrec.dummy import DummyRecommender
from skrec.feature_extraction import ImageEmbedder, VisualStatistics
from skrec.inspection import ItemGridDisplay
from skrec.metrics import evaluate
from skrec.model_selection import cold_item_split

data = make_interactions(400, 240, n_groups=8, item_images=True, random_state=0)
print(data.item_images.shape, data.item_images.dtype)

# %%
# Cold items
# ----------
# A fifth of the items is held out whole: nobody has them in training, and the models know only
# their pictures.
X_train, X_cold, cold = cold_item_split(data.X, random_state=0)

# %%
# Features without a network
# --------------------------
# `VisualStatistics` measures texture (local binary patterns) and properties that make pictures
# attractive, such as brightness, contrast and colourfulness. Each column has its own unit, so we
# scale them. Compute features once per catalogue, outside of any search.
statistics = StandardScaler().fit_transform(VisualStatistics().fit_transform(data.item_images))
print(statistics.shape)

# %%
# Features by a network
# ---------------------
# `ImageEmbedder` takes any network. In practice you take one from torchvision or timm that was
# trained on millions of pictures. This one has random weights, which is enough for stripes: it
# looks at small windows and averages over them.
with torch.random.fork_rng():
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 64, 5), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1)
    )
embedding = ImageEmbedder(network, image_size=24, device="cpu").fit_transform(data.item_images)
print(embedding.shape)

# %%
# Similarity
# ----------
# `VisRank` scores an item by its mean cosine with the user's items. Outputs of a network share a
# large part among all pictures; ``center=True`` subtracts it.
models = {
    "statistics": VisRank().fit(X_train, item_features=statistics),
    "network": VisRank(center=True).fit(X_train, item_features=embedding),
    "network, not centred": VisRank().fit(X_train, item_features=embedding),
    "nearest, network": VisRank("max", center=True).fit(X_train, item_features=embedding),
    "by chance": DummyRecommender("uniform", random_state=0).fit(X_train),
}
for name, model in models.items():
    found = evaluate(model, X_train, X_cold, ["ndcg@10"], items=cold)
    print(f"{name:22} {found.mean['ndcg@10']:.3f} ± {found.standard_error['ndcg@10']:.3f}")

# %%
# The lists
# ---------
# The items of three users, and the new items recommended to them:
ItemGridDisplay.from_estimator(
    models["network"], X_train, rows=[0, 1, 2], k=5, items=cold, images=data.item_images
)
plt.show()

# %%
# The user's similar items explain a recommendation: their contributions add up to the score.
best = models["network"].recommend(X_train[[0]], 1, items=cold)[0]
parts = models["network"].explain(X_train[[0]], best)
like = parts.indices[parts.data.argsort()[::-1]][:4]
ItemGridDisplay.from_lists([like], [best], images=data.item_images, names=["because of"])
plt.show()
