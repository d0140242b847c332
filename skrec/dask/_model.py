"""A model in a file that every worker opens by its path."""

import os
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import joblib
from sklearn.utils.validation import check_is_fitted

from skrec._persistence import load
from skrec.utils._files import abandoned_parts, atomic_file, new_part


class Recommended(NamedTuple):
    """A model and an encoder that make the lists of a part.

    Attributes
    ----------
    model : fitted recommender, or LogRecommender
    encoder : InteractionEncoder or None
    """

    model: object
    encoder: object

    @property
    def reads_logs(self):
        """Whether the model itself reads logs and returns ids."""
        return hasattr(self.model, "interactions_") and hasattr(self.model, "encoder_")

    @property
    def reader(self):
        """The encoder that reads logs; None for matrices."""
        return self.model.encoder_ if self.reads_logs else self.encoder


def read_model(model, encoder):
    """A fitted model, given as a path or an object, with the encoder of its parts."""
    if isinstance(model, str | os.PathLike):
        model = load(model)
        if isinstance(model, dict):
            encoder = model.get("encoder", encoder)
            model = model.get("model", model)
    check_is_fitted(model)
    found = Recommended(model, encoder)
    if found.reads_logs and encoder is not None:
        raise ValueError(
            "Got encoder and a LogRecommender, which has its own encoder: leave encoder out."
        )
    return found


@contextmanager
def mapped_file(content, folder):
    """A file of a model in a folder, for the time of the block.

    Arrays are written with their memory layout, so that workers of one machine map the same pages.

    Parameters
    ----------
    content : object
    folder : pathlib.Path
        All workers must see it.

    Yields
    ------
    path : pathlib.Path
    """
    # The name marks an unfinished file, so that a file of a killed process can be found.
    path = new_part(folder / "model")
    try:
        with atomic_file(path) as file:
            joblib.dump(content, file)
        yield path
    finally:
        path.unlink(missing_ok=True)
        for part in abandoned_parts(folder):  # of lost workers
            part.unlink(missing_ok=True)


def open_mapped(path):
    """Open a file of `mapped_file`; its arrays are mapped and not read."""
    with suppress(OSError):  # of another user
        os.utime(path)  # else it counts as abandoned after a day
    return joblib.load(Path(path), mmap_mode="r")
