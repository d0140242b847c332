"""The leading right singular vectors of a sparse matrix."""

from contextlib import closing

import numpy as np
from scipy.linalg import eigh, qr
from scipy.sparse import csr_array
from scipy.sparse.linalg import LinearOperator, eigsh

from skrec.utils._blas_threads import one_blas_thread
from skrec.utils._finite import require_squares
from skrec.utils._sparse import sparse_dot_dense
from skrec.utils._statistics import Pass

# Up to this many items, X^T X is decomposed exactly, as a dense matrix.
_DENSE_ITEMS = 256


class WeightedGram:
    """The operator M = X^T diag(w) X on the items, as products only.

    Parameters
    ----------
    X : csr_array of shape (n_users, n_items)
    sample_weight : ndarray of shape (n_users,) or None
    n_jobs : int or None, default=None
        Threads.

    Attributes
    ----------
    n_products : int
        Products made so far.
    """

    def __init__(self, X, sample_weight, *, n_jobs=None):
        self.X, self.n_jobs = X, n_jobs
        self.n_items, self.dtype = X.shape[1], X.dtype
        self.n_products = 0
        Xt = csr_array(X.T.tocsr())
        if sample_weight is not None:
            data = Xt.data * sample_weight[Xt.indices].astype(X.dtype)
            Xt = csr_array((data, Xt.indices, Xt.indptr), shape=Xt.shape)
        self.Xt = Xt

    def __matmul__(self, block):
        """M times a dense matrix of shape (n_items, n_columns)."""
        self.n_products += 1
        block = np.ascontiguousarray(block, dtype=self.dtype)
        product = sparse_dot_dense(self.X, block, n_jobs=self.n_jobs)
        return sparse_dot_dense(self.Xt, product, n_jobs=self.n_jobs)


def right_singular_vectors(
    X, n_components, *, solver, sample_weight, max_iter, n_oversamples, random_state, n_jobs=None
):
    """Leading eigenvectors of X^T diag(sample_weight) X.

    Parameters
    ----------
    X : csr_array of shape (n_users, n_items)
    n_components : int
        At most n_items.
    solver : {"randomized", "arpack"}
    sample_weight : ndarray of shape (n_users,) or None
    max_iter : int
        Products with the operator in the randomised solver.
    n_oversamples : int
    random_state : numpy.random.RandomState
    n_jobs : int or None, default=None

    Returns
    -------
    vectors : ndarray of shape (n_items, n_components), dtype of X
        Orthonormal, largest singular value first. The largest element of each vector, by
        absolute value, is positive. Zeros beyond the rank of X.
    singular_values : ndarray of shape (n_components,)
    n_products : int
        Number of products with the operator.
    """
    n_items = X.shape[1]
    if not X.nnz:  # ARPACK refuses an empty matrix
        return nothing(n_items, n_components, X.dtype)
    require_squares(X.data, "The values of X")
    gram = WeightedGram(X, sample_weight, n_jobs=n_jobs)
    if solver == "arpack" and not _is_small(n_items, n_components):
        with one_blas_thread():  # the products with X are most of the work
            operator = LinearOperator(
                (n_items, n_items),
                matvec=lambda v: (gram @ v.reshape(-1, 1)).ravel(),
                dtype=X.dtype,
            )
            start = random_state.uniform(-1, 1, size=n_items).astype(X.dtype)
            values, vectors = eigsh(operator, k=n_components, v0=start)
            return *_leading(values, vectors, n_components), gram.n_products
    rounds = vector_rounds(
        n_items, X.dtype, n_components, max_iter=max_iter, n_oversamples=n_oversamples,
        random_state=random_state,
    )  # fmt: skip
    return answered(rounds, gram.__matmul__)


def vector_rounds(n_items, dtype, n_components, *, max_iter, n_oversamples, random_state):
    """The randomised solver as a generator: it yields blocks and receives M times each block.

    Parameters
    ----------
    n_items : int
    dtype : dtype
    n_components, max_iter, n_oversamples, random_state
        See `right_singular_vectors`.

    Returns
    -------
    vectors, singular_values, n_products
        See `right_singular_vectors`.
    """
    # BLAS has one thread within the algebra, but never across a yield: if the caller fails, a
    # suspended generator would not restore the threads.
    if _is_small(n_items, n_components):
        dense = yield np.eye(n_items, dtype=dtype)
        values, vectors = _eigenpairs(dense)
        n_products = 1
    else:
        width = min(n_items, (n_components + 1) // 2 + n_oversamples)
        start = random_state.normal(size=(n_items, width)).astype(dtype)
        values, vectors, n_products = yield from block_krylov(start, max_iter)
    return *_leading(values, vectors, n_components), n_products


def nothing(n_items, n_components, dtype):
    """The result for a matrix without entries."""
    return np.zeros((n_items, n_components), dtype), np.zeros(n_components, dtype), 0


def answered(rounds, product):
    """Answer each block of a generator by ``product(block)``; return the generator's result."""
    answer = None
    with closing(rounds):
        while True:
            try:
                block = rounds.send(answer)
            except StopIteration as end:
                return end.value
            answer = product(block)


def _is_small(n_items, n_components):
    return n_items <= max(_DENSE_ITEMS, 2 * n_components)


def block_krylov(start, n_steps):
    """Ritz values and vectors of M from the space of start, M start, M^2 start, ...

    Block Lanczos with full reorthogonalisation. Each product serves twice: for the next block,
    and for the Rayleigh-Ritz step on the current one. A generator: it yields blocks and receives
    M times each block.

    Parameters
    ----------
    start : ndarray of shape (n_items, width)
        Random block.
    n_steps : int
        Products with M, at least 2.

    Returns
    -------
    values : ndarray of shape (n_found,)
        Ascending.
    vectors : ndarray of shape (n_items, n_found)
    n_products : int
        Number of products.
    """
    n_items, n_products = len(start), 2
    basis = _orthonormal((yield start))
    images = last = yield basis
    for _ in range(n_steps - 2):
        block = _orthonormal_to(basis, last)
        if not block.shape[1] or basis.shape[1] + block.shape[1] > n_items:
            break
        last = yield block
        n_products += 1
        basis, images = np.hstack([basis, block]), np.hstack([images, last])
    return *_ritz(basis, images), n_products


@one_blas_thread()
def _eigenpairs(matrix):
    return eigh((matrix + matrix.T) / 2)


@one_blas_thread()
def _ritz(basis, images):
    values, rotation = _eigenpairs(basis.T @ images)
    return values, basis @ rotation


@one_blas_thread()
def _orthonormal(block):
    return qr(block, mode="economic", overwrite_a=True)[0]


@one_blas_thread()
def _orthonormal_to(basis, block):
    """The part of a block that is orthogonal to a basis, as orthonormal columns."""
    scale = np.linalg.norm(block, axis=0).max(initial=0.0)
    for _ in range(2):  # twice is enough
        block = block - basis @ (basis.T @ block)
    q, r, _ = qr(block, mode="economic", pivoting=True)
    new = np.abs(np.diag(r)) > 100 * np.finfo(block.dtype).eps * scale
    q = q[:, new]
    return q - basis @ (basis.T @ q)


def _leading(values, vectors, n_components):
    """Sort, fix the signs, and write zeros beyond the rank."""
    order = np.argsort(-values, kind="stable")[:n_components]
    values, vectors = values[order], vectors[:, order]
    largest = values.max(initial=0.0)
    # Rounding leaves eigenvalues of this size where there should be zeros.
    real = values > 100 * np.finfo(vectors.dtype).eps * largest
    peak = np.abs(vectors).argmax(axis=0)
    sign = np.where(vectors[peak, np.arange(vectors.shape[1])] < 0, -1, 1)
    vectors = vectors * np.where(real, sign, 0).astype(vectors.dtype)
    missing = n_components - vectors.shape[1]
    return (
        np.pad(vectors, ((0, 0), (0, missing))),
        np.pad(np.sqrt(np.where(real, values, 0)), (0, missing)).astype(vectors.dtype),
    )


def vector_passes(facts, n_components, make_operator, arguments, **options):
    """Passes over parts that return the vectors of all users, see `right_singular_vectors`.

    Parameters
    ----------
    facts : skrec.utils._parts.Facts
    n_components : int
    make_operator : callable
        ``make_operator(X, kept, *arguments)`` returns None and the `WeightedGram` of the part.
    arguments : tuple
    **options : object
        Options of `vector_rounds`.

    Returns
    -------
    vectors, singular_values, n_products
    """
    dtype = np.dtype(facts.dtype)
    if not facts.n_entries:
        return nothing(facts.n_items, n_components, dtype)
    yield Pass(make_operator, arguments, kept="write", again=True)
    product = None
    with closing(vector_rounds(facts.n_items, dtype, n_components, **options)) as rounds:
        while True:
            try:
                block = rounds.send(product)
            except StopIteration as end:
                return end.value
            product = yield Pass(product_of_part, (block,), kept="read", rows=False)


def operator_of_part(X, kept, n_jobs):
    """The `WeightedGram` of a part; it stays with the part."""
    require_squares(X.data, "The values of X")
    return None, WeightedGram(X, None, n_jobs=n_jobs)


def product_of_part(X, kept, block):
    """The part's term of M times a block."""
    return kept @ block
