"""MultVAE: the variational autoencoder with a multinomial likelihood (Liang et al. 2018)."""

import numpy as np
import torch
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin

from skrec._loss._divergences import kl_to_unit_variance, maximum_mean_discrepancy
from skrec._loss._likelihoods import layer_loss, likelihood
from skrec._loss._mixture_kl import MIXTURE_DIVERGENCES
from skrec._torch._estimator import STOPPING_RULES, TorchRecommender
from skrec._torch._layers import (
    ACTIVATIONS,
    dropped,
    full_precision,
    initialise,
    standard_normal,
    unit_length,
)
from skrec._torch._optimizers import split_penalty
from skrec._torch._schedules import AnnealingMixin, annealed
from skrec._torch._variational_net import VariationalNet
from skrec.autoencoder._mixture_posterior import (
    mixture_moments,
    mixture_scores,
    mixture_terms,
    mixture_weights,
)
from skrec.autoencoder._outputs import (
    LIKELIHOODS,
    ProbabilitiesMixin,
)
from skrec.autoencoder._priors import PRIORS, make_prior
from skrec.utils._params import (
    FRACTION,
    NON_NEGATIVE,
    NONE,
    POSITIVE_INTEGER,
    SIZES_OR_NONE,
    Interval,
    Options,
)


class MultVAE(
    ProbabilitiesMixin,
    AnnealingMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    TorchRecommender,
):
    r"""Variational autoencoder of users' rows with a multinomial likelihood.

    An encoder maps the row of a user, scaled to length 1 and with entries dropped at random, to a
    normal distribution :math:`q(z \mid x_u) = N(\mu_u, \mathrm{diag}(\sigma_u^2))` of a latent
    vector, and f decodes the vector [1]_:

    .. math:: \min \; \frac1n \sum_u \left(
        -E_{q(z \mid x_u)} \log p(x_u \mid f(z))
        + \beta_t \, \mathrm{KL}\left(q(z \mid x_u) \,\|\, N(0, I)\right) \right)
        + \frac{\alpha}{2} \sum_l \|W_l\|_F^2

    with one draw of z for each row, and
    :math:`\beta_t = \min(\beta, t / \mathtt{n\_annealing\_steps})` at update t. `MultDAE`
    describes the likelihoods.

    Another `prior` p(z) replaces N(0, I) and has the divergence
    :math:`\log q(z \mid x_u) - \log p(z)` at the drawn z. ``divergence="mmd"`` is the
    Wasserstein autoencoder [2]_, which compares the draws of a whole batch with draws of p:

    .. math:: \min \; \frac1n \sum_u \left( -E_{q(z \mid x_u)} \log p(x_u \mid f(z))
        + v \, \mathrm{KL}\left(N(\mu_u, \mathrm{diag}(\sigma_u^2)) \,\|\, N(\mu_u, I)\right)
        \right) + \beta_t \, \mathrm{MMD}^2(q(z), p(z)) + \frac{\alpha}{2} \sum_l \|W_l\|_F^2

    with the kernel :math:`C / (C + \|a - b\|^2)`, C = 2 d, and an estimate without bias. The
    weight v, `variance_penalty`, keeps the variances from collapsing [3]_.

    Scores are the outputs :math:`f(\mu_u)`, the logits; they rank items.

    With `n_posterior_components` N > 1 the encoder gives a mixture of N normal distributions,
    :math:`q(z \mid x_u) = \sum_a \pi_{ua} N(\mu_{ua}, \mathrm{diag}(\sigma_{ua}^2))`, and the
    objective is

    .. math:: \min \; \frac1n \sum_u \left(
        -\sum_a \pi_{ua} E_{N(\mu_{ua}, \mathrm{diag}(\sigma_{ua}^2))} \log p(x_u \mid f(z))
        + \beta_t \, D\left(q(z \mid x_u) \,\|\, p(z)\right) \right)
        + \frac{\alpha}{2} \sum_l \|W_l\|_F^2

    with one draw from each component for each row [6]_, so that the gradient by the weights
    :math:`\pi` has no bias either. Between mixtures the divergence D has no closed form:
    `mixture_divergence` chooses an approximation [5]_. The expected row of the scores is then the
    mean, with the weights :math:`\pi_{ua}`, of the expected rows of :math:`f(\mu_{ua})`. With the
    multinomial likelihood the scores are the log of
    :math:`\sum_a \pi_{ua} \mathrm{softmax}(f(\mu_{ua}))`.

    Parameters
    ----------
    n_components : int, default=200
        Length d of the latent vector.
    hidden_layer_sizes : tuple of int, default=()
        Sizes of the encoder's layers; the decoder reverses them. (): both halves are linear. This
        ranked better on seven of eight data sets (docs/benchmarks, defaults) and on the 8,000 items
        of Gowalla with most users (gowalla/multvae). The paper's I-600-200-600-I is (600,) with
        200 components and batches of 500.
    activation : {"tanh", "sigmoid", "relu", "selu", "identity"}, default="tanh"
        Activation of all layers but the last and the latent one.
    likelihood : {"multinomial", "gaussian", "logistic"}, default="multinomial"
        See `MultDAE`. "logistic" reads every stored value as 1.
    confidence : float, default=10.0
        Confidence c of the Gaussian likelihood, >= 0.
    beta : float, default=0.2
        Final weight of the divergence, >= 0. 1 is the plain VAE. An MMD is at most 2 for rows of
        any length: with ``divergence="mmd"`` use 10 or more.
    n_annealing_steps : int or None, default=None
        Updates after which the weight would reach 1, as in the paper; 0: `beta` from the start.
        None: the weight reaches `beta` after 80 % of the updates of `max_iter` epochs. A fit that
        may stop early counts at most `n_iter_no_change` epochs. The paper's 200,000 suit large data
        only.
    prior : {"standard", "gaussian_mixture", "vamp"}, default="standard"
        "standard": N(0, I). "gaussian_mixture": a mixture of normal distributions with learned
        weights, means and diagonal variances. "vamp": the mixture, with equal weights, of the
        encoder's distributions for learned pseudo-rows [4]_. A pseudo-row is the softplus of its
        parameters, scaled to length 1.
    n_prior_components : int, default=100
        Parts of the prior's mixture; "standard" has none. Pseudo-rows are dense: n_items
        parameters each.
    n_posterior_components : int, default=1
        Number of normal distributions in the mixture q(z | x_u). More than 1 needs
        ``divergence="kl"`` and the prior "standard" or "gaussian_mixture".
    divergence : {"kl", "mmd"}, default="kl"
        See above. With "mmd" the weights of the prior's mixture stay equal, since its draws do not
        depend on them smoothly.
    mixture_divergence : {"variational", "upper", "monte_carlo"}, default="monte_carlo"
        The D of ``n_posterior_components > 1``. "variational": the approximation by divergences
        between the components of both, neither a lower nor an upper bound. "upper": the
        variational upper bound, after ten rounds. "monte_carlo":
        :math:`\sum_a \pi_{ua} \log (q(z_a) / p(z_a))` at the draws, without bias.
    variance_penalty : float, default=0.1
        The weight v of ``divergence="mmd"``, >= 0; not annealed.
    dropout : float, default=0.5
        Rate of dropped entries of a row, in [0, 1).
    alpha : float, default=0.0
        Penalty of the weights, >= 0; biases have none.
    learning_rate : float, default=0.001
        Adam's learning rate, > 0.
    batch_size : int, default=100
        Users in a batch; the paper has 500. With few users, choose it small enough for many steps
        in an epoch.
    max_iter : int, default=100
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
        State of the network and of the prior.
    loss_curve_ : list of float
        Mean of the objective over the batches of each epoch, without the penalty.
    divergence_curve_ : list of float
        Mean divergence of each epoch, without its weight: the KL of a user, or the unbiased
        estimate of MMD^2, which may be below 0.
    validation_scores_ : list of float
        nDCG@100 of the held-out users after each epoch; empty without `early_stopping`.
    best_validation_score_ : float
        The best of these scores, or the score of the model that a resumed fit started from; only
        with `early_stopping`.
    n_annealing_steps_ : int or float
        The annealing steps in use; with `warm_start` and None, the steps of the first fit.
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
    MultDAE : Without a distribution of the latent vector.
    GaussianMixtureVAE : With clusters of users.
    skrec.linear_model.EASE : The linear autoencoder, in closed form.

    Notes
    -----
    With one component the divergence from "standard" has a closed form; the divergence from the
    other priors is taken at the drawn z.

    The weights of several components are learned, and little keeps them from 0 and 1: a mixture
    saves at most log N nats of divergence, and in long rows the components differ by more in the
    reconstruction. On MovieLens-1M one of three took nearly all of the weight; equal weights were
    tried and ranked worse. `posterior_weights` shows the weights.

    Differs from [5]_: covariance matrices are diagonal, and the bound stops after ten rounds.

    The first layer reads only the entries of the rows. An epoch takes about
    ``6 * n_users * n_items * h_1`` flops for the last layer; in each batch Adam updates
    n_items h_1 numbers for it. On the CPU a batch's outputs take about 4 bytes for each element
    with the multinomial likelihood, 8 with the logistic and 16 with the Gaussian. A mixture of N
    components takes the decoder's time and the outputs' memory N times.

    References
    ----------
    .. [1] D. Liang, R. G. Krishnan, M. D. Hoffman and T. Jebara, "Variational autoencoders
       for collaborative filtering", WWW 2018.
    .. [2] I. Tolstikhin, O. Bousquet, S. Gelly and B. Schoelkopf, "Wasserstein
       auto-encoders", ICLR 2018.
    .. [3] H. Bahuleyan, L. Mou, H. Zhou and O. Vechtomova, "Stochastic Wasserstein
       autoencoder for probabilistic sentence generation", NAACL 2019.
    .. [4] J. M. Tomczak and M. Welling, "VAE with a VampPrior",
       AISTATS 2018.
    .. [5] J. R. Hershey and P. A. Olsen, "Approximating the Kullback Leibler divergence
       between Gaussian mixture models", ICASSP 2007.
    .. [6] W. Morningstar, S. Vikram, C. Ham, A. Gallagher and J. Dillon, "Automatic
       differentiation variational inference with mixtures", AISTATS 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.autoencoder import MultVAE
    >>> X = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 1, 1], [0, 0, 1, 1]] * 5)
    >>> model = MultVAE(2, hidden_layer_sizes=(8,), max_iter=200, learning_rate=0.01,
    ...                 random_state=0).fit(X)
    >>> model.predict([[1, 0, 0, 0], [0, 0, 0, 1]])
    array([1, 2])
    """

    _parameter_rules = {
        "n_components": POSITIVE_INTEGER,
        "hidden_layer_sizes": SIZES_OR_NONE,
        "activation": Options(tuple(ACTIVATIONS)),
        "likelihood": LIKELIHOODS,
        "confidence": NON_NEGATIVE,
        "beta": NON_NEGATIVE,
        "n_annealing_steps": (NONE, Interval(0, integer=True)),
        "prior": Options(PRIORS),
        "n_prior_components": POSITIVE_INTEGER,
        "n_posterior_components": POSITIVE_INTEGER,
        "divergence": Options(("kl", "mmd")),
        "mixture_divergence": Options(MIXTURE_DIVERGENCES),
        "variance_penalty": NON_NEGATIVE,
        "dropout": FRACTION,
        "alpha": NON_NEGATIVE,
        **STOPPING_RULES,
    }
    _search_grid = [{"batch_size": 200, "beta": beta} for beta in (0.1, 0.2, 0.4)]
    # Otherwise a fit that stops early ends before the small beta has an effect.
    _anneals_soon = True

    def __init__(
        self,
        n_components=200,
        *,
        hidden_layer_sizes=(),
        activation="tanh",
        likelihood="multinomial",
        confidence=10.0,
        beta=0.2,
        n_annealing_steps=None,
        prior="standard",
        n_prior_components=100,
        n_posterior_components=1,
        divergence="kl",
        mixture_divergence="monte_carlo",
        variance_penalty=0.1,
        dropout=0.5,
        alpha=0.0,
        learning_rate=0.001,
        batch_size=100,
        max_iter=100,
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
        self.activation = activation
        self.likelihood = likelihood
        self.confidence = confidence
        self.beta = beta
        self.n_annealing_steps = n_annealing_steps
        self.prior = prior
        self.n_prior_components = n_prior_components
        self.n_posterior_components = n_posterior_components
        self.divergence = divergence
        self.mixture_divergence = mixture_divergence
        self.variance_penalty = variance_penalty
        self.dropout = dropout
        self.alpha = alpha
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
        self._check_posterior()
        hidden = tuple(self.hidden_layer_sizes)
        n_parts = self.n_posterior_components
        module = VariationalNet(shape[1], hidden, self.n_components, self.activation, n_parts)
        prior = make_prior(self.prior, self.n_prior_components, self.n_components, shape[1])
        if problem is not None:
            initialise(module, problem.generator)
            prior.initialise(problem.generator)
        module.prior = prior
        return module

    def _check_posterior(self):
        if self.n_posterior_components > 1 and (self.prior == "vamp" or self.divergence == "mmd"):
            raise ValueError(
                f"n_posterior_components={self.n_posterior_components} needs divergence='kl' "
                "and prior='standard' or 'gaussian_mixture'. Got "
                f"divergence={self.divergence!r} and prior={self.prior!r}; with these use "
                "n_posterior_components=1."
            )

    def _parameter_groups(self, module):
        weights, free = split_penalty(module, self.alpha)
        of_prior = {id(parameter) for parameter in module.prior.parameters()}
        weights["params"] = [w for w in weights["params"] if id(w) not in of_prior]
        return [weights, free, {"params": list(module.prior.parameters())}]

    def _loss(self, module, batch, step, generator):
        value = dropped(unit_length(batch), self.dropout, generator)
        model = likelihood(self.likelihood, self.confidence)
        beta = annealed(step, self.beta, self.n_annealing_steps_)
        if self.n_posterior_components > 1:
            losses, kl = mixture_terms(
                module, batch, value, model, self.mixture_divergence, generator
            )
            return (batch.weight * (losses + beta * kl)).mean(), (batch.weight * kl).mean()
        mean, log_variance = map(full_precision, module.encode(batch, value))
        noise = standard_normal(mean.shape, mean, generator)
        latent = mean + torch.exp(log_variance / 2) * noise
        losses = layer_loss(model, module.last, module.decoder(latent), batch)
        if self.divergence == "kl":
            kl = module.prior.divergence(latent, mean, log_variance, module.encode_dense)
            return (batch.weight * (losses + beta * kl)).mean(), (batch.weight * kl).mean()
        losses = losses + self.variance_penalty * kl_to_unit_variance(log_variance)
        n_draws = max(2, len(latent))
        draws = module.prior.sample(n_draws, latent, module.encode_dense, generator)
        scale = 2 * self.n_components  # the paper's 2 d sigma^2 with sigma = 1
        mmd = maximum_mean_discrepancy(latent, draws, scale, batch.weight)
        return (batch.weight * losses).mean() + beta * mmd, mmd

    def _score(self, module, rows):
        if self.n_posterior_components > 1:
            return mixture_scores(module, rows, likelihood(self.likelihood, self.confidence))
        return module.decode(module.encode(rows, unit_length(rows))[0])

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
            The mean of q(z | x_u) for each user, over the whole mixture.
        std : ndarray of shape (n_users, n_components), dtype of X
            Only with ``return_std=True``: the standard deviations of q(z | x_u).
        """
        X = self._start_dense(X, self._n_features_out)

        def encode(module, rows):
            if self.n_posterior_components > 1:
                return torch.stack(mixture_moments(module, rows))
            mean, log_variance = module.encode(rows, unit_length(rows))
            return torch.stack([mean, torch.exp(log_variance / 2)])

        mean, std = self._encoded(X, encode)
        return (mean, std) if return_std else mean

    def posterior_weights(self, X):
        """Compute the weights of the components of the users' mixtures q(z | x_u).

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions of the users, known or new.

        Returns
        -------
        weights : ndarray of shape (n_users, n_posterior_components), dtype of X
            Rows sum to 1.
        """
        X = self._start_dense(X, self.n_posterior_components)
        if self.n_posterior_components == 1:
            return np.ones((X.shape[0], 1), dtype=X.dtype)
        return self._encoded(X, mixture_weights)
