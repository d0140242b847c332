"""numba part of SLIM: its columns, one at a time, each on a growing set of active items.

Column j of the weights minimises, over w with w_j = 0 (and w >= 0 if `positive`),

    1/2 w^T H w - g^T w + l1 |w|_1,    H = X^T diag(weight) X + l2 I,

where g is column j of H. The active items start with the most promising ones. The problem is
solved on them; the gradient q = g - H w of all items then says which others enter.

H is either the matrix itself or None. With None, the elements that a column needs are computed
from X. If X is very sparse, these are much fewer than the elements of H, and memory is in
proportion to the entries of X.
"""

from collections import namedtuple

import numpy as np

from skrec.linear_model._active_set_kernels import (
    FIRST_ACTIVE,
    FLAGS,
    copy_to,
    enter,
    extended,
    find_violators,
    grown,
    keep_nearest,
    minimise_active,
    store,
)
from skrec.utils._compile import njit

# While more items will become active, the problem is solved to this share of the worst violation
# that was found.
_LOOSENESS = 0.1

# rows = (indptr, indices, data) is X, columns = (indptr, users, data, data * weight) is X
# by columns. inverse: 1 / diag(H), 0 for items without weights. norm: of X's columns.
# All values are of one dtype, float32 or float64.
Data = namedtuple("Data", "rows columns inverse norm")

# l1, l2 of the dtype of the data. positive: w >= 0. screen: w >= 0 and H >= 0, so that
# q <= g throughout: items with g <= l1 never have a weight. n_neighbors: number of
# candidates of a column, 0 for all items. tol: a column is done when no single weight
# would change by more than `tol` times the best single weight at w = 0.
Settings = namedtuple("Settings", "l1 l2 positive screen n_neighbors tol max_iter")

# Buffers of one thread: of length n_users the last three, of length n_items the others.
_Buffers = namedtuple(
    "_Buffers",
    "q w before q_active g steps items candidates found active sizes touched head users f",
)


@njit(**FLAGS)
def _new_buffers(data, n_users):
    inverse = data.inverse
    n_items = inverse.shape[0]
    dtype = inverse.dtype
    q, w = np.empty(n_items, dtype=dtype), np.empty(n_items, dtype=dtype)
    before, q_active = np.empty(n_items, dtype=dtype), np.empty(n_items, dtype=dtype)
    g = np.zeros(n_items, dtype=dtype)
    steps = np.empty((5, n_items), dtype=dtype)
    items, candidates = np.empty(n_items, dtype=np.int64), np.empty(n_items, dtype=np.int64)
    found, touched = np.empty(n_items, dtype=np.int64), np.empty(n_items, dtype=np.int64)
    active = np.zeros(n_items, dtype=np.bool_)
    sizes = np.empty(n_items, dtype=np.float64)
    head, users = np.full(n_users, -1, dtype=np.int64), np.empty(n_users, dtype=np.int64)
    f = np.zeros(n_users, dtype=dtype)
    return _Buffers(
        q, w, before, q_active, g, steps, items, candidates, found, active, sizes, touched,
        head, users, f,
    )  # fmt: skip


@njit(**FLAGS)
def _gram_column(data, j, g, touched):
    """Add column j of X^T diag(weight) X to g, which is zero; list the items touched."""
    indptr, indices, values = data.rows
    first, users, _, weighted = data.columns
    n = 0
    for e in range(first[j], first[j + 1]):
        u = users[e]
        for p in range(indptr[u], indptr[u + 1]):
            k = indices[p]
            product = weighted[e] * values[p]
            if g[k] == 0 and product != 0:
                touched[n] = k
                n += 1
            g[k] += product
    return n


@njit(**FLAGS)
def _find_candidates(data, settings, j, g, buffers, n_touched):
    """Write which items may predict j; return how many.

    Looks only at the first `n_touched` items that share users with j; -1: at all items.
    """
    n, candidates = 0, buffers.candidates
    least = settings.l1 if settings.screen else -np.inf
    few = settings.n_neighbors > 0
    for i in range(g.shape[0] if n_touched < 0 else n_touched):
        k = i if n_touched < 0 else buffers.touched[i]
        if k != j and data.inverse[k] != 0 and g[k] > (0 if few else least):
            candidates[n] = k
            n += 1
    if few:  # the nearest of all; among these, the items that may have a weight
        nearest = keep_nearest(g, data.norm, candidates, n, settings.n_neighbors, buffers.sizes)
        n = 0
        for i in range(nearest):
            if g[candidates[i]] > least:
                candidates[n] = candidates[i]
                n += 1
    return n


@njit(**FLAGS)
def _begin_sparse(data, settings, j, buffers):
    """Return g, the number of its items to clear, and the number of candidates."""
    g = buffers.g
    n_touched = _gram_column(data, j, g, buffers.touched)
    # Any item can have a negative weight, even without common users.
    few = settings.screen or settings.n_neighbors > 0
    m = _find_candidates(data, settings, j, g, buffers, n_touched if few else -1)
    for i in range(m):
        buffers.q[buffers.candidates[i]] = g[buffers.candidates[i]]
    return g, n_touched, m


@njit(**FLAGS)
def mark_nearest(G, norm, n_neighbors, start, stop, allowed):
    """Set allowed[k, j] for the candidates k of the columns j from `start` to `stop`."""
    n_items = G.shape[0]
    candidates, sizes = np.empty(n_items, dtype=np.int64), np.empty(n_items, dtype=np.float64)
    for j in range(start, stop):
        n = 0
        for k in range(n_items):
            if k != j and G[j, k] > 0:
                candidates[n] = k
                n += 1
        n = keep_nearest(G[j], norm, candidates, n, n_neighbors, sizes)
        for i in range(n):
            allowed[candidates[i], j] = True


@njit(**FLAGS)
def _gather_dense(H, S, items, start, stop):
    for a in range(start, stop):
        row = H[items[a]]
        for b in range(a + 1):
            S[a, b] = S[b, a] = row[items[b]]


@njit(**FLAGS)
def _gather_sparse(data, l2, S, start, stop, buffers, n_users, lists, used):
    """Extend S by the active items from start to stop; list the users who have them.

    ``head[u]`` begins a list of the active items that user u has. Each entry holds the place
    of the next entry, the place in A, and the value. So the work is one step for each pair of
    active items within a user.
    """
    first, users, values, weighted = data.columns
    items, head = buffers.items, buffers.head
    size = used
    for a in range(start, stop):
        size += first[items[a] + 1] - first[items[a]]
    follow, position, value = lists
    follow, position, value = (
        extended(follow, size),
        extended(position, size),
        extended(value, size),
    )
    for a in range(start, stop):
        buffers.before[a] = 0
        for b in range(a + 1):
            S[a, b] = 0
        for e in range(first[items[a]], first[items[a] + 1]):
            u = users[e]
            if head[u] < 0:
                buffers.users[n_users] = u
                n_users += 1
            follow[used], position[used], value[used] = head[u], a, values[e]
            head[u] = used
            p = used
            while p >= 0:
                S[a, position[p]] += weighted[e] * value[p]
                p = follow[p]
            used += 1
        S[a, a] += l2
        for b in range(a):
            S[b, a] = S[a, b]
    return n_users, (follow, position, value), used


@njit(**FLAGS)
def _gradient_dense(H, g, items, w, n, q, chosen):
    """Write q = g - H w, four rows of H at a time, which halves the traffic of q."""
    m = 0
    for a in range(n):
        if w[a] != 0:
            chosen[m] = a
            m += 1
    copy_to(g, q)
    i = 0
    while i + 4 <= m:
        a, b, c, d = chosen[i], chosen[i + 1], chosen[i + 2], chosen[i + 3]
        w_a, w_b, w_c, w_d = w[a], w[b], w[c], w[d]
        row_a, row_b, row_c, row_d = H[items[a]], H[items[b]], H[items[c]], H[items[d]]
        for k in range(q.shape[0]):
            q[k] -= (w_a * row_a[k] + w_b * row_b[k]) + (w_c * row_c[k] + w_d * row_d[k])
        i += 4
    while i < m:
        weight, row = w[chosen[i]], H[items[chosen[i]]]
        for k in range(q.shape[0]):
            q[k] -= weight * row[k]
        i += 1


@njit(**FLAGS)
def _gradient_sparse(data, l2, g, buffers, n, n_candidates, n_users):
    """Write q = g - X^T f - l2 w at the candidates, f = diag(weight) X w."""
    indptr, indices, row_values = data.rows
    first, users, values, weighted = data.columns
    q, w, items, f = buffers.q, buffers.w, buffers.items, buffers.f
    for a in range(n):
        change = w[a] - buffers.before[a]
        if change != 0:
            buffers.before[a] = w[a]
            for e in range(first[items[a]], first[items[a] + 1]):
                f[users[e]] += change * weighted[e]
    by_rows = by_columns = 0
    for i in range(n_users):
        by_rows += indptr[buffers.users[i] + 1] - indptr[buffers.users[i]]
    for i in range(n_candidates):
        k = buffers.candidates[i]
        q[k] = g[k]
        by_columns += first[k + 1] - first[k]
    if by_rows < by_columns:
        for i in range(n_users):
            u = buffers.users[i]
            for p in range(indptr[u], indptr[u + 1]):
                q[indices[p]] -= f[u] * row_values[p]
    else:
        for i in range(n_candidates):
            k = buffers.candidates[i]
            total = l2 - l2  # zero of the right dtype
            for e in range(first[k], first[k + 1]):
                total += f[users[e]] * values[e]
            q[k] -= total
    for a in range(n):
        q[items[a]] -= l2 * w[a]


@njit(**FLAGS)
def _solve_column(H, data, settings, j, buffers, S, entries):
    """Write the active items of column j and their weights to the buffers.

    Returns how many there are, the iterations, the last step relative to the scale of the
    tolerance (0 if the column converged), and the buffers that may have grown.
    """
    l1, l2, positive, _, _, tol, max_iter = settings
    lists = entries
    q, w, q_active, items = buffers.q, buffers.w, buffers.q_active, buffers.items
    candidates, found, sizes, active = (
        buffers.candidates, buffers.found, buffers.sizes, buffers.active
    )  # fmt: skip
    if H is not None:
        g, n_touched = H[j], 0
        m = _find_candidates(data, settings, j, g, buffers, -1)
        copy_to(g, q)
    if entries is not None:
        g, n_touched, m = _begin_sparse(data, settings, j, buffers)
    n = n_iter = n_users = used = 0
    loose = step = 0.0
    n_found, scale = find_violators(
        q, data.inverse, candidates, m, active, l1, positive, 0.0, found, sizes
    )
    worst, threshold = scale, tol * scale
    while n_found > 0 or loose > threshold:
        old = n
        n = enter(found, sizes, n_found, max(FIRST_ACTIVE, n), items, w, active, n)
        S = grown(S, n)
        if H is not None:
            _gather_dense(H, S, items, old, n)
        if entries is not None:
            n_users, lists, used = _gather_sparse(
                data, l2, S, old, n, buffers, n_users, lists, used
            )
        for a in range(n):
            q_active[a] = q[items[a]]
        # The last problem is solved to the end.
        last = n == m or n_found == 0
        loose = threshold if last else max(threshold, _LOOSENESS * worst)
        done, step = minimise_active(
            S, q_active, w, n, l1, positive, loose, max_iter - n_iter, buffers.steps
        )
        n_iter += done
        if n == m or step > loose:
            break
        if H is not None:
            _gradient_dense(H, g, items, w, n, q, found)
        if entries is not None:
            _gradient_sparse(data, l2, g, buffers, n, m, n_users)
        n_found, worst = find_violators(
            q, data.inverse, candidates, m, active, l1, positive, threshold, found, sizes
        )
    for a in range(n):
        active[items[a]] = False
    for i in range(n_touched):
        buffers.g[buffers.touched[i]] = 0
    for i in range(n_users):
        buffers.f[buffers.users[i]] = 0
        buffers.head[buffers.users[i]] = -1
    error = step / scale if step > threshold else 0.0
    return n, n_iter, error, S, lists


@njit(**FLAGS)
def new_lists(data):
    """Buffers of the lists that `_gather_sparse` makes; they grow."""
    room = 1024
    values = np.empty(room, dtype=data.inverse.dtype)
    return np.empty(room, np.int64), np.empty(room, np.int64), values


@njit(**FLAGS)
def solve_columns(H, data, settings, entries, start, stop):
    """Solve for the columns from `start` to `stop`.

    Parameters
    ----------
    H : ndarray of shape (n_items, n_items) or None
        Both triangles; None: not at hand.
    data : Data
    settings : Settings
    entries : tuple or None
        The result of `new_lists` if H is None, else None. numba drops the code of the form
        that is None, which halves the compile time.
    start, stop : int

    Returns
    -------
    counts : ndarray of shape (stop - start,), dtype=int64
        Non-zero weights of each column.
    items : ndarray of shape (counts.sum(),), dtype=int32
        Their rows, in no order.
    values : ndarray of shape (counts.sum(),), dtype of the data
    report : ndarray of shape (3,), dtype=float64
        Most iterations of a column; number of columns that did not converge within `max_iter`;
        their largest last step in units of ``tol``'s scale.
    """
    dtype = data.inverse.dtype
    buffers = _new_buffers(data, 0 if H is not None else data.rows[0].shape[0] - 1)
    S = np.empty((2 * FIRST_ACTIVE, 2 * FIRST_ACTIVE), dtype=dtype)
    lists = entries
    counts = np.zeros(stop - start, dtype=np.int64)
    items, values = np.empty(1024, dtype=np.int32), np.empty(1024, dtype=dtype)
    report = np.zeros(3)
    used = 0
    for j in range(start, stop):
        n, n_iter, error, S, lists = _solve_column(H, data, settings, j, buffers, S, lists)
        items, values = extended(items, used + n), extended(values, used + n)
        before, used = used, store(buffers.items, buffers.w, n, items, values, used)
        counts[j - start] = used - before
        report[0] = max(report[0], n_iter)
        if error > 0:
            report[1] += 1
            report[2] = max(report[2], error)
    return counts, items[:used], values[:used], report
