"""Instances of metapaths: vectors of nodes, and the best paths from each item."""

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

from skrec.content._relations import links_between
from skrec.decomposition import PureSVD
from skrec.utils._memory import check_memory
from skrec.utils._parallel import plain_interrupts
from skrec.utils._sparse import pattern
from skrec.utils._unit_rows import unit_rows

# First items whose paths one call searches.
_N_ITEMS = 256


class Instances(NamedTuple):
    """The kept instances of a metapath, by their first item.

    Attributes
    ----------
    kinds : tuple of str
        Kinds of the nodes, the user first.
    start : ndarray of int64 of shape (n_items + 1,)
        Where the instances of each first item begin.
    nodes : ndarray of int32 of shape (n_paths, len(kinds) - 1)
        All nodes but the user.
    strength : ndarray of float32 of shape (n_paths,)
    """

    kinds: tuple
    start: np.ndarray
    nodes: np.ndarray
    strength: np.ndarray


def item_vectors(X, n_components, random_state):
    """Vectors of items, of length 1, or 0 for items without users: (n_items, n_components).

    Right singular vectors of the rows at length 1, times the singular values.
    """
    n_found = min(n_components, X.shape[1])
    svd = PureSVD(n_found, random_state=random_state).fit(unit_rows(pattern(X), np.float64))
    vectors = np.zeros((X.shape[1], n_components))
    vectors[:, :n_found] = (svd.components_ * svd.singular_values_[:, None]).T
    return unit_rows(vectors, np.float32)


def node_vectors(kinds, items, X, links):
    """Vectors of all nodes of some kinds: the mean of the linked nodes' vectors, at length 1.

    Parameters
    ----------
    kinds : set of str
    items : ndarray of float32 of shape (n_items, d)
    X : csr_array
    links : dict of (str, str) to csr_array

    Returns
    -------
    vectors : dict of str to ndarray of float32 of shape (n_nodes, d)
    """
    found = {"item": items}
    relations = [("user", "item"), *links]
    while not kinds <= set(found):
        for ends in relations:  # those next to known kinds
            for source, target in (ends, ends[::-1]):
                if target in found and source not in found:
                    table = links_between(source, target, X, links) @ found[target]
                    found[source] = unit_rows(table, np.float32)
    return {kind: found[kind] for kind in sorted(kinds)}


def find_instances(kinds, vectors, X, links, *, max_paths, max_neighbors):
    """The best instances of a metapath from each item, as `Instances`.

    Parameters
    ----------
    kinds : tuple of str
    vectors : dict of str to ndarray
    X : csr_array
    links : dict of (str, str) to csr_array
    max_paths : int
        Last items kept for each first item.
    max_neighbors : int
        Links followed from a node.
    """
    from skrec.content._path_kernels import best_paths

    n_items, n_hops = X.shape[1], len(kinds) - 2
    max_paths = min(max_paths, n_items)
    check_memory(
        n_items * 2 * max_paths * (4 * (n_hops + 1) + 12),
        f"MCRec with the paths of {n_items:,} items",
        ["lower max_paths"],
    )
    hops = []
    for ends in zip(kinds[1:-1], kinds[2:], strict=True):
        links_of_hop = links_between(*ends, X, links)
        ends = (vectors[kind] for kind in ends)
        hops.append(strongest_links(links_of_hop, *ends, max_neighbors))
    entries = np.cumsum([0, *(hop.nnz for hop in hops)])
    indptr = np.concatenate([hop.indptr + at for hop, at in zip(hops, entries, strict=False)])
    where = np.cumsum([0, *(len(hop.indptr) for hop in hops)])[:-1]
    indices = np.concatenate([hop.indices for hop in hops]).astype(np.int32)
    weight = np.concatenate([hop.data for hop in hops])
    items = vectors["item"].astype(np.float64)
    nodes, strength, lengths = [], [], np.zeros(n_items, np.int64)
    for start in range(0, n_items, _N_ITEMS):
        stop = min(n_items, start + _N_ITEMS)
        some = np.empty((stop - start, 2 * max_paths, n_hops + 1), np.int32)
        strong = np.empty(some.shape[:2], np.float32)
        with plain_interrupts():
            best_paths(
                start, stop, where, indptr.astype(np.int64), indices, weight, items, max_paths,
                some, strong, lengths[start:stop],
            )  # fmt: skip
        kept = np.arange(2 * max_paths) < lengths[start:stop, None]
        nodes.append(some[kept])
        strength.append(strong[kept])
    begin = np.concatenate([[0], np.cumsum(lengths)])
    return Instances(kinds, begin, np.concatenate(nodes), np.concatenate(strength))


def strongest_links(links, sources, targets, n):
    """The n links of each node to the nodes most similar to it, with the similarities.

    The similarity is (1 + cosine) / 2, in [0, 1]. A csr_array in float64 with sorted rows.
    """
    row = np.repeat(np.arange(links.shape[0]), np.diff(links.indptr))
    alike = np.empty(links.nnz)
    for start in range(0, links.nnz, 2**18):
        part = slice(start, start + 2**18)
        cosine = np.einsum("ij,ij->i", sources[row[part]], targets[links.indices[part]])
        alike[part] = (1 + cosine.astype(np.float64).clip(-1, 1)) / 2
    order = np.lexsort((-alike, row))
    kept = np.sort(order[np.arange(links.nnz) - links.indptr[row] < n])
    lengths = np.minimum(np.diff(links.indptr), n)
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    return csr_array((alike[kept], links.indices[kept], indptr), shape=links.shape)


class PathFinder:
    """Finds the paths from rows to items among the kept instances.

    Parameters
    ----------
    instances : list of Instances
    n_instances : int
        Most paths of a pair for each metapath.
    """

    def __init__(self, instances, n_instances):
        n_items = min((len(one.start) - 1 for one in instances), default=1)
        self._instances, self.n_instances = instances, min(int(n_instances), n_items)
        self._by_last = [None] * len(instances)

    def of_row(self, row):
        """Places of instances from the items of a row to all items.

        A list of ndarrays (n_items, k) of int64, the strongest first; -1 where there is no path.
        """
        from skrec.content._path_kernels import paths_of_row

        found = []
        for one in self._instances:
            found.append(np.full((len(one.start) - 1, self.n_instances), -1))
            last = np.ascontiguousarray(one.nodes[:, -1])
            with plain_interrupts():
                paths_of_row(row, one.start, last, one.strength, found[-1])
        return found

    def of_pairs(self, X, rows, items, *, own):
        """Places of instances for given pairs: ndarrays (n, m, k).

        Parameters
        ----------
        X : csr_array
            With sorted rows.
        rows : ndarray of int64 of shape (n,)
        items : ndarray of int64 of shape (n, m)
        own : bool
            Whether rows are users of `fit`, whose paths do not pass their own nodes.
        """
        from skrec.content._path_kernels import paths_of_pairs

        found = []
        for p, one in enumerate(self._instances):
            if self._by_last[p] is None:
                self._by_last[p] = _by_last(one)
            is_user = np.array([kind == "user" for kind in one.kinds[1:]])
            found.append(np.full((*items.shape, self.n_instances), -1))
            with plain_interrupts():
                paths_of_pairs(
                    rows, items, X.indptr, X.indices, *self._by_last[p], one.nodes, is_user, own,
                    found[-1],
                )  # fmt: skip
        return found


def _by_last(one):
    """Where each last item's instances begin in an order by strength, and this order."""
    last = one.nodes[:, -1]
    order = np.lexsort((-one.strength, last))
    count = np.bincount(last, minlength=len(one.start) - 1)
    return np.concatenate([[0], np.cumsum(count)]), order
