"""Torch's settings while skrec computes: its own, whatever the caller has set."""

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

    Gradients are recorded, inference mode and autocast are off, new tensors are float32 and on
    the CPU unless they say otherwise, small numbers are not flushed to zero, and the CPU's matrix
    products are exact. Each is left as it was found. All but the last are settings of a thread:
    no other thread sees them. In a forked process torch has one thread.

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
        if _DENORMAL * 1.0 == 0.0:  # there is no function that tells
            torch.set_flush_denormal(False)
            stack.callback(torch.set_flush_denormal, True)
        stack.enter_context(_EXACT_PRODUCTS)
        yield


class _Float32Factories(TorchFunctionMode):
    """Makes tensors float32 where the default type, a setting of the process, would count."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = {} if kwargs is None else kwargs
        is_float = func in _FLOAT_FACTORIES or (func is torch.full and isinstance(args[1], float))
        if is_float and kwargs.get("dtype") is None:
            kwargs = {**kwargs, "dtype": torch.float32}
        return func(*args, **kwargs)


class _Float32Products:
    """A block in which float32 products are computed in a precision.

    It is a setting of the process: what the first thread found, the last one restores.

    Parameters
    ----------
    backend : object
        What has the setting `name`; what lacks it is left alone.
    name : str
    value : object
        What it is set to.
    others : tuple, default=()
        Other values that are as good.
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


# Without bfloat16, which ``"medium"`` precision allows on the CPU.
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
    """A block in which the products of a GPU are computed in TF32, for ``precision="tf32"``."""
    return _TF32_PRODUCTS if precision == "tf32" else nullcontext()


def _prepare_thread():
    process = os.getpid()
    if getattr(_PREPARED, "process", None) == process:
        return
    _PREPARED.process = process
    if in_forked_child():
        # OpenMP's threads were not copied, and waiting for them would never end.
        torch.set_num_threads(1)
    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        # Optimisers import torch's compiler. It wants a folder that exists, and writes nothing
        # to it where nothing is compiled.
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", os.path.dirname(torch.__file__))
