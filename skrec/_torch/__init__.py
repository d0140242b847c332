"""Shared parts of the neural estimators: sparse batches, layers, schedules, the fit loop.

Its modules import torch.
"""
