"""YouTubeRecommender: a row's mean embedding, layers, and a softmax over items."""

import numpy as np
import torch
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from torch import nn
from torch.nn import functional

from skrec._loss._shared_negatives import cosine_contrastive, shared_softmax, unit
from skrec._torch._estimator import TORCH_RULES, TorchRecommender
from skrec._torch._learned_users import first_rows, has_users
from skrec._torch._optimizers import SparseAndDenseAdam
from skrec._torch._shared_negatives import seen_places
from skrec.neural_network._youtube_net import ShuffledExamples, YouTubeNet
from skrec.utils._params import (
    BOOLEAN,
    NON_NEGATIVE,
    NONE,
    POSITIVE_INTEGER,
    SIZES_OR_NONE,
    Interval,
    Options,
)

# Standard deviations of the first vectors: of outputs, and SimpleX's, which its method needs.
_OUTPUT_STD, _COSINE_STD = 0.02, 1e-4
COSINE = "cosine_contrastive"


class YouTubeRecommender(ClassNamePrefixFeaturesOutMixin, TransformerMixin, TorchRecommender):
    r"""The mean of a row's item vectors, layers, and a classification with items as classes.

    This is the candidate generation of YouTube [1]_. A user is a function of the row: the bag of a
    user with the items O is the mean of their vectors z, and

    .. math:: x_O = f\Big( \frac1{|O|} \sum_{i \in O} z_i \Big), \qquad
        s_{ui} = v_i^T x_O + b_i

    where f stands for the ReLU layers of `hidden_layer_sizes`, or nothing. An item to predict
    never stands in its own bag. In each epoch a random share `holdout` of each row is predicted
    from the rest. With ``holdout=None`` each item is predicted from all others of the row, whose
    mean needs one subtraction, :math:`(\sum_j z_j - z_i) / (|O| - 1)`. An empty bag is zero. `fit`
    minimises the mean over all these examples of

    - ``loss="softmax"``: :math:`-\log \frac{e^{s_{ui}}}{\sum_j e^{s_{uj}}}`, j over the items
      that somebody has. Other items of the row are classes like all others: they compete.
      With `n_negatives` the sum covers i and a set S of items drawn for the batch:

      .. math:: -\log \frac{e^{s_{ui} - \log m_i}}{e^{s_{ui} - \log m_i}
          + \sum_{j \in S \setminus i} e^{s_{uj} - \log m_j}}

      where j is expected to be drawn :math:`m_j` times (logQ correction), and i is left out of S
      if it was drawn by accident;
    - ``loss="cosine_contrastive"``: :math:`1 - c_{ui} + \mu \, \mathrm{mean}_j
      \max(0, c_{uj} - m)`, the loss of SimpleX [2]_, with scores
      :math:`c_{ui} = \cos(x_O, v_i)`. The j are the drawn items that the row does not have, held
      out or not; m is `margin` and :math:`\mu` is `negative_weight`;

    plus :math:`\frac{\alpha}{2} (\|z_i\|^2 + \|v_i\|^2)`, the vectors of its item, counted once
    if they are tied. Only the set of a user's items matters, not the stored values.

    Parameters
    ----------
    hidden_layer_sizes : tuple of int, default=()
        Sizes of the ReLU layers. The paper's largest tower is (1024, 512, 256); begin with
        ``holdout=0.8`` and ``alpha=0.1`` then. With (), x is the bag itself, which validated
        better on each of eight data sets.
    n_components : int, default=128
        Length of the vectors z.
    tied : bool, default=True
        Whether v is z. After layers a linear map to `n_components` then follows. Otherwise the
        v have the length of the last layer, as in the paper. Tied vectors without layers learn
        fastest, and ranked best where both were tried (ML-1M: nDCG@100 .425, .416 with a layer).
    loss : {"softmax", "cosine_contrastive"}, default="softmax"
        See above. "cosine_contrastive" needs a `margin` near 1, hundreds of negatives, and short
        first vectors, so that a step turns them.
    holdout : float or None, default=0.5
        Share of a row's items that an epoch predicts from the others, in (0, 1). They share one
        vector x, so that an epoch costs little. Bags of few items act like dropout, which layers
        need: 0.8. None: leave one out, each item from all others; an epoch then takes as many
        times longer as rows are long.
    max_examples : int or None, default=None
        Most items of a row that an epoch predicts, drawn anew for each epoch, so that long rows
        do not outweigh others. None: all; the paper fixes the number.
    n_negatives : int or None, default=None
        Items drawn for a batch. None: every item, exactly. With more than about 100,000 items
        draw some thousands.
    negatives : {"uniform", "popularity"}, default="uniform"
        How to draw them: uniformly among items that somebody has, or in proportion to their users.
    margin : float, default=0.9
        The margin m of the cosine contrastive loss, in [0, 1).
    negative_weight : float, default=150.0
        The weight :math:`\mu` of the cosine contrastive loss, >= 0.
    alpha : float, default=0.0
        Penalty, >= 0; see above. Without layers the lengths of vectors carry the scale of
        scores, and it must be small: 0 to 0.03. Layers need more, such as 0.1. The cosine
        contrastive loss does not depend on lengths, and needs 0.
    solver : {"adam", "sparse_adam"}, default="adam"
        "sparse_adam" moves only the vectors that a batch reads: a different optimiser, faster
        with drawn negatives and many items.
    learning_rate : float, default=0.01
        Adam's learning rate, > 0.
    schedule : {"linear", "constant"}, default="linear"
        Whether the learning rate falls linearly to 0 at `max_iter`, or stays constant.
    batch_size : int, default=50
        Users in a batch.
    max_iter : int, default=30
        Number of epochs; with `warm_start`, of further epochs.
    early_stopping : bool, default=False
        Whether to hold out users, stop when their nDCG@100 no longer rises, and keep the best
        weights.
    validation_fraction : float, default=0.1
        Share of the users that `early_stopping` holds out, in (0, 1).
    n_iter_no_change : int, default=10
        Stop after this many epochs without a rise by more than `tol`.
    tol : float, default=1e-4
        Smallest rise of the validation score that counts, >= 0.
    warm_start : bool, default=False
        Whether a further `fit` continues from the fitted weights. Adam's moments start anew.
    device : {"auto", "cpu", "cuda", "cuda:N"} or torch.device, default="auto"
        Where to compute, resolved at each call; "auto" takes CUDA where there is one.
    random_state : int, RandomState or None, default=None
        Seed of the first weights, the order, the held-out items and the negatives. The same
        seed gives the same bits on the same CPU.
    verbose : bool, default=False
        Whether to show a progress bar.

    Attributes
    ----------
    weights_ : dict of str to ndarray, float32
        "item.weight", the z; "output.weight", the v if they are not tied; "layers..."; "bias",
        the b. Vectors of items without users are zero.
    loss_curve_ : list of float
        Mean loss of an example over the batches of each epoch, the penalty included.
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
    GMF : The cosine contrastive loss with a vector learned for each user.
    skrec.autoencoder.MultDAE : Predicts the whole row at once, after dropout of its items.

    Notes
    -----
    The b start as the logarithms of the items' shares. So popularity ranks a row without items,
    corrected by what short rows have taught. With the cosine contrastive loss there is no b; a row
    without items scores each item by its number of users over the number of the most popular item's
    users.

    Leave one out has a leak of its own, which grows with the layers: the examples of a row differ
    only in the missing item, and a network that has memorised the row names it. It ranks worse the
    longer it learns (ML-1M, 64 components, 200 units: nDCG@100 .32 after 12 epochs, .30 after 24).
    A held-out share has no such leak.

    *Time* of an epoch: about ``6 * n_vectors * n_negatives * d`` flops for the outputs, where
    n_vectors is the number of users, or of examples with ``holdout=None``, and Adam's ``n_items *
    d`` numbers for each batch: larger batches make shorter epochs, and ``solver="sparse_adam"``
    touches only the vectors of the batch. *Memory*: outputs are made block by block, so beside the
    weights, their gradients and Adam's moments a fit needs a batch's entries and 1 to 16 MB.

    Differs from [1]_: there are no times, searches or features; held-out items are drawn instead
    of the last ones; the negatives of a batch are shared. Differs from [2]_: there is no learned
    vector of the user (their g is 0) and no attention, so any row is scored alike; the target is
    not in its own bag; negatives are shared, and none is an item of the row; there is no dropout.

    References
    ----------
    .. [1] P. Covington, J. Adams and E. Sargin, "Deep neural networks for YouTube
       recommendations", RecSys 2016.
    .. [2] K. Mao, J. Zhu, J. Wang, Q. Dai, Z. Dong, X. Xiao and X. He, "SimpleX: a simple and
       strong baseline for collaborative filtering", CIKM 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.neural_network import YouTubeRecommender
    >>> X = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 1, 1], [0, 0, 1, 1]] * 5)
    >>> options = {"holdout": 0.5, "alpha": 0.0, "batch_size": 5, "random_state": 0}
    >>> model = YouTubeRecommender((8,), n_components=4, **options)
    >>> model.fit(X).predict([[1, 0, 0, 0], [0, 0, 0, 1]])
    array([1, 2])
    """

    _parameter_rules = {
        "hidden_layer_sizes": SIZES_OR_NONE,
        "n_components": POSITIVE_INTEGER,
        "tied": BOOLEAN,
        "loss": Options(("softmax", COSINE)),
        "holdout": (NONE, Interval(0, 1, closed="neither")),
        "max_examples": (NONE, POSITIVE_INTEGER),
        "n_negatives": (NONE, POSITIVE_INTEGER),
        "negatives": Options(("uniform", "popularity")),
        "margin": Interval(0, 1, closed="left"),
        "negative_weight": NON_NEGATIVE,
        "alpha": NON_NEGATIVE,
        "solver": Options(("adam", "sparse_adam")),
        "schedule": Options(("linear", "constant")),
        **{name: rule for name, rule in TORCH_RULES.items() if name != "precision"},
    }
    _score_unit = 1.0  # of the log odds, and of a cosine
    _search_grid = [
        {"holdout": holdout, "alpha": alpha} for holdout in (0.5, 0.8) for alpha in (0.01, 0.03)
    ]

    def __init__(
        self,
        hidden_layer_sizes=(),
        *,
        n_components=128,
        tied=True,
        loss="softmax",
        holdout=0.5,
        max_examples=None,
        n_negatives=None,
        negatives="uniform",
        margin=0.9,
        negative_weight=150.0,
        alpha=0.0,
        solver="adam",
        learning_rate=0.01,
        schedule="linear",
        batch_size=50,
        max_iter=30,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        tol=1e-4,
        warm_start=False,
        device="auto",
        random_state=None,
        verbose=False,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.n_components = n_components
        self.tied = tied
        self.loss = loss
        self.holdout = holdout
        self.max_examples = max_examples
        self.n_negatives = n_negatives
        self.negatives = negatives
        self.margin = margin
        self.negative_weight = negative_weight
        self.alpha = alpha
        self.solver = solver
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def _build_module(self, shape, problem=None):
        module = YouTubeNet(
            shape[1],
            self.n_components,
            tuple(self.hidden_layer_sizes),
            bool(self.tied),
            self.solver == "sparse_adam",
            self.loss != COSINE,
        )
        if problem is not None:
            self._draw(module, problem)
        return module

    def _draw(self, module, problem):
        kept, generator = has_users(problem.X), problem.generator
        is_cosine = self.loss == COSINE
        # First vectors have length one: bags must differ, however many items they have.
        std = _COSINE_STD if is_cosine else self.n_components**-0.5
        first_rows(module.item.weight, kept, std, generator)
        if not self.tied:
            std = _COSINE_STD if is_cosine else _OUTPUT_STD
            first_rows(module.output.weight, kept, std, generator)
        for layer in module.layers:
            if isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight, generator=generator)
                nn.init.zeros_(layer.bias)
        count = np.bincount(problem.X.indices, minlength=problem.X.shape[1])
        if is_cosine:
            bias = count / max(1, count.max(initial=0))
        else:  # an item without users counts as half a user
            bias = np.log(np.maximum(count, 0.5) / max(1, count.mean()))
        with torch.no_grad():
            module.bias.copy_(torch.from_numpy(bias))

    def _batches(self, problem):
        return ShuffledExamples(
            problem,
            self.batch_size,
            self.max_examples,
            self.n_negatives,
            self.negatives == "popularity",
        )

    def _optimizer(self, module):
        if self.solver == "adam":
            return super()._optimizer(module)
        return SparseAndDenseAdam(module, self._parameter_groups(module), self.learning_rate)

    def _loss(self, module, batch, step, generator):
        rows, chosen, shared = batch
        kept = None
        if self.holdout is not None:
            kept = _uniform(len(rows.row), generator).to(chosen.device) >= self.holdout
            chosen = chosen[~kept[chosen]]
        vectors, row, user = module.examples(rows, chosen, kept)
        item = rows.column[chosen]
        own, others = module.output_table(item), module.output_table(shared.items)
        if not len(item):  # no item of these rows is held out
            return 0 * others.sum()
        weight = rows.weight[rows.row[chosen]] / max(1, len(item))
        if self.loss == COSINE:
            value = cosine_contrastive(
                vectors, own, others, row, seen_places(rows, shared), user, weight,
                margin=self.margin, negative_weight=self.negative_weight,
            )  # fmt: skip
        else:
            output = (functional.embedding(row, vectors) * own).sum(1) + module.bias[item]
            output = output - shared.log_expected[item]
            offset = module.bias[shared.items] + shared.log_count
            offset = offset - shared.log_expected[shared.items]
            value = shared_softmax(
                vectors, output, others, offset, row, shared.places(item), weight
            )
        if self.alpha:
            square = own.square().sum(1)
            if not self.tied:
                square = square + module.item(item).square().sum(1)
            value = value + self.alpha / 2 * (weight * square).sum()
        return value

    def _score(self, module, rows):
        users, items = module.users(rows), module.output_table.weight
        if self.loss != COSINE:
            return torch.addmm(module.bias, users, items.t())
        empty = torch.bincount(rows.row, minlength=rows.n_rows) == 0
        return torch.where(empty[:, None], module.bias, unit(users) @ unit(items).t())

    @property
    def _n_features_out(self):
        return self.n_components if self.tied else (self.n_components, *self.hidden_layer_sizes)[-1]

    def transform(self, X):
        """Vectors of users.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions of the users, known or new.

        Returns
        -------
        vectors : ndarray of shape (n_users, d), dtype of X
            The x of whole rows; of length 1 with the cosine contrastive loss. d is
            `n_components` if tied or without layers, else the size of the last layer.
        """
        X = self._start_dense(X, self._n_features_out)
        scale = unit if self.loss == COSINE else nn.Identity()
        return self._encoded(X, lambda module, rows: scale(module.users(rows)))


def _uniform(n, generator):
    return torch.rand(n, generator=generator, device=generator.device)
