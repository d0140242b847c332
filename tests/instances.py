"""What the common checks run on: small instances, and for variants what may differ from the class.

One rule for all, so that a new estimator is quick too.
"""

import inspect

import pytest
from sklearn.utils.estimator_checks import estimator_checks_generator

# Sizes that a check of the contract does not need larger. Defaults below them stay.
_SMALL = {
    "hidden_layer_sizes": (8,),
    "max_iter": 5,
    "n_components": 4,
    "n_estimators": 3,
    "n_prior_components": 5,
    "pretraining_max_iter": 2,
    "user_layer_sizes": (6,),
}

# What the signature of a class, base.py or scikit-learn answers, and not the code that a parameter
# chooses: another variant of the same class gives the same answer.
SAME_FOR_VARIANTS = {
    "check_array_api_input",
    "check_complex_data",
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_dtype_object",
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_sparse_array",
    "check_estimator_sparse_matrix",
    "check_estimator_sparse_tag",
    "check_estimator_tags_renamed",
    "check_estimators_empty_data_messages",
    "check_estimators_nan_inf",
    "check_estimators_unfitted",
    "check_fit1d",
    "check_fit2d_predict1d",
    "check_fit_non_negative",
    "check_fit_score_takes_y",
    "check_get_params_invariance",
    "check_mixin_order",
    "check_n_features_in",
    "check_n_features_in_after_fitting",
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_positive_only_tag_during_fit",
    "check_sample_weights_list",
    "check_sample_weights_not_an_array",
    "check_sample_weights_pandas_series",
    "check_sample_weights_shape",
    "check_set_params",
    "check_transformer_data_not_an_array",
    "check_transformers_unfitted",
    "check_valid_tag_types",
}
OUR_CHECKS_SAME_FOR_VARIANTS = [
    "check_clone",
    "check_dataframe",
    "check_input_kinds",
    "check_workers",
    "check_wrong_arguments",
    "check_wrong_hyper_parameters",
    "check_wrong_inputs",
]


def small(cls, **options):
    """An instance of a recommender, with few and short fits where the class has a say in that.

    Parameters
    ----------
    cls : type
    **options
        Parameters of the instance; they are taken as they are.

    Returns
    -------
    estimator : instance of cls
        At its defaults otherwise. `max_iter` is only lowered for a class with a
        `random_state`: it counts epochs or sweeps there, and elsewhere bounds a solver that
        stops by itself.
    """
    defaults = {name: p.default for name, p in inspect.signature(cls).parameters.items()}
    sizes = {
        name: size if defaults[name] == "auto" else min(size, defaults[name], key=_sort_key)
        for name, size in _SMALL.items()
        if defaults.get(name) is not None
    }
    if "random_state" not in defaults:
        sizes.pop("max_iter", None)
    return cls(**(sizes | options))


def _sort_key(size):
    return (len(size), size) if isinstance(size, tuple) else size


def name_of(check):
    """The name of one of scikit-learn's checks."""
    return getattr(check, "func", check).__name__


def scikit_learn_checks(estimators, *, variants=False):
    """Parameters of tests: each estimator with each of scikit-learn's checks.

    Parameters
    ----------
    estimators : list of estimator
    variants : bool, default=False
        Whether all checks run on another instance of the same class: those that would say
        the same are left out, and the others are slow tests.

    Returns
    -------
    cases : list of ParameterSet
        Estimator and check.
    """
    cases = []
    for original in estimators:
        for estimator, check in estimator_checks_generator(original):
            if variants and name_of(check) in SAME_FOR_VARIANTS:
                continue
            options = [f"{key}={value}" for key, value in check.keywords.items()]
            name = ",".join([name_of(check), *options])
            marks = pytest.mark.slow if variants else ()
            cases.append(pytest.param(estimator, check, id=f"{original}-{name}", marks=marks))
    return cases
