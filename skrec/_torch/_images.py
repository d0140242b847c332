"""Pictures of items on a device, as bytes; only a batch becomes floats."""

import numpy as np
import torch

# Pictures of up to this many bytes in all are copied to the device once.
_MAX_BYTES = 2**30
# Numbers in the pictures that pass a network at once without gradients.
_N_NUMBERS = 2**22


class DeviceImages:
    """Pictures of items; a batch of them becomes floats from -1 to 1.

    If there is room for all pictures, they lie on the device as bytes; otherwise batches are read
    and moved as bytes.

    Parameters
    ----------
    images : Images
        All of one size.
    device : torch.device
    """

    def __init__(self, images, device):
        self._images, self._device = images, device
        n_bytes = 3 * images.size[0] * images.size[1] * len(images)
        self._all = None if n_bytes > _MAX_BYTES else self._read(slice(None))

    def __len__(self):
        return len(self._images)

    def __getitem__(self, items):
        """Pictures of some items, an int64 tensor: floats of shape (m, 3, h, w)."""
        if self._all is not None:
            pixels = self._all[items]
        else:
            pixels = self._read(items.cpu().numpy())
        return pixels.float().sub_(127.5).div_(127.5)

    def _read(self, items):
        # A grey picture is read as a view, and torch warns of views.
        pixels = np.require(self._images[items], requirements="W")
        return torch.from_numpy(pixels).to(self._device)

    def through(self, network, items):
        """Outputs of a network for the pictures of items, shape (m, d), in parts, no gradient."""
        height, width = self._images.size
        size = max(1, _N_NUMBERS // (3 * height * width))
        with torch.no_grad():
            return torch.cat([network(self[part]) for part in items.split(size)])


def distinct_items(item, n_items):
    """The distinct items, and the place of each occurrence among them.

    Parameters
    ----------
    item : int64 tensor of any shape
    n_items : int

    Returns
    -------
    distinct : int64 tensor of shape (m,)
        Ascending. On CUDA m is the largest possible number, so that the host does not wait for
        the actual number; item 0 fills the rest.
    place : int64 tensor of the shape of `item`
    """
    if item.device.type == "cpu":
        return torch.unique(item, return_inverse=True)
    occurs = torch.zeros(n_items, dtype=torch.int64, device=item.device)
    occurs[item.flatten()] = 1
    rank = occurs.cumsum(0) - 1
    distinct = torch.zeros(min(n_items, item.numel()) + 1, dtype=torch.int64, device=item.device)
    everything = torch.arange(n_items, device=item.device)
    # Items that do not occur go to an extra place, which is cut off.
    distinct[torch.where(occurs > 0, rank, len(distinct) - 1)] = everything
    return distinct[:-1], rank[item]
