"""Base classes of models that learn a vector for each training user, from sampled pairs."""

from abc import abstractmethod

import numpy as np
import torch

from skrec._factors import SimilarItemsMixin, factor_pairs, factor_scores
from skrec._loss._pairs import PAIR_LOSSES
from skrec._torch._estimator import HOOKS, TORCH_RULES, TorchRecommender
from skrec._torch._fold_in import N_DRAWS, terms_of_rows
from skrec._torch._held_entries import hold_out_entries
from skrec._torch._newton import minimise_rows
from skrec._torch._optimizers import SparseAndDenseAdam
from skrec._torch._pairs import ShuffledPairs
from skrec._torch._place import sent_array
from skrec._torch._rows import DeviceRows
from skrec._torch._weights import Weights
from skrec.utils._call import built_once
from skrec.utils._device import resolve_device
from skrec.utils._fitted import SEED, Array, required_if
from skrec.utils._hashing import keyed_negatives
from skrec.utils._known_users import KNOWN_USERS, LearnedUsersMixin
from skrec.utils._params import NON_NEGATIVE, POSITIVE_INTEGER, Options
from skrec.utils._products import FEW_ROWS
from skrec.utils._sparse import has_users
from skrec.utils._state_torch import torch_state

# Parameter rules of every model of sampled pairs; a class adds its own.
PAIR_RULES = {
    "loss": Options(tuple(PAIR_LOSSES)),
    "n_negatives": POSITIVE_INTEGER,
    "alpha": NON_NEGATIVE,
    "known_users": KNOWN_USERS,
    "solver": Options(("adam", "sparse_adam")),
    **{name: rule for name, rule in TORCH_RULES.items() if name != "precision"},
}
# A class over `LearnedUserRecommender`, or over `FactorRecommender`, may override these.
LEARNED_USER_HOOKS = (
    *HOOKS, "_solver", "_penalty", "_user_penalty", "_user_vectors", "_user_scorer", "_fold_in",
    "_outputs", "_of_rows", "_numbers_of_pair",
)  # fmt: skip
FACTOR_HOOKS = (*LEARNED_USER_HOOKS, "_item_vectors")

# Outputs of the network that scoring computes at once.
_N_OUTPUTS = 2**18
# Steps of Adam on the vectors of users folded in through a network.
FOLD_IN_STEPS, FOLD_IN_RATE = 50, 0.1


class LearnedUserRecommender(LearnedUsersMixin, TorchRecommender):
    """A recommender whose module scores a vector learned for the user against items.

    A subclass writes `__init__` with `loss`, `n_negatives`, `alpha`, `known_users` and
    `solver` among its parameters, `_parameter_rules` (its own and `PAIR_RULES`) and
    `_build_module`. The module has ``user``, an embedding of all that belongs to a user, and
    ``forward(vector, item)`` with vectors (n, d) and items (n, m), which returns outputs
    (n, m). This class does the rest: pairs as batches, entries held out for early stopping, users
    matched by the content of their rows, other users folded in, scores in chunks.

    `fit` minimises the mean over the interactions (u, i), each with `n_negatives` items j drawn
    anew in each epoch, of a loss of `PAIR_LOSSES` plus alpha / 2 times `_penalty`.
    """

    _fitted_rules = {
        "weights_": Weights(without=("user.weight",)),
        "seed_": SEED,
        "user_factors_": Array("n_users", "n_components", dtypes=("float32",)),
        **{
            name: required_if(lambda self: self._learns_from_pairs, rule)
            for name, rule in {
                "item_has_users_": Array("n_items", dtypes=("bool",)),
                "user_mean_": Array("n_components"),
                "user_precision_": Array("n_components", "n_components"),
            }.items()
        },
    }
    # Value for classes without this parameter.
    solver = "adam"
    # Without a penalty, many vectors fit a short row equally well, or fit it better the longer they
    # are, and training stops long before. Folded-in users then get a normal prior with the mean
    # and the covariance of the learned vectors. A class with other batches has no prior.
    _learns_from_pairs = True
    # A network scores each pair of a user and an item, which costs more than to send the weights.
    _few_rows = -1
    # Negatives drawn for each folded-in row.
    _n_drawn = N_DRAWS

    def _batches(self, problem):
        return ShuffledPairs(problem, self.batch_size, self.n_negatives)

    def _loss(self, module, batch, step, generator):
        vector = module.user(batch.users)
        item = torch.cat([batch.items[:, None], batch.negatives], dim=1)
        output = self._outputs(module, batch, vector, item, generator)  # (b, 1 + n_negatives)
        one = torch.ones_like(output)
        losses = PAIR_LOSSES[self.loss].value(output[:, :1], output[:, 1:], one[:, :1], one[:, 1:])
        if self.alpha:
            losses = losses + self.alpha / 2 * self._penalty(module, vector, item)
        return (batch.weight * losses).mean()

    def _outputs(self, module, batch, vector, item, generator):
        """Outputs of the pairs of a batch in training."""
        return module(vector, item)

    def _of_rows(self, module, X, terms):
        """The function of vectors and items that gives the outputs of folded-in rows of X."""
        return module

    def _penalty(self, module, vector, item):
        """Squares of the parameters that a pair reads, the user's included, shape (b,)."""
        return vector.square().sum(1)

    def _user_vectors(self, module):
        """Vectors of the training users, a tensor of shape (n_users, d)."""
        return module.user.weight

    @property
    def _solver(self):
        """The name of the optimiser."""
        return self.solver

    def _optimizer(self, module):
        if self._solver == "adam":
            return super()._optimizer(module)
        return SparseAndDenseAdam(module, self._parameter_groups(module), self.learning_rate)

    def _score(self, module, rows, vectors):
        """Scores of users with given vectors; `rows` are the users' rows."""
        item = torch.arange(self.n_features_in_, device=vectors.device)
        some = max(1, _N_OUTPUTS // len(item))
        outputs = [module(part, item.expand(len(part), -1)) for part in vectors.split(some)]
        return torch.cat(outputs) if outputs else vectors.new_empty(0, len(item))

    def _user_scorer(self, module):
        """A function of rows and vectors: `_score` with one module, for many calls."""
        return lambda rows, vectors: self._score(module, rows, vectors)

    def _hold_out(self, X, seed):
        """Hold out a share of the entries of at most 10,000 users; see `TorchRecommender`."""

        def make_scores(module, problem):
            with torch.inference_mode():
                scorer, learned = self._user_scorer(module), self._user_vectors(module)

            def scores(users):
                rows = DeviceRows(problem.X[users], problem.device).everything()
                with torch.inference_mode():
                    vectors = learned[torch.from_numpy(users).to(problem.device)]
                    return scorer(rows, vectors).float().cpu().numpy()

            return scores

        return hold_out_entries(X, self.validation_fraction, seed, make_scores)

    def _resumed_state(self, problem):
        # Earlier training rows are matched by their content; other rows are folded in first.
        vectors = self._vectors(problem.X_given, known_users="match")
        return {**self.weights_, "user.weight": vectors.astype(np.float32)}

    def _keep(self, module, problem):
        super()._keep(module, problem)
        self._remember(problem.X_given)
        self.seed_ = problem.seed
        del self.weights_["user.weight"]
        with torch.inference_mode():
            self.user_factors_ = self._user_vectors(module).cpu().numpy().copy()
        lengths = np.diff(problem.X.indptr)
        untaught = lengths == 0
        if self._learns_from_pairs:  # a user who has every item that anybody has is in no pair
            self.item_has_users_ = has_users(problem.X)
            untaught |= lengths == self.item_has_users_.sum()
            self.user_mean_, self.user_precision_ = normal_prior(self.user_factors_[~untaught])
        # The minimum of the penalty alone, or of the prior.
        self.user_factors_[untaught] = 0 if self._is_penalised else self.user_mean_

    @property
    def _user_penalty(self):
        """The factor of half the squares of a user's vector, for each interaction."""
        return self.alpha

    @property
    def _is_penalised(self):
        return bool(self._user_penalty) or not self._learns_from_pairs

    def _drawn(self, X, hashes):
        """Negatives of folded-in rows, as of training rows: items that somebody has."""
        known = np.flatnonzero(self.item_has_users_)
        if not len(known):
            return np.full((X.shape[0], self._n_drawn), -1)
        if len(known) < X.shape[1]:
            X = X[:, known]
        drawn = keyed_negatives(X, self._n_drawn, self.seed_, hashes=hashes)
        return np.where(drawn >= 0, known[drawn], -1)

    def _terms(self, X, hashes, device, numbers_of_row):
        """The terms of folded-in rows; rows without a negative have no terms."""
        negatives = self._drawn(X, hashes)
        for terms in terms_of_rows(
            X, negatives, self.n_negatives, device, numbers_of_row=numbers_of_row
        ):
            yield terms._replace(w=terms.w * (terms.v[:, :1] > 0))

    def _prior(self, device):
        """Mean and precision of the prior of folded-in users; zeros with a penalty."""
        width = self._n_features_out
        if self._is_penalised:
            mean, precision = np.zeros(width), np.zeros((width, width))
        else:
            mean, precision = self.user_mean_, self.user_precision_
        return tuple(torch.tensor(a, dtype=torch.float64, device=device) for a in (mean, precision))

    @property
    def _n_features_out(self):
        return self.user_factors_.shape[1]

    @property
    def _numbers_of_pair(self):
        """Numbers that a folded-in row needs for each of its items."""
        return 4 * self._n_features_out

    @torch_state()
    def _fold_in(self, X, hashes):
        device = resolve_device(self.device)
        module = self._module(torch.float64, device)
        found, prior = np.empty((X.shape[0], self._n_features_out)), self._prior(device)

        def numbers(lengths):
            return self._numbers_of_pair * (lengths + self._n_drawn)

        for terms in self._terms(X, hashes, device, numbers):
            network = self._of_rows(module, X, terms)
            found[terms.rows.cpu().numpy()] = self._descended(network, terms, prior).cpu().numpy()
        return found

    def _descended(self, module, terms, prior):
        """Vectors of rows after some steps from the prior's mean: shape (n, d)."""
        # The loss is not convex in the user's vector, so these are Adam's steps; rates fall to 0.
        loss, n_positive = PAIR_LOSSES[self.loss], terms.items.shape[1]
        item = torch.cat([terms.items, terms.negatives], dim=1)
        vector = prior[0].expand(len(item), -1)
        mean = square = torch.zeros_like(vector)
        for step in range(1, FOLD_IN_STEPS + 1):
            with torch.enable_grad():
                vector = vector.detach().requires_grad_()
                output = module(vector, item)
                parts = output[:, :n_positive], output[:, n_positive:]
                total = loss.value(*parts, terms.w, terms.v)
                total = total + _penalty_of(vector, self._user_penalty * terms.w.sum(1), prior)
                (slope,) = torch.autograd.grad(total.sum(), vector)
            slope = torch.nan_to_num(slope)  # a softmax without a negative gives NaN
            mean, square = 0.9 * mean + 0.1 * slope, 0.999 * square + 0.001 * slope.square()
            rate = FOLD_IN_RATE * (1 - (step - 1) / FOLD_IN_STEPS)
            move = mean / (1 - 0.9**step) / ((square / (1 - 0.999**step)).sqrt() + 1e-8)
            vector = vector.detach() - rate * move
        return vector

    def _scores(self, X):
        return self._apply(X, self._of_vectors(X))

    def _device_scores(self, X, device):
        return self._applied(X, self._of_vectors(X), device)

    def _of_vectors(self, X):
        """`_score` with the vectors of the rows of X."""
        vectors = self._vectors(X).astype(X.dtype, copy=False)
        return lambda module, rows: self._score(
            module, rows, sent_array(vectors, rows.value.device)
        )


class FactorRecommender(SimilarItemsMixin, LearnedUserRecommender):
    """Learned users whose scores are ``vector @ q_i + b_i``.

    A subclass also writes `_item_vectors`. Scoring needs only the vectors of items: features,
    networks and graphs are not saved. Newton's method folds users in, on the objective of the
    whole row, with negatives drawn by the row's content.
    """

    _fitted_rules = {
        "components_": Array("n_components", "n_items", dtypes=("float32",)),
        "item_bias_": Array("n_items", dtypes=("float32",)),
    }
    _few_rows = FEW_ROWS

    @abstractmethod
    def _item_vectors(self, module):
        """The q, a tensor of shape (n_items, d), and the b, of shape (n_items,)."""

    def _user_scorer(self, module):
        items, bias = self._item_vectors(module)  # once, since features or graphs are costly
        return lambda rows, vectors: vectors @ items.t() + bias

    def _score(self, module, rows, vectors):
        return self._user_scorer(module)(rows, vectors)

    def _keep(self, module, problem):
        super()._keep(module, problem)
        with torch.inference_mode():
            items, bias = (part.cpu().numpy() for part in self._item_vectors(module))
        self.components_ = np.ascontiguousarray(items.T)
        self.item_bias_ = np.array(bias)

    @torch_state()
    def _fold_in(self, X, hashes):
        device = self._scoring_device(X.shape[0])
        items = torch.from_numpy(self.components_.T.astype(np.float64)).to(device)
        bias = torch.from_numpy(self.item_bias_.astype(np.float64)).to(device)
        width, loss = items.shape[1], PAIR_LOSSES[self.loss]
        prior = self._prior(device)
        vectors = prior[0].repeat(X.shape[0], 1)
        of_pairs = self._n_drawn if self.loss in ("bpr", "hinge", "softmax") else 0

        def numbers(lengths):
            return width * (lengths + self._n_drawn + width) + 3 * lengths * of_pairs

        for terms in self._terms(X, hashes, device, numbers):
            some = RowObjective(loss, terms, items, bias, self.alpha, prior)
            vectors[terms.rows] = minimise_rows(vectors[terms.rows], some.value, some.derivatives)
        return vectors.cpu().numpy()

    def _scores(self, X):
        return factor_scores(self._vectors(X), self.components_, X.dtype, item_bias=self.item_bias_)

    def _device_scores(self, X, device):
        def build():
            parts = (self.components_, self.item_bias_)
            return [sent_array(part.astype(X.dtype, copy=False), device) for part in parts]

        vectors = sent_array(self._vectors(X).astype(X.dtype, copy=False), device)
        key = ("factors", X.dtype.name, str(device))
        components, bias = built_once(self, self.components_, key, build)
        return torch.addmm(bias, vectors, components)

    def _pair_scores(self, X, rows, items):
        wanted, group = np.unique(rows, return_inverse=True)
        vectors = self._vectors(X[wanted]).astype(X.dtype, copy=False)
        components = self.components_.astype(X.dtype, copy=False)
        bias = self.item_bias_.astype(X.dtype, copy=False)
        return factor_pairs(vectors, components, group, items) + bias[items]


class RowObjective:
    """The objective of each row by its vector, with its derivatives."""

    def __init__(self, loss, terms, items, bias, alpha, prior):
        self._prior = prior
        self._loss, self._w, self._v = loss, terms.w, terms.v
        self._P, self._N = items[terms.items], items[terms.negatives]
        self._of_items, self._of_negatives = bias[terms.items], bias[terms.negatives]
        self._penalty = alpha * terms.w.sum(1)

    def _outputs(self, vectors):
        positive = (self._P @ vectors[:, :, None])[:, :, 0] + self._of_items
        negative = (self._N @ vectors[:, :, None])[:, :, 0] + self._of_negatives
        return positive, negative, self._w, self._v

    def value(self, vectors):
        losses = self._loss.value(*self._outputs(vectors))
        return losses + _penalty_of(vectors, self._penalty, self._prior)

    def derivatives(self, vectors):
        outputs = self._outputs(vectors)
        of_items, of_negatives = self._loss.slopes(*outputs)
        slope = (of_items[:, None] @ self._P)[:, 0] + (of_negatives[:, None] @ self._N)[:, 0]
        mean, precision = self._prior
        slope = slope + self._penalty[:, None] * vectors + (vectors - mean) @ precision
        hessian = self._loss.hessian(*outputs, self._P, self._N) + precision
        hessian.diagonal(dim1=1, dim2=2).add_(self._penalty[:, None])
        return slope, hessian


def _penalty_of(vectors, penalty, prior):
    """Half the penalty times the squares, minus the log density of the prior: (n,)."""
    mean, precision = prior
    away = vectors - mean
    return penalty / 2 * vectors.square().sum(1) + ((away @ precision) * away).sum(1) / 2


def normal_prior(vectors):
    """Mean, and inverse of the covariance, of learned vectors of shape (n, d), in float64.

    A thousandth of the mean variance is added to the diagonal, so that an inverse exists. If all
    vectors are equal, the variance counts as 1.
    """
    width = vectors.shape[1]
    if not len(vectors):
        return np.zeros(width), np.eye(width)
    vectors = vectors.astype(np.float64)
    mean = vectors.mean(axis=0)
    covariance = (vectors - mean).T @ (vectors - mean) / len(vectors)
    variance = np.trace(covariance) / width
    if not variance > 0:
        return mean, np.eye(width)
    return mean, np.linalg.inv(covariance + 1e-3 * variance * np.eye(width))


def first_rows(weight, drawn, std, generator):
    """Draw the rows of an embedding from a normal distribution, and set the others to zero.

    Items without users stay zero and use no draws, so their number does not change the draws of
    the others.

    Parameters
    ----------
    weight : torch.nn.Parameter of shape (n, d)
    drawn : ndarray of bool of shape (n,) or None
        Which rows to draw; None: all.
    std : float
    generator : torch.Generator
    """
    with torch.no_grad():
        if drawn is None:
            weight.normal_(std=std, generator=generator)
            return
        weight.zero_()
        some = torch.randn(int(drawn.sum()), weight.shape[1], generator=generator)
        weight[torch.from_numpy(drawn)] = std * some
