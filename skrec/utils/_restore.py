"""Restore an estimator after a fit that fails or is interrupted."""

import functools
from contextlib import contextmanager

from skrec.utils._parallel import plain_interrupts

__all__ = ["WholeFitMixin", "guard", "left_as_it_was", "restored_on_failure"]


@contextmanager
def restored_on_failure(estimator):
    """A block that sets all attributes of an estimator or none.

    If an error, a lack of memory or Ctrl-C ends the block early, the estimator gets its
    earlier attributes again, as the same objects. So the block must set new objects, and must
    not change earlier arrays in place.

    Parameters
    ----------
    estimator : object
        Its ``vars`` are kept, so the earlier model takes up memory until the block ends.
    """
    before = dict(vars(estimator))
    try:
        with plain_interrupts():
            yield
    except BaseException:
        state = vars(estimator)
        # scikit-learn's callbacks set and remove their own attributes.
        after = {name: value for name, value in before.items() if not _is_callback(name)}
        after |= {name: value for name, value in state.items() if _is_callback(name)}
        state.clear()
        state.update(after)
        raise


def left_as_it_was(method):
    """Decorator of a method that fits: if it fails, the estimator stays unchanged."""

    @functools.wraps(method)
    def whole_or_not_at_all(self, *args, **kwargs):
        with restored_on_failure(self):
            return method(self, *args, **kwargs)

    return whole_or_not_at_all


class WholeFitMixin:
    """Methods that fit leave the estimator unchanged if they fail; stands leftmost.

    For estimators other than `BaseRecommender`, which has this guard itself.
    """

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        for name in ("fit", "partial_fit", "fit_transform"):
            guard(cls, name, left_as_it_was)


def guard(cls, name, decorator):
    """Decorate a method of a class, own or inherited, unless an ancestor has decorated it."""
    method = getattr(cls, name, None)
    if method is not None and not getattr(method, "_guarded", False):
        decorated = decorator(method)
        decorated._guarded = True
        setattr(cls, name, decorated)


def _is_callback(name):
    return "_callback" in name
