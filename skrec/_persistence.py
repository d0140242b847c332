"""Save and load fitted models without pickle."""

import importlib
import inspect
import os
import tempfile
from pathlib import Path

# Sparse containers hold arrays and nothing else; skops asks about them all the same.
_SPARSE_TYPES = frozenset(
    f"scipy.sparse._{form}.{form}_{kind}"
    for form in ("csr", "csc", "coo")
    for kind in ("array", "matrix")
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
    if not path.parent.is_dir():
        raise FileNotFoundError(f"Cannot save to {path}: the folder {path.parent} does not exist.")
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            dump(estimator, file)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes private files; a saved model has the rights any new file gets.
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
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
    allowed = _SPARSE_TYPES | set(trusted)
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
    """Whether a full name is that of a public class of skrec."""
    package, *_, name = type_name.split(".")
    if package != "skrec":
        return False
    # skrec.ItemFeatures, or a public name of a sub-package (``skrec.sub._module.Name``).
    candidates = ["skrec", ".".join(type_name.split(".")[:2])]
    for candidate in candidates:
        try:
            module = importlib.import_module(candidate)
        except ImportError:
            continue
        member = getattr(module, name, None) if name in getattr(module, "__all__", ()) else None
        if inspect.isclass(member) and f"{member.__module__}.{member.__qualname__}" == type_name:
            return True
    return False
