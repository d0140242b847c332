"""The loop of every neural fit. It knows batches, a loss and a module; no estimator."""

import math
from typing import NamedTuple

from skrec.utils._interrupts import hands_interrupts_on


class History(NamedTuple):
    """What a fit leaves behind: means of the loss, validation scores, the epochs that it took.

    `divergences` are those of each epoch, empty where the loss tells of none. `interrupted` says
    that Ctrl-C ended it; the module is then that of the last whole epoch.
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
        Of the module's parameters. One that has ``update(batch, step)`` makes the steps of a
        batch by itself, and returns its mean loss: `loss` is not called.
    batches : iterable
        An epoch's batches, anew each time it is gone through. One that has `n_rows` counts for
        so many in the means over an epoch.
    loss : callable
        ``loss(batch, step)`` returns the mean loss of a batch, a scalar tensor; or a tuple of
        it and the mean divergence in it, which is recorded.
    epochs : iterable of int
        Numbers of the epochs, from 1; a progress bar goes around them.
    step : int, default=0
        Updates made before.
    stopping : EarlyStopping, default=None
        Called after each epoch.
    on_epoch : callable, default=None
        ``on_epoch(epoch, loss, score)`` after each epoch; True ends the fit.
    finish : callable, default=None
        ``finish()`` when the batches of an epoch are through, before the module is scored; what
        it returns is added to the epoch's mean loss.

    Returns
    -------
    history : History

    Raises
    ------
    FloatingPointError
        If a loss is not finite.
    KeyboardInterrupt
        Inside `whole_fits_only`; elsewhere an interrupt ends the loop with what it has.
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
    """Go through epochs, whatever is done in one of them; arguments are those of `fit_loop`.

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
    """One step of an optimiser of torch for each batch."""

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
    """Keeps the best state by a score, and says when it no longer rises.

    Parameters
    ----------
    score : callable
        ``score(module)`` returns a float, higher is better.
    n_iter_no_change : int
        Epochs without a rise by `tol` after which to stop.
    tol : float
    """

    def __init__(self, score, n_iter_no_change, tol):
        self._score, self._patience, self._tol = score, n_iter_no_change, tol
        self.best_score, self.best_state, self._bar, self._since = -math.inf, None, -math.inf, 0

    @property
    def stop(self):
        """Whether there was no rise for long enough."""
        return self._since >= self._patience

    def start(self, module):
        """Begin with a module that is fitted already: what follows must be better."""
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
