"""What is built of a fitted state for one public call, and built once in it.

Nothing that a model needs for scoring alone is kept on the model: it would be copied, pickled
and outlive the weights that it was made of. It is kept for the call that scores.
"""

from contextlib import contextmanager
from contextvars import ContextVar
from threading import get_ident

# The thread of the call, and (owner, key) -> what was built of it; None outside of a call. A
# thread that runs in a copy of the context is another one, and has its own.
_BUILT = ContextVar("skrec_built", default=None)
# A model around others would otherwise hold the networks of all of them at once.
_N_KEPT = 4


def _built_here():
    call = _BUILT.get()
    return call[1] if call is not None and call[0] == get_ident() else None


@contextmanager
def one_call():
    """A block, such as a public call that goes through chunks of rows, for `built_once`.

    A block within another is a part of it.
    """
    if _built_here() is not None:
        yield
        return
    token = _BUILT.set((get_ident(), {}))
    try:
        yield
    finally:
        _BUILT.reset(token)


@contextmanager
def kept_call(built):
    """A `one_call` block whose builds outlive it, in a dict of the caller's.

    For a process that scores with a model which never changes, such as a server. The next block
    with the dict finds there what this one has built.

    Parameters
    ----------
    built : dict
        Empty at first. No other thread may use it before the block ends.
    """
    token = _BUILT.set((get_ident(), built))
    try:
        yield
    finally:
        _BUILT.reset(token)


def built_once(owner, state, key, build):
    """What `build` returns; in a `one_call` block it is called once for a state.

    The block keeps the four that were built last.

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
    built = _built_here()
    if built is None:
        return build()
    place = (id(owner), key)
    # The owner is kept, so that its place is nobody else's.
    if place not in built or built[place][1] is not state:
        made = owner, state, build()
        while len(built) >= _N_KEPT:
            built.pop(next(iter(built)))  # the first that was built
        built[place] = made
    return built[place][2]
