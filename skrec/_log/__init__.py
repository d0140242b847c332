"""From a log to a matrix: columns, ids, repeated pairs; datasets and preprocessing stand on it."""
