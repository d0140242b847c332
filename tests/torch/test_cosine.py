"""The cosine contrastive loss of learned vectors: MF-CCL as an option of GMF."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array, vstack

from skrec._torch._cosine import CosineRows
from skrec._torch._fold_in import Terms
from skrec.datasets import make_interactions
from skrec.dummy import DummyRecommender
from skrec.neural_network import GMF, MLPRecommender, NeuMF
from skrec.utils._hashing import keyed_negatives, row_hashes

OPTIONS = {
    "loss": "cosine_contrastive", "n_negatives": 40, "negative_weight": 20.0, "max_iter": 30,
    "learning_rate": 0.003, "random_state": 0, "device": "cpu",
}  # fmt: skip


@pytest.fixture(scope="module")
def X():
    return make_interactions(150, 60, 2000, random_state=0, return_X=True)


@pytest.fixture(scope="module")
def model(X):
    return GMF(8, **OPTIONS).fit(X)


def _unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def test_scores_are_cosines(model, X):
    U, V = _unit(model.user_factors_.astype(float)), _unit(model.weights_["item.weight"])
    scores = model.decision_function(X)
    known = np.unique(X.toarray() > 0, axis=0, return_index=True)[1]
    np.testing.assert_allclose(scores[known], (U @ V.T)[known], atol=1e-5)
    assert list(model.weights_) == ["item.weight"]
    assert not model.item_bias_.any()
    assert model.score(X) > DummyRecommender().fit(X).score(X) + 0.02
    again = GMF(**model.get_params()).fit(X)
    np.testing.assert_array_equal(again.components_, model.components_)
    sparse = GMF(8, **OPTIONS, solver="sparse_adam").fit(X)
    assert sparse.loss_curve_[-1] < 0.5 * sparse.loss_curve_[0]


def test_one_batch_equals_numpy(X):
    """The loss, an interaction at a time; and the slopes of vectors of any length."""
    recorded = {}

    class Recorded(GMF):
        def _loss(self, module, batch, step, generator):
            recorded["state"] = {n: w.detach().numpy().copy() for n, w in module.named_parameters()}
            recorded["batch"], value = batch, super()._loss(module, batch, step, generator)
            return value

    options = {**OPTIONS, "margin": 0.3, "alpha": 1e6, "max_iter": 1, "batch_size": 10**6}
    fitted = Recorded(4, **options).fit(X)
    state, (pairs, _, shared) = recorded["state"], recorded["batch"]
    P, Q = state["user.weight"].astype(float), state["item.weight"].astype(float)
    total, dense = 0.0, X.toarray() > 0
    for u, i in zip(pairs.users.tolist(), pairs.items.tolist(), strict=True):
        cosines = _unit(Q) @ _unit(P[u])
        left = [j for j in shared.items.tolist() if not dense[u, j]]
        total += 1 - cosines[i] + 20 * np.maximum(0, cosines[left] - 0.3).mean()
        total += 5e5 * (P[u] @ P[u] + Q[i] @ Q[i])
    assert fitted.loss_curve_[0] == pytest.approx(total / len(pairs.users), rel=1e-5)


def test_rows_are_folded_in_where_their_loss_is_least(model):
    new = make_interactions(20, 60, 300, random_state=1, return_X=True)
    fold_in = GMF(**{**model.get_params(), "known_users": "fold_in"})
    vars(fold_in).update({name: value for name, value in vars(model).items() if name[-1] == "_"})
    vectors = fold_in.transform(new)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-6)
    drawn = keyed_negatives(new, 256, model.seed_, hashes=row_hashes((new > 0) * 1.0))
    Q = model.components_.T.astype(float)

    def objective(u, x):
        mine = Q[new.indices[new.indptr[u] : new.indptr[u + 1]]]
        return 1 - (mine @ x).mean() + 20 * np.maximum(0, Q[drawn[u]] @ x - 0.9).mean()

    rng = np.random.default_rng(0)
    for u in range(20):
        at = objective(u, vectors[u])
        for scale in (1e-3, 0.03, 0.3, 1.0):
            steps = rng.normal(scale=scale, size=(20, 8))
            assert min(objective(u, x) for x in _unit(vectors[u] + steps)) > at - 1e-4
    alone = np.vstack([fold_in.transform(new[[u]]) for u in range(20)])
    np.testing.assert_allclose(alone, vectors, atol=1e-8)


def test_the_form_for_newton_has_the_slopes_of_its_value():
    generator = torch.Generator().manual_seed(0)

    def normal(*shape):
        return torch.randn(*shape, dtype=torch.float64, generator=generator)

    items = normal(30, 4)
    items = items / items.norm(dim=1, keepdim=True)
    draw = torch.randint(30, (5, 3 + 10), generator=generator)
    ones = torch.ones(5, 13, dtype=torch.float64)
    terms = Terms(torch.arange(5), draw[:, :3], ones[:, :3], draw[:, 3:], 4 * ones[:, 3:] / 10)
    rows = CosineRows(terms, items, 0.4, 7.0)
    vectors, step = normal(5, 4), 1e-6 * normal(5, 4)
    slope, hessian = rows.derivatives(vectors)
    change = rows.value(vectors + step) - rows.value(vectors - step)
    torch.testing.assert_close(change, 2 * (slope * step).sum(1), rtol=1e-5, atol=1e-12)
    assert (torch.linalg.eigvalsh(hessian) > 0).all()


def test_odd_rows_have_finite_scores(model, X):
    odd = vstack([csr_array((1, 60)), csr_array(np.ones((1, 60)))]).tocsr()
    for known_users in ("match", "fold_in"):
        fitted = GMF(8, **OPTIONS, known_users=known_users).fit(vstack([X, odd]).tocsr())
        assert np.isfinite(fitted.decision_function(odd)).all()
    mean = _unit(fitted.user_mean_)
    np.testing.assert_allclose(fitted.transform(odd)[0], mean, atol=1e-6)


def test_a_fit_goes_on_with_the_lengths_of_its_vectors(model, X):
    more = GMF(**model.get_params()).set_params(warm_start=True).fit(X)
    before = more.user_factors_.copy()
    more.set_params(max_iter=1, learning_rate=1e-9).fit(X)
    distinct = np.unique(X.toarray() > 0, axis=0, return_index=True)[1]
    np.testing.assert_allclose(more.user_factors_[distinct], before[distinct], atol=1e-6)


def test_early_stopping_looks_at_cosines(X):
    model = GMF(8, **OPTIONS, early_stopping=True, validation_fraction=0.2).fit(X)
    assert model.best_validation_score_ == max(model.validation_scores_) > 0


def test_neumf_wants_a_gmf_with_weights(model, X):
    mlp = MLPRecommender(8, hidden_layer_sizes=(4,), max_iter=1, random_state=0).fit(X)
    neu = NeuMF(8, n_mlp_components=8, hidden_layer_sizes=(4,), pretrained=(model, mlp))
    with pytest.raises(ValueError, match="loss='cosine_contrastive'"):
        neu.fit(X)


@pytest.mark.cuda
def test_cuda_agrees_with_the_cpu(X):
    options = {**OPTIONS, "max_iter": 2, "learning_rate": 1e-5}
    models = [GMF(8, **{**options, "device": device}).fit(X) for device in ("cpu", "cuda")]
    np.testing.assert_allclose(models[0].loss_curve_, models[1].loss_curve_, rtol=1e-3)
    np.testing.assert_allclose(models[0].transform(X), models[1].transform(X), atol=0.02)
