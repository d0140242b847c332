"""Numbers and parameters as text, for people."""

import math
import platform

import numpy as np
import scipy
import sklearn

from skrec._version import __version__


def format_seconds(seconds):
    """Format a duration for people: "0.042 s", "3.0 s", "42 s", "2 min 5 s"."""
    if math.isnan(seconds):
        return "?"
    if seconds < 99.5:
        return f"{seconds:.0f} s" if seconds >= 9.95 else f"{seconds:#.2g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def format_params(params):
    """Format parameters as Python code: ``alpha=100, dropout=0.3``."""
    return ", ".join(f"{name}={value!r}" for name, value in params.items())


def parameters_text(estimator):
    """The whole ``repr`` of an estimator on one line."""
    try:
        text = estimator.__repr__(N_CHAR_MAX=1_000_000)
    except TypeError:  # not scikit-learn's
        text = repr(estimator)
    return " ".join(text.split())


def versions_text():
    """Versions that figures depend on: "skrec 0.1.0, Python 3.11.7, numpy ..."."""
    return (
        f"skrec {__version__}, Python {platform.python_version()}, numpy {np.__version__}, "
        f"scipy {scipy.__version__}, scikit-learn {sklearn.__version__}"
    )
