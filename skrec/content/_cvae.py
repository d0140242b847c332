"""CVAE: the collaborative variational autoencoder (Li and She 2017)."""

import torch

from skrec._loss._divergences import kl_to_standard_normal
from skrec._torch._layers import standard_normal
from skrec._torch._layerwise import pretrain
from skrec._torch._variational_net import VariationalNet
from skrec.content._text_recommender import LIKELIHOODS, NETWORK_RULES, TextRecommender
from skrec.utils._params import NON_NEGATIVE


class CVAE(TextRecommender):
    r"""Collaborative variational autoencoder: item factors around codes of their texts.

    The text :math:`x_i` of item i is encoded as a normal distribution
    :math:`q(z \mid x_i) = N(\mu_i, \mathrm{diag}(\sigma_i^2))`; f decodes a draw z. S are the
    interactions. Stored entries weigh :math:`c_{ui} = c_0 + x_{ui}`, missing entries
    :math:`c_{ui} = c_0`. Network and vectors minimise [1]_

    .. math:: \sum_u \sum_{i \,\mathrm{has\ users}} c_{ui}
        \left( [(u, i) \in S] - u_u^T v_i \right)^2 + \alpha \sum_u \|u_u\|^2
        + \alpha_V \sum_{i \,\mathrm{has\ users}} E_{q(z \mid x_i)} \|v_i - z\|^2
        + w \sum_i \left( E_{q(z \mid x_i)} \ell(x_i, f(z))
        + \beta \, \mathrm{KL}(q(z \mid x_i) \,\|\, N(0, I)) \right)

    by turns. Adam passes over the texts with one draw of z for each and the vectors fixed. Then a
    sweep of alternating least squares, with :math:`\theta_i = \mu_i` as the means of the items'
    vectors, solves exactly for all users and then for all items. So the network learns from the
    interactions, through the third term, which holds the drawn z. It is first pretrained on the
    texts alone.

    The vector of an item without users comes from its :math:`\theta`, see `cold_items`;
    `with_items` adds items that were not columns of X. Every row, known or new, is scored with the
    vector that solves its own least squares problem, as in `~skrec.decomposition.WMF`. Scores
    estimate the preference: about 1 for items that a user would take.

    Parameters
    ----------
    n_components : int, default=50
        Length of the vectors, and of the latent vector of a text.
    hidden_layer_sizes : tuple of int, default=(200,)
        Sizes of the encoder's layers; the decoder reverses them.
    activation : {"sigmoid", "tanh", "relu", "selu", "identity"}, default="tanh"
        Activation of all layers but the last and the latent one.
    likelihood : {"logistic", "gaussian"}, default="logistic"
        The loss :math:`\ell(x, f)` of a text x in the network's outputs f:
        :math:`-\sum_w x_w \log s(f_w) + (1 - x_w) \log s(-f_w)` with the logistic function s, or
        :math:`\frac12 \|x - f\|^2`.
    word_values : {"max", "binary", "given"}, default="max"
        How the network reads ``item_features``: each row divided by its largest value, as ones
        and zeros, or as given. ``likelihood="logistic"`` needs values in [0, 1]: "given" raises
        on others.
    beta : float, default=0.2
        Weight of the divergence, >= 0.
    text_weight : float, default=0.1
        Weight w of the losses of texts, > 0; the :math:`\lambda_r` of the authors' code.
    unobserved_weight : float or "auto", default="auto"
        Weight :math:`c_0` of a missing entry, >= 0: the paper's b, which is .01; its a is
        :math:`1 + c_0` for ones.
        "auto": ten times the share of stored entries among the cells of items with users, at
        least .01 and at most .1, see Notes.
    alpha : float, default=7.0
        Penalty of the users' vectors, > 0; the paper's :math:`\lambda_u`.
    item_alpha : float, default=0.04
        How strongly the vectors of items and the codes of texts are tied, > 0; the paper's
        :math:`\lambda_v`.
    network_alpha : float, default=0.0
        Adam's penalty of the network's weights, >= 0; biases are free.
    learned_texts : {"known", "all"}, default="known"
        The texts that the network learns from: those of items with users, or all, as in the
        authors' code. With "all" the text of an item without users changes the other vectors.
    cold_items : {"shrunk", "text"}, default="shrunk"
        The vectors of items without users. "shrunk" minimises the objective for an item that
        nobody has,
        :math:`(c_0 U^T U + \alpha_V I)^{-1} \alpha_V \theta_i`, as in the authors' code.
        "text" is :math:`\theta_i` itself, as in the paper; such items then rank too high
        among those with users, see `CTR`.
    pretraining_max_iter : int, default=10
        Epochs of pretraining; 0 skips it.
    learning_rate : float, default=2e-3
        Adam's learning rate, > 0.
    batch_size : int, default=128
        Texts in a batch.
    max_iter : int, default=10
        Number of epochs, each a pass over the texts and a sweep over the users and the items;
        with `warm_start`, of further epochs.
    early_stopping : bool, default=False
        Whether to hold out users, stop when their nDCG@100 no longer rises, and keep the best
        weights and vectors.
    validation_fraction : float, default=0.1
        Share of the users that `early_stopping` holds out, in (0, 1).
    n_iter_no_change : int, default=10
        Stop after this many epochs without a rise by more than `tol`.
    tol : float, default=1e-4
        Smallest rise of the validation score that counts, >= 0.
    warm_start : bool, default=False
        Whether a further `fit` continues from the fitted network and item vectors. Pass the
        features again. Adam's moments start anew.
    device : {"auto", "cpu", "cuda", "cuda:N"} or torch.device, default="auto"
        Where to compute, resolved at each call; "auto" takes CUDA where there is one.
    random_state : int, RandomState or None, default=None
        Seed of the first weights and vectors, the order and the noise. The same seed gives the
        same bits on the same CPU.
    n_jobs : int or None, default=None
        Threads of the least squares solver; None: all cores. The vectors do not depend on it.
    verbose : bool, default=False
        Whether to show a progress bar.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_items)
        The vectors of the items.
    user_factors_ : ndarray of shape (n_users, n_components)
        The vectors of the training users, solved exactly.
    unobserved_weight_ : float
        The weight of a missing entry.
    item_has_users_ : ndarray of bool of shape (n_items,)
        Which items had users at `fit`.
    weights_ : dict of str to ndarray, float32
        State of the network; empty without features.
    text_mean_ : ndarray of shape (n_components,), float32
        The :math:`\theta` of items whose features are all zero: the mean over the texts that the
        network learned from. Only with features.
    pretraining_curves_ : list of list of float
        A list that holds one list, the losses of the pretraining; empty without pretraining.
    loss_curve_ : list of float
        The objective of each epoch, computed during the epoch and divided by the number of
        texts learned from; without the penalty of the network.
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
    n_item_features_in_ : int
        Number of features; only if there were features.
    item_feature_names_in_ : ndarray of str of shape (n_item_features,)
        Only if the features had string column names.

    See Also
    --------
    CDL : The same with a denoising autoencoder.
    CTR : :math:`\theta` comes from a singular value decomposition, which is far cheaper.
    skrec.decomposition.WMF : The same without texts.
    skrec.neighbors.ItemKNN : With ``item_features``, joins similarities of texts and of users.

    Notes
    -----
    Without ``item_features`` there is no network: all :math:`\theta` are zero, and the model is
    `~skrec.decomposition.WMF` with ``frequency_exponent=0`` and two penalties. A row of zeros
    means that nothing is known of the item: the network does not learn from it.

    The missing entries of an item without users have no weight in the users' problems. In a row
    to score, an item that had no users at `fit` weighs its stored value alone. An interrupted fit
    may keep the network of one epoch with the vectors of the epoch before.

    The paper's weight of a missing entry suits users who have one item in a thousand. It is too
    small for users who have more. On the 1,000 items with most users of six data
    sets, .1 validates better than .01 on each; on all items of three, .01 or .03 is best.
    ``"auto"`` is within 3 % of the best of these on all nine, see docs/benchmarks/defaults.md.

    The codes set the scale: the item vectors become about as long as the codes. For codes of
    length n, `alpha` should be some tenths of :math:`n^2` and `item_alpha` some :math:`1 / n^2`.
    The defaults suit codes of length 5, as on citeulike-t; compare the columns of `components_`.

    *Time* of an epoch: ``6 * n_words * hidden_layer_sizes[0]`` flops per text for the outputs;
    ``2 * n_words * hidden_layer_sizes[0]`` numbers that Adam updates per batch; ``2 * d**2`` flops
    per stored entry and ``d**3 / 3`` per user and item for the sweep. *Memory*: the outputs of a
    batch, batch_size x n_words. The first layer reads only the words that a text has. Words of few
    texts cost as much as others: leave them out (``min_df`` of scikit-learn's CountVectorizer).

    Differs from [1]_ and the authors' code: tanh is the default activation; the decoder has its
    own weights instead of the encoder's transposed; all layers are pretrained together, without
    noise; each epoch makes new draws, where the code repeats them; items without users take no
    part in the users' problems, as in the code, nor in the third term; the first three terms lack
    the factor 1/2.

    References
    ----------
    .. [1] X. Li and J. She, "Collaborative variational autoencoder for recommender systems",
       KDD 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.content import CVAE
    >>> X = np.array([[1, 1, 0, 0, 0], [0, 0, 1, 1, 0]] * 10)  # nobody has the last item
    >>> F = np.array([[1, 0], [1, 0], [0, 1], [0, 1], [1, 0]])  # it is like the first two
    >>> model = CVAE(2, hidden_layer_sizes=(8,), alpha=0.1, item_alpha=1.0, max_iter=50,
    ...              learning_rate=0.03, random_state=0).fit(X, item_features=F)
    >>> model.predict(X[:1])
    array([4])
    >>> scores = model.decision_function(X[:2])
    >>> bool(scores[0, 4] > scores[1, 4])
    True
    >>> model.with_items([[0, 1]]).n_features_in_
    6
    """

    _parameter_rules = {**NETWORK_RULES, "beta": NON_NEGATIVE}
    _search_grid = [
        {"alpha": alpha, "item_alpha": item_alpha, "text_weight": weight}
        for alpha, item_alpha in ((7.0, 0.04), (7.0, 0.15), (2.0, 0.15))
        for weight in (0.1, 1.0)
    ]

    def __init__(
        self,
        n_components=50,
        *,
        hidden_layer_sizes=(200,),
        activation="tanh",
        likelihood="logistic",
        word_values="max",
        beta=0.2,
        text_weight=0.1,
        unobserved_weight="auto",
        alpha=7.0,
        item_alpha=0.04,
        network_alpha=0.0,
        learned_texts="known",
        cold_items="shrunk",
        pretraining_max_iter=10,
        learning_rate=2e-3,
        batch_size=128,
        max_iter=10,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        tol=1e-4,
        warm_start=False,
        device="auto",
        random_state=None,
        n_jobs=None,
        verbose=False,
    ):
        self.n_components = n_components
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.likelihood = likelihood
        self.word_values = word_values
        self.beta = beta
        self.text_weight = text_weight
        self.unobserved_weight = unobserved_weight
        self.alpha = alpha
        self.item_alpha = item_alpha
        self.network_alpha = network_alpha
        self.learned_texts = learned_texts
        self.cold_items = cold_items
        self.pretraining_max_iter = pretraining_max_iter
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.device = device
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _network(self, n_words):
        hidden = tuple(self.hidden_layer_sizes)
        return VariationalNet(n_words, hidden, self.n_components, self.activation)

    def _output_layer(self, network):
        return network.last

    def _code(self, network, rows):
        return network.encode(rows, rows.value)[0]

    def _text_losses(self, network, rows, generator):
        mean, log_variance = network.encode(rows, rows.value)
        noise = standard_normal(mean.shape, mean, generator)
        latent = mean + torch.exp(log_variance / 2) * noise
        losses = LIKELIHOODS[self.likelihood].negative_log(network.decode(latent), rows)
        return losses + self.beta * kl_to_standard_normal(mean, log_variance), latent

    def _pretrain_texts(self, network, batches, generator):
        losses = pretrain(
            network,
            batches,
            lambda batch: self._text_losses(network, batch.rows, generator)[0].mean(),
            alpha=self.network_alpha,
            learning_rate=self.learning_rate,
            n_epochs=self.pretraining_max_iter,
        )
        self.pretraining_curves_.append(losses)
