"""GaussianMixtureVAE: the variational autoencoder with clusters (Dilokthanakul et al. 2016)."""

import math

import numpy as np
import torch
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from torch import nn

from skrec._loss._divergences import kl_between_normals, kl_to_standard_normal, log_normal
from skrec._loss._likelihoods import layer_loss, likelihood
from skrec._torch._estimator import TORCH_RULES, TorchRecommender
from skrec._torch._layers import (
    ACTIVATIONS,
    Linear,
    SparseLinear,
    dense_layers,
    dropped,
    full_precision,
    initialise,
    standard_normal,
    unit_length,
)
from skrec._torch._optimizers import split_penalty
from skrec._torch._rows import DeviceRows
from skrec._torch._schedules import AnnealingMixin, annealed
from skrec.autoencoder._clusters import cluster_moments, k_means
from skrec.autoencoder._outputs import (
    LIKELIHOODS,
    ProbabilitiesMixin,
)
from skrec.utils._parallel import row_chunks
from skrec.utils._params import (
    FRACTION,
    NON_NEGATIVE,
    NONE,
    POSITIVE_INTEGER,
    SIZES,
    Interval,
    Options,
)

# Standard deviation of the first biases of the clusters' means. They start near each other, so
# that all clusters take part before they separate; distant means left clusters empty.
SPREAD = 0.1
# After this share of the planned epochs, the clusters are set to those of k-means. Earlier, nets
# that had learned little lost them again; later, little time was left to fit them.
START = 2 / 3
# Most users in k-means.
N_USERS = 10_000


class ClusteringNet(nn.Module):
    """Networks of q(x|y), q(w|y), p(x|w,z) and p(y|x).

    Parameters
    ----------
    n_items : int
    hidden : tuple of int
        h_1 ... h_m of the encoder. The decoder mirrors it; the network of w has one hidden layer
        of h_m.
    n_x, n_w : int
        Lengths of x and w.
    n_clusters : int
    activation : str
    """

    def __init__(self, n_items, hidden, n_x, n_w, n_clusters, activation):
        super().__init__()
        self.shape = (2, n_clusters, n_x)  # means and log variances of the clusters
        self.first = SparseLinear(n_items, hidden[0])
        self.activation = ACTIVATIONS[activation]()
        self.encoder = dense_layers(hidden, activation)
        self.x = Linear(hidden[-1], 2 * n_x)
        self.w = Linear(hidden[-1], 2 * n_w)
        self.style = dense_layers((n_w, hidden[-1]), activation)
        self.clusters = Linear(hidden[-1], math.prod(self.shape))
        self.decoder = dense_layers((n_x, *hidden[::-1]), activation)
        self.last = Linear(hidden[0], n_items)

    def encode(self, rows, value):
        """Mean and log variance of q(x|y), then of q(w|y); each (n_rows, n_x or n_w)."""
        hidden = self.encoder(self.activation(self.first(rows, value)))
        return *self.x(hidden).chunk(2, dim=1), *self.w(hidden).chunk(2, dim=1)

    def components(self, w):
        """Means and log variances of p(x|w,z), each (n_rows, n_clusters, n_x)."""
        return self.clusters(self.style(w)).view(-1, *self.shape).unbind(1)

    def decode(self, x):
        """Outputs of shape (n_rows, n_items)."""
        return self.last(self.decoder(x))


def log_responsibilities(x, mean, log_variance):
    """log p(z|x,w) by Bayes' rule with a uniform p(z); shape (n_rows, n_clusters)."""
    return torch.log_softmax(log_normal(x[:, None], mean, log_variance), dim=1)


class GaussianMixtureVAE(
    ProbabilitiesMixin,
    AnnealingMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    TorchRecommender,
):
    r"""Variational autoencoder of users' rows that finds clusters of users.

    In the letters of the paper [1]_, y is the user's row, x its latent vector, and z the user's
    cluster, uniform over `n_clusters`. Another latent vector w is N(0, I); a network maps it to
    the mean and the diagonal variances of each cluster:
    :math:`p(x \mid w, z) = N(\mu_z(w), \mathrm{diag}(\sigma_z^2(w)))`. So a cluster need not
    look normal. An encoder gives the diagonal normal distributions :math:`q(x \mid y)` and
    :math:`q(w \mid y)`; p(z|x, w) follows by Bayes' rule. The objective is

    .. math:: \min \; \frac1n \sum_u \; -E_{q(x)} \log p(y_u \mid x) + \beta_t \left[
        E_{q(w)} E_{p(z \mid x, w)} \mathrm{KL}\left(q(x) \,\|\, p(x \mid w, z)\right)
        + \mathrm{KL}\left(q(w) \,\|\, p(w)\right)
        + \max\left(\lambda, \mathrm{KL}\left(p(z \mid x, w) \,\|\, p(z)\right)\right) \right]
        + \frac{\alpha}{2} \sum_l \|W_l\|_F^2

    with one draw of x and of w for each row, and
    :math:`\beta_t = \min(\beta, t / \mathtt{n\_annealing\_steps})` at update t. The likelihoods
    equal `MultDAE`'s. As there, the row is scaled to length 1, and entries of it are dropped at
    random before the encoder reads it.

    Scores are the logits: the outputs of the decoder at the mean of :math:`q(x \mid y)`. They rank
    items.

    Parameters
    ----------
    n_clusters : int, default=10
        Number of values of z, the paper's K.
    n_components : int, default=50
        Length of x.
    n_style_components : int, default=10
        Length of w.
    hidden_layer_sizes : tuple of int, default=(200,)
        Sizes of the encoder's layers; the decoder reverses them. The network of
        w has one hidden layer, of the last size.
    activation : {"tanh", "sigmoid", "relu", "selu", "identity"}, default="tanh"
        Activation of all layers but those that give logits, means and variances.
    likelihood : {"multinomial", "gaussian", "logistic"}, default="multinomial"
        See `MultDAE`. "logistic" reads every stored value as 1.
    confidence : float, default=10.0
        Confidence c of the Gaussian likelihood, >= 0.
    beta : float, default=1.0
        Final weight of the divergences, >= 0. 1 is the paper's bound.
    n_annealing_steps : int or None, default=None
        Updates after which the weight would reach 1; 0: `beta` from the start. None: the weight
        reaches `beta` after 80 % of the updates of `max_iter` epochs, also where the fit stops
        early: it ranked worse on Gowalla with a faster rise.
    min_information : float, default=0.5
        The paper's :math:`\lambda`, in nats, >= 0: this much information on a user's cluster is
        free. From log(n_clusters) on, that divergence never counts.
    dropout : float, default=0.5
        Rate of dropped entries of a row, in [0, 1).
    alpha : float, default=0.0
        Penalty of the weights, >= 0; biases are free.
    learning_rate : float, default=0.001
        Adam's learning rate, > 0.
    batch_size : int, default=100
        Users in a batch.
    max_iter : int, default=100
        Number of epochs; with `warm_start`, of further epochs.
    precision : {"float32", "tf32", "bfloat16"}, default="float32"
        Precision of the matrix products in `fit`; weights are always float32. Only GPUs have
        TF32; a CPU uses float32 instead. A processor without bfloat16 emulates it and takes far
        longer.
    early_stopping : bool, default=False
        Whether to hold out users, stop when their nDCG@100 no longer rises, and keep the best
        weights. Clusters may need longer than the ranking.
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
        Seed of the first weights, the order, the dropout and the draws of x and w. The same
        seed gives the same bits on the same CPU.
    verbose : bool, default=False
        Whether to show a progress bar.

    Attributes
    ----------
    weights_ : dict of str to ndarray, float32
        State of the networks.
    loss_curve_ : list of float
        Mean of the objective over the batches of each epoch, without the penalty.
    divergence_curve_ : list of float
        Mean over users of the sum of the three divergences in each epoch, without `beta`.
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
    MultVAE : Without clusters; ``prior="gaussian_mixture"`` has a mixture without w.

    Notes
    -----
    An epoch takes as much time as an epoch of `MultVAE` with the same layers, plus about
    ``8 * n_clusters * n_components`` numbers for each user.

    Clusters need some hundred updates of the networks: with few users, use a small `batch_size`
    or more epochs. With more clusters than groups of users, clusters share a group.

    Differs from [1]_: rows are sparse, so the networks are dense, with one encoder up to the last
    layers of q(x|y) and q(w|y). The divergences are annealed. The first means of the clusters are
    drawn near each other. After two thirds of the planned epochs, the clusters are set to those
    that k-means finds in the means of q(x|y) of at most 10,000 users, with the variance within
    them; w has no influence at first. Training continues from there; without this step many fits
    ended with two groups in one cluster. A fit of one epoch, a resumed fit, and a fit that
    `early_stopping` ends earlier skip it.

    References
    ----------
    .. [1] N. Dilokthanakul, P. A. M. Mediano, M. Garnelo, M. C. H. Lee, H. Salimbeni,
       K. Arulkumaran and M. Shanahan, "Deep unsupervised clustering with Gaussian mixture
       variational autoencoders", arXiv:1611.02648, 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.autoencoder import GaussianMixtureVAE
    >>> X = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 1, 1], [0, 0, 1, 1]] * 5)
    >>> model = GaussianMixtureVAE(2, n_components=2, n_style_components=1,
    ...                            hidden_layer_sizes=(8,), max_iter=200,
    ...                            learning_rate=0.01, random_state=0).fit(X)
    >>> model.predict([[1, 0, 0, 0], [0, 0, 0, 1]])
    array([1, 2])
    >>> model.responsibilities(X).shape
    (20, 2)
    """

    _parameter_rules = {
        "n_clusters": POSITIVE_INTEGER,
        "n_components": POSITIVE_INTEGER,
        "n_style_components": POSITIVE_INTEGER,
        "hidden_layer_sizes": SIZES,
        "activation": Options(tuple(ACTIVATIONS)),
        "likelihood": LIKELIHOODS,
        "confidence": NON_NEGATIVE,
        "beta": NON_NEGATIVE,
        "n_annealing_steps": (NONE, Interval(0, integer=True)),
        "min_information": NON_NEGATIVE,
        "dropout": FRACTION,
        "alpha": NON_NEGATIVE,
        **TORCH_RULES,
    }
    _search_grid = [
        {
            "n_clusters": 20,
            "n_components": 64,
            "hidden_layer_sizes": (600,),
            "batch_size": 200,
            "max_iter": 40,
            "beta": beta,
        }
        for beta in (0.1, 0.3)
    ]

    def __init__(
        self,
        n_clusters=10,
        *,
        n_components=50,
        n_style_components=10,
        hidden_layer_sizes=(200,),
        activation="tanh",
        likelihood="multinomial",
        confidence=10.0,
        beta=1.0,
        n_annealing_steps=None,
        min_information=0.5,
        dropout=0.5,
        alpha=0.0,
        learning_rate=0.001,
        batch_size=100,
        max_iter=100,
        precision="float32",
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        tol=1e-4,
        warm_start=False,
        device="auto",
        random_state=None,
        verbose=False,
    ):
        self.n_clusters = n_clusters
        self.n_components = n_components
        self.n_style_components = n_style_components
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.likelihood = likelihood
        self.confidence = confidence
        self.beta = beta
        self.n_annealing_steps = n_annealing_steps
        self.min_information = min_information
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
        module = ClusteringNet(
            shape[1],
            tuple(self.hidden_layer_sizes),
            self.n_components,
            self.n_style_components,
            self.n_clusters,
            self.activation,
        )
        if problem is not None:
            initialise(module, problem.generator)
            with torch.no_grad():
                means = module.clusters.bias.view(module.shape)[0]
                means.normal_(std=SPREAD, generator=problem.generator)
        return module

    def _watch(self, problem, held, watched):
        """Set the clusters to those of k-means once; a resumed fit keeps its clusters."""
        epochs = iter(range(1, self.max_iter + 1))
        start = int(START * self.max_iter)  # 0 for one epoch: never

        def watch(module, score):
            if next(epochs) == start:
                self._set_clusters(module, problem)

        return None if self.n_iter_ else watch

    def _set_clusters(self, module, problem):
        random, X = np.random.RandomState(problem.seed), problem.X
        weight = np.ones(X.shape[0]) if problem.weight is None else problem.weight.astype(float)
        users = np.flatnonzero(weight > 0)
        if len(users) > N_USERS:
            users = np.sort(random.choice(users, N_USERS, replace=False))
        if len(users) < self.n_clusters:
            return
        with torch.no_grad():
            rows = DeviceRows(X[users], problem.device).everything()
            mean, log_variance = module.encode(rows, unit_length(rows))[:2]
            mean, variance = (p.double().cpu().numpy() for p in (mean, log_variance.exp()))
            if not (np.isfinite(mean).all() and np.isfinite(variance).all()):
                return  # the fit diverges, and its loop raises the error
            label = k_means(mean, weight[users], self.n_clusters, random)
            means, within = cluster_moments(mean, variance, weight[users], label, self.n_clusters)
            log_within = np.log(within.clip(min=1e-8))
            found = np.stack([means, np.broadcast_to(log_within, means.shape)])
            bias = module.clusters.bias
            bias.copy_(torch.from_numpy(found.ravel()).to(bias.device, bias.dtype))
            module.clusters.weight.zero_()  # w has no influence at first

    def _parameter_groups(self, module):
        return split_penalty(module, self.alpha)

    def _loss(self, module, batch, step, generator):
        value = dropped(unit_length(batch), self.dropout, generator)
        encoded = map(full_precision, module.encode(batch, value))
        x_mean, x_log_variance, w_mean, w_log_variance = encoded
        x = _drawn(x_mean, x_log_variance, generator)
        w = _drawn(w_mean, w_log_variance, generator)
        model = likelihood(self.likelihood, self.confidence)
        losses = layer_loss(model, module.last, module.decoder(x), batch)
        mean, log_variance = map(full_precision, module.components(w))
        log_p = log_responsibilities(x, mean, log_variance)
        of_clusters = kl_between_normals(
            x_mean[:, None], x_log_variance[:, None], mean, log_variance
        )
        kl_x = (log_p.exp() * of_clusters).sum(1)
        kl_w = kl_to_standard_normal(w_mean, w_log_variance)
        kl_z = (log_p.exp() * (log_p + math.log(self.n_clusters))).sum(1)
        beta = annealed(step, self.beta, self.n_annealing_steps_)
        kl = kl_x + kl_w + kl_z.clamp(min=self.min_information)
        return (batch.weight * (losses + beta * kl)).mean(), (batch.weight * kl).mean()

    def _score(self, module, rows):
        return module.decode(module.encode(rows, unit_length(rows))[0])

    @property
    def _n_features_out(self):
        return self.n_components

    def transform(self, X):
        """Compute the means of the users' latent vectors x.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions of the users, known or new.

        Returns
        -------
        mean : ndarray of shape (n_users, n_components), dtype of X
            The mean of q(x | y) for each user.
        """
        X = self._start_dense(X, self._n_features_out)
        return self._encoded(X, lambda module, rows: module.encode(rows, unit_length(rows))[0])

    def responsibilities(self, X):
        """Compute the probabilities of the clusters for each user.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions of the users, known or new.

        Returns
        -------
        probabilities : ndarray of shape (n_users, n_clusters), dtype of X
            Probabilities p(z | x, w) at the means of q(x | y) and q(w | y); rows sum to 1.
            Their argmax is the user's cluster.
        """
        X = self._start_dense(X, self.n_clusters)
        row_bytes = 2 * self.n_clusters * self.n_components * X.dtype.itemsize
        chunks = row_chunks(X.shape[0], row_bytes)
        return self._apply(X, _cluster_probabilities, chunks=chunks)


def _drawn(mean, log_variance, generator):
    return mean + torch.exp(log_variance / 2) * standard_normal(mean.shape, mean, generator)


def _cluster_probabilities(module, rows):
    x, _, w, _ = module.encode(rows, unit_length(rows))
    return log_responsibilities(x, *module.components(w)).exp()
