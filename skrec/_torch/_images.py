"""Pictures of items on a device, as bytes; floats are made for a batch only."""

import numpy as np
import torch

# Catalogues of so many bytes of pictures are copied to the device once.
_MAX_BYTES = 2**30
# Numbers of the pictures that pass a network at once where no gradient is wanted.
_N_NUMBERS = 2**22


class DeviceImages:
    """Pictures of items, of which batches are wanted as floats from -1 to 1.

    They lie on the device as bytes, where there is room for all of them; others are read batch
    by batch and moved as bytes.

    Parameters
    ----------
    images : Images
        Of one size.
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
        # A grey picture is read as a view, of which torch warns.
        pixels = np.require(self._images[items], requirements="W")
        return torch.from_numpy(pixels).to(self._device)

    def through(self, network, items):
        """What a network makes of the pictures of items, in parts: no gradient, shape (m, d)."""
        height, width = self._images.size
        size = max(1, _N_NUMBERS // (3 * height * width))
        with torch.no_grad():
            return torch.cat([network(self[part]) for part in items.split(size)])


def distinct_items(item, n_items):
    """Items that occur, each once, and the place of each occurrence among them.

    Parameters
    ----------
    item : int64 tensor of any shape
    n_items : int

    Returns
    -------
    distinct : int64 tensor of shape (m,)
        Ascending. On CUDA m is the largest number that there can be, so that nobody waits to
        hear how many there are; item 0 fills up what is left.
    place : int64 tensor of the shape of `item`
    """
    if item.device.type == "cpu":
        return torch.unique(item, return_inverse=True)
    occurs = torch.zeros(n_items, dtype=torch.int64, device=item.device)
    occurs[item.flatten()] = 1
    rank = occurs.cumsum(0) - 1
    distinct = torch.zeros(min(n_items, item.numel()) + 1, dtype=torch.int64, device=item.device)
    everything = torch.arange(n_items, device=item.device)
    # Those that do not occur are written to one place more, which is cut off.
    distinct[torch.where(occurs > 0, rank, len(distinct) - 1)] = everything
    return distinct[:-1], rank[item]
