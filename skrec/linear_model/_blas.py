"""A BLAS update of a part of a matrix in place, which scipy's wrappers cannot do.

``scipy.linalg.blas`` copies any argument that is not contiguous, so it never writes into a block
of a larger matrix. The BLAS routines themselves take a leading dimension. scipy exposes them for
Cython; here ctypes calls them and releases the GIL.
"""

import ctypes
from functools import cache

import numpy as np
from scipy.linalg import cython_blas

# OpenBLAS's threaded syrk gives each thread a buffer of a fixed size. If a thread's share of the
# rows does not fit, syrk writes beyond the buffer. (It ended in a segmentation fault in
# sgemm_otcopy, called by ssyrk_thread_LN, at n = 40,981 with two threads; the fault of spotrf at
# n = 38,048 most likely has the same cause.) gemm did not fail, so syrk gets small blocks and gemm
# the rest.
_BLOCK = 4096

_POINTER = ctypes.c_void_p


def subtract_gram(matrix, panel):
    """``matrix -= panel.T @ panel`` in the upper triangle, in place and without copies.

    Parameters
    ----------
    matrix : ndarray of shape (n, n), float32 or float64
        C-contiguous. Elements below the diagonal are neither read nor written.
    panel : ndarray of shape (k, n), dtype of `matrix`
        C-contiguous.
    """
    k, n = panel.shape
    syrk, gemm = _routine("syrk", matrix.dtype.char, 10), _routine("gemm", matrix.dtype.char, 13)
    real = ctypes.c_float if matrix.dtype == np.float32 else ctypes.c_double
    minus, plus, n_, k_ = real(-1.0), real(1.0), ctypes.c_int(n), ctypes.c_int(k)
    size = matrix.itemsize
    for start in range(0, n, _BLOCK):
        # Fortran sees transposes: our rows are its columns, our upper triangle its lower one.
        width = min(_BLOCK, n - start)
        columns = panel.ctypes.data + size * start
        syrk(
            *map(ctypes.byref, (ctypes.c_char(b"L"), ctypes.c_char(b"N"), ctypes.c_int(width))),
            *(ctypes.byref(k_), ctypes.byref(minus), columns, ctypes.byref(n_)),
            *(ctypes.byref(plus), matrix.ctypes.data + size * (start * n + start)),
            ctypes.byref(n_),
        )
        stop = start + width
        if stop < n:
            gemm(
                *map(ctypes.byref, (ctypes.c_char(b"N"), ctypes.c_char(b"T"))),
                *map(ctypes.byref, (ctypes.c_int(n - stop), ctypes.c_int(width), k_, minus)),
                *(panel.ctypes.data + size * stop, ctypes.byref(n_), columns, ctypes.byref(n_)),
                *(ctypes.byref(plus), matrix.ctypes.data + size * (start * n + stop)),
                ctypes.byref(n_),
            )


@cache
def _routine(name, kind, n_arguments):
    """A BLAS routine as a function of pointers."""
    capsule = cython_blas.__pyx_capi__[{"f": "s", "d": "d"}[kind] + name]
    get_name = ctypes.pythonapi.PyCapsule_GetName
    get_name.restype, get_name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
    get_pointer.restype, get_pointer.argtypes = _POINTER, [ctypes.py_object, ctypes.c_char_p]
    address = get_pointer(capsule, get_name(capsule))
    return ctypes.CFUNCTYPE(None, *[_POINTER] * n_arguments)(address)
