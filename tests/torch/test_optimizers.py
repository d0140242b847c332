"""Adam for sparse embeddings against torch's own."""

import numpy as np
import torch

from skrec._torch._optimizers import RowAdam


def test_rows_move_as_by_sparse_adam():
    generator = torch.Generator().manual_seed(0)
    first = torch.randn(20, 3, generator=generator)
    tables, optimizers = [], []
    for cls in (torch.optim.SparseAdam, RowAdam):
        tables.append(torch.nn.Embedding.from_pretrained(first.clone(), freeze=False, sparse=True))
        optimizers.append(cls(tables[-1].parameters(), lr=0.1))
    for n in range(6):
        index = torch.randint(5 * n, 5 * n + 15, (30,), generator=generator) % 20
        for table, optimizer in zip(tables, optimizers, strict=True):
            optimizer.zero_grad()
            again = table(index[:4]).square().sum()  # two gradients of the same rows
            (table(index).exp().sum() + again).backward()
            optimizer.step()
            optimizer.param_groups[0]["lr"] *= 0.9
    one, two = (table.weight.detach().numpy() for table in tables)
    np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-5)
    assert np.abs(one - first.numpy()).max() > 0.1
