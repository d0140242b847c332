"""The evaluating core: what is held out, one value per user and metric, and their mean.

The estimators' own ``score``, the metrics and the splits stand on it; it knows no estimator.
"""
