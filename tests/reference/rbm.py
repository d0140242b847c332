"""Slow twin of RBMRecommender: a machine of softmax units and its likelihood, by enumeration."""

import itertools

import numpy as np


def states(n_units, n_levels, n_hidden):
    """All (levels, hidden) of a machine."""
    return [
        (np.array(V), np.array(h))
        for V in itertools.product(range(n_levels), repeat=n_units)
        for h in itertools.product((0.0, 1.0), repeat=n_hidden)
    ]


def energy(machine, units, V, h):
    """Of the levels V of some units, and hidden states."""
    weight, bias, hidden_bias, rated = machine
    total = -hidden_bias @ h
    for unit, k in zip(units, V, strict=True):
        total -= bias[unit, k] + weight[unit, k] @ h
        if len(rated):
            total -= rated[unit] @ h
    return total


def joint(machine, units):
    """States of a machine of some units, and their probabilities."""
    found = states(len(units), machine[1].shape[1], len(machine[2]))
    value = np.array([-energy(machine, units, V, h) for V, h in found])
    weight = np.exp(value - value.max())
    return found, weight / weight.sum()


def statistics(machine, units, found, probability):
    """Means of minus the derivatives of the energy, in the shapes of the parameters."""
    mean = [np.zeros(part.shape) for part in machine]
    for (V, h), p in zip(found, probability, strict=True):
        mean[2] += p * h
        for unit, k in zip(units, V, strict=True):
            mean[0][unit, k] += p * h
            mean[1][unit, k] += p
            if len(mean[3]):
                mean[3][unit] += p * h
    return mean


def given(machine, units, levels):
    """States with the levels of the data, and p(h | V)."""
    found, probability = joint(machine, units)
    shown = [np.array_equal(V, levels) for V, _ in found]
    probability = probability * shown
    return found, probability / probability.sum()


def log_likelihood(machine, units, levels):
    """log p(V) of an example."""
    found, probability = joint(machine, units)
    return float(np.log(sum(p for (V, _), p in zip(found, probability, strict=True)
                            if np.array_equal(V, levels))))  # fmt: skip


def gradient(machine, units, levels):
    """Of the log likelihood: statistics of the data less those of the model."""
    of_data = statistics(machine, units, *given(machine, units, levels))
    of_model = statistics(machine, units, *joint(machine, units))
    return [a - b for a, b in zip(of_data, of_model, strict=True)]


def unit_objective(inputs, levels, weight, bias, start_bias, alpha):
    """What a new softmax unit is set to the minimum of, and its gradients."""
    logits = inputs @ weight.T + bias
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    shown = np.eye(len(bias))[levels]
    value = -(shown * log_p).sum()
    value += alpha / 2 * ((weight**2).sum() + ((bias - start_bias) ** 2).sum())
    error = np.exp(log_p) - shown
    return value, error.T @ inputs + alpha * weight, error.sum(0) + alpha * (bias - start_bias)
