"""The core of evaluation: held-out entries, one value per user and metric, and means.

The estimators' ``score``, the metrics and the splits use it; it knows no estimator.
"""
