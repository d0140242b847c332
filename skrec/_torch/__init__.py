"""What the neural estimators share: sparse batches, layers, schedules, the fit loop.

Imports torch; only modules that have begun to compute import it.
"""
