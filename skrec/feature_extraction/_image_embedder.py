"""Features of pictures by a given network."""

from contextlib import contextmanager

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from skrec.feature_extraction._options import (
    CALLABLE,
    CHANNELS,
    checked_output,
    of_items,
)
from skrec.utils._device import resolve_device
from skrec.utils._images import IMAGE_SIZE, Images
from skrec.utils._params import POSITIVE_INTEGER, check_parameters


class ImageEmbedder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Features of pictures by any network, such as one of torchvision or timm.

    Parameters
    ----------
    network : callable
        ``network(batch)`` takes a float32 tensor of shape (n, 3, h, w) and returns a tensor of
        shape (n, d); further axes are flattened. If it is a ``torch.nn.Module``, or a method of
        one such as ``module.forward_features``, the module is moved to the device and set to
        evaluation mode for the call, and then restored. A module inside of any other function
        stays as it is: call its ``eval()`` yourself.
    image_size : int or (int, int), default=224
        Height and width to resize pictures to; one number for both.
    mean, std : float or tuple of 3 float, default=0.5
        The network reads (x - mean) / std of channels x from 0 to 1; with the defaults these
        values are from -1 to 1. Networks of torchvision want (0.485, 0.456, 0.406) and (0.229,
        0.224, 0.225).
    batch_size : int, default=64
        Number of pictures in a batch. Threads read the next batch while the network works.
    device : {"auto", "cpu", "cuda", "cuda:N"} or torch.device, default="auto"
        Where to compute, resolved at each call; "auto" takes CUDA if available.
    n_jobs : int or None, default=None
        Threads that read pictures; None: all cores.

    Attributes
    ----------
    n_features_out_ : int
        The number d of features.

    See Also
    --------
    VisualStatistics : Features without a network.
    TextEmbedder : Features of texts by any function.
    skrec.content.VisRank : Recommends by similarity of features; has ``center``.

    Notes
    -----
    `fit` embeds one picture to learn d. The row of an all-zero picture, or of None instead of a
    path, is zero, which means that nothing is known of the item. Resizing does not keep the
    proportions of a picture.

    *Memory*: two batches of bytes and one of floats.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.feature_extraction import ImageEmbedder
    >>> pictures = np.random.default_rng(0).random((4, 3, 16, 16))
    >>> def network(batch):  # the mean colour
    ...     return batch.mean(dim=(2, 3))
    >>> ImageEmbedder(network, 16, device="cpu").fit_transform(pictures).shape
    (4, 3)
    """

    def __init__(
        self,
        network,
        image_size=224,
        *,
        mean=0.5,
        std=0.5,
        batch_size=64,
        device="auto",
        n_jobs=None,
    ):
        self.network = network
        self.image_size = image_size
        self.mean = mean
        self.std = std
        self.batch_size = batch_size
        self.device = device
        self.n_jobs = n_jobs

    def __sklearn_tags__(self):
        return of_items(super().__sklearn_tags__())

    def fit(self, X, y=None):
        """Learn the number of features from one picture.

        Parameters
        ----------
        X : ndarray of shape (n_items, c, h, w), or sequence of str or path-like of length n_items
            Pictures, see `transform`.
        y : ignored
            Present for scikit-learn's conventions.

        Returns
        -------
        self : ImageEmbedder
            The fitted transformer.

        Raises
        ------
        ImportError
            If Pillow is needed and missing.
        ValueError
            If a parameter or the pictures are not valid, or the network does not return a table of
            finite numbers.
        """
        self._check()
        first = next((i for i, one in enumerate(X) if one is not None), 0)
        images = Images(X[first : first + 1], self.image_size, n_jobs=self.n_jobs)
        vars(self).pop("n_features_out_", None)
        with self._ready() as embed:
            self.n_features_out_ = embed(images[:]).shape[1]
        return self

    def _check(self):
        rules = {
            "network": CALLABLE,
            "image_size": IMAGE_SIZE,
            "mean": CHANNELS,
            "std": CHANNELS,
            "batch_size": POSITIVE_INTEGER,
        }
        check_parameters(self, rules)
        if np.any(np.asarray(self.std) <= 0):
            raise ValueError(f"std of ImageEmbedder must be > 0. Got {self.std!r}.")

    @property
    def _n_features_out(self):
        return self.n_features_out_

    def transform(self, X):
        """Embed pictures.

        Parameters
        ----------
        X : ndarray of shape (n_items, c, h, w), or sequence of str or path-like of length n_items
            Bytes from 0 to 255 or floats from 0 to 1, grey (c = 1) or RGB (c = 3); or files, with
            None for an item without a picture.

        Returns
        -------
        features : ndarray of float32 of shape (n_items, d)
            Rows of items without a picture are zero.

        Raises
        ------
        ImportError
            If Pillow is needed and missing.
        ValueError
            If the pictures are not valid, or the number of features differs from `fit`. The error
            names a missing or broken file before any picture is embedded.
        """
        check_is_fitted(self)
        self._check()
        images = Images(X, self.image_size, n_jobs=self.n_jobs)
        features = np.zeros((len(images), self.n_features_out_), dtype=np.float32)
        with self._ready() as embed:
            for batch, pictures in images.batches(self.batch_size):
                known = pictures.any(axis=(1, 2, 3))
                if known.any():
                    features[batch][known] = embed(pictures[known])
        return features

    @contextmanager
    def _ready(self):
        """A function from bytes to features, with the network on the device."""
        import torch

        device = resolve_device(self.device)
        scale = [
            torch.as_tensor(value, dtype=torch.float32, device=device).reshape(-1, 1, 1)
            for value in (self.mean, self.std)
        ]

        def embed(pictures):
            batch = torch.tensor(pictures, device=device).float().div_(255)  # (n, 3, h, w)
            found = self.network((batch - scale[0]) / scale[1])
            if not isinstance(found, torch.Tensor):
                raise ValueError(
                    f"network must return a tensor. Got {type(found).__name__}; wrap it in a "
                    "function that picks the tensor."
                )
            width = getattr(self, "n_features_out_", None)
            return checked_output(found.float().cpu().numpy(), len(pictures), width, "network")

        with _lent(self.network, device), torch.inference_mode():
            yield embed


@contextmanager
def _lent(network, device):
    """Put a module on the device and into evaluation mode, and restore it afterwards."""
    import torch

    network = getattr(network, "__self__", network)  # a method belongs to its module
    if not isinstance(network, torch.nn.Module):
        yield
        return
    training = {module: module.training for module in network.modules()}
    home = next(network.parameters(), torch.empty(0)).device
    try:
        network.to(device).eval()
        yield
    finally:
        network.to(home)
        for module, mode in training.items():
            module.training = mode
