"""Pictures of items, from arrays or files, in batches of bytes: never all of them as floats."""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from skrec.utils._parallel import run_ranges
from skrec.utils._params import POSITIVE_INTEGER

# The least decoded size of a file before it is resized, in multiples of the wanted size: JPEG can
# be decoded at a half, a quarter or an eighth of its size.
_DECODED = 2
_CHUNK = 256


class _ImageSize:
    """Rule of a parameter: a number of pixels, or a pair of them."""

    def __contains__(self, value):
        pair = value if isinstance(value, tuple) else (value, value)
        return len(pair) == 2 and all(size in POSITIVE_INTEGER for size in pair)

    def __str__(self):
        return "a whole number >= 1 or a pair (height, width) of such numbers"


IMAGE_SIZE = _ImageSize()


class Images:
    """Pictures of items in batches of bytes of one size.

    Parameters
    ----------
    source : ndarray of shape (n, c, h, w), or sequence of str, path-like or None of length n
        Bytes from 0 to 255, or floats from 0 to 1, with c = 1 (grey) or 3 (RGB); or paths of
        files, with None for an item without a picture. The constructor checks all pictures once,
        and decodes the files to do so.
    image_size : int, (int, int) or None, default=None
        Height and width of the batches; one number sets both. None: pictures keep their size.
    n_jobs : int or None, default=None
        Number of threads; None: all cores. The result does not depend on it.

    Attributes
    ----------
    size : tuple of int or None
        Height and width of the batches; None if files keep their sizes.

    Raises
    ------
    ImportError
        If Pillow is needed and missing.
    ValueError
        If the shape or the values are wrong, or a file is missing or broken; names the file.

    Notes
    -----
    A picture of another size is resized (bicubic, with an anti-aliasing filter where it gets
    smaller) without keeping its proportions. Transparent areas become white. An item without a
    picture gets a picture of zeros.
    """

    def __init__(self, source, image_size=None, *, n_jobs=None):
        self.n_jobs = n_jobs
        self.size = _pair(image_size)
        self._array = self._paths = None
        if isinstance(source, np.ndarray) and source.ndim != 1:
            self._array = _checked_array(source)
            self.size = self.size or self._array.shape[2:]
            if self.size != self._array.shape[2:]:
                check_pillow("Resizing pictures")
        else:
            self._paths = _checked_paths(source)
            check_pillow("Reading pictures from files")
            run_ranges(self._look_at, len(self), n_jobs=n_jobs)

    def __len__(self):
        return len(self._paths if self._array is None else self._array)

    def one(self, i):
        """Picture i as uint8 of shape (3, h, w), in the size `size` or, if None, in its own."""
        if self._array is None:
            path = self._paths[i]
            if path is None:
                return np.zeros((3, *(self.size or (1, 1))), np.uint8)
            return _read(path, self.size)
        picture = _bytes(self._array[i])
        picture = np.broadcast_to(picture, (3, *picture.shape[1:]))
        return picture if self.size == picture.shape[1:] else _resized(picture, self.size)

    def __getitem__(self, items):
        """Pictures of some items, indices or a slice: uint8 of shape (m, 3, *size)."""
        items = np.arange(len(self))[items]
        if self.size is None:
            raise ValueError(
                "Pictures from files may differ in size, but a batch has one size. Pass image_size."
            )
        if self._array is not None and self.size == self._array.shape[2:]:
            pictures = _bytes(self._array[items])
            return np.ascontiguousarray(np.broadcast_to(pictures, (len(items), 3, *self.size)))
        pictures = np.empty((len(items), 3, *self.size), np.uint8)

        def read(start, stop):
            for place in range(start, stop):
                pictures[place] = self.one(items[place])

        run_ranges(read, len(items), n_jobs=self.n_jobs)
        return pictures

    def batches(self, batch_size):
        """Yield all pictures in order; the next batch is read while the caller uses this one.

        Parameters
        ----------
        batch_size : int

        Yields
        ------
        batch : slice
        pictures : ndarray of uint8 of shape (m, 3, *size)
        """
        n = len(self)
        batches = [slice(i, min(i + batch_size, n)) for i in range(0, n, batch_size)]
        with ThreadPoolExecutor(1) as ahead:
            coming = None
            for batch, following in zip(batches, [*batches[1:], None], strict=True):
                pictures = self[batch] if coming is None else coming.result()
                coming = None if following is None else ahead.submit(self.__getitem__, following)
                yield batch, pictures

    def _look_at(self, start, stop):
        for path in self._paths[start:stop]:
            if path is not None:
                _read(path, (1, 1))


def check_pillow(what):
    """Raise an ImportError that names the package to install, if Pillow is missing."""
    try:
        import PIL.Image  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"{what} needs Pillow, which is not installed: "
            '`pip install "scikit-recsys[images]"`, or `pip install pillow`.'
        ) from error


def are_paths(values):
    """Whether a sequence holds paths, and perhaps None in place of some."""
    return len(values) > 0 and (
        all(value is None or isinstance(value, str | os.PathLike) for value in values)
        and any(value is not None for value in values)
    )


def _pair(image_size):
    if image_size is None or isinstance(image_size, tuple):
        return image_size
    return (int(image_size), int(image_size))


def _checked_paths(source):
    if isinstance(source, str | os.PathLike) or not hasattr(source, "__len__"):
        raise ValueError(
            "Expected an array of pictures of shape (n, c, h, w), or a sequence of paths. Got "
            f"{type(source).__name__} ({source!r}); put a single path into a list."
        )
    source = list(source)
    if not are_paths(source):
        paths = (str, os.PathLike, type(None))
        wrong = next((value for value in source if not isinstance(value, paths)), None)
        raise ValueError(
            "Expected an array of pictures of shape (n, c, h, w), or a sequence of paths (None "
            f"for an item without a picture, at least one path). Got {len(source)} entries, "
            f"among them {wrong!r}; np.stack makes one array of pictures of one shape."
        )
    return [None if path is None else os.fspath(path) for path in source]


def _checked_array(array):
    if array.ndim != 4 or array.shape[1] not in (1, 3) or 0 in array.shape[2:]:
        moved = array.ndim == 4 and array.shape[3] in (1, 3)
        remedy = "transpose(0, 3, 1, 2) moves the channels" if moved else "drop other channels"
        raise ValueError(
            "Pictures must have the shape (n, c, h, w) with c = 1 or c = 3 channels and at least "
            f"one pixel. Got shape {array.shape}; {remedy}."
        )
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind != "f":
        raise ValueError(
            "Pictures must be bytes from 0 to 255 (uint8) or floats from 0 to 1. Got dtype "
            f"{array.dtype}; use astype(numpy.uint8) if the values are bytes."
        )
    for start in range(0, len(array), _CHUNK):
        part = array[start : start + _CHUNK]
        if not (np.isfinite(part).all() and part.min() >= 0 and part.max() <= 1):
            raise ValueError(
                "Pictures of floats must be finite and from 0 to 1. Got values from "
                f"{part.min():g} to {part.max():g}; divide bytes by 255, and pass zeros for an "
                "item without a picture."
            )
    return array


def _bytes(pictures):
    return pictures if pictures.dtype == np.uint8 else np.rint(pictures * 255).astype(np.uint8)


def _read(path, size):
    """A file as uint8 of shape (3, h, w); size None: its own."""
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as picture:
            if size is not None:
                picture.draft("RGB", (_DECODED * size[1], _DECODED * size[0]))
            return _resized(_channels(_rgb(ImageOps.exif_transpose(picture))), size)
    except FileNotFoundError as error:
        raise ValueError(
            f"There is no picture {path!r}. Pass None for an item without a picture."
        ) from error
    except Exception as error:  # the exception of Pillow depends on the kind of the broken file
        raise ValueError(f"The picture {path!r} cannot be read: {error}") from error


def _rgb(picture):
    """An image of Pillow as bytes in RGB, on white where it is transparent."""
    from PIL import Image

    if picture.mode.startswith(("I", "F")):  # Pillow would clip them to bytes
        raise ValueError(f"its pixels are no bytes (mode {picture.mode!r}); convert them first")
    if picture.has_transparency_data:
        over = picture.convert("RGBA")
        picture = Image.new("RGBA", over.size, "white")
        picture.alpha_composite(over)
    return picture.convert("RGB")


def _channels(picture):
    return np.ascontiguousarray(np.asarray(picture).transpose(2, 0, 1))


def _resized(pixels, size):
    """Pixels, uint8 of shape (3, h, w), of another size."""
    if size is None or pixels.shape[1:] == size:
        return pixels
    from PIL import Image

    picture = Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    return _channels(picture.resize(size[::-1], Image.Resampling.BICUBIC))
