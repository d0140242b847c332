"""Classifiers and regressors over rows of fields: `fit` and predictions, written once."""

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from skrec._torch._callbacks import CallbackSupportMixin, FitTasks, kept, with_callbacks
from skrec._torch._epochs import EpochsMixin, finite_or_least
from skrec._torch._estimator import TORCH_RULES
from skrec._torch._fit_loop import EarlyStopping
from skrec._torch._global_draws import global_draws
from skrec.content._row_fields import ColumnFields, Fields, make_fields
from skrec.content._row_net import RowNet
from skrec.content._row_problem import Batches, RowProblem, held_out, merged, outputs
from skrec.utils._device import resolve_device
from skrec.utils._finite import arithmetic, require_finite
from skrec.utils._fitted import Absent, Instance, Names, Number, refused
from skrec.utils._matrices import checked_array
from skrec.utils._params import (
    BOOLEAN,
    NON_NEGATIVE,
    POSITIVE,
    POSITIVE_INTEGER,
    Interval,
    Options,
    check_parameters,
)
from skrec.utils._restore import WholeFitMixin
from skrec.utils._state_torch import torch_state
from skrec.utils._validation import canonical_csr, check_sample_weight, validate_table

# Most fields that the layers of a network read.
_MAX_FIELDS = 1000
# "auto" stops early with more rows than this, as HistGradientBoostingClassifier does.
_MANY_ROWS = 10_000

ROW_RULES = {
    "n_components": Interval(0, integer=True),
    "alpha": NON_NEGATIVE,
    "linear_alpha": NON_NEGATIVE,
    "init_scale": POSITIVE,
    "schedule": Options(("constant", "linear")),
    **{name: rule for name, rule in TORCH_RULES.items() if name != "precision"},
    "batch_size": (Options(("auto",)), POSITIVE_INTEGER),
    "early_stopping": (Options(("auto",)), BOOLEAN),
}


class RowModel(CallbackSupportMixin, WholeFitMixin, EpochsMixin, BaseEstimator):
    """A model of rows of fields.

    A subclass writes `__init__`, `_parameter_rules` and `_build_module`; `RowClassifier` and
    `RowRegressor` define the targets.
    """

    _fitted_rules = {
        "n_features_in_": Number(1, 2**31 - 1, integer=True, size="n_features"),
        "feature_names_in_": Absent(Names("n_features")),
        "fields_": Instance(Fields),
    }

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = True
        return tags

    # Parts of the network that a class may have.
    _pairs = True

    def _hidden(self):
        """Sizes of the layers."""
        return getattr(self, "hidden_layer_sizes", ())

    def _build_module(self, shape=None, problem=None):
        module = RowNet(
            self.fields_,
            self._n_outputs,
            self.n_components,
            pairs=self._pairs,
            hidden_layer_sizes=self._hidden(),
            dropout=getattr(self, "dropout", 0.0),
            batch_norm=bool(getattr(self, "batch_norm", False)),
            n_crosses=self._n_crosses(),
        )
        if problem is not None:
            seen = np.bincount(problem.X.indices, minlength=self.fields_.n_columns) > 0
            bias = self._first_bias(problem.target, problem.weight).astype(np.float32)
            module.reset(bias, self.init_scale, seen, problem.generator)
        return module

    def _check_fitted(self):
        if self.fields_.n_features != self.n_features_in_:
            raise refused("n_features_in_", f"{self.n_features_in_}", f"{self.fields_.n_features}")

    def _n_crosses(self):
        return 0

    def _learn_crosses(self):
        """Set the crossed fields, in a fit that resumes nothing."""

    def _crossed(self, X):
        """Crossed columns of encoded rows, or None."""
        return None

    def fit(self, X, y, sample_weight=None):
        """Learn the weights.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Rows; NaN and None are missing values.
        y : array-like of shape (n_samples,)
            Target values.
        sample_weight : array-like of shape (n_samples,), default=None
            A weight equals that many copies of a row. None: 1.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter, X, y or a weight is not valid, or the loss is not finite. The
            estimator then stays as it was.

        Warns
        -----
        ConvergenceWarning
            If the fit was interrupted: the model of the last whole epoch is kept.
        """
        return self._learn(X, y, sample_weight)

    @with_callbacks
    def _learn(self, X, y, sample_weight):
        check_parameters(self, self._parameter_rules)
        with torch_state(), arithmetic(f"The fit of {type(self).__name__}"):
            resumes = bool(self.warm_start) and hasattr(self, "weights_")
            tasks = FitTasks(self, X, y, self.max_iter)
            X = self._checked_rows(X, reset=not resumes)
            problem = self._problem(X, y, sample_weight, resumes)
            module = self._train(problem, tasks, resumes)
            self._keep(module, problem)
        tasks.end()
        return self

    def _checked_rows(self, X, *, reset):
        """A dataframe, array or canonical csr_array."""
        text = not isinstance(self.categorical_features, str | None)
        X = validate_table(self, X, reset=reset, text=text)
        if self.fields is not None and not hasattr(X, "nnz"):
            X = canonical_csr(checked_array(X, dtype=np.float64))
        return X

    def _problem(self, X, y, sample_weight, resumes):
        device = resolve_device(self.device)
        target = self._checked_target(y)
        if len(target) != X.shape[0]:
            raise ValueError(
                "Found input variables with inconsistent numbers of samples: "
                f"{[X.shape[0], len(target)]}. Expected one value of y for each row of X."
            )
        weight = check_sample_weight(sample_weight, len(target), np.float64)
        if weight is None:
            weight = np.ones(len(target))
        else:
            some = np.flatnonzero(weight > 0)
            X = X[some] if not hasattr(X, "columns") else _rows_of_frame(X, some)
            target, weight = target[some], weight[some]
        for name in ("best_validation_score_", *(() if resumes else ("weights_",))):
            vars(self).pop(name, None)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        if not resumes:
            names = getattr(self, "feature_names_in_", None)
            self.fields_ = make_fields(X, self.categorical_features, self.fields, names)
            self.loss_curve_, self.validation_scores_ = [], []
            self._n_updates, self.n_iter_, self._split_seed = 0, 0, seed
        raw = self.fields_.encode(X)
        codes = self._codes(target, learn=not resumes)
        raw, codes, weight = merged(raw, codes, weight)
        if not resumes:
            self.fields_.learn_scale(raw, weight)
            self._learn_target(codes, weight)
            self._learn_crosses()
        self._check_width()
        X = self.fields_.scaled(raw)
        generator = torch.Generator().manual_seed(seed)
        target = self._scaled_target(codes)
        return RowProblem(X, self._crossed(X), target, weight, device, generator)

    def _check_width(self):
        n_fields = self.fields_.n_fields
        if self._hidden() and self.n_components and n_fields > _MAX_FIELDS:
            raise ValueError(
                f"The layers of {type(self).__name__} would read the vectors of {n_fields:,} "
                f"fields. Expected at most {_MAX_FIELDS:,}; name in `fields` the columns that "
                "belong to one field, or pass categories as columns of a dataframe."
            )

    def _train(self, problem, tasks, resumes):
        stops = self.early_stopping
        n_rows = problem.X.shape[0]
        if isinstance(stops, str):
            stops = n_rows > _MANY_ROWS
        stopping = None
        if stops:
            learned, held = held_out(
                self._strata(problem.target), self.validation_fraction, self._split_seed
            )
            if not len(held) or not len(learned):
                raise ValueError(
                    f"early_stopping holds out {self.validation_fraction} of {n_rows} different "
                    "rows, and one part has no rows. Use early_stopping=False, or another "
                    "validation_fraction."
                )
            problem, held = problem.take(learned), problem.take(held)
            stopping = EarlyStopping(
                lambda module: finite_or_least(self._validation_score(module, held)),
                self.n_iter_no_change,
                self.tol,
            )
        with global_draws(problem.seed):  # layers draw when they are made
            module = self._build_module(problem=problem)
        if resumes:
            self._resume(module)
        module = module.to(problem.device)
        if resumes and stopping is not None:
            stopping.start(module.eval())
        size = self.batch_size
        if isinstance(size, str):
            size = min(4096, max(32, problem.X.shape[0] // 200))
        self._run(
            module,
            Batches(problem, int(size)),
            self.max_iter,
            stopping,
            problem.generator,
            lambda score: tasks.epoch(lambda: kept(self, module, problem)),
        )
        return module

    def _resume(self, module):
        try:
            module.load_state_dict({k: torch.tensor(v) for k, v in self.weights_.items()})
        except RuntimeError as error:
            raise ValueError(
                "warm_start continues with the network of the first fit, but the parameters now "
                f"ask for another one: use warm_start=False, or the first parameters. {error}"
            ) from error

    def _loss(self, module, batch, step, generator):
        out = module(batch.rows, batch.crossed, generator)
        loss = (self._losses(out, batch.target) * batch.rows.weight).mean()
        if self.linear_alpha:
            linear = module.linear.weight.square().sum()
            if module.crosses is not None:
                linear = linear + module.crosses.square().sum()
            loss = loss + 0.5 * self.linear_alpha * linear
        if self.alpha and module.vectors is not None:
            loss = loss + 0.5 * self.alpha * module.vectors.square().sum()
        return loss

    def _validation_score(self, module, held):
        out = self._outputs_of(module, held.X, held.crossed, held.device, torch.float32)
        return self._score_of(out, held.target, held.weight)

    def _outputs_of(self, module, X, crossed, device, dtype):
        per_row = 4 * self.fields_.n_fields + 8
        if module.vectors is not None and self._hidden():
            per_row = self.fields_.n_fields * module.vectors.shape[1] + sum(self._hidden())
        return outputs(module, X, crossed, device, dtype, per_row)

    @torch_state()
    def _outputs(self, X):
        """Outputs of the fitted network, float64 of shape (n_samples, n_outputs)."""
        check_is_fitted(self)
        X = self._checked_rows(X, reset=False)
        if isinstance(self.fields_, ColumnFields) and not hasattr(X, "nnz"):
            X = canonical_csr(checked_array(X, dtype=np.float64))
        elif not isinstance(self.fields_, ColumnFields) and hasattr(X, "nnz"):
            X = X.toarray()
        X = self.fields_.scaled(self.fields_.encode(X))
        device = resolve_device(self.device)
        module = self._module(torch.float64, device)
        found = self._outputs_of(module, X, self._crossed(X), device, torch.float64)
        return require_finite(found, f"The outputs of {type(self).__name__}")


def _rows_of_frame(X, rows):
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]
