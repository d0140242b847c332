"""Rows of a CSR matrix on a device, sliced there."""

from typing import NamedTuple

import numpy as np
import torch


class Rows(NamedTuple):
    """Some rows of a sparse matrix: entry e stands in row ``row[e]`` at column ``column[e]``.

    Attributes
    ----------
    users : int64 tensor of shape (n_rows,)
        Which rows of the matrix they are.
    start : int64 tensor of shape (n_rows,)
        Where the entries of each row begin.
    row : int64 tensor of shape (n_entries,)
        Places within the batch, ascending.
    column : int64 tensor of shape (n_entries,)
    value : float tensor of shape (n_entries,)
    weight : float tensor of shape (n_rows,)
        Weights of the rows in the loss, with mean 1 over the matrix.
    """

    users: torch.Tensor
    start: torch.Tensor
    row: torch.Tensor
    column: torch.Tensor
    value: torch.Tensor
    weight: torch.Tensor

    @property
    def n_rows(self):
        """Number of rows."""
        return len(self.start)


class DeviceRows:
    """A CSR matrix that was copied to a device once.

    Parameters
    ----------
    X : csr_array of shape (n_rows, n_columns)
        Canonical.
    device : torch.device
    dtype : torch.dtype, default=torch.float32
        Of the values.
    weight : ndarray of shape (n_rows,), default=None
        Weights of the rows; they are scaled to mean 1. None: all alike.
    """

    def __init__(self, X, device, *, dtype=torch.float32, weight=None):
        self.shape, self.device = X.shape, torch.device(device)
        self._first = torch.from_numpy(X.indptr.astype(np.int64)).to(self.device)
        self._column = torch.from_numpy(X.indices.astype(np.int64)).to(self.device)
        self._value = torch.tensor(X.data, dtype=dtype, device=self.device)
        if weight is None:
            self._weight = torch.ones(X.shape[0], dtype=dtype, device=self.device)
        else:
            scaled = np.asarray(weight, dtype=np.float64) / np.mean(weight)
            self._weight = torch.tensor(scaled, dtype=dtype, device=self.device)

    def __getitem__(self, users):
        """The rows of some indices, an int64 tensor, as `Rows`."""
        users = users.to(self.device)
        first = self._first[users]
        length = self._first[users + 1] - first
        end = length.cumsum(0)
        start = end - length
        row = torch.repeat_interleave(length)
        entry = (first - start).index_select(0, row)
        entry += torch.arange(len(row), device=self.device)
        # index_select gathers in a third of the time that brackets take on a CPU.
        column, value = (part.index_select(0, entry) for part in (self._column, self._value))
        return Rows(users, start, row, column, value, self._weight[users])

    def everything(self):
        """All rows in their order, as `Rows`."""
        return self[torch.arange(self.shape[0], device=self.device)]


class ShuffledRows:
    """Batches of all rows in a new order for each pass.

    Parameters
    ----------
    rows : DeviceRows
    batch_size : int
    generator : torch.Generator
        On the CPU, whatever the device.
    """

    def __init__(self, rows, batch_size, generator):
        # A number of NumPy's, from somebody's grid, is none for torch.
        self._rows, self._batch_size, self._generator = rows, int(batch_size), generator

    def __len__(self):
        return -(-self._rows.shape[0] // self._batch_size)

    def __iter__(self):
        order = torch.randperm(self._rows.shape[0], generator=self._generator)
        for users in order.split(self._batch_size):
            yield self._rows[users]
