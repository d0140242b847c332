"""The network of `DVBPR`: vectors of items from their pictures."""

import copy

import torch
from torch import nn

from skrec._torch._images import distinct_items

_DROPOUT = 0.5  # of the authors


class PictureNet(nn.Module):
    """Vectors of items: a network makes the first part of pictures, the rest is learned freely.

    Parameters
    ----------
    n_users : int or None
        None: the vectors of users come from outside.
    n_items : int
    n_components, n_latent : int
        Lengths of the two parts.
    network : nn.Module or None
        From pictures (n, 3, h, w) to (n, n_components). None: both parts are learned freely.
    """

    def __init__(self, n_users, n_items, n_components, n_latent, network):
        super().__init__()
        self.network = network
        n_free = n_latent if network is not None else n_components + n_latent
        if n_users is not None:
            self.user = nn.Embedding(n_users, n_components + n_latent)
        self.item = nn.Embedding(n_items, n_free) if n_free else None
        self.images = None

    def vectors(self, items, pictured):
        """Vectors of items; `pictured` are the network's outputs, or None: (m, d)."""
        parts = [] if pictured is None else [pictured]
        return torch.cat([*parts, *([] if self.item is None else [self.item(items)])], dim=1)

    def forward(self, vector, item):
        """Outputs (n, m) of vectors (n, d) and items (n, m)."""
        if self.network is None:
            vectors = self.item(item)
        else:  # a picture passes the network once, however often its item occurs
            distinct, place = distinct_items(item, len(self.images))
            pictured = self.network(self.images[distinct])
            vectors = self.vectors(distinct, pictured)[place]  # (n, m, d)
        return (vectors @ vector[:, :, None])[:, :, 0]

    @torch.no_grad()
    def table(self, items=None):
        """Vectors of some items, or of all, without a gradient: shape (m, d)."""
        if items is None:
            n_items = len(self.item.weight) if self.images is None else len(self.images)
            device = next(self.parameters()).device
            items = torch.arange(n_items, device=device)
        if self.network is None:
            return self.item(items)
        return self.vectors(items, self.images.through(self.network, items))


def image_network(network, n_components, size):
    """The network that the parameter names, with weights drawn from torch's generator.

    Parameters
    ----------
    network : {"small", "cnn-f"}, nn.Module or callable
    n_components : int
    size : (int, int)
        Height and width of the pictures.
    """
    if isinstance(network, nn.Module):
        return copy.deepcopy(network)
    if not isinstance(network, str):
        return network(n_components)
    layers = _small(size) if network == "small" else _cnn_f(size)
    n_last = next(layer.out_features for layer in layers[::-1] if hasattr(layer, "out_features"))
    made = nn.Sequential(*layers, nn.Linear(n_last, n_components))
    for layer in made:
        if hasattr(layer, "weight"):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
    return made


def check_network(network, n_components, size):
    """Raise a ValueError unless a network makes vectors of the right length from pictures."""
    expected = f"a tensor of shape (n, {n_components}) from pictures (n, 3, {size[0]}, {size[1]})"
    remedy = (
        "End it with nn.Linear(..., n_components), and use image_size to bring the pictures to the "
        "size that it reads."
    )
    if not isinstance(network, nn.Module):
        raise ValueError(
            f"network must be a torch module, or a function of n_components that makes one. Got "
            f"{type(network).__name__}."
        )
    try:
        with torch.no_grad():
            some = next(network.parameters())
            found = network.eval()(torch.zeros(2, 3, *size, dtype=some.dtype, device=some.device))
        shape = tuple(found.shape)
    except (RuntimeError, TypeError, AttributeError, StopIteration) as error:
        raise ValueError(
            f"network must make {expected}. It cannot: {error or 'it has no weights'}. {remedy}"
        ) from error
    finally:
        network.train()
    if shape != (2, n_components):
        raise ValueError(f"network must make {expected}. Got shape {shape} from 2. {remedy}")


def _half(n, times):
    """A length after some halvings, rounded up."""
    for _ in range(times):
        n = -(-n // 2)
    return n


def _small(size):
    """Three convolutions, each to half the size, and a layer of 64."""
    layers, width = [], 3
    for n_filters in (16, 32, 64):
        layers += [nn.Conv2d(width, n_filters, 3, stride=2, padding=1), nn.ReLU()]
        width = n_filters
    n_inputs = width * _half(size[0], 3) * _half(size[1], 3)
    return [*layers, nn.Flatten(), nn.Linear(n_inputs, 64), nn.ReLU(), nn.Dropout(_DROPOUT)]


def _cnn_f(size):
    """CNN-F: five convolutions, to 1/32 of the size, and two layers of 4,096."""

    def pooled(*convolution, **options):
        return [nn.Conv2d(*convolution, **options), nn.ReLU(), nn.MaxPool2d(2, ceil_mode=True)]

    layers = [
        *pooled(3, 64, 11, stride=4, padding=5),
        *pooled(64, 256, 5, padding=2),
        nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(),
        nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(),
        *pooled(256, 256, 3, padding=1),
        nn.Flatten(),
    ]  # fmt: skip
    n_inputs = 256 * _half(-(-size[0] // 4), 3) * _half(-(-size[1] // 4), 3)
    for n_in in (n_inputs, 4096):
        layers += [nn.Linear(n_in, 4096), nn.ReLU(), nn.Dropout(_DROPOUT)]
    return layers
