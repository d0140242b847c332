"""WideAndDeepClassifier and WideAndDeepRegressor: weights that remember, layers that generalise."""

from skrec.content._deep_fm import LAYER_RULES
from skrec.content._fm import SCORING
from skrec.content._row_crosses import CROSS_RULES, CrossesMixin
from skrec.content._row_model import ROW_RULES
from skrec.content._row_targets import RowClassifier, RowRegressor


class WideAndDeepClassifier(CrossesMixin, RowClassifier):
    r"""Linear weights of columns and crosses beside layers over vectors, that tell classes apart.

    Rows x of columns in fields f, with the vectors :math:`e_f = \sum_{j \in f} v_j x_j` and the
    products :math:`\phi(x)` of crossed categories, have the log odds [1]_

    .. math:: s(x) = b + w^T [x, \phi(x)] + h^T \mathrm{MLP}([e_1, \ldots, e_F])

    and `fit` minimises, for both parts at once by Adam over batches,

    .. math:: \frac{1}{\sum_i \omega_i} \sum_i \omega_i \, \ell(y_i, s(x_i))
        + \frac{\alpha}{2} \sum_j \|v_j\|^2 + \frac{\alpha_w}{2} \|w\|^2

    with the logistic loss and the weights :math:`\omega` of rows; alpha is `alpha`, and
    :math:`\alpha_w` is `linear_alpha`. With more than two classes each has a w and an h, and the
    loss is that of their softmax.

    Parameters
    ----------
    n_components : int, default=16
        Length d of the vectors. 0: there is no deep part.
    categorical_features : "from_dtype", None or array-like, default="from_dtype"
        Columns of a dataframe or array that hold categories, numbers or text: a mask of shape
        (n_features,), places or names. "from_dtype": those of a dataframe whose dtype is a
        category, text or object. All others are numbers.
    fields : array-like of int or str of shape (n_features,), default=None
        To which field each column belongs, for a sparse matrix (or array) of one-hot and multi-hot
        columns. None: each column of a sparse matrix is a field of its own.
    cross_features : list of (str, str) or of (int, int), default=None
        Pairs of fields whose categories are crossed: names or places of columns, or labels of
        `fields`.
    n_cross_buckets : int, default=262144
        Columns for the crosses of a pair; more crosses than that share columns, by a hash.
    hidden_layer_sizes : tuple of int, default=(128, 64)
        Sizes of the ReLU layers over the vectors of all fields; (): there is no such part.
    dropout : float, default=0.2
        Share of the hidden units that is set to zero in training.
    batch_norm : bool, default=False
        Whether what each layer makes is standardised over the batch, before its ReLU.
    alpha : float, default=0.0
        Penalty of the vectors.
    linear_alpha : float, default=0.0
        Penalty of the weights of columns and crosses.
    learning_rate : float, default=0.003
        Of Adam.
    schedule : {"constant", "linear"}, default="constant"
        Whether the learning rate stays, or falls to 0 in a straight line.
    batch_size : int or "auto", default="auto"
        Rows in a batch. "auto": a 200th of the rows, from 32 to 4,096.
    max_iter : int, default=30
        Epochs, or the most of them.
    init_scale : float, default=0.01
        Standard deviation of the first vectors.
    early_stopping : bool or "auto", default="auto"
        Whether rows are held out, and the best epoch is kept. "auto": from 10,001 rows on.
    scoring : {"loss", "roc_auc"}, default="loss"
        What early stopping looks at; "roc_auc" for two classes.
    validation_fraction : float, default=0.1
        Share of the rows, of each class, that is held out.
    n_iter_no_change : int, default=3
        Epochs without a rise by `tol` after which to stop.
    tol : float, default=1e-4
        Tolerance of early stopping.
    warm_start : bool, default=False
        Whether `fit` goes on from the last fit, with its categories and scales.
    device : {"auto", "cpu", "cuda", "cuda:N"} or torch.device, default="auto"
        Where torch computes.
    random_state : int, RandomState or None, default=None
        Seed of the first vectors, batches, dropout and held-out rows.
    verbose : bool, default=False
        Whether to show a progress bar.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels, ascending.
    fields_ : object
        What was learned of the columns: categories, means, scales, fields.
    weights_ : dict of str to ndarray of float32
        The state of the network: ``linear.weight`` (n_columns, n_outputs), ``linear.bias``,
        ``crosses`` (n_crosses, n_outputs), and with layers
        ``vectors`` (n_columns, n_components),
        ``hidden.0.weight`` and so on of the layers, ``norms.0.mean`` and so on with `batch_norm`,
        ``head.weight`` (n_outputs, hidden_layer_sizes[-1]).
    loss_curve_ : list of float
        Mean loss of each epoch, with the penalties.
    validation_scores_ : list of float
        Of each epoch; mean log likelihood or AUC.
    best_validation_score_ : float
        The highest of them; with early stopping only.
    n_iter_ : int
        Epochs of all fits.
    cross_pairs_ : ndarray of int64 of shape (n_pairs, 2)
        Places of the fields that are crossed.
    cross_sizes_ : ndarray of int64 of shape (n_pairs,)
        How many columns the crosses of each pair have.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of str of shape (n_features,)
        Only if X has string column names.

    See Also
    --------
    WideAndDeepRegressor : The same for numbers.
    DeepFMClassifier : Products of vectors in place of chosen crosses.
    ContentRecommender : Makes a recommender of a classifier of rows.

    Notes
    -----
    **Crosses.** Only pairs that `cross_features` names are crossed: a column for each pair of
    categories that a row has in two fields, which are the weights that remember. Without them the
    wide part is linear. A pair with more possible crosses than `n_cross_buckets` shares columns by
    a hash of both categories. A category that `fit` has not seen is in no cross. Numbers are not
    crossed: `KBinsDiscretizer` makes categories of them.

    **Columns.** A category is one column of x, which is 1 or 0. One that `fit` has not seen has
    weights of zero: it says nothing. A missing one has weights of its own, learned if there were
    such rows. Numbers are centred and divided by their standard deviation; a missing number is a
    column of its own. Of a sparse matrix, columns are divided by their largest absolute value, the
    n entries of a row in one field by sqrt(n), and a row without entries in a field has a column
    that says so (not where each column is a field).

    **Weights of rows.** Equal rows with equal targets are one row of greater weight, and rows are
    put into an order by content before chance has a say. So a weight of 2 is the same as a row
    twice, to the bit, and the order of the rows does not matter.

    **Batch norm.** With `batch_norm` the outputs of a layer are scaled by the mean and the variance
    of the batch, in which a row counts once whatever its weight; predictions use running ones.

    Differs from [1]_: Adam for both parts, where the paper has FTRL with an L1 penalty for the wide
    and AdaGrad for the deep one; numbers have vectors; smaller layers, with dropout.

    References
    ----------
    .. [1] H.-T. Cheng et al., "Wide & deep learning for recommender systems",
       DLRS 2016.

    Examples
    --------
    Which pairs are liked is remembered by crosses alone, without a deep part:

    >>> import numpy as np
    >>> from skrec.content import WideAndDeepClassifier
    >>> X = np.array([["ann", "jazz"], ["ann", "rock"], ["bob", "jazz"], ["bob", "rock"]] * 20)
    >>> y = np.array([1, 0, 0, 1] * 20)
    >>> model = WideAndDeepClassifier(categorical_features=[0, 1], cross_features=[(0, 1)],
    ...                               hidden_layer_sizes=(), random_state=0).fit(X, y)
    >>> model.predict(X[:4])
    array([1, 0, 0, 1])
    """

    _parameter_rules = {"scoring": SCORING, **CROSS_RULES, **LAYER_RULES, **ROW_RULES}

    def __init__(
        self,
        n_components=16,
        *,
        categorical_features="from_dtype",
        fields=None,
        cross_features=None,
        n_cross_buckets=262144,
        hidden_layer_sizes=(128, 64),
        dropout=0.2,
        batch_norm=False,
        alpha=0.0,
        linear_alpha=0.0,
        learning_rate=0.003,
        schedule="constant",
        batch_size="auto",
        max_iter=30,
        init_scale=0.01,
        early_stopping="auto",
        scoring="loss",
        validation_fraction=0.1,
        n_iter_no_change=3,
        tol=1e-4,
        warm_start=False,
        device="auto",
        random_state=None,
        verbose=False,
    ):
        self.n_components = n_components
        self.categorical_features = categorical_features
        self.fields = fields
        self.cross_features = cross_features
        self.n_cross_buckets = n_cross_buckets
        self.hidden_layer_sizes = hidden_layer_sizes
        self.dropout = dropout
        self.batch_norm = batch_norm
        self.alpha = alpha
        self.linear_alpha = linear_alpha
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.init_scale = init_scale
        self.early_stopping = early_stopping
        self.scoring = scoring
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.device = device
        self.random_state = random_state
        self.verbose = verbose


class WideAndDeepRegressor(CrossesMixin, RowRegressor):
    r"""Linear weights of columns and crosses beside layers over vectors, that predict numbers.

    The s(x) of `WideAndDeepClassifier`, for the standardised target [1]_; `fit` minimises

    .. math:: \frac{1}{2 \sum_i \omega_i} \sum_i \omega_i \, (y_i - s(x_i))^2
        + \frac{\alpha}{2} \sum_j \|v_j\|^2 + \frac{\alpha_w}{2} \|w\|^2

    by Adam over batches.

    Parameters
    ----------
    n_components : int, default=16
        Length d of the vectors. 0: there is no deep part.
    categorical_features : "from_dtype", None or array-like, default="from_dtype"
        Columns of a dataframe or array that hold categories, numbers or text: a mask of shape
        (n_features,), places or names. "from_dtype": those of a dataframe whose dtype is a
        category, text or object. All others are numbers.
    fields : array-like of int or str of shape (n_features,), default=None
        To which field each column belongs, for a sparse matrix (or array) of one-hot and multi-hot
        columns. None: each column of a sparse matrix is a field of its own.
    cross_features : list of (str, str) or of (int, int), default=None
        Pairs of fields whose categories are crossed: names or places of columns, or labels of
        `fields`.
    n_cross_buckets : int, default=262144
        Columns for the crosses of a pair; more crosses than that share columns, by a hash.
    hidden_layer_sizes : tuple of int, default=(128, 64)
        Sizes of the ReLU layers over the vectors of all fields; (): there is no such part.
    dropout : float, default=0.2
        Share of the hidden units that is set to zero in training.
    batch_norm : bool, default=False
        Whether what each layer makes is standardised over the batch, before its ReLU.
    alpha : float, default=0.0
        Penalty of the vectors.
    linear_alpha : float, default=0.0
        Penalty of the weights of columns and crosses.
    learning_rate : float, default=0.003
        Of Adam.
    schedule : {"constant", "linear"}, default="constant"
        Whether the learning rate stays, or falls to 0 in a straight line.
    batch_size : int or "auto", default="auto"
        Rows in a batch. "auto": a 200th of the rows, from 32 to 4,096.
    max_iter : int, default=30
        Epochs, or the most of them.
    init_scale : float, default=0.01
        Standard deviation of the first vectors.
    early_stopping : bool or "auto", default="auto"
        Whether rows are held out, and the best epoch is kept. "auto": from 10,001 rows on.
    validation_fraction : float, default=0.1
        Share of the rows that is held out.
    n_iter_no_change : int, default=3
        Epochs without a rise by `tol` after which to stop.
    tol : float, default=1e-4
        Tolerance of early stopping.
    warm_start : bool, default=False
        Whether `fit` goes on from the last fit, with its categories and scales.
    device : {"auto", "cpu", "cuda", "cuda:N"} or torch.device, default="auto"
        Where torch computes.
    random_state : int, RandomState or None, default=None
        Seed of the first vectors, batches, dropout and held-out rows.
    verbose : bool, default=False
        Whether to show a progress bar.

    Attributes
    ----------
    fields_ : object
        What was learned of the columns: categories, means, scales, fields.
    weights_ : dict of str to ndarray of float32
        The state of the network: ``linear.weight`` (n_columns, n_outputs), ``linear.bias``,
        ``crosses`` (n_crosses, n_outputs), and with layers
        ``vectors`` (n_columns, n_components),
        ``hidden.0.weight`` and so on of the layers, ``norms.0.mean`` and so on with `batch_norm`,
        ``head.weight`` (n_outputs, hidden_layer_sizes[-1]).
    loss_curve_ : list of float
        Mean loss of each epoch, with the penalties.
    validation_scores_ : list of float
        Of each epoch; minus the mean loss of standardised values.
    best_validation_score_ : float
        The highest of them; with early stopping only.
    n_iter_ : int
        Epochs of all fits.
    target_mean_, target_scale_ : float
        Mean and standard deviation of y, which is standardised while fitting.
    cross_pairs_ : ndarray of int64 of shape (n_pairs, 2)
        Places of the fields that are crossed.
    cross_sizes_ : ndarray of int64 of shape (n_pairs,)
        How many columns the crosses of each pair have.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of str of shape (n_features,)
        Only if X has string column names.

    See Also
    --------
    WideAndDeepClassifier : The same for classes, with more on the model.
    DeepFMRegressor : Products of vectors in place of chosen crosses.

    Notes
    -----
    **Crosses.** Only pairs that `cross_features` names are crossed: a column for each pair of
    categories that a row has in two fields, which are the weights that remember. Without them the
    wide part is linear. A pair with more possible crosses than `n_cross_buckets` shares columns by
    a hash of both categories. A category that `fit` has not seen is in no cross. Numbers are not
    crossed: `KBinsDiscretizer` makes categories of them.

    **Columns.** A category is one column of x, which is 1 or 0. One that `fit` has not seen has
    weights of zero: it says nothing. A missing one has weights of its own, learned if there were
    such rows. Numbers are centred and divided by their standard deviation; a missing number is a
    column of its own. Of a sparse matrix, columns are divided by their largest absolute value, the
    n entries of a row in one field by sqrt(n), and a row without entries in a field has a column
    that says so (not where each column is a field).

    **Weights of rows.** Equal rows with equal targets are one row of greater weight, and rows are
    put into an order by content before chance has a say. So a weight of 2 is the same as a row
    twice, to the bit, and the order of the rows does not matter.

    Differs from [1]_: as `WideAndDeepClassifier` does; the paper predicts clicks only.

    References
    ----------
    .. [1] H.-T. Cheng et al., "Wide & deep learning for recommender systems",
       DLRS 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.content import WideAndDeepRegressor
    >>> X = np.array([["ann", "jazz"], ["ann", "rock"], ["bob", "jazz"], ["bob", "rock"]] * 20)
    >>> y = np.array([5, 1, 1, 5] * 20)
    >>> model = WideAndDeepRegressor(categorical_features=[0, 1], cross_features=[(0, 1)],
    ...                              hidden_layer_sizes=(), learning_rate=0.05, max_iter=200)
    >>> model.fit(X, y).predict(X[:4]).round(1)
    array([5., 1., 1., 5.])
    """

    _parameter_rules = {**CROSS_RULES, **LAYER_RULES, **ROW_RULES}

    def __init__(
        self,
        n_components=16,
        *,
        categorical_features="from_dtype",
        fields=None,
        cross_features=None,
        n_cross_buckets=262144,
        hidden_layer_sizes=(128, 64),
        dropout=0.2,
        batch_norm=False,
        alpha=0.0,
        linear_alpha=0.0,
        learning_rate=0.003,
        schedule="constant",
        batch_size="auto",
        max_iter=30,
        init_scale=0.01,
        early_stopping="auto",
        validation_fraction=0.1,
        n_iter_no_change=3,
        tol=1e-4,
        warm_start=False,
        device="auto",
        random_state=None,
        verbose=False,
    ):
        self.n_components = n_components
        self.categorical_features = categorical_features
        self.fields = fields
        self.cross_features = cross_features
        self.n_cross_buckets = n_cross_buckets
        self.hidden_layer_sizes = hidden_layer_sizes
        self.dropout = dropout
        self.batch_norm = batch_norm
        self.alpha = alpha
        self.linear_alpha = linear_alpha
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.init_scale = init_scale
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.device = device
        self.random_state = random_state
        self.verbose = verbose
