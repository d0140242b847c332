"""The checks of `skrec.utils.estimator_checks`, one module per concern."""
