"""A progress bar around the steps of a fit."""


class ProgressBar:
    """The steps of a fit, with an optional progress bar on stderr.

    Parameters
    ----------
    steps : iterable
    name : str
        Text before the bar.
    shown : bool
        Whether to show the bar. If False, nothing is written and tqdm is not imported.
    total : int, default=None
        Number of steps; None: ``len(steps)`` if defined.
    unit : str, default="it"
        Name of a step.

    Examples
    --------
    >>> from skrec.utils._progress import ProgressBar
    >>> bar = ProgressBar(range(1, 4), "MultVAE", shown=False, unit="epoch")
    >>> for epoch in bar:
    ...     bar.show(epoch, 0.5)
    """

    def __init__(self, steps, name, *, shown, total=None, unit="it"):
        self._steps, self._bar = steps, None
        if shown:
            from tqdm import tqdm

            self._bar = self._steps = tqdm(steps, desc=name, total=total, unit=unit)

    def __iter__(self):
        return iter(self._steps)

    def show(self, epoch, loss, score=None):
        """Show the loss and the score of an epoch beside the bar.

        Parameters
        ----------
        epoch : int
            Number of the epoch; a continued fit does not begin at 1.
        loss : float
        score : float, default=None
            Score of the held-out data; None if there are none.
        """
        if self._bar is not None:
            found = {"epoch": epoch, "loss": f"{loss:.5g}"}
            self._bar.set_postfix(found | ({} if score is None else {"score": f"{score:.4f}"}))
