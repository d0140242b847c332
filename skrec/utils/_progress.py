"""A progress bar around the steps of a fit."""


class ProgressBar:
    """The steps of a fit, with a bar around them on stderr if it is wanted.

    Parameters
    ----------
    steps : iterable
    name : str
        What stands before the bar.
    shown : bool
        Without it nothing is written, and tqdm is not imported.
    total : int, default=None
        Number of steps; None: their length, if they have one.
    unit : str, default="it"
        What a step is called.

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
        """Write beside the bar what an epoch brought.

        Parameters
        ----------
        epoch : int
            A fit that goes on does not begin at 1.
        loss : float
        score : float, default=None
            Of the held-out data; None where there are none.
        """
        if self._bar is not None:
            found = {"epoch": epoch, "loss": f"{loss:.5g}"}
            self._bar.set_postfix(found | ({} if score is None else {"score": f"{score:.4f}"}))
