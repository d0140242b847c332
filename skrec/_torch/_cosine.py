"""The cosine contrastive loss of learned vectors: MF-CCL (Mao et al. 2021)."""

from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional

from skrec._loss._shared_negatives import Shared, cosine_contrastive, unit
from skrec._torch._learned_users import PAIR_RULES
from skrec._torch._newton import minimise_rows
from skrec._torch._pairs import Pairs, ShuffledPairs
from skrec._torch._rows import DeviceRows, Rows
from skrec._torch._shared_negatives import SharedNegatives, seen_places
from skrec.utils._params import NON_NEGATIVE, Interval, Options
from skrec.utils._state_torch import torch_state

COSINE = "cosine_contrastive"
# Parameter rules of a class with this loss and the pair losses.
COSINE_RULES = {
    "loss": Options((*PAIR_RULES["loss"].values, COSINE)),
    "margin": Interval(0, 1, closed="left"),
    "negative_weight": NON_NEGATIVE,
}


class SharedPairs(NamedTuple):
    """Interactions, the rows of their users, and negatives for all of them.

    Attributes
    ----------
    pairs : Pairs
        Pairs without negatives of their own.
    rows : Rows
        Row r belongs to the user of pair r.
    shared : Shared
    """

    pairs: Pairs
    rows: Rows
    shared: Shared

    @property
    def n_rows(self):
        """Number of interactions."""
        return self.pairs.n_rows


class ShuffledSharedPairs:
    """Batches of all interactions in a new order for each pass, each with new negatives.

    Parameters
    ----------
    problem : Problem
    batch_size : int
        Interactions in a batch.
    n_negatives : int
        Draws for a batch.
    """

    def __init__(self, problem, batch_size, n_negatives):
        X = problem.X
        self._pairs = ShuffledPairs(problem, batch_size, 0)
        self._rows = DeviceRows(X, problem.device)
        popularity = np.bincount(X.indices, minlength=X.shape[1])
        self._negatives = SharedNegatives(
            popularity, n_negatives, False, problem.device, problem.generator
        )

    def __len__(self):
        return len(self._pairs)

    def __iter__(self):
        for pairs in self._pairs:
            yield SharedPairs(pairs, self._rows[pairs.users], self._negatives())


class CosineContrastiveMixin:
    """``loss="cosine_contrastive"`` for a `FactorRecommender`; place it left of the class.

    The class has the parameters `margin` and `negative_weight`, and `COSINE_RULES`. Scores are
    cosines: the kept item vectors have length 1, and biases are zero. All interactions of a batch
    share its negatives.
    """

    @property
    def _is_cosine(self):
        return self.loss == COSINE

    def _vectors_of(self, module, item):
        """The q of some items, shape (n, d)."""
        return functional.embedding(item, self._item_vectors(module)[0])

    def _batches(self, problem):
        if not self._is_cosine:
            return super()._batches(problem)
        return ShuffledSharedPairs(problem, self.batch_size, self.n_negatives)

    def _loss(self, module, batch, step, generator):
        if not self._is_cosine:
            return super()._loss(module, batch, step, generator)
        pairs, rows, shared = batch
        vector = module.user(pairs.users)
        own, others = (self._vectors_of(module, i) for i in (pairs.items, shared.items))
        row = torch.arange(len(vector), device=vector.device)
        weight = pairs.weight / max(1, len(vector))
        value = cosine_contrastive(
            vector, own, others, row, seen_places(rows, shared), row, weight,
            margin=self.margin, negative_weight=self.negative_weight,
        )  # fmt: skip
        if self.alpha:
            penalty = self._penalty(module, vector, pairs.items[:, None])
            value = value + self.alpha / 2 * (weight * penalty).sum()
        return value

    def _user_scorer(self, module):
        if not self._is_cosine:
            return super()._user_scorer(module)
        items = unit(self._item_vectors(module)[0])
        return lambda rows, vectors: unit(vectors) @ items.t()

    def _keep(self, module, problem):
        super()._keep(module, problem)
        if self._is_cosine:
            items = unit(torch.from_numpy(self.components_.T)).numpy()
            self.components_ = np.ascontiguousarray(items.T)
            self.item_bias_ = np.zeros_like(self.item_bias_)

    @property
    def _is_penalised(self):
        # Lengths are free: untaught users get the mean direction, not zero.
        return not self._is_cosine and super()._is_penalised

    def _vectors(self, X, *, known_users=None):
        vectors = super()._vectors(X, known_users=known_users)
        return unit(torch.from_numpy(vectors)).numpy() if self._is_cosine else vectors

    def _resumed_state(self, problem):
        state = super()._resumed_state(problem)
        if self._is_cosine:  # with their lengths, which decide how far a step turns them
            vectors = super()._vectors(problem.X_given, known_users="match")
            state["user.weight"] = vectors.astype(np.float32)
        return state

    @torch_state()
    def _fold_in(self, X, hashes):
        if not self._is_cosine:
            return super()._fold_in(X, hashes)
        device = self._scoring_device(X.shape[0])
        items = torch.from_numpy(self.components_.T.astype(np.float64)).to(device)
        length = float(np.linalg.norm(self.user_factors_, axis=1).mean()) or 1.0
        vectors = unit(torch.from_numpy(self.user_mean_).to(device)).repeat(X.shape[0], 1)

        def numbers(lengths):
            return items.shape[1] * (lengths + self._n_drawn + items.shape[1])

        for terms in self._terms(X, hashes, device, numbers):
            some = CosineRows(terms, items, self.margin, self.negative_weight)
            found = some.direction(minimise_rows(some.start, some.value, some.derivatives))
            vectors[terms.rows] = torch.where(some.taught[:, None], found, vectors[terms.rows])
        return (length * vectors).cpu().numpy()


class CosineRows:
    r"""The loss of each row by the direction of its vector, in a form for Newton's method.

    With unit vectors :math:`q` of items and :math:`a = \frac1n \sum_i q_i` of a row, the loss
    is :math:`f(x) = 1 - a x + \mu \, \mathrm{mean}_j \max(0, q_j x - m)` at a unit vector x. The
    class minimises, over vectors p of any length,

    .. math:: \frac{|a|}2 \|p\|^2 - a p + \mu \, \mathrm{mean}_j \max(0, q_j p - m \|p\|)

    This function and f are least in the same direction: along :math:`p = r x` it is
    :math:`r (f(x) - 1) + r^2 |a| / 2`, at best :math:`-(f(x) - 1)^2 / (2 |a|)`.
    """

    def __init__(self, terms, items, margin, negative_weight):
        total = terms.w.sum(1, keepdim=True).clamp(min=1)
        self._mean = (terms.w[:, None] @ items[terms.items])[:, 0] / total  # (n, d)
        self._size = self._mean.norm(dim=1)
        self._N = items[terms.negatives]  # (n, m, d)
        of_all = terms.v.sum(1, keepdim=True)
        self._v = negative_weight * terms.v / torch.where(of_all > 0, of_all, 1)
        self._margin = margin
        self.taught = self._size > 0
        self.start = unit(self._mean)

    def _excess(self, vectors):
        return (self._N @ vectors[:, :, None])[:, :, 0] - self._margin * vectors.norm(
            dim=1, keepdim=True
        )

    def value(self, vectors):
        """The function of each row, shape (n,)."""
        quadratic = self._size / 2 * vectors.square().sum(1) - (self._mean * vectors).sum(1)
        return quadratic + (self._v * self._excess(vectors).clamp(min=0)).sum(1)

    def derivatives(self, vectors):
        """Slopes, and Hessians with a parabola above each hinge, which touches the hinge."""
        excess = self._excess(vectors)
        away = self._N - self._margin * unit(vectors)[:, None]  # (n, m, d)
        slope = self._size[:, None] * vectors - self._mean
        slope = slope + ((self._v * (excess > 0))[:, None] @ away)[:, 0]
        curvature = 0.5 * self._v / excess.abs().clamp(min=1e-3)
        hessian = away.mT @ (curvature[:, :, None] * away)
        # 1 for rows that teach nothing: their slope is zero.
        hessian.diagonal(dim1=1, dim2=2).add_(torch.where(self.taught, self._size, 1)[:, None])
        return slope, hessian

    def direction(self, vectors):
        """Unit vectors; the direction of the row's mean if no other is better."""
        return torch.where((self.value(vectors) < 0)[:, None], unit(vectors), self.start)
