"""
A map of the latent space
=========================

A factor model or an autoencoder describes each user by a few numbers. Do these numbers tell what a
user likes, although the model knows no genres? The bundled log can answer: its albums belong to
ten genres, and most listeners like one or two of them. :class:`~skrec.inspection.EmbeddingDisplay`
shows how much of this a model has found.
"""

# %%
# Albums
# ------
# :class:`~skrec.autoencoder.MultVAE` sees only which listener played which album. Its ``transform``
# returns a vector for each listener. The mean over the listeners of an album is a vector of the
# album. The colours come from the generator of the data.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import adjusted_mutual_info_score
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier

from skrec.autoencoder import GaussianMixtureVAE, MultVAE
from skrec.datasets import load_demo
from skrec.decomposition import PureSVD
from skrec.inspection import EmbeddingDisplay

data = load_demo()
X = data.X
training = {
    "hidden_layer_sizes": (64,),
    "batch_size": 100,
    "learning_rate": 0.002,
    "early_stopping": False,
    "random_state": 0,
    "device": "cpu",
}
vae = MultVAE(n_components=16, max_iter=30, **training).fit(X)
listeners = vae.transform(X)

n_plays = X.sum(axis=0)
played = n_plays >= 5  # a mean over fewer listeners says little
albums = (X.T @ listeners)[played] / n_plays[played, np.newaxis]
genres = data.genres[played]
display = EmbeddingDisplay.from_vectors(albums, labels=genres, label_name="genre")

# %%
# Albums of a genre lie together. Genres that overlap on the map may be apart in the latent space:
# the two dimensions of the map keep about a third of the variance, as the labels of its axes say.
#
# Listeners
# ---------
# The next map shows the vectors of the listeners, coloured by their favourite genre. It shows the
# same genres, but less clearly: many listeners like a second genre, and some have few plays.

favourites = data.genre_names[data.user_group_shares.toarray().argmax(axis=1)]
display = EmbeddingDisplay.from_vectors(listeners, labels=favourites, label_name="favourite genre")

# %%
# How much the vectors tell
# -------------------------
# A map can mislead; a prediction from all dimensions does not. Do the five nearest vectors tell the
# genre? The linear factors of :class:`~skrec.decomposition.PureSVD` do nearly as well in the same
# test: planted groups like these need no network.

svd = PureSVD(n_components=16, random_state=0).fit(X)
for name, vectors in [("MultVAE", listeners), ("PureSVD", svd.transform(X))]:
    of_albums = (X.T @ vectors)[played] / n_plays[played, np.newaxis]
    accuracies = [
        cross_val_score(KNeighborsClassifier(), points, labels, cv=5).mean()
        for points, labels in [(of_albums, genres), (vectors, favourites)]
    ]
    print("{}: genres of albums {:.1%}, of listeners {:.1%}".format(name, *accuracies))

# %%
# Clusters
# --------
# :class:`~skrec.autoencoder.GaussianMixtureVAE` looks for clusters of users by itself. Each row of
# the picture is a genre and shows the clusters of its listeners. One cell of each row is dark: one
# cluster takes nearly all listeners of the genre, and each genre has its own cluster. Two dark
# cells in a column would show two genres that the model has merged. Two half-dark cells in a row
# would show a genre that it has divided.

mixture = GaussianMixtureVAE(
    n_clusters=10, n_components=16, n_style_components=4, max_iter=50, **training
).fit(X)
responsibilities = mixture.responsibilities(X)
shares = np.array(
    [responsibilities[favourites == genre].mean(axis=0) for genre in data.genre_names]
)

# The order puts the dark cells near a diagonal, and clusters without a genre of their own last.
order = np.lexsort((shares.argmax(axis=0), shares.max(axis=0) < 0.5))
_, ax = plt.subplots(figsize=(6.4, 4.8), layout="constrained")
image = ax.imshow(shares[:, order], vmin=0, vmax=1, cmap="Blues")
ax.set_xticks(range(len(order)), order)
ax.set_yticks(range(len(data.genre_names)), data.genre_names)
ax.set(xlabel="cluster", ylabel="favourite genre")
ax.figure.colorbar(image, label="mean responsibility")

agreement = adjusted_mutual_info_score(favourites, responsibilities.argmax(axis=1))
print(f"adjusted mutual information of clusters and favourite genres: {agreement:.2f}")
