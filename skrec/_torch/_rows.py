"""Rows of a CSR matrix on a device, sliced there or, if the matrix is too large, on the host."""

from typing import NamedTuple

import numpy as np
import torch

from skrec._torch._layers import unit_length
from skrec._torch._place import sent, sent_array
from skrec.utils import _device

# A matrix stays on a GPU if it takes at most this share of the free memory.
_SHARE = 0.25


class Rows(NamedTuple):
    """Some rows of a sparse matrix: entry e stands in row ``row[e]`` at column ``column[e]``.

    Attributes
    ----------
    users : int64 tensor of shape (n_rows,)
        Indices of the rows in the matrix.
    start : int64 tensor of shape (n_rows,)
        Where the entries of each row begin.
    row : int64 tensor of shape (n_entries,)
        Places within the batch, ascending.
    column : int64 tensor of shape (n_entries,)
    value : float tensor of shape (n_entries,)
    weight : float tensor of shape (n_rows,)
        Weights of the rows in the loss, with mean 1 over the matrix.
    unit : float tensor of shape (n_entries,) or None
        Values of the rows scaled to length 1, if computed ahead: see `unit_length`.
    """

    users: torch.Tensor
    start: torch.Tensor
    row: torch.Tensor
    column: torch.Tensor
    value: torch.Tensor
    weight: torch.Tensor
    unit: torch.Tensor | None = None

    @property
    def n_rows(self):
        """Number of rows."""
        return len(self.start)


class DeviceRows:
    """A CSR matrix that is copied to a device once.

    Parameters
    ----------
    X : csr_array of shape (n_rows, n_columns)
        Canonical.
    device : torch.device
    dtype : torch.dtype, default=torch.float32
        Type of the values.
    weight : ndarray of shape (n_rows,), default=None
        Weights of the rows; they are scaled to mean 1. None: all equal.
    """

    def __init__(self, X, device, *, dtype=torch.float32, weight=None):
        self.shape, self.device = X.shape, torch.device(device)
        self._indptr = X.indptr
        first, value = X.indptr.astype(np.int64), torch.tensor(X.data, dtype=dtype)
        self._first = sent_array(first, self.device)
        self._column = sent_array(X.indices.astype(np.int64), self.device)
        self._value, self._unit = sent(value, self.device), None
        if _device.apart(self.device):
            self._unit = sent(_unit_values(first, value), self.device)
        self._weight = sent(_scaled(weight, X.shape[0], dtype), self.device)

    def __getitem__(self, users):
        """The rows with the given indices, an int64 tensor, as `Rows`."""
        return self._taken(users.to(self.device))

    def _taken(self, users, n_entries=None):
        first = self._first[users]
        length = self._first[users + 1] - first
        end = length.cumsum(0)
        start = end - length
        row = torch.repeat_interleave(length, output_size=n_entries)
        entry = (first - start).index_select(0, row)
        entry += torch.arange(len(row), device=self.device)
        # On a CPU, index_select takes a third of the time of brackets.
        column, value = (part.index_select(0, entry) for part in (self._column, self._value))
        unit = None if self._unit is None else self._unit.index_select(0, entry)
        return Rows(users, start, row, column, value, self._weight[users], unit)

    def batches(self, order, batch_size):
        """Batches of the rows with the given indices, a tensor of the CPU, as `Rows`.

        The host knows how many entries each batch has, so it does not wait for the device.
        """
        if not len(order):
            return
        lengths = np.diff(self._indptr)[order.numpy()]
        sizes = np.add.reduceat(lengths, np.arange(0, len(order), batch_size), dtype=np.int64)
        for users, size in zip(sent(order, self.device).split(batch_size), sizes, strict=True):
            yield self._taken(users, int(size))

    def everything(self):
        """All rows in their order, as `Rows`."""
        users, start = torch.arange(self.shape[0], device=self.device), self._first[:-1]
        length = self._first.diff()
        row = torch.repeat_interleave(length, output_size=len(self._column))
        return Rows(users, start, row, self._column, self._value, self._weight, self._unit)


class HostRows:
    """As `DeviceRows`, for a matrix that stays on the host: batches are sent ahead of their use.

    Parameters as in `DeviceRows`.
    """

    def __init__(self, X, device, *, dtype=torch.float32, weight=None):
        self.shape, self.device, self._dtype = X.shape, torch.device(device), dtype
        self._X, self._weight = X, _scaled(weight, X.shape[0], dtype)

    def batches(self, order, batch_size):
        """Batches of the rows with the given indices, a tensor of the CPU, as `Rows`."""
        for users in order.split(batch_size):
            some = self._X[users.numpy()]
            first, value = some.indptr.astype(np.int64), torch.tensor(some.data, dtype=self._dtype)
            row = np.repeat(np.arange(some.shape[0]), np.diff(first))
            parts = (torch.from_numpy(a) for a in (first[:-1], row, some.indices.astype(np.int64)))
            parts = (users, *parts, value, self._weight[users], _unit_values(first, value))
            yield Rows(*(sent(part, self.device, again=True) for part in parts))


def training_rows(X, device, *, weight=None):
    """The training rows of a fit: on the device, or on the host if they are too large.

    Parameters as in `DeviceRows`.
    """
    if device.type == "cuda" and _n_bytes(X) > _SHARE * _free_bytes(device):
        return HostRows(X, device, weight=weight)
    return DeviceRows(X, device, weight=weight)


def _free_bytes(device):
    """Free bytes of a GPU; includes memory that torch has reserved and can use again."""
    index = torch.cuda.current_device() if device.index is None else device.index
    kept = torch.cuda.memory_reserved(index) - torch.cuda.memory_allocated(index)
    return torch.cuda.mem_get_info(index)[0] + kept


def _n_bytes(X):
    return 16 * X.nnz + 12 * X.shape[0]


def _scaled(weight, n_rows, dtype):
    if weight is None:
        return torch.ones(n_rows, dtype=dtype)
    return torch.tensor(np.asarray(weight, dtype=np.float64) / np.mean(weight), dtype=dtype)


def _unit_values(first, value):
    """`unit_length` of all rows, on the host, since a GPU sums in any order."""
    row = torch.from_numpy(np.repeat(np.arange(len(first) - 1), np.diff(first)))
    start = torch.from_numpy(first[:-1])
    return unit_length(Rows(None, start, row, None, value, None))


class ShuffledRows:
    """Batches of all rows in a new order for each pass.

    Parameters
    ----------
    rows : DeviceRows or HostRows
    batch_size : int
    generator : torch.Generator
        Always on the CPU.
    """

    def __init__(self, rows, batch_size, generator):
        # torch does not accept a NumPy integer, such as one from a search grid.
        self._rows, self._batch_size, self._generator = rows, int(batch_size), generator

    def __len__(self):
        return -(-self._rows.shape[0] // self._batch_size)

    def __iter__(self):
        order = torch.randperm(self._rows.shape[0], generator=self._generator)
        yield from self._rows.batches(order, self._batch_size)
