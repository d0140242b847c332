"""Save and load fitted models without pickle."""

import importlib
import inspect
from pathlib import Path

from sklearn.base import BaseEstimator

from skrec.utils._files import atomic_file

# skops asks about these, though they hold arrays and parameters and nothing else: sparse
# containers, and what a fitted search keeps.
_HARMLESS_TYPES = frozenset(
    [
        f"scipy.sparse._{form}.{form}_{kind}"
        for form in ("csr", "csc", "coo")
        for kind in ("array", "matrix")
    ]
    + [
        f"sklearn.model_selection._split.{name}"
        for name in (
            "KFold",
            "GroupKFold",
            "LeaveOneOut",
            "PredefinedSplit",
            "RepeatedKFold",
            "ShuffleSplit",
            "GroupShuffleSplit",
        )
    ]
    + ["sklearn.metrics._scorer._PassthroughScorer"]
)


def save(estimator, path):
    """Write a model to a file, atomically.

    The file is written beside its place and then moved there, so a save that fails or
    is interrupted leaves an older file as it was.

    Parameters
    ----------
    estimator : estimator, or dict of such
        A recommender, a pipeline, a fitted search, an encoder; or a dict of them.
    path : str or path-like
        Where to; by custom it ends in ``.skops``.

    Returns
    -------
    path : pathlib.Path
        Where it was written.

    Raises
    ------
    OSError
        If the folder does not exist or cannot be written.
    TypeError
        If something in the model cannot be stored, such as a lambda.

    See Also
    --------
    load : Read the file again.

    Examples
    --------
    >>> import tempfile, os, numpy as np, skrec
    >>> from skrec.dummy import DummyRecommender
    >>> model = DummyRecommender().fit(np.eye(3))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = skrec.save(model, os.path.join(folder, "model.skops"))
    ...     skrec.load(path)
    DummyRecommender()
    """
    from skops.io import dump

    path = Path(path)
    with atomic_file(path) as file:
        dump(estimator, file)
    return path


def load(path, *, trusted=()):
    """Read a model from a file; nothing in the file is executed.

    Parameters
    ----------
    path : str or path-like
        A file that `save` wrote.
    trusted : sequence of str, default=()
        Full names of further types that may be built, such as
        ``"my_package.MyTransformer"``. Types of skrec, scikit-learn, numpy and scipy's
        sparse containers need no mention.

    Returns
    -------
    estimator : object
        What was saved.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is no skops file or holds types that are not trusted.

    See Also
    --------
    save : Write the file.

    Examples
    --------
    See `save`.
    """
    from zipfile import BadZipFile

    from skops.io import get_untrusted_types
    from skops.io import load as skops_load

    path = Path(path)
    allowed = _HARMLESS_TYPES | set(trusted)
    try:
        asked = set(get_untrusted_types(file=path)) - allowed
    except (BadZipFile, KeyError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{path} is not a model file: {error}. Expected a file written by skrec.save."
        ) from error
    own = {name for name in asked if _is_own(name)}
    unknown = sorted(asked - own)
    if unknown:
        raise ValueError(
            f"{path} holds types that are not trusted: {', '.join(unknown)}. If you know where "
            "the file comes from, name them in skrec.load(path, trusted=[...])."
        )
    return skops_load(path, trusted=sorted(allowed | own))


def _is_own(type_name):
    """Whether a full name is that of an estimator, or of another public class, of skrec."""
    module_name, _, name = type_name.rpartition(".")
    if module_name.partition(".")[0] != "skrec":
        return False
    try:
        value = getattr(importlib.import_module(module_name), name, None)
    except ImportError:
        return False
    if not inspect.isclass(value) or value.__module__ != module_name:
        return False
    packages = ("skrec", ".".join(type_name.split(".")[:2]))
    public = any(
        name in getattr(importlib.import_module(package), "__all__", ()) for package in packages
    )
    return public or issubclass(value, BaseEstimator)
