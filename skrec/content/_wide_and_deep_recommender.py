"""WideAndDeep: chosen crosses and layers over users, items, features and context."""

import numpy as np

from skrec.content._field_recommender import FIELD_RULES, USER, FieldRecommender
from skrec.content._row_crosses import CROSS_RULES, cross_columns
from skrec.content._wide_and_deep import WideAndDeepClassifier, WideAndDeepRegressor


class WideAndDeep(FieldRecommender):
    r"""Weights of chosen crosses and layers over rows of a user, an item, features and context.

    Each interaction is a row of fields

    .. math:: [\, \mathrm{user\ id},\ \mathrm{user\ features},\ \mathrm{context},\
        \mathrm{item\ id},\ \mathrm{item\ features} \,]

    With "implicit" feedback its label is 1. For each interaction, `n_negatives` rows of the same
    user in the same context have the label 0; their items are drawn among those that somebody has
    and this user does not. :math:`e_f` is the sum of the vectors of the values of a row x in field
    f, and :math:`\phi(x)` holds the products of its values in two crossed fields. The score is
    [1]_

    .. math:: s(x) = b + w^T [x, \phi(x)] + h^T \mathrm{MLP}([e_1, \ldots, e_F])

    and `fit` minimises, by Adam over batches of rows,

    .. math:: \frac{1}{\sum_r \omega_r} \sum_r \omega_r \, \ell(y_r, s(x_r))
        + \frac{\alpha}{2} \sum_j \|v_j\|^2 + \frac{\alpha_w}{2} \|w\|^2

    with the logistic loss, or half the squared error of standardised ratings; alpha is `alpha`,
    and :math:`\alpha_w` is `linear_alpha`. Scores are log odds, or ratings.

    Parameters
    ----------
    n_components : int, default=16
        Length d of the vectors. 0: no deep part.
    fields : dict of str to list of str, default=None
        The field of each column of a table, such as ``{"item_features": ["genre"] * 18 +
        ["year"]}``; keys are "user_features", "item_features" and "context". A table that is not
        named is one field with the table's name; with None each table is.
    cross_features : list of (str, str), default=None
        Pairs of fields to cross: "user" and "item", which are the ids, and those that `fields`
        names, such as ``[("user_features", "genre"), ("context", "item")]``. None: the wide part
        is linear, and adds only the popularity of items.
    n_cross_buckets : int, default=262144
        Most columns for the crosses of a pair; if there are more crosses, a hash shares columns.
    hidden_layer_sizes : tuple of int, default=(128, 64)
        Sizes of the ReLU layers over the vectors of all fields. (): no deep part.
    dropout : float, default=0.2
        Share of the hidden units set to zero in training.
    batch_norm : bool, default=False
        Whether to standardise the outputs of each layer over the batch, before its ReLU.
    n_negatives : int, default=4
        Rows with label 0 for each interaction; only for "implicit".
    use_ids : bool, default=True
        Whether rows have the ids of users, and of items where there are item features. Without
        item features, rows always have the ids of items.
    feedback : {"implicit", "rating"}, default="implicit"
        Meaning of the values of X. For "implicit" only the set of a user's items matters, except
        with ``weights="value"``.
    weights : {"uniform", "value"}, default="uniform"
        Weight of an interaction, where a drawn item weighs 1: 1, or its value, as in YouTube's
        ranking model; see `ContentRecommender`.
    alpha : float, default=0.0
        Penalty of the vectors.
    linear_alpha : float, default=0.0
        Penalty of the weights of columns and crosses.
    learning_rate : float, default=0.003
        Adam's learning rate.
    batch_size : int or "auto", default="auto"
        Rows in a batch. "auto": a 200th of the rows, from 32 to 4,096.
    max_iter : int, default=30
        Number of epochs; with early stopping, the most.
    init_scale : float, default=0.01
        Standard deviation of the first vectors.
    early_stopping : bool or "auto", default="auto"
        Whether to hold out rows and keep the epoch of least loss. "auto": with more than 10,000
        rows, drawn items included.
    validation_fraction : float, default=0.1
        Share of the rows held out.
    n_iter_no_change : int, default=3
        Stop after this many epochs without a fall of the loss by more than `tol`.
    tol : float, default=1e-4
        Smallest improvement that counts in early stopping.
    device : {"auto", "cpu", "cuda", "cuda:N"} or torch.device, default="auto"
        Where to compute. May be changed after ``fit``.
    random_state : int, RandomState or None, default=None
        Seed of drawn items, first vectors, batches, dropout and held-out rows.
    verbose : bool, default=False
        Whether to show a progress bar.

    Attributes
    ----------
    estimator_ : WideAndDeepClassifier or WideAndDeepRegressor
        The fitted model of rows; a `DummyRegressor` where all labels are the same.
    item_columns_ : ndarray of int64 of shape (n_items,)
        Column of an item's id in rows; -1 if the item had no users or rows have no ids.
    item_known_ : csr_array of shape (n_items, n_item_features)
        The features of items; only if there were any.
    user_hashes_ : ndarray of uint64 of shape (n_users, 2)
        Hashes that identify the rows of training users; only with ``use_ids=True``.
    user_mean_ : ndarray of shape (n_own,)
        Mean of the weights of the training users: their own, and their crosses'. Only
        without a deep part, as the next two.
    user_precision_ : ndarray of shape (n_own, n_own)
        Inverse of the covariance of these numbers.
    seed_ : int
        Seed of the items drawn to fold a row in.
    loss_curve_ : list of float
        Mean loss of each epoch, with the penalties.
    validation_scores_ : list of float
        Minus the mean loss of the held-out rows after each epoch; only with early stopping.
    n_iter_ : int
        Epochs.
    n_features_in_ : int
        Number of items.
    feature_names_in_ : ndarray of str of shape (n_items,)
        Only if X has string column names.

    See Also
    --------
    DeepFM : Products of the vectors of all fields in place of chosen crosses.
    ContentRecommender : Rows of pairs for any classifier or regressor.
    WideAndDeepClassifier : The same model for tables without users and items.

    Notes
    -----
    **Crosses.** A cross of a field of the user or the context with a field of the item memorises
    which values go with which items: ("user", "genre") is a weight for each user and genre, and
    ("context", "item") one for each situation and item. A cross within the user's side is the same
    for all items, one within the item's side the same for all users.

    **New users.** A row of X that equals a training row is that user. Any other row is an unknown
    user. With layers, an unknown user has the vector 0 in the user field and is in no cross of
    it: only features and context tell unknown users apart, and without them all have the same
    list. Without a deep part (``n_components=0``, or no layers) the score is linear in the weights
    of a user: one, and one for each column that the user field is crossed with. If these are at
    most 128, they are folded in for an unknown user, as by `DeepFM`.

    **New items** are scored by their features, with the vector 0 in the item field.

    **Context.** ``fit`` takes an `InteractionContext`; scoring takes one row for each row of X, or
    for each pair. Use ``fit_rows`` where a pair has many contexts.

    **Fields.** The n values of a row in one field are divided by sqrt(n), and columns by their
    largest absolute value. In the layers a field is one vector, the sum of the vectors of its
    values, so a table of numbers is projected. Give columns of different kinds, such as genre
    and year, fields of their own.

    *Time*: scoring makes a row for each pair of a user and an item, in chunks. That costs one
    prediction of the network per item, many times the cost of a factor model. Let another model
    retrieve items to rank, by `~skrec.ensemble.TwoStageRecommender`.

    Differs from [1]_: negatives are drawn, where the paper has impressions; Adam fits both parts,
    where the paper has FTRL with an L1 penalty for the wide and AdaGrad for the deep one; layers
    are smaller, with dropout.

    References
    ----------
    .. [1] H.-T. Cheng et al., "Wide & deep learning for recommender systems",
       DLRS 2016.

    Examples
    --------
    Crosses alone memorise which item is taken in which situation:

    >>> import numpy as np
    >>> from scipy.sparse import csr_array
    >>> from skrec import InteractionContext
    >>> from skrec.content import WideAndDeep
    >>> X = csr_array(np.tile([[1, 1, 0, 0], [0, 0, 1, 1]], (20, 1)))
    >>> morning = (X.indices % 2 == 0)[:, None]  # items 0 and 2
    >>> context = InteractionContext(np.hstack([morning, ~morning]), X.indptr)
    >>> model = WideAndDeep(0, cross_features=[("context", "item"), ("user", "item")],
    ...                     learning_rate=0.05, random_state=0)
    >>> model.fit(X, context=context).recommend(
    ...     X[:2], k=1, context=[[1, 0], [1, 0]], exclude_seen=False
    ... ).ravel()
    array([0, 2])
    """

    _max_own = 128
    _parameter_rules = {**FIELD_RULES, **CROSS_RULES}
    _search_grid = [
        {"hidden_layer_sizes": sizes, "linear_alpha": alpha}
        for sizes in ((64,), (128, 64))
        for alpha in (0.0, 1e-7, 1e-6, 1e-5)
    ]
    _row_models = (WideAndDeepClassifier, WideAndDeepRegressor)

    def __init__(
        self,
        n_components=16,
        *,
        fields=None,
        cross_features=None,
        n_cross_buckets=262144,
        hidden_layer_sizes=(128, 64),
        dropout=0.2,
        batch_norm=False,
        n_negatives=4,
        use_ids=True,
        feedback="implicit",
        weights="uniform",
        alpha=0.0,
        linear_alpha=0.0,
        learning_rate=0.003,
        batch_size="auto",
        max_iter=30,
        init_scale=0.01,
        early_stopping="auto",
        validation_fraction=0.1,
        n_iter_no_change=3,
        tol=1e-4,
        device="auto",
        random_state=None,
        verbose=False,
    ):
        self.n_components = n_components
        self.fields = fields
        self.cross_features = cross_features
        self.n_cross_buckets = n_cross_buckets
        self.hidden_layer_sizes = hidden_layer_sizes
        self.dropout = dropout
        self.batch_norm = batch_norm
        self.n_negatives = n_negatives
        self.use_ids = use_ids
        self.feedback = feedback
        self.weights = weights
        self.alpha = alpha
        self.linear_alpha = linear_alpha
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.init_scale = init_scale
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def _user_crosses(self, model):
        """For each pair with the user's field: its number, its order, and its other columns."""
        fields = model.fields_
        user = fields.field_number(USER, None)
        for number, pair in enumerate(model.cross_pairs_.tolist()):
            if user in pair:
                other = pair[1 - pair.index(user)]
                columns = np.flatnonzero((fields.field_ == other) & fields.seen_)
                yield number, pair, columns

    def _learned_numbers(self, model, columns):
        learned = [model.weights_["linear.weight"][columns]]
        field = model.fields_.field_
        for number, pair, others in self._user_crosses(model):
            start, width = np.searchsorted(field, pair), np.bincount(field)[pair]
            ids, rest = columns[:, None], others[None, :]
            first, second = (ids, rest) if field[columns[0]] == pair[0] else (rest, ids)
            crosses = (first - start[0]) * width[1] + (second - start[1])
            place = cross_columns(crosses, width.prod(), model.cross_sizes_[number])
            place = place.reshape(crosses.shape) + model.cross_sizes_[:number].sum()
            learned.append(model.weights_["crosses"][place, 0])
        return np.hstack(learned)

    def _design(self, model, rows):
        columns = [others for _, _, others in self._user_crosses(model)]
        parts = [rows[:, others].toarray() for others in columns]
        return np.hstack([np.ones((rows.shape[0], 1)), *parts])
