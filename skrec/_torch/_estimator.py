"""The base class of the neural estimators: `fit` and scoring, written once."""

import copy
import threading
import warnings
from abc import abstractmethod
from contextlib import contextmanager

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from skrec._evaluation._default_score import ndcg_at_100
from skrec._torch._callbacks import CallbackSupportMixin, FitTasks, kept, with_callbacks
from skrec._torch._fit_loop import EarlyStopping, fit_loop
from skrec._torch._rows import DeviceRows, ShuffledRows
from skrec.base import BaseRecommender
from skrec.utils._device import resolve_device
from skrec.utils._parallel import row_chunks
from skrec.utils._params import (
    BOOLEAN,
    NON_NEGATIVE,
    POSITIVE,
    POSITIVE_INTEGER,
    RANDOM_STATE,
    InstanceOf,
    Interval,
    Options,
)
from skrec.utils._validation import validate_interactions

_GLOBAL_GENERATOR = threading.Lock()
# What every neural estimator takes; a class adds its own.
TORCH_RULES = {
    "learning_rate": POSITIVE,
    "batch_size": POSITIVE_INTEGER,
    "max_iter": POSITIVE_INTEGER,
    "precision": Options(("float32", "bfloat16")),
    "early_stopping": BOOLEAN,
    "validation_fraction": Interval(0, 1, closed="neither"),
    "n_iter_no_change": POSITIVE_INTEGER,
    "tol": NON_NEGATIVE,
    "warm_start": BOOLEAN,
    "device": InstanceOf((object,), "a device"),
    "random_state": RANDOM_STATE,
    "verbose": BOOLEAN,
}


class TorchRecommender(CallbackSupportMixin, BaseRecommender):
    """A recommender whose scores of a row are what a torch module makes of it.

    A subclass writes `__init__`, `_parameter_rules` (its own and `TORCH_RULES`) and the four
    hooks: `_build_module`, `_batches`, `_loss`, `_score`. The fitted state is a dict of numpy
    arrays, `weights_`, from which the module is built anew for each call: so pickling, cloning,
    workers and machines without CUDA are no special cases.

    The callbacks of scikit-learn (1.9) are told of `fit` and of each epoch, a task of it; they
    get X, y and, if they ask, the fitted estimator as it is then.
    """

    @abstractmethod
    def _build_module(self, n_users, n_items, generator):
        """A module with its first weights drawn from a CPU generator; None: not drawn."""

    @abstractmethod
    def _loss(self, module, batch, step, generator):
        """Mean loss of a batch, a scalar tensor, or it and the mean divergence in it.

        Noise comes from the CPU generator.
        """

    @abstractmethod
    def _score(self, module, rows):
        """Scores of `Rows`, a tensor of shape (n_rows, n_items)."""

    def _batches(self, X, weight, device, generator):
        """What the loop goes through in each epoch."""
        return ShuffledRows(DeviceRows(X, device, weight=weight), self.batch_size, generator)

    def _parameter_groups(self, module):
        """What the optimiser takes."""
        return module.parameters()

    def fit(self, X, y=None):
        """Learn the weights.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions, >= 0.
        y : ignored
            Present for scikit-learn's conventions; handed on to callbacks.

        Returns
        -------
        self : object
            The fitted recommender.

        Raises
        ------
        ValueError
            If a parameter or X is not valid, or the loss is not finite. The estimator is then
            what it was before.

        Warns
        -----
        ConvergenceWarning
            If the fit was interrupted: the model is that of the last whole epoch.
        """
        return self._fit_weighted(X, None, y=y)

    @with_callbacks
    def _fit_weighted(self, X, sample_weight, *, y=None, watched=None):
        """`fit` with weights of the users in the loss: what `LOCA` asks for."""
        with _left_alone(self):
            return self._learn(X, sample_weight, y, watched)

    def _learn(self, X, sample_weight, y, watched):
        resumes = self.warm_start and hasattr(self, "weights_")
        X = self._start_fit(X, reset=not resumes)
        tasks = FitTasks(self, X, y, self.max_iter)
        device = resolve_device(self.device)
        # What an earlier fit left must not stand beside what this one sets.
        for name in ("best_validation_score_", *(() if resumes else ("weights_",))):
            vars(self).pop(name, None)
        if watched is not None:
            watched = validate_interactions(self, watched, reset=False)
        self.counts_ = bool(np.all(X.data == np.rint(X.data)))
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        generator = torch.Generator().manual_seed(seed)
        if not resumes:
            self.loss_curve_, self.validation_scores_ = [], []
            vars(self).pop("divergence_curve_", None)
            self._n_updates = self.n_iter_ = 0
            self._split_seed = seed
        stopping, rows = None, np.arange(X.shape[0])
        if self.early_stopping:
            split = split_off_users(X.shape[0], self.validation_fraction, self._split_seed)
            if np.diff(X.indptr)[split[1]].max(initial=0) >= 2:
                rows = split[0]
                stopping = EarlyStopping(
                    self._validation_score(X[rows], X[split[1]], device),
                    self.n_iter_no_change,
                    self.tol,
                )
            else:
                warnings.warn(
                    "early_stopping=True, but no user that could be held out has two items, of "
                    f"which one could be hidden: there are max_iter={self.max_iter} epochs, and "
                    "none of them is chosen. Use early_stopping=False, or a larger "
                    f"validation_fraction. Got {self.validation_fraction} of {X.shape[0]} users.",
                    stacklevel=6,
                )
        weight = None if sample_weight is None else np.asarray(sample_weight)[rows]
        X = X[rows]
        module = self._first_module(X, weight, generator, resumes).to(device)
        batches = self._batches(X, weight, device, generator)
        self._plan(len(batches))
        if resumes and stopping is not None:
            self._start_stopping(stopping, module)
        watch = self._watch(X, weight, generator.initial_seed(), watched, device)

        def after_epoch(module):
            if watch is not None:
                watch(module)
            return tasks.epoch(lambda: kept(self, module, X, device))

        self._run(module, batches, stopping, generator, after_epoch)
        self._keep(module, X, device)
        tasks.end()
        return self

    def _first_module(self, X, weight, generator, resumes):
        if resumes:
            return self._resumed()
        # Layers draw from torch's global generator when they are made. It is left as it was,
        # also where several threads fit at once.
        with _GLOBAL_GENERATOR, torch.random.fork_rng(devices=[]):
            # Not torch.manual_seed, which seeds every CUDA device as well.
            torch.default_generator.manual_seed(generator.initial_seed())
            return self._build_module(*X.shape, generator)

    def _resumed(self):
        """The fitted module to go on with; it shares no memory with `weights_`."""
        try:
            return copy.deepcopy(self._module(torch.float32, torch.device("cpu")))
        except RuntimeError as error:
            raise ValueError(
                "warm_start goes on with the network of the first fit, and the parameters now "
                "describe another one: use warm_start=False, or the parameters of that fit. "
                f"{error}"
            ) from error

    def _start_stopping(self, stopping, module):
        """Let early stopping see the module that a resumed fit begins with."""
        stopping.start(module)

    def _plan(self, n_batches):
        """Called with the number of updates of an epoch, before the first one."""

    def _rate(self, share):
        """Learning rate when a share of the planned epochs is over; asked after each one."""
        return self.learning_rate

    def _watch(self, X, weight, seed, watched, device):
        """What to call with the module after each epoch, or None.

        X, weight, seed: what is learned from, the users' weights or None, that of the fit.
        """
        return None

    def _keep(self, module, X, device):
        """Make the fitted state of the trained module; X: what was learned from."""
        # Copies: the module may go on to learn.
        self.weights_ = {
            name: value.detach().cpu().numpy().copy() for name, value in module.state_dict().items()
        }

    def _run(self, module, batches, stopping, generator, after_epoch):
        optimizer = torch.optim.Adam(
            self._parameter_groups(module), lr=self.learning_rate, fused=True
        )
        first = self.n_iter_ + 1
        progress = _Progress(range(first, first + self.max_iter), self.verbose)
        lower = self._autocast(module)

        def loss(batch, step):
            with lower:
                return self._loss(module, batch, step, generator)

        def after(epoch, loss, score):
            progress.show(epoch, loss, score)
            rate = self._rate((epoch + 1 - first) / self.max_iter)
            for group in optimizer.param_groups:
                group["lr"] = rate
            return after_epoch(module)

        try:
            history = fit_loop(
                module,
                optimizer,
                batches,
                loss,
                epochs=progress,
                step=self._n_updates,
                stopping=stopping,
                on_epoch=after,
            )
            check_finite(module, first - 1 + history.n_epochs)
        except FloatingPointError as error:
            raise diverged(error, self.learning_rate) from error
        self.loss_curve_ = self.loss_curve_ + history.losses
        self.validation_scores_ = self.validation_scores_ + history.scores
        if history.divergences:
            self.divergence_curve_ = getattr(self, "divergence_curve_", []) + history.divergences
        self.n_iter_ += history.n_epochs
        self._n_updates += history.n_epochs * len(batches)
        chosen = stopping is not None and stopping.best_state is not None
        if chosen:
            self.best_validation_score_ = stopping.best_score
        if history.interrupted:
            which = "the epoch that validated best" if chosen else f"epoch {self.n_iter_}"
            warnings.warn(
                f"The fit was interrupted in epoch {self.n_iter_ + 1}: the model is that of "
                f"{which}.",
                ConvergenceWarning,
                stacklevel=7,
            )

    def _autocast(self, module):
        """A context in which matrix products are computed in `precision`."""
        return torch.autocast(
            next(module.parameters()).device.type,
            dtype=torch.bfloat16,
            enabled=self.precision == "bfloat16",
        )

    def _validation_score(self, X, held, device):
        """A function of the module in training: nDCG@100 of users who are held out."""

        def score(module):
            with torch.inference_mode():
                found = ndcg_at_100(
                    lambda X: self._score(module, DeviceRows(X, device).everything()).cpu().numpy(),
                    held,
                )
            return found if np.isfinite(found) else -np.inf

        return score

    def _module(self, dtype, device):
        """The fitted module."""
        with torch.device("meta"):
            module = self._build_module(*self._module_shape(), None)
        state = {
            # Workers get read-only memory maps, which torch does not take.
            name: torch.from_numpy(np.require(value, requirements="W")).to(device, dtype)
            for name, value in self.weights_.items()
        }
        module.load_state_dict(state, assign=True)
        return module.eval()

    def _module_shape(self):
        return (None, self.n_features_in_)

    def _apply(self, X, function, *, chunks=None):
        """``function(module, rows)`` of the rows of X, in its dtype, as an ndarray.

        Rows are the last axis but one of what it returns. `chunks` are bounds of rows to go
        through one after another; None: all rows at once.
        """
        device = resolve_device(self.device)
        dtype = torch.float64 if X.dtype == np.float64 else torch.float32
        module = self._module(dtype, device)
        with torch.inference_mode():
            if chunks is None:
                rows = DeviceRows(X, device, dtype=dtype).everything()
                return function(module, rows).cpu().numpy()
            found = []
            for start, stop in chunks:
                rows = DeviceRows(X[start:stop], device, dtype=dtype).everything()
                found.append(function(module, rows).cpu().numpy())
            return np.concatenate(found, axis=-2)

    def _encoded(self, X, function):
        """`_apply` for hidden layers: those of many rows at once would be large."""
        return self._apply(X, function, chunks=row_chunks(X.shape[0], 0))

    def _scores(self, X):
        return self._apply(X, self._score)


@contextmanager
def _left_alone(estimator):
    """A block that leaves an estimator as it was if it fails."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        state = vars(estimator)
        for name in [name for name in state if name not in before]:
            if "_callback" not in name:  # those are scikit-learn's
                del state[name]
        state.update(before)
        raise


def split_off_users(n_users, fraction, seed):
    """Indices of the users to learn from, and of those held out unless there is but one user."""
    order = np.random.RandomState(seed).permutation(n_users)
    n_held = min(max(1, round(fraction * n_users)), n_users - 1)
    return np.sort(order[n_held:]), np.sort(order[:n_held])


def check_finite(module, epoch):
    """Raise if the last update, of which there is no loss, went wrong."""
    if not all(bool(torch.isfinite(value).all()) for value in module.state_dict().values()):
        raise FloatingPointError(f"The weights after epoch {epoch} are not finite.")


def diverged(error, learning_rate):
    """The ValueError of a fit whose loss is not finite."""
    return ValueError(
        f"{error} The fit diverged at learning_rate={learning_rate}: use a smaller "
        "learning_rate, or look for extreme values in X."
    )


class _Progress:
    """Numbers of epochs, with a bar around them if wanted."""

    def __init__(self, epochs, verbose):
        self._epochs, self._bar = epochs, None
        if verbose:
            from tqdm import tqdm

            self._bar = tqdm(epochs, unit="epoch")

    def __iter__(self):
        return iter(self._epochs if self._bar is None else self._bar)

    def show(self, epoch, loss, score):
        if self._bar is not None:
            found = {"loss": f"{loss:.5g}"} | ({} if score is None else {"score": f"{score:.4f}"})
            self._bar.set_postfix(found)
