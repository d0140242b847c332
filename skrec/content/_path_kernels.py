"""numba part of `skrec.content._paths`; imported only when paths are searched."""

import numpy as np

from skrec.utils._compile import njit


@njit(nogil=True, cache=True)
def best_paths(start, stop, where, indptr, indices, weight, vectors, n_kept, nodes, strength, n):
    """The best two instances of a metapath from each of some items to each of its nearest items.

    Parameters
    ----------
    start, stop : int
        The range of the first items.
    where : ndarray of int64 of shape (h,)
        Where the pointers of each hop begin in `indptr`.
    indptr, indices, weight : ndarrays
        The links of all hops, one hop after another; `indptr` says where a node's links stand.
    vectors : ndarray of float64 of shape (n_items, d)
        Of length 1, or 0.
    n_kept : int
        Number of last items kept for each first item.
    nodes : ndarray of int32 of shape (stop - start, 2 * n_kept, h + 1), written
        The nodes of each instance, ordered by the last node, the stronger of two first.
    strength : ndarray of shape (stop - start, 2 * n_kept), written
        Product of the weights, with several hops also times the similarity of the two ends.
    n : ndarray of int64 of shape (stop - start,), written
        Number of instances of each item.
    """
    n_items, h = len(vectors), len(where)
    best, via = np.empty((n_items, 2)), np.empty((n_items, 2, h), np.int32)
    seen, reached = np.full(n_items, -1), np.empty(n_items, np.int64)
    place, end, product = np.empty(h, np.int64), np.empty(h, np.int64), np.ones(h + 1)
    node_at = np.empty(h, np.int32)
    for item in range(start, stop):
        n_reached, depth = 0, 0
        place[0], end[0] = indptr[where[0] + item], indptr[where[0] + item + 1]
        while depth >= 0:  # depth first
            if place[depth] == end[depth]:
                depth -= 1
                continue
            link = place[depth]
            place[depth] += 1
            node, value = indices[link], product[depth] * weight[link]
            node_at[depth] = node
            if depth < h - 1:
                depth += 1
                product[depth] = value
                place[depth] = indptr[where[depth] + node]
                end[depth] = indptr[where[depth] + node + 1]
                continue
            if node == item:
                continue
            if seen[node] != item:
                seen[node], reached[n_reached] = item, node
                n_reached += 1
                best[node] = -1.0
            if value > best[node, 0]:
                best[node, 1], via[node, 1] = best[node, 0], via[node, 0]
                best[node, 0], via[node, 0] = value, node_at
            elif value > best[node, 1]:
                best[node, 1], via[node, 1] = value, node_at
        some = np.sort(reached[:n_reached])
        if h > 1:  # the two ends should be similar too
            for last in some:
                alike = max(0.0, (1 + (vectors[item] * vectors[last]).sum()) / 2)
                for b in range(2):
                    if best[last, b] >= 0:  # an empty place is -1
                        best[last, b] *= alike
        if n_reached > n_kept:
            order = np.argsort(-best[some, 0], kind="mergesort")
            some = np.sort(some[order[:n_kept]])
        row, count = item - start, 0
        for last in some:
            for b in range(2):
                if best[last, b] >= 0:
                    nodes[row, count, 0] = item
                    nodes[row, count, 1:] = via[last, b]
                    strength[row, count] = best[last, b]
                    count += 1
        n[row] = count


@njit(nogil=True, cache=True)
def paths_of_row(row, start, last, strength, found):
    """The strongest instances from the items of a row to each item, by distinct first items.

    Parameters
    ----------
    row : ndarray of shape (n,)
        Items, ascending.
    start : ndarray of int64 of shape (n_items + 1,)
        Where the instances of each first item begin.
    last : ndarray of int32 of shape (n_paths,)
        Their last items.
    strength : ndarray of shape (n_paths,)
    found : ndarray of int64 of shape (n_items, k), -1 everywhere, written
        Instances, the strongest first.
    """
    k = found.shape[1]
    for item in row:
        before = -1
        for path in range(start[item], start[item + 1]):
            target = last[path]
            if target == before:  # the weaker instance of the same ends
                continue
            before = target
            own, value = found[target], strength[path]
            if own[k - 1] >= 0 and value <= strength[own[k - 1]]:
                continue
            place = k - 1
            while place > 0 and (own[place - 1] < 0 or value > strength[own[place - 1]]):
                own[place] = own[place - 1]
                place -= 1
            own[place] = path


@njit(nogil=True, cache=True)
def paths_of_pairs(rows, items, indptr, indices, start, order, nodes, is_user, own, found):
    """The strongest instances from rows to given items, as `paths_of_row` finds them.

    Parameters
    ----------
    rows : ndarray of int64 of shape (n,)
    items : ndarray of int64 of shape (n, m)
    indptr, indices : ndarrays
        A matrix with sorted rows.
    start : ndarray of int64 of shape (n_items + 1,)
        Where the instances of each last item begin in `order`.
    order : ndarray of int64 of shape (n_paths,)
        Instances by their last item, the strongest first.
    nodes : ndarray of int32 of shape (n_paths, h + 1)
    is_user : ndarray of bool of shape (h + 1,)
        Which of the nodes are users.
    own : bool
        Whether to leave out paths through the row's own user.
    found : ndarray of int64 of shape (n, m, k), -1 everywhere, written
    """
    k = found.shape[2]
    for r in range(len(rows)):
        begin, end = indptr[rows[r]], indptr[rows[r] + 1]
        mine = indices[begin:end]
        for m in range(items.shape[1]):
            n_found = 0
            for p in range(start[items[r, m]], start[items[r, m] + 1]):
                path = order[p]
                first = nodes[path, 0]
                at = np.searchsorted(mine, first)
                taken = at == len(mine) or mine[at] != first
                for f in range(n_found):
                    taken |= nodes[found[r, m, f], 0] == first
                if own:
                    for c in range(len(is_user)):
                        taken |= is_user[c] and nodes[path, c] == rows[r]
                if taken:
                    continue
                found[r, m, n_found] = path
                n_found += 1
                if n_found == k:
                    break
