"""DeepFMClassifier and DeepFMRegressor: a factorization machine and layers on one table."""

from skrec.content._fm import SCORING
from skrec.content._row_model import ROW_RULES
from skrec.content._row_targets import RowClassifier, RowRegressor
from skrec.utils._params import BOOLEAN, FRACTION, SIZES_OR_NONE

LAYER_RULES = {
    "hidden_layer_sizes": SIZES_OR_NONE,
    "dropout": FRACTION,
    "batch_norm": BOOLEAN,
}


class DeepFMClassifier(RowClassifier):
    r"""Classifier of rows of fields: a factorization machine and layers over the same vectors.

    Rows x of columns in fields f, with the vectors :math:`e_f = \sum_{j \in f} v_j x_j`, have the
    log odds [1]_

    .. math:: s(x) = b + \sum_j w_j x_j + \sum_{f < g} e_f^T e_g
        + h^T \mathrm{MLP}([e_1, \ldots, e_F])

    and `fit` minimises, by Adam over batches,

    .. math:: \frac{1}{\sum_i \omega_i} \sum_i \omega_i \, \ell(y_i, s(x_i))
        + \frac{\alpha}{2} \sum_j \|v_j\|^2 + \frac{\alpha_w}{2} \sum_j w_j^2

    with the logistic loss and the weights :math:`\omega` of rows; alpha is `alpha`, and
    :math:`\alpha_w` is `linear_alpha`. With more than two classes, each class has its own w and
    vectors, the layers read the vectors of all classes, and the loss is the softmax loss.

    Parameters
    ----------
    n_components : int, default=16
        Length d of the vectors. 0: logistic regression.
    categorical_features : "from_dtype", None or array-like, default="from_dtype"
        Columns of a dataframe or array that hold categories, as numbers or text: a mask of shape
        (n_features,), places or names. "from_dtype": columns of a dataframe whose dtype is
        category, text or object. All other columns are numbers.
    fields : array-like of int or str of shape (n_features,), default=None
        The field of each column of a sparse matrix (or array) of one-hot and multi-hot columns.
        None: each column of a sparse matrix is a field of its own.
    hidden_layer_sizes : tuple of int, default=(128, 64)
        Sizes of the ReLU layers over the vectors of all fields; (): no layers.
    dropout : float, default=0.2
        Share of the hidden units set to zero in training.
    batch_norm : bool, default=False
        Whether to standardise the outputs of each layer over the batch, before its ReLU.
    alpha : float, default=0.0
        Penalty of the vectors.
    linear_alpha : float, default=0.0
        Penalty of the weights.
    learning_rate : float, default=0.003
        Adam's learning rate.
    schedule : {"constant", "linear"}, default="constant"
        Whether the learning rate stays constant or falls linearly to 0.
    batch_size : int or "auto", default="auto"
        Rows in a batch. "auto": a 200th of the rows, from 32 to 4,096.
    max_iter : int, default=30
        Number of epochs; with early stopping, the most.
    init_scale : float, default=0.01
        Standard deviation of the first vectors.
    early_stopping : bool or "auto", default="auto"
        Whether to hold out rows and keep the best epoch. "auto": with more than 10,000 rows.
    scoring : {"loss", "roc_auc"}, default="loss"
        Score for early stopping; "roc_auc" needs two classes.
    validation_fraction : float, default=0.1
        Share of the rows of each class that is held out.
    n_iter_no_change : int, default=3
        Stop after this many epochs without a rise by more than `tol`.
    tol : float, default=1e-4
        Smallest improvement that counts in early stopping.
    warm_start : bool, default=False
        Whether `fit` continues from the last fit, with its categories and scales.
    device : {"auto", "cpu", "cuda", "cuda:N"} or torch.device, default="auto"
        Where to compute.
    random_state : int, RandomState or None, default=None
        Seed of the first vectors, batches, dropout and held-out rows.
    verbose : bool, default=False
        Whether to show a progress bar.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels, ascending.
    fields_ : object
        The columns as `fit` saw them: categories, means, scales and fields.
    weights_ : dict of str to ndarray of float32
        The state of the network: ``linear.weight`` (n_columns, n_outputs), ``linear.bias``,
        ``vectors`` (n_columns, n_components * n_outputs),
        ``hidden.0.weight`` and so on of the layers, ``norms.0.mean`` and so on with `batch_norm`,
        ``head.weight`` (n_outputs, hidden_layer_sizes[-1]).
    loss_curve_ : list of float
        Mean loss of each epoch, with the penalties.
    validation_scores_ : list of float
        Mean log likelihood or AUC of the held-out rows after each epoch.
    best_validation_score_ : float
        The highest validation score; only with early stopping.
    n_iter_ : int
        Number of epochs, over all fits.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of str of shape (n_features,)
        Only if X has string column names.

    See Also
    --------
    DeepFMRegressor : The same for numbers.
    FMClassifier : The same without the layers.
    ContentRecommender : Turns a classifier of rows into a recommender.

    Notes
    -----
    Without layers the model equals `FMClassifier`, to the bit. Layers learn what many rows have in
    common. Two epochs too many are worse than no layers, so hold rows out.

    **Columns.** A category is one column of x, which is 1 or 0. A category unseen in `fit` has
    weights of zero and does not count. A missing category has its own weights, learned if `fit`
    saw missing ones. Numbers are centred and divided by their standard deviation; a missing number
    has its own column. In a sparse matrix, columns are divided by their largest absolute value, and
    the n entries of a row in one field by sqrt(n). A row without entries in a field has a column
    that says so, unless each column is a field.

    **Weights of rows.** Equal rows with equal targets become one row of greater weight, and rows
    are sorted by content before any random draw. So a weight of 2 equals repeating the row, to the
    bit, and the order of the rows does not matter.

    **Batch norm.** `batch_norm` scales the outputs of a layer by their mean and variance over the
    batch, in which a row counts once whatever its weight. Predictions use running averages.

    Differs from [1]_: numbers have vectors, so they take part in the products of pairs; dropout
    follows each layer, none precedes the first; the layers are smaller by default.

    References
    ----------
    .. [1] H. Guo, R. Tang, Y. Ye, Z. Li and X. He, "DeepFM: a factorization-machine based neural
       network for CTR prediction", IJCAI 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.content import DeepFMClassifier
    >>> X = np.array([["ann", "jazz"], ["ann", "rock"], ["bob", "jazz"], ["bob", "rock"]] * 20)
    >>> y = np.array([1, 0, 0, 1] * 20)
    >>> model = DeepFMClassifier(2, categorical_features=[0, 1], hidden_layer_sizes=(8,),
    ...                          init_scale=0.3, learning_rate=0.05, random_state=0).fit(X, y)
    >>> model.predict(X[:4])
    array([1, 0, 0, 1])
    """

    _parameter_rules = {"scoring": SCORING, **LAYER_RULES, **ROW_RULES}

    def __init__(
        self,
        n_components=16,
        *,
        categorical_features="from_dtype",
        fields=None,
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


class DeepFMRegressor(RowRegressor):
    r"""Regressor of rows of fields: a factorization machine and layers over the same vectors.

    The s(x) of `DeepFMClassifier`, for the standardised target [1]_; `fit` minimises

    .. math:: \frac{1}{2 \sum_i \omega_i} \sum_i \omega_i \, (y_i - s(x_i))^2
        + \frac{\alpha}{2} \sum_j \|v_j\|^2 + \frac{\alpha_w}{2} \sum_j w_j^2

    by Adam over batches.

    Parameters
    ----------
    n_components : int, default=16
        Length d of the vectors. 0: ridge regression.
    categorical_features : "from_dtype", None or array-like, default="from_dtype"
        Columns of a dataframe or array that hold categories, as numbers or text: a mask of shape
        (n_features,), places or names. "from_dtype": columns of a dataframe whose dtype is
        category, text or object. All other columns are numbers.
    fields : array-like of int or str of shape (n_features,), default=None
        The field of each column of a sparse matrix (or array) of one-hot and multi-hot columns.
        None: each column of a sparse matrix is a field of its own.
    hidden_layer_sizes : tuple of int, default=(128, 64)
        Sizes of the ReLU layers over the vectors of all fields; (): no layers.
    dropout : float, default=0.2
        Share of the hidden units set to zero in training.
    batch_norm : bool, default=False
        Whether to standardise the outputs of each layer over the batch, before its ReLU.
    alpha : float, default=0.0
        Penalty of the vectors.
    linear_alpha : float, default=0.0
        Penalty of the weights.
    learning_rate : float, default=0.003
        Adam's learning rate.
    schedule : {"constant", "linear"}, default="constant"
        Whether the learning rate stays constant or falls linearly to 0.
    batch_size : int or "auto", default="auto"
        Rows in a batch. "auto": a 200th of the rows, from 32 to 4,096.
    max_iter : int, default=30
        Number of epochs; with early stopping, the most.
    init_scale : float, default=0.01
        Standard deviation of the first vectors.
    early_stopping : bool or "auto", default="auto"
        Whether to hold out rows and keep the best epoch. "auto": with more than 10,000 rows.
    validation_fraction : float, default=0.1
        Share of the rows held out.
    n_iter_no_change : int, default=3
        Stop after this many epochs without a rise by more than `tol`.
    tol : float, default=1e-4
        Smallest improvement that counts in early stopping.
    warm_start : bool, default=False
        Whether `fit` continues from the last fit, with its categories and scales.
    device : {"auto", "cpu", "cuda", "cuda:N"} or torch.device, default="auto"
        Where to compute.
    random_state : int, RandomState or None, default=None
        Seed of the first vectors, batches, dropout and held-out rows.
    verbose : bool, default=False
        Whether to show a progress bar.

    Attributes
    ----------
    fields_ : object
        The columns as `fit` saw them: categories, means, scales and fields.
    weights_ : dict of str to ndarray of float32
        The state of the network: ``linear.weight`` (n_columns, n_outputs), ``linear.bias``,
        ``vectors`` (n_columns, n_components * n_outputs),
        ``hidden.0.weight`` and so on of the layers, ``norms.0.mean`` and so on with `batch_norm`,
        ``head.weight`` (n_outputs, hidden_layer_sizes[-1]).
    loss_curve_ : list of float
        Mean loss of each epoch, with the penalties.
    validation_scores_ : list of float
        Minus the mean loss of the held-out rows, in standardised values, after each epoch.
    best_validation_score_ : float
        The highest validation score; only with early stopping.
    n_iter_ : int
        Number of epochs, over all fits.
    target_mean_, target_scale_ : float
        Mean and standard deviation of y, which is standardised while fitting.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of str of shape (n_features,)
        Only if X has string column names.

    See Also
    --------
    DeepFMClassifier : The same for classes, with more on the model.
    FMRegressor : The same without the layers.

    Notes
    -----
    **Columns.** A category is one column of x, which is 1 or 0. A category unseen in `fit` has
    weights of zero and does not count. A missing category has its own weights, learned if `fit`
    saw missing ones. Numbers are centred and divided by their standard deviation; a missing number
    has its own column. In a sparse matrix, columns are divided by their largest absolute value, and
    the n entries of a row in one field by sqrt(n). A row without entries in a field has a column
    that says so, unless each column is a field.

    **Weights of rows.** Equal rows with equal targets become one row of greater weight, and rows
    are sorted by content before any random draw. So a weight of 2 equals repeating the row, to the
    bit, and the order of the rows does not matter.

    Differs from [1]_ as `DeepFMClassifier` does; the paper predicts clicks only.

    References
    ----------
    .. [1] H. Guo, R. Tang, Y. Ye, Z. Li and X. He, "DeepFM: a factorization-machine based neural
       network for CTR prediction", IJCAI 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.content import DeepFMRegressor
    >>> X = np.array([["ann", "jazz"], ["ann", "rock"], ["bob", "jazz"], ["bob", "rock"]] * 20)
    >>> y = np.array([5, 1, 1, 5] * 20)
    >>> model = DeepFMRegressor(2, categorical_features=[0, 1], hidden_layer_sizes=(8,), dropout=0,
    ...                         init_scale=0.3, learning_rate=0.05, max_iter=200, random_state=0)
    >>> model.fit(X, y).predict(X[:4]).round(1)
    array([5., 1., 1., 5.])
    """

    _parameter_rules = {**LAYER_RULES, **ROW_RULES}

    def __init__(
        self,
        n_components=16,
        *,
        categorical_features="from_dtype",
        fields=None,
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
