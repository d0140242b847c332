"""The options of a service."""

from skrec.utils._params import Interval, Options, what_is_expected

RULES = {
    "max_k": Interval(1, integer=True),
    "max_body": Interval(1, integer=True),
    # A week: threads wait for no longer than some weeks on every system.
    "reload_seconds": Interval(0, 7 * 24 * 3600, closed="right"),
    "port": Interval(0, 65535, integer=True),
    "workers": Interval(1, integer=True),
    "log_level": Options(("debug", "info", "warning", "error")),
}


def check_options(options):
    """Raise a ValueError for the first option that is not valid.

    Parameters
    ----------
    options : dict of str to object
        By the names of `RULES`.
    """
    for name, value in options.items():
        if value not in RULES[name]:
            expected = what_is_expected((RULES[name],), value)
            raise ValueError(f"{name} must be {expected}. Got {value!r} ({type(value).__name__}).")
