"""The fit of `skrec.neural_network.ResidualMF`: two solvers, one after the other."""

import warnings
from functools import partial

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from skrec._torch._epochs import check_finite, diverged
from skrec._torch._fit_loop import EarlyStopping
from skrec.neural_network._residual_branch import (
    Branch,
    BranchScorer,
    ShuffledSamples,
    learn_branch,
)
from skrec.neural_network._residual_factors import (
    Arrays,
    Factors,
    LogisticDescent,
    SquareDescent,
    first_arrays,
    learn_factors,
)
from skrec.neural_network._residual_watch import hold_entries
from skrec.utils._device import resolve_device
from skrec.utils._progress import ProgressBar
from skrec.utils._rates import learning_rates


class TwoSolversMixin:
    """Descent learns the factors, then Adam the network, in three steps: prepare, run, keep."""

    def _learn(self, X, resumes):
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
        factors = Factors(self._resumed_arrays(X) if resumes else self._first_arrays(X, rng))
        branch = self._first_branch(resumes, generator)
        vars(self).pop("best_validation_score_", None)
        if not resumes:
            self.loss_curve_, self.branch_loss_curve_, self.validation_scores_ = [], [], []
            self.n_iter_, self._split_seed = 0, seed
        held = self._hold_out(X)
        train = X if held is None else held.train
        is_whole = self._learn_factors(factors, train, held, resumes, rng)
        if branch is not None and is_whole:
            self._learn_branch(branch, factors, train, held, generator)
        self._keep(X, train, factors, branch, seed)
        return self

    def _first_arrays(self, X, rng):
        intercept = X.data.mean(dtype=np.float64) if self._is_rating and X.nnz else 0.0
        return first_arrays(X.shape, self.n_components, self.init_scale, rng, intercept)

    def _resumed_arrays(self, X):
        if len(self.components_) != self.n_components:
            raise ValueError(
                f"warm_start continues with vectors of length {len(self.components_)}, but "
                f"n_components={self.n_components}: use warm_start=False, or the same length."
            )
        # Training rows are identified by their content; other rows start folded in.
        known = self._vectors(X, known_users="match").astype(np.float32)
        return Arrays(
            known[:, :-1].copy(), self.components_.T.copy(), known[:, -1].copy(),
            self.item_bias_.copy(), np.array([self.intercept_], dtype=np.float32),
        )  # fmt: skip

    def _build_module(self, shape, problem=None):
        with torch.device("meta"):
            return Branch(self.n_components, tuple(self.hidden_layer_sizes))

    def _first_branch(self, resumes, generator):
        """The first network, on its device; None if there is none."""
        weights = getattr(self, "weights_", None) if resumes else None
        vars(self).pop("weights_", None)
        if not self.hidden_layer_sizes:
            return None
        branch = self._build_module(None).to_empty(device="cpu").draw(generator)
        if weights is not None:
            try:
                branch.load_state_dict({name: torch.tensor(v) for name, v in weights.items()})
            except RuntimeError as error:
                raise ValueError(
                    "warm_start continues with the network of the first fit, but "
                    f"hidden_layer_sizes={self.hidden_layer_sizes} asks for another one: use "
                    f"warm_start=False, or the sizes of the first fit. {error}"
                ) from error
        return branch.to(resolve_device(self.device))

    def _hold_out(self, X):
        if not self.early_stopping:
            return None
        held = hold_entries(X, self.validation_fraction, self._split_seed, self._is_rating)
        if held is None:
            warnings.warn(
                "early_stopping=True needs a user with two items to hide one of them, but no user "
                "has two items: no epoch is chosen. Use early_stopping=False.",
                stacklevel=5,
            )
        return held

    def _learn_factors(self, factors, X, held, resumes, rng):
        """Run the first solver; False if it was interrupted."""
        options = {"alpha": self.alpha, "rng": rng, "n_jobs": self.n_jobs}
        if self._is_rating:
            descent = SquareDescent(X, factors.arrays, **options)
        else:
            descent = LogisticDescent(X, factors.arrays, n_negatives=self.n_negatives, **options)
        stopping = self._stopping(held, lambda factors: held.score(factors.arrays))
        if resumes and stopping is not None:
            stopping.start(factors)
        rates = learning_rates(self.learning_rate, self.max_iter, self.schedule)
        history = self._run(
            partial(learn_factors, factors, descent, rates),
            factors,
            stopping,
            range(self.n_iter_ + 1, self.n_iter_ + self.max_iter + 1),
            self.learning_rate,
        )
        self.loss_curve_ = self.loss_curve_ + history.losses
        self.n_iter_ += history.n_epochs
        return not history.interrupted

    def _learn_branch(self, branch, factors, X, held, generator):
        """Run the second solver."""
        device, arrays = branch.output.weight.device, factors.arrays
        n_negatives = 0 if self._is_rating else self.n_negatives
        batches = ShuffledSamples(X, n_negatives, self.batch_size, generator, device)
        stopping = self._stopping(
            held, lambda branch: held.score(arrays, BranchScorer(branch, arrays.items))
        )
        if stopping is not None:
            stopping.start(branch)
        learn = partial(
            learn_branch, branch, Factors(arrays).to(device), batches,
            rate=self.branch_learning_rate, alpha=self.alpha, logistic=not self._is_rating,
        )  # fmt: skip
        first = len(self.branch_loss_curve_) + 1
        epochs = range(first, first + self.branch_max_iter)
        history = self._run(learn, branch, stopping, epochs, self.branch_learning_rate)
        self.branch_loss_curve_ = self.branch_loss_curve_ + history.losses

    def _stopping(self, held, score):
        if held is None:
            return None
        return EarlyStopping(score, self.n_iter_no_change, self.tol)

    def _run(self, learn, module, stopping, epochs, learning_rate):
        """Run a solver; progress, early stopping, interrupts and errors are the same for both."""
        progress = ProgressBar(epochs, type(self).__name__, shown=self.verbose, unit="epoch")
        try:
            history = learn(epochs=progress, stopping=stopping, on_epoch=progress.show)
            check_finite(module, epochs.start - 1 + history.n_epochs)
        except FloatingPointError as error:
            raise diverged(error, learning_rate) from error
        self.validation_scores_ = self.validation_scores_ + history.scores
        if stopping is not None and stopping.best_state is not None:
            self.best_validation_score_ = stopping.best_score
        if history.interrupted:
            warnings.warn(
                f"The fit was interrupted in epoch {epochs.start + history.n_epochs}: the model of "
                "the last whole epoch, or of the epoch that validated best, is kept.",
                ConvergenceWarning,
                stacklevel=7,
            )
        return history

    def _keep(self, X, train, factors, branch, seed):
        arrays = factors.arrays
        # The penalty alone makes them zero.
        untaught = np.diff(train.indptr) == 0
        arrays.users[untaught], arrays.of_users[untaught] = 0, 0
        self._remember(X)
        self.seed_ = seed
        self.user_factors_, self.user_bias_ = arrays.users, arrays.of_users
        self.components_ = np.ascontiguousarray(arrays.items.T)
        self.item_bias_, self.intercept_ = arrays.of_items, float(arrays.intercept[0])
        if branch is not None:
            self.weights_ = {k: v.cpu().numpy().copy() for k, v in branch.state_dict().items()}
