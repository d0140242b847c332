"""The shared part of `MLPRecommender` and `NeuMF`: all but their parameters."""

from abc import abstractmethod

import torch

from skrec._torch._fold_in import N_DRAWS
from skrec._torch._learned_users import LearnedUserRecommender
from skrec._torch._pairs import ShuffledPairs
from skrec.neural_network._pair_fold_in import fold_in
from skrec.neural_network._pair_net import PairNet, PairTrainer
from skrec.utils._device import resolve_device
from skrec.utils._params import POSITIVE_INTEGER, SIZES, Options
from skrec.utils._state_torch import torch_state

# Parameters of both, besides `PAIR_RULES`.
PAIR_NET_RULES = {
    "n_components": POSITIVE_INTEGER,
    "hidden_layer_sizes": SIZES,
    "solver": Options(("adam", "sparse_adam", "sgd")),
}
# Interactions that the kernel learns from in one call.
_RUN = 2**16
# Numbers of a hidden layer held at once where users are scored: they stay in a cache.
_N_HIDDEN = 2**19


class PairNetRecommender(LearnedUserRecommender):
    """Learned users whose scores are outputs of a `PairNet`.

    A subclass writes ``__init__``, ``_parameter_rules`` and `_widths`. One kernel makes the steps
    on the CPU, torch on CUDA: from the same draws, with the same losses but for rounding.
    """

    # Whether the kernel makes the steps on the CPU; else torch does, which takes longer.
    _by_kernel = True

    @abstractmethod
    def _widths(self):
        """Lengths of the parts of a vector, and widths of layers, as `PairNet` takes them."""

    @property
    def _n_drawn(self):
        # Steps are many and cheap, so a larger sample of negatives pays.
        return N_DRAWS if self.loss in ("bpr", "hinge") else 4 * N_DRAWS

    def _build_module(self, shape, problem=None):
        module = PairNet(*shape, *self._widths(), sparse=self._solver == "sparse_adam")
        if problem is not None:
            module.draw(problem)
        return module

    def _batches(self, problem):
        size = self.batch_size
        if self._by_kernel and problem.device.type == "cpu":
            size *= max(1, _RUN // size)
        return ShuffledPairs(problem, size, self.n_negatives)

    def _optimizer(self, module):
        if self._by_kernel and next(module.parameters()).device.type == "cpu":
            return PairTrainer(
                module,
                loss=self.loss,
                solver=self._solver,
                learning_rate=self.learning_rate,
                alpha=self.alpha,
                batch_size=self.batch_size,
            )
        if self._solver == "sgd":
            return torch.optim.SGD(self._parameter_groups(module), lr=self.learning_rate)
        return super()._optimizer(module)

    def _penalty(self, module, vector, item):
        return vector.square().sum(1) + module.item(item).square().sum((1, 2))

    def _user_scorer(self, module):
        # Once for all users: the first layer of a pair is a user half plus an item half.
        items = module.item_half()
        n_items = len(module.item.weight)
        some = max(1, _N_HIDDEN // (n_items * max(module.layers)))

        def scores(rows, vectors):
            found = vectors.new_empty(len(vectors), n_items)
            for part, outputs in zip(vectors.split(some), found.split(some), strict=True):
                outputs.copy_(module.outputs(part, *items))
            return found

        return scores

    def _score(self, module, rows, vectors):
        return self._user_scorer(module)(rows, vectors)

    @torch_state()
    def _fold_in(self, X, hashes):
        if resolve_device(self.device).type != "cpu":
            return super()._fold_in(X, hashes)
        with torch.inference_mode():
            module = self._module(torch.float32, "cpu")
            return fold_in(
                module,
                X,
                self._drawn(X, hashes),
                loss=self.loss,
                n_negatives=self.n_negatives,
                penalty=self._user_penalty,
                prior=[part.numpy() for part in self._prior("cpu")],
            )
