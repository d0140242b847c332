"""DVBPR's small network, scores and objective in NumPy, a picture at a time."""

import numpy as np

from tests.reference.vbpr import loss


def convolution(image, weight, bias, stride=2, padding=1):
    """Outputs (filters, h', w') of an image (channels, h, w), a point at a time."""
    padded = np.pad(image, ((0, 0), (padding, padding), (padding, padding)))
    side = weight.shape[-1]
    height, width = ((n + 2 * padding - side) // stride + 1 for n in image.shape[1:])
    found = np.empty((len(weight), height, width))
    for row in range(height):
        for column in range(width):
            at = (slice(None), *(slice(stride * n, stride * n + side) for n in (row, column)))
            found[:, row, column] = np.sum(weight * padded[at], axis=(1, 2, 3)) + bias
    return found


def small_network(picture, weights):
    """Phi of bytes (3, h, w) without dropout: three convolutions and two layers."""
    x = (picture.astype(float) - 127.5) / 127.5
    for place in (0, 2, 4):
        x = np.maximum(0, convolution(x, *_layer(weights, place)))
    for place, is_last in ((7, False), (10, True)):
        weight, bias = _layer(weights, place)
        x = weight @ x.ravel() + bias
        x = x if is_last else np.maximum(0, x)
    return x


def _layer(weights, place):
    return (weights[f"network.{place}.{part}"] for part in ("weight", "bias"))


def item_vectors(pictures, weights):
    """Phi, and behind it gamma, of each item: (n_items, d)."""
    vectors = np.array([small_network(picture, weights) for picture in pictures])
    if "item.weight" in weights:
        vectors = np.hstack([vectors, weights["item.weight"]])
    return vectors


def objective(triplets, weights, pictures, alpha, network_alpha, kind="bpr"):
    """Mean over (user, item, negatives), with the penalties of vectors and of the network."""
    vectors, total = item_vectors(pictures, weights), 0.0
    for u, i, negatives in triplets:
        user = weights["user.weight"][u]
        total += sum(loss(user @ vectors[i] - user @ vectors[j], kind) for j in negatives)
        squares = user @ user
        if "item.weight" in weights:
            squares += sum(np.sum(weights["item.weight"][k] ** 2) for k in (i, *negatives))
        total += alpha / 2 * squares
    layers = [w for name, w in weights.items() if name.startswith("network") and w.ndim > 1]
    return total / len(triplets) + network_alpha / 2 * sum(np.sum(w**2) for w in layers)
