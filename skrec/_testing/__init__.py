"""The checks behind `skrec.utils.estimator_checks`, one module for each concern."""
