"""DVBPR: Bayesian personalised ranking by pictures, which its own network reads."""

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import nn

from skrec._evaluation._default_score import ndcg_of_users
from skrec._torch._global_draws import global_draws
from skrec._torch._images import DeviceImages
from skrec._torch._learned_users import PAIR_RULES, FactorRecommender, first_rows, has_users
from skrec._torch._problem import HeldOut
from skrec.content._image_net import PictureNet, check_network, image_network
from skrec.utils._device import resolve_device
from skrec.utils._fitted import Absent, Number, Parts
from skrec.utils._images import IMAGE_SIZE, Images
from skrec.utils._params import NON_NEGATIVE, NONE, POSITIVE, POSITIVE_INTEGER, Interval, Options
from skrec.utils._side_information import SideInformation
from skrec.utils._state_torch import torch_state

_STD = 0.1  # of the first free vectors' lengths
_MAX_FIRST = 0.01  # of the first thetas, as the authors draw them
_FILE_SIZE = (224, 224)


class _Network:
    """Rule of a parameter: a name, a torch module or a function that makes one."""

    _names = Options(("small", "cnn-f"))

    def __contains__(self, value):
        return value in self._names or (callable(value) and not isinstance(value, type(nn)))

    def __str__(self):
        return f"{self._names}, a torch module or a function that makes one"


class DVBPR(FactorRecommender):
    r"""Bayesian personalised ranking by the items' pictures, which a learned network reads.

    The score of item i with the picture :math:`x_i` for user u is

    .. math:: s_{ui} = \theta_u^T \Phi(x_i)

    with a network :math:`\Phi` from pictures to vectors. The network and the :math:`\theta` are
    learned together from triplets of a user, an item i of the user and an item j that the user
    does not have [1]_: both pictures pass the same network. `n_latent` adds vectors of single
    items, as in [2]_: :math:`s_{ui} = \theta_u^T \Phi(x_i) + \gamma_u^T \gamma_i`. `fit` minimises
    the mean over the interactions (u, i). Each draws `n_negatives` items j anew in each epoch,
    uniformly among the items that somebody has and the user does not:

    .. math:: \frac{1}{|X|} \sum_{(u, i)} \left( \sum_j \ell(s_{ui} - s_{uj})
        + \frac{\alpha}{2} \Big( \|\theta_u\|^2 + \|\gamma_u\|^2
        + \sum_{k \in \{i, j \ldots\}} \|\gamma_k\|^2 \Big) \right)
        + \frac{\alpha_\Phi}{2} \|W\|_F^2

    with :math:`\ell(x) = \log(1 + e^{-x})`, or :math:`\max(0, 1 - x)` with ``loss="hinge"``, and
    the weights W of the network's layers without their biases.

    An item without users in X has :math:`\gamma_i = 0` and is ranked by its picture;
    `with_items` adds items that were not columns of X. Scores only rank items. Only the set of a
    user's items matters, not the stored values.

    Parameters
    ----------
    n_components : int, default=32
        Length of the vectors theta and Phi(x); the K of [1]_, which takes 50.
    network : {"small", "cnn-f"}, torch.nn.Module or callable, default="small"
        "small": three convolutions 3 x 3 with 16, 32 and 64 filters, each halving height and
        width, and a layer of 64, for pictures of about 32 to 64 pixels. "cnn-f": the paper's
        five convolutions and two layers of 4,096, for pictures of 224. Or a module from
        pictures (n, 3, h, w), floats from -1 to 1, to vectors (n, n_components); a copy of it
        learns on from its weights. Or a function that makes such a module from
        `n_components`.
    image_size : int, (int, int) or None, default=None
        Height and width to which pictures are resized. None: arrays keep their size, files
        become 224 x 224.
    n_latent : int, default=0
        Length of the vectors gamma of single items; 0 for none, as in [1]_.
    loss : {"bpr", "hinge"}, default="bpr"
        The loss of a difference of scores, see above.
    n_negatives : int, default=1
        Items drawn for each interaction, > 0.
    alpha : float, default=0.05
        Penalty of the vectors that an interaction and its negatives read, >= 0.
    network_alpha : float, default=1e-4
        Penalty :math:`\alpha_\Phi` of the network's weights, >= 0.
    network_rate : float, default=0.1
        Learning rate of the network, as a share of `learning_rate`, > 0.
    known_users : {"match", "fold_in"}, default="match"
        "match": a row with the same items as a training row gets its learned vector (the first
        such row's); any other row is folded in. "fold_in" folds every row in.
    n_jobs : int or None, default=None
        Threads that read files or resize pictures; None: all cores.
    learning_rate : float, default=0.01
        Adam's learning rate, > 0.
    batch_size : int, default=2048
        Interactions in a batch, each with its negatives. Each distinct item of a batch passes
        the network once, so that a large batch of few items costs little.
    max_iter : int, default=10
        Number of epochs; with `warm_start`, of further epochs.
    early_stopping : bool, default=False
        Whether to hold out whole items, stop when the nDCG@100 of ranking them by their
        pictures no longer rises, and keep the best weights. Without pictures, single entries
        are held out.
    validation_fraction : float, default=0.1
        Share of the items that `early_stopping` holds out, in (0, 1).
    n_iter_no_change : int, default=10
        Stop after this many epochs without a rise by more than `tol`.
    tol : float, default=1e-4
        Smallest rise of the validation score that counts, >= 0.
    warm_start : bool, default=False
        Whether a further `fit` continues from the fitted weights. Rows seen before start from
        their vectors (equal rows from the first one's); other rows are folded in first. Pass
        the pictures again. Adam's moments start anew.
    device : {"auto", "cpu", "cuda", "cuda:N"} or torch.device, default="auto"
        Where to compute, resolved at each call; "auto" takes CUDA where there is one.
    random_state : int, RandomState or None, default=None
        Seed of the first weights, the order, the negatives and dropout. The same seed gives
        the same bits on the same CPU.
    verbose : bool, default=False
        Whether to show a progress bar.

    Attributes
    ----------
    components_ : ndarray of shape (n_components + n_latent, n_items), float32
        The vectors of the items: Phi(x), and below it gamma.
    item_bias_ : ndarray of shape (n_items,), float32
        Zeros.
    user_factors_ : ndarray of shape (n_users, n_components + n_latent), float32
        The theta and gamma of the training users. A user without items, or with every item that
        anybody has, has zeros, or with ``alpha=0`` the mean of the others.
    user_hashes_ : ndarray of uint64 of shape (n_users, 2)
        Hashes that identify the rows of training users.
    user_mean_ : ndarray of shape (n_components + n_latent,)
        Mean of the vectors of the users who were in training pairs.
    user_precision_ : ndarray of shape (d, d), d being n_components + n_latent
        Inverse of the covariance of these vectors; with ``alpha=0`` both serve to fold users in.
    seed_ : int
        Seed of the negatives that folding in draws.
    item_has_users_ : ndarray of bool of shape (n_items,)
        Which items had users at `fit`: negatives are drawn among these.
    image_size_ : tuple of int
        Height and width of the pictures that the network reads; only if there were pictures.
    weights_ : dict of str to ndarray, float32
        "network...", the weights of the network; "item.weight", gamma, zero for items without
        users. No picture is kept.
    loss_curve_ : list of float
        Mean loss of an interaction over the batches of each epoch, the penalty of the vectors
        included.
    validation_scores_ : list of float
        nDCG@100 of the held-out items after each epoch; empty without `early_stopping`.
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
        Numbers of a picture, c h w; only if the pictures were an array.

    See Also
    --------
    VBPR : Reads features that another network made of the pictures.

    Notes
    -----
    The network soon memorises the pictures of the training items: the loss keeps falling while
    items that nobody has are ranked worse and worse. `early_stopping` watches held-out items,
    since held-out entries would not show this.

    Pictures are bytes until they are in a batch. They stay on the device if all of them take at
    most 1 GiB as bytes. Others are read again for each batch, files by `n_jobs` threads. An
    epoch takes three times the network's flops for each distinct item of a batch. An item without
    a picture gets a black one. On CUDA the network always gets as many pictures as a batch can
    have at most, so that no step waits for their number. Layers that read the whole batch, such
    as batch normalisation, then meet the first item more than once.

    A new row is folded in as by `VBPR`, without pictures.

    Differs from [1]_: "small" is the default network; vectors have ten times the network's
    learning rate; alpha and `network_alpha` suit a mean loss over 2,048 interactions, where [1]_
    sums the losses of 128 with penalties of 1 and .001; an item without users is not a negative;
    dropout acts in training only.

    References
    ----------
    .. [1] W.-C. Kang, C. Fang, Z. Wang and J. McAuley, "Visually-aware fashion recommendation and
       design with generative image models", ICDM 2017.
    .. [2] D. Parra, A. Ossa-Guerra, M. Cartagena, P. Cerda-Mardini and F. del Rio, "VisRec: a
       hands-on tutorial on deep learning for visual recommender systems", IUI 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.content import DVBPR
    >>> X = np.array([[1, 1, 0, 0, 0], [0, 0, 1, 1, 0]] * 10)  # nobody has the last item
    >>> pictures = np.zeros((5, 3, 8, 8), np.uint8)
    >>> pictures[[0, 1, 4], 0] = 255  # three red ones and two blue ones
    >>> pictures[[2, 3], 2] = 255
    >>> model = DVBPR(4, max_iter=100, random_state=0).fit(X, item_features=pictures)
    >>> model.predict(X[:1])
    array([4])
    >>> scores = model.decision_function(X[:2])
    >>> bool(scores[0, 4] > scores[1, 4])
    True
    >>> model.with_items(pictures[:1]).n_features_in_
    6
    """

    _parameter_rules = {
        "n_components": POSITIVE_INTEGER,
        "network": _Network(),
        "image_size": (NONE, IMAGE_SIZE),
        "n_latent": Interval(0, integer=True),
        "network_alpha": NON_NEGATIVE,
        "network_rate": POSITIVE,
        **{name: rule for name, rule in PAIR_RULES.items() if name != "solver"},
        "loss": Options(("bpr", "hinge")),
    }
    _search_grid = [{"n_latent": n, "alpha": alpha} for n in (0, 32) for alpha in (0.02, 0.05)]
    _fitted_rules = {"image_size_": Absent(Parts((Number(1, 2**31 - 1, integer=True),) * 2))}

    def __init__(
        self,
        n_components=32,
        *,
        network="small",
        image_size=None,
        n_latent=0,
        loss="bpr",
        n_negatives=1,
        alpha=0.05,
        network_alpha=1e-4,
        network_rate=0.1,
        known_users="match",
        n_jobs=None,
        learning_rate=0.01,
        batch_size=2048,
        max_iter=10,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        tol=1e-4,
        warm_start=False,
        device="auto",
        random_state=None,
        verbose=False,
    ):
        self.n_components = n_components
        self.network = network
        self.image_size = image_size
        self.n_latent = n_latent
        self.loss = loss
        self.n_negatives = n_negatives
        self.alpha = alpha
        self.network_alpha = network_alpha
        self.network_rate = network_rate
        self.known_users = known_users
        self.n_jobs = n_jobs
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
        self.verbose = verbose

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.recommender_tags.reads |= {"images"}
        return tags

    def fit(self, X, y=None, *, item_features=None):
        """Learn the network and the vectors of users.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions, >= 0.
        y : ignored
            Present for scikit-learn's conventions; passed to callbacks.
        item_features : ItemFeatures, ndarray of shape (n_items, c, h, w), or sequence of \
                n_items paths, default=None
            Picture i shows the item of column i of X. Either bytes from 0 to 255 or floats from
            0 to 1, with c = 1 or c = 3, or a file; None for an item without a picture. None for
            all: no network, and items have learned vectors of length ``n_components + n_latent``.

        Returns
        -------
        self : DVBPR
            The fitted recommender.

        Raises
        ------
        ImportError
            If Pillow is needed, for files or another size, and missing.
        ValueError
            If a parameter, X or a picture is not valid, if the network does not make vectors of
            the right length, or the loss is not finite. The estimator then stays as it was.

        Warns
        -----
        ConvergenceWarning
            If the fit was interrupted: the model of the last whole epoch is kept.
        """
        return self._fit_weighted(X, None, y=y, side=SideInformation(item_features))

    def _start_side(self, X, **side):
        side = super()._start_side(X, **side)
        vars(self).pop("image_size_", None)
        if side.item_features is None:
            return side
        is_array = isinstance(side.item_features, np.ndarray)
        size = self.image_size if self.image_size or is_array else _FILE_SIZE
        images = Images(side.item_features, size, n_jobs=self.n_jobs)
        self.image_size_ = tuple(int(n) for n in images.size)
        return side._replace(item_features=images)

    def _build_module(self, shape, problem=None):
        size = getattr(self, "image_size_", None)
        network = None
        if size is not None:
            network = image_network(self.network, self.n_components, size)
            if problem is not None:
                check_network(network, self.n_components, size)
        module = PictureNet(*shape, self.n_components, self.n_latent, network)
        if problem is not None:
            self._draw(module, problem)
            if network is not None:
                module.images = DeviceImages(problem.item_features, problem.device)
        return module

    def _draw(self, module, problem):
        generator, users = problem.generator, module.user.weight
        first_rows(users, None, _STD / users.shape[1] ** 0.5, generator)
        if module.network is not None:
            with torch.no_grad():
                users[:, : self.n_components].uniform_(0, _MAX_FIRST, generator=generator)
        if module.item is not None:
            table = module.item.weight
            first_rows(table, has_users(problem.X), _STD / table.shape[1] ** 0.5, generator)

    def _parameter_groups(self, module):
        tables = [part.weight for part in (module.user, module.item) if part is not None]
        groups = [{"params": tables}]
        if module.network is not None:
            learned = [p for p in module.network.parameters() if p.requires_grad]
            rate = self.learning_rate * self.network_rate
            for is_weight, penalty in ((True, self.network_alpha), (False, 0.0)):
                some = [p for p in learned if (p.ndim > 1) == is_weight]
                groups.append({"params": some, "lr": rate, "weight_decay": penalty})
        return [group for group in groups if group["params"]]

    _draws_on_host = True

    def _loss(self, module, batch, step, generator):
        if module.network is None:
            return super()._loss(module, batch, step, generator)
        seed = int(torch.randint(2**31 - 1, (), generator=generator))
        with global_draws(seed, batch.users.device):  # of dropout
            return super()._loss(module, batch, step, generator)

    def _penalty(self, module, vector, item):
        penalty = vector.square().sum(1)
        if module.item is None:
            return penalty
        return penalty + module.item(item).square().sum((1, 2))

    def _hold_out(self, X, seed):
        """Hold out whole items if there are pictures; else see `LearnedUserRecommender`."""
        if not hasattr(self, "image_size_"):
            return super()._hold_out(X, seed)
        known = np.flatnonzero(has_users(X))
        n_held = min(max(1, round(self.validation_fraction * len(known))), len(known) - 1)
        if n_held < 1:
            return None
        chosen = np.sort(np.random.RandomState(seed).permutation(known)[:n_held])
        relevant = X[:, chosen]
        nothing = csr_array(relevant.shape, dtype=X.dtype)

        def score(module, problem):
            device = problem.device
            items = module.table(torch.from_numpy(chosen).to(device))
            users = module.user.weight.detach()

            def scores(rows):
                return (users[torch.from_numpy(rows).to(device)] @ items.t()).cpu().numpy()

            return ndcg_of_users(scores, nothing, relevant)

        entries = ~np.isin(X.indices, chosen)
        return HeldOut(np.arange(X.shape[0]), entries, score)

    def _item_vectors(self, module):
        items = module.table()
        return items, items.new_zeros(len(items))

    def _keep(self, module, problem):
        super()._keep(module, problem)
        # Counters of layers become floats too: a call loads all weights in one dtype.
        self.weights_ = {
            name: np.asarray(value, np.float32) for name, value in self.weights_.items()
        }

    @torch_state()
    def _extended(self, item_features):
        size = getattr(self, "image_size_", None)
        if size is None:
            raise ValueError(
                "DVBPR was fitted without item_features, so it cannot score an item by its "
                "picture. Fit it with item_features to add items."
            )
        device = resolve_device(self.device)
        images = Images(item_features, size, n_jobs=self.n_jobs)
        network = self._module(torch.float32, device).network
        items = torch.arange(len(images), device=device)
        pictured = DeviceImages(images, device).through(network, items).cpu().numpy()
        free = np.zeros((self.n_latent, len(images)), np.float32)
        longer = {"components_": np.hstack([self.components_, np.vstack([pictured.T, free])])}
        if self.n_latent:  # an item without users has zeros
            known = self.weights_["item.weight"]
            table = np.concatenate([known, np.zeros((len(images), known.shape[1]), known.dtype)])
            longer["weights_"] = {**self.weights_, "item.weight": table}
        new = np.zeros(len(images), np.float32)
        return {
            **longer,
            "item_bias_": np.concatenate([self.item_bias_, new]),
            "item_has_users_": np.concatenate([self.item_has_users_, new.astype(bool)]),
        }
