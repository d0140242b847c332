"""Models of the package implicit as recommenders of skrec."""

from functools import partial

import numpy as np
from scipy.sparse import csr_array
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skrec._factors import factor_pairs, factor_scores, similar_columns
from skrec.adapters._implicit_models import (
    IMPLICIT_MODEL,
    changed_model,
    check_recipe,
    fit_model,
    kind_of,
    make_model,
    recipe_of,
    seeded,
    text_of,
)
from skrec.adapters._implicit_users import (
    als_contributions,
    als_vectors,
    bpr_vectors,
    lmf_penalty,
    lmf_vectors,
)
from skrec.base import BaseRecommender
from skrec.utils._explain import check_targets, explain_scores, stored_weights
from skrec.utils._finite import arithmetic, require_finite
from skrec.utils._fitted import (
    INDICES,
    Absent,
    Array,
    Instance,
    Number,
    OneOf,
    Sparse,
    refused,
    required_if,
)
from skrec.utils._hashing import row_hashes
from skrec.utils._known_users import KNOWN_USERS, user_vectors
from skrec.utils._lists import stored_lists
from skrec.utils._parallel import row_chunks
from skrec.utils._products import sparse_product, sparse_product_pairs
from skrec.utils._sparse import pattern

_PREFIX = "model__"
# All attributes that a fit may set. A new fit removes the attributes of an earlier fit of another
# kind.
_FITTED = (
    "kind_",
    "model_parameters_",
    "components_",
    "similarity_",
    "user_factors_",
    "user_hashes_",
    "item_popularity_",
    "seed_",
)
# Memory that a row takes while it is folded in, in bytes.
_BYTES_TO_FOLD_IN = 64 * 256


# Parameters of the model that scoring reads.
_PARAMETERS_READ = {
    "als": {"alpha", "regularization"},
    "bpr": {"learning_rate", "regularization", "verify_negative_samples", "iterations"},
    "lmf": {"regularization", "neg_prop"},
    "item_item": set(),
}


def _if_kind(kinds, rule):
    return required_if(lambda self: self.kind_ in kinds, rule)


class ImplicitRecommender(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseRecommender):
    r"""A model of the package implicit [1]_ that scores any row.

    implicit fits the model. skrec takes the learned arrays and provides lists, scores,
    searches, pipelines and files. The model decides how a row is scored:

    - ``AlternatingLeastSquares``: the vector of every row, also of a training row, is solved
      for exactly, as ``recommend(..., recalculate_user=True)`` does;
    - ``BayesianPersonalizedRanking`` and ``LogisticMatrixFactorization``: a row with the
      content of a training row gets the vector learned for that row. implicit cannot score any
      other row; here it is folded in, see Notes;
    - ``ItemItemRecommender``, ``CosineRecommender``, ``TFIDFRecommender`` and
      ``BM25Recommender``: scores are ``X @ similarity_``.

    Scores equal the scores of implicit's `recommend`, but are given for all items.

    Parameters
    ----------
    model : model of implicit or None, default=None
        The kind of model and its parameters: an instance, or a class or function of implicit
        that makes one. None: ``AlternatingLeastSquares()``. `fit` never fits this object but
        makes a new model, so it ignores what a fitted instance has learned. The parameters of
        the model are set and searched as ``model__factors`` and so on.
    known_users : {"match", "fold_in"}, default="match"
        For models with a vector for each training user. "match" uses the learned vector for
        a row with the content of a training row; "fold_in" folds in every row.
    random_state : int, RandomState or None, default=None
        Seed that replaces the model's own ``random_state``; None keeps that one. Ignored for
        models without ``random_state``. See Notes for seeds with several threads.
    verbose : bool, default=False
        Whether implicit shows its progress bar.

    Attributes
    ----------
    kind_ : {"als", "bpr", "lmf", "item_item"}
        Kind of the fitted model.
    model_parameters_ : dict
        Parameters of the fitted model; "dtype" by name.
    components_ : ndarray of shape (n_components, n_items), float32 or float64
        implicit's ``item_factors``, transposed; not for item-item models. Biases are
        components. The last component of BPR is 1 for users and the bias for items. The last
        two of LMF are (1, user bias) for users and (item bias, 1) for items.
    similarity_ : csr_array of shape (n_items, n_items), float64
        Only for item-item models. Row i holds the `K` most similar items of item i, including
        item i.
    user_factors_ : ndarray of shape (n_users, n_components), float32 or float64
        Only for BPR and LMF.
    user_hashes_ : ndarray of uint64 of shape (n_users, 2)
        Only for BPR and LMF: hashes of the training rows, to recognise these rows.
    item_popularity_ : ndarray of int of shape (n_items,)
        Only for BPR and LMF: number of training users of each item.
    seed_ : int
        Only for models with a ``random_state``: the seed of the fit.
    n_features_in_ : int
        Number of items.
    feature_names_in_ : ndarray of str of shape (n_items,)
        Only if X has string column names.

    See Also
    --------
    skrec.decomposition.WMF : Alternating least squares without another package.
    skrec.decomposition.BPR : Pairwise ranking without another package.
    skrec.neighbors.ItemKNN : Item-item neighbours without another package.

    Notes
    -----
    implicit is an optional package: ``pip install "scikit-recsys[implicit]"``. Only `fit` needs
    it: a fitted model can be scored, saved and loaded without implicit. A file or a pickle
    holds the parameter `model` as its class name and parameters, and makes the object again
    when it is accessed.

    A new row is folded in with the model's own objective and frozen items. For BPR, the fold-in
    makes implicit's steps from zero, in as many passes as the fit. implicit's training users
    are far from the minimum of their objective too; vectors at the minimum ranked worse on
    ML-100K (nDCG@20 .197, with steps .216, learned vectors .222). The objective of LMF is
    convex and minimised by Newton's method; if the penalty is zero, the spread of the learned
    vectors is the prior. Both use 256 negatives per row, drawn once in proportion to popularity
    as in implicit, and keyed by the row's content and `seed_`.

    For ALS and item-item models the same seed gives the same bits, whatever ``num_threads``.
    But threads of BPR overwrite each other's steps, and each thread of LMF draws for itself. So
    with a seed and ``num_threads=0`` these two use one thread here instead of all. Any other
    ``num_threads`` is used as given.

    implicit counts in 32 bits and computes in float32, or in float64 if the model's ``dtype``
    is float64. A model on CUDA is fitted there and scored on the CPU.

    References
    ----------
    .. [1] B. Frederickson, "implicit: fast Python collaborative filtering for implicit
       datasets", https://github.com/benfred/implicit.

    Examples
    --------
    >>> import numpy as np
    >>> from implicit.nearest_neighbours import CosineRecommender
    >>> from skrec.adapters import ImplicitRecommender
    >>> X = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 1, 1], [0, 0, 1, 1], [1, 0, 0, 0]])
    >>> model = ImplicitRecommender(CosineRecommender(K=3)).fit(X)
    >>> model.predict([[1, 0, 0, 0], [0, 0, 0, 1]])
    array([1, 2])
    >>> model.set_params(model__K=2).model.K
    2
    """

    # The package that `fit` needs, see `all_recommenders`.
    _needs = "implicit"
    _parameter_rules = {
        "model": IMPLICIT_MODEL,
        "known_users": KNOWN_USERS,
    }
    _search_grid = [
        {"model__factors": factors, "model__alpha": alpha, "model__regularization": penalty}
        for factors in (64, 128)
        for alpha, penalty in ((2.0, 10.0), (2.0, 30.0), (10.0, 50.0), (10.0, 150.0))
    ]

    _fitted_rules = {
        "kind_": OneOf(("als", "bpr", "lmf", "item_item")),
        "model_parameters_": Instance(dict),
        "similarity_": _if_kind(("item_item",), Sparse("n_items", "n_items")),
        "components_": _if_kind(("als", "bpr", "lmf"), Array("n_components", "n_items")),
        "user_factors_": _if_kind(("bpr", "lmf"), Array("n_users", "n_components")),
        "user_hashes_": _if_kind(("bpr", "lmf"), Array("n_users", 2, dtypes=("uint64",))),
        "item_popularity_": _if_kind(
            ("bpr", "lmf"), Array("n_items", dtypes=INDICES, low=0, high=2**53)
        ),
        "seed_": _if_kind(("bpr", "lmf"), Number(0, 2**32 - 1, integer=True)),
        "_stored_recipe": Absent(Instance(dict)),
    }

    def __init__(self, model=None, *, known_users="match", random_state=None, verbose=False):
        self.model = model
        self.known_users = known_users
        self.random_state = random_state
        self.verbose = verbose

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.recommender_tags.learned_users = self._kind in ("bpr", "lmf")
        if not self._has_vectors():
            tags.transformer_tags = None
        return tags

    def get_params(self, deep=True):
        """Return the parameters of the adapter, and its model's as ``model__name``.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the parameters of the model. For ``model=None`` these are the
            parameters of the default model, if implicit is installed.

        Returns
        -------
        params : dict
            Values by name.
        """
        params = super().get_params(deep=False)
        if deep and params["model"] in IMPLICIT_MODEL:
            try:
                recipe = recipe_of(params["model"])
            except ImportError:
                return params
            params |= {_PREFIX + name: value for name, value in recipe["parameters"].items()}
        return params

    def set_params(self, **params):
        """Set parameters; ``model__name`` makes a new model with other parameters.

        Parameters
        ----------
        **params : dict
            Parameters of the adapter, or of its model. The earlier model object stays
            unchanged.

        Returns
        -------
        self : ImplicitRecommender
            The adapter.

        Raises
        ------
        ValueError
            If there is no such parameter.
        """
        own = {name: value for name, value in params.items() if not name.startswith(_PREFIX)}
        super().set_params(**own)
        nested = {name.removeprefix(_PREFIX): params[name] for name in params.keys() - own.keys()}
        if nested:
            if self.model not in IMPLICIT_MODEL:
                raise ValueError(f"`model` must be {IMPLICIT_MODEL}. Got {self.model!r}.")
            self.model = changed_model(self.model, nested)
        return self

    def fit(self, X, y=None):
        """Fit a new model of implicit.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions, >= 0. BPR ignores the values of stored entries.
        y : ignored
            Present for scikit-learn's conventions.

        Returns
        -------
        self : ImplicitRecommender
            The fitted recommender.

        Raises
        ------
        ImportError
            If implicit is not installed.
        ValueError
            If a parameter or X is invalid, if implicit's fit fails, or if the model needs CUDA
            and there is no CUDA device.
        MemoryError
            If the factors do not fit into memory.
        """
        X = self._start_fit(X)
        recipe = recipe_of(self.model)
        check_recipe(recipe)
        recipe = seeded(recipe, self.random_state)
        *users, items = fit_model(recipe, X, verbose=self.verbose)
        kind, parameters = kind_of(recipe), recipe["parameters"]
        fitted = {"kind_": kind, "model_parameters_": parameters}
        fitted |= (
            {"similarity_": csr_array(items)} if kind == "item_item" else {"components_": items.T}
        )
        if "random_state" in parameters:
            fitted["seed_"] = parameters["random_state"]
        if kind in ("bpr", "lmf"):
            fitted["user_factors_"] = users[0]
            fitted["user_hashes_"] = row_hashes(_content(X, kind))
            fitted["item_popularity_"] = np.bincount(X.indices, minlength=X.shape[1])
        for name in _FITTED:
            vars(self).pop(name, None)
        vars(self).update(fitted)
        return self

    def _check_stored(self):
        recipe = self._stored_recipe
        for name in self._parameter_rules:
            if name not in vars(self) and (name != "model" or recipe is None):
                raise refused(f"ImplicitRecommender.{name}", "nothing", "a value")
        if recipe is not None:
            if recipe not in IMPLICIT_MODEL or set(recipe) != {"class", "parameters"}:
                raise refused("ImplicitRecommender.model", repr(recipe), str(IMPLICIT_MODEL))
            check_recipe(recipe)

    def _check_fitted(self):
        parameters = self.model_parameters_
        missing = _PARAMETERS_READ[self.kind_] - set(parameters)
        if missing:
            raise refused("ImplicitRecommender.model_parameters_", f"no {min(missing)}", "one")
        check_recipe({"class": ".gpu.", "parameters": parameters})

    @property
    def _kind(self):
        """Kind of the fitted model; of an unfitted estimator, the kind of its `model`."""
        fitted = vars(self).get("kind_")
        return kind_of(vars(self).get("model", self._stored_recipe)) if fitted is None else fitted

    def _has_vectors(self):
        return self._kind != "item_item"

    def _is_linear(self):
        return self._kind in ("als", "item_item")

    @property
    def _n_features_out(self):
        return self.components_.shape[0]

    def _vectors(self, X):
        """Vectors of rows of a canonical csr_array."""
        if self.kind_ == "als":
            return als_vectors(X, self.components_.T, **self._als_parameters())
        return user_vectors(
            _content(X, self.kind_),
            self.user_hashes_,
            self.user_factors_,
            self._fold_in_chunks,
            known_users=self.known_users,
            dtype=np.result_type(self.user_factors_, X.dtype),
        )

    def _als_parameters(self):
        return {n: float(self.model_parameters_[n]) for n in ("alpha", "regularization")}

    def _fold_in_chunks(self, X, hashes):
        chunks = row_chunks(X.shape[0], _BYTES_TO_FOLD_IN)
        return np.concatenate([self._fold_in(X[a:b], hashes[a:b]) for a, b in chunks])

    def _fold_in(self, X, hashes):
        parameters = self.model_parameters_
        shared = (X, hashes, self.components_.T, self.item_popularity_, self.seed_)
        if self.kind_ == "bpr":
            return bpr_vectors(*shared, parameters)
        penalty = lmf_penalty(self.user_factors_, parameters["regularization"])
        return lmf_vectors(*shared, penalty=penalty, neg_prop=int(parameters["neg_prop"]))

    def _scores(self, X):
        if self.kind_ == "item_item":
            return sparse_product(X, self.similarity_, dtype=X.dtype)
        return factor_scores(self._vectors(X), self.components_, X.dtype)

    def _pair_scores(self, X, rows, items):
        if self.kind_ == "item_item":
            columns = self.similarity_.T.tocsr()
            return sparse_product_pairs(X, columns, rows, items, dtype=X.dtype)
        vectors = self._vectors(X).astype(X.dtype, copy=False)
        return factor_pairs(vectors, self.components_.astype(X.dtype, copy=False), rows, items)

    def transform(self, X):
        """Compute the vectors of users; not for item-item models.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions of the users, known or new.

        Returns
        -------
        vectors : ndarray of shape (n_users, n_components), dtype of X
            ``vectors @ components_`` are the scores.
        """
        X = self._start_dense(X, self._n_features_out)
        with arithmetic("The vectors of users"):
            vectors = self._vectors(X).astype(X.dtype, copy=False)
        return require_finite(vectors, "The vectors of users")

    def similar_items(self, items, k=10, *, return_scores=False):
        """Find the items most similar to given items, as implicit's `similar_items` does.

        Parameters
        ----------
        items : array-like of int of shape (n,)
            Column indices of X.
        k : int, default=10
            Length of the lists. Item-item models know at most `K` - 1 similar items.
        return_scores : bool, default=False
            Whether to return the cosines of the columns of `components_`, or the entries of
            `similarity_`, as well.

        Returns
        -------
        similar : ndarray of intp of shape (n, k)
            Best first; the item itself is left out; padded with -1.
        scores : ndarray of shape (n, k)
            Only with ``return_scores=True``; -inf beside -1.

        Raises
        ------
        ValueError
            If an index is out of range, or k is not a whole number >= 1.
        """
        check_is_fitted(self)
        if self.kind_ != "item_item":
            return similar_columns(self.components_, items, k, return_scores=return_scores)
        others = self.similarity_.T.tocsr()
        others.setdiag(0)
        others.eliminate_zeros()
        found, values = stored_lists(others, items, k)
        return (found, values) if return_scores else found

    def __repr__(self, N_CHAR_MAX=700):
        text = super().__repr__(N_CHAR_MAX)
        if self.model is None or self.model not in IMPLICIT_MODEL:
            return text
        return text.replace(repr(self.model), text_of(self.model))

    @available_if(_is_linear)
    def explain(self, X, items):
        """Split scores into contributions of the user's items; for ALS and item-item models.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions of the users.
        items : array-like of int of shape (n_users,) or (n_users, m)
            The items to explain for each user, such as the result of `predict` or
            `recommend`; -1 means no item.

        Returns
        -------
        contributions : csr_array of shape (n_users * m, n_items)
            Row ``u * m + j`` holds the contribution of each item of user u to the score of
            ``items[u, j]``. Each row adds up to its score.

        Raises
        ------
        ValueError
            If `items` has the wrong shape or is out of range.
        """
        X = self._start_scoring(X)
        if self.kind_ == "item_item":
            return explain_scores(X, items, partial(stored_weights, self.similarity_))
        targets = check_targets(items, *X.shape)
        return als_contributions(X, targets, self.components_.T, **self._als_parameters())

    # Files, pickles and copies hold the model as its recipe of plain values.

    _stored_recipe = None

    def __getstate__(self):
        state = dict(super().__getstate__())
        stored = state.pop("_stored_recipe", None)
        model = state.get("model", stored)
        state["model"] = (
            recipe_of(model) if model is not None and model in IMPLICIT_MODEL else model
        )
        return state

    def __setstate__(self, state):
        super().__setstate__(state)
        if isinstance(state.get("model"), dict):
            self._stored_recipe = vars(self).pop("model")

    def __getattr__(self, name):
        # Called only for missing attributes. After loading, the model is made at its first access;
        # if that is impossible, the recipe is returned instead.
        if name != "model" or self._stored_recipe is None:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        try:
            self.model = make_model(self._stored_recipe)
        except (ImportError, ValueError):
            return self._stored_recipe
        return self.model


def _content(X, kind):
    """The content that identifies rows: X, or ones in place of its values for BPR."""
    return pattern(X, dtype=X.dtype) if kind == "bpr" else X


# `TransformerMixin` wraps these methods when the class is created. That would hide that they
# exist only for some models.
for _name in ("transform", "fit_transform"):
    _method = getattr(ImplicitRecommender, _name)
    setattr(ImplicitRecommender, _name, available_if(ImplicitRecommender._has_vectors)(_method))
