"""numba part of `skrec._torch._pairs`."""

from skrec.utils._compile import njit


@njit(nogil=True, cache=True)
def missing_items(users, uniform, below, indptr, n_left, found):
    """Items that users do not have, from uniform numbers in [0, 1).

    Below the k-th of a row's sorted items c_k, c_k - k items are missing: bisection turns a place
    among the missing items into an item.

    Parameters
    ----------
    users : ndarray of int64 of shape (n,)
    uniform : ndarray of float64 of shape (n, m)
    below : ndarray of int32 of shape (n_entries,)
        c_k - k, row by row.
    indptr : ndarray of int64 of shape (n_users + 1,)
    n_left : ndarray of int64 of shape (n_users,)
        How many items each user does not have.
    found : ndarray of int64 of shape (n, m), written
    """
    for k in range(users.shape[0]):
        user = users[k]
        for j in range(uniform.shape[1]):
            place = int(uniform[k, j] * n_left[user])
            low, high = indptr[user], indptr[user + 1]
            while low < high:
                middle = (low + high) >> 1
                if below[middle] <= place:
                    low = middle + 1
                else:
                    high = middle
            found[k, j] = place + low - indptr[user]
