"""Adam for embeddings of which a batch touches few rows, beside Adam for the rest."""

import torch


class SparseAndDenseAdam:
    """Adam whose steps leave alone the rows of sparse embeddings that a batch has not touched.

    Such rows keep their moments until they are next read; dense Adam moves them at each step.

    Parameters
    ----------
    module : torch.nn.Module
    groups : iterable of parameters or of dict
        What an optimiser takes.
    lr : float
    """

    def __init__(self, module, groups, lr):
        tables = {
            id(part.weight)
            for part in module.modules()
            if isinstance(part, torch.nn.Embedding) and part.sparse
        }
        groups = [g if isinstance(g, dict) else {"params": [g]} for g in groups]
        parts = ([], [])
        for group in groups:
            for is_table, kept in enumerate(parts):
                some = [p for p in group["params"] if (id(p) in tables) == bool(is_table)]
                if some:
                    kept.append({**group, "params": some})
        dense, sparse = parts
        self._optimizers = []
        if dense:
            self._optimizers.append(torch.optim.Adam(dense, lr=lr, fused=True))
        if sparse:
            self._optimizers.append(torch.optim.SparseAdam(sparse, lr=lr))

    @property
    def param_groups(self):
        """Groups of all parameters."""
        return [group for each in self._optimizers for group in each.param_groups]

    def zero_grad(self, set_to_none=True):
        """Forget the gradients."""
        for each in self._optimizers:
            each.zero_grad(set_to_none=set_to_none)

    def step(self):
        """One step of all parameters."""
        for each in self._optimizers:
            each.step()
