"""Displays of evaluations, which import matplotlib only when they draw."""
