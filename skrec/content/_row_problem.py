"""The data of a row model's fit: equal rows merged, batches, rows held out."""

from typing import NamedTuple

import numpy as np
import torch
from scipy.sparse import csr_array

from skrec._torch._rows import DeviceRows, Rows, ShuffledRows
from skrec.utils._hashing import exact_row_hashes


class RowProblem(NamedTuple):
    """The data of a fit.

    Attributes
    ----------
    X : csr_array of shape (n_rows, n_columns)
        Encoded and scaled.
    crossed : csr_array of shape (n_rows, n_crosses) or None
    target : ndarray of shape (n_rows,)
        Codes of classes, int64, or standardised values, float32.
    weight : ndarray of shape (n_rows,)
    device : torch.device
    generator : torch.Generator
        On the CPU.
    """

    X: csr_array
    crossed: csr_array | None
    target: np.ndarray
    weight: np.ndarray
    device: torch.device
    generator: torch.Generator

    @property
    def seed(self):
        """The seed of the generator."""
        return self.generator.initial_seed()

    def take(self, rows):
        """The problem of some rows."""
        crossed = None if self.crossed is None else self.crossed[rows]
        return self._replace(
            X=self.X[rows], crossed=crossed, target=self.target[rows], weight=self.weight[rows]
        )


def merged(X, target, weight):
    """Merge equal rows with equal targets, sum their weights, and order the rows by content.

    So a weight equals that many copies of a row, to the bit, and the order of rows does not
    matter.

    Parameters
    ----------
    X : csr_array of shape (n_rows, n_columns)
    target, weight : ndarray of shape (n_rows,)

    Returns
    -------
    X, target, weight : csr_array, ndarray, ndarray
    """
    hashes = exact_row_hashes(X)
    keys = (hashes[:, 1], hashes[:, 0], target)
    order = np.lexsort(keys)
    new = np.zeros(len(order), dtype=bool)
    new[:1] = True
    for key in keys:
        new[1:] |= np.diff(key[order]) != 0
    first = np.flatnonzero(new)
    kept = order[first]
    return X[kept], target[kept], np.add.reduceat(weight[order], first)


def held_out(target, fraction, seed):
    """Indices, ascending, of rows to learn from and of rows to hold out, a share of each class.

    Parameters
    ----------
    target : ndarray of shape (n_rows,)
        Classes, or zeros where there are none.
    fraction : float
    seed : int
    """
    order = np.random.RandomState(seed).permutation(len(target))
    order = order[np.argsort(target[order], kind="stable")]
    count = np.floor(np.arange(len(order) + 1) * fraction)
    chosen = np.diff(count) > 0  # each 1 / fraction-th of the ordered rows
    return np.sort(order[~chosen]), np.sort(order[chosen])


class LabelledRows(NamedTuple):
    """A batch: rows, their crossed columns or None, and targets."""

    rows: Rows
    crossed: Rows | None
    target: torch.Tensor

    @property
    def n_rows(self):
        """Number of rows."""
        return self.rows.n_rows


class Batches:
    """Batches of a problem's rows, in a new order for each pass.

    Parameters
    ----------
    problem : RowProblem
    batch_size : int
    """

    def __init__(self, problem, batch_size):
        device = problem.device
        rows = DeviceRows(problem.X, device, weight=problem.weight)
        self._rows = ShuffledRows(rows, batch_size, problem.generator)
        self._crossed = None
        if problem.crossed is not None:
            self._crossed = DeviceRows(problem.crossed, device)
        self._target = torch.from_numpy(problem.target).to(device)

    def __len__(self):
        return len(self._rows)

    def __iter__(self):
        for rows in self._rows:
            crossed = None if self._crossed is None else self._crossed[rows.users]
            yield LabelledRows(rows, crossed, self._target[rows.users])


def outputs(module, X, crossed, device, dtype, n_numbers):
    """Outputs of a module for encoded rows, in chunks: float64 of shape (n_rows, n_outputs).

    Parameters
    ----------
    module : RowNet
    X : csr_array of shape (n_rows, n_columns)
    crossed : csr_array of shape (n_rows, n_crosses) or None
    device : torch.device
    dtype : torch.dtype
        Dtype of the module.
    n_numbers : int
        Numbers that a row needs within the module.
    """
    step, found = max(1, 2**22 // max(1, n_numbers)), []
    with torch.inference_mode():
        for start in range(0, X.shape[0], step):
            some = slice(start, start + step)
            rows = DeviceRows(X[some], device, dtype=dtype).everything()
            others = None
            if crossed is not None:
                others = DeviceRows(crossed[some], device, dtype=dtype).everything()
            found.append(module(rows, others).double().cpu().numpy())
    return np.concatenate(found)
