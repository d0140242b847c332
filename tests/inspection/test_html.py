"""Estimators in notebooks: scikit-learn's HTML representation."""

import re

import numpy as np
import pytest

from skrec.autoencoder import MultVAE
from skrec.ensemble import LOCA
from skrec.linear_model import EASE


@pytest.mark.parametrize(
    ("estimator", "names"),
    [
        (EASE(alpha=123.5), ["EASE", "alpha", "123.5"]),
        (MultVAE(n_components=37), ["MultVAE", "n_components", "37"]),
        (LOCA(EASE(alpha=123.5)), ["LOCA", "estimator: EASE", "123.5"]),
    ],
    ids=["EASE", "MultVAE", "LOCA"],
)
def test_html(estimator, names):
    html = estimator._repr_html_()
    text = re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)
    for name in names:
        assert name in text
    assert "Not fitted" in text
    assert estimator._repr_mimebundle_()["text/html"] != ""


def test_html_shows_what_is_at_its_default_too():
    pytest.importorskip("sklearn", minversion="1.7", reason="its table of parameters is newer")
    assert "likelihood" in MultVAE(n_components=37)._repr_html_()
    assert "n_estimators" in LOCA(EASE(alpha=123.5))._repr_html_()


def test_html_of_a_fitted_estimator():
    text = EASE().fit(np.eye(4))._repr_html_()
    assert "<span>Fitted</span>" in text
    assert "Not fitted" not in text
