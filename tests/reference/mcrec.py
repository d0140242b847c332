"""MCRec: all paths by brute force, and the network's outputs pair by pair in NumPy."""

import numpy as np


def all_paths(kinds, vectors, tables, first):
    """Every instance of a metapath from an item: a list of (strength, nodes), the best first.

    Parameters
    ----------
    kinds : tuple of str
        With the user at first.
    vectors : dict of str to ndarray
        Of nodes, at length 1 or 0.
    tables : dict of (str, str) to dense ndarray
        Which nodes are linked, for each hop.
    first : int
    """
    found = []

    def alike(a, b):
        return (1 + vectors[a[0]][a[1]].astype(float) @ vectors[b[0]][b[1]].astype(float)) / 2

    def go_on(nodes, strength):
        depth = len(nodes)
        here, kind = (kinds[depth], nodes[-1]), kinds[depth + 1 : depth + 2]
        if not kind:
            if nodes[-1] != first:
                ends = alike(("item", first), here) if depth > 2 else 1.0
                found.append((strength * ends, tuple(nodes)))
            return
        for node in np.flatnonzero(tables[kinds[depth], kind[0]][nodes[-1]]):
            go_on([*nodes, int(node)], strength * alike(here, (kind[0], node)))

    go_on([first], 1.0)
    return sorted(found, key=lambda path: (-path[0], path[1]))


def best_of_row(paths_of, row, item, k, without=None):
    """The k best paths from a row to an item, each with another first item.

    Parameters
    ----------
    paths_of : dict of int to list
        What `all_paths` returns for each first item.
    row : sequence of int
    item : int
    k : int
    without : callable, default=None
        ``without(nodes)``: whether a path is not taken.
    """
    best = []
    for first in row:
        mine = [path for path in paths_of[first] if path[1][-1] == item]
        # Two are kept for each pair of ends.
        mine = [p for p in mine[:2] if without is None or not without(p[1])]
        best += mine[:1]
    return sorted(best, key=lambda path: (-path[0], path[1]))[:k]


def unit(v):
    length = np.sqrt((v**2).sum())
    return v / max(length, 1e-3)


def relu(v):
    return np.maximum(0, v)


def metapath_vector(W, b, user, paths, kinds, vectors):
    """The largest outputs of a convolution over three nodes, over places and paths."""
    best = np.zeros(len(b))
    for nodes in paths:
        sequence = [user] + [vectors[k][n] for k, n in zip(kinds[1:], nodes, strict=True)]
        for t in range(len(sequence) - 2):
            best = np.maximum(best, relu(W @ np.concatenate(sequence[t : t + 3]) + b))
    return best


def shares(x, y, told, weights):
    """Attention to the metapaths that have paths."""
    if not told:
        return np.zeros(0)
    W, b = weights["attention.weight"], weights["attention.bias"]
    w, b2 = weights["share.weight"][0], weights["share.bias"][0]
    logit = [relu(w @ relu(W @ np.concatenate([x, y, c]) + b) + b2) for c in told]
    return np.exp(logit) / np.exp(logit).sum()


def score(x, item, row, weights, paths, vectors):
    """Output of a user's vector x and an item.

    Parameters
    ----------
    x : ndarray of shape (d,)
    item : int
    row : sequence of int
        Items of the user.
    weights : dict of str to ndarray
    paths : dict of tuple of str to list of tuple of int
        The paths that are read, for each metapath.
    vectors : dict of str to ndarray
    """
    y = weights["item.weight"][item]
    user = unit(
        sum((vectors["item"][i] for i in row if i != item), np.zeros_like(vectors["item"][0]))
    )
    told = [
        metapath_vector(
            weights[f"paths.{'-'.join(kinds)}.weight"], weights[f"paths.{'-'.join(kinds)}.bias"],
            user, some, kinds, vectors,
        )
        for kinds, some in paths.items()
        if some
    ]  # fmt: skip
    c = np.zeros_like(x)
    for share, one in zip(shares(x, y, told, weights), told, strict=True):
        c = c + share * one
    gate = {}
    for name, v in (("user", x), ("item", y)):
        W, b = (weights[f"{name}_gate.{part}"] for part in ("weight", "bias"))
        gate[name] = relu(W @ np.concatenate([v, c]) + b)
    hidden = np.concatenate([gate["user"] * x, c, gate["item"] * y])
    layer = 0
    while f"hidden.{layer}.weight" in weights:
        hidden = relu(weights[f"hidden.{layer}.weight"] @ hidden + weights[f"hidden.{layer}.bias"])
        layer += 2  # an activation stands between
    return float(weights["output.weight"][0] @ hidden + weights["output.bias"][0])
