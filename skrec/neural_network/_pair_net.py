"""The network of `MLPRecommender` and `NeuMF`, and the kernel's training on the CPU."""

import numpy as np
import torch
from torch import nn

from skrec._torch._learned_users import first_rows, has_users
from skrec.neural_network._pair_kernels import Dense, Sizes, train
from skrec.neural_network._pair_loss_kernels import LOSSES
from skrec.neural_network._pair_table_kernels import (
    ADAM,
    SGD,
    SPARSE_ADAM,
    Run,
    Table,
    catch_up_all,
    moves_ahead,
)
from skrec.utils._blas_threads import one_blas_thread
from skrec.utils._parallel import plain_interrupts

STD = 0.01  # of the authors' first vectors
_SOLVERS = {"adam": ADAM, "sparse_adam": SPARSE_ADAM, "sgd": SGD}


class PairNet(nn.Module):
    """A weighted product of the first parts of two vectors, and a perceptron over the rest.

    A row of `user` and of `item` holds both parts, one after the other. The first layer of the
    perceptron, W [p; q] + b, is split into two halves, ``from_user`` and ``from_item``; the second
    has the bias.

    Parameters
    ----------
    n_users : int or None
        None: the vectors of users come from outside.
    n_items : int
    product : int
        Length of the multiplied parts; 0 for none.
    side : int
        Length of the perceptron's parts.
    layers : tuple of int
        Widths of the perceptron's layers.
    sparse : bool
        Whether gradients of vectors are sparse.
    """

    def __init__(self, n_users, n_items, product, side, layers, sparse=False):
        super().__init__()
        self.product, self.side, self.layers = product, side, tuple(layers)
        if n_users is not None:
            self.user = nn.Embedding(n_users, product + side, sparse=sparse)
        self.item = nn.Embedding(n_items, product + side, sparse=sparse)
        self.from_user = nn.Linear(side, layers[0], bias=False)
        self.from_item = nn.Linear(side, layers[0])
        widths = zip(layers[:-1], layers[1:], strict=True)
        self.hidden = nn.ModuleList(nn.Linear(*pair) for pair in widths)
        self.output = nn.Linear(product + layers[-1], 1)

    def draw(self, problem):
        """Draw the authors' first weights."""
        generator, first = problem.generator, self.from_item
        first_rows(self.user.weight, None, STD, generator)
        first_rows(self.item.weight, has_users(problem.X), STD, generator)
        with torch.no_grad():
            # Glorot's uniform distribution, of the whole first layer and of each further one.
            limit = (6 / (2 * self.side + self.layers[0])) ** 0.5
            for half in (self.from_user, first):
                half.weight.uniform_(-limit, limit, generator=generator)
            for layer in self.hidden:
                limit = (6 / sum(layer.weight.shape)) ** 0.5
                layer.weight.uniform_(-limit, limit, generator=generator)
            limit = (3 / self.output.in_features) ** 0.5  # LeCun's
            self.output.weight.uniform_(-limit, limit, generator=generator)
            for layer in (first, *self.hidden, self.output):
                layer.bias.zero_()

    def sizes(self):
        """The widths, as kernels take them."""
        layers = np.array(self.layers, np.int64)
        return Sizes(self.product, self.side, layers, int(layers.sum()))

    def dense(self):
        """All parameters but the vectors of users and items, in the order of the kernel."""
        halves = [self.from_user.weight, self.from_item.weight, self.from_item.bias]
        return [*halves, *self.hidden.parameters(), self.output.weight, self.output.bias]

    def forward(self, vector, item):
        """Outputs (n, m) of vectors (n, d) and items (n, m)."""
        rows = self.item(item)  # (n, m, d)
        of_items = self.from_item(rows[:, :, self.product :])
        return self.outputs(vector, rows[:, :, : self.product], of_items)

    def item_half(self):
        """The inputs of `outputs` for all items: (1, n_items, product) and (1, n_items, h_1)."""
        rows = self.item.weight[None]
        return rows[:, :, : self.product], self.from_item(rows[:, :, self.product :])

    def outputs(self, vector, products, of_items):
        """Outputs (n, m) of vectors (n, d) and the parts of items.

        Parameters
        ----------
        vector : tensor of shape (n, d)
        products : tensor of shape (n or 1, m, product)
        of_items : tensor of shape (n or 1, m, h_1)
            The item half of the first layer, with its bias.
        """
        of_users = self.from_user(vector[:, self.product :])  # (n, h_1)
        hidden = (of_users[:, None] + of_items).relu_()  # (n, m, h_1)
        for layer in self.hidden:
            hidden = layer(hidden).relu_()
        of_product, last = self.output.weight[0].split([self.product, self.layers[-1]])
        output = hidden @ last + self.output.bias  # (n, m)
        if self.product:
            weighted = vector[:, : self.product] * of_product
            output = output + (products @ weighted[:, :, None])[:, :, 0]
        return output


class PairTrainer:
    """Steps of a `PairNet` on the CPU: one kernel makes batches, gradients and optimiser steps.

    It replaces an optimiser of torch, and writes its results into the module's parameters.

    Parameters
    ----------
    module : PairNet
        In float32, on the CPU.
    loss : {"logistic", "square", "bpr", "hinge", "softmax"}
    solver : {"adam", "sparse_adam", "sgd"}
    learning_rate, alpha : float
    batch_size : int
        Interactions in each step.
    """

    def __init__(self, module, *, loss, solver, learning_rate, alpha, batch_size):
        self.param_groups = [{"params": list(module.parameters()), "lr": learning_rate}]
        self._loss, self._solver = LOSSES[loss], _SOLVERS[solver]
        self._alpha, self._batch_size = float(alpha), int(batch_size)
        self._ahead, self._step = moves_ahead(), 0
        self._sizes = module.sizes()
        self._tables = [_table(part.weight.detach().numpy()) for part in (module.user, module.item)]
        flat = torch.cat([weight.detach().flatten() for weight in module.dense()])
        start = 0
        for weight in module.dense():  # views of one array, which the kernel writes
            weight.data = flat[start : start + weight.numel()].view(weight.shape)
            start += weight.numel()
        values = flat.numpy()
        self._dense = Dense(values, *(np.zeros_like(values) for _ in range(3)))

    def update(self, batch, step):
        """Make the steps of `Pairs`; returns the mean loss of an interaction."""
        items = torch.cat([batch.items[:, None], batch.negatives], dim=1).numpy()
        rate = float(self.param_groups[0]["lr"])
        run = Run(
            batch.users.numpy(), items, batch.weight.numpy(), self._batch_size, self._loss,
            self._solver, rate, self._alpha, self._ahead,
        )  # fmt: skip
        with one_blas_thread(), plain_interrupts():
            total = train(*self._tables, self._dense, self._sizes, run, self._step)
            self._step += -(-len(items) // self._batch_size)
            if self._solver == ADAM:
                for table in self._tables:
                    catch_up_all(table, self._step, rate, self._ahead)
        return total / len(items)


def _table(rows):
    mean, square = np.zeros_like(rows), np.zeros_like(rows)
    seen, slot = np.zeros(len(rows), np.int64), np.full(len(rows), -1, np.int32)
    return Table(rows, mean, square, seen, slot)
