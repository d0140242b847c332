"""The commands as a user without home, from an installation that only root can write."""

import pytest

from tests.unprivileged import own_folder, read_only_copy, run_without_home

pytestmark = pytest.mark.slow  # all kernels are compiled


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    return read_only_copy(tmp_path_factory.mktemp("installed"))


def _run(package, *arguments, **options):
    done = run_without_home(["-m", "skrec", *map(str, arguments)], package, **options)
    assert done.returncode == 0, done.stderr
    return done


def test_evaluate_where_nothing_can_be_written(package):
    done = _run(package, "evaluate", "--models", "ease,itemknn,wmf")
    assert "ease" in done.stdout
    assert done.stderr.count("Compiled kernels") == 1


def test_neural_model_where_nothing_can_be_written(package):
    """torch's optimisers ask for a temporary folder."""
    code = (
        "import numpy as np\n"
        "from skrec.autoencoder import MultVAE\n"
        "X = (np.random.default_rng(0).random((50, 20)) < 0.3) * 1.0\n"
        "model = MultVAE(3, hidden_layer_sizes=(8,), max_iter=2, device='cpu').fit(X)\n"
        "print(model.decision_function(X).shape)"
    )
    done = run_without_home(["-c", code], package)
    assert done.stdout.strip() == "(50, 20)", done.stderr


def test_fit_and_recommend(package, tmp_path):
    folder = own_folder(tmp_path / "own")
    model = folder / "model.skops"
    log = tmp_path / "log.csv"
    log.write_text(
        "user,item\n" + "".join(f"u{u},i{u * u % 7}\nu{u},i{u % 5}\n" for u in range(40))
    )
    _run(package, "fit", log, "--model", "ease", "--output", model, temporary=folder)
    done = _run(package, "recommend", model, "--history", log)
    assert len(done.stdout.splitlines()) > 40
