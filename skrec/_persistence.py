"""Save and load fitted models without pickle."""

import importlib
import inspect
import warnings
from pathlib import Path
from tempfile import TemporaryFile
from zipfile import ZipFile

from sklearn.base import BaseEstimator

from skrec.utils._archive import check_archive, read_schema
from skrec.utils._files import atomic_file
from skrec.utils._fitted_check import check_objects

# Types that skops asks about though they hold only arrays and parameters: sparse containers,
# the splitters and scorers of a fitted search, types of parameters and ids.
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
    # Which methods read which data: names in dictionaries. scikit-learn 1.6 keeps them as objects.
    + [
        f"sklearn.utils._metadata_requests.{name}"
        for name in ("MetadataRequest", "MethodMetadataRequest")
    ]
    # Parameters and ids made of text and numbers.
    + ["numpy.dtype", "torch.device"]
    + [f"datetime.{name}" for name in ("date", "datetime", "time", "timedelta", "timezone")]
    + ["builtins.frozenset", "decimal.Decimal", "fractions.Fraction", "uuid.UUID"]
)


class ModelFileError(ValueError):
    """Error that `skrec.load` raises for every file that it refuses.

    Parameters
    ----------
    message : str
        Names the file.

    See Also
    --------
    load : Raises it.

    Examples
    --------
    >>> import skrec
    >>> issubclass(skrec.ModelFileError, ValueError)
    True
    """

    def __init__(self, message):
        super().__init__(message)


def save(estimator, path):
    """Write a model to a file, atomically.

    The function writes a temporary file in the same folder and then renames it, so a save
    that fails or is interrupted leaves an older file unchanged.

    Parameters
    ----------
    estimator : estimator, or dict of estimators
        A recommender, a pipeline, a fitted search, an encoder; or a dict of them.
    path : str or path-like
        Path of the file; by custom it ends in ``.skops``.

    Returns
    -------
    path : pathlib.Path
        The path as a ``Path``.

    Raises
    ------
    OSError
        If the folder does not exist or cannot be written.
    TypeError
        If a part of the model, such as a lambda, cannot be stored and loaded again.

    Warns
    -----
    UserWarning
        If `load` will need `trusted` for the file, as for classes of your own, or will refuse
        it, as after a fitted attribute was replaced.

    See Also
    --------
    load : Load the file.

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
    path = Path(path)
    with atomic_file(path) as file:
        write(estimator, file)
        file.flush()
        _check_written(file.name, path)
    try:
        check_objects(estimator)
    except (ValueError, TypeError, AttributeError) as error:
        warnings.warn(
            f"skrec.load will refuse {path}: {error} Fit the model again and save that.",
            stacklevel=2,
        )
    return path


def write(estimator, file):
    """Write a model to an open binary file, whether or not `load` will accept it.

    Parameters
    ----------
    estimator : object
    file : binary file

    Raises
    ------
    TypeError
        If a part of it cannot be stored.
    """
    from skops.io import dump

    try:
        dump(estimator, file)
    except (AttributeError, NotImplementedError, TypeError) as error:
        raise TypeError(
            f"The model cannot be stored: {error} {_REMEDY} Or use joblib.dump; such files may run "
            "code when they are loaded."
        ) from error


_REMEDY = (
    "Replace that part with set_params: functions and classes must be defined at the top level "
    "of a module (no lambda, nothing defined in a function), and Pipeline needs memory=None."
)


def _check_written(written, path):
    """Raise a TypeError if the file cannot be loaded, and warn if `load` will need `trusted`."""
    from skops.io import load as skops_load

    with ZipFile(written) as archive:
        foreign, own = _types(read_schema(archive))
    if not foreign:
        return
    trusted = sorted(_HARMLESS_TYPES | foreign | own)
    try:
        skops_load(written, trusted=trusted)
    except Exception as error:
        raise TypeError(
            f"The model cannot be loaded again: it holds {', '.join(sorted(foreign))}, and "
            f"skrec.load would raise {type(error).__name__}: {error}. {_REMEDY}"
        ) from error
    warnings.warn(
        f"{path} holds types of your own. Load it with skrec.load(path, "
        f"trusted={sorted(foreign)}), in a process that can import them.",
        stacklevel=3,
    )


def trusted_types(obj):
    """Name the types that skops must trust to load an object, for tools that save it themselves.

    `skrec.save` and `skrec.load` need no such list. MLflow, Hugging Face's hub and plain skops
    ask for one. The list holds only types that occur in the object: types of skrec, and types of
    scikit-learn, SciPy, NumPy and the standard library that hold data and execute nothing.

    Parameters
    ----------
    obj : estimator, or dict of estimators
        A recommender, a pipeline, a fitted search, an encoder, a `LogRecommender`.

    Returns
    -------
    names : list of str
        Full names, sorted, such as ``"skrec.linear_model._ease.EASE"``.

    Raises
    ------
    TypeError
        If a part of the object cannot be stored.
    ValueError
        If the object holds other types, such as steps of your own. The message names them.
        Review their code, then add the names to your list yourself.

    See Also
    --------
    save, load : Write and load the same file, with more checks.

    Notes
    -----
    The function writes the object to a temporary file, as large as the object, and reads the
    names from that file.

    Examples
    --------
    >>> import skrec
    >>> from skrec.linear_model import EASE
    >>> skrec.trusted_types(EASE().fit([[1, 1, 0], [0, 1, 1]]))
    ['skrec.linear_model._ease.EASE']
    """
    from skops.io import get_untrusted_types

    with TemporaryFile() as file:
        write(obj, file)
        with ZipFile(file) as archive:
            schema = read_schema(archive)
    foreign, own = _types(schema)
    if foreign:
        raise ValueError(
            f"The object holds types that skrec does not know: {', '.join(sorted(foreign))}. "
            "Review their code, then add the names to your list yourself."
        )
    return sorted(own | (set(get_untrusted_types(data=schema)) & _HARMLESS_TYPES))


def load(path, *, trusted=()):
    """Load a model from a file; nothing in the file is executed.

    The function checks the size of the file before it unpacks it, and the content before it
    returns it. Sparse matrices must be valid, and each fitted attribute of skrec's estimators
    must have the shape, dtype and range that a fit gives it.

    Parameters
    ----------
    path : str or path-like
        A file that `save` wrote.
    trusted : sequence of str, default=()
        Full names of further types that may be built, such as
        ``"my_package.MyTransformer"``. Types of skrec, scikit-learn, numpy and scipy's
        sparse containers need not be named.

    Returns
    -------
    estimator : object
        The saved object.

    Raises
    ------
    OSError
        If the file does not exist (FileNotFoundError) or cannot be read.
    ModelFileError
        A ValueError. If the file is not a skops file, is damaged, does not fit into memory, or
        holds types that are not trusted or attributes that no fit sets.
    TypeError
        If `trusted` is a single str.

    See Also
    --------
    save : Write the file.

    Examples
    --------
    See `save`.
    """
    if isinstance(trusted, str):
        raise TypeError(f"trusted must be a sequence of names. Got {trusted!r}; wrap it in a list.")
    path = Path(path)
    with open(path, "rb") as file:
        try:
            return _read(file, path, set(trusted))
        except ModelFileError:
            raise
        except Exception as error:
            reason = str(error).rstrip(".") or type(error).__name__
            raise ModelFileError(
                f"{path} is not a model file that can be used: {reason}. Expected a file that "
                "skrec.save wrote; save the model again."
            ) from error


def _read(file, path, trusted):
    from skops.io import load as skops_load

    with ZipFile(file) as archive:
        check_archive(archive)
        foreign, own = _types(read_schema(archive))
    unknown = sorted(foreign - trusted)
    if unknown:
        raise ModelFileError(
            f"{path} holds types that are not trusted: {', '.join(unknown)}. If you know where "
            "the file comes from, name them in skrec.load(path, trusted=[...])."
        )
    file.seek(0)
    content = skops_load(file, trusted=sorted(_HARMLESS_TYPES | trusted | own))
    check_objects(content)
    return content


def _types(skeleton):
    """Types of a file besides the harmless ones: a set of foreign types, a set of skrec's."""
    from skops.io import get_untrusted_types

    asked = set(get_untrusted_types(data=skeleton)) - _HARMLESS_TYPES
    own = {name for name in asked if _is_own(name)}
    return asked - own, own


def _is_own(type_name):
    """Whether a full name names an estimator or another public class of skrec."""
    module_name, _, name = type_name.rpartition(".")
    if module_name.partition(".")[0] != "skrec" or module_name.endswith("__main__"):
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
