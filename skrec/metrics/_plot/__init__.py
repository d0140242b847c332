"""Displays of evaluations; matplotlib is imported only when something is drawn."""
