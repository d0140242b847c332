"""Pretraining of networks; a `StackedNet` learns layer by layer (Vincent et al. 2010)."""

import torch
from torch import nn
from torch.nn import functional

from skrec._torch._epochs import diverged
from skrec._torch._fit_loop import fit_loop
from skrec._torch._layers import full_precision
from skrec._torch._optimizers import split_penalty


def pretrain(module, batches, loss, *, alpha, learning_rate, n_epochs):
    """Train a module by its own loss, before the first epoch of the model.

    Parameters
    ----------
    module : nn.Module
    batches : iterable
    loss : callable
        ``loss(batch)`` returns the mean loss of a batch.
    alpha : float
        Adam's penalty of the module's weights.
    learning_rate : float
    n_epochs : int

    Returns
    -------
    losses : list of float
        Mean loss of each epoch.

    Raises
    ------
    ValueError
        If a loss is not finite.
    KeyboardInterrupt
        If interrupted: there is no model of a whole epoch yet.
    """
    optimizer = torch.optim.Adam(split_penalty(module, alpha), lr=learning_rate, fused=True)
    epochs = range(1, n_epochs + 1)
    try:
        history = fit_loop(
            module, optimizer, batches, lambda batch, step: loss(batch), epochs=epochs
        )
    except FloatingPointError as error:
        raise diverged(error, learning_rate) from error
    if history.interrupted:
        raise KeyboardInterrupt
    return history.losses


def layer_pair(module, level):
    """Layer `level` of a `StackedNet`'s encoder, from 0, and its mirror image in the decoder."""
    encoder = module.encoder[level - 1] if level else module.first
    return nn.ModuleList([encoder, module.decoder[-1 - level]])


def code_errors(module, level, code, noisy):
    """Squared errors of a further layer that reconstructs the codes it reads, shape (n_rows,).

    Parameters
    ----------
    module : StackedNet
    level : int
        Number of the encoder's layer, from 1.
    code : float tensor of shape (n_rows, h)
    noisy : float tensor of shape (n_rows, h)
        The code with noise, which the layer reads.
    """
    hidden = module.activation(module.encoder[level - 1](noisy))
    layer = len(module.decoder) - 1 - level
    outputs = functional.linear(hidden, module.decoder_weight(layer), module.decoder[layer].bias)
    return (module.activation(full_precision(outputs)) - code).square().sum(1)
