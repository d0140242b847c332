"""Torch's settings while skrec computes, independent of the caller's settings."""

import os
import tempfile
import threading
from contextlib import ExitStack, contextmanager, nullcontext

import torch
from torch.overrides import TorchFunctionMode

from skrec.utils._parallel import in_forked_child, lock_across_forks

__all__ = ["products_in", "torch_state"]

_FLOAT_FACTORIES = frozenset(
    (
        torch.empty, torch.empty_strided, torch.eye, torch.linspace, torch.logspace, torch.normal,
        torch.ones, torch.rand, torch.randn, torch.zeros,
    )
)  # fmt: skip
_DENORMAL = 5e-324
_PREPARED = threading.local()


@contextmanager
def torch_state():
    """A block, or a decorated function, in which torch has the settings of a new process.

    Gradients are recorded. Inference mode and autocast are off. New tensors are float32 and on
    the CPU by default. Small numbers are not flushed to zero. The CPU's matrix products are
    exact. The end of the block restores each setting. All settings but the last belong to the
    thread: no other thread sees them. In a forked process torch uses one thread.

    Yields
    ------
    None
    """
    _prepare_thread()
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        for device_type in ("cpu", "cuda"):
            if torch.is_autocast_enabled(device_type):
                stack.enter_context(torch.autocast(device_type, enabled=False))
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        if torch.get_default_dtype() != torch.float32:
            stack.enter_context(_Float32Factories())
        if _DENORMAL * 1.0 == 0.0:  # torch has no function that reports the setting
            torch.set_flush_denormal(False)
            stack.callback(torch.set_flush_denormal, True)
        stack.enter_context(_EXACT_PRODUCTS)
        yield


class _Float32Factories(TorchFunctionMode):
    """Makes tensors float32 where torch would use the default dtype of the process."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = {} if kwargs is None else kwargs
        is_float = func in _FLOAT_FACTORIES or (func is torch.full and isinstance(args[1], float))
        if is_float and kwargs.get("dtype") is None:
            kwargs = {**kwargs, "dtype": torch.float32}
        return func(*args, **kwargs)


class _Float32Products:
    """A block that sets the precision of float32 products.

    The setting belongs to the process: the last thread in the block restores the value that the
    first thread found.

    Parameters
    ----------
    backend : object
        Object with the setting `name`; nothing is set if it lacks the setting.
    name : str
    value : object
        Value of the setting in the block.
    others : tuple, default=()
        Other values that need no change.
    """

    def __init__(self, backend, name, value, others=()):
        self._lock, self._n_inside, self._found = lock_across_forks(), 0, None
        self._backend, self._name, self._value = backend, name, value
        self._good = (None, value, *others)

    def __enter__(self):
        with self._lock:
            if self._n_inside == 0:
                found = getattr(self._backend, self._name, None)
                self._found = None if found in self._good else found
                if self._found is not None:
                    setattr(self._backend, self._name, self._value)
            self._n_inside += 1

    def __exit__(self, *error):
        with self._lock:
            self._n_inside -= 1
            if self._n_inside == 0 and self._found is not None:
                setattr(self._backend, self._name, self._found)


# Excludes bfloat16, which ``"medium"`` precision allows on the CPU.
_EXACT_PRODUCTS = _Float32Products(
    getattr(torch.backends.mkldnn, "matmul", None),  # torch 2.9
    "fp32_precision",
    "ieee",
    ("none",),
)
_CUDA = torch.backends.cuda.matmul
_TF32_PRODUCTS = (
    _Float32Products(_CUDA, "fp32_precision", "tf32")
    if hasattr(_CUDA, "fp32_precision")
    else _Float32Products(_CUDA, "allow_tf32", True)
)


def products_in(precision):
    """A block in which a GPU computes products in TF32, if `precision` is "tf32"."""
    return _TF32_PRODUCTS if precision == "tf32" else nullcontext()


def _prepare_thread():
    process = os.getpid()
    if getattr(_PREPARED, "process", None) == process:
        return
    _PREPARED.process = process
    if in_forked_child():
        # The fork copied no OpenMP threads, so waiting for them would never end.
        torch.set_num_threads(1)
    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        # Optimisers import torch's compiler. The import needs an existing folder, but writes
        # nothing to it unless something is compiled.
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", os.path.dirname(torch.__file__))
