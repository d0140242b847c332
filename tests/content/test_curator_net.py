"""CuratorNet: loss and gradients by a slow twin, profiles, guidelines, laws of features."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

import skrec
from skrec._torch._rows import DeviceRows
from skrec.content import CuratorNet
from skrec.content._curator_kernels import two_largest as kernel
from skrec.content._curator_module import _two_largest_gathered, profiles, profiles_without
from skrec.content._curator_triplets import Curator
from skrec.content._looks import Looks, clusters
from skrec.content._standard import StandardTable, moments
from skrec.datasets import make_interactions
from tests.reference import curator_net as reference

GROUPS = np.arange(25) % 5
FEATURES = np.random.default_rng(0).normal(2, 3, (25, 6))


def curator(**options):
    small = {
        "hidden_layer_sizes": (7, 4),
        "user_layer_sizes": (5,),
        "n_clusters": 4,
        "max_iter": 3,
        "batch_size": 128,
        "random_state": 0,
        "device": "cpu",
    }
    return CuratorNet(**{**small, **options})


@pytest.fixture(scope="module")
def X():
    return make_interactions(60, 25, 500, random_state=0, return_X=True)


def first_batch(model, X, features=FEATURES):
    """The module of a fit after no step, one batch and its loss, with gradients."""
    found = {}

    class Stops(type(model)):
        def _run(self, module, batches, n_epochs, stopping, generator, after_epoch):
            batch = next(iter(batches))
            loss = self._loss(module, batch, 0, generator)
            loss.backward()
            found.update(module=module, batch=batch, loss=loss, model=self)
            raise RuntimeError

    model = Stops(**model.get_params())
    with pytest.raises(RuntimeError):
        model.fit(X, item_features=features)
    return found["model"], found["module"], found["batch"], found["loss"]


def profiles_of(batch):
    """The items of each triplet's profile, as lists."""
    rows = batch.rows
    found = []
    for place, own in zip(batch.place.tolist(), batch.own.tolist(), strict=True):
        items = rows.column[rows.row == place].tolist()
        assert own < 0 or own in items
        found.append([item for item in items if item != own])
    return found + [[item] for item in batch.single.tolist()]


def triplets_of(batch):
    pairs = zip(batch.positive.tolist(), batch.negative.tolist(), strict=True)
    return [(items, *pair) for items, pair in zip(profiles_of(batch), pairs, strict=True)]


def weights_of(module):
    return {name: value.detach().numpy() for name, value in module.state_dict().items()}


@pytest.mark.parametrize("with_features", [True, False])
def test_loss_is_that_of_the_twin(X, with_features):
    options = {"guidelines": ("profile", "item", "style", "group"), "item_groups": GROUPS}
    features = FEATURES if with_features else None
    _, module, batch, loss = first_batch(curator(**options, margin=0.0), X, features)
    table = reference.standardised(FEATURES, np.ones(25, bool)) if with_features else np.eye(25)
    weights = weights_of(module)
    vectors = np.array([reference.item_vector(weights, row) for row in table])
    assert 0 < len(batch.single) < batch.n_rows  # both kinds of profiles
    expected = reference.loss(weights, vectors, triplets_of(batch))
    assert loss.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", [np.asarray, csr_array, None], ids=["dense", "sparse", "none"])
def test_gradients_are_finite_differences_of_the_twin(X, kind):
    features = None if kind is None else kind(FEATURES)
    _, module, batch, _ = first_batch(curator(item_groups=GROUPS), X, features)
    table = np.eye(25) if kind is None else reference.standardised(FEATURES, np.ones(25, bool))
    weights = {name: value.astype(float) for name, value in weights_of(module).items()}
    triplets, rng = triplets_of(batch), np.random.default_rng(0)

    def value(weights):
        vectors = np.array([reference.item_vector(weights, row) for row in table])
        return reference.loss(weights, vectors, triplets)

    for name, parameter in module.named_parameters():
        way = rng.normal(size=parameter.shape)
        there, back = (
            value({**weights, name: weights[name] + step * way}) for step in (1e-6, -1e-6)
        )
        found = float((parameter.grad.double().numpy() * way).sum())
        assert found == pytest.approx((there - back) / 2e-6, rel=1e-3, abs=1e-5), name


def test_only_weights_are_penalised(X):
    model, module, *_ = first_batch(curator(alpha=0.3), X)
    groups = model._parameter_groups(module)
    by_penalty = {group.get("weight_decay", 0): group["params"] for group in groups}
    assert all(p.ndim == 2 for p in by_penalty[0.3])
    assert all(p.ndim == 1 for p in by_penalty[0])
    assert sum(len(some) for some in by_penalty.values()) == len(list(module.parameters()))


def test_scores_are_those_of_the_twin(X):
    model = curator().fit(X, item_features=FEATURES)
    table = reference.standardised(FEATURES, np.ones(25, bool))
    vectors = np.array([reference.item_vector(model.weights_, row) for row in table])
    np.testing.assert_allclose(model.components_.T, vectors, rtol=1e-4, atol=1e-5)
    rows = X[:8]
    users = np.array(
        [
            reference.user_vector(
                model.weights_, model.components_.T.astype(float), row.nonzero()[0]
            )
            for row in rows.toarray()
        ]
    )
    np.testing.assert_allclose(model.transform(rows), users, rtol=1e-9)
    expected = users @ model.components_
    np.testing.assert_allclose(model.decision_function(rows), expected, rtol=1e-9)
    at = np.array([0, 3, 3, 7]), np.array([1, 24, 0, 5])
    np.testing.assert_allclose(model.score_pairs(rows, *at), expected[at], rtol=1e-9)
    doubled = csr_array((2 * rows.data, rows.indices, rows.indptr), shape=rows.shape)
    np.testing.assert_array_equal(model.transform(doubled), model.transform(rows))


def test_an_empty_row_has_the_mean_vector(X):
    model = curator().fit(X, item_features=FEATURES)
    vectors = model.transform(X)[np.diff(X.indptr) > 0]
    np.testing.assert_allclose(model.user_mean_, vectors.mean(0), rtol=1e-5)
    empty = model.transform(np.zeros((2, 25)))
    np.testing.assert_array_equal(empty, np.tile(model.user_mean_, (2, 1)))


def test_rows_do_not_depend_on_one_another(X):
    model = curator().fit(X, item_features=FEATURES)
    rows = np.concatenate([X.toarray()[:9], np.zeros((1, 25))])
    whole = model.decision_function(rows)
    for order in ([3], [9], [8, 9, 0], [5, 5, 1]):
        np.testing.assert_allclose(model.decision_function(rows[order]), whole[order], rtol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_leaving_one_out_is_a_loop(dtype):
    rng = np.random.default_rng(0)
    # Equal numbers, so that the largest one may stand twice.
    vectors = torch.from_numpy(rng.integers(-2, 3, (9, 5))).to(dtype).requires_grad_()
    dense = rng.random((6, 9)) < 0.5
    dense[:, 0] = dense[:, 4] = True
    rows = DeviceRows(csr_array(dense.astype(float)), "cpu").everything()
    place = torch.tensor([0, 0, 3, 5, 5, 2])
    own = torch.tensor([4, 0, -1, 0, -1, 4])
    found = profiles_without(rows, vectors, place, own)
    for k, (row, left_out) in enumerate(zip(place.tolist(), own.tolist(), strict=True)):
        items = [i for i in np.flatnonzero(dense[row]) if i != left_out]
        expected = reference.profile(vectors.detach().numpy(), items)
        np.testing.assert_allclose(found[k].detach().numpy(), expected, rtol=1e-6, atol=1e-7)
    # What is left out has no part in the gradient, but of its own triplet.
    (slope,) = torch.autograd.grad(found[0].sum(), vectors)
    assert not slope[4].any()
    assert slope.sum() == pytest.approx(2 * 5)  # a mean and a maximum of each component


def test_whole_profiles_and_both_ways_to_the_largest():
    rng = np.random.default_rng(1)
    vectors = torch.from_numpy(rng.integers(-3, 4, (9, 5))).float()
    dense = rng.random((6, 9)) < 0.4
    dense[1], dense[2] = False, np.arange(9) == 4
    matrix = csr_array(dense.astype(float))
    rows = DeviceRows(matrix, "cpu").everything()
    found = profiles(rows, vectors).numpy()
    np.testing.assert_array_equal(found[1], 0)
    for row in (0, 2, 3, 4, 5):
        expected = reference.profile(vectors.numpy(), np.flatnonzero(dense[row]))
        np.testing.assert_allclose(found[row], expected, rtol=1e-6, atol=1e-7)
    first, second = np.empty((2, 6, 5), np.int64)
    start = matrix.indptr.astype(np.int64)
    kernel(vectors.numpy(), start, rows.column.numpy(), first, second)
    assert (first[1] == -1).all()
    assert (second[2] == -1).all()
    for one, other in zip(
        (first, second), _two_largest_gathered(vectors, rows, (6, 5)), strict=True
    ):
        np.testing.assert_array_equal(one, other.numpy())


def test_standard_tables_agree_dense_and_sparse():
    table = FEATURES * (np.random.default_rng(3).random(FEATURES.shape) < 0.5)
    table[4], table[:, 2] = 0, 1.0
    table[4, 2] = 0
    kept = np.arange(25) > 2
    expected = reference.standardised(table[:, [0, 1, 3, 4, 5]], kept)
    weight = torch.from_numpy(np.random.default_rng(4).normal(size=(6, 3))).float()
    weight[2] = 0
    items = torch.tensor([4, 0, 24])
    for kind in (np.asarray, csr_array):
        means, deviations = moments(kind(table), kept)
        assert deviations[2] == 0
        np.testing.assert_allclose(means[2], 1)
        found = StandardTable(kind(table), means, deviations).on("cpu")
        products = expected @ weight.numpy()[[0, 1, 3, 4, 5]]
        for some in (items, torch.arange(25)):
            product = found.product_of(some, weight)
            np.testing.assert_allclose(product, products[some], rtol=1e-4, atol=1e-5)


def test_sparse_features_make_the_same_model(X):
    dense = curator().fit(X, item_features=FEATURES)
    sparse = curator().fit(X, item_features=csr_array(FEATURES))
    np.testing.assert_allclose(sparse.components_, dense.components_, rtol=1e-3, atol=1e-4)


def test_permuted_features_with_a_permuted_first_layer_change_nothing(X):
    order = np.random.default_rng(5).permutation(6)
    model = curator().fit(X, item_features=FEATURES)
    moved = curator().fit(X, item_features=FEATURES[:, order])
    moved.weights_ = {**model.weights_, "first.weight": model.weights_["first.weight"][order]}
    one, other = (m.with_items(F).components_[:, 25:] for m, F in
                  ((model, FEATURES), (moved, FEATURES[:, order])))  # fmt: skip
    np.testing.assert_allclose(other, one, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(one, model.components_, rtol=1e-5, atol=1e-6)


def test_longer_catalogues_score_as_columns_without_users_do(X):
    new = FEATURES[:3] + 0.5
    wide = csr_array((X.data, X.indices, X.indptr), shape=(60, 28))
    for guidelines in (("profile", "item", "style"), ("profile",)):
        options = {"guidelines": guidelines}
        longer = curator(**options).fit(X, item_features=FEATURES).with_items(new)
        at_once = curator(**options).fit(wide, item_features=np.concatenate([FEATURES, new]))
        for name, value in at_once.weights_.items():  # empty columns change no weight
            np.testing.assert_array_equal(longer.weights_[name], value)
        np.testing.assert_allclose(longer.components_, at_once.components_, rtol=1e-5, atol=1e-6)
        row = np.zeros((1, 28))
        row[0, [2, 27]] = 1  # new items may be in a profile
        np.testing.assert_allclose(
            longer.decision_function(row), at_once.decision_function(row), rtol=1e-4, atol=1e-4
        )


def test_without_features_a_table_of_items_is_learned(X):
    model = curator().fit(X)
    assert model.weights_["first.weight"].shape == (25, 7)
    assert not hasattr(model, "feature_means_")
    wide = csr_array((X.data, X.indices, X.indptr), shape=(60, 28))
    longer = curator().fit(wide)
    np.testing.assert_array_equal(longer.weights_["first.weight"][25:], 0)
    np.testing.assert_array_equal(
        longer.weights_["first.weight"][:25], model.weights_["first.weight"]
    )
    with pytest.raises(ValueError, match="without item_features"):
        model.with_items(FEATURES[:2])


def test_sparse_features_and_places_stay_sparse():
    """Dense, the places of 20,000 items would take 1.6 GB, and the features as much."""
    n_items = 20_000
    rng = np.random.default_rng(0)
    items = np.sort(rng.choice(n_items, (30, 4), replace=False), axis=1)
    X = csr_array((np.ones(120), items.ravel(), np.arange(0, 121, 4)), shape=(30, n_items))
    sparse = csr_array((np.ones(n_items), (np.arange(n_items), rng.permutation(n_items))))
    for features in (None, sparse):
        _, module, batch, _ = first_batch(curator(n_clusters=2), X, features)
        table = module.features if features is None else module.features._table
        assert table._dense is None
        assert batch.rows.column.max() < n_items
        assert module.first.weight.shape == (n_items, 7)


def curator_of(X, features=FEATURES, group=GROUPS, **rules):
    present = StandardTable(features, *moments(features, np.ones(25, bool)))
    generator = np.random.default_rng(0)
    rules = {"cluster_share": 0.6, "margin": 0.1, "uniform": generator.random, **rules}
    label = clusters(present, 4, 0)
    return Curator(X, Looks(present), label, group, **rules), label


def test_guidelines(X):
    one, label = curator_of(X)
    dense, entry = X.toarray() > 0, np.arange(X.nnz)
    z = reference.standardised(FEATURES, np.ones(25, bool))
    unit = z / np.linalg.norm(z, axis=1, keepdims=True)
    found = {name: one(name, entry) for name in ("profile", "item", "style", "group")}
    rows = np.repeat(np.arange(60), np.diff(X.indptr))
    for name, drawn in found.items():
        assert len(drawn.entry), name
        np.testing.assert_array_equal(drawn.user >= 0, name in ("profile", "style"))
        np.testing.assert_array_equal(drawn.single >= 0, name in ("item", "group"))
        assert (drawn.user[drawn.user >= 0] == rows[drawn.entry][drawn.user >= 0]).all()
    drawn = found["profile"]
    np.testing.assert_array_equal(drawn.positive, X.indices[drawn.entry])
    np.testing.assert_array_equal(drawn.own, drawn.positive)
    assert not dense[drawn.user, drawn.negative].any()
    # Of rows with nearly all items 20 draws may find nothing that they have not.
    assert set(drawn.entry) >= set(np.flatnonzero((np.diff(X.indptr) < 13)[rows]))
    drawn = found["item"]
    np.testing.assert_array_equal(drawn.positive, drawn.single)
    assert (drawn.positive != drawn.negative).all()
    drawn = found["style"]
    for user, like, other in zip(drawn.user, drawn.positive, drawn.negative, strict=True):
        items = np.flatnonzero(dense[user])
        assert like not in items
        assert ((GROUPS[items] == GROUPS[like]) & (label[items] == label[like])).any()
        assert not (GROUPS[items] == GROUPS[other]).any()
        assert not (label[items] == label[other]).any()
    drawn = found["group"]
    i, like, other = drawn.single, drawn.positive, drawn.negative
    assert (GROUPS[i] == GROUPS[like]).all()
    assert (i != like).all()
    assert (GROUPS[i] != GROUPS[other]).all()
    nearer = (unit[i] * unit[like]).sum(1) - (unit[i] * unit[other]).sum(1)
    assert nearer.min() > 0.1 - 1e-5


@pytest.mark.parametrize("share", [0.0, 0.6, 1.0])
def test_negatives_of_the_same_cluster(share):
    X = csr_array(np.eye(25) + np.eye(25)[[*range(1, 25), 0]])  # two items each
    one, label = curator_of(X, cluster_share=share)
    entry = np.tile(np.arange(X.nnz), 200)
    drawn = one("profile", entry)
    size = np.bincount(label)[label]
    can = (size > 2)[drawn.positive]  # the cluster holds one that the row has not
    same = (label[drawn.positive] == label[drawn.negative])[can]
    by_chance = ((size - 1) / 24)[drawn.positive][can].mean()
    assert same.mean() == pytest.approx(share + (1 - share) * by_chance, abs=0.06)


def test_style_by_clusters_or_groups_alone(X):
    one, _ = curator_of(X, group=None)
    drawn = one("style", np.arange(X.nnz))
    assert len(drawn.entry)
    without = Curator(X, None, None, GROUPS, cluster_share=0.6, margin=0.1,
                      uniform=np.random.default_rng(0).random)  # fmt: skip
    drawn = without("style", np.arange(X.nnz))
    for user, like, other in zip(drawn.user, drawn.positive, drawn.negative, strict=True):
        groups = GROUPS[np.flatnonzero(X.toarray()[user])]
        assert GROUPS[like] in groups
        assert GROUPS[other] not in groups
    neither = Curator(X, None, None, None, cluster_share=0.6, margin=0.1,
                      uniform=np.random.default_rng(0).random)  # fmt: skip
    assert not len(neither("style", np.arange(X.nnz)).entry)


@pytest.mark.parametrize("kind", [np.asarray, csr_array])
def test_items_that_look_the_same_are_never_paired(X, kind):
    features = FEATURES.copy()
    features[1], features[7] = features[0], features[0] * (1 + 1e-9)
    features[10] = features[0] + 0.01
    table = StandardTable(kind(features), *moments(kind(features), np.ones(25, bool)))
    looks = Looks(table)
    z = reference.standardised(features, np.ones(25, bool))
    unit = z / np.linalg.norm(z, axis=1, keepdims=True)
    first, second = np.divmod(np.arange(625), 25)
    np.testing.assert_allclose(looks.cosines(first, second), (unit @ unit.T).ravel(), atol=1e-6)
    same = looks.same(first, second).reshape(25, 25)
    np.testing.assert_array_equal(np.flatnonzero(same[0]), [0, 1, 7])
    one = Curator(X, looks, clusters(table, 4, 0), GROUPS, cluster_share=0.6, margin=0.0,
                  uniform=np.random.default_rng(0).random)  # fmt: skip
    for name in ("profile", "item", "style", "group"):
        drawn = one(name, np.tile(np.arange(X.nnz), 20))
        assert not same[drawn.positive, drawn.negative].any()
        assert same[0, drawn.positive].any(), name  # such items do take part


def test_features_that_are_all_the_same_teach_nothing(X):
    with pytest.warns(UserWarning, match="all items alike"):
        model = curator().fit(X, item_features=np.ones((25, 3)))
    assert model.loss_curve_ == [0.0] * 3


def test_a_fit_is_the_same_again_and_leaves_the_global_generator_alone(X):
    before = torch.default_generator.get_state()
    one, two = (curator().fit(X, item_features=FEATURES) for _ in range(2))
    np.testing.assert_array_equal(one.components_, two.components_)
    assert one.loss_curve_ == two.loss_curve_
    other = curator(random_state=1).fit(X, item_features=FEATURES)
    assert not np.allclose(other.components_, one.components_)
    assert torch.equal(torch.default_generator.get_state(), before)


def test_early_stopping_keeps_the_best_epoch(X):
    model = curator(early_stopping=True, n_iter_no_change=2, max_iter=40, learning_rate=0.05)
    model.fit(X, item_features=FEATURES)
    assert model.n_iter_ < 40
    assert model.best_validation_score_ == max(model.validation_scores_)
    best = int(np.argmax(model.validation_scores_)) + 1
    again = curator(early_stopping=True, max_iter=best, learning_rate=0.05)
    again.fit(X, item_features=FEATURES)
    np.testing.assert_array_equal(again.components_, model.components_)


def test_held_out_entries_are_not_learned_from(X):
    _, _, batch, _ = first_batch(
        curator(early_stopping=True, validation_fraction=0.3, batch_size=10_000), X
    )
    pairs = {(u, i) for u, i in zip(*X.nonzero(), strict=True)}
    shown = {
        (int(batch.rows.users[r]), int(c))
        for r, c in zip(batch.rows.row, batch.rows.column, strict=True)
    }
    assert shown < pairs
    held = len(pairs) - len(shown)
    assert 0.15 * len(pairs) < held < 0.35 * len(pairs)


def test_a_resumed_fit_goes_on(X):
    model = curator(warm_start=True).fit(X, item_features=FEATURES)
    before = {name: value.copy() for name, value in model.weights_.items()}
    means = model.feature_means_.copy()
    model.set_params(max_iter=1, learning_rate=1e-9).fit(X, item_features=FEATURES + 1)
    assert model.n_iter_ == 4
    for name, value in model.weights_.items():
        np.testing.assert_allclose(value, before[name], atol=1e-6)
    np.testing.assert_array_equal(model.feature_means_, means)  # the unit of the first layer
    with pytest.raises(ValueError, match="warm_start=False"):
        model.fit(X)


def test_it_learns_what_looks_have_to_do_with_taste():
    data = make_interactions(200, 60, item_features=True, random_state=0)
    options = {"hidden_layer_sizes": (30, 20), "user_layer_sizes": (20,), "max_iter": 25}
    model = curator(**options, learning_rate=0.01)
    untaught = curator(**options, learning_rate=1e-12).fit(data.X, item_features=data.item_features)
    model.fit(data.X, item_features=data.item_features)
    assert model.score(data.X) > 1.3 * untaught.score(data.X)


def test_weights_of_users(X):
    some = (np.arange(60) % 3 > 0).astype(float)
    weighted = curator()._fit_weighted(X, some, side=skrec.base.SideInformation(FEATURES))
    plain = curator().fit(X, item_features=FEATURES)
    assert not np.allclose(weighted.components_, plain.components_)
    _, _, batch, _ = first_batch(curator(), X)
    np.testing.assert_array_equal(batch.weight, 1)


def test_state_is_small_and_comes_back(X, tmp_path):
    features = np.random.default_rng(0).normal(size=(25, 500))
    model = curator(item_groups=GROUPS).fit(X, item_features=features)
    again = skrec.load(skrec.save(model, tmp_path / "m.skops"))
    np.testing.assert_array_equal(again.decision_function(X), model.decision_function(X))
    assert again.with_items(features[:2]).n_features_in_ == 27
    kept = sum(value.size for name, value in vars(model).items() if isinstance(value, np.ndarray))
    assert kept < features.size / 2  # features are not kept


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"guidelines": ()}, "guidelines"),
        ({"guidelines": ("profile", "profile")}, "guidelines"),
        ({"guidelines": ("looks",)}, "guidelines"),
        ({"guidelines": "profile"}, "guidelines"),
        ({"guidelines": ("group",)}, "needs item_groups"),
        ({"item_groups": np.arange(24)}, "one label for each item"),
        ({"item_groups": np.arange(25.0)}, "item_groups"),
        ({"item_groups": np.eye(5)}, "item_groups"),
        ({"item_groups": [*"abcde" * 4, None]}, "item_groups"),
        ({"n_clusters": 0}, "n_clusters"),
        ({"cluster_share": 1.1}, "cluster_share"),
        ({"margin": -0.1}, "margin"),
        ({"hidden_layer_sizes": ()}, "hidden_layer_sizes"),
        ({"user_layer_sizes": 3}, "user_layer_sizes"),
    ],
)
def test_wrong_parameters(X, options, text):
    with pytest.raises(ValueError, match=text):
        curator(**options).fit(X)


def test_labels_of_items_may_be_text(X):
    guidelines = ("profile", "group")
    one = curator(guidelines=guidelines, item_groups=GROUPS).fit(X, item_features=FEATURES)
    names = ["abcde"[g] for g in GROUPS]
    for labels in (names, np.array(names), np.array(names, dtype=object)):
        other = curator(guidelines=guidelines, item_groups=labels).fit(X, item_features=FEATURES)
        np.testing.assert_array_equal(other.components_, one.components_)


def test_rows_without_a_triplet(X):
    for rows in (np.eye(25), np.ones((3, 25)), np.zeros((3, 25))):
        model = curator(guidelines=("profile",)).fit(rows, item_features=FEATURES)
        assert model.loss_curve_ == [0.0] * 3
        assert np.isfinite(model.decision_function(X)).all()


@pytest.mark.cuda
def test_cuda_agrees(X):
    for features in (FEATURES, csr_array(FEATURES), None):
        there, here = (
            curator(device=device, early_stopping=True).fit(X, item_features=features)
            for device in ("cuda", "cpu")
        )
        np.testing.assert_allclose(there.loss_curve_, here.loss_curve_, rtol=1e-3)
        np.testing.assert_allclose(there.components_, here.components_, rtol=1e-2, atol=1e-2)
        on_cuda = there.decision_function(X)
        there.set_params(device="cpu")
        np.testing.assert_allclose(there.decision_function(X), on_cuda, rtol=1e-6, atol=1e-7)
