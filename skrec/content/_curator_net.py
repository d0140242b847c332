"""CuratorNet: layers make users' vectors from the looks of their items (Messina et al. 2020)."""

import numpy as np
import torch
from scipy.sparse import eye_array
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from torch.nn import functional

from skrec._factors import SimilarItemsMixin, factor_pairs
from skrec._torch._estimator import TORCH_RULES, TorchRecommender
from skrec._torch._held_entries import hold_out_entries
from skrec._torch._images import distinct_items
from skrec._torch._learned_users import has_users
from skrec._torch._rows import DeviceRows
from skrec.content._curator_module import CuratorModule, profiles_without
from skrec.content._curator_triplets import GuidelinesRule, LabelsRule, ShuffledTriplets
from skrec.content._features import FeatureTable
from skrec.content._looks import Looks, clusters
from skrec.content._standard import StandardTable, moments
from skrec.content._tables import seen_features
from skrec.utils._device import resolve_device
from skrec.utils._finite import arithmetic, require_finite
from skrec.utils._fitted import Array, required_if
from skrec.utils._parallel import row_chunks
from skrec.utils._params import NON_NEGATIVE, NONE, POSITIVE_INTEGER, SIZES, SIZES_OR_NONE, Interval
from skrec.utils._side_information import SideInformation
from skrec.utils._state_torch import torch_state


class CuratorNet(
    SimilarItemsMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, TorchRecommender
):
    r"""Layers make a user's vector from the looks of the user's items, and vectors of all items.

    Nothing is learned of single users [1]_. Layers g turn the features :math:`f_i` of item i into
    a vector. Layers h turn the vectors of the items P of a row, its profile, into a vector of the
    user:

    .. math:: v_i = g(f_i), \qquad
        x_P = h\Big( \Big[ \frac1{|P|} \sum_{i \in P} v_i \,;\; \max_{i \in P} v_i \Big] \Big),
        \qquad s_{Pi} = x_P^T v_i

    with the maximum taken component by component, and SELU after each layer, the last ones too.
    So a new row is scored like a training row, and an item without users by its features like any
    other. The layers are learned from triplets: item i should rank above item j for a profile P.
    They minimise

    .. math:: \frac{1}{|T|} \sum_{(P, i, j) \in T} \log(1 + e^{-(s_{Pi} - s_{Pj})})
        + \frac{\alpha}{2} \|W\|_F^2

    with the weights W of all layers, without their biases. For each interaction of a user u with
    an item i, each of the `guidelines` draws a triplet anew in each epoch:

    - "profile": item i above an item that the user does not have, for the user's *other* items;
    - "item": item i above any other item, for i alone as the profile;
    - "style": an item of the same group and cluster as i that the user does not have, above an item
      of a group and a cluster where the user has nothing; for all items of the user;
    - "group": another item of the group of i above an item of another group, for i alone; only
      where the looks agree: the cosine of i with the first is larger by `margin`.

    Groups are `item_groups`, artists in [1]_; k-means finds clusters of looks. The item j of the
    first two is drawn uniformly, with probability `cluster_share` within the cluster of i. An
    item without users is in no triplet. Only the set of a user's items matters, not the stored
    values.

    Parameters
    ----------
    hidden_layer_sizes : tuple of int, default=(200, 200)
        Sizes of the layers g over features. The last size is the length of the vectors.
    user_layer_sizes : tuple of int, default=(300, 300)
        Sizes of the layers h over profiles; a last layer of the length of the vectors follows.
    guidelines : tuple of str, default=("profile", "item", "style")
        The guidelines that draw triplets, of the four above, each once. "group" needs
        `item_groups`. Without groups "style" uses clusters alone, without features groups alone.
    item_groups : array-like of shape (n_items,) or None, default=None
        A label of each item, such as its artist: whole numbers or text. Only `fit` reads it.
    n_clusters : int, default=100
        Largest number of clusters of the items with users.
    cluster_share : float, default=0.6
        Share of j drawn within the cluster of i, in [0, 1].
    margin : float, default=0.1
        Least difference of the cosines in "group", >= 0.
    alpha : float, default=1e-4
        Penalty of the weights, >= 0.
    learning_rate : float, default=1e-3
        Adam's learning rate, > 0.
    batch_size : int, default=1024
        Triplets in a batch.
    max_iter : int, default=10
        Number of epochs; with `warm_start`, of further epochs.
    early_stopping : bool, default=False
        Whether to hold out items of the users, stop when the nDCG@100 of finding them no longer
        rises, and keep the best weights.
    validation_fraction : float, default=0.1
        Share of the items that `early_stopping` holds out, in (0, 1), of at most 10,000 users.
    n_iter_no_change : int, default=10
        Stop after this many epochs without a rise by more than `tol`.
    tol : float, default=1e-4
        Smallest rise of the validation score that counts, >= 0.
    warm_start : bool, default=False
        Whether a further `fit` continues from the fitted weights, with the first fit's
        standardisation. Pass the features again. Adam's moments start anew.
    device : {"auto", "cpu", "cuda", "cuda:N"} or torch.device, default="auto"
        Where to compute, resolved at each call; "auto" takes CUDA where there is one.
    random_state : int, RandomState or None, default=None
        Seed of the first weights, the clusters, the order and the triplets. The same seed gives
        the same bits on the same CPU.
    verbose : bool, default=False
        Whether to show a progress bar.

    Attributes
    ----------
    components_ : ndarray of shape (hidden_layer_sizes[-1], n_items), float32
        The vectors of the items.
    user_mean_ : ndarray of shape (hidden_layer_sizes[-1],), float32
        Mean vector of the training users; a row without items has it.
    feature_means_ : ndarray of shape (n_item_features,), float64
        Means of the features over the items with users, rows of zeros left out; only with
        features, as the next attribute.
    feature_deviations_ : ndarray of shape (n_item_features,), float64
        Standard deviations of the features; 0 for a constant one, which the layers ignore.
    weights_ : dict of str to ndarray, float32
        "first.weight" and "first.bias", the first layer over standardised features;
        "item...", the other layers over features; "user...", the layers over profiles.
    loss_curve_ : list of float
        Mean loss of a triplet over the batches of each epoch, without the penalty.
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
        Number of features; only if there were features.
    item_feature_names_in_ : ndarray of str of shape (n_item_features,)
        Only if the features had string column names.

    See Also
    --------
    VisRank : Scores by features without learning from the interactions.
    VBPR : Learns a vector for each user and each item.
    skrec.neural_network.YouTubeRecommender : The mean of learned vectors, and a softmax.

    Notes
    -----
    Features are standardised column by column; sparse ones stay sparse. A row of zeros means that
    nothing is known of an item: it remains zero, and the item counts as the mean item. Features
    made from the interactions, held-out ones included, leak what is to be predicted.

    In "profile" the item to rank high is left out of the profile, so a row of one item gives no
    such triplet. Leaving it out costs one subtraction for the mean, and one comparison with the
    second largest for the maximum. Two items whose features have a cosine above 1 - 1e-7 never
    rank one above the other. If 20 draws find no triplet for an interaction, it has none.

    *Time* of a batch: 6 flops for each weight of g and distinct item, and for each weight of h and
    triplet. K-means takes ``2 * n_items * n_clusters * n_item_features`` an iteration, once.
    *Memory*: the features three times, and the layers' outputs for a batch. Features are not kept.

    Differs from [1]_: "profile" leaves the item to rank high out of the profile, where the network
    could read it off (the authors' code leaves it in); triplets are drawn anew in each epoch,
    instead of ten million once, so that no search for duplicates is needed; the learning rate is
    constant, and larger; clusters use all features, where the authors' code keeps two principal
    components. The guidelines that need the order of a user's baskets are left out.

    References
    ----------
    .. [1] P. Messina, M. Cartagena, P. Cerda-Mardini, F. del Rio and D. Parra, "CuratorNet:
       visually-aware recommendation of art images", ComplexRec workshop at RecSys 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.content import CuratorNet
    >>> X = np.array([[1, 1, 0, 0, 0], [0, 0, 1, 1, 0]] * 10)  # nobody has the last item
    >>> F = np.array([[1, 0], [0.9, 0.1], [0, 1], [0.1, 0.9], [0.8, 0.2]])
    >>> model = CuratorNet((8, 4), user_layer_sizes=(8,), random_state=0)
    >>> model = model.fit(X, item_features=F)
    >>> model.predict(X[:1])
    array([4])
    >>> scores = model.decision_function(X[:2])
    >>> bool(scores[0, 4] > scores[1, 4])
    True
    >>> model.with_items([[0, 1]]).n_features_in_
    6
    """

    _parameter_rules = {
        "hidden_layer_sizes": SIZES,
        "user_layer_sizes": SIZES_OR_NONE,
        "guidelines": GuidelinesRule(),
        "item_groups": (NONE, LabelsRule()),
        "n_clusters": POSITIVE_INTEGER,
        "cluster_share": Interval(0, 1),
        "margin": NON_NEGATIVE,
        "alpha": NON_NEGATIVE,
        **{name: rule for name, rule in TORCH_RULES.items() if name != "precision"},
    }
    _score_unit = 1.0  # of the log odds
    _search_grid = [{"alpha": alpha} for alpha in (0.0, 1e-4, 1e-3)]

    _fitted_rules = {
        "components_": Array("n_components", "n_items", dtypes=("float32",)),
        "user_mean_": Array("n_components", dtypes=("float32",)),
        **{
            name: required_if(lambda self: hasattr(self, "n_item_features_in_"), rule)
            for name, rule in {
                "feature_means_": Array("n_item_features", dtypes=("float64",)),
                "feature_deviations_": Array("n_item_features", dtypes=("float64",), low=0),
            }.items()
        },
    }

    def __init__(
        self,
        hidden_layer_sizes=(200, 200),
        *,
        user_layer_sizes=(300, 300),
        guidelines=("profile", "item", "style"),
        item_groups=None,
        n_clusters=100,
        cluster_share=0.6,
        margin=0.1,
        alpha=1e-4,
        learning_rate=1e-3,
        batch_size=1024,
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
        self.hidden_layer_sizes = hidden_layer_sizes
        self.user_layer_sizes = user_layer_sizes
        self.guidelines = guidelines
        self.item_groups = item_groups
        self.n_clusters = n_clusters
        self.cluster_share = cluster_share
        self.margin = margin
        self.alpha = alpha
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

    def fit(self, X, y=None, *, item_features=None):
        """Learn the layers.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions, >= 0.
        y : ignored
            Present for scikit-learn's conventions; passed to callbacks.
        item_features : ItemFeatures, {array-like, sparse matrix, dataframe} of shape \
                (n_items, n_item_features), default=None
            Row i describes column i of X. None: only its place describes an item, so that the
            first layer is a learned table of items.

        Returns
        -------
        self : CuratorNet
            The fitted recommender.

        Raises
        ------
        ValueError
            If a parameter, X or the features are not valid, or the loss is not finite. The
            estimator then stays as it was.

        Warns
        -----
        ConvergenceWarning
            If the fit was interrupted: the model of the last whole epoch is kept.
        """
        return self._fit_weighted(X, None, y=y, side=SideInformation(item_features))

    def _start_fit(self, X, *, reset=True):
        X = super()._start_fit(X, reset=reset)
        n_labels = X.shape[1] if self.item_groups is None else len(self.item_groups)
        if n_labels != X.shape[1]:
            raise ValueError(
                f"item_groups must have one label for each item. Got {n_labels} labels for "
                f"{X.shape[1]} columns of X."
            )
        if "group" in self.guidelines and self.item_groups is None:
            raise ValueError(
                "The guideline 'group' needs item_groups, one label for each item. Got None; pass "
                "them, or leave 'group' out of guidelines."
            )
        return X

    def _build_module(self, shape, problem=None):
        n_features = getattr(self, "n_item_features_in_", shape[1])
        module = CuratorModule(
            n_features, tuple(self.hidden_layer_sizes), tuple(self.user_layer_sizes)
        )
        if problem is not None:
            self._draw(module, problem)
        return module

    def _draw(self, module, problem):
        kept, features = has_users(problem.X), problem.item_features
        if features is None:
            identity = eye_array(problem.X.shape[1], format="csr", dtype=np.float32)
            module.features, seen = FeatureTable(identity, problem.device), kept
            for name in ("feature_means_", "feature_deviations_"):  # of an earlier fit
                vars(self).pop(name, None)
        else:
            # A fit that continues keeps the unit of its first layer.
            if not self.n_iter_ or not hasattr(self, "feature_means_"):
                self.feature_means_, self.feature_deviations_ = moments(features, kept)
            module.features = self._standardised(features).on(problem.device)
            seen = (self.feature_deviations_ > 0) & seen_features(features, kept)
        # Without features, one input of an item is not zero: its place.
        n_inputs = 1 if features is None else max(1, int(seen.sum()))
        module.draw(seen, n_inputs, problem.generator)

    def _standardised(self, features):
        return StandardTable(features, self.feature_means_, self.feature_deviations_)

    def _batches(self, problem):
        def labels(kept):
            looks = cluster = group = None
            if self.item_groups is not None:
                group = np.unique(np.asarray(self.item_groups)[kept], return_inverse=True)[1]
            if problem.item_features is not None and len(kept):
                table = self._standardised(problem.item_features[kept])
                looks = Looks(table)
                cluster = clusters(table, self.n_clusters, problem.seed)
            return looks, cluster, group

        rules = {"cluster_share": self.cluster_share, "margin": self.margin}
        return ShuffledTriplets(problem, self.batch_size, self.guidelines, labels, **rules)

    def _parameter_groups(self, module):
        weights, biases = ([p for p in module.parameters() if p.ndim == n] for n in (2, 1))
        return [{"params": weights, "weight_decay": self.alpha}, {"params": biases}]

    def _loss(self, module, batch, step, generator):
        rows, single = batch.rows, batch.single
        parts = (rows.column, single, batch.positive, batch.negative)
        item, place = distinct_items(torch.cat(parts), module.features.n_items)
        column, single, positive, negative = place.split([len(part) for part in parts])
        vectors = module.items(item)  # (m, d)
        # The item to rank high is left out of the row.
        own = torch.where(batch.own >= 0, positive[: len(batch.own)], -1)
        of_rows = profiles_without(rows._replace(column=column), vectors, batch.place, own)
        alone = functional.embedding(single, vectors)
        users = module.user(torch.cat([of_rows, alone.repeat(1, 2)]))  # (b, d)
        above = functional.embedding(positive, vectors) - functional.embedding(negative, vectors)
        return (batch.weight * functional.softplus(-(users * above).sum(1))).mean()

    def _hold_out(self, X, seed):
        """Hold out entries of at most 10,000 users; see `TorchRecommender`."""

        def make_scores(module, problem):
            items = module.all_items()

            def scores(users):
                rows = DeviceRows(problem.X[users], problem.device).everything()
                with torch.inference_mode():
                    return (module.users(rows, items) @ items.t()).cpu().numpy()

            return scores

        return hold_out_entries(X, self.validation_fraction, seed, make_scores)

    def _keep(self, module, problem):
        super()._keep(module, problem)
        items = module.all_items()
        self.components_ = np.ascontiguousarray(items.cpu().numpy().T)
        total, X = np.zeros(items.shape[1]), problem.X[np.diff(problem.X.indptr) > 0]
        for start, stop in row_chunks(X.shape[0], 8 * 4 * items.shape[1]):
            rows = DeviceRows(X[start:stop], problem.device).everything()
            with torch.inference_mode():
                total += module.users(rows, items).double().sum(0).cpu().numpy()
        self.user_mean_ = (total / max(1, X.shape[0])).astype(np.float32)

    def _users(self, module, rows):
        """Vectors of users and of all items, shapes (n_rows, d) and (n_items, d)."""
        items = torch.tensor(self.components_.T, dtype=rows.value.dtype, device=rows.value.device)
        users = module.users(rows, items)
        is_empty = torch.bincount(rows.row, minlength=rows.n_rows) == 0
        mean = torch.tensor(self.user_mean_, dtype=users.dtype, device=users.device)
        return torch.where(is_empty[:, None], mean, users), items

    def _score(self, module, rows):
        users, items = self._users(module, rows)
        return users @ items.t()

    def _pair_scores(self, X, rows, items):
        if not len(rows):
            return np.empty(0, X.dtype)
        wanted, group = np.unique(rows, return_inverse=True)
        vectors = self._encoded(X[wanted], lambda module, rows: self._users(module, rows)[0])
        return factor_pairs(vectors, self.components_.astype(X.dtype, copy=False), group, items)

    @property
    def _n_features_out(self):
        return len(self.components_)

    def transform(self, X):
        """Vectors of users.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions of the users, known or new.

        Returns
        -------
        vectors : ndarray of shape (n_users, hidden_layer_sizes[-1]), dtype of X
            The layers' output for the rows' items; `user_mean_` for rows without items.
        """
        X = self._start_dense(X, self._n_features_out)
        return self._encoded(X, lambda module, rows: self._users(module, rows)[0])

    @torch_state()
    def _extended(self, item_features):
        what = "The vectors of the new items"
        device = resolve_device(self.device)
        module = self._module(torch.float32, device)
        with arithmetic(what):
            table = self._standardised(item_features)
        module.features = table.on(device)
        new = require_finite(module.all_items().cpu().numpy().T, what)
        return {"components_": np.hstack([self.components_, new])}
