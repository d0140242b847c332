"""Autoencoders: networks that reconstruct a user's row. Importing this imports torch."""

from skrec.autoencoder._cdae import CDAE
from skrec.autoencoder._gaussian_mixture_vae import GaussianMixtureVAE
from skrec.autoencoder._item_auto_rec import ItemAutoRec
from skrec.autoencoder._mult_dae import MultDAE
from skrec.autoencoder._mult_vae import MultVAE
from skrec.autoencoder._rbm import RBMRecommender
from skrec.autoencoder._rec_vae import RecVAE
from skrec.autoencoder._stacked import StackedAutoencoder
from skrec.autoencoder._user_auto_rec import UserAutoRec

__all__ = [
    "CDAE",
    "GaussianMixtureVAE",
    "ItemAutoRec",
    "MultDAE",
    "MultVAE",
    "RBMRecommender",
    "RecVAE",
    "StackedAutoencoder",
    "UserAutoRec",
]
