"""Sparse containers whose arrays are broken, and a run of all public doors with them.

``python -m tests.malformed`` runs every door with every breakage and prints a line for each call
that is not refused with a ValueError. It runs in a process of its own in the tests: a kernel that
reads out of bounds ends it by a signal.
"""

import sys
import warnings

import numpy as np
from scipy import sparse

from tests.doors import function_doors, instances, recommender_doors


def _csr(edit, kind="csr_array"):
    def broken(matrix):
        X = getattr(sparse, kind)(matrix, copy=True)
        edit(X)
        return X

    return broken


def _put(array, at, to):
    def edit(X):
        getattr(X, array)[at] = to(X) if callable(to) else to

    return edit


def _set(name, value):
    def edit(X):
        setattr(X, name, value(X))

    return edit


def _lil(edit):
    def broken(matrix):
        X = sparse.lil_array(matrix)
        edit(X)
        return X

    return broken


def _dok(key):
    def broken(matrix):
        X = sparse.dok_array(matrix)
        X._dict[key(X)] = 1.0
        return X

    return broken


def _bsr(edit):
    def broken(matrix):
        X = sparse.bsr_array(matrix, blocksize=(1, 1 if matrix.shape[1] % 2 else 2))
        edit(X)
        return X

    return broken


def _dia(offset):
    def broken(matrix):
        X = sparse.dia_array(matrix)
        X.offsets[0] = offset(X)
        return X

    return broken


def _long(X):
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)


def _long_and_far(X):
    _long(X)
    X.indices[0] = 2**40


def _wide(X):
    return X.shape[1]


def _tall(X):
    return X.shape[0]


BREAKAGES = {
    "csr index == n": _csr(_put("indices", 1, _wide)),
    "csr index far": _csr(_put("indices", 1, 2**30)),
    "csr index negative": _csr(_put("indices", 0, -1)),
    "csr int64 far": _csr(_long_and_far),
    "csr_matrix index == n": _csr(_put("indices", -1, _wide), "csr_matrix"),
    "csr pointers step back": _csr(_put("indptr", 1, lambda X: X.indptr[-1])),
    "csr pointer negative": _csr(_put("indptr", 1, -5)),
    "csr pointers begin late": _csr(_put("indptr", 0, 1)),
    "csr pointers end late": _csr(_put("indptr", -1, 10**6)),
    "csr pointers too few": _csr(_set("indptr", lambda X: X.indptr[:-1].copy())),
    "csr pointers too many": _csr(_set("indptr", lambda X: np.append(X.indptr, X.nnz))),
    "csr no pointers": _csr(_set("indptr", lambda X: X.indptr[:0])),
    "csr values too few": _csr(_set("data", lambda X: X.data[:1])),
    "csr values 2-D": _csr(_set("data", lambda X: X.data[None])),
    "csr values a list": _csr(_set("data", lambda X: X.data.tolist())),
    "csr values dates": _csr(_set("data", lambda X: X.data.astype("M8[s]"))),
    "csr indices too few": _csr(_set("indices", lambda X: X.indices[:1])),
    "csr indices float": _csr(_set("indices", lambda X: X.indices + 0.5)),
    "csr indices 2-D": _csr(_set("indices", lambda X: X.indices[:, None])),
    "csc index == n": _csr(_put("indices", 1, _tall), "csc_array"),
    "csc index negative": _csr(_put("indices", 1, -3), "csc_matrix"),
    "csc pointers step back": _csr(_put("indptr", 1, lambda X: X.indptr[-1] + 1), "csc_array"),
    "csc pointers end late": _csr(_put("indptr", -1, 10**6), "csc_array"),
    "bsr index far": _bsr(_put("indices", 0, _wide)),
    "bsr pointers step back": _bsr(_put("indptr", 1, lambda X: X.indptr[-1])),
    "bsr values too few": _bsr(_set("data", lambda X: X.data[:1])),
    "coo row far": _csr(_put("row", 0, 10**6), "coo_array"),
    "coo row == n": _csr(_put("row", 0, _tall), "coo_matrix"),
    "coo column == n": _csr(_put("col", 0, _wide), "coo_array"),
    "coo column negative": _csr(_put("col", 0, -2), "coo_matrix"),
    "coo values too few": _csr(_set("data", lambda X: X.data[:1]), "coo_array"),
    "lil column == n": _lil(lambda X: X.rows[0].append(_wide(X)) or X.data[0].append(1.0)),
    "lil column negative": _lil(lambda X: X.rows[0].insert(0, -1) or X.data[0].insert(0, 1.0)),
    "lil lengths": _lil(lambda X: X.data[0].append(1.0)),
    "lil text": _lil(lambda X: X.rows[0].append("1") or X.data[0].append(1.0)),
    "lil rows too few": _lil(_set("rows", lambda X: X.rows[:1])),
    "dok row == n": _dok(lambda X: (_tall(X), 0)),
    "dok column negative": _dok(lambda X: (0, -1)),
    "dok text": _dok(lambda X: (0, "1")),
    "dia offset far": _dia(_wide),
    "dia offset twice": _dia(lambda X: X.offsets[1]),
    "1-D": lambda matrix: sparse.coo_array(matrix.toarray()[0]),
    "a list of matrices": lambda matrix: [matrix, matrix],
    "an array that holds a matrix": lambda matrix: np.array([[matrix]], dtype=object),
}


def reordered(matrix):
    """The same matrix with its entries unsorted and a flag that says they are sorted."""
    X = sparse.csr_array(matrix, copy=True)
    for row in range(X.shape[0]):
        part = slice(X.indptr[row], X.indptr[row + 1])
        X.indices[part] = X.indices[part][::-1].copy()
        X.data[part] = X.data[part][::-1].copy()
    X.has_canonical_format = True
    X.has_sorted_indices = True
    return X


def failures_of(door):
    """What is wrong with a door, by the argument and how it is broken."""
    for argument in door.sparse():
        if argument in door.ignored:
            continue
        for breakage, make in BREAKAGES.items():
            try:
                broken = make(door.arguments[argument])
            except (ValueError, IndexError, TypeError):  # scipy itself refuses to make it
                continue
            print(f"{door.name}, {argument}: {breakage}", flush=True)
            try:
                door.call(**door.arguments | {argument: broken})
            except ValueError as error:
                if not str(error):
                    yield f"{door.name}, {argument}: {breakage}: a ValueError without a message"
            except TypeError as error:
                # What a container holds that is no matrix of numbers at all.
                if breakage in BREAKAGES and "list" not in breakage and "holds" not in breakage:
                    yield f"{door.name}, {argument}: {breakage}: TypeError: {error}"
            except Exception as error:
                yield f"{door.name}, {argument}: {breakage}: {type(error).__name__}: {error}"
            else:
                yield f"{door.name}, {argument}: {breakage}: accepted"


def main():
    """Run all doors; the exit code is 1 if one of them lets a broken container through."""
    warnings.simplefilter("ignore")
    chosen = sys.argv[1:]
    doors = [] if chosen and "functions" not in chosen else function_doors()
    for estimator in instances():
        if not chosen or type(estimator).__name__ in chosen:
            doors += recommender_doors(estimator)
    found = [failure for door in doors for failure in failures_of(door)]
    for failure in found:
        print("FAILURE", failure)
    print(f"{len(doors)} doors, {len(found)} failures")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
