"""CTR: item factors around vectors of their texts (Wang and Blei 2011), which an SVD makes."""

import numpy as np
from sklearn.utils import check_random_state

from skrec.base import BaseRecommender
from skrec.content._tables import mean_length
from skrec.content._text_factors import (
    TEXT_RULES,
    TextFactorsMixin,
    check_texts,
    drawn_items,
    filled,
    read_texts,
)
from skrec.decomposition import PureSVD
from skrec.utils._dtype import computation_dtype
from skrec.utils._fitted import Absent, Array
from skrec.utils._params import POSITIVE_INTEGER
from skrec.utils._progress import ProgressBar
from skrec.utils._sparse import has_users


class CTR(TextFactorsMixin, BaseRecommender):
    r"""Collaborative topic regression: weighted item factors around vectors of their texts.

    :math:`\theta_i` is a short vector of the text of item i, and S are the interactions. Stored
    entries weigh :math:`c_{ui} = c_0 + \kappa x_{ui}`, missing entries :math:`c_{ui} = c_0`. The
    vectors of users and items minimise

    .. math:: \sum_u \sum_{i \,\mathrm{has\ users}} c_{ui}
        \left( [(u, i) \in S] - u_u^T v_i \right)^2 + \alpha \sum_u \|u_u\|^2
        + \alpha_V \sum_{i \,\mathrm{has\ users}} \|v_i - \theta_i\|^2

    by alternating least squares, each step solved exactly [1]_. Unlike in [1]_, the
    :math:`\theta_i` come from a truncated singular value decomposition instead of LDA: the texts,
    divided by their mean length, are projected on the leading right singular vectors of all of
    them. CTR is the cheapest of the three models of this kind; `CDL` and `CVAE` learn
    :math:`\theta` with the vectors.

    The vector of an item without users comes from its :math:`\theta`, see `cold_items`;
    `with_items` adds items that were not columns of X. Every row, known or new, is scored with the
    vector that solves its own least squares problem, as in `~skrec.decomposition.WMF`. Scores
    estimate the preference: about 1 for items that a user would take.

    Parameters
    ----------
    n_components : int, default=50
        Length of the vectors. Texts of lower rank leave zeros in the other components.
    confidence : float, default=1.0
        Weight :math:`\kappa` of a stored value of 1, > 0. The paper's a is
        :math:`\kappa + c_0`.
    unobserved_weight : float or "auto", default="auto"
        Weight :math:`c_0` of a missing entry, >= 0; the paper's b, which is .01.
        "auto": ten times the share of stored entries among the cells of items with users, at
        least .01 and at most .1, see Notes.
    alpha : float, default=1.0
        Penalty of the users' vectors, > 0; the paper's :math:`\lambda_u`.
    item_alpha : float, default=1.0
        How strongly the vectors of items are tied to :math:`\theta`, > 0; the paper's
        :math:`\lambda_v`.
    learned_texts : {"known", "all"}, default="known"
        The texts that the SVD is fitted to: those of items with users, or all. With "all"
        the text of an item without users changes the other vectors.
    cold_items : {"shrunk", "text"}, default="shrunk"
        The vectors of items without users. "shrunk" minimises the objective for an item that
        nobody has,
        :math:`(c_0 U^T U + \alpha_V I)^{-1} \alpha_V \theta_i`. "text" is :math:`\theta_i` itself,
        as in the papers; such items then rank too high among those with users, see Notes.
    max_iter : int, default=10
        Sweeps over the users and the items.
    device : {"cpu", "auto", "cuda", "cuda:N"} or torch.device, default="cpu"
        Where to solve for the vectors. CUDA needs torch.
    random_state : int, RandomState or None, default=None
        Seed of the noise added to :math:`\theta` in the first item vectors, and of the SVD.
    n_jobs : int or None, default=None
        Threads; None: all cores. The vectors do not depend on it.
    verbose : bool, default=False
        Whether to show a progress bar.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_items)
        The vectors of the items.
    user_factors_ : ndarray of shape (n_users, n_components)
        The vectors of the training users: ``transform`` of the training rows.
    unobserved_weight_ : float
        The weight of a missing entry.
    item_has_users_ : ndarray of bool of shape (n_items,)
        Which items had users at `fit`.
    text_components_ : ndarray of shape (n_components, n_item_features), float64
        ``item_features @ text_components_.T`` are the :math:`\theta`; only with features, as the
        next attribute.
    text_mean_ : ndarray of shape (n_components,), float64
        The :math:`\theta` of items whose features are all zero: the mean over the learned texts.
    loss_curve_ : list of float
        The objective in each sweep, between the users' and the items' half.
    n_iter_ : int
        Number of sweeps.
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
    CDL : A denoising autoencoder reads the texts and also learns from the interactions.
    CVAE : The same with a variational autoencoder.
    skrec.decomposition.WMF : The same without texts.
    skrec.neighbors.ItemKNN : With ``item_features``, joins similarities of texts and of users.

    Notes
    -----
    CTR reads the weights of words as given: make them with scikit-learn's TfidfVectorizer or
    TfidfTransformer. Without ``item_features`` all :math:`\theta` are zero, and the model is
    `~skrec.decomposition.WMF` with ``frequency_exponent=0`` and two penalties.

    The missing entries of an item without users have no weight in the users' problems, so that
    such columns change no other score. In a row to score, an item that had no users at `fit`
    weighs its stored value alone.

    The paper's weight of a missing entry suits users who have one item in a thousand. It is too
    small for users who have more. On the 1,000 items with most users of six data
    sets, .1 validates better than .01 on each; on all items of three, .01 or .03 is best.
    ``"auto"`` is within 3 % of the best of these on all nine, see docs/benchmarks/defaults.md.

    On citeulike-t with ten items a user (docs/benchmarks, content_citeulike-t), the shrunk form
    ranked better than :math:`\theta` itself where all items are ranked together.

    *Time* of a sweep: about ``2 * d**2`` flops per stored entry, and ``d**3 / 3`` per user and
    item. *Memory*: the vectors and a transposed copy of X.

    Differs from [1]_: :math:`\theta` comes from an SVD and is not learned with the vectors; the
    objective lacks the factors 1/2; items without users take no part in the users' problems, as
    in the authors' code of `CDL`.

    References
    ----------
    .. [1] C. Wang and D. M. Blei, "Collaborative topic modeling for recommending scientific
       articles", KDD 2011.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.content import CTR
    >>> X = np.array([[1, 1, 0, 0, 0], [0, 0, 1, 1, 0]] * 10)  # nobody has the last item
    >>> F = np.array([[1, 0], [1, 0], [0, 1], [0, 1], [1, 0]])  # it is like the first two
    >>> model = CTR(2, random_state=0).fit(X, item_features=F)
    >>> model.predict(X[:1])
    array([4])
    >>> scores = model.decision_function(X[:2])
    >>> bool(scores[0, 4] > scores[1, 4])
    True
    >>> model.with_items([[0, 1]]).n_features_in_
    6
    """

    _parameter_rules = {**TEXT_RULES, "max_iter": POSITIVE_INTEGER}
    _search_grid = [
        {"alpha": alpha, "item_alpha": item_alpha}
        for alpha in (0.3, 1.0, 3.0)
        for item_alpha in (1.0, 3.0)
    ]

    _fitted_rules = {
        "text_components_": Absent(Array("n_components", "n_item_features", dtypes=("float64",))),
    }

    def __init__(
        self,
        n_components=50,
        *,
        confidence=1.0,
        unobserved_weight="auto",
        alpha=1.0,
        item_alpha=1.0,
        learned_texts="known",
        cold_items="shrunk",
        max_iter=10,
        device="cpu",
        random_state=None,
        n_jobs=None,
        verbose=False,
    ):
        self.n_components = n_components
        self.confidence = confidence
        self.unobserved_weight = unobserved_weight
        self.alpha = alpha
        self.item_alpha = item_alpha
        self.learned_texts = learned_texts
        self.cold_items = cold_items
        self.max_iter = max_iter
        self.device = device
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(self, X, y=None, *, item_features=None):
        """Read the texts and learn the vectors.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions, >= 0; a stored value is the weight of a preference of 1.
        y : ignored
            Present for scikit-learn's conventions.
        item_features : ItemFeatures, {array-like, sparse matrix, dataframe} of shape \
                (n_items, n_item_features), default=None
            Weights of words, >= 0; row i is the text of column i of X. A row of zeros means that
            nothing is known of the item. None: there are no texts, see Notes.

        Returns
        -------
        self : CTR
            The fitted recommender.

        Raises
        ------
        ValueError
            If a parameter, X or the features are not valid, if the device is not there, or if
            the weights are so large that the vectors overflow.
        """
        X = self._start_fit(X)
        features = self._start_side(X, item_features=item_features).item_features
        generator = check_random_state(self.random_state)
        known, dtype = has_users(X), computation_dtype(None, X.shape[1])
        items = np.zeros((X.shape[1], self.n_components), dtype)
        items[known] = drawn_items(generator, known.sum(), self.n_components)
        of_text = self._read(X, features, generator)
        prior = None if of_text is None else of_text[known].astype(dtype)
        als, vectors = self._start_als(X, dtype), items[known] + (0 if prior is None else prior)
        sweeps = ProgressBar(range(self.max_iter), "CTR", shown=self.verbose)
        self.loss_curve_ = [als.sweep(vectors, prior) for _ in sweeps]
        self.n_iter_ = len(self.loss_curve_)
        if not np.isfinite(vectors).all():
            raise ValueError(
                f"The item vectors overflow {dtype}. The largest value of X is {X.data.max():g}, "
                f"confidence={self.confidence}, alpha={self.alpha}: scale X, or lower the "
                "largest of these."
            )
        items[known] = vectors
        self._keep_items(X, items, of_text)
        return self

    def _read(self, X, features, generator):
        """Fit the SVD of the texts; returns their vectors, shape (n_items, n_components)."""
        for name in ("text_components_", "text_mean_"):
            vars(self).pop(name, None)
        if features is None:
            return None
        learned = features[read_texts(check_texts(features, "CTR"), self.learned_texts, X)]
        svd = PureSVD(self.n_components, random_state=generator, n_jobs=self.n_jobs)
        if learned.shape[0]:
            axes = svd.fit(learned).components_.astype(np.float64)
        else:
            axes = np.zeros((self.n_components, features.shape[1]))
        # With the mean length divided out, penalties do not depend on the unit of the weights.
        self.text_components_ = axes / mean_length(learned, slice(None))
        self.text_mean_ = np.asarray(learned @ self.text_components_.T).sum(axis=0)
        self.text_mean_ /= max(1, learned.shape[0])
        return self._of_text(features)

    def _of_text(self, features):
        return filled(np.asarray(features @ self.text_components_.T), features, self.text_mean_)

    def _extended(self, item_features):
        return self._longer(self._of_text(check_texts(item_features, "CTR")))
