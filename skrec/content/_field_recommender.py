"""Models of rows of fields as recommenders: the field of each column of a row."""

import copy

import numpy as np
from scipy.sparse import csr_array
from sklearn.utils.validation import check_is_fitted

from skrec._evaluation._entries import entry_rows
from skrec._torch._learned_users import normal_prior
from skrec.content._fold_in_rows import Terms, own_numbers
from skrec.content._pair_recommender import PAIR_RULES, PairRecommender
from skrec.content._pair_rows import pair_rows, user_part
from skrec.content._row_model import ROW_RULES, RowModel
from skrec.utils._fitted import CURVE, SEED, Absent, Array, refused
from skrec.utils._hashing import keyed_negatives
from skrec.utils._params import BOOLEAN, FRACTION, NONE, SIZES_OR_NONE
from skrec.utils._state_torch import torch_state

# Items drawn for a row that is folded in.
_N_DRAWS = 256
# Numbers held at once.
_N_NUMBERS = 2**22
# Fields of the ids.
USER, ITEM = "user", "item"
_TABLES = ("user_features", "context", "item_features")


class _FieldLabels:
    """The rule of `fields`: a dict from a kind of side information to the fields of its columns."""

    def __contains__(self, value):
        return isinstance(value, dict) and all(
            table in _TABLES
            and isinstance(labels, list | tuple | np.ndarray)
            and np.ndim(labels) == 1
            and all(isinstance(label, str) for label in labels)
            for table, labels in value.items()
        )

    def __str__(self):
        return f"a dict from some of {', '.join(_TABLES)} to lists of str"


FIELD_RULES = {
    **PAIR_RULES,
    "fields": (NONE, _FieldLabels()),
    "hidden_layer_sizes": SIZES_OR_NONE,
    "dropout": FRACTION,
    "batch_norm": BOOLEAN,
    **{name: rule for name, rule in ROW_RULES.items() if name not in ("schedule", "warm_start")},
}


class FieldRecommender(PairRecommender):
    """A row model of fields as a recommender.

    A subclass writes `__init__`, with parameters of the row models, `fields` and those of
    `PAIR_RULES`, and `_row_models`: the classifier, and the regressor of ratings. Without layers
    the outputs are linear in some numbers of the user, and the numbers of unknown users are folded
    in. Two hooks define them: `_learned_numbers` returns them for training users, and `_design` the
    numbers that they are multiplied with.
    """

    # Most numbers that a user may have to be folded in.
    _max_own = np.inf

    _fitted_rules = {
        "validation_scores_": Absent(CURVE),
        "user_mean_": Absent(Array("n_own", dtypes=("float64",))),
        "user_precision_": Absent(Array("n_own", "n_own", dtypes=("float64",))),
        "seed_": Absent(SEED),
    }

    def _base(self):
        kind = self._row_models[self._rates]
        taken = set(kind().get_params()) - {"fields", "random_state"}
        given = self.get_params(deep=False)
        return kind(**{name: value for name, value in given.items() if name in taken})

    def _for_columns(self, model, users, items, side):
        return model.set_params(fields=self._labels(users, items, side))

    def _labels(self, users, items, side):
        """The field of each column of rows, in the order of `pair_rows`."""
        known = {name: getattr(side, name) for name in _TABLES}
        given = self.fields or {}
        labels = {}
        for name in _TABLES:
            n_columns = 0 if known[name] is None else known[name].shape[1]
            labels[name] = [str(label) for label in given.get(name, [name] * n_columns)]
            if len(labels[name]) != n_columns:
                raise ValueError(
                    f"fields[{name!r}] must name the field of each column of {name}. Got "
                    f"{len(labels[name])} for {n_columns} columns."
                )
        named = [USER, ITEM, *(label for name in _TABLES for label in {*labels[name]})]
        twice = sorted({label for label in named if named.count(label) > 1})
        if twice:
            raise ValueError(
                f"fields must have different labels in each table, and {USER!r} and {ITEM!r} "
                f"are taken by the ids. Got {twice[0]!r} twice."
            )
        of_users = [USER] * users.ids.shape[1] + labels["user_features"] + labels["context"]
        return np.array([*of_users, *([ITEM] * items.ids.shape[1]), *labels["item_features"]])

    def _learned_numbers(self, model, columns):
        """Learned numbers of the users whose ids are `columns` of rows: (n_users, n_own)."""
        raise NotImplementedError

    def _design(self, model, rows):
        """Factors of a user's numbers in encoded rows: (n_rows, n_own)."""
        raise NotImplementedError

    def _n_own(self, model):
        """How many numbers a user has."""
        return self._design(model, csr_array((1, model.fields_.n_columns))).shape[1]

    def _learn(self, X, log, side, named, random_state):
        super()._learn(X, log, side, named, random_state)
        model = self.estimator_
        learned = isinstance(model, RowModel)
        self.loss_curve_ = list(model.loss_curve_) if learned else []
        self.validation_scores_ = list(model.validation_scores_) if learned else []
        self.n_iter_ = model.n_iter_ if learned else 0
        for name in ("user_mean_", "user_precision_", "seed_"):
            vars(self).pop(name, None)
        linear = learned and "head.weight" not in model.weights_
        if self.use_ids and linear and self._n_own(model) <= self._max_own:
            columns = model.fields_.place_[: X.shape[0]]  # ids of users stand first
            columns = columns[model.fields_.seen_[columns]]
            numbers = self._learned_numbers(model, columns)
            self.user_mean_, self.user_precision_ = normal_prior(numbers)
            self.seed_ = int(random_state.randint(2**31 - 1))
        return self

    def _check_fitted(self):
        super()._check_fitted()
        if hasattr(self, "user_mean_"):
            model, found = self.estimator_, len(self.user_mean_)
            expected = self._n_own(model) if isinstance(model, RowModel) else 0
            if found != expected:
                name = f"{type(self).__name__}.user_mean_"
                raise refused(name, f"{found} numbers", f"{expected}")

    @property
    def _fitted_model(self):
        """The row model, on the device set now."""
        check_is_fitted(self)
        model = self.estimator_
        if not isinstance(model, RowModel):
            return model
        return copy.copy(model).set_params(device=self.device)

    @torch_state()
    def _folded_in(self, X, hashes, unknown, user_features):
        if not hasattr(self, "user_mean_"):
            return None
        own = np.zeros((X.shape[0], len(self.user_mean_)))
        rows = np.flatnonzero(unknown)
        n_terms = _N_DRAWS + X.nnz // max(1, X.shape[0])
        step = max(1, _N_NUMBERS // (n_terms * own.shape[1]))
        for start in range(0, len(rows), step):
            some = rows[start : start + step]
            known = None if user_features is None else user_features[some]
            own[some] = own_numbers(
                self._terms(X[some], hashes[some], known),
                len(some),
                self.user_mean_,
                self.user_precision_,
                logistic=not self._rates,
            )
        return own

    def _terms(self, X, hashes, user_features):
        """Terms of the rows' items and, without ratings, of items drawn for them."""
        user, item, target = entry_rows(X), X.indices, X.data.astype(np.float64)
        weight = np.ones(X.nnz)
        if not self._rates:
            weight = target if self.weights == "value" else weight
            negatives = self._negatives(X, hashes)
            drawn = negatives >= 0
            of_row = np.diff(X.indptr) * self.n_negatives / negatives.shape[1]
            weight = weight * drawn[user, 0]  # a row that has all items has no terms
            at = np.nonzero(drawn)
            target = np.repeat([1.0, 0.0], [len(user), len(at[0])])
            user, item = np.concatenate([user, at[0]]), np.concatenate([item, negatives[at]])
            weight = np.concatenate([weight, of_row[at[0]]])
        order = np.argsort(user, kind="stable")
        user, item, target, weight = (part[order] for part in (user, item, target, weight))
        mean = getattr(self, "context_means_", None)
        context = None if mean is None else np.tile(mean, (X.shape[0], 1))
        users = user_part(np.full(X.shape[0], -1), len(self.user_hashes_), user_features, context)
        pairs = pair_rows(users.take(user), self._items().take(item), self._pair_columns)
        model = self._fitted_model
        if self._rates:
            offset = (model.predict(pairs) - model.target_mean_) / model.target_scale_
            target = (target - model.target_mean_) / model.target_scale_
        else:
            offset = model.decision_function(pairs)
        return Terms(user, self._design(model, _encoded(model, pairs)), offset, target, weight)

    def _negatives(self, X, hashes):
        """Items that somebody has and the row does not; -1 where there are none."""
        known = np.flatnonzero(self.item_columns_ >= 0)
        drawn = keyed_negatives(X[:, known], _N_DRAWS, self.seed_, hashes=hashes)
        return np.where(drawn >= 0, known[drawn], -1)

    def _said_of(self, model, pairs, users):
        said = super()._said_of(model, pairs, users)
        if users.own is None:
            return said
        places, step = np.flatnonzero(users.own.any(axis=1)), _N_NUMBERS // users.own.shape[1]
        scale = model.target_scale_ if self._rates else 1.0
        for start in range(0, len(places), step):
            some = places[start : start + step]
            design = self._design(model, _encoded(model, pairs[some]))
            said[some] += scale * (design * users.own[some]).sum(axis=1)
        return said


def _encoded(model, pairs):
    return model.fields_.scaled(model.fields_.encode(pairs))
