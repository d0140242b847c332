"""The network of `YouTubeRecommender`, and its training batches."""

from typing import NamedTuple

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import nn
from torch.nn import functional

from skrec._loss._shared_negatives import Shared
from skrec._torch._layers import dense_layers
from skrec._torch._rows import DeviceRows, Rows
from skrec._torch._shared_negatives import SharedNegatives


class YouTubeNet(nn.Module):
    """The mean of items' vectors, layers, and a product with vectors of items.

    Parameters
    ----------
    n_items, n_components : int
    hidden : tuple of int
    tied : bool
        Whether outputs use the vectors of inputs. With layers, a linear map then restores their
        length.
    sparse : bool
        Whether gradients of vectors are sparse.
    biased : bool
        Whether the items' biases are learned.
    """

    def __init__(self, n_items, n_components, hidden, tied, sparse, biased):
        super().__init__()
        self.item = nn.Embedding(n_items, n_components, sparse=sparse)
        self.layers = dense_layers((n_components, *hidden), "relu")
        if not tied:
            self.output = nn.Embedding(n_items, (n_components, *hidden)[-1], sparse=sparse)
        elif hidden:
            self.layers.append(nn.Linear(hidden[-1], n_components))
        self.bias = nn.Parameter(torch.empty(n_items), requires_grad=biased)

    @property
    def output_table(self):
        """The embedding of the outputs."""
        return getattr(self, "output", self.item)

    def users(self, rows):
        """Vectors of whole rows, shape (n_rows, d)."""
        sums = functional.embedding_bag(rows.column, self.item.weight, rows.start, mode="sum")
        length = torch.bincount(rows.row, minlength=rows.n_rows)
        return self.layers(sums / length.clamp(min=1)[:, None])

    def examples(self, rows, chosen, kept):
        """Vectors of the kept part of rows; without it, of the rows less each example.

        Parameters
        ----------
        rows : Rows
        chosen : int64 tensor of shape (n_examples,)
            Places of the examples among the entries.
        kept : bool tensor of shape (n_entries,) or None
            None: everything is kept, and each example has its own vector.

        Returns
        -------
        vectors : float tensor of shape (n_vectors, d)
        row : int64 tensor of shape (n_examples,)
            The vector of each example.
        user : int64 tensor of shape (n_vectors,)
            The row of each vector.
        """
        vectors = self.item(rows.column)  # (n_entries, d)
        if kept is not None:
            vectors = vectors * kept[:, None]
        entry = torch.arange(len(vectors), device=vectors.device)
        sums = functional.embedding_bag(entry, vectors, rows.start, mode="sum")  # (n_rows, d)
        row = rows.row[chosen]
        if kept is not None:
            count = torch.zeros_like(rows.users).index_add_(0, rows.row, kept.long())
            user = torch.arange(rows.n_rows, device=row.device)
            return self.layers(sums / count.clamp(min=1)[:, None]), row, user
        others = (torch.bincount(rows.row, minlength=rows.n_rows) - 1)[row][:, None]
        without = functional.embedding(row, sums) - functional.embedding(chosen, vectors)
        # The sum of an empty bag is zero, where a difference may not quite be.
        without = without.masked_fill(others == 0, 0) / others.clamp(min=1)
        return self.layers(without), torch.arange(len(row), device=row.device), row


class Examples(NamedTuple):
    """Rows, their entries to predict, and negatives.

    Attributes
    ----------
    rows : Rows
    chosen : int64 tensor of shape (n_rows,)
        Places of the examples among the entries.
    shared : Shared
    """

    rows: Rows
    chosen: torch.Tensor
    shared: Shared

    @property
    def n_rows(self):
        """Number of examples."""
        return len(self.chosen)


class ShuffledExamples:
    """Batches of users; each pass has a new order, each batch new negatives.

    Parameters
    ----------
    problem : Problem
    batch_size : int
        Users in a batch.
    max_examples : int or None
        Most entries of a row to predict in a pass, drawn anew for each pass; None: all.
    n_negatives : int or None
        See `SharedNegatives`.
    by_popularity : bool
    """

    def __init__(self, problem, batch_size, max_examples, n_negatives, by_popularity):
        self._problem, self._batch_size = problem, int(batch_size)
        self._max_examples = max_examples
        self._generator = problem.generator
        X = problem.X
        self._rows = None
        if max_examples is None or max_examples >= np.diff(X.indptr).max(initial=0):
            self._rows = DeviceRows(_ones(X), problem.device, weight=problem.weight)
        popularity = np.bincount(X.indices, minlength=X.shape[1])
        self._negatives = SharedNegatives(
            popularity, n_negatives, by_popularity, problem.device, problem.generator
        )

    def __len__(self):
        return -(-self._problem.X.shape[0] // self._batch_size)

    def __iter__(self):
        rows = self._rows
        if rows is None:  # 1 at the entries to predict, else 0
            marked = self._marked()
            rows = DeviceRows(marked, self._problem.device, weight=self._problem.weight)
        order = torch.randperm(rows.shape[0], generator=self._generator)
        for users in order.split(self._batch_size):
            batch = rows[users]
            yield Examples(batch, batch.value.nonzero()[:, 0], self._negatives())

    def _marked(self):
        X = self._problem.X
        row = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
        key = torch.rand(X.nnz, dtype=torch.float64, generator=self._generator).numpy()
        order = np.lexsort((key, row))
        chosen = np.zeros(X.nnz, dtype=np.float32)
        chosen[order] = np.arange(X.nnz) - X.indptr[row] < self._max_examples
        return csr_array((chosen, X.indices, X.indptr), shape=X.shape)


def _ones(X):
    return csr_array((np.ones(X.nnz, dtype=np.float32), X.indices, X.indptr), shape=X.shape)
