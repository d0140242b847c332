"""What a recommender says of itself, and the refusal of side information that it does not read."""

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
    """What holds for a recommender as it is set; ``get_tags(estimator).recommender_tags``.

    Parameters
    ----------
    predicts_ratings : bool, default=False
        Whether scores are ratings, so that `score` is minus the RMSE and not nDCG@100.
    learned_users : bool, default=False
        Whether the model has a vector of its own for each training user.
    reads : frozenset of str, default=frozenset()
        Side information that `fit` reads: "item_features", "user_features", "context"; with
        "images", item features may be images. The default of a class are the keywords of its
        `fit`.

    See Also
    --------
    all_recommenders : The recommenders, and those that read something.

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
    """scikit-learn's tags with those of a recommender; what it reads are keywords of `fit`."""
    own = {name: getattr(tags, name) for name in _NAMES}
    fit = getattr(type(estimator), "fit", None)
    reads = frozenset() if fit is None else _keywords(fit)
    return TagsOfRecommender(**own, recommender_tags=RecommenderTags(reads=reads))


def recommender_tags(estimator):
    """The `RecommenderTags` of an estimator; the defaults for one that has none.

    Parameters
    ----------
    estimator : estimator
        A recommender; a pipeline or a search of scikit-learn has no such tags.
    """
    return getattr(get_tags(estimator), "recommender_tags", RecommenderTags())


def check_readable(name):
    """Raise unless a name is one that `RecommenderTags.reads` may hold."""
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
        What was called.
    named : frozenset of str
        The keywords of the method.
    given : dict of str to object
        The keywords that it got. One that the method names may be None.
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
                f"{kind}.{method} got {name}, but {kind} reads {own}. Leave {name} out, or use a "
                f"recommender that reads it: skrec.utils.all_recommenders(reads={name!r})."
            )
        if name not in named and name == "item_features":
            raise TypeError(
                f"{kind}.{method} got item_features. They are read in fit, which keeps what "
                "scoring needs; with_items adds items that were not there."
            )


def refuses_unread(method):
    """Decorator of a method: side information that the class does not read is a clear error."""
    named = _keywords(method)

    @functools.wraps(method)
    def checked(self, *args, **kwargs):
        refuse_unread(self, method.__name__, named, kwargs)
        return method(self, *args, **kwargs)

    return checked


def guarded_fit(fit):
    """Decorator of `fit` and of other methods that learn, see `skrec.base.BaseRecommender`.

    It refuses side information that the class does not read, checks what can only be seen of
    the X that was passed (the order of its users and entries), leaves the estimator as it
    was where the fit fails, and looks at what `fit` has come to: see `check_outcome`.
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
