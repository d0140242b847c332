"""numba part of SLIM: the elastic net on a small set of active items, and who enters it.

Minimises 1/2 w^T S w - c^T w + l1 |w|_1 (over w >= 0 if `positive`), S = H[A, A] being the
part of a large matrix H that belongs to the active items A: small enough to stay in the
core's own cache. `skrec.linear_model._slim_kernels` says where S and c come from.
"""

import numpy as np
from numba import njit

FLAGS = {"nogil": True, "cache": True, "fastmath": {"contract", "reassoc", "nsz"}}

# At most this many items enter at first, later as many as there are: half of those that
# violate the conditions at an early point have no weight in the end.
FIRST_ACTIVE = 32
# Sweeps between two attempts with conjugate gradients, and the length of an attempt.
_SWEEPS = 5
_CG_STEPS = 30
# The problem on an active set that will still grow is solved to this share of the worst
# violation outside.
LOOSENESS = 0.1


@njit(**FLAGS)
def minimise_active(S, q, w, n, l1, positive, tol, max_iter, work):
    """Minimise 1/2 w^T S w - c^T w + l1 |w|_1 over the first n weights, in place.

    Cyclic coordinate descent finds the signs; where they have come to rest, conjugate
    gradients on the weights that are not zero do the rest much faster.

    Parameters
    ----------
    S : ndarray of shape (>= n, >= n)
    q : ndarray of shape (>= n,), written
        The gradient c - S w, kept up to date.
    w : ndarray of shape (>= n,), written
    l1 : number of the dtype of S
    tol : float
        Largest change of a weight in the last sweep.
    max_iter : int
        Sweeps and conjugate-gradient steps together.
    work : ndarray of shape (5, >= n), written

    Returns
    -------
    n_iter : int
    step : float
        Above `tol` only if `max_iter` was reached.
    """
    n_iter = 0
    rest = 0
    n_before = -1
    while True:
        step, n_nonzero = _sweep(S, q, w, n, l1, positive)
        n_iter += 1
        rest += 1
        if step <= tol or n_iter >= max_iter:
            break
        if (rest >= _SWEEPS and n_nonzero == n_before) or rest >= 3 * _SWEEPS:
            steps = min(_CG_STEPS, max_iter - n_iter)
            n_iter += _conjugate_gradients(S, q, w, n, l1, tol, steps, work)
            rest = 0
        n_before = n_nonzero
    return n_iter, step


@njit(**FLAGS)
def _sweep(S, q, w, n, l1, positive):
    """Minimise over one weight after the other; return the largest change, and how many
    weights are not zero."""
    zero = l1 - l1  # of the right dtype
    largest = zero
    n_nonzero = 0
    for a in range(n):
        row = S[a]
        old = w[a]
        c = q[a] + old * row[a]
        if c > l1:
            new = (c - l1) / row[a]
        elif c < -l1 and not positive:
            new = (c + l1) / row[a]
        else:
            new = zero
        change = new - old
        if change != 0:
            w[a] = new
            largest = max(largest, abs(change))
            for b in range(n):
                q[b] -= change * row[b]
        if new != 0:
            n_nonzero += 1
    return largest, n_nonzero


@njit(**FLAGS)
def _conjugate_gradients(S, q, w, n, l1, tol, max_iter, work):
    """Minimise over the weights that are not zero, up to the first one that becomes zero."""
    residual, direction, scale, change, product = work[0], work[1], work[2], work[3], work[4]
    zero = l1 - l1
    rho = zero
    for a in range(n):
        residual[a] = scale[a] = change[a] = zero
        if w[a] != 0:
            residual[a] = q[a] - (l1 if w[a] > 0 else -l1)
            scale[a] = 1 / S[a, a]
        direction[a] = scale[a] * residual[a]
        rho += residual[a] * direction[a]
    n_iter = 0
    while n_iter < max_iter and rho > 0:
        curvature = _multiply(S, direction, scale, product, n, zero)
        if curvature <= 0:
            break
        n_iter += 1
        length = rho / curvature
        largest = zero
        before, rho = rho, zero
        for a in range(n):
            change[a] += length * direction[a]
            residual[a] -= length * product[a]
            step = scale[a] * residual[a]
            rho += step * residual[a]
            largest = max(largest, abs(step))
        if largest <= tol:
            break
        for a in range(n):
            direction[a] = scale[a] * residual[a] + rho / before * direction[a]
    _walk(S, q, w, n, change, zero)
    return n_iter


@njit(**FLAGS)
def _multiply(S, direction, scale, product, n, zero):
    """Write S @ direction where `scale` is not zero; return direction^T S direction."""
    curvature = zero
    for a in range(n):
        product[a] = zero
        if scale[a] != 0:
            row = S[a]
            total = zero
            for b in range(n):
                total += row[b] * direction[b]
            product[a] = total
            curvature += total * direction[a]
    return curvature


@njit(**FLAGS)
def _walk(S, q, w, n, change, zero):
    """Add `change` to the weights, shortened so that no weight changes its sign."""
    length = zero + 1
    for a in range(n):
        if w[a] * (w[a] + length * change[a]) < 0:
            length = -w[a] / change[a]
    for a in range(n):
        new = w[a] + length * change[a]
        if w[a] * new <= 0:
            new = zero
        delta = new - w[a]
        if delta != 0:
            w[a] = new
            row = S[a]
            for b in range(n):
                q[b] -= delta * row[b]


@njit(**FLAGS)
def find_violators(q, inverse, candidates, n_candidates, active, l1, positive, tol, found, size):
    """Candidates outside the active set whose best weight exceeds `tol`, and the largest."""
    n_found = 0
    largest = 0.0
    for i in range(n_candidates):
        k = candidates[i]
        slope = q[k] if positive else abs(q[k])
        wanted = (slope - l1) * inverse[k]
        if wanted > tol and not active[k]:
            found[n_found] = k
            size[n_found] = wanted
            n_found += 1
            largest = max(largest, wanted)
    return n_found, largest


@njit(**FLAGS)
def enter(found, size, n_found, room, items, w, active, n):
    """Append the `room` largest violators (of equal ones the first) to the active items."""
    bar = -1.0
    ties = room
    if n_found > room:
        bar = np.partition(size[:n_found], n_found - room)[n_found - room]
        for i in range(n_found):
            if size[i] > bar:
                ties -= 1
    for i in range(n_found):
        if size[i] == bar:
            ties -= 1
            if ties < 0:
                continue
        elif size[i] < bar:
            continue
        items[n] = found[i]
        active[found[i]] = True
        w[n] = 0
        n += 1
    return n


@njit(**FLAGS)
def keep_nearest(g, norm, candidates, n_candidates, n_neighbors, size):
    """Keep the candidates of the largest cosine g_k / norm_k, of equal ones the first."""
    if n_candidates <= n_neighbors:
        return n_candidates
    for i in range(n_candidates):
        k = candidates[i]
        size[i] = g[k] / norm[k]
    bar = np.partition(size[:n_candidates], n_candidates - n_neighbors)[n_candidates - n_neighbors]
    ties = n_neighbors
    for i in range(n_candidates):
        if size[i] > bar:
            ties -= 1
    n = 0
    for i in range(n_candidates):
        if size[i] == bar:
            ties -= 1
        if size[i] > bar or (size[i] == bar and ties >= 0):
            candidates[n] = candidates[i]
            n += 1
    return n


@njit(**FLAGS)
def grown(matrix, n):
    """A square buffer of at least n rows, with the old one's content."""
    size = matrix.shape[0]
    if n <= size:
        return matrix
    bigger = np.empty((max(n, 2 * size), max(n, 2 * size)), dtype=matrix.dtype)
    bigger[:size, :size] = matrix
    return bigger


@njit(**FLAGS)
def extended(array, n):
    """A buffer of at least n elements, with the old one's content."""
    if n <= array.shape[0]:
        return array
    longer = np.empty(max(n, 2 * array.shape[0]), dtype=array.dtype)
    longer[: array.shape[0]] = array
    return longer


@njit(**FLAGS)
def store(items, w, n, out_items, out_values, used):
    """Append the weights that are not zero to the buffers, which have the room."""
    for a in range(n):
        if w[a] != 0:
            out_items[used] = items[a]
            out_values[used] = w[a]
            used += 1
    return used
