"""The first batch of a fit: its loss and gradients, and slopes of a twin's objective."""

import numpy as np
import pytest


def first_batch(model, X, item_features):
    """The module of a fit after no step, with the gradients of one batch.

    Returns
    -------
    module : nn.Module
        In evaluation mode, which has no dropout.
    batch : PairBatch
    loss : tensor
    """
    found = {}

    class Stops(type(model)):
        def _run(self, module, batches, n_epochs, stopping, generator, after_epoch):
            batch = next(iter(batches))
            found["loss"] = self._loss(module.eval(), batch, 0, generator)
            found["loss"].backward()
            found["module"], found["batch"] = module, batch
            found["groups"] = self._parameter_groups(module)
            raise RuntimeError

    model = Stops(**model.get_params())
    with pytest.raises(RuntimeError):
        model.fit(X, item_features=item_features)
    for group in found["groups"]:  # penalties that the optimiser adds
        for parameter in group["params"]:
            parameter.grad += group.get("weight_decay", 0.0) * parameter.detach()
    return found["module"], found["batch"], found["loss"]


def triplets_of(batch):
    """(user, item, negatives) as NumPy's numbers."""
    parts = (batch.users, batch.items, batch.negatives)
    return list(zip(*(part.numpy() for part in parts), strict=True))


def weights_of(module):
    """Parameters by name, float64."""
    return {name: p.detach().numpy().astype(float) for name, p in module.named_parameters()}


def assert_slopes(module, objective, n_places, rtol=1e-3):
    """Gradients equal the slopes of an objective at the steepest places of each parameter.

    Parameters
    ----------
    objective : callable
        From weights by name to a number.
    """
    step, weights = 1e-6, weights_of(module)  # so short that no ReLU turns on the way
    for name, parameter in module.named_parameters():
        gradient = parameter.grad.to_dense().numpy().ravel()
        assert gradient.any(), name
        for place in np.argsort(-np.abs(gradient))[:n_places]:
            values = []
            for sign in (1, -1):
                moved = weights[name].copy()
                moved.ravel()[place] += sign * step
                values.append(objective(weights | {name: moved}))
            slope = (values[0] - values[1]) / (2 * step)
            # A bias that all items have in common has a slope of zero, but for rounding.
            assert gradient[place] == pytest.approx(slope, rel=rtol, abs=1e-7), (name, place)
