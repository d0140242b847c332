"""numba kernel that selects the best of many candidates."""

from skrec.utils._compile import njit


@njit(nogil=True, cache=True, inline="always")
def _worse(key_a, item_a, key_b, item_b):
    return key_a < key_b or (key_a == key_b and item_a > item_b)


@njit(nogil=True, cache=True)
def _swap(keys, items, a, b):
    keys[a], keys[b] = keys[b], keys[a]
    items[a], items[b] = items[b], items[a]


@njit(nogil=True, cache=True)
def keep_best(keys, items, size, k):
    """Move the k best of `size` candidates to the front, unordered (quickselect).

    A larger key is better; of equal keys the lower item is better.
    """
    low, high = 0, size - 1
    while low < high:
        middle = (low + high) // 2
        if _worse(keys[low], items[low], keys[middle], items[middle]):
            _swap(keys, items, low, middle)
        if _worse(keys[low], items[low], keys[high], items[high]):
            _swap(keys, items, low, high)
        if _worse(keys[middle], items[middle], keys[high], items[high]):
            _swap(keys, items, middle, high)
        # Now the middle one is between the others. It waits at the end while the better ones move
        # to the front; each step does the same work, since a processor cannot guess which are.
        _swap(keys, items, middle, high)
        key, item = keys[high], items[high]
        front = low
        for t in range(low, high):
            one, of_one = keys[t], items[t]
            keys[t], items[t] = keys[front], items[front]
            keys[front], items[front] = one, of_one
            front += (one > key) | ((one == key) & (of_one < item))
        _swap(keys, items, front, high)
        if k <= front:
            high = front - 1
        else:
            low = front + 1
