"""Parameters and tags that the transformers share."""

import numpy as np

from skrec.utils._params import Interval


def of_items(tags, *, requires_fit=True):
    """Tags of a transformer whose input is a sequence of pictures or texts, not a table."""
    tags.input_tags.two_d_array = False
    tags.target_tags.required = False
    tags.requires_fit = requires_fit
    return tags


class _Callable:
    """Rule of a parameter: a callable that is not a class."""

    def __contains__(self, value):
        return callable(value) and not isinstance(value, type)

    def __str__(self):
        return "a callable (not a class)"


CALLABLE = _Callable()


def checked_output(found, n, width, name):
    """Check a callable's result for n items: a table of finite floats; width None: any."""
    if found.dtype.kind not in "biuf" or found.ndim < 2 or len(found) != n:
        raise ValueError(
            f"{name} must return numbers of shape ({n}, d) for {n} items. Got shape {found.shape} "
            f"and dtype {found.dtype}."
        )
    table = found.reshape(n, -1)
    table = table if table.dtype in (np.float32, np.float64) else table.astype(np.float64)
    if width is not None and table.shape[1] != width:
        raise ValueError(
            f"{name} must return as many features as in fit. Got {table.shape[1]}, expected "
            f"{width} (n_features_out_)."
        )
    if not np.isfinite(table).all():
        raise ValueError(
            f"{name} must return finite numbers. Got NaN or infinity; float16 overflows easily, "
            "compute in float32."
        )
    return table


class _Channels:
    """Rule of a parameter: a number, or a tuple or list of three."""

    def __contains__(self, value):
        values = value if isinstance(value, tuple | list) else [value] * 3
        return len(values) == 3 and all(one in _NUMBER for one in values)

    def __str__(self):
        return "a number, or a tuple of 3 numbers, one for each channel"


_NUMBER = Interval()
CHANNELS = _Channels()
