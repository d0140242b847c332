"""`partial_fit` after a `fit` that has kept no sums."""

import warnings


def forget_fit(model, learned, sums):
    """Drop what `fit` has learned, with a warning at the caller of `partial_fit`.

    Parameters
    ----------
    model : estimator
        Nothing happens to one that lacks the first of `learned`.
    learned : tuple of str
        Attributes that `fit` sets.
    sums : str
        What `partial_fit` adds up and `fit` does not keep, for the message.
    """
    if not hasattr(model, learned[0]):
        return
    warnings.warn(
        f"partial_fit begins anew: the users that this {type(model).__name__} was given by fit "
        f"are forgotten, since fit keeps no {sums}. To add users to them, give all of them to "
        "partial_fit, part after part.",
        stacklevel=4,  # this function, partial_fit, and the guard around it
    )
    for name in learned:
        vars(model).pop(name, None)
