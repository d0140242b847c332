r"""The graph of users and items, and steps of vectors along its edges.

An edge of user u and item i, with degrees :math:`d_u` and :math:`d_i`, has two weights: u takes
the vector of i with :math:`d_u^{-a} d_i^{-b}`, and i takes the vector of u with
:math:`d_i^{-a} d_u^{-b}`. numba computes products on the CPU, with rows in parallel on torch's
number of threads; torch computes sparse products elsewhere.
"""

import numpy as np
import torch
from torch.nn import functional

from skrec.utils._parallel import run_ranges

# With fewer multiplications, a second thread costs more than it saves.
_SMALL = 1 << 20


class Graph:
    """The edges of a user-item matrix, with weights from the degrees.

    Parameters
    ----------
    X : csr_array of shape (n_users, n_items)
        Canonical; the values are not read.
    device : torch.device
    exponents : tuple of float, default=(0.5, 0.5)
        The a and b above: minus the exponents of the degrees of the taker and of the giver.

    Attributes
    ----------
    users : matrix of shape (n_users, n_items)
        Weights with which users take from items; see `_Rows.times`.
    items : matrix of shape (n_items, n_users)
        Weights with which items take from users.
    turned : Graph
        The graph of the transposed matrices: ``turned.items`` is the transpose of ``users``.
    """

    def __init__(self, X, device, exponents=(0.5, 0.5)):
        by_row, by_column = X.tocsr(), X.tocsc()
        of_users, of_items = np.diff(by_row.indptr), np.diff(by_column.indptr)
        kind = _Rows if device.type == "cpu" else _DeviceRows

        def matrices(taken, given):
            return (
                kind(by_row, _weights(by_row, of_users, of_items, taken, given), device),
                kind(by_column, _weights(by_column, of_items, of_users, taken, given), device),
            )

        self.users, self.items = matrices(*exponents)
        self.turned = self
        if exponents[0] != exponents[1]:
            self.turned = other = object.__new__(Graph)
            other.users, other.items = matrices(*exponents[::-1])
            other.turned = self

    def summed(self, users, items, n_steps, *, present=(None, None)):
        """Sums of the vectors and of their images after 1 to `n_steps` steps, for all nodes.

        Parameters
        ----------
        users, items : float tensors of shapes (n_users, d) and (n_items, d)
        n_steps : int
        present : tuple of int64 tensor or None, default=(None, None)
            Users and items whose vectors are not zero; None: all.

        Returns
        -------
        users, items : float tensors
        """
        # x + A x + ... + A^n x = x + A (x + A (x + ...)): one sum, so no layer is kept.
        u, i = users, items
        for _ in range(n_steps):
            u, i = (
                self.users.times(i, plus=users, present=present[1]),
                self.items.times(u, plus=items, present=present[0]),
            )
            present = (None, None)
        return u, i


def _weights(matrix, own, others, taken, given):
    """Weights of the entries of a compressed matrix, row by row, as float32."""
    # An empty row or column has no entry.
    of_rows = np.maximum(own, 1.0) ** -taken
    of_columns = np.maximum(others, 1.0) ** -given
    return (np.repeat(of_rows, own) * of_columns[matrix.indices]).astype(np.float32)


class _Rows:
    """A sparse matrix on the CPU."""

    def __init__(self, matrix, weights, device):
        pointer = matrix.indptr.astype(np.int64)
        self._matrix = (pointer, matrix.indices.astype(np.int32), weights)
        self._lengths = np.diff(pointer)
        self._all = np.arange(len(self._lengths))

    def times(self, source, *, plus=None, rows=None, present=None):
        """``plus + (matrix @ source)[rows]``.

        Parameters
        ----------
        source : float tensor of shape (n_columns, d)
        plus : float tensor of shape (n_rows, d) or (len(rows), d), default=None
            None: zero.
        rows : int64 tensor, default=None
            None: all.
        present : int64 tensor, default=None
            Rows of `source` that are not zero, if `rows` is None; None: all.

        Returns
        -------
        product : float tensor of the shape of `plus`
        """
        from skrec._torch._graph_kernels import add_from_some, add_rows

        wanted = self._all if rows is None else rows.numpy()
        shape = (len(wanted), source.shape[1])
        if plus is None:
            product = plus = torch.zeros(shape, dtype=source.dtype)
        else:  # the kernel's threads write all rows
            product = torch.empty(shape, dtype=source.dtype)
        arrays = [part.detach().contiguous().numpy() for part in (source, plus, product)]
        if present is None:
            kernel, of_rows = add_rows, wanted
        else:
            of_rows = np.zeros(len(source), dtype=np.bool_)
            of_rows[present.numpy()] = True
            kernel = add_from_some

        def some(start, stop):
            kernel(self._matrix, arrays[0], of_rows, *arrays[1:], start, stop)

        lengths = self._lengths if rows is None else self._lengths[wanted]
        small = lengths.sum() * source.shape[1] < _SMALL
        run_ranges(
            some, len(wanted), n_jobs=1 if small else torch.get_num_threads(), weights=lengths
        )
        return product


class _DeviceRows:
    """A sparse matrix on another device."""

    def __init__(self, matrix, weights, device):
        lengths = np.diff(matrix.indptr)
        shape = matrix.shape if matrix.format == "csr" else matrix.shape[::-1]
        entries = np.stack([np.repeat(np.arange(len(lengths)), lengths), matrix.indices])
        self._matrix = torch.sparse_coo_tensor(
            torch.from_numpy(entries.astype(np.int64)), torch.from_numpy(weights), shape,
            is_coalesced=True,
        ).to(device)  # fmt: skip

    def times(self, source, *, plus=None, rows=None, present=None):
        """See `_Rows.times`; this computes the whole product for any rows."""
        product = torch.sparse.mm(self._matrix, source.detach())
        product = product if rows is None else product[rows]
        return product if plus is None else product.add_(plus.detach())


def distinct(index):
    """The distinct indices, and the place of each index among them; on the CPU only.

    Elsewhere (None, index), since the host would wait for their number.
    """
    if index.device.type != "cpu":
        return None, index
    return torch.unique(index, return_inverse=True)


class _Step(torch.autograd.Function):
    @staticmethod
    def forward(ctx, users, items, graph, user_rows, item_rows):
        ctx.graph, ctx.shapes = graph, (users.shape, items.shape)
        ctx.rows = user_rows, item_rows
        return graph.users.times(items, rows=user_rows), graph.items.times(users, rows=item_rows)

    @staticmethod
    def backward(ctx, of_users, of_items):
        turned = ctx.graph.turned

        def back(matrix, grad, rows, shape):
            if rows is not None:
                grad = grad.new_zeros(shape).index_copy_(0, rows, grad)
            return matrix.times(grad, present=rows)

        (user_rows, item_rows), (user_shape, item_shape) = ctx.rows, ctx.shapes
        return (
            back(turned.users, of_items, item_rows, item_shape),
            back(turned.items, of_users, user_rows, user_shape),
            None, None, None,
        )  # fmt: skip


def step(graph, users, items, user_rows=None, item_rows=None):
    """One step: users take from items and items from users, with gradients.

    Parameters
    ----------
    graph : Graph
    users, items : float tensors of shapes (n_users, d) and (n_items, d)
    user_rows, item_rows : int64 tensor, default=None
        The users and items that take, each once; None: all.

    Returns
    -------
    of_users, of_items : float tensors of shapes (len(user_rows), d), (len(item_rows), d)
    """
    return _Step.apply(users, items, graph, user_rows, item_rows)


class _MeanOfLayers(torch.autograd.Function):
    @staticmethod
    def forward(ctx, users, items, graph, n_steps, of_users, of_items):
        ctx.graph, ctx.n_steps, ctx.sizes = graph, n_steps, (len(users), len(items))
        ctx.save_for_backward(of_users, of_items)
        # All steps but the last are needed for all nodes, the last only where it is read.
        before_users, before_items = graph.summed(users, items, n_steps - 1)

        def at(matrix, source, first, index):
            rows, place = distinct(index)
            plus = first if rows is None else first[rows]
            taken = matrix.times(source, plus=plus, rows=rows)
            return functional.embedding(place, taken) / (n_steps + 1), first[index]

        mean_users, first_users = at(graph.users, before_items, users, of_users)
        mean_items, first_items = at(graph.items, before_users, items, of_items)
        return mean_users, mean_items, first_users, first_items

    @staticmethod
    def backward(ctx, mean_users, mean_items, first_users, first_items):
        index = ctx.saved_tensors
        # The matrix of all nodes is symmetric, so gradients use the same products.
        users, items = (
            _scattered(where, grad / (ctx.n_steps + 1), size)
            for where, grad, size in zip(index, (mean_users, mean_items), ctx.sizes, strict=True)
        )
        flat = tuple(where.flatten() for where in index)
        users, items = ctx.graph.summed(users, items, ctx.n_steps, present=flat)
        users += _scattered(index[0], first_users, ctx.sizes[0])
        items += _scattered(index[1], first_items, ctx.sizes[1])
        return users, items, None, None, None, None


def _scattered(index, grad, size):
    """Sums of the rows of `grad` by an index: shape (size, d)."""
    zero = grad.new_zeros(size, grad.shape[-1])
    return zero.index_add_(0, index.flatten(), grad.reshape(-1, grad.shape[-1]))


def mean_of_layers(graph, users, items, n_steps, of_users, of_items):
    r"""Means of vectors and of their images after each step, where they are read; with gradients.

    With the matrix A of a symmetric graph of all nodes and their vectors E, the mean is
    :math:`\frac{1}{n + 1} \sum_{k=0}^n A^k E`.

    Parameters
    ----------
    graph : Graph
        With equal exponents.
    users, items : float tensors of shapes (n_users, d) and (n_items, d)
    n_steps : int
        > 0.
    of_users, of_items : int64 tensors of any shapes
        Indices of users and items.

    Returns
    -------
    mean_users, mean_items : float tensors of shapes (\*of_users.shape, d), (\*of_items.shape, d)
    first_users, first_items : float tensors of the same shapes
        The vectors themselves.

    Notes
    -----
    Only the indices are kept for the gradient.
    """
    return _MeanOfLayers.apply(users, items, graph, n_steps, of_users, of_items)
