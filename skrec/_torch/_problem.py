"""The data of a neural fit, in one immutable object for the hooks."""

from typing import NamedTuple

import numpy as np
import torch
from scipy.sparse import csr_array

from skrec._evaluation._entries import select_entries
from skrec._torch._place import noise_generator
from skrec.utils._validation import check_sample_weight


class Problem(NamedTuple):
    """The data of a fit, with its device and generators.

    Attributes
    ----------
    X : csr_array of shape (n_users, n_items)
        The training data: canonical, without held-out users or entries.
    X_given : csr_array of shape (n_users, n_items)
        The whole rows of the same users; later rows are matched with their content.
    weight : ndarray of shape (n_users,) or None
        Weights of the users in the loss; None: all equal.
    item_features : ndarray or csr_array of shape (n_items, n_item_features), images, or None
    user_features : ndarray or csr_array of shape (n_users, n_user_features) or None
    context : ndarray or csr_array of shape (X.nnz, n_context_features) or None
        Row p belongs to ``X.data[p]``.
    device : torch.device
    generator : torch.Generator
        Always on the CPU: the source of all draws of the fit except noise.
    noise : torch.Generator
        Draws the noise of a step: `generator`, or on a GPU a separate one.
    """

    X: csr_array
    X_given: csr_array
    weight: np.ndarray | None
    item_features: object
    user_features: object
    context: object
    device: torch.device
    generator: torch.Generator
    noise: torch.Generator = None

    @property
    def seed(self):
        """The seed of the generator."""
        return self.generator.initial_seed()

    def transposed(self):
        """The same problem with items and users exchanged; weights stay as they are."""
        X = self.X.T.tocsr()
        return self._replace(X=X, X_given=X if self.X_given is self.X else self.X_given.T.tocsr())


class HeldOut(NamedTuple):
    """The part of X that early stopping holds out, and its score.

    Attributes
    ----------
    rows : ndarray of int of shape (n_kept_users,)
        Users to learn from.
    entries : ndarray of bool of shape (X.nnz,) or None
        Entries to learn from; None: all entries of the rows.
    score : callable
        ``score(module, problem)`` returns a float, higher is better.
    users : csr_array of shape (n_held_users, n_items) or None
        Held-out users; None: entries are held out.
    """

    rows: np.ndarray
    entries: np.ndarray | None
    score: object
    users: csr_array | None = None


def make_problem(X, weight, side, held_out, device, generator):
    """The `Problem` of a fit.

    Parameters
    ----------
    X : csr_array of shape (n_users, n_items)
        The X of `fit`, canonical.
    weight : array-like of shape (n_users,) or None
    side : SideInformation
        Checked, aligned with X.
    held_out : HeldOut or None
    device : torch.device
    generator : torch.Generator

    Raises
    ------
    ValueError
        If a weight is negative or not finite, or if all training users have weight 0.
    """
    given, weight = X, check_sample_weight(weight, X.shape[0], np.float64)
    users, context = side.user_features, side.context
    if held_out is not None and held_out.entries is not None:
        X = select_entries(X, held_out.entries)
        context = None if context is None else context[held_out.entries]
    elif held_out is not None:
        rows = held_out.rows
        if context is not None:
            entry = csr_array((np.arange(X.nnz), X.indices, X.indptr), shape=X.shape)
            context = context[entry[rows].data]
        X = given = X[rows]
        weight = None if weight is None else weight[rows]
        users = None if users is None else users[rows]
        if weight is not None and not weight.any():
            raise ValueError(
                "sample_weight is zero for every user to learn from: early stopping holds out the "
                "other users. Use early_stopping=False, or a smaller validation_fraction."
            )
    noise = noise_generator(generator, device)
    return Problem(X, given, weight, side.item_features, users, context, device, generator, noise)
