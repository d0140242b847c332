"""Tags of recommenders, and errors for side information that a recommender does not read."""

import functools
import inspect
from dataclasses import dataclass, field, fields

from sklearn.utils import Tags, get_tags

from skrec.utils._alignment import check_fit_alignment
from skrec.utils._finite import arithmetic, require_finite_fit
from skrec.utils._fit_outcome import check_outcome, running_fit
from skrec.utils._restore import restored_on_failure

SIDE_INFORMATION = ("item_features", "user_features", "context")
_SIDE = frozenset(SIDE_INFORMATION)
_NAMES = tuple(part.name for part in fields(Tags))  # scoring one row asks for tags twice


@dataclass
class RecommenderTags:
    """Tags of a recommender with its present parameters; ``get_tags(estimator).recommender_tags``.

    Parameters
    ----------
    predicts_ratings : bool, default=False
        Whether scores are ratings. If so, `score` returns minus the RMSE instead of nDCG@100.
    learned_users : bool, default=False
        Whether the model learns a vector for each training user.
    reads : frozenset of str, default=frozenset()
        Side information that `fit` reads: "item_features", "user_features", "context". With
        "images", item features may be images. By default a class reads the keywords that its
        `fit` has.

    See Also
    --------
    all_recommenders : List the recommenders, all or by the side information that they read.

    Examples
    --------
    >>> from sklearn.utils import get_tags
    >>> from skrec.neighbors import ItemKNN
    >>> get_tags(ItemKNN(feedback="rating")).recommender_tags.predicts_ratings
    True
    """

    predicts_ratings: bool = False
    learned_users: bool = False
    reads: frozenset = frozenset()


@dataclass
class TagsOfRecommender(Tags):
    """scikit-learn's tags and `recommender_tags`."""

    recommender_tags: RecommenderTags = field(default_factory=RecommenderTags)


def with_recommender_tags(tags, estimator):
    """Add `RecommenderTags` to scikit-learn's tags; keywords of `fit` say what is read."""
    own = {name: getattr(tags, name) for name in _NAMES}
    fit = getattr(type(estimator), "fit", None)
    reads = frozenset() if fit is None else _keywords(fit)
    return TagsOfRecommender(**own, recommender_tags=RecommenderTags(reads=reads))


def recommender_tags(estimator):
    """The `RecommenderTags` of an estimator, or the defaults.

    Parameters
    ----------
    estimator : estimator
        A recommender. A pipeline or a search of scikit-learn has no such tags.
    """
    return getattr(get_tags(estimator), "recommender_tags", RecommenderTags())


def check_readable(name):
    """Raise unless `RecommenderTags.reads` may hold a name."""
    if name not in (*SIDE_INFORMATION, "images"):
        raise ValueError(
            f"`reads` must be one of {[*SIDE_INFORMATION, 'images']} or None. Got {name!r}."
        )


def refuse_unread(estimator, method, named, given):
    """Raise a TypeError for side information that an estimator does not read.

    Parameters
    ----------
    estimator : recommender
    method : str
        Name of the called method.
    named : frozenset of str
        Side information in the signature of the method.
    given : dict of str to object
        Keywords of the call. A keyword in the signature may be None.
    """
    wrong = [name for name in SIDE_INFORMATION if name in given]
    wrong = [name for name in wrong if name not in named or given[name] is not None]
    if not wrong:
        return
    reads = recommender_tags(estimator).reads & _SIDE
    kind = type(estimator).__name__
    for name in wrong:
        if name not in reads:
            own = " and ".join(sorted(reads)) if reads else "no side information"
            raise TypeError(
                f"{kind}.{method} got {name}, but {kind} reads {own}. Omit {name}, or use a "
                f"recommender that reads it: skrec.utils.all_recommenders(reads={name!r})."
            )
        if name not in named and name == "item_features":
            raise TypeError(
                f"{kind}.{method} got item_features, which only fit reads. Omit item_features; to "
                "add new items, use with_items."
            )


def refuses_unread(method):
    """Decorator of a method: side information that the class does not read raises a TypeError."""
    named = _keywords(method)

    @functools.wraps(method)
    def checked(self, *args, **kwargs):
        refuse_unread(self, method.__name__, named, kwargs)
        return method(self, *args, **kwargs)

    return checked


def guarded_fit(fit):
    """Decorator of `fit` and of other methods that learn, see `skrec.base.BaseRecommender`.

    It refuses side information that the class does not read. It checks the order of users and
    entries in the X that was passed. If the fit fails, it restores the estimator. After `fit`,
    it checks the scores: see `check_outcome`.
    """
    named = _keywords(fit)

    @functools.wraps(fit)
    def guarded(self, X, *args, **kwargs):
        refuse_unread(self, fit.__name__, named, kwargs)
        check_fit_alignment(X, kwargs.get("user_features"), kwargs.get("context"))
        with restored_on_failure(self):
            with arithmetic(f"The fit of {type(self).__name__}"), running_fit(self) as running:
                fitted = fit(self, X, *args, **kwargs)
            require_finite_fit(self)
            if is_fit and running is not None and running.X is not None:
                check_outcome(self, running.X, recommender_tags(self))
        return fitted

    is_fit = fit.__name__ == "fit"
    return guarded


@functools.lru_cache(maxsize=512)
def _keywords(method):
    return frozenset(inspect.signature(method).parameters) & _SIDE
