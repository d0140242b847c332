"""Features of pictures without a network: local binary patterns and attractiveness."""

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from skrec.feature_extraction._measures import (
    ATTRACTIVENESS,
    attractiveness,
    check_scikit_image,
    grey,
    pattern_histogram,
)
from skrec.feature_extraction._options import of_items
from skrec.utils._images import IMAGE_SIZE, Images
from skrec.utils._parallel import run_ranges
from skrec.utils._params import NONE, Options, check_parameters

_NAMES = {
    "lbp": [f"lbp_{i}" for i in range(59)],
    "attractiveness": list(ATTRACTIVENESS),
}
_NAMES["all"] = _NAMES["lbp"] + _NAMES["attractiveness"]


class VisualStatistics(TransformerMixin, BaseEstimator):
    r"""Texture and attractiveness of pictures: 66 numbers without a network.

    "lbp" is the histogram of the 59 uniform local binary patterns [1]_. The pattern of a pixel
    says which of the 8 points around it, at distance 1, are at least as light as the pixel. 58 of
    the 256 patterns change at most twice on the way around; all others share the last bin.

    "attractiveness" holds seven measures of how much people like a photograph [2]_. With the
    luminance I and the channels R, G and B of a pixel, all from 0 to 1:

    - brightness: the mean of I;
    - saturation: the mean of (max - min) / max of the channels;
    - sharpness: the mean of :math:`|\nabla^2 I|` over the mean of I in the 3 x 3 pixels around;
    - entropy: of the histogram of 256 grey levels, in bits;
    - contrast: the standard deviation of I;
    - colourfulness [3]_: :math:`\sqrt{\sigma_{rg}^2 + \sigma_{yb}^2}
      + 0.3 \sqrt{\mu_{rg}^2 + \mu_{yb}^2}` with rg = R - G and yb = (R + G) / 2 - B;
    - naturalness: :math:`\sum_c \omega_c \exp(-(S_c - \mu_c)^2 / 2 \sigma_c^2)` over pixels with
      the hue of skin (25 to 70 degrees, mean .76, deviation .52), grass (95 to 135, .81, .53) and
      sky (185 to 260, .43, .22), where S is their mean saturation and :math:`\omega` their share of
      the picture. Hue, saturation and lightness are as in HSL; pixels with a lightness from .2
      to .8 and a saturation above .1 count.

    Parameters
    ----------
    statistics : {"all", "lbp", "attractiveness"}, default="all"
        Which features to compute.
    image_size : int, (int, int) or None, default=None
        Height and width to resize pictures to first; one number for both. None: no resizing.
        Sharpness and patterns depend on the size.
    n_jobs : int or None, default=None
        Number of threads; None: all cores. It does not change the result.

    See Also
    --------
    ImageEmbedder : Features by a network.
    skrec.content.VisRank : Recommends by similarity of features.

    Notes
    -----
    `fit` learns nothing and only checks the parameters. The columns have different units: scale
    them, for example with `~sklearn.preprocessing.StandardScaler`. The row of an all-zero picture,
    or of None instead of a path, is zero, which means that nothing is known of the item.

    scikit-image computes the patterns, the Laplacian, the entropy and the conversion to HSV, and
    Pillow reads files. Install both with ``pip install "scikit-recsys[images]"``. The patterns'
    points on the diagonals are interpolated between pixels.

    Differs from [2]_: the weights of naturalness are shares of the whole picture, so they go to
    zero with the number of counted pixels; and the standard deviation divides by n, not n - 1.

    References
    ----------
    .. [1] T. Ojala, M. Pietikainen and T. Maenpaa, "Multiresolution gray-scale and rotation
       invariant texture classification with local binary patterns", IEEE Transactions on Pattern
       Analysis and Machine Intelligence 24(7), 2002.
    .. [2] J. San Pedro and S. Siersdorfer, "Ranking and classifying attractiveness of photos in
       folksonomies", WWW 2009.
    .. [3] D. Hasler and S. Suesstrunk, "Measuring colorfulness in natural images", Human Vision and
       Electronic Imaging 2003.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.feature_extraction import VisualStatistics
    >>> pictures = np.random.default_rng(0).random((4, 3, 16, 16))
    >>> F = VisualStatistics().fit_transform(pictures)  # doctest: +SKIP
    >>> F.shape  # doctest: +SKIP
    (4, 66)
    >>> list(VisualStatistics("attractiveness").get_feature_names_out()[:3])
    ['brightness', 'saturation', 'sharpness']
    """

    def __init__(self, statistics="all", *, image_size=None, n_jobs=None):
        self.statistics = statistics
        self.image_size = image_size
        self.n_jobs = n_jobs

    def __sklearn_tags__(self):
        return of_items(super().__sklearn_tags__(), requires_fit=False)

    def fit(self, X, y=None):
        """Check the parameters; there is nothing to learn.

        Parameters
        ----------
        X : ndarray of shape (n_items, c, h, w), or sequence of paths of length n_items
            Ignored.
        y : ignored
            Present for scikit-learn's conventions.

        Returns
        -------
        self : VisualStatistics
            The transformer itself.
        """
        self._check()
        return self

    def _check(self):
        rules = {"statistics": Options(tuple(_NAMES)), "image_size": (NONE, IMAGE_SIZE)}
        check_parameters(self, rules)

    def transform(self, X):
        """Measure pictures.

        Parameters
        ----------
        X : ndarray of shape (n_items, c, h, w), or sequence of str or path-like of length n_items
            Bytes from 0 to 255 or floats from 0 to 1, grey (c = 1) or RGB (c = 3); or files, with
            None for an item without a picture.

        Returns
        -------
        features : ndarray of float64 of shape (n_items, n_features)
            59 shares of patterns, then the seven measures; or only those that `statistics` names.

        Raises
        ------
        ImportError
            If scikit-image is missing, or if Pillow is missing and must read or resize pictures.
        ValueError
            If a parameter or the pictures are not valid. The error names a missing or broken file
            before any picture is measured.
        """
        self._check()
        check_scikit_image("VisualStatistics")
        images = Images(X, self.image_size, n_jobs=self.n_jobs)
        features = np.zeros((len(images), len(_NAMES[self.statistics])))

        def measure(start, stop):
            for i in range(start, stop):
                picture = images.one(i)
                if picture.any():
                    features[i] = self._row(picture)

        run_ranges(measure, len(images), n_jobs=self.n_jobs)
        return features

    def _row(self, picture):
        luminance = grey(picture)
        parts = []
        if self.statistics != "attractiveness":
            parts.append(pattern_histogram(luminance))
        if self.statistics != "lbp":
            parts.append(attractiveness(picture, luminance))
        return np.concatenate(parts)

    def get_feature_names_out(self, input_features=None):
        """Return the names of the columns.

        Parameters
        ----------
        input_features : ignored, default=None
            Present for scikit-learn's conventions.

        Returns
        -------
        names : ndarray of object of shape (n_features,)
            "lbp_0" to "lbp_58", then the names of the measures.
        """
        self._check()
        return np.array(_NAMES[self.statistics], dtype=object)
