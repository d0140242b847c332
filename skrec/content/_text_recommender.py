"""The base of CDL and CVAE: a network of texts and an ALS learn from each other by turns."""

import copy
from abc import abstractmethod
from typing import NamedTuple

import numpy as np
import torch
from scipy.sparse import csr_array
from scipy.special import logit
from torch import nn

from skrec._loss._likelihoods import CrossEntropy, Gaussian
from skrec._torch._estimator import TORCH_RULES, TorchRecommender
from skrec._torch._layers import ACTIVATIONS, initialise
from skrec._torch._optimizers import split_penalty
from skrec._torch._rows import DeviceRows, Rows
from skrec._torch._weights import Weights
from skrec.content._tables import not_zero
from skrec.content._text_factors import (
    TEXT_RULES,
    TextFactorsMixin,
    check_texts,
    drawn_items,
    filled,
    read_texts,
)
from skrec.utils._device import resolve_device
from skrec.utils._dtype import computation_dtype
from skrec.utils._fitted import CURVE, Series
from skrec.utils._parallel import row_chunks
from skrec.utils._params import NON_NEGATIVE, POSITIVE, SIZES, Interval, Options
from skrec.utils._side_information import SideInformation
from skrec.utils._sparse import has_users
from skrec.utils._state_torch import torch_state

# Parameters of both networks; a class adds its own.
NETWORK_RULES = {
    **{name: rule for name, rule in TEXT_RULES.items() if name != "confidence"},
    "hidden_layer_sizes": SIZES,
    "activation": Options(tuple(ACTIVATIONS)),
    "likelihood": Options(("logistic", "gaussian")),
    "word_values": Options(("max", "binary", "given")),
    "text_weight": POSITIVE,
    "network_alpha": NON_NEGATIVE,
    "pretraining_max_iter": Interval(0, integer=True),
    **{name: rule for name, rule in TORCH_RULES.items() if name != "precision"},
}
LIKELIHOODS = {"logistic": CrossEntropy(), "gaussian": Gaussian(0.0)}


class TextModule(nn.Module):
    """A network of texts, and the vectors of items, which have no gradient.

    Parameters
    ----------
    network : nn.Module or None
        None: there are no texts.
    items : float tensor of shape (n_items, n_components) or None
        None for a module that only reads texts.
    """

    def __init__(self, network, items=None):
        super().__init__()
        self.network = network
        self.item = None if items is None else nn.Parameter(items, requires_grad=False)


class TextBatch(NamedTuple):
    """Some texts, and which of their items have users.

    Attributes
    ----------
    rows : Rows
        ``rows.users`` are items.
    rated : float tensor of shape (n_rows,)
        1 for items with users, whose vectors should be near the codes, and 0 for others.
    """

    rows: Rows
    rated: torch.Tensor

    @property
    def n_rows(self):
        """Number of texts."""
        return self.rows.n_rows


class TextBatches:
    """Batches of the texts that the network learns from; each pass has a new order.

    Parameters
    ----------
    problem : Problem
    texts : Texts or None
        None: there are no batches.
    batch_size : int
    als : TextALS
        Sweeps after each pass.
    """

    def __init__(self, problem, texts, batch_size, als):
        self.texts, self.als = texts, als
        self.learned = torch.from_numpy(np.zeros(0, int) if texts is None else texts.learned)
        self._rated = torch.from_numpy(has_users(problem.X).astype(np.float32))
        self._rated = self._rated.to(problem.device)
        self._batch_size, self._generator = int(batch_size), problem.generator

    def __len__(self):
        return -(-len(self.learned) // self._batch_size)

    def __iter__(self):
        if not len(self.learned):
            return
        order = torch.randperm(len(self.learned), generator=self._generator)
        for places in order.split(self._batch_size):
            rows = self.texts.rows[self.learned[places]]
            yield TextBatch(rows, self._rated[rows.users])


class Texts:
    """The texts of all items on a device.

    Parameters
    ----------
    words : csr_array of shape (n_items, n_words)
    learned : ndarray of int
        Items whose texts the network learns from.
    device : torch.device
    """

    def __init__(self, words, learned, device):
        self.rows, self.learned = DeviceRows(words, device), learned
        self._nothing = ~not_zero(words)

    def codes(self, code_of, n_numbers):
        """Codes of all items and their mean over the learned texts, both float32 on the CPU.

        A text that is all zero gets the mean. `code_of` takes `Rows` and holds about `n_numbers`
        numbers for each.
        """
        found = []
        for start, stop in row_chunks(self.rows.shape[0], 4 * n_numbers):
            rows = self.rows[torch.arange(start, stop)]
            with torch.inference_mode():
                found.append(code_of(rows).cpu().numpy())
        codes = np.concatenate(found)
        mean = codes[self.learned].mean(axis=0) if len(self.learned) else 0 * codes[0]
        codes[self._nothing] = mean
        return codes, mean


class TextRecommender(TextFactorsMixin, TorchRecommender):
    """Item vectors around the outputs of a network that reads the texts of the items.

    An epoch is a pass of the network over the texts and a sweep of the ALS. The items' vectors
    are targets of the network, beside the texts; the network's outputs are means of the items'
    vectors in the ALS. A subclass writes `__init__`, `_network`, `_output_layer`, `_code`,
    `_text_losses` and `_pretrain_texts`.
    """

    _fitted_rules = {
        "weights_": Weights(without=("item",)),
        "pretraining_curves_": Series(CURVE),
    }
    # Weight of a stored value of 1.
    confidence = 1.0
    # The solver for their vectors scores rows, not the module.
    _score = _device_scores = None

    @abstractmethod
    def _network(self, n_words):
        """The network of texts."""

    @abstractmethod
    def _output_layer(self, network):
        """The layer whose outputs are the words."""

    @abstractmethod
    def _code(self, network, rows):
        """Codes of some texts, shape (n_rows, d)."""

    @abstractmethod
    def _text_losses(self, network, rows, generator):
        """Losses of texts (n_rows,), and the codes that the vectors are tied to (n_rows, d)."""

    @abstractmethod
    def _pretrain_texts(self, network, batches, generator):
        """Train the network before items have vectors."""

    def fit(self, X, y=None, *, item_features=None):
        """Learn the network and the vectors.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions, >= 0; a stored value is the weight of a preference of 1.
        y : ignored
            Present for scikit-learn's conventions; passed to callbacks.
        item_features : ItemFeatures, {array-like, sparse matrix, dataframe} of shape \
                (n_items, n_item_features), default=None
            Weights of words, >= 0; row i is the text of column i of X. A row of zeros means that
            nothing is known of the item. None: there are no texts, see Notes.

        Returns
        -------
        self : object
            The fitted recommender.

        Raises
        ------
        ValueError
            If a parameter, X or the features are not valid, or the loss is not finite. The
            estimator then stays as it was.

        Warns
        -----
        ConvergenceWarning
            If the fit was interrupted: the model of the last whole epoch is kept.
        """
        return self._fit_weighted(X, None, y=y, side=SideInformation(item_features))

    def _words(self, features):
        """The texts as the network reads them: a csr_array of float32 in [0, 1]."""
        # Divided before they are cast: float32 cannot hold very small or large counts.
        texts = csr_array(check_texts(features, type(self).__name__), dtype=np.float64, copy=True)
        if self.word_values == "binary":
            texts.data[:] = texts.data > 0
        elif self.word_values == "max":
            largest = texts.max(axis=1).toarray()
            texts.data /= np.repeat(largest, np.diff(texts.indptr))
        elif texts.nnz and texts.data.max() > 1 and self.likelihood == "logistic":
            raise ValueError(
                'With likelihood="logistic" words have values in [0, 1]. Got item_features up to '
                f'{texts.data.max():g} with word_values="given": use word_values="max" or '
                '"binary", or likelihood="gaussian".'
            )
        return texts.astype(np.float32)

    def _codes(self, module, texts):
        """Codes of the texts, and their mean, as `Texts.codes` returns them."""
        network = module.network
        return texts.codes(lambda rows: self._code(network, rows), self.hidden_layer_sizes[0])

    def _read_texts(self, problem):
        features = problem.item_features
        if features is None:
            return None
        learned = read_texts(features, self.learned_texts, problem.X)
        return Texts(self._words(features), learned, problem.device)

    def _build_module(self, shape, problem=None):
        n_words = getattr(self, "n_item_features_in_", None)
        network = None if n_words is None else self._network(n_words)
        if problem is None:
            return TextModule(network)
        if network is not None:
            initialise(network, problem.generator)
            self._set_output_bias(network, problem)
        known, dtype = has_users(problem.X), computation_dtype(None, shape[1])
        items = np.zeros((shape[1], self.n_components), dtype)
        draws = np.random.RandomState(problem.seed)
        items[known] = drawn_items(draws, known.sum(), self.n_components)
        return TextModule(network, torch.from_numpy(items))

    def _set_output_bias(self, network, problem):
        """Start all outputs at the mean text; else many steps would learn only this."""
        learned = read_texts(problem.item_features, self.learned_texts, problem.X)
        total = self._words(problem.item_features)[learned].sum(axis=0)
        if self.likelihood == "logistic":
            mean = logit((total + 0.5) / (len(learned) + 1))
        else:
            mean = total / max(1, len(learned))
        with torch.no_grad():
            self._output_layer(network).bias.copy_(torch.from_numpy(mean))

    def _batches(self, problem):
        als = self._start_als(problem.X, computation_dtype(None, problem.X.shape[1]))
        return TextBatches(problem, self._read_texts(problem), self.batch_size, als)

    def _parameter_groups(self, module):
        if module.network is None:  # Adam refuses an empty list
            return [{"params": [module.item]}]
        return split_penalty(module.network, self.network_alpha)

    def _pretrain(self, module, batches, problem):
        self.pretraining_curves_ = []
        if module.network is None:
            return
        if self.pretraining_max_iter and len(batches):
            self._pretrain_texts(module.network, batches, problem.noise)
        prior = self._codes(module, batches.texts)[0][batches.als.known]
        with torch.no_grad():
            module.item[torch.from_numpy(batches.als.known)] += _like(module.item, prior)

    def _loss(self, module, batch, step, generator):
        losses, code = self._text_losses(module.network, batch.rows, generator)
        away = (module.item[batch.rows.users].to(code.dtype) - code).square().sum(1)
        return (self.text_weight * losses + self.item_alpha * batch.rated * away).mean()

    def _after_batches(self, module, batches):
        als, prior, prior_part = batches.als, None, 0.0
        known = torch.from_numpy(als.known)
        vectors = module.item.detach()[known].cpu().numpy()
        if module.network is not None:
            codes, _ = self._codes(module, batches.texts)
            prior = codes[als.known].astype(vectors.dtype)
            met = np.isin(als.known, batches.texts.learned)  # counted by the batches
            prior_part = als.distance(vectors[met], prior[met])
        loss = als.sweep(vectors, prior) - prior_part
        with torch.no_grad():
            module.item[known] = _like(module.item, vectors)
        return loss / max(1, len(batches.learned))

    def _scorer(self, module, problem):
        fitted = copy.copy(self)
        fitted._keep(module, problem)
        return fitted._scores

    def _resumed_state(self, problem):
        return {**self.weights_, "item": self.components_.T}

    def _keep(self, module, problem):
        super()._keep(module, problem)
        items, of_text = self.weights_.pop("item"), None
        vars(self).pop("text_mean_", None)
        if module.network is not None:
            of_text, self.text_mean_ = self._codes(module, self._read_texts(problem))
        self._keep_items(problem.X, items, of_text)

    @torch_state()
    def _extended(self, item_features):
        device = resolve_device(self.device)
        module = self._module(torch.float32, device)
        texts = Texts(self._words(item_features), np.zeros(0, int), device)
        codes, _ = self._codes(module, texts)
        return self._longer(filled(codes, item_features, self.text_mean_))


def _like(tensor, array):
    return torch.from_numpy(array).to(tensor.device, tensor.dtype)
