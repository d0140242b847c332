"""Valid options of the neighbour models, alone and in combination."""

from skrec.utils._params import NON_NEGATIVE, NONE, POSITIVE, POSITIVE_INTEGER, Options

METRICS = ("cosine", "asymmetric_cosine", "adjusted_cosine", "pearson", "jaccard")

# None: features alone.
FEATURE_WEIGHT = (NONE, POSITIVE)

# The name of the exponent differs between the models, so each adds its own rule.
SHARED_RULES = {
    "n_neighbors": (NONE, POSITIVE_INTEGER),
    "metric": Options(METRICS),
    "shrinkage": NON_NEGATIVE,
    "source_exponent": NON_NEGATIVE,
    "target_exponent": NON_NEGATIVE,
    "weighting": Options((None, "tfidf", "bm25")),
    "feedback": Options(("implicit", "rating")),
    "deviation": Options(("auto", None, "item", "user", "both")),
    "damping": NON_NEGATIVE,
}


def interaction_weighting(model):
    """How values of X are weighed: `weighting`, or its choice if it is "auto".

    Parameters
    ----------
    model : ItemKNN or UserKNN

    Returns
    -------
    weighting : {None, "tfidf", "bm25"}
    """
    if model.weighting != "auto":
        return model.weighting
    return "tfidf" if model.feedback == "implicit" and model.metric != "jaccard" else None


def norm_exponent(model, side, *, alone=False):
    """The power of the norm in the denominator of "asymmetric_cosine".

    Parameters
    ----------
    model : ItemKNN or UserKNN
    side : {"target", "source"}
    alone : bool, default=False
        Whether features replace the interactions.

    Returns
    -------
    exponent : float
        The parameter's value, or its choice if it is "auto".
    """
    exponent = getattr(model, f"{side}_exponent")
    if exponent != "auto":
        return exponent
    return 1.0 if alone else 0.7


def feature_weighting(model):
    """How the values of features are weighed that replace the interactions."""
    return None if model.weighting == "auto" else model.weighting


def rating_deviation(model):
    """The baseline that is subtracted from ratings: `deviation`, or its choice if it is "auto".

    Parameters
    ----------
    model : ItemKNN or UserKNN

    Returns
    -------
    deviation : {None, "item", "user", "both"}
        None with implicit feedback.
    """
    if model.deviation != "auto":
        return model.deviation
    return "both" if model.feedback == "rating" else None


def check_combination(model):
    """Raise a ValueError if two options contradict each other.

    Parameters
    ----------
    model : ItemKNN or UserKNN
    """
    name = type(model).__name__
    if model.weighting not in (None, "auto") and model.feedback == "rating":
        raise ValueError(
            f"{name}: weighting={model.weighting!r} weighs counts, and ratings are no counts. Use "
            "weighting=None with feedback='rating', or feedback='implicit'."
        )
    if model.weighting not in (None, "auto") and model.metric == "jaccard":
        raise ValueError(
            f"{name}: metric='jaccard' does not look at values, so weighting={model.weighting!r} "
            "has no effect. Use weighting=None, or another metric."
        )
    if rating_deviation(model) is not None and model.feedback == "implicit":
        raise ValueError(
            f"{name}: deviation={model.deviation!r} is for ratings. Use deviation='auto' with "
            "feedback='implicit', or feedback='rating'."
        )


def forget(model, names):
    """Delete attributes that an earlier fit with other options left behind.

    Parameters
    ----------
    model : ItemKNN or UserKNN
    names : tuple of str
        Fitted attributes that not every fit sets.
    """
    for name in names:
        if hasattr(model, name):
            delattr(model, name)
