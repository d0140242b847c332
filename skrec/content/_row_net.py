"""The network of the row models: a linear part, pairs of fields, and layers over the fields."""

import torch
from torch import nn

from skrec._torch._batch_norm import BatchNorm
from skrec._torch._dropout import relu_dropped
from skrec._torch._fields import field_sums
from skrec._torch._layers import SparseLinear, dense_layers, initialise
from skrec._torch._products import by_column, sparse_product


class RowNet(nn.Module):
    """Outputs of rows, from columns in fields.

    Parameters
    ----------
    fields : Fields
    n_outputs : int
    n_components : int
        Length of the vectors of columns. There are none for 0, or if neither pairs nor layers
        read them.
    pairs : bool
        Whether to add the products of the vectors of two fields; each output then has its own
        vectors.
    hidden_layer_sizes : tuple of int, default=()
        Sizes of the layers over the vectors of all fields; empty: no layers.
    dropout : float, default=0.0
        Share of the hidden units set to zero in training.
    batch_norm : bool, default=False
        Whether to standardise the outputs of each layer over the batch, before its ReLU.
    n_crosses : int, default=0
        Columns of crossed categories; each has a weight and no vector.
    """

    def __init__(
        self,
        fields,
        n_outputs,
        n_components,
        *,
        pairs,
        hidden_layer_sizes=(),
        dropout=0.0,
        batch_norm=False,
        n_crosses=0,
    ):
        super().__init__()
        # torch takes no NumPy numbers, which a grid may hold.
        n_outputs, n_components = int(n_outputs), int(n_components)
        sizes = tuple(map(int, hidden_layer_sizes)) if n_components else ()
        read = n_components if pairs or sizes else 0
        width = read * n_outputs if pairs else read
        self._pairs, self._dropout = pairs and width > 0, dropout
        self._n_outputs, self._n_fields = n_outputs, fields.n_fields
        self._single, self._disjoint = fields.single, fields.disjoint
        self._field = torch.from_numpy(fields.field_)
        self.linear = SparseLinear(fields.n_columns, n_outputs)
        self.crosses = nn.Parameter(torch.empty(n_crosses, n_outputs)) if n_crosses else None
        self.vectors = nn.Parameter(torch.empty(fields.n_columns, width)) if width else None
        self.hidden = self.head = self.norms = None
        if sizes:
            self.hidden = dense_layers((fields.n_fields * width, *sizes), "relu")
            if batch_norm:
                self.norms = nn.ModuleList(map(BatchNorm, sizes))
            self.head = nn.Linear(sizes[-1], n_outputs, bias=False)

    def reset(self, bias, init_scale, seen, generator):
        """Draw the first weights; columns that are not `seen` keep weights of zero."""
        with torch.no_grad():
            self.linear.weight.zero_()
            self.linear.bias.copy_(torch.from_numpy(bias))
            if self.crosses is not None:
                self.crosses.zero_()
            if self.vectors is not None:
                self.vectors.normal_(0, init_scale, generator=generator)
                self.vectors[torch.from_numpy(~seen)] = 0
        if self.hidden is not None:
            initialise(self.hidden, generator)
            initialise(self.head, generator)
            for norm in self.norms or ():
                norm.reset()

    def forward(self, rows, crossed=None, generator=None):
        """Outputs of `Rows`, of shape (n_rows, n_outputs); dropout only with a generator."""
        learns = torch.is_grad_enabled()
        if learns and self.hidden is not None and rows.column.device.type == "cpu":
            return self._in_one_pass(rows, crossed, generator)
        turned = by_column(rows, len(self.linear.weight)) if learns else None
        out = self.linear(rows, rows.value, turned)  # (n_rows, n_outputs)
        out = self._with_crosses(out, crossed)
        if self.vectors is None:
            return out
        if self.hidden is None and self._disjoint:
            return out + self._pairs_of_columns(rows, turned) if self._pairs else out
        vectors = self._by_field(rows, turned)  # (n_rows, n_fields, width)
        if self._pairs:
            total, squares = vectors.sum(1), vectors.square().sum(1)
            out = out + self._half_differences(total, squares)
        return out if self.hidden is None else out + self._deep(vectors.flatten(1), generator)

    def _in_one_pass(self, rows, crossed, generator):
        """The outputs by a kernel, which also makes the gradients."""
        out, vectors = field_sums(
            rows, self._field, self._n_fields, self.linear.weight, self.vectors, pairs=self._pairs
        )
        out = self._with_crosses(out + self.linear.bias, crossed)
        return out + self._deep(vectors.flatten(1), generator)

    def _with_crosses(self, out, crossed):
        if self.crosses is None:
            return out
        learns = torch.is_grad_enabled()
        by_cross = by_column(crossed, len(self.crosses)) if learns else None
        return out + sparse_product(crossed, crossed.value, self.crosses, by_cross)

    def _half_differences(self, total, squares):
        # The sum over pairs f < g of v_f . v_g, without the pairs.
        each = (total.square() - squares).view(len(total), self._n_outputs, -1)
        return 0.5 * each.sum(2)

    def _pairs_of_columns(self, rows, turned):
        """The pairs where no field has two entries: no vector is made for each field."""
        total = sparse_product(rows, rows.value, self.vectors, turned)
        squares = sparse_product(rows, rows.value.square(), self.vectors.square(), turned)
        return self._half_differences(total, squares)

    def _by_field(self, rows, turned):
        """Sums of the vectors of a row's entries in each field."""
        n_bags = rows.n_rows * self._n_fields
        if self._single:
            bag = torch.arange(n_bags, device=rows.column.device)
            start = bag
        else:
            if self._field.device != rows.column.device:
                self._field = self._field.to(rows.column.device)
            bag = rows.row * self._n_fields + self._field[rows.column]
            start = torch.searchsorted(bag, torch.arange(n_bags, device=bag.device))
        if turned is not None:
            turned = turned._replace(row=bag[turned.order])
        found = sparse_product(rows._replace(start=start), rows.value, self.vectors, turned)
        return found.view(rows.n_rows, self._n_fields, -1)

    def _deep(self, hidden, generator):
        for number, layer in enumerate(self.hidden[::2]):
            hidden = layer(hidden)
            if self.norms is not None:
                hidden = self.norms[number](hidden)
            hidden = relu_dropped(hidden, self._dropout, generator)
        return self.head(hidden)
