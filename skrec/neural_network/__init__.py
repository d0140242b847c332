"""Neural collaborative filtering: networks over learned vectors of users and items."""

from skrec.neural_network._cmn import CMN
from skrec.neural_network._gmf import GMF
from skrec.neural_network._light_gcn import LightGCN
from skrec.neural_network._mlp import MLPRecommender
from skrec.neural_network._neu_mf import NeuMF
from skrec.neural_network._residual_mf import ResidualMF
from skrec.neural_network._spectral_cf import SpectralCF
from skrec.neural_network._youtube import YouTubeRecommender

__all__ = [
    "CMN",
    "GMF",
    "LightGCN",
    "MLPRecommender",
    "NeuMF",
    "ResidualMF",
    "SpectralCF",
    "YouTubeRecommender",
]
