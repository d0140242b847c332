"""The graphs of ONNX: one function for each kind of model. Needs the package onnx."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from skrec._torch._learned_users import FactorRecommender
from skrec.autoencoder import MultDAE, MultVAE
from skrec.decomposition import BPR, WMF, PureSVD
from skrec.linear_model import EASE, SLIM
from skrec.neighbors import ItemKNN

_SUPPORTED = (
    "EASE, SLIM, ItemKNN(feedback='implicit'), PureSVD, MultDAE, MultVAE("
    "n_posterior_components=1), and models that score by given vectors: WMF, BPR and the "
    "factor models over FactorRecommender, such as LightGCN and VBPR"
)
_ACTIVATIONS = {"tanh": "Tanh", "sigmoid": "Sigmoid", "relu": "Relu", "selu": "Selu"}


class _Graph:
    """Nodes and weights, added one after another.

    Attributes
    ----------
    n_bytes : int
        Size of the weights so far.
    """

    def __init__(self):
        self._nodes, self._weights, self.n_bytes = [], [], 0

    def constant(self, value, dtype=np.float32):
        """Add a weight; return its name."""
        value = np.ascontiguousarray(value, dtype=dtype)
        name = f"w{len(self._weights)}"
        self.n_bytes += value.nbytes
        self._weights.append(numpy_helper.from_array(value, name))
        return name

    def node(self, operator, *inputs, output=None, **attributes):
        """Add a node; return the name of its output."""
        output = output or f"n{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def made(self, name, width, n_items):
        """The graph, from an input of some width to the scores."""
        ends = [
            helper.make_tensor_value_info(end, TensorProto.FLOAT, ["n_users", size])
            for end, size in ((name, width), ("scores", n_items))
        ]
        return helper.make_graph(self._nodes, "skrec", ends[:1], ends[1:], self._weights)


def graph_of(model):
    """The graph of a fitted model.

    Parameters
    ----------
    model : fitted recommender

    Returns
    -------
    graph : onnx.GraphProto
    n_bytes : int
        Size of its weights.

    Raises
    ------
    TypeError
        If there is none for it.
    """
    graph, n_items = _Graph(), model.n_features_in_
    name, width = "X", n_items
    if isinstance(model, EASE):
        _add_ease(graph, model)
    elif isinstance(model, SLIM):
        _add_sparse(graph, model.coef_)
    elif isinstance(model, ItemKNN) and model.feedback == "implicit":
        _add_sparse(graph, model.similarity_)
    elif isinstance(model, PureSVD):
        _add_pure_svd(graph, model)
    elif isinstance(model, MultDAE):
        _add_denoising(graph, model)
    elif isinstance(model, MultVAE) and model.n_posterior_components == 1:
        _add_variational(graph, model)
    elif isinstance(model, WMF | BPR | FactorRecommender):
        name, width = "vectors", model.components_.shape[0]
        _add_factors(graph, model)
    else:
        raise TypeError(f"There is no ONNX graph for {_described(model)}. Supported: {_SUPPORTED}.")
    return graph.made(name, width, n_items), graph.n_bytes


def _described(model):
    inner = next(
        (
            f"; pass the model in it, {name}"
            for name in ("best_estimator_", "estimator_", "recommender_", "steps")
            if hasattr(model, name)
        ),
        "",
    )
    return f"{type(model).__name__} with these parameters{inner}"


def _add_ease(graph, model):
    weights = graph.constant(model.coef_)
    if not hasattr(model, "pair_coef_"):
        graph.node("MatMul", "X", weights, output="scores")
        return
    of_items = graph.node("MatMul", "X", weights)
    first, second = (
        graph.node("Gather", "X", graph.constant(side, np.int64), axis=1) for side in model.pairs_.T
    )
    pairs = graph.node("Sqrt", graph.node("Mul", first, second))
    of_pairs = graph.node("MatMul", pairs, graph.constant(model.pair_coef_))
    graph.node("Add", of_items, of_pairs, output="scores")


def _add_sparse(graph, weights):
    """Scores ``X @ weights`` of sparse weights, by the sources of each item."""
    by_item = weights.tocsc()
    n_items, lengths = weights.shape[1], np.diff(by_item.indptr)
    longest = max(1, int(lengths.max()))
    if 12 * longest >= 4 * n_items:  # int64 places and float32 weights
        graph.node("MatMul", "X", graph.constant(weights.toarray()), output="scores")
        return
    item = np.repeat(np.arange(n_items), lengths)
    rank = np.arange(by_item.nnz) - np.repeat(by_item.indptr[:-1], lengths)
    sources, values = np.zeros((n_items, longest), np.int64), np.zeros((n_items, longest))
    sources[item, rank], values[item, rank] = by_item.indices, by_item.data
    read = graph.node("Gather", "X", graph.constant(sources, np.int64), axis=1)
    parts = graph.node("Mul", read, graph.constant(values))  # (n_users, n_items, longest)
    axes = graph.constant([2], np.int64)
    graph.node("ReduceSum", parts, axes, keepdims=0, output="scores")


def _add_pure_svd(graph, model):
    vectors = graph.node("MatMul", "X", graph.constant(model.components_.T))
    graph.node("MatMul", vectors, graph.constant(model.components_), output="scores")


def _add_factors(graph, model):
    bias = getattr(model, "item_bias_", None)
    components = graph.constant(model.components_)
    if bias is None:
        graph.node("MatMul", "vectors", components, output="scores")
        return
    products = graph.node("MatMul", "vectors", components)
    graph.node("Add", products, graph.constant(bias), output="scores")


def _add_denoising(graph, model):
    value = _add_unit_length(graph)
    value = _add_first(graph, model, value)
    value = _add_layers(graph, model, "encoder", value)
    value = _add_layers(graph, model, "decoder", value)
    _add_linear(graph, model, "last", value, output="scores")


def _add_variational(graph, model):
    hidden = bool(tuple(model.hidden_layer_sizes))
    n_components = model.n_components
    value = _add_unit_length(graph)
    if hidden:
        value = _add_first(graph, model, value)
        value = _add_layers(graph, model, "encoder", value)
        weight, bias = (model.weights_[f"latent.{part}"] for part in ("weight", "bias"))
        weight = weight.T
    else:
        weight, bias = (model.weights_[f"first.{part}"] for part in ("weight", "bias"))
    # The means come first: the log variances are not part of a score.
    value = graph.node("MatMul", value, graph.constant(weight[:, :n_components]))
    value = graph.node("Add", value, graph.constant(bias[:n_components]))
    value = _add_layers(graph, model, "decoder", value)
    _add_linear(graph, model, "last", value, output="scores")


def _add_unit_length(graph):
    """Rows of length 1; a row of zeros stays one."""
    one, zero = graph.constant(1.0), graph.constant(0.0)

    def divided(value, divisor):
        empty = graph.node("Equal", divisor, zero)
        return graph.node("Div", value, graph.node("Where", empty, one, divisor))

    # Squares of very small or large values would not be numbers.
    value = divided("X", graph.node("ReduceMax", graph.node("Abs", "X"), axes=[1], keepdims=1))
    return divided(value, graph.node("ReduceL2", value, axes=[1], keepdims=1))


def _add_first(graph, model, value):
    weight, bias = (model.weights_[f"first.{part}"] for part in ("weight", "bias"))
    value = graph.node("MatMul", value, graph.constant(weight))
    value = graph.node("Add", value, graph.constant(bias))
    return _add_activation(graph, model, value)


def _add_layers(graph, model, name, value):
    """The layers of a part of the network, each with its activation."""
    places = sorted(
        int(key.split(".")[1])
        for key in model.weights_
        if key.startswith(f"{name}.") and key.endswith(".weight")
    )
    for place in places:
        value = _add_linear(graph, model, f"{name}.{place}", value)
        value = _add_activation(graph, model, value)
    return value


def _add_linear(graph, model, name, value, output=None):
    weight, bias = (model.weights_[f"{name}.{part}"] for part in ("weight", "bias"))
    value = graph.node("MatMul", value, graph.constant(weight.T))
    return graph.node("Add", value, graph.constant(bias), output=output)


def _add_activation(graph, model, value):
    if model.activation == "identity":
        return value
    return graph.node(_ACTIVATIONS[model.activation], value)
