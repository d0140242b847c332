"""An estimator whose fit fails, or is interrupted, is what it was before: one mechanism."""

import functools
from contextlib import contextmanager

from skrec.utils._parallel import plain_interrupts

__all__ = ["WholeFitMixin", "guard", "left_as_it_was", "restored_on_failure"]


@contextmanager
def restored_on_failure(estimator):
    """A block that sets attributes of an estimator, all of them or none.

    Whatever ends the block early, an error, a lack of memory or Ctrl-C, the attributes of the
    estimator are then the very objects that they were before. So the block must make new
    objects and set them; it must not change an array in place that was there before.

    Parameters
    ----------
    estimator : object
        Its ``vars`` are kept. The model that was there takes up memory until the block ends.
    """
    before = dict(vars(estimator))
    try:
        with plain_interrupts():
            yield
    except BaseException:
        state = vars(estimator)
        # scikit-learn's callbacks set and take away attributes of their own.
        after = {name: value for name, value in before.items() if not _is_callback(name)}
        after |= {name: value for name, value in state.items() if _is_callback(name)}
        state.clear()
        state.update(after)
        raise


def left_as_it_was(method):
    """Decorator of a method that fits: if it fails, the estimator is what it was before."""

    @functools.wraps(method)
    def whole_or_not_at_all(self, *args, **kwargs):
        with restored_on_failure(self):
            return method(self, *args, **kwargs)

    return whole_or_not_at_all


class WholeFitMixin:
    """Methods that fit leave an estimator as it was where they fail; stands leftmost.

    For estimators that are no `BaseRecommender`, which sees to it by itself.
    """

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        for name in ("fit", "partial_fit", "fit_transform"):
            guard(cls, name, left_as_it_was)


def guard(cls, name, decorator):
    """Decorate a method of a class, own or inherited, unless an ancestor has done it."""
    method = getattr(cls, name, None)
    if method is not None and not getattr(method, "_guarded", False):
        decorated = decorator(method)
        decorated._guarded = True
        setattr(cls, name, decorated)


def _is_callback(name):
    return "_callback" in name
