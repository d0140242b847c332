"""Several models under one split: tuning, measuring, testing, and showing what came out."""
