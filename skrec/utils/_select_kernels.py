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
        key, item = keys[middle], items[middle]
        a, b = low, high
        while a <= b:
            while _worse(key, item, keys[a], items[a]):
                a += 1
            while _worse(keys[b], items[b], key, item):
                b -= 1
            if a <= b:
                _swap(keys, items, a, b)
                a += 1
                b -= 1
        if k - 1 <= b:
            high = b
        elif k - 1 >= a:
            low = a
        else:
            return
