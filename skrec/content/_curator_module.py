"""The network of `CuratorNet`: layers over item features, and layers over user profiles."""

import torch
from torch import nn
from torch.nn import functional

from skrec._torch._layers import SparseLinear, dense_layers
from skrec._torch._learned_users import first_rows
from skrec._torch._products import by_column, sparse_product
from skrec.utils._parallel import plain_interrupts

# Vectors made at once where no gradient is needed.
_N_ITEMS = 2**16


class CuratorModule(nn.Module):
    """Vectors of items from their features, and vectors of users from the vectors of their items.

    Parameters
    ----------
    n_features : int
    item_sizes : tuple of int
        Sizes of the layers over features; the last one is the length of the vectors, d.
    user_sizes : tuple of int
        Sizes of the layers over profiles, without the last one, which has size d.
    """

    def __init__(self, n_features, item_sizes, user_sizes):
        super().__init__()
        # Features are sparse, or places of items: the feature table makes their products.
        self.first = SparseLinear(n_features, item_sizes[0])
        self.item = dense_layers(item_sizes, "selu")
        self.user = dense_layers((2 * item_sizes[-1], *user_sizes, item_sizes[-1]), "selu")
        self.features = None

    def draw(self, seen, n_inputs, generator):
        """First weights, normal with the variance 1 / inputs (LeCun's), and biases of zero.

        Parameters
        ----------
        seen : ndarray of bool of shape (n_features,)
            Features whose weights are drawn; the others have weights of zero.
        n_inputs : int
            How many features of an item are not zero.
        generator : torch.Generator
        """
        first_rows(self.first.weight, seen, n_inputs**-0.5, generator)
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                if parameter.ndim == 1:
                    parameter.zero_()
                elif not name.startswith("first"):
                    parameter.normal_(std=parameter.shape[1] ** -0.5, generator=generator)

    def items(self, item):
        """Vectors of some items, an int64 tensor of shape (m,): shape (m, d)."""
        product = self.features.product_of(item, self.first.weight)
        return self.item(functional.selu(product + self.first.bias))

    def all_items(self):
        """Vectors of all items that have features, without a gradient: shape (n, d)."""
        items = torch.arange(self.features.n_items, device=self.first.weight.device)
        with torch.inference_mode():
            return torch.cat([self.items(part) for part in items.split(_N_ITEMS)])

    def users(self, rows, vectors):
        """Vectors of the users of `Rows`, from the vectors of the items: shape (n_rows, d).

        Nothing is learned from these rows. A row without items has a profile of zeros.
        """
        return self.user(profiles(rows, vectors))


def profiles(rows, vectors):
    """Mean and maximum of the vectors of each row's items, shape (n_rows, 2 d).

    Parameters
    ----------
    rows : Rows
    vectors : float tensor of shape (n_items, d)
    """
    count = torch.bincount(rows.row, minlength=rows.n_rows)[:, None]
    sums = functional.embedding_bag(rows.column, vectors, rows.start, mode="sum")
    first, _ = two_largest(vectors, rows)
    largest = vectors.gather(0, first.clamp(min=0)).masked_fill(first < 0, 0)
    return torch.cat([sums / count.clamp(min=1), largest], dim=1)


def profiles_without(rows, vectors, place, own):
    """`profiles` of rows from which one item is left out, with gradients: shape (b, 2 d).

    Parameters
    ----------
    rows : Rows
    vectors : float tensor of shape (n_items, d)
    place : int64 tensor of shape (b,)
        The row of each profile.
    own : int64 tensor of shape (b,)
        The item of the row to leave out, -1 for none. A row has at least one other item.
    """
    one = torch.ones(len(rows.column), dtype=vectors.dtype, device=vectors.device)
    sums = sparse_product(rows, one, vectors, by_column(rows, len(vectors)))  # (n_rows, d)
    without = own >= 0
    left = torch.bincount(rows.row, minlength=rows.n_rows)[place] - without.long()
    taken = functional.embedding(own.clamp(min=0), vectors) * without[:, None]
    mean = (functional.embedding(place, sums) - taken) / left[:, None]
    first, second = two_largest(vectors.detach(), rows)
    at = torch.where(first[place] == own[:, None], second[place], first[place])
    return torch.cat([mean, vectors.gather(0, at)], dim=1)


def two_largest(vectors, rows):
    """For each row and component, the items with the largest and the next largest number.

    Parameters
    ----------
    vectors : float tensor of shape (n_items, d)
        Without a gradient.
    rows : Rows

    Returns
    -------
    first, second : int64 tensors of shape (n_rows, d)
        Items; -1 where a row has no item, or no second one. Among equal numbers, the item that
        stands first in the row.
    """
    shape = (rows.n_rows, vectors.shape[1])
    if vectors.device.type != "cpu":
        return _two_largest_gathered(vectors, rows, shape)
    from skrec.content._curator_kernels import two_largest as kernel

    first, second = (torch.empty(shape, dtype=torch.int64) for _ in range(2))
    start = torch.cat([rows.start, rows.start.new_tensor([len(rows.column)])])
    parts = (vectors.contiguous(), start, rows.column, first, second)
    with plain_interrupts():
        kernel(*(part.numpy() for part in parts))
    return first, second


def _two_largest_gathered(vectors, rows, shape):
    """`two_largest` in torch alone; it gathers the vectors of all items of the rows."""
    gathered, n_entries = vectors[rows.column], len(rows.column)  # (n_entries, d)
    row = rows.row[:, None].expand_as(gathered)
    entry = torch.arange(n_entries, device=row.device)[:, None].expand_as(gathered)
    found = []
    for _ in range(2):
        top = gathered.new_full(shape, -torch.inf).scatter_reduce(0, row, gathered, "amax")
        # Entries taken before are minus infinity, as is the top of a row with none left.
        is_top = (gathered == top[rows.row]) & (gathered > -torch.inf)
        place = torch.where(is_top, entry, n_entries)
        which = row.new_full(shape, n_entries).scatter_reduce(0, row, place, "amin")
        column = torch.cat([rows.column, rows.column.new_tensor([-1])])
        found.append(column[which])
        gathered = torch.where(entry == which[rows.row], -torch.inf, gathered)
    return tuple(found)
