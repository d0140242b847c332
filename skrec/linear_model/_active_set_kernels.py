"""numba part of SLIM: the elastic net on a small set of active items, and which items enter it.

Minimises 1/2 w^T S w - c^T w + l1 |w|_1 (over w >= 0 if `positive`). S = H[A, A] is the part of
a large matrix H for the active items A, small enough to stay in the core's own cache.
`skrec.linear_model._slim_kernels` says where S and c come from.
"""

import numpy as np

from skrec.utils._compile import njit
from skrec.utils._select_kernels import keep_best

# No "reassoc": with it, the order of a sum depends on how much numba inlines, and fresh machine
# code inlines otherwise than code from numba's cache. So products with S are sums of its rows.
FLAGS = {"nogil": True, "cache": True, "fastmath": {"contract"}}

# At most this many items enter at first, later as many as are active already: many items that
# violate the conditions early have no weight in the end.
FIRST_ACTIVE = 32
# Sweeps between two attempts with conjugate gradients, and the length of an attempt.
_SWEEPS = 5
_CG_STEPS = 30


@njit(**FLAGS)
def minimise_active(S, q, w, n, l1, positive, tol, max_iter, work):
    """Minimise 1/2 w^T S w - c^T w + l1 |w|_1 over the first n weights, in place.

    Cyclic coordinate descent finds the signs. Once the signs settle, conjugate gradients on
    the non-zero weights finish much faster.

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
        Largest change in the last sweep; above `tol` only if `max_iter` was reached.
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
            n_iter += _conjugate_gradients(S, q, w, n, l1, positive, tol, steps, work)
            rest = 0
        n_before = n_nonzero
    return n_iter, step


@njit(**FLAGS)
def _sweep(S, q, w, n, l1, positive):
    """Minimise over each weight in turn; return the largest change and the number of non-zeros."""
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
def _conjugate_gradients(S, q, w, n, l1, positive, tol, max_iter, work):
    """Go to the minimum over the non-zero weights, as if no sign changed on the way."""
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
        curvature = _multiply(S, direction, n, product, zero)
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
    if positive:
        _walk_projected(S, q, w, n, change, direction, product, l1, zero)
    else:
        _walk_across_signs(S, q, w, n, change, direction, product, l1, zero)
    return n_iter


@njit(**FLAGS)
def _multiply(S, vector, n, product, zero):
    """Write S @ vector for the symmetric S, as a sum of rows; return vector^T S vector."""
    for b in range(n):
        product[b] = zero
    for a in range(n):
        if vector[a] != 0:
            factor, row = vector[a], S[a]
            for b in range(n):
                product[b] += factor * row[b]
    curvature = zero
    for a in range(n):
        curvature += vector[a] * product[a]
    return curvature


@njit(**FLAGS)
def _walk_projected(S, q, w, n, change, step, image, l1, zero):
    """Add `change` to weights >= 0; weights that would fall below zero become zero.

    If that does not lower the objective, go only as far as the first weight that becomes zero.
    """
    for a in range(n):
        step[a] = max(change[a], -w[a])
    difference = _multiply(S, step, n, image, zero) / 2
    for a in range(n):
        difference += step[a] * (l1 - q[a])
    if difference >= 0:
        length = zero + 1
        for a in range(n):
            if w[a] + length * change[a] < 0:
                length = -w[a] / change[a]
        for a in range(n):
            step[a] = max(length * change[a], -w[a])
        _multiply(S, step, n, image, zero)
    for a in range(n):
        w[a] += step[a]
        q[a] -= image[a]


@njit(**FLAGS)
def _walk_across_signs(S, q, w, n, change, at, image, l1, zero):
    """Go along `change` to the lowest point; weights may change their sign on the way.

    The objective is a parabola with a kink where a weight is zero. The walk follows its slope
    from kink to kink.
    """
    curvature = _multiply(S, change, n, image, zero)
    slope = zero
    for a in range(n):
        at[a] = np.inf
        if change[a] != 0:
            slope += (l1 if w[a] > 0 else -l1) * change[a] - q[a] * change[a]
            if w[a] * change[a] < 0:
                at[a] = -w[a] / change[a]
    if slope >= 0 or curvature <= 0:
        return
    length = -slope / curvature
    kink = -1
    while True:
        a = np.argmin(at[:n])
        if at[a] >= length:
            break
        slope += 2 * l1 * abs(change[a])
        length = max(at[a], -slope / curvature)
        if length == at[a]:
            kink = a
            break
        at[a] = np.inf
    for a in range(n):
        w[a] += length * change[a]
        q[a] -= length * image[a]
    if kink >= 0:
        row = S[kink]
        for b in range(n):
            q[b] += w[kink] * row[b]
        w[kink] = zero


@njit(**FLAGS)
def find_violators(q, inverse, candidates, n_candidates, active, l1, positive, tol, found, size):
    """Find candidates outside the active set whose best weight exceeds `tol`.

    Returns their number and the largest weight.
    """
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
    """Append the `room` largest violators (the first among equals) to the active items."""
    if n_found > room:
        keep_best(size, found, n_found, room)
        n_found = room
    for i in range(n_found):
        items[n] = found[i]
        active[found[i]] = True
        w[n] = 0
        n += 1
    return n


@njit(**FLAGS)
def keep_nearest(g, norm, candidates, n_candidates, n_neighbors, size):
    """Keep the candidates with the largest cosines g_k / norm_k, the first among equals."""
    if n_candidates <= n_neighbors:
        return n_candidates
    for i in range(n_candidates):
        k = candidates[i]
        size[i] = g[k] / norm[k]
    keep_best(size, candidates, n_candidates, n_neighbors)
    return n_neighbors


@njit(**FLAGS)
def copy_to(source, target):
    """Copy one array to another by a loop, which numba compiles faster than a slice."""
    for i in range(source.shape[0]):
        target[i] = source[i]


@njit(**FLAGS)
def grown(matrix, n):
    """A square buffer of at least n rows, with the content of the old buffer."""
    size = matrix.shape[0]
    if n <= size:
        return matrix
    bigger = np.empty((max(n, 2 * size), max(n, 2 * size)), dtype=matrix.dtype)
    for a in range(size):
        for b in range(size):
            bigger[a, b] = matrix[a, b]
    return bigger


@njit(**FLAGS)
def extended(array, n):
    """A buffer of at least n elements, with the content of the old buffer."""
    if n <= array.shape[0]:
        return array
    longer = np.empty(max(n, 2 * array.shape[0]), dtype=array.dtype)
    copy_to(array, longer)
    return longer


@njit(**FLAGS)
def store(items, w, n, out_items, out_values, used):
    """Append the non-zero weights to the buffers, which have room for them."""
    for a in range(n):
        if w[a] != 0:
            out_items[used] = items[a]
            out_values[used] = w[a]
            used += 1
    return used
