"""Shared by all neural fits: the optimiser, epochs, records, weights to keep."""

import warnings

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning

from skrec._torch._fit_loop import fit_loop
from skrec._torch._layers import narrow_weights
from skrec._torch._place import sent_array
from skrec._torch._schedules import rate_share
from skrec._torch._weights import Weights
from skrec.utils import _device
from skrec.utils._call import built_once
from skrec.utils._fitted import COUNT, CURVE, SEED, Absent, Number
from skrec.utils._progress import ProgressBar
from skrec.utils._state_torch import products_in


class EpochsMixin:
    """Epochs of an estimator over a torch module, and the fitted state that they leave.

    The estimator has the parameters `learning_rate` and `verbose`, and the hooks
    `_build_module` and `_loss`, which `skrec._torch._estimator.TorchRecommender` describes.
    """

    _fitted_rules = {
        "weights_": Weights(),
        "loss_curve_": CURVE,
        "n_iter_": COUNT,
        "validation_scores_": CURVE,
        "best_validation_score_": Absent(Number(finite=False)),
        "divergence_curve_": Absent(CURVE),
        "_n_updates": COUNT,
        "_split_seed": SEED,
    }
    # Values for classes without these parameters.
    precision = "float32"
    schedule = "constant"

    def _parameter_groups(self, module):
        """The parameter groups for the optimiser."""
        return module.parameters()

    def _optimizer(self, module):
        """The optimiser of the module."""
        return torch.optim.Adam(self._parameter_groups(module), lr=self.learning_rate, fused=True)

    def _after_batches(self, module, batches):
        """Called after the batches of an epoch; returns a term of the epoch's mean loss."""
        return 0.0

    def _keep(self, module, problem):
        """Make the fitted state from the trained module."""
        # Copies, since the module may continue to learn.
        self.weights_ = {
            name: value.detach().cpu().numpy().copy() for name, value in module.state_dict().items()
        }

    def _run(self, module, batches, n_epochs, stopping, generator, after_epoch):
        optimizer = self._optimizer(module)
        rates = [group["lr"] for group in optimizer.param_groups]
        first = self.n_iter_ + 1
        progress = ProgressBar(
            range(first, first + n_epochs),
            type(self).__name__,
            shown=self.verbose,
            unit="epoch",
        )
        autocast = self._autocast(module)

        def loss(batch, step):
            with autocast:
                value = self._loss(module, batch, step, generator)
            # Within the caller's autocast, torch would reuse the weights of this step in the next.
            torch.clear_autocast_cache()
            return value

        def after(epoch, loss, score):
            progress.show(epoch, loss, score)
            factor = rate_share(self.schedule, (epoch + 1 - first) / n_epochs)
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * factor
            return after_epoch(score)

        try:
            with products_in(self.precision):
                history = fit_loop(
                    module,
                    optimizer,
                    batches,
                    loss,
                    epochs=progress,
                    step=self._n_updates,
                    stopping=stopping,
                    on_epoch=after,
                    finish=lambda: self._after_batches(module, batches),
                )
            check_finite(module, first - 1 + history.n_epochs)
        except FloatingPointError as error:
            raise diverged(error, self.learning_rate) from error
        self._record_history(history, stopping, len(batches))

    def _record_history(self, history, stopping, n_batches):
        self.loss_curve_ = self.loss_curve_ + history.losses
        self.validation_scores_ = self.validation_scores_ + history.scores
        if history.divergences:
            self.divergence_curve_ = getattr(self, "divergence_curve_", []) + history.divergences
        self.n_iter_ += history.n_epochs
        self._n_updates += history.n_epochs * n_batches
        chosen = stopping is not None and stopping.best_state is not None
        if chosen:
            self.best_validation_score_ = stopping.best_score
        if history.interrupted:
            which = "the epoch that validated best" if chosen else f"epoch {self.n_iter_}"
            warnings.warn(
                f"The fit was interrupted in epoch {self.n_iter_ + 1}: the model of {which} is "
                "kept.",
                ConvergenceWarning,
                stacklevel=9,
            )

    def _autocast(self, module):
        """A context in which matrix products are computed in `precision`."""
        return torch.autocast(
            next(module.parameters()).device.type,
            dtype=torch.bfloat16,
            enabled=self.precision == "bfloat16",
        )

    def _module(self, dtype, device, *, scores=False):
        """The fitted module, without the vectors of single users; built once in a call.

        `scores`: the module only computes outputs, so layers may keep float32 weights.
        """
        key = (dtype, str(device), scores, torch.is_inference_mode_enabled())
        return built_once(
            self, self.weights_, key, lambda: self._built_module(dtype, device, scores)
        )

    def _built_module(self, dtype, device, scores):
        with torch.device("meta"):
            module = self._build_module((None, self.n_features_in_))
        stays = () if _device.apart(torch.device(device)) or not scores else narrow_weights(module)
        state = {
            # Sent as float32: float64 weights would take twice as long to send.
            name: sent_array(value, torch.device(device)).to(
                torch.float32 if name in stays else dtype
            )
            for name, value in self.weights_.items()
        }
        module.load_state_dict(state, assign=True)
        return module.eval()


def finite_or_least(score):
    """A score, or minus infinity instead of a value that is not finite."""
    return score if np.isfinite(score) else -np.inf


def check_finite(module, epoch):
    """Raise if the last update made weights that are not finite; no later loss would show it."""
    if not all(bool(torch.isfinite(value).all()) for value in module.state_dict().values()):
        raise FloatingPointError(f"The weights after epoch {epoch} are not finite.")


def diverged(error, learning_rate):
    """The ValueError of a fit whose loss is not finite."""
    return ValueError(
        f"{error} The fit diverged at learning_rate={learning_rate}: use a smaller "
        "learning_rate, or look for extreme values in X."
    )
