"""`partial_fit` after a `fit` that kept no sums."""

import warnings


def forget_fit(model, learned, sums):
    """Drop the attributes that `fit` set, and warn at the caller of `partial_fit`.

    Parameters
    ----------
    model : estimator
        Stays unchanged if it lacks the first of `learned`.
    learned : tuple of str
        Attributes that `fit` sets.
    sums : str
        Name, for the message, of the sums that `partial_fit` adds up and `fit` does not keep.
    """
    if not hasattr(model, learned[0]):
        return
    warnings.warn(
        f"partial_fit begins anew: this {type(model).__name__} forgets the users of its fit, "
        f"since fit keeps no {sums}. To add users, pass all of them to partial_fit, part after "
        "part.",
        stacklevel=4,  # this function, partial_fit, and the guard around it
    )
    for name in learned:
        vars(model).pop(name, None)
