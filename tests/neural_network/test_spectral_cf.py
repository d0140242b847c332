"""SpectralCF against dense layers, and the rows whose layer 0 is solved for."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.sparse import csr_array, vstack

from skrec.datasets import make_interactions
from skrec.dummy import DummyRecommender
from skrec.metrics import evaluate
from skrec.model_selection import strong_generalization_split
from skrec.neural_network import SpectralCF
from skrec.neural_network._spectral_rows import RowLayers
from skrec.utils._hashing import keyed_negatives, row_hashes
from tests.problems import problem_of
from tests.reference.graphs import adjacency, bpr, random_walk, spectral_cf

FAST = {"learning_rate": 0.02, "batch_size": 256, "random_state": 0, "device": "cpu"}


@pytest.fixture(scope="module")
def X():
    X = csr_array(make_interactions(90, 30, 1000, random_state=0, return_X=True))
    return X[np.sort(np.unique(row_hashes(X), axis=0, return_index=True)[1])][:80]


@pytest.fixture(scope="module")
def new():
    return csr_array(make_interactions(20, 30, 200, random_state=1, return_X=True))


@pytest.mark.parametrize("filter", ["high_pass", "low_pass"])
def test_vectors_are_the_layers_side_by_side(filter, X):
    model = SpectralCF(4, n_layers=2, filter=filter, max_iter=5, **FAST).fit(X)
    P = random_walk(adjacency(X))
    first = np.vstack([model.user_factors_[:, :4], model.components_[:4].T]).astype(float)
    response = (2.0, -1.0) if filter == "high_pass" else (1.0, 1.0)
    expected = spectral_cf(P, first, model.weights_["filters"].astype(float), *response)
    np.testing.assert_allclose(model.user_factors_, expected[:80], atol=1e-5)
    np.testing.assert_allclose(model.components_.T, expected[80:], atol=1e-5)
    assert list(model.weights_) == ["filters"]


def test_the_filter_of_the_symmetric_laplacian_needs_no_eigenvectors(X):
    """With orthogonal U, what the paper multiplies by is 2 I - P."""
    A = adjacency(X)
    scale = 1 / np.sqrt(np.maximum(A.sum(1), 1))
    P = scale[:, None] * A * scale
    values, U = np.linalg.eigh(np.eye(len(P)) - P)
    np.testing.assert_allclose(
        U @ U.T + U @ np.diag(values) @ U.T, 2 * np.eye(len(P)) - P, atol=1e-10
    )


def test_loss_and_gradient_equal_numpy(X):
    model = SpectralCF(3, n_layers=3, alpha=0.3, **FAST)
    problem = problem_of(X)
    module = model._build_module(X.shape, problem)
    with torch.no_grad():
        module.filters.normal_(generator=problem.generator)
    batch = next(iter(model._batches(problem)))
    loss = model._loss(module, batch, 0, problem.generator)
    loss.backward()
    P = random_walk(adjacency(X))
    where = [part.numpy() for part in (batch.users, 80 + batch.items, 80 + batch.negatives[:, 0])]
    parameters = (module.user.weight, module.item.weight, module.filters)
    values = [part.detach().numpy().astype(float) for part in parameters]

    def value(users, items, filters):
        outputs = spectral_cf(P, np.vstack([users, items]), filters)
        return bpr(outputs, outputs, *where, 0.3)

    assert float(loss.detach()) == pytest.approx(value(*values), rel=1e-5)
    for which, at in [(0, (3, 0)), (0, (70, 2)), (1, (4, 1)), (2, (0, 1, 2)), (2, (2, 0, 0))]:
        ends = []
        for sign in (1, -1):
            moved = [part.copy() for part in values]
            moved[which][at] += sign * 1e-4
            ends.append(value(*moved))
        expected = (ends[0] - ends[1]) / 2e-4
        assert float(parameters[which].grad[at]) == pytest.approx(expected, rel=2e-3, abs=1e-6)


def test_derivatives_of_a_row_equal_autograd():
    generator = torch.Generator().manual_seed(0)

    def normal(*shape):
        return torch.randn(*shape, dtype=torch.float64, generator=generator)

    T = normal(12, 12)
    gram = T @ T.t()

    class Objective:
        def value(self, z):
            return (z.sin() @ gram * z).sum(1)

        def derivatives(self, z):
            slope = torch.autograd.functional.jacobian(lambda z: self.value(z).sum(), z)
            hessian = torch.autograd.functional.hessian(lambda z: self.value(z).sum(), z)
            return slope, torch.stack([hessian[n, :, n] for n in range(len(z))])

    some = RowLayers(Objective(), normal(3, 3, 3), normal(5, 9), (2.0, -1.0))
    first = normal(5, 3)
    slope, hessian = some.derivatives(first)
    torch.testing.assert_close(
        slope, torch.autograd.functional.jacobian(lambda x: some.value(x).sum(), first)
    )
    expected = torch.autograd.functional.hessian(lambda x: some.value(x).sum(), first)
    for n in range(5):
        torch.testing.assert_close(hessian[n], expected[n, :, n])


def test_rows_are_folded_in_at_a_minimum_of_their_loss(X, new):
    model = SpectralCF(4, n_layers=2, alpha=0.02, known_users="fold_in", max_iter=30, **FAST)
    vectors = model.fit(X).transform(new)
    Q, filters = model.components_.T.astype(float), model.weights_["filters"].astype(float)
    drawn = keyed_negatives(new, 256, model.seed_, hashes=row_hashes((new > 0) * 1.0))
    for u in np.flatnonzero(drawn[:, 0] >= 0)[:5]:  # others have every item
        mine = new.indices[new.indptr[u] : new.indptr[u + 1]]
        near = Q[mine].mean(0)

        def outputs(x, near=near):
            layers = [x]
            for k, weight in enumerate(filters):
                read = 2 * layers[-1] - near[4 * k : 4 * k + 4]
                layers.append(1 / (1 + np.exp(-read @ weight)))
            return np.concatenate(layers)

        def objective(x, mine=mine, u=u, outputs=outputs):
            z = outputs(x)
            differences = (Q[mine] @ z)[:, None] - Q[drawn[u]] @ z
            return np.log1p(np.exp(-differences)).sum() / 256 + 0.01 * len(mine) * z @ z

        found = minimize(objective, vectors[u, :4], tol=1e-10)
        assert objective(vectors[u, :4]) <= found.fun * (1 + 1e-6) < objective(np.zeros(4))
        np.testing.assert_allclose(vectors[u], outputs(vectors[u, :4]), rtol=1e-6)
    both = vstack([new, csr_array((1, 30)), csr_array(np.ones((1, 30)))]).tocsr()
    whole = model.decision_function(both)
    alone = np.vstack([model.decision_function(both[[i]]) for i in range(both.shape[0])])
    np.testing.assert_allclose(alone, whole, rtol=1e-6)


@pytest.mark.parametrize("alpha", [0.0, 1e-3])
def test_it_learns_and_the_same_seed_gives_the_same_bits(alpha, X):
    one, two = (SpectralCF(4, alpha=alpha, max_iter=30, **FAST).fit(X) for _ in range(2))
    np.testing.assert_array_equal(one.components_, two.components_)
    assert one.loss_curve_ == two.loss_curve_
    assert one.loss_curve_[-1] < 0.8 * one.loss_curve_[0]
    assert one.score(X) > DummyRecommender().fit(X).score(X)


def test_epochs_may_be_of_any_size_and_rmsprop_is_the_authors(X):
    model = SpectralCF(4, solver="rmsprop", epoch_size=100, batch_size=100, max_iter=7).fit(X)
    assert model._n_updates == 7


def test_warm_start_goes_on_by_the_content_of_rows(X, new):
    model = SpectralCF(4, max_iter=10, warm_start=True, **FAST).fit(X)
    vectors, folded = model.user_factors_.copy(), model.transform(new)
    model.set_params(max_iter=1, learning_rate=1e-30).fit(X)
    np.testing.assert_array_equal(model.user_factors_, vectors)
    model.fit(vstack([new, X]).tocsr())
    np.testing.assert_allclose(model.user_factors_[:20, :4], folded[:, :4], atol=1e-6)
    assert model.n_iter_ == 12


def test_items_without_users_score_zero_and_change_nothing(X):
    wide = csr_array((X.data, X.indices, X.indptr), shape=(80, 34))
    one, two = (SpectralCF(4, max_iter=3, **FAST).fit(rows) for rows in (X, wide))
    np.testing.assert_array_equal(two.components_[:, 30:], 0)
    # Products of more rows round in another way.
    np.testing.assert_allclose(two.components_[:, :30], one.components_, atol=1e-5)
    np.testing.assert_allclose(two.user_factors_, one.user_factors_, atol=1e-5)


@pytest.mark.parametrize("full", [np.ones((4, 6)), np.zeros((4, 6))], ids=["full", "empty"])
def test_a_fit_without_a_pair_ends_and_scores(full):
    model = SpectralCF(4, max_iter=2, random_state=0).fit(full)
    assert model.loss_curve_ == [0.0, 0.0]
    assert np.isfinite(model.decision_function(np.eye(6))).all()


def ml_100k(data_home):
    """Strong generalisation: ratings >= 4, 150 users validate and 150 test."""
    log = np.load(data_home / "ml-100k" / "interactions.npz")
    liked = log["rating"] >= 4
    ones = np.ones(liked.sum(), dtype=np.float32)
    X = csr_array((ones, (log["user"][liked], log["item"][liked])))
    X = X[np.diff(X.indptr) >= 5]
    return strong_generalization_split(X, n_validation=150, n_test=150, random_state=0)


@pytest.mark.slow
def test_the_authors_updates_end_at_popularity_and_epochs_do_not(data_home):
    split = ml_100k(data_home)
    theirs = {
        "solver": "rmsprop", "learning_rate": 1e-3, "alpha": 1e-3, "batch_size": 1024,
        "epoch_size": 1024, "max_iter": 200,
    }  # fmt: skip
    models = {
        "popularity": DummyRecommender(),
        "theirs": SpectralCF(**theirs, random_state=0, device="cpu"),
        "ours": SpectralCF(max_iter=40, random_state=0, device="cpu"),
    }
    found = {
        name: evaluate(m.fit(split.X_train), split.X_test, split.y_test, ["ndcg@100"]).mean
        for name, m in models.items()
    }
    score = {name: mean["ndcg@100"] for name, mean in found.items()}
    assert abs(score["theirs"] - score["popularity"]) < 0.02
    assert score["ours"] > score["popularity"] + 0.1


@pytest.mark.cuda
def test_cuda_agrees(X, new):
    options = FAST | {"max_iter": 5, "early_stopping": True}
    there, here = (SpectralCF(8, **(options | {"device": d})).fit(X) for d in ("cuda", "cpu"))
    np.testing.assert_allclose(there.loss_curve_, here.loss_curve_, rtol=1e-3)
    for rows in (X, new):
        np.testing.assert_allclose(
            there.decision_function(rows), here.decision_function(rows), rtol=1e-2, atol=1e-2
        )
