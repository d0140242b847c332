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

    With "implicit" feedback its label is 1, and rows of the same user, in the same context, with
    `n_negatives` items drawn among those that the user has not and somebody has, are labelled 0.
    With :math:`e_f`, the sum of the vectors of what a row x has in field f, and :math:`\phi(x)`,
    the products of what it has in two fields that are crossed, the score is [1]_

    .. math:: s(x) = b + w^T [x, \phi(x)] + h^T \mathrm{MLP}([e_1, \ldots, e_F])

    and `fit` minimises, by Adam over batches of rows,

    .. math:: \frac{1}{\sum_r \omega_r} \sum_r \omega_r \, \ell(y_r, s(x_r))
        + \frac{\alpha}{2} \sum_j \|v_j\|^2 + \frac{\alpha_w}{2} \|w\|^2

    with the logistic loss, or half the squared error of standardised ratings; alpha is `alpha`,
    and :math:`\alpha_w` is `linear_alpha`. Scores are log odds, or ratings.

    Parameters
    ----------
    n_components : int, default=16
        Length d of the vectors. 0: there is no deep part.
    fields : dict of str to list of str, default=None
        The field of each column of a table, such as ``{"item_features": ["genre"] * 18 +
        ["year"]}``; keys are "user_features", "item_features" and "context". The columns of a
        table that is not named, or of all with None, are one field called as the table.
    cross_features : list of (str, str), default=None
        Pairs of fields that are crossed: "user" and "item", which are the ids, and those that
        `fields` names, such as ``[("user_features", "genre"), ("context", "item")]``. None: the
        wide part is linear, and adds to what an item is liked by all only.
    n_cross_buckets : int, default=262144
        Columns for the crosses of a pair; more crosses than that share columns, by a hash.
    hidden_layer_sizes : tuple of int, default=(128, 64)
        Sizes of the ReLU layers over the vectors of all fields. (): there is no
        deep part.
    dropout : float, default=0.2
        Share of the hidden units that is set to zero in training.
    batch_norm : bool, default=False
        Whether what each layer makes is standardised over the batch, before its ReLU.
    n_negatives : int, default=4
        Rows with label 0 for each interaction; "implicit" only.
    use_ids : bool, default=True
        Whether rows have the ids of users, and of items where there are item features; without
        item features, items always have theirs.
    feedback : {"implicit", "rating"}, default="implicit"
        What values of X mean. For "implicit" only which items a user has matters, but for
        `weights`.
    weights : {"uniform", "value"}, default="uniform"
        What an interaction weighs beside a drawn item: 1, or its value, as in YouTube's ranking
        model; see `ContentRecommender`.
    alpha : float, default=0.0
        Penalty of the vectors.
    linear_alpha : float, default=0.0
        Penalty of the weights of columns and crosses.
    learning_rate : float, default=0.003
        Of Adam.
    batch_size : int or "auto", default="auto"
        Rows in a batch. "auto": a 200th of the rows, from 32 to 4,096.
    max_iter : int, default=30
        Epochs, or the most of them.
    init_scale : float, default=0.01
        Standard deviation of the first vectors.
    early_stopping : bool or "auto", default="auto"
        Whether rows are held out, and the epoch of the least loss is kept. "auto": from 10,001
        rows on, drawn items included.
    validation_fraction : float, default=0.1
        Share of the rows that is held out.
    n_iter_no_change : int, default=3
        Epochs without a fall of the loss by `tol` after which to stop.
    tol : float, default=1e-4
        Tolerance of early stopping.
    device : {"auto", "cpu", "cuda", "cuda:N"} or torch.device, default="auto"
        Where torch computes. May be changed after ``fit``.
    random_state : int, RandomState or None, default=None
        Seed of drawn items, first vectors, batches, dropout and held-out rows.
    verbose : bool, default=False
        Whether to show a progress bar.

    Attributes
    ----------
    estimator_ : WideAndDeepClassifier or WideAndDeepRegressor
        The fitted model of rows; a `DummyRegressor` where all labels are the same.
    item_columns_ : ndarray of int64 of shape (n_items,)
        Which column of ids an item has in rows; -1: none, as it had no users, or rows have no ids.
    item_known_ : csr_array of shape (n_items, n_item_features)
        The features of items; only if there were any.
    user_hashes_ : ndarray of uint64 of shape (n_users, 2)
        By which training users are known again; with ``use_ids=True`` only.
    user_mean_ : ndarray of shape (n_own,)
        Mean of the weights of the training users: their own, and those of their crosses. Without a
        deep part only, as the next two.
    user_precision_ : ndarray of shape (n_own, n_own)
        Inverse of their covariance.
    seed_ : int
        Of the items that are drawn where a row is folded in.
    loss_curve_ : list of float
        Mean loss of each epoch, with the penalties.
    validation_scores_ : list of float
        Of each epoch, minus the mean loss of held-out rows; with early stopping only.
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
    WideAndDeepClassifier : The same model over tables that have no user and no item.

    Notes
    -----
    **Crosses.** A cross of a field of the user or the context with one of the item remembers who
    or what goes with which items: ("user", "genre") is a weight for each user and genre, and
    ("context", "item") one for each situation and item. A cross within the user's side, or within
    the item's, is the same for all items, or for all users.

    **New users.** A row of X with the content of a training row is that user. Any other row is an
    unknown user. With layers, it has the vector 0 in the field of the user, is in no cross of it,
    and is told from others by its features and context alone: without any, all unknown users have
    one list. Without a deep part (``n_components=0``, or no layers) the score is linear in the
    weights that a user has, and those of an unknown user are folded in as `DeepFM` does it, if they
    are at most 128: one, and one for each column that the field of the user is crossed with.

    **New items** are scored by their features, with the vector 0 in the field of the item.

    **Context.** ``fit`` takes an `InteractionContext`, and scoring takes one row for each row of X,
    or for each pair. Where a pair has many contexts use ``fit_rows``.

    **Fields.** The n values of a row in one field are divided by sqrt(n), and columns by their
    largest absolute value. In the layers a field is one vector, the sum of those of its
    values, so that a table of numbers is projected. Columns that say different things, such
    as a genre and a year, want fields of their own.

    All pairs of a user and an item that are scored are made into rows, in chunks. That costs a
    prediction of the network for each item, many times that of a factor model: rank what another
    model retrieves, by `~skrec.ensemble.TwoStageRecommender`.

    Differs from [1]_: negatives are drawn, where the paper has impressions; Adam for both parts,
    where the paper has FTRL with an L1 penalty for the wide and AdaGrad for the deep one; smaller
    layers, with dropout.

    References
    ----------
    .. [1] H.-T. Cheng et al., "Wide & deep learning for recommender systems",
       DLRS 2016.

    Examples
    --------
    Which item is taken in which situation is remembered by crosses alone:

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
        """Of each pair of fields with that of the user: its number, order, and other columns."""
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
