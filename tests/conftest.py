"""What all tests share: hypothesis, real data, CUDA."""

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("skrec", deadline=None, max_examples=50, derandomize=True)
settings.load_profile("skrec")

_SHARED = Path(__file__).parents[2] / "shared" / "data"


def pytest_configure(config):
    # Background jobs of a shell ignore Ctrl-C, which tests send to what they start.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if "SKREC_DATA" not in os.environ and _SHARED.is_dir():
        os.environ["SKREC_DATA"] = str(_SHARED)


def pytest_collection_modifyitems(items):
    if not any(item.get_closest_marker("cuda") for item in items):
        return
    import torch

    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("cuda"):
                item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


@pytest.fixture
def data_home():
    """The folder of real data sets; skips where there is none."""
    folder = os.environ.get("SKREC_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("SKREC_DATA does not name a folder of data sets")
    return Path(folder)


@pytest.fixture
def host_noise(monkeypatch):
    """Noise is drawn on the CPU, in a fit on CUDA too: the draws are those of a fit on the CPU."""
    from skrec._torch import _problem

    monkeypatch.setattr(_problem, "noise_generator", lambda generator, device: generator)
