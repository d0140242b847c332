"""Checks of parameters of functions."""

from skrec.utils._params import what_is_expected


def check_option(value, options, name):
    """Raise a ValueError if `value` is none of the `options`."""
    if not any(
        value is option or (isinstance(value, str) and value == option) for option in options
    ):
        raise ValueError(
            f"{name} must be {' or '.join(repr(option) for option in options)}. Got {value!r}."
        )


def check_rule(value, rule, name):
    """Raise a ValueError if `value` breaks a rule, or all of a tuple of rules.

    See `skrec.utils._params` for the rules.
    """
    rules = rule if isinstance(rule, tuple) else (rule,)
    if not any(value in allowed for allowed in rules):
        raise ValueError(f"{name} must be {what_is_expected(rules, value)}. Got {value!r}.")
