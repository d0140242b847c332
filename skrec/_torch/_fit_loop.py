"""The loop of every neural fit. It knows batches, a loss and a module, but no estimator."""

import math
from typing import NamedTuple

from skrec.utils._interrupts import hands_interrupts_on


class History(NamedTuple):
    """The record of a fit: means of the loss, validation scores, the number of epochs.

    `divergences` holds one for each epoch; empty if the loss returns none. `interrupted`: Ctrl-C
    ended the fit, and the module is the one after the last whole epoch.
    """

    losses: list
    divergences: list
    scores: list
    n_epochs: int
    interrupted: bool


def fit_loop(
    module, optimizer, batches, loss, *, epochs, step=0, stopping=None, on_epoch=None, finish=None
):
    """Minimise a loss over batches, epoch by epoch.

    Parameters
    ----------
    module : torch.nn.Module
    optimizer : torch.optim.Optimizer
        Optimiser of the module's parameters. If it has ``update(batch, step)``, that makes the
        steps of a batch and returns its mean loss, and `loss` is not called.
    batches : iterable
        The batches of an epoch, new in each iteration. A batch with `n_rows` has this weight in
        the means over an epoch.
    loss : callable
        ``loss(batch, step)`` returns the mean loss of a batch, a scalar tensor; or a tuple of
        the mean loss and the mean divergence, which is recorded.
    epochs : iterable of int
        Numbers of the epochs, from 1; may be a progress bar.
    step : int, default=0
        Number of earlier updates.
    stopping : EarlyStopping, default=None
        Called after each epoch.
    on_epoch : callable, default=None
        ``on_epoch(epoch, loss, score)`` after each epoch; True ends the fit.
    finish : callable, default=None
        ``finish()`` after the batches of an epoch, before the module is scored; its result is
        added to the epoch's mean loss.

    Returns
    -------
    history : History

    Raises
    ------
    FloatingPointError
        If a loss is not finite.
    KeyboardInterrupt
        Inside `whole_fits_only`. Elsewhere an interrupt ends the loop after its last whole epoch.
    """
    update = getattr(optimizer, "update", None) or _along_gradients(optimizer, loss)
    n_updates = step

    def one_epoch():
        nonlocal n_updates
        total = divergence = n_rows = 0
        module.train()
        for batch in batches:
            value = update(batch, n_updates)
            size = getattr(batch, "n_rows", 1)
            if isinstance(value, tuple):
                value, part = value
                divergence = divergence + size * part
            n_updates, n_rows = n_updates + 1, n_rows + size
            total = total + size * value
        n_rows = max(n_rows, 1)  # an epoch without a batch has a loss of zero
        mean = float(total) / n_rows
        mean += 0.0 if finish is None else finish()
        return mean, None if isinstance(divergence, int) else float(divergence) / n_rows

    return epoch_loop(module, one_epoch, epochs=epochs, stopping=stopping, on_epoch=on_epoch)


def epoch_loop(module, one_epoch, *, epochs, stopping=None, on_epoch=None):
    """Run epochs of any kind; parameters as in `fit_loop`.

    Parameters
    ----------
    module : torch.nn.Module
    one_epoch : callable
        ``one_epoch()`` trains the module and returns the mean loss, and the mean divergence or
        None.
    epochs : iterable of int
    stopping : EarlyStopping, default=None
    on_epoch : callable, default=None

    Returns
    -------
    history : History
    """
    losses, divergences, scores, n_epochs = [], [], [], 0
    finished, interrupted = copied(module), False
    try:
        for epoch in epochs:
            mean, divergence = one_epoch()
            if not math.isfinite(mean):
                raise FloatingPointError(f"The loss of epoch {epoch} is {mean}.")
            module.eval()
            score = stopping(module) if stopping is not None else None
            losses.append(mean)
            divergences += [] if divergence is None else [divergence]
            scores += [] if score is None else [score]
            n_epochs, finished = n_epochs + 1, copied(module)
            ended = on_epoch is not None and on_epoch(epoch, mean, score)
            if ended or (stopping is not None and stopping.stop):
                break
    except KeyboardInterrupt as error:
        if hands_interrupts_on():
            raise KeyboardInterrupt(f"after {n_epochs} epochs") from error
        module.load_state_dict(finished)
        interrupted = True
    if stopping is not None and stopping.best_state is not None:
        module.load_state_dict(stopping.best_state)
    module.eval()
    return History(losses, divergences, scores, n_epochs, interrupted)


def _along_gradients(optimizer, loss):
    """Make a function that takes one step of a torch optimiser for a batch."""

    def update(batch, step):
        optimizer.zero_grad(set_to_none=True)
        value = loss(batch, step)
        parts = value if isinstance(value, tuple) else (value,)
        parts[0].backward()
        optimizer.step()
        parts = tuple(part.detach() for part in parts)
        return parts if isinstance(value, tuple) else parts[0]

    return update


def copied(module):
    """The state of a module, as copies."""
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


class EarlyStopping:
    """Keeps the best state by a score, and tells when the score no longer rises.

    Parameters
    ----------
    score : callable
        ``score(module)`` returns a float, higher is better.
    n_iter_no_change : int
        Stop after this many epochs without a rise by more than `tol`.
    tol : float
    """

    def __init__(self, score, n_iter_no_change, tol):
        self._score, self._patience, self._tol = score, n_iter_no_change, tol
        self.best_score, self.best_state, self._bar, self._since = -math.inf, None, -math.inf, 0

    @property
    def stop(self):
        """Whether the score has not risen for `n_iter_no_change` epochs."""
        return self._since >= self._patience

    def start(self, module):
        """Begin with a fitted module: later states must be better."""
        self.best_score = self._bar = float(self._score(module))
        self.best_state = copied(module)

    def __call__(self, module):
        score = float(self._score(module))
        if score > self.best_score or self.best_state is None:
            self.best_score, self.best_state = score, copied(module)
        if score > self._bar + self._tol:
            self._bar, self._since = score, 0
        else:
            self._since += 1
        return score
