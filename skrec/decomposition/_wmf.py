"""WMF: weighted matrix factorisation of implicit feedback by alternating least squares."""

import numpy as np
from sklearn.utils import check_random_state

from skrec._weighted_factors import WeightedFactorsMixin
from skrec.base import BaseRecommender
from skrec.utils._device import cpu_or_device
from skrec.utils._dtype import computation_dtype
from skrec.utils._fitted import Number
from skrec.utils._params import (
    NON_NEGATIVE,
    NONE,
    POSITIVE,
    POSITIVE_INTEGER,
    Options,
)
from skrec.utils._progress import ProgressBar
from skrec.utils._sparse import transposed
from skrec.utils._statistics import Pass
from skrec.utils._validation import check_sample_weight
from skrec.utils._wmf_als import (
    alternate,
    row_penalty,
    vanishing_penalty,
    vanishing_penalty_of,
)
from skrec.utils._wmf_parts import Problem, counts_of_part, sweep_rounds

# ``alpha="auto"`` takes this share of the penalty that shrinks the vectors to nothing.
_SHARE = 0.05


class WMF(WeightedFactorsMixin, BaseRecommender):
    r"""Weighted matrix factorisation of implicit feedback (iALS).

    Fits the product of user vectors :math:`w_u` and item vectors :math:`h_i` to 1 where
    user u has item i (the set S) and to 0 elsewhere. With the weights

    .. math:: c_{ui} = c_0 + \kappa x_{ui} \text{ for } (u, i) \in S, \quad
        c_{ui} = c_0 \text{ elsewhere},

    the model minimises over all cells of the matrix

    .. math:: \sum_{u, i} c_{ui} \left( [(u, i) \in S] - w_u^T h_i \right)^2
        + \alpha \left( \sum_u f_u \|w_u\|^2 + \sum_i f_i \|h_i\|^2 \right)

    where :math:`f_u = (|S_u| + c_0 n_{items})^\nu` and
    :math:`f_i = (|S_i| + c_0 n_{users})^\nu`, by alternating least squares.

    - Hu et al. [1]_: ``unobserved_weight=1`` and ``frequency_exponent=0``. Their
      :math:`r_{ui}` is :math:`x_{ui}`, their :math:`\alpha` is `confidence`, their
      :math:`\lambda` is `alpha`, so that :math:`c_{ui} = 1 + \kappa x_{ui}`.
    - iALS of Rendle et al. [2]_: binary X and ``confidence=1``. Their
      :math:`\alpha_0` is `unobserved_weight`, their :math:`\nu` is `frequency_exponent`,
      and `alpha` is :math:`\lambda (1 + \alpha_0)`. See Notes.

    Scores estimate the preference: about 1 for an item that the user would take.

    Parameters
    ----------
    n_components : int, default=64
        Length d of the vectors.
    confidence : float, default=1.0
        Weight :math:`\kappa` of a stored value of 1, > 0.
    alpha : float or "auto", default="auto"
        Penalty, > 0. Good values depend much on `frequency_exponent`: with 1, they are about
        0.002 to 0.02 on dense data, and lower the sparser X is; with 0, about 1 to a few
        hundred. "auto": a share of the penalty that would shrink all vectors to nothing, see
        Notes.
    unobserved_weight : float, default=0.1
        Weight :math:`c_0` of the cells that X does not store, >= 0.
    frequency_exponent : float, default=1.0
        Exponent :math:`\nu` of the weighted number of cells in a vector's row or column, >= 0.
        0 penalises all vectors alike, 1 every cell.
    solver : {"cg", "cholesky"}, default="cg"
        How `fit` solves for a vector: by a few steps of conjugate gradients from its last value
        [3]_, or exactly. New rows are always solved exactly.
    cg_steps : int, default=3
        Most steps of conjugate gradients. A vector stops early if its residual is rounding.
    max_iter : int, default=16
        Sweeps over the users and the items.
    init_scale : float, default=0.1
        Expected length of the initial item vectors, > 0.
    dtype : {None, "float32", "float64"}, default=None
        Type of the vectors and of the systems. None: float64 up to 1,024 items, float32
        above.
    device : {"cpu", "auto", "cuda", "cuda:N"} or torch.device, default="cpu"
        Where the vectors are solved for; CUDA uses torch. A sweep moves no vector between devices.
    random_state : int, RandomState or None, default=None
        Seed of the initial item vectors.
    n_jobs : int or None, default=None
        Threads; None: all cores. The vectors do not depend on it.
    verbose : bool, default=False
        Whether to show a progress bar.

    Attributes
    ----------
    alpha_ : float
        The penalty in use.
    components_ : ndarray of shape (n_components, n_items)
        Item vectors.
    user_factors_ : ndarray of shape (n_users, n_components)
        Vectors of the training users, solved exactly: ``transform`` of the training rows, but for
        rounding. Absent after a fit over parts (`skrec.dask.fit`), which leaves the users with
        the parts.
    loss_curve_ : list of float
        The objective in each sweep, after solving for the users and before the items.
    n_iter_ : int
        Sweeps made.
    n_features_in_ : int
        Number of items.
    feature_names_in_ : ndarray of str of shape (n_items,)
        Only if X has string column names.

    See Also
    --------
    PureSVD : All cells alike, in closed form.
    BPR : Pairs of items instead of cells.
    skrec.linear_model.EASE : Item-item weights by least squares.

    Notes
    -----
    Every row, known or new, is scored with the vector that solves its own least squares
    problem for fixed items. A sweep takes about 4 d (2 `cg_steps` + 2) flops for each
    stored entry and 8 d**2 for each user and item, since conjugate gradients run in the basis
    in which the Gram matrix of the other side is diagonal ("cholesky": 2 d**2 and d**3 / 3).
    Memory holds the vectors, a copy of the vectors of one side, and a transposed copy of X. The
    first item vectors are drawn in the order of the items. Another order of the items gives other
    vectors; scores then agree only as far as the sweeps have converged.

    With ``frequency_exponent=1`` the penalty of a fixed `alpha` grows with the catalogue. If all
    rows are alike and all columns are alike, the vectors shrink to nothing, and `fit` warns, if
    `alpha` exceeds

    .. math:: \alpha_{\max} = \frac{\sum_{(u, i) \in S} c_{ui}}
        {\sqrt{n_{users} n_{items} \bar f_{user} \bar f_{item}}} ,

    where :math:`\bar f` are the f of rows and columns of mean length. If some items are far more
    popular than others, the limit is a few times as high. ``alpha="auto"`` is 5 % of
    :math:`\alpha_{\max}`. On validation users of eight data sets with up to 2,000 items its
    nDCG@100 is .95 to 1.00 of the best of 13 settings. On three with 5,000 to 22,000 items it is
    .93 to 1.00 of the best of 9; the earlier default, an `alpha` of .01, reaches .54 to 1.00
    (docs/benchmarks, defaults). With many items and short rows an `unobserved_weight` of .01 is
    better still.

    In [2]_ an observed cell counts twice: with weight 1 and target 1, and with weight
    :math:`\alpha_0` and target 0. That equals weight :math:`1 + \alpha_0` and target
    :math:`1 / (1 + \alpha_0)`. With a penalty of :math:`1 + \alpha_0` times theirs, the
    minimisers differ by a factor and the rankings are the same.

    References
    ----------
    .. [1] Y. Hu, Y. Koren, C. Volinsky, "Collaborative filtering for implicit feedback
       datasets", ICDM 2008.
    .. [2] S. Rendle, W. Krichene, L. Zhang, Y. Koren, "Revisiting the performance of iALS
       on item recommendation benchmarks", RecSys 2022.
    .. [3] G. Takács, I. Pilászy, D. Tikk, "Applications of the conjugate gradient method
       for implicit feedback collaborative filtering", RecSys 2011.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.decomposition import WMF
    >>> X = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 1, 1], [0, 0, 1, 1], [1, 0, 0, 0]])
    >>> model = WMF(n_components=2, random_state=0).fit(X)
    >>> model.predict([[1, 0, 0, 0], [0, 0, 0, 1]])
    array([1, 2])
    """

    _parameter_rules = {
        "n_components": POSITIVE_INTEGER,
        "confidence": POSITIVE,
        "alpha": (Options(("auto",)), POSITIVE),
        "unobserved_weight": NON_NEGATIVE,
        "frequency_exponent": NON_NEGATIVE,
        "solver": Options(("cg", "cholesky")),
        "cg_steps": POSITIVE_INTEGER,
        "max_iter": POSITIVE_INTEGER,
        "init_scale": POSITIVE,
        "dtype": (NONE, Options(("float32", "float64"))),
    }
    _score_unit = 1.0  # of the preference
    _search_grid = [
        {"n_components": n_components, "unobserved_weight": weight, "alpha": alpha}
        for n_components in (64, 128)
        for weight in (0.1, 0.3)
        for alpha in ("auto", 0.003)
    ]

    _fitted_rules = {"alpha_": Number(0)}

    def __init__(
        self,
        n_components=64,
        *,
        confidence=1.0,
        alpha="auto",
        unobserved_weight=0.1,
        frequency_exponent=1.0,
        solver="cg",
        cg_steps=3,
        max_iter=16,
        init_scale=0.1,
        dtype=None,
        device="cpu",
        random_state=None,
        n_jobs=None,
        verbose=False,
    ):
        self.n_components = n_components
        self.confidence = confidence
        self.alpha = alpha
        self.unobserved_weight = unobserved_weight
        self.frequency_exponent = frequency_exponent
        self.solver = solver
        self.cg_steps = cg_steps
        self.max_iter = max_iter
        self.init_scale = init_scale
        self.dtype = dtype
        self.device = device
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(self, X, y=None, *, sample_weight=None):
        """Learn the item vectors.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions, >= 0; stored values are weights of the ones.
        y : ignored
            Present for scikit-learn's conventions.
        sample_weight : array-like of shape (n_users,), default=None
            Weights of the users; a weight of 2 is the same as the row twice.

        Returns
        -------
        self : WMF
            The fitted recommender.

        Raises
        ------
        ValueError
            If a parameter or X is not valid, if the device is absent, or if the weights are so
            large that the vectors overflow.

        Warns
        -----
        UserWarning
            If the penalty shrinks the vectors to nothing, see Notes.
        """
        X = self._start_fit(X)
        weight = check_sample_weight(sample_weight, X.shape[0], np.float64)
        self.alpha_ = self._chosen_alpha(X, weight)
        items = self._first_items(X.shape[1])
        self.loss_curve_ = self._descend(X, items, weight)
        self.n_iter_ = len(self.loss_curve_)
        self._check_items(items)
        self._keep_factors(X, items)
        return self

    def _first_items(self, n_items):
        # The draws depend on the items alone, not on the users.
        items = check_random_state(self.random_state).normal(size=(n_items, self.n_components))
        items *= self.init_scale / np.sqrt(self.n_components)
        return items.astype(computation_dtype(self.dtype, n_items))

    def _check_items(self, items):
        if not np.isfinite(items).all():
            raise ValueError(
                f"The item vectors overflow {items.dtype}. Got confidence={self.confidence}, "
                f"alpha={self.alpha_:g}, frequency_exponent={self.frequency_exponent}: scale X, "
                'lower the largest of these, or use dtype="float64".'
            )

    def _rounds(self, facts):
        """Sweeps that solve for users where their parts are, see `skrec.utils._wmf_parts`."""
        if self.solver != "cg":
            raise ValueError(
                'WMF over parts sums the products of conjugate gradients. Got solver="cholesky", '
                'which would send the systems of all items: use solver="cg".'
            )
        if getattr(cpu_or_device(self.device), "type", "cpu") != "cpu" and self.device != "auto":
            raise ValueError(
                f'WMF over parts computes on the CPU. Got device={self.device!r}: use "cpu".'
            )
        weights = {
            name: getattr(self, name)
            for name in ("confidence", "unobserved_weight", "frequency_exponent")
        }
        self.alpha_ = self.alpha
        if isinstance(self.alpha, str):
            sizes = (facts.n_entries, facts.n_users, facts.n_items, facts.total)
            self.alpha_ = _SHARE * vanishing_penalty_of(*sizes, **weights)
        problem = Problem(float(self.alpha_), **weights, cg_steps=self.cg_steps, n_jobs=self.n_jobs)
        counts = yield Pass(counts_of_part, again=True)
        items = self._first_items(facts.n_items)
        penalty = problem.penalty(counts, facts.n_users)
        self.loss_curve_ = []
        for _ in ProgressBar(range(self.max_iter), "WMF", shown=self.verbose):
            first = not self.loss_curve_
            loss = yield from sweep_rounds(problem, items, penalty, counts > 0, first=first)
            self.loss_curve_.append(loss)
        self.alpha_, self.n_iter_ = problem.alpha, len(self.loss_curve_)
        self._check_items(items)
        self._set_items(items)

    def _chosen_alpha(self, X, weight):
        if not isinstance(self.alpha, str):
            return float(self.alpha)
        return _SHARE * vanishing_penalty(
            X,
            weight,
            confidence=self.confidence,
            unobserved_weight=self.unobserved_weight,
            frequency_exponent=self.frequency_exponent,
        )

    def _descend(self, X, items, weight):
        """Change the item vectors by `max_iter` sweeps; return the losses."""
        if weight is not None:  # users of weight 0 do not take part
            X, weight = X[weight > 0], weight[weight > 0]
        users = np.zeros((X.shape[0], self.n_components), dtype=items.dtype)
        steps = self._half_steps(X, weight)
        sweeps = ProgressBar(range(self.max_iter), "WMF", shown=self.verbose)
        return alternate(*steps, users, items, weight, sweeps, n_jobs=self.n_jobs)

    def _half_steps(self, X, sample_weight):
        """The solvers for the users and for the items."""
        weight = np.ones(X.shape[0]) if sample_weight is None else sample_weight
        counts = np.bincount(X.indices, np.repeat(weight, np.diff(X.indptr)), X.shape[1])
        item_penalty = self._penalty(counts, weight.sum())
        cg_steps = 0 if self.solver == "cholesky" else self.cg_steps
        return (
            self._half_step(X, self._user_penalty(X), np.ones(X.shape[1]), cg_steps=cg_steps),
            self._half_step(
                transposed(X, n_jobs=self.n_jobs), item_penalty, weight, cg_steps=cg_steps
            ),
        )

    def _penalty(self, counts, total):
        return row_penalty(
            counts,
            total,
            alpha=self.alpha_,
            unobserved_weight=self.unobserved_weight,
            frequency_exponent=self.frequency_exponent,
        )

    def _user_penalty(self, X):
        return self._penalty(np.diff(X.indptr), X.shape[1])
