"""Find every public recommender. It imports all sub-packages, so no sub-package imports it."""

import importlib
import importlib.util
import inspect
import pkgutil
from pathlib import Path

from skrec.base import RecommenderMixin
from skrec.utils._tags import check_readable, recommender_tags


def all_recommenders(*, reads=None):
    """List the public recommenders of skrec.

    Parameters
    ----------
    reads : {"item_features", "user_features", "context", "images"}, default=None
        List only recommenders whose default parameters read this side information.

    Returns
    -------
    recommenders : list of (str, type)
        Name and class, sorted by name. A class that needs an optional package, such as
        `ImplicitRecommender`, is listed only where that package is installed.

    Raises
    ------
    ValueError
        If `reads` is none of these values.

    See Also
    --------
    sklearn.utils.discovery.all_estimators : List the estimators of scikit-learn.

    Examples
    --------
    >>> from skrec.utils import all_recommenders
    >>> dict(all_recommenders())["EASE"]
    <class 'skrec.linear_model._ease.EASE'>
    """
    found = {}
    for module_info in pkgutil.iter_modules([str(Path(__file__).parent)]):
        if module_info.name.startswith("_") or module_info.name in ("utils", "base"):
            continue
        module = importlib.import_module(f"skrec.{module_info.name}")
        for name in getattr(module, "__all__", ()):
            value = getattr(module, name)
            if (
                inspect.isclass(value)
                and issubclass(value, RecommenderMixin)
                and not inspect.isabstract(value)
                and _can_fit(value)
            ):
                found[name] = value
    if reads is not None:
        check_readable(reads)
        found = {n: cls for n, cls in found.items() if reads in recommender_tags(cls()).reads}
    return sorted(found.items())


def _can_fit(cls):
    """Whether the optional package that a class needs, if any, is installed. Imports nothing."""
    needs = getattr(cls, "_needs", None)
    return needs is None or importlib.util.find_spec(needs) is not None
