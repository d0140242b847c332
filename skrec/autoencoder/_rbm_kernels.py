"""numba part of `skrec.autoencoder._rbm_fit`; imported only when it is called.

Each example of each update draws from a stream of its own (splitmix64, keyed by seed, update
and example): neither the threads nor their number can change a result.
"""

import math

import numpy as np

from skrec.utils._compile import njit
from skrec.utils._mix_kernels import GOLDEN, mix

# These flags vectorise sums; infinities and NaN keep their meaning.
_FAST = {"reassoc", "contract", "nsz", "arcp"}


@njit(nogil=True, cache=True, inline="always")
def _uniform(state):
    """A number in [0, 1) from a state of the stream."""
    return np.float32(mix(state) >> np.uint64(40)) * np.float32(2.0**-24)


@njit(nogil=True, cache=True, fastmath=_FAST)
def _dot(a, b):
    total = np.float32(0)
    for f in range(a.shape[0]):
        total += a[f] * b[f]
    return total


@njit(nogil=True, cache=True, fastmath=_FAST)
def _add(total, vector):
    for f in range(total.shape[0]):
        total[f] += vector[f]


@njit(nogil=True, cache=True)
def _activate(total, out):
    for f in range(total.shape[0]):
        out[f] = np.float32(1) / (np.float32(1) + math.exp(-total[f]))


@njit(nogil=True, cache=True)
def _softmax(unit, hidden, weight, bias, out):
    """p(v_unit = k | h) for each k, from hidden states or their probabilities."""
    most = np.float32(-np.inf)
    for k in range(out.shape[0]):
        out[k] = bias[unit, k] + _dot(weight[unit, k], hidden)
        most = max(most, out[k])
    total = np.float32(0)
    for k in range(out.shape[0]):
        out[k] = math.exp(out[k] - most)
        total += out[k]
    for k in range(out.shape[0]):
        out[k] /= total


@njit(nogil=True, cache=True)
def _hidden(units, levels, base, weight, out):
    """p(h_f = 1 | V) of an example with given units and levels."""
    total = base.copy()
    for e in range(units.shape[0]):
        _add(total, weight[units[e], levels[e]])
    _activate(total, out)


@njit(nogil=True, cache=True)
def sample(
    examples, indptr, indices, levels, model, n_steps, key, hidden, last_hidden, last_levels,
    losses, start, stop,
):  # fmt: skip
    """Run `n_steps` steps of Gibbs sampling from the data for some examples.

    Parameters
    ----------
    examples : ndarray of int of shape (n,)
        Rows of a CSR matrix with `indptr`, `indices` and, as values, `levels`.
    model : tuple of ndarray
        Weights (n_units, n_levels, d), visible bias (n_units, n_levels), hidden bias (d,), and
        weights of rated units, (n_units, d) or (0, d).
    n_steps : int
        The T of CD-T.
    key : uint64
        Key of this update.
    hidden, last_hidden : ndarray of shape (n, d), changed
        p(h | V) of the data, and after the last step.
    last_levels : ndarray of int8 of shape (nnz,), changed
        Levels of the entries after the last step.
    losses : ndarray of shape (n,), changed
        Sum of -log p(v | h) over the ratings of each example, at the first hidden states drawn.
    start, stop : int
        Range of the examples.
    """
    weight, bias, hidden_bias, rated = model
    d, n_levels = weight.shape[2], weight.shape[1]
    state = np.empty(d, np.float32)
    p = np.empty(n_levels, np.float32)
    for e in range(start, stop):
        first, last = indptr[examples[e]], indptr[examples[e] + 1]
        units = indices[first:last]
        word = mix(key + GOLDEN * np.uint64(examples[e] + 1))
        base = hidden_bias.copy()
        if rated.shape[0]:
            for unit in units:
                _add(base, rated[unit])
        _hidden(units, levels[first:last], base, weight, hidden[e])
        last_hidden[e] = hidden[e]
        losses[e] = 0
        for step in range(n_steps):
            for f in range(d):
                word += GOLDEN
                state[f] = np.float32(_uniform(word) < last_hidden[e, f])
            for entry in range(first, last):
                _softmax(indices[entry], state, weight, bias, p)
                if step == 0:
                    losses[e] -= math.log(max(p[levels[entry]], np.float32(1e-30)))
                word += GOLDEN
                left = _uniform(word)
                drawn = 0
                while drawn < n_levels - 1 and left >= p[drawn]:
                    left -= p[drawn]
                    drawn += 1
                last_levels[entry] = drawn
            _hidden(units, last_levels[first:last], base, weight, last_hidden[e])


@njit(nogil=True, cache=True)
def by_unit(examples, indptr, indices, first, place, entry):
    """Sort the entries of some examples by unit.

    Parameters
    ----------
    examples, indptr, indices : ndarray of int
        See `sample`.
    first : ndarray of int64 of shape (n_units + 1,), changed
        Where the entries of each unit begin.
    place, entry : ndarray of int of shape (n_entries,), changed
        For each entry, the place of its example in `examples`, and its own place in `indices`.
        There may be more room than entries.
    """
    first[:] = 0
    for example in examples:
        for e in range(indptr[example], indptr[example + 1]):
            first[indices[e] + 1] += 1
    for unit in range(first.shape[0] - 1):
        first[unit + 1] += first[unit]
    filled = first[:-1].copy()
    for position in range(examples.shape[0]):
        example = examples[position]
        for e in range(indptr[example], indptr[example + 1]):
            to = filled[indices[e]]
            place[to], entry[to] = position, e
            filled[indices[e]] = to + 1


@njit(nogil=True, cache=True, fastmath=_FAST)
def _follow(value, speed, slope, anchor, momentum, rate, alpha, share):
    """One step with momentum along a slope, less the slope of the penalty."""
    for f in range(value.shape[0]):
        speed[f] = momentum * speed[f] + rate * (share * slope[f] - alpha * (value[f] - anchor[f]))
        value[f] += speed[f]


@njit(nogil=True, cache=True, fastmath=_FAST)
def update(
    order, levels, last_levels, hidden, last_hidden, model, speeds, start_bias, known, how, start,
    stop,
):  # fmt: skip
    """One step of the parameters of some units.

    Parameters
    ----------
    order : tuple of ndarray
        The arrays that `by_unit` has written.
    levels, last_levels, hidden, last_hidden, model :
        See `sample`.
    speeds : tuple of ndarray, changed
        Speeds of the model's parameters, with their shapes.
    start_bias : ndarray of shape (n_units, n_levels)
        The penalty pulls the biases towards these.
    known : ndarray of bool of shape (n_units,)
        Units with ratings; the others stay as they are.
    how : tuple of float32
        Momentum, learning rate, alpha, 1 / number of examples.
    start, stop : int
        Range of the units.
    """
    first, place, entry = order
    weight, bias, _, rated = model
    n_levels, d = weight.shape[1], weight.shape[2]
    momentum, rate, alpha, share = how
    slope = np.empty((n_levels, d), np.float32)
    bias_slope = np.empty(n_levels, np.float32)
    rated_slope = np.empty(d, np.float32)
    zero = np.zeros(d, np.float32)
    for unit in range(start, stop):
        if not known[unit]:
            continue
        slope[:] = 0
        bias_slope[:] = 0
        for e in range(first[unit], first[unit + 1]):
            level, last_level = levels[entry[e]], last_levels[entry[e]]
            up, down = hidden[place[e]], last_hidden[place[e]]
            bias_slope[level] += np.float32(1)
            bias_slope[last_level] -= np.float32(1)
            for f in range(d):
                slope[level, f] += up[f]
                slope[last_level, f] -= down[f]
        if rated.shape[0]:
            rated_slope[:] = 0
            for k in range(n_levels):
                _add(rated_slope, slope[k])  # levels sum to 1: h of the data less h at the end
            _follow(rated[unit], speeds[3][unit], rated_slope, zero, momentum, rate, alpha, share)
        for k in range(n_levels):
            _follow(
                weight[unit, k], speeds[0][unit, k], slope[k], zero, momentum, rate, alpha, share
            )
        _follow(
            bias[unit], speeds[1][unit], bias_slope, start_bias[unit], momentum, rate, alpha, share
        )


@njit(nogil=True, cache=True)
def encode(indptr, indices, levels, weight, hidden_bias, rated, out, start, stop):
    """p(h | V) of some rows, in the dtype of the parameters."""
    one = hidden_bias.dtype.type(1)
    for row in range(start, stop):
        total = out[row]
        total[:] = hidden_bias
        for e in range(indptr[row], indptr[row + 1]):
            _add(total, weight[indices[e], levels[e]])
            if rated.shape[0]:
                _add(total, rated[indices[e]])
        for f in range(total.shape[0]):
            # If exp overflows, the result 0 is right.
            total[f] = one / (one + math.exp(-total[f]))
