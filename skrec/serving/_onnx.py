"""to_onnx: a fitted model as a graph of plain operators."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skrec._version import __version__
from skrec.utils._files import atomic_file

# Operators and file format that onnxruntime has read since 1.14 (2023).
_OPSET, _IR_VERSION = 17, 8
_MOST_BYTES = 2**31 - 2**20  # protobuf's limit, and a little for all but the weights


def to_onnx(model, path=None):
    """Write the scores of a fitted model as an ONNX graph.

    The graph has plain operators only: any runtime of ONNX computes it, in any language. It
    ranks nothing and masks nothing: whoever runs it leaves out the user's items and items out of
    stock, and takes the best of the rest.

    Parameters
    ----------
    model : fitted recommender
        `EASE <skrec.linear_model.EASE>`, `SLIM <skrec.linear_model.SLIM>`, `ItemKNN
        <skrec.neighbors.ItemKNN>` of implicit feedback, `PureSVD
        <skrec.decomposition.PureSVD>`, `MultDAE <skrec.autoencoder.MultDAE>` and `MultVAE
        <skrec.autoencoder.MultVAE>` (with the mean of the posterior, as the model itself scores)
        read the row of a user. `WMF <skrec.decomposition.WMF>`, `BPR <skrec.decomposition.BPR>`
        and the other models with `components_` and vectors of users that are not products read the
        vector, which their ``transform`` computes.
    path : str or path-like, default=None
        Where to write it, atomically; by custom it ends in ``.onnx``. None: nowhere.

    Returns
    -------
    onnx_model : onnx.ModelProto
        The graph. Its input is ``"X"``, float32 of shape (n_users, n_items), rows as the model
        takes them, or ``"vectors"``, float32 of shape (n_users, n_components); its output
        ``"scores"``, float32 of shape (n_users, n_items). `metadata_props` name the class and the
        version of skrec.

    Raises
    ------
    ImportError
        If the package onnx is not installed: ``pip install "scikit-recsys[onnx]"``.
    NotFittedError
        If the model is not fitted.
    TypeError
        If there is no graph for the model; the message names those that have one.
    ValueError
        If the weights do not fit into one file of ONNX, which has at most 2 GiB.

    See Also
    --------
    Server : Lists from the model itself.

    Notes
    -----
    Scores equal those of ``decision_function`` up to rounding: sums are added up in another
    order. So two items whose scores differ by rounding alone may change places. skrec orders such
    ties by the column, after rounding scores to a grid of ``64 * eps * max|score|`` of the row; do
    the same, or accept either order.

    Seen items are scored like all others. To leave them out, set their scores to minus infinity
    before the best are taken, such as ``np.where(X > 0, -np.inf, scores)``.

    Sparse weights (SLIM, ItemKNN) become a table of sources for each item, as long as the longest
    of them, and a graph that gathers; where this is larger than the dense matrix, they become the
    dense matrix.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.linear_model import EASE
    >>> from skrec.serving import to_onnx
    >>> X = np.array([[1, 1, 0], [1, 1, 1], [0, 0, 1]])
    >>> to_onnx(EASE(alpha=1.0).fit(X)).graph.output[0].name # doctest: +SKIP
    'scores'
    """
    try:
        import onnx
    except ImportError as error:
        raise ImportError(
            'to_onnx needs the package onnx: pip install "scikit-recsys[onnx]".'
        ) from error
    from skrec.serving._onnx_graphs_torch import graph_of

    check_is_fitted(model)
    graph, n_bytes = graph_of(model)
    if n_bytes > _MOST_BYTES:
        raise ValueError(
            f"{type(model).__name__} has {n_bytes / 2**30:.1f} GiB of weights, and a file of ONNX "
            "has at most 2 GiB. Use a model of fewer numbers, such as SLIM, ItemKNN or WMF, or "
            "fit to fewer items."
        )
    onnx_model = onnx.helper.make_model(
        graph,
        opset_imports=[onnx.helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
        producer_name="skrec",
        producer_version=__version__,
        doc_string=f"Scores of {type(model).__name__}. Seen items are not masked.",
    )
    onnx.helper.set_model_props(
        onnx_model,
        {"skrec_class": type(model).__name__, "skrec_version": __version__}
        | {"n_items": str(int(np.int64(model.n_features_in_)))},
    )
    onnx.checker.check_model(onnx_model)
    if path is not None:
        with atomic_file(path) as file:
            file.write(onnx_model.SerializeToString())
    return onnx_model
