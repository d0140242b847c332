"""The rule of fitted weights: they must fit the module that will load them."""

import torch

from skrec.utils._fitted import Array, refused


class Weights:
    """A dict of float32 arrays with the names and shapes of the module's state.

    Parameters
    ----------
    without : tuple of str, default=()
        Parts of the state that the weights omit: vectors of users have their own attribute.
    users_of : str or None, default=None
        The array whose length is the number of users, for a network that reads columns.
    """

    def __init__(self, *, without=(), users_of=None):
        self._without, self._users_of = without, users_of

    def check(self, value, name, sizes, owner):
        if type(value) is not dict:
            raise refused(name, type(value).__name__, "a dict of arrays")
        for key, array in value.items():
            # Sizes first, since the module may be built from the sizes of the weights.
            Array(*[None] * getattr(array, "ndim", 0), dtypes=("float32",)).check(
                array, f"{name}[{key!r}]", {}, owner
            )
        expected = self._shapes(owner, name)
        found = {key: tuple(array.shape) for key, array in value.items()}
        if found != expected:
            wrong = {key for key, _ in found.items() ^ expected.items()}
            key = min(wrong, key=str)
            raise refused(
                f"{name}[{key!r}]",
                f"shape {found.get(key, 'none')}",
                f"{expected.get(key, 'none')}, which the parameters and other attributes ask for",
            )

    def _shapes(self, owner, name):
        unbuilt = (AttributeError, KeyError, TypeError, ValueError, IndexError, RuntimeError)
        try:
            n_users = None if self._users_of is None else len(owner.weights_[self._users_of])
            with torch.device("meta"):
                module = owner._build_module((n_users, owner.n_features_in_))
            state = module.state_dict()
        except (*unbuilt, OverflowError) as error:
            raise refused(
                name, f"parameters that make no network: {error}", "parameters that make one"
            ) from error
        return {key: tuple(v.shape) for key, v in state.items() if key not in self._without}
