"""Models of rows of fields as recommenders: which columns of a row are a field."""

import copy

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skrec.content._pair_recommender import PAIR_RULES, PairRecommender
from skrec.content._row_model import ROW_RULES, RowModel
from skrec.utils._fitted import CURVE, Absent
from skrec.utils._params import FRACTION, NONE, SIZES_OR_NONE

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
    **{name: rule for name, rule in ROW_RULES.items() if name not in ("schedule", "warm_start")},
}


class FieldRecommender(PairRecommender):
    """A row model of fields as a recommender.

    A subclass writes `__init__`, with parameters of the row models, `fields` and those of
    `PAIR_RULES`, and `_row_models`: the classifier, and the regressor of ratings.
    """

    _fitted_rules = {"validation_scores_": Absent(CURVE)}

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
                f"fields must have labels of their own in each table, and {USER!r} and {ITEM!r} "
                f"are those of the ids. Got {twice[0]!r} twice."
            )
        of_users = [USER] * users.ids.shape[1] + labels["user_features"] + labels["context"]
        return np.array([*of_users, *([ITEM] * items.ids.shape[1]), *labels["item_features"]])

    def _learn(self, *arguments):
        super()._learn(*arguments)
        model = self.estimator_
        learned = isinstance(model, RowModel)
        self.loss_curve_ = list(model.loss_curve_) if learned else []
        self.validation_scores_ = list(model.validation_scores_) if learned else []
        self.n_iter_ = model.n_iter_ if learned else 0
        return self

    @property
    def _fitted_model(self):
        """The row model, on the device that is wanted now."""
        check_is_fitted(self)
        model = self.estimator_
        if not isinstance(model, RowModel):
            return model
        return copy.copy(model).set_params(device=self.device)
