"""RecVAE: a variational autoencoder whose prior follows its encoder (Shenbin et al. 2020)."""

from typing import NamedTuple

import torch
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin

from skrec._loss._likelihoods import Multinomial, layer_loss
from skrec._torch._estimator import STOPPING_RULES, TorchRecommender
from skrec._torch._layers import dropped, full_precision, standard_normal, unit_length
from skrec._torch._products import row_sums
from skrec._torch._rows import Rows
from skrec.autoencoder._dense_residual_net import RecVAENet, initialise_by_inputs
from skrec.autoencoder._outputs import ProbabilitiesMixin
from skrec.autoencoder._priors import composite_divergence
from skrec.utils import _device
from skrec.utils._params import FRACTION, NON_NEGATIVE, NONE, POSITIVE_INTEGER, SIZES


class _EqualSizes:
    """Rule of a parameter: sizes of layers that can be added up."""

    def __contains__(self, value):
        return value in SIZES and len(set(value)) == 1

    def __str__(self):
        return f"{SIZES}, all equal, since layers are added up"


class _Shares:
    """Rule of a parameter: three numbers >= 0, the first or the third > 0."""

    def __contains__(self, value):
        return (
            isinstance(value, tuple | list)
            and len(value) == 3
            and all(share in NON_NEGATIVE for share in value)
            and value[0] + value[2] > 0
        )

    def __str__(self):
        return "three finite numbers >= 0, the first or the third > 0"


class RecVAE(
    ProbabilitiesMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, TorchRecommender
):
    r"""Variational autoencoder with a prior that follows its encoder.

    As in `MultVAE`, an encoder maps the row of a user, scaled to length 1, to a normal distribution
    of a latent vector. A linear layer f decodes the vector, and a multinomial likelihood compares
    the result with the row [1]_:

    .. math:: \min \; \frac1n \sum_u \left(
        -E_{q(z \mid x_u)} \log p(x_u \mid f(z))
        + \beta_u \left( \log q(z \mid x_u) - \log p(z \mid x_u) \right) \right)

    with one draw of z for each row. It differs from `MultVAE` in four ways:

    - The weight of the divergence depends on the user: :math:`\beta_u = \gamma n_u`, where
      :math:`n_u` is the sum of the row.
    - The prior is a mixture of N(0, I), the distribution
      :math:`q_{old}(z \mid x_u)` of the encoder at the beginning of the epoch, and
      :math:`N(0, e^{10} I)`.
    - In an epoch, first only the encoder learns, in `n_encoder_steps` passes over all users, from
      rows with entries dropped at random. Then only the decoder learns, in `n_decoder_steps`
      passes, from whole rows.
    - Each layer l of the encoder adds up all layers before it, with layer normalisation:
      :math:`h_l = \mathrm{norm}(\mathrm{swish}(W_l h_{l-1} + b_l + h_1 + \dots + h_{l-1}))`.

    Scores are the outputs :math:`f(\mu_u)`, the logits; they rank items.

    Parameters
    ----------
    n_components : int, default=200
        Length of the latent vector.
    hidden_layer_sizes : tuple of int, default=(600, 600, 600, 600, 600)
        Sizes of the encoder's layers, all equal.
    gamma : float, default=0.005
        Weight of the divergence for each interaction, >= 0.
    beta : float or None, default=None
        One weight of the divergence for all users, >= 0. None: :math:`\gamma n_u`.
    prior_weights : tuple of float, default=(0.15, 0.75, 0.1)
        Weights of the three parts of the prior, in the order above, >= 0; they are scaled to
        sum to 1.
    n_encoder_steps : int, default=3
        Passes over the users in an epoch in which the encoder learns.
    n_decoder_steps : int, default=1
        Passes over the users in an epoch in which the decoder learns.
    dropout : float, default=0.5
        Rate of dropped entries of a row while the encoder learns, in [0, 1).
    learning_rate : float, default=0.0005
        Adam's learning rate, > 0.
    batch_size : int, default=500
        Users in a batch.
    max_iter : int, default=50
        Number of epochs, the most with early stopping; with `warm_start`, of further epochs.
    precision : {"float32", "tf32", "bfloat16"}, default="float32"
        Precision of the matrix products in `fit`; weights are always float32. Only GPUs have
        TF32; a CPU uses float32 instead. A processor without bfloat16 emulates it and takes far
        longer.
    early_stopping : bool or "auto", default="auto"
        Whether to hold out users, stop when their nDCG@100 no longer rises, and keep the best
        weights. "auto": from 10,000 users on.
    validation_fraction : float, default=0.1
        Share of the users that `early_stopping` holds out, in (0, 1).
    n_iter_no_change : int, default=10
        Stop after this many epochs without a rise by more than `tol`.
    tol : float, default=1e-4
        Smallest rise of the validation score that counts, >= 0.
    warm_start : bool, default=False
        Whether a further `fit` continues from the fitted weights. Adam's moments start anew.
    device : {"auto", "cpu", "cuda", "cuda:N"} or torch.device, default="auto"
        Where to compute, resolved at each call; "auto" uses CUDA if there is a CUDA device.
    random_state : int, RandomState or None, default=None
        Seed of the first weights, the order, the dropout and the draws. The same seed
        gives the same bits on the same CPU.
    verbose : bool, default=False
        Whether to show a progress bar.

    Attributes
    ----------
    weights_ : dict of str to ndarray, float32
        State of the network.
    loss_curve_ : list of float
        Mean of the objective over the batches of each epoch.
    divergence_curve_ : list of float
        Mean divergence of a user in each epoch, without its weight.
    validation_scores_ : list of float
        nDCG@100 of the held-out users after each epoch; empty without `early_stopping`.
    best_validation_score_ : float
        The best of these scores, or the score of the model that a resumed fit started from; only
        with `early_stopping`.
    n_iter_ : int
        Number of epochs.
    counts_ : bool
        Whether X of `fit` held whole numbers only.
    n_features_in_ : int
        Number of items.
    feature_names_in_ : ndarray of str of shape (n_items,)
        Only if X has string column names.

    See Also
    --------
    MultVAE : With a fixed prior, a decoder with hidden layers, and other likelihoods.
    skrec.linear_model.EASE : The linear autoencoder, in closed form.

    Notes
    -----
    With E and D steps an epoch takes about ``(4 E + 4 D) * n_users * n_items * n_components``
    flops for the last layer. The encoder and its predecessor, with L hidden layers of width h,
    take ``(8 E + 4 D) * n_users * L * h**2``. The first layer reads only the entries of the rows.

    Differs from [1]_: the first predecessor is a copy of the encoder, not another draw;
    :math:`n_u` is the sum of a row's values, in [1]_ a count.

    References
    ----------
    .. [1] I. Shenbin, A. Alekseev, E. Tutubalina, V. Malykh and S. I. Nikolenko, "RecVAE: A
       new variational autoencoder for top-N recommendations with implicit feedback",
       WSDM 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.autoencoder import RecVAE
    >>> X = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 1, 1], [0, 0, 1, 1]] * 5)
    >>> model = RecVAE(2, hidden_layer_sizes=(8, 8), max_iter=60, learning_rate=0.01,
    ...                random_state=0).fit(X)
    >>> model.predict([[1, 0, 0, 0], [0, 0, 0, 1]])
    array([1, 2])
    """

    # `ProbabilitiesMixin` reads this.
    likelihood = "multinomial"

    _parameter_rules = {
        "n_components": POSITIVE_INTEGER,
        "hidden_layer_sizes": _EqualSizes(),
        "gamma": NON_NEGATIVE,
        "beta": (NONE, NON_NEGATIVE),
        "prior_weights": _Shares(),
        "n_encoder_steps": POSITIVE_INTEGER,
        "n_decoder_steps": POSITIVE_INTEGER,
        "dropout": FRACTION,
        **STOPPING_RULES,
    }
    _search_grid = [{"gamma": gamma} for gamma in (0.0025, 0.005, 0.01)]

    def __init__(
        self,
        n_components=200,
        *,
        hidden_layer_sizes=(600, 600, 600, 600, 600),
        gamma=0.005,
        beta=None,
        prior_weights=(0.15, 0.75, 0.1),
        n_encoder_steps=3,
        n_decoder_steps=1,
        dropout=0.5,
        learning_rate=0.0005,
        batch_size=500,
        max_iter=50,
        precision="float32",
        early_stopping="auto",
        validation_fraction=0.1,
        n_iter_no_change=10,
        tol=1e-4,
        warm_start=False,
        device="auto",
        random_state=None,
        verbose=False,
    ):
        self.n_components = n_components
        self.hidden_layer_sizes = hidden_layer_sizes
        self.gamma = gamma
        self.beta = beta
        self.prior_weights = prior_weights
        self.n_encoder_steps = n_encoder_steps
        self.n_decoder_steps = n_decoder_steps
        self.dropout = dropout
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.precision = precision
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def _build_module(self, shape, problem=None):
        module = RecVAENet(shape[1], tuple(self.hidden_layer_sizes), self.n_components)
        if problem is not None:
            initialise_by_inputs(module, problem.generator)
        return module

    def _batches(self, problem):
        return _Alternating(
            super()._batches(problem), int(self.n_encoder_steps), int(self.n_decoder_steps)
        )

    def _loss(self, module, batch, step, generator):
        rows = batch.rows
        if batch.begins:
            module.remember()
        module.learn_only(batch.part)
        whole = unit_length(rows)
        is_encoder = batch.part == "encoder"
        value = dropped(whole, self.dropout, generator) if is_encoder else whole
        mean, log_variance = map(full_precision, module.encoder(rows, value))
        latent = mean + torch.exp(log_variance / 2) * standard_normal(mean.shape, mean, generator)
        losses = layer_loss(Multinomial(), module.decoder, latent, rows)
        with torch.set_grad_enabled(is_encoder):
            old = map(full_precision, module.old_encoder(rows, whole))
            kl = composite_divergence(latent, mean, log_variance, *old, self.prior_weights)
        weighted = self._weight(rows) * kl
        return (rows.weight * (losses + weighted)).mean(), (rows.weight * kl).mean()

    def _weight(self, rows):
        """Weight of the divergence of each row."""
        if self.beta is not None:
            return self.beta
        if _device.apart(rows.value.device):  # its index_add would add in any order
            return self.gamma * row_sums(rows)
        total = torch.zeros(rows.n_rows, dtype=rows.value.dtype, device=rows.value.device)
        return self.gamma * total.index_add(0, rows.row, rows.value)

    def _score(self, module, rows):
        return module.decoder(module.encoder(rows, unit_length(rows))[0])

    @property
    def _n_features_out(self):
        return self.n_components

    def transform(self, X, *, return_std=False):
        """Compute the means of the users' latent vectors.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions of the users, known or new.
        return_std : bool, default=False
            Whether to return the standard deviations as well.

        Returns
        -------
        mean : ndarray of shape (n_users, n_components), dtype of X
            The mean of q(z | x_u) for each user.
        std : ndarray of shape (n_users, n_components), dtype of X
            Only with ``return_std=True``: the standard deviations of q(z | x_u).
        """
        X = self._start_dense(X, self._n_features_out)

        def encode(module, rows):
            mean, log_variance = module.encoder(rows, unit_length(rows))
            return torch.stack([mean, torch.exp(log_variance / 2)])

        mean, std = self._encoded(X, encode)
        return (mean, std) if return_std else mean


class _Step(NamedTuple):
    """Some rows, the part that learns from them, and whether an epoch begins with them."""

    rows: Rows
    part: str
    begins: bool

    @property
    def n_rows(self):
        return self.rows.n_rows


class _Alternating:
    """Batches of an epoch: the passes of the encoder, then the passes of the decoder."""

    def __init__(self, batches, n_encoder_steps, n_decoder_steps):
        self._batches = batches
        self._parts = ["encoder"] * n_encoder_steps + ["decoder"] * n_decoder_steps

    def __len__(self):
        return len(self._parts) * len(self._batches)

    def __iter__(self):
        begins = True
        for part in self._parts:
            for rows in self._batches:
                yield _Step(rows, part, begins)
                begins = False
