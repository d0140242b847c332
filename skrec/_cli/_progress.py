"""What a waiting user sees on stderr."""

import sys
from contextlib import contextmanager

from tqdm import tqdm


def progress_bar(total, unit):
    """Make a progress bar that vanishes when it is done.

    Parameters
    ----------
    total : int
    unit : str

    Returns
    -------
    bar : tqdm
        Shows nothing where stderr is no terminal.
    """
    return tqdm(total=total, file=sys.stderr, disable=None, leave=False, unit=unit)


@contextmanager
def status(text):
    """Show what is being done for as long as it takes; nothing where stderr is no terminal."""
    with tqdm(total=0, file=sys.stderr, disable=None, leave=False, bar_format="{desc}") as line:
        line.set_description_str(text)
        yield
