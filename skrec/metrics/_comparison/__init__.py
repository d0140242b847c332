"""Several models on one split: tune, measure and test them, and show the results."""
