"""Parameter groups for Adam, and Adam for embeddings if a batch reads only few of their rows."""

import numpy as np
import torch


class RowAdam(torch.optim.SparseAdam):
    """SparseAdam; on the CPU a kernel sums and moves the rows in one pass."""

    def step(self):
        """One step."""
        parameters = [p for group in self.param_groups for p in group["params"]]
        if any(p.device.type != "cpu" for p in parameters):
            super().step()
            return
        from skrec._torch._adam_kernels import step_rows

        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                if not state:
                    state["step"] = 0
                    state["exp_avg"], state["exp_avg_sq"] = (
                        torch.zeros_like(weight, memory_format=torch.contiguous_format)
                        for _ in range(2)
                    )
                    state["slot"] = np.full(len(weight), -1, dtype=np.int64)
                state["step"] += 1
                first, second = (1 - decay ** state["step"] for decay in group["betas"])
                gradient = weight.grad
                step_rows(
                    weight.detach().numpy(),
                    state["exp_avg"].numpy(),
                    state["exp_avg_sq"].numpy(),
                    state["slot"],
                    gradient._indices()[0].numpy(),
                    gradient._values().contiguous().numpy(),
                    tuple(np.float32(decay) for decay in group["betas"]),
                    np.float32(group["lr"] * second**0.5 / first),
                    np.float32(group["eps"]),
                )


class SparseAndDenseAdam:
    """Adam that, in sparse embeddings, moves only the rows that a batch reads.

    Other rows keep their moments until a batch reads them; dense Adam moves all rows in each step.

    Parameters
    ----------
    module : torch.nn.Module
    groups : iterable of parameters or of dict
        Parameter groups, as for any optimiser.
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
            self._optimizers.append(RowAdam(sparse, lr=lr))

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


def split_penalty(module, alpha):
    """Adam's parameter groups: weights with the penalty alpha / 2 ||W||^2, biases without one."""
    weights, biases = [], []
    for name, parameter in module.named_parameters():
        (biases if name.rsplit(".", 1)[-1] == "bias" else weights).append(parameter)
    return [{"params": weights, "weight_decay": alpha}, {"params": biases}]
