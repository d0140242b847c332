"""Objects built from fitted state once per public call, such as a network from its weights.

A model does not keep objects that it needs only for scoring: they would be copied and pickled
with it, and would outlive the weights that they were built from. The scoring call keeps them.
"""

from contextlib import contextmanager
from contextvars import ContextVar
from threading import get_ident

# The thread of the call, and a dict (owner, key) -> built object; None outside of a call. A
# thread that runs in a copy of the context does not share the dict: its number differs.
_BUILT = ContextVar("skrec_built", default=None)
# Without a limit, a model around others would hold the networks of all of them at once.
_N_KEPT = 4


def _built_here():
    call = _BUILT.get()
    return call[1] if call is not None and call[0] == get_ident() else None


@contextmanager
def one_call():
    """A block that keeps the objects of `built_once`: a public call through chunks of rows.

    A nested block uses the objects of the outer one.
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
    """A `one_call` block that keeps the built objects in a dict of the caller.

    For a process that scores with a model that never changes, such as a server. The next block
    with the same dict finds the objects that this block has built.

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
    """Return ``build()``; a `one_call` block calls it once per state.

    The block keeps the four objects that were built last.

    Parameters
    ----------
    owner : object
        Owner of the state.
    state : object
        Source of the built object. Another state object, even an equal one, is built again.
    key : hashable
        Tells the object from others of the same owner.
    build : callable
        Takes no arguments.

    Returns
    -------
    built : object
        The rest of the call may share the object, so nobody must change it.
    """
    built = _built_here()
    if built is None:
        return build()
    place = (id(owner), key)
    # A reference to the owner is kept, so that no other object can get its id.
    if place not in built or built[place][1] is not state:
        made = owner, state, build()
        while len(built) >= _N_KEPT:
            built.pop(next(iter(built)))  # the first that was built
        built[place] = made
    return built[place][2]
