"""What is built of a fitted state for one public call, and built once in it.

Nothing that a model needs for scoring alone is kept on the model: it would be copied, pickled
and outlive the weights that it was made of. It is kept for the call that scores.
"""

from contextlib import contextmanager
from contextvars import ContextVar

# (owner, key) -> what was built of it; None outside of a call. A thread has its own.
_BUILT = ContextVar("skrec_built", default=None)


@contextmanager
def one_call():
    """A block, such as a public call that goes through chunks of rows, for `built_once`.

    A block within another is a part of it.
    """
    if _BUILT.get() is not None:
        yield
        return
    token = _BUILT.set({})
    try:
        yield
    finally:
        _BUILT.reset(token)


def built_once(owner, state, key, build):
    """What `build` returns; in a `one_call` block it is called once for a state.

    Parameters
    ----------
    owner : object
        Whose state it is.
    state : object
        What it is built of: another one, also in place of an equal one, is built of anew.
    key : hashable
        What tells it from others of the same owner.
    build : callable
        Without arguments.

    Returns
    -------
    built : object
        It may be shared with the rest of the call, which must not change it.
    """
    built = _BUILT.get()
    if built is None:
        return build()
    place = (id(owner), key)
    # The owner is kept, so that its place is nobody else's.
    if place not in built or built[place][1] is not state:
        built[place] = owner, state, build()
    return built[place][2]
