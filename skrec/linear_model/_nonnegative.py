"""EASE with non-negative weights."""

import numpy as np

from skrec.linear_model._slim_columns import gram_columns


def nonnegative_ease_weights(gram, diagonal, *, tol=None, max_iter=1000, device="cpu", n_jobs=None):
    """Turn a Gram matrix into the item-item weights of EASE >= 0, in place.

    Minimises 1/2 tr(B^T (G + diag(d)) B) - tr(B^T G) with diag(B) = 0 and B >= 0, where G
    is `gram` and d is `diagonal` [1]_: each column of B is a non-negative ridge regression.
    It differs from EASE with its negative weights set to zero.

    Parameters
    ----------
    gram : ndarray of shape (n_items, n_items), float32 or float64
        C-contiguous. The upper triangle holds G, the lower one is not read. Overwritten.
    diagonal : float or array-like of shape (n_items,)
        L2 penalty of the weights of each predicting item, see
        `skrec.linear_model._inverse.ridge_diagonal`.
    tol : float or None, default=None
        A column is solved when no weight, on its own, would change by more than `tol` times
        the largest weight that one item alone would get. None: 1e-10 for a float64 buffer
        on the CPU, otherwise 1e-5.
    max_iter : int, default=1000
        Most passes over the non-zero weights of a column, or most iterations of ADMM.
    device : str or torch.device, default="cpu"
        "cpu" solves column by column, by coordinate descent, and needs room for the non-zero
        weights beside the buffer. Other devices run ADMM in torch and need room for five
        such matrices.
    n_jobs : int or None, default=None
        Threads. The result does not depend on it.

    Returns
    -------
    coef : ndarray of shape (n_items, n_items)
        B, in the memory of `gram`: the scores of a row x are x @ B.
    n_iter : int
        Passes that the slowest column took, or iterations of ADMM.

    Raises
    ------
    ValueError
        If `gram` has an unsupported form or, with ADMM, is not positive definite.

    Warns
    -----
    ConvergenceWarning
        If `max_iter` did not suffice.

    References
    ----------
    .. [1] H. Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", WWW 2019.
    """
    on_cpu = str(device) == "cpu"
    if tol is None:
        tol = 1e-10 if on_cpu and gram.dtype == np.float64 else 1e-5
    options = {"tol": tol, "max_iter": max_iter, "n_jobs": n_jobs}
    if on_cpu:
        coef, n_iter = gram_columns(gram, diagonal, **options)
    else:
        # Imported here as it needs torch.
        from skrec.linear_model._admm import admm_columns

        coef, n_iter = admm_columns(gram, diagonal, device=device, **options)
    gram[...] = 0
    for j in range(gram.shape[1]):
        entries = slice(coef.indptr[j], coef.indptr[j + 1])
        gram[coef.indices[entries], j] = coef.data[entries]
    return gram, n_iter
