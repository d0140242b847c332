"""The base class of the neural estimators, with their `fit` and scoring."""

import warnings
from abc import abstractmethod

import numpy as np
import torch
from sklearn.utils import check_random_state

from skrec._evaluation._default_score import ndcg_at_100, negative_rmse
from skrec._torch._callbacks import CallbackSupportMixin, FitTasks, kept, with_callbacks
from skrec._torch._epochs import EpochsMixin, finite_or_least
from skrec._torch._fit_loop import EarlyStopping
from skrec._torch._global_draws import global_draws
from skrec._torch._lists import device_lists
from skrec._torch._problem import HeldOut, make_problem
from skrec._torch._rows import DeviceRows, ShuffledRows, training_rows
from skrec.base import BaseRecommender
from skrec.utils import _device
from skrec.utils._call import one_call
from skrec.utils._device import resolve_device
from skrec.utils._finite import arithmetic, require_finite
from skrec.utils._fitted import Flag
from skrec.utils._parallel import row_chunks
from skrec.utils._params import (
    BOOLEAN,
    NON_NEGATIVE,
    POSITIVE,
    POSITIVE_INTEGER,
    Interval,
    Options,
)
from skrec.utils._products import FEW_ROWS
from skrec.utils._restore import restored_on_failure
from skrec.utils._side_information import SideInformation
from skrec.utils._state_torch import torch_state
from skrec.utils._tags import recommender_tags
from skrec.utils._validation import check_candidates, validate_interactions

# Parameter rules of every neural estimator; a class adds its own.
TORCH_RULES = {
    "learning_rate": POSITIVE,
    "batch_size": POSITIVE_INTEGER,
    "max_iter": POSITIVE_INTEGER,
    "precision": Options(("float32", "tf32", "bfloat16")),
    "early_stopping": BOOLEAN,
    "validation_fraction": Interval(0, 1, closed="neither"),
    "n_iter_no_change": POSITIVE_INTEGER,
    "tol": NON_NEGATIVE,
    "warm_start": BOOLEAN,
}
# The rules with ``early_stopping="auto"``.
STOPPING_RULES = TORCH_RULES | {"early_stopping": (Options(("auto",)), BOOLEAN)}
# "auto" stops early from this many users on. With fewer, ten epochs are few updates: on 1,126 users
# of citeulike-t fits ended at an nDCG@100 of .259 (MultVAE) and .183 (MultDAE), not .301 and .309.
MANY_USERS = 10_000


class TorchRecommender(CallbackSupportMixin, EpochsMixin, BaseRecommender):
    """A recommender whose torch module computes the scores of a row.

    A subclass writes `__init__`, `_parameter_rules` (its own and `TORCH_RULES`) and the four
    hooks: `_build_module`, `_batches`, `_loss`, `_score`. Other hooks have a default: see `HOOKS`.
    The fitted state is a dict of numpy arrays, `weights_`. Each call builds the module from it, so
    pickling, cloning, workers and machines without CUDA are not special cases.

    The callbacks of scikit-learn (1.9) hear of `fit` and of each epoch as its task. They get X, y
    and, if they ask, the estimator as fitted so far.
    """

    _fitted_rules = {
        "counts_": Flag(),
    }
    # True if `_loss` draws more than noise from its generator, such as a seed.
    _draws_on_host = False
    # Up to this many rows are scored on the CPU even if there is CUDA: to read the weights of a
    # catalogue takes less time than to send them.
    _few_rows = FEW_ROWS

    @abstractmethod
    def _build_module(self, shape, problem=None):
        """A module for X of a shape (n_users, n_items).

        With a `Problem`, its first weights are drawn from ``problem.generator``. Without one, the
        weights may have any value, since a fitted state replaces them; n_users is None if the
        module scores vectors that come from outside.
        """

    @abstractmethod
    def _loss(self, module, batch, step, generator):
        """Mean loss of a batch, a scalar tensor; or a tuple of the mean loss and mean divergence.

        Noise is drawn by the generator, on its device: the CPU, or the GPU of the fit.
        """

    @abstractmethod
    def _score(self, module, rows):
        """Scores of `Rows`, a tensor of shape (n_rows, n_items)."""

    def _batches(self, problem):
        """The batches of an epoch, for the fit loop."""
        rows = training_rows(problem.X, problem.device, weight=problem.weight)
        return ShuffledRows(rows, self.batch_size, problem.generator)

    def _n_epochs(self, X):
        """The number of epochs for an X, the most with early stopping."""
        return self.max_iter

    def _plan(self, problem, n_updates, n_certain):
        """Called before the first update: set what losses need.

        n_updates: of all epochs. n_certain: of these, the updates that the fit makes in any case;
        early stopping may end it after `n_iter_no_change` epochs.
        """

    def _pretrain(self, module, batches, problem):
        """Called before the first epoch of a fit that is not resumed."""

    def _scorer(self, module, problem):
        """A function that scores canonical rows with the module in training."""

        def scores(X):
            with torch.inference_mode():
                rows = DeviceRows(X, problem.device).everything()
                return self._score(module, rows).float().cpu().numpy()

        return scores

    def _watch(self, problem, held, watched):
        """A function to call with the module and its validation score after each epoch, or None.

        held, watched: the users of early stopping, and the rows that `fit` got to watch; or None.
        """
        return None

    def fit(self, X, y=None):
        """Learn the weights.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions, >= 0.
        y : ignored
            Present for scikit-learn's conventions; passed on to callbacks.

        Returns
        -------
        self : object
            The fitted recommender.

        Raises
        ------
        ValueError
            If a parameter or X is not valid, or the loss is not finite. The estimator then stays
            as it was.

        Warns
        -----
        ConvergenceWarning
            If the fit was interrupted: the model of the last whole epoch is kept.
        """
        return self._fit_weighted(X, None, y=y)

    @with_callbacks
    def _fit_weighted(self, X, sample_weight, *, y=None, watched=None, side=None):
        """`fit` with weights of the users in the loss, for `LOCA`."""
        with restored_on_failure(self), torch_state():
            return self._learn(X, sample_weight, y, watched, side)

    def _learn(self, X, sample_weight, y, watched, side):
        flag = isinstance(self.warm_start, bool | np.bool_)  # other values fail the rules below
        resumes = flag and self.warm_start and hasattr(self, "weights_")
        X = self._start_fit(X, reset=not resumes)
        n_epochs = self._n_epochs(X)
        tasks = FitTasks(self, X, y, n_epochs)
        problem, held_out = self._prepare(X, sample_weight, side, resumes)
        if watched is not None:
            watched = validate_interactions(self, watched, reset=False)
        module = self._train(problem, held_out, watched, tasks, resumes, n_epochs)
        self._keep(module, problem)
        tasks.end()
        return self

    def _prepare(self, X, sample_weight, side, resumes):
        """The problem, and its held-out part or None."""
        side = self._start_side(X, **(SideInformation() if side is None else side)._asdict())
        device = resolve_device(self.device)
        # Attributes of an earlier fit must not remain beside the attributes of this one.
        for name in ("best_validation_score_", *(() if resumes else ("weights_",))):
            vars(self).pop(name, None)
        self.counts_ = bool(np.all(X.data == np.rint(X.data)))
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        if not resumes:
            self.loss_curve_, self.validation_scores_ = [], []
            vars(self).pop("divergence_curve_", None)
            self._n_updates = self.n_iter_ = 0
            self._split_seed = seed
        stops = self._stops_early(X.shape[0])
        held_out = self._hold_out(X, self._split_seed) if stops else None
        if stops and held_out is None and not isinstance(self.early_stopping, str):
            warnings.warn(
                "early_stopping=True needs a held-out user who has two items, to hide one. Got no "
                f"such user in validation_fraction={self.validation_fraction} of {X.shape[0]} "
                f"users: the fit makes all {self._n_epochs(X)} epochs and keeps the last. Use "
                "early_stopping=False, or a larger validation_fraction.",
                stacklevel=7,
            )
        generator = torch.Generator().manual_seed(seed)
        return make_problem(X, sample_weight, side, held_out, device, generator), held_out

    def _stops_early(self, n_users):
        if isinstance(self.early_stopping, str):  # "auto"
            return n_users >= MANY_USERS
        return self.early_stopping

    def _hold_out(self, X, seed):
        """The users that early stopping holds out, as `HeldOut`; None if nothing can be scored."""
        rows, held = split_off_users(X.shape[0], self.validation_fraction, seed)
        held = X[held]
        if np.diff(held.indptr).max(initial=0) < 2:
            return None

        def score(module, problem):
            scores = self._scorer(module, problem)
            if recommender_tags(self).predicts_ratings:
                return negative_rmse(lambda X, rows, items: scores(X)[rows, items], held)
            return ndcg_at_100(scores, held)

        return HeldOut(rows, None, score, held)

    def _train(self, problem, held_out, watched, tasks, resumes, n_epochs):
        """The module, trained."""
        module = self._first_module(problem, resumes).to(problem.device)
        batches = self._batches(problem)
        certain = n_epochs if held_out is None else min(n_epochs, self.n_iter_no_change)
        self._plan(problem, n_epochs * len(batches), certain * len(batches))
        if not resumes:
            self._pretrain(module, batches, problem)
        stopping = None
        if held_out is not None:
            stopping = EarlyStopping(
                lambda module: finite_or_least(held_out.score(module, problem)),
                self.n_iter_no_change,
                self.tol,
            )
            if resumes:
                stopping.start(module)
        held = None if held_out is None else held_out.users
        watch = self._watch(problem, held, watched)

        def after_epoch(score):
            if watch is not None:
                watch(module, score)
            return tasks.epoch(lambda: kept(self, module, problem))

        noise = problem.generator if self._draws_on_host else problem.noise
        self._run(module, batches, n_epochs, stopping, noise, after_epoch)
        return module

    def _first_module(self, problem, resumes):
        if not resumes:
            return self._drawn_module(problem)
        # The weights are replaced, so they must not use up draws of the fit.
        seed = torch.Generator().manual_seed(problem.seed)
        module = self._drawn_module(problem._replace(generator=seed))
        try:
            # Copies, so that the module shares no memory with `weights_`.
            module.load_state_dict(
                {name: torch.tensor(v) for name, v in self._resumed_state(problem).items()}
            )
        except RuntimeError as error:
            raise ValueError(
                "warm_start continues with the network of the first fit, but the parameters, or "
                "the data that the network reads, now ask for another one: use "
                f"warm_start=False, or the parameters and data of the first fit. {error}"
            ) from error
        return module

    def _drawn_module(self, problem):
        # New layers draw from torch's global generator. It is restored, even if several threads
        # fit at once.
        with global_draws(problem.seed):
            return self._build_module(problem.X.shape, problem)

    def _resumed_state(self, problem):
        """The first state of a resumed fit."""
        return self.weights_

    def _apply(self, X, function, *, chunks=None):
        """``function(module, rows)`` of the rows of X, in its dtype, as an ndarray.

        The last axis but one of the function's result are the rows. `chunks` are bounds of rows
        that are computed one after another; None: all rows at once.
        """
        device = self._scoring_device(X.shape[0])
        if chunks is None:
            return self._applied(X, function, device).cpu().numpy()
        with one_call():
            found = [self._applied(X[a:b], function, device).cpu().numpy() for a, b in chunks]
        return np.concatenate(found, axis=-2)

    @torch_state()
    def _applied(self, X, function, device):
        """``function(module, rows)`` of the rows of X, in its dtype, as a tensor on a device."""
        dtype = torch.float64 if X.dtype == np.float64 else torch.float32
        module = self._module(dtype, device, scores=True)
        with torch.inference_mode():
            return function(module, DeviceRows(X, device, dtype=dtype).everything())

    def _scoring_device(self, n_rows):
        """The device that scores `n_rows` rows."""
        device = resolve_device(self.device)
        return torch.device("cpu") if n_rows <= self._few_rows else device

    def _encoded(self, X, function):
        """`_apply` for hidden layers, in chunks, since the layers of many rows would be large."""
        encoded = self._apply(X, function, chunks=row_chunks(X.shape[0], 0))
        return require_finite(encoded, "The vectors of users")

    def _scores(self, X):
        return self._apply(X, self._score)

    def _device_scores(self, X, device):
        """`_scores` as a tensor on a device; None in a class that scores on the host."""
        return self._applied(X, self._score, device)

    def _lists(self, rows, k, items=None, exclude_seen=True):
        X, device = rows.X, self._scoring_device(rows.X.shape[0])
        if _device.apart(device) and self._device_scores is not None:
            allowed = check_candidates(items, *X.shape)
            what = f"The scores of {type(self).__name__}"
            with one_call(), arithmetic(what), torch_state(), torch.inference_mode():
                found = device_lists(
                    lambda some: self._device_scores(some, device),
                    X, k, device, exclude_seen=exclude_seen, allowed=allowed,
                )  # fmt: skip
            if found is not None:
                return found
        # Also if a score is not finite: the host then raises the error.
        return super()._lists(rows, k, items, exclude_seen)


# A class over `TorchRecommender` may override these, and nothing else.
HOOKS = (
    "_build_module", "_batches", "_loss", "_score", "_parameter_groups", "_optimizer", "_n_epochs",
    "_plan", "_pretrain", "_after_batches", "_scorer", "_watch", "_keep", "_resumed_state",
    "_hold_out", "_device_scores",
)  # fmt: skip


def split_off_users(n_users, fraction, seed):
    """Indices of the users to learn from, and of held-out users if there is more than one user."""
    order = np.random.RandomState(seed).permutation(n_users)
    n_held = min(max(1, round(fraction * n_users)), n_users - 1)
    return np.sort(order[n_held:]), np.sort(order[:n_held])
