"""From a log to a matrix: columns, ids, repeated pairs. Used by datasets and preprocessing."""
