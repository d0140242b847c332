"""The first weights of a `NeuMF` from a fitted `GMF` and a fitted `MLPRecommender`."""

import numpy as np
import torch
from sklearn.frozen import FrozenEstimator

from skrec.neural_network._gmf import GMF
from skrec.neural_network._mlp import MLPRecommender
from skrec.utils._hashing import match_rows, row_hashes

_KINDS = (GMF, MLPRecommender)


class _Pretrained:
    """Rule of a parameter: a GMF and an MLPRecommender; `begin_with` checks whether they fit."""

    def __contains__(self, value):
        if not isinstance(value, (tuple, list)) or len(value) != len(_KINDS):
            return False
        return all(isinstance(m, kind) for m, kind in zip(_thawed(value), _KINDS, strict=True))

    def __str__(self):
        return "a tuple of a fitted GMF and a fitted MLPRecommender"


PRETRAINED = _Pretrained()


def _thawed(models):
    return [m.estimator if isinstance(m, FrozenEstimator) else m for m in models]


def begin_with(module, pretrained, X):
    """Set the weights so that each output is the mean of the two models' outputs.

    Parameters
    ----------
    module : PairNet
        On any device.
    pretrained : tuple of (GMF, MLPRecommender)
    X : csr_array of shape (n_users, n_items)
        Rows of the users of the module, which identify them in the models.

    Raises
    ------
    ValueError
        If a model is not fitted, was fitted to other items or users, or has vectors or layers of
        other sizes.
    """
    models = _thawed(pretrained)
    hashes = row_hashes(X)
    users = [_users_of(model, hashes, X.shape[1]) for model in models]
    gmf, mlp = (model.weights_ for model in models)
    if "output.weight" not in gmf:
        raise ValueError(
            "pretrained must have a GMF with a weight of each component. Got one with "
            f"loss={models[0].loss!r}, which has no weights: fit it with another loss."
        )
    widths = (module.product, module.side, module.layers)
    found = (gmf["item.weight"].shape[1], *_widths_of(mlp))
    names = ("n_components", "n_mlp_components", "hidden_layer_sizes")
    for name, ours, theirs in zip(names, widths, found, strict=True):
        if ours != theirs:
            raise ValueError(
                f"pretrained must have vectors and layers of the sizes of NeuMF: its {name} is "
                f"{ours}, the models' is {theirs}. Use set_params({name}={theirs}), or models of "
                "that size."
            )
    state = module.state_dict()
    _set(state["user.weight"], np.hstack(users))
    _set(state["item.weight"], np.hstack([gmf["item.weight"], mlp["item.weight"]]))
    for name in state:
        if name.startswith(("from_", "hidden.")):
            _set(state[name], mlp[name])
    # Half of each: outputs are weighted sums of the last layer.
    _set(state["output.weight"], np.hstack([gmf["output.weight"], mlp["output.weight"]]) / 2)
    _set(state["output.bias"], (gmf["output.bias"] + mlp["output.bias"]) / 2)


def _set(tensor, value):
    with torch.no_grad():
        tensor.copy_(torch.from_numpy(np.array(value)))


def _users_of(model, hashes, n_items):
    """The learned vectors of the users of some rows."""
    name = type(model).__name__
    if not hasattr(model, "user_factors_"):
        raise ValueError(
            f"pretrained must be fitted models. Got {model}, which is not fitted: fit both to the "
            "X of NeuMF first."
        )
    if model.n_features_in_ != n_items:
        raise ValueError(
            f"pretrained must be fitted to the items of NeuMF. Got {name} with "
            f"{model.n_features_in_} items and X with {n_items}: fit both models to this X."
        )
    positions = match_rows(model.user_hashes_, hashes)
    unknown = int((positions < 0).sum())
    if unknown:
        raise ValueError(
            f"pretrained must be fitted to the users of NeuMF, who are identified by their rows. "
            f"Got {name} that has not seen {unknown} of {len(hashes)} rows of X: fit both models "
            "to this X."
        )
    return model.user_factors_[positions]


def _widths_of(weights):
    """Length of the vectors and widths of the layers of a fitted MLPRecommender."""
    further = sorted(
        (int(name.split(".")[1]), len(value))
        for name, value in weights.items()
        if name.startswith("hidden.") and name.endswith(".bias")
    )
    width, side = weights["from_item.weight"].shape
    return side, (width, *(size for _, size in further))
