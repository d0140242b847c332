"""The settings of neural models that run_defaults.py tries."""

from _defaults_case import Case, each

from skrec.autoencoder import CDAE, GaussianMixtureVAE, MultDAE, MultVAE, RecVAE
from skrec.neural_network import (
    CMN,
    GMF,
    LightGCN,
    MLPRecommender,
    NeuMF,
    ResidualMF,
    SpectralCF,
    YouTubeRecommender,
)

NEURAL = [
    Case(
        "MultVAE",
        MultVAE(random_state=0),
        each(hidden_layer_sizes=[(600,), ()], batch_size=[500, 100], max_iter=[100]),
    ),
    Case("MultDAE", MultDAE(random_state=0), each(batch_size=[500, 200, 100], max_iter=[100])),
    Case("RecVAE", RecVAE(random_state=0), each(batch_size=[500, 200, 100]), part="narrow"),
    Case(
        "GaussianMixtureVAE",
        GaussianMixtureVAE(random_state=0),
        each(beta=[1.0, 0.3], max_iter=[100, 40]),
    ),
    Case(
        "CDAE",
        CDAE(random_state=0),
        [
            *each(
                n_components=[50, 200], activation=["sigmoid"], dropout=[0.2], normalize=[False],
                alpha=[1e-4], learning_rate=[0.01], batch_size=[100], max_iter=[30],
            ),
            {
                "n_components": 200, "activation": "tanh", "dropout": 0.5, "normalize": True,
                "alpha": 1e-3, "learning_rate": 3e-3, "batch_size": 200, "max_iter": 50,
            },
        ],
    ),
    Case(
        "YouTubeRecommender",
        YouTubeRecommender(random_state=0),
        [
            {"hidden_layer_sizes": (256,), "alpha": 0.1, "holdout": 0.8, "max_iter": 60},
            *each(hidden_layer_sizes=[(256,)], alpha=[0.01, 0.1], holdout=[0.5], max_iter=[30]),
            *each(
                hidden_layer_sizes=[()], n_components=[128], holdout=[0.5, 0.8],
                alpha=[0.0, 0.03], max_iter=[30],
            ),
        ],
    ),
    Case(
        "GMF",
        GMF(random_state=0),
        [
            *each(n_components=[64], learning_rate=[0.005, 0.001], max_iter=[10, 30]),
            {"n_components": 16, "learning_rate": 0.005, "max_iter": 10},
            *each(n_components=[64], learning_rate=[0.002], max_iter=[10, 20]),
        ],
    ),
    Case(
        "MLPRecommender",
        MLPRecommender(random_state=0),
        [
            {"n_components": 32, "hidden_layer_sizes": (32, 16, 8), "max_iter": 20},
            {"n_components": 128, "hidden_layer_sizes": (128, 64), "max_iter": 8},
        ],
    ),
    Case(
        "NeuMF",
        NeuMF(random_state=0),
        [
            *each(n_components=[64], learning_rate=[0.0005], max_iter=[7, 20, 50, "auto"]),
            {"n_components": 16, "hidden_layer_sizes": (32, 16), "max_iter": "auto"},
        ],
    ),
    Case(
        "ResidualMF",
        ResidualMF(random_state=0),
        each(n_negatives=[8, 16], alpha=[0.005, 0.01, 0.02], max_iter=[48]),
        part="narrow",
    ),
    Case(
        "CMN",
        CMN(random_state=0),
        [
            {"max_iter": 2, "learning_rate": 1e-4, "pretraining_max_iter": 80},
            {"max_iter": 5, "learning_rate": 1e-4, "pretraining_max_iter": 80},
            {"max_iter": 2, "learning_rate": 1e-4, "pretraining_max_iter": 30},
        ],
        part="narrow",
    ),
    Case(
        "LightGCN",
        LightGCN(random_state=0),
        [
            {"n_layers": 3, "prior_weight": 0.1, "alpha": 1e-4},
            {"n_layers": 2, "prior_weight": 0.0, "alpha": 1e-3},
        ],
        part="narrow",
    ),
    Case(
        "SpectralCF",
        SpectralCF(random_state=0),
        each(alpha=[0.01, 0.001], max_iter=[50]),
        part="narrow",
    ),
]  # fmt: skip
