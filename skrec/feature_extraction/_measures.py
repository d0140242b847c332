"""Measures of one picture without a network."""

import numpy as np
from scipy.ndimage import uniform_filter

# Weights of red, green and blue in the luminance (ITU-R BT.709), as in scikit-image's rgb2gray.
_LUMINANCE = np.array([0.2125, 0.7154, 0.0721])
_N_PATTERNS = 59
# Lowest and highest hue in degrees, and mean and deviation of the natural saturation.
_NATURAL = (
    (25, 70, 0.76, 0.52),  # skin
    (95, 135, 0.81, 0.53),  # grass
    (185, 260, 0.43, 0.22),  # sky
)
ATTRACTIVENESS = (
    "brightness", "saturation", "sharpness", "entropy", "contrast", "colourfulness",
    "naturalness",
)  # fmt: skip


def check_scikit_image(caller):
    """Raise an ImportError with the command to install scikit-image, if it is missing."""
    try:
        import skimage  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"{caller} needs scikit-image, which is not installed: "
            '`pip install "scikit-recsys[images]"`, or `pip install scikit-image`.'
        ) from error


def grey(picture):
    """Luminance of a picture, uint8 of shape (3, h, w), from 0 to 1."""
    return np.tensordot(_LUMINANCE, picture, axes=1) / 255


def levels(luminance):
    """Round to the nearest of 256 levels."""
    return np.rint(luminance * 255).astype(np.uint8)


def pattern_histogram(luminance):
    """Shares of the 59 uniform local binary patterns; pixels at the edge do not count."""
    from skimage.feature import local_binary_pattern

    if min(luminance.shape) < 3:
        return np.zeros(_N_PATTERNS)
    patterns = local_binary_pattern(levels(luminance), 8, 1, method="nri_uniform")
    inner = patterns[1:-1, 1:-1].astype(np.intp).ravel()
    return np.bincount(inner, minlength=_N_PATTERNS) / len(inner)


def attractiveness(picture, luminance):
    """The seven measures, in the order of `ATTRACTIVENESS`."""
    from skimage.color import rgb2hsv
    from skimage.measure import shannon_entropy

    channels = picture / 255
    hue, saturation, _ = np.moveaxis(rgb2hsv(np.moveaxis(channels, 0, -1)), -1, 0)
    return np.array(
        [
            luminance.mean(),
            saturation.mean(),
            sharpness(luminance),
            shannon_entropy(levels(luminance), base=2),
            # Exactly zero for a constant picture, whose rounded mean need not be the constant.
            (luminance - luminance.flat[0]).std(),
            colourfulness(channels),
            naturalness(channels, 360 * hue),
        ]
    )


def sharpness(luminance):
    """Mean of the absolute Laplacian over the mean of the 3 x 3 pixels around."""
    from skimage.filters import laplace

    around = uniform_filter(luminance, 3)
    edges = np.abs(laplace(luminance))
    # Black pixels among black ones have no edges.
    return np.divide(edges, around, out=np.zeros_like(edges), where=around > 1e-9).mean()


def colourfulness(channels):
    """Hasler and Suesstrunk's colourfulness, for channels from 0 to 1."""
    red, green, blue = channels
    opponents = (red - green, (red + green) / 2 - blue)
    spread = np.sqrt(sum((one - one.flat[0]).var() for one in opponents))
    return spread + 0.3 * np.sqrt(sum(one.mean() ** 2 for one in opponents))


def naturalness(channels, hue):
    """How natural the saturation of skin, grass and sky is, weighted by their shares."""
    most, least = channels.max(axis=0), channels.min(axis=0)
    lightness = (most + least) / 2
    room = 1 - np.abs(2 * lightness - 1)
    saturation = np.divide(most - least, room, out=np.zeros_like(room), where=room > 0)
    used = (lightness >= 0.2) & (lightness <= 0.8) & (saturation > 0.1)
    total = 0.0
    for low, high, mean, deviation in _NATURAL:
        group = used & (hue >= low) & (hue <= high)
        if group.any():
            distance = (saturation[group].mean() - mean) / deviation
            total += group.mean() * np.exp(-0.5 * distance**2)
    return total
