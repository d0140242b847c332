"""YouTubeRecommender."""

import torch
from torch import nn

from skrec._loss._shared_negatives import cosine_contrastive, shared_hinge, shared_softmax, unit
from skrec._torch._estimator import TORCH_RULES, TorchRecommender
from skrec._torch._layers import dropped
from skrec._torch._optimizers import SparseAndDenseAdam
from skrec._torch._shared_negatives import seen_places
from skrec.neural_network._youtube_net import ShuffledExamples, YouTubeNet
import numpy as np

_STD = {"softmax": 0.01, "cosine_contrastive": 1e-4}

class YouTubeRecommender(TorchRecommender):
    _parameter_rules = {}

    def __init__(self, hidden_layer_sizes=(), *, n_components=64, loss="softmax", n_negatives=None,
        negatives="uniform", tied=True, max_examples=None, dropout=0.0, margin=0.9, negative_weight=150.0,
        alpha=0.0, solver="adam", schedule="linear", learning_rate=0.001, batch_size=64, max_iter=20,
        early_stopping=False, validation_fraction=0.1, n_iter_no_change=10, tol=1e-4, warm_start=False,
        device="auto", random_state=None, verbose=False):
        for k, v in locals().items():
            if k != "self": setattr(self, k, v)

    def _batches(self, problem):
        return ShuffledExamples(problem, self.batch_size, self.max_examples, self.n_negatives,
                                self.negatives == "popularity")

    def _build_module(self, shape, problem=None):
        module = YouTubeNet(shape[1], self.n_components, tuple(self.hidden_layer_sizes), self.tied,
                            self.solver == "sparse_adam")
        if problem is not None:
            g = problem.generator
            with torch.no_grad():
                std = _STD[self.loss]
                module.item.weight.normal_(std=std, generator=g)
                if not self.tied:
                    module.output.weight.normal_(std=std, generator=g)
                for part in module.layers:
                    if isinstance(part, nn.Linear):
                        nn.init.kaiming_uniform_(part.weight, a=5**.5, generator=g); part.bias.zero_()
                module.bias.zero_()
                count = torch.from_numpy(np.bincount(problem.X.indices, minlength=shape[1])).float()
                if getattr(self, "logbias", True) and self.loss == "softmax":
                    module.bias.copy_(torch.log(count.clamp(min=.5) / count.sum() * len(count)))
        return module

    def _optimizer(self, module):
        if self.solver == "adam":
            return super()._optimizer(module)
        return SparseAndDenseAdam(module, self._parameter_groups(module), self.learning_rate)

    def _loss(self, module, batch, step, generator):
        rows, chosen, shared = batch
        vectors = module.examples(rows, chosen)
        item, row = rows.column[chosen], rows.row[chosen]
        own, others = module.output_table(item), module.output_table(shared.items)
        weight = rows.weight[row] / max(1, len(item))
        if self.loss == "softmax":
            vectors = dropped(vectors, self.dropout, generator)
            output = (vectors * own).sum(1) + module.bias[item] - shared.log_expected[item]
            offset = module.bias[shared.items] + shared.log_count - shared.log_expected[shared.items]
            return shared_softmax(vectors, output, others, offset, shared.places(item), weight)
        vectors = dropped(unit(vectors), self.dropout, generator)
        seen = seen_places(rows, shared)
        if not getattr(self, "mask", True): seen = torch.zeros_like(seen)
        left = (~seen).sum(1).clamp(min=1)
        positive = (weight * (1 - (vectors * unit(own)).sum(1))).sum()
        negative = shared_hinge(vectors, unit(others), self.margin, seen, row, weight / left[row])
        return positive + self.negative_weight * negative

    def _score(self, module, rows):
        users, items = module.users(rows), module.output_table.weight
        if self.loss == "softmax":
            return users @ items.t() + module.bias
        return unit(users) @ unit(items).t()
