"""The objective of folding users into SpectralCF, over their layer 0."""

import torch


class RowLayers:
    """The objective of each row over its layer 0, with its derivatives.

    Parameters
    ----------
    objective : RowObjective
        The objective of the outputs.
    filters : float64 tensor of shape (n_layers, d, d)
    near : float64 tensor of shape (n_rows, n_layers * d)
        Means of the layers of each row's items.
    response : tuple of float
    """

    def __init__(self, objective, filters, near, response):
        self._objective, self._filters, self._own = objective, filters, response[0]
        self._near = response[1] * near.reshape(len(near), *filters.shape[:2])

    def _layers(self, first):
        layers = [first]
        for k, weight in enumerate(self._filters):
            layers.append(torch.sigmoid((self._own * layers[-1] + self._near[:, k]) @ weight))
        return layers

    def outputs(self, first):
        """All layers joined, from vectors in layer 0."""
        return torch.cat(self._layers(first), dim=1)

    def value(self, first):
        """The objective, shape (n,)."""
        return self._objective.value(self.outputs(first))

    def derivatives(self, first):
        """Slopes (n, d) and Hessians (n, d, d)."""
        layers, width = self._layers(first), first.shape[1]
        slope, hessian = self._objective.derivatives(torch.cat(layers, dim=1))
        # Derivatives by layer 0 of the layers, and of the inputs of the sigmoids above it.
        by_first = [
            torch.eye(width, dtype=first.dtype, device=first.device).expand(len(first), -1, -1)
        ]
        read_by_first, slopes = [], []
        for layer, weight in zip(layers[1:], self._filters, strict=True):
            read_by_first.append(self._own * (weight.mT @ by_first[-1]))
            slopes.append(layer * (1 - layer))
            by_first.append(slopes[-1][:, :, None] * read_by_first[-1])
        jacobian = torch.cat(by_first, dim=1)  # (n, (K + 1) d, d)
        total = jacobian.mT @ hessian @ jacobian
        # Each sigmoid bends, weighted by the objective's slope at its output.
        rises = list(slope.split(width, dim=1))
        for k in range(len(self._filters), 0, -1):
            bend = rises[k] * slopes[k - 1] * (1 - 2 * layers[k])
            total = total + read_by_first[k - 1].mT @ (bend[:, :, None] * read_by_first[k - 1])
            rises[k - 1] = rises[k - 1] + self._own * (
                (rises[k] * slopes[k - 1]) @ self._filters[k - 1].mT
            )
        return rises[0], total
