"""Short names of the methods in the tables; each table says the whole one below it."""

SHORT = {
    "GMF, 64 components": "GMF",
    "GMF, cosine contrastive": "GMF, cosine",
    "GraphFilter, linear part": "GraphFilter, linear",
    "LOCA around EASE": "LOCA",
    "MLPRecommender, 256-128-64": "MLPRecommender",
    "MultVAE, mixture of 3 normals": "MultVAE, mixture",
    "NeuMF, 16 components, 32-16": "NeuMF",
    "NeuMF, 64 components, 256-128-64, pretrained": "NeuMF, pretrained",
    "RankFusion, EASE and WMF": "RankFusion",
    "Recency around EASE": "Recency, EASE",
    "Recency around EASE, fitted to decayed rows": "Recency, EASE, fitted",
    "Recency around ItemKNN": "Recency, ItemKNN",
    "Recency around WMF": "Recency, WMF",
    "ResidualMF, 128 components": "ResidualMF, 128",
    "SANSA, .2 % density": "SANSA",
    "SANSA, 5 % density": "SANSA",
    "SLIST, transitions alone": "SLIST, transitions",
    "WMF, 64 components": "WMF",
    "YouTubeRecommender": "YouTube",
    "YouTubeRecommender, cosine contrastive": "YouTube, cosine",
    "YouTubeRecommender, tied, no layers": "YouTube, tied",
    "two stages, EASE and GMF": "two stages",
    # Methods of the scripts with records of their own.
    "ContentRecommender, Ridge of attributes and their products, no ids": "Ridge, attributes",
    "ContentRecommender, gradient boosted trees of attributes, no ids": "trees, attributes",
    "DeepFM without layers, ids and attributes": "FM, ids and attributes",
    "StackedAutoencoder, one layer, masking noise": "StackedAutoencoder",
    "WideAndDeepClassifier, linear": "Wide & Deep, linear",
    "WideAndDeepClassifier, crosses": "Wide & Deep, crosses",
    "WideAndDeepClassifier": "Wide & Deep",
}


def short(name):
    """Name in the tables."""
    return SHORT.get(name, name)


def whole(name):
    """The footnote of a name that is shortened, or nothing."""
    return name if name in SHORT else ""
