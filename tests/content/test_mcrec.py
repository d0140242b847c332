"""MCRec: paths against brute force, outputs against a twin in NumPy, gradients, relations."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array, hstack, vstack
from sklearn.model_selection import GridSearchCV

from skrec import load, save
from skrec.content import MCRec, _path_net
from skrec.content._path_pairs import PathPairs
from skrec.content._paths import (
    PathFinder,
    find_instances,
    item_vectors,
    node_vectors,
    strongest_links,
)
from skrec.content._relations import check_metapaths, check_relations, links_between
from skrec.datasets import make_interactions
from skrec.dummy import DummyRecommender
from skrec.metrics import make_ranking_scorer
from skrec.model_selection import SameUsersSplit, holdout_split
from skrec.utils._hashing import row_hashes
from tests.reference.mcrec import all_paths, best_of_row, score

N_USERS, N_ITEMS = 30, 14
FAST = {"max_iter": 3, "learning_rate": 0.01, "hidden_layer_sizes": (7, 4), "random_state": 0}
METAPATHS = (
    "user-item-user-item",
    "user-item-genre-item",
    "user-item-item",
    "user-item-user-job-user-item",
)


@pytest.fixture(scope="module")
def X():
    X = make_interactions(N_USERS, N_ITEMS - 1, 130, random_state=0, return_X=True)
    X = X[np.sort(np.unique(row_hashes(X), axis=0, return_index=True)[1])]
    return csr_array((X.data, X.indices, X.indptr), shape=(X.shape[0], N_ITEMS))  # one has no user


@pytest.fixture(scope="module")
def new():
    return make_interactions(5, N_ITEMS, 25, random_state=1, return_X=True)


def table(seed, shape, share=0.35):
    return csr_array((np.random.default_rng(seed).random(shape) < share) * 1.0)


@pytest.fixture(scope="module")
def relations(X):
    return {
        "item-genre": table(0, (N_ITEMS, 4)),
        "item-item": table(1, (N_ITEMS, N_ITEMS)),
        "job-user": table(2, (3, X.shape[0])),
    }


@pytest.fixture(scope="module")
def graph(X, relations):
    """Links, vectors and metapaths."""
    links = check_relations(relations, X.shape)
    metapaths = check_metapaths(METAPATHS, links)
    kinds = {kind for path in metapaths for kind in path}
    vectors = node_vectors(kinds, item_vectors(X, 5, 0), X, links)
    return links, vectors, metapaths


def brute(kinds, X, graph):
    """All paths by their first item, with dense tables."""
    links, vectors, _ = graph
    tables = {
        ends: links_between(*ends, X, links).toarray()
        for ends in zip(kinds[1:-1], kinds[2:], strict=True)
    }
    return {first: all_paths(kinds, vectors, tables, first) for first in range(X.shape[1])}


def instances(kinds, X, graph, max_paths=50, max_neighbors=100):
    links, vectors, _ = graph
    return find_instances(
        kinds, vectors, X, links, max_paths=max_paths, max_neighbors=max_neighbors
    )


@pytest.mark.parametrize("place", range(len(METAPATHS)), ids=METAPATHS)
def test_paths_are_those_of_brute_force(place, X, graph, new):
    kinds = graph[2][place]
    paths_of = brute(kinds, X, graph)
    one = instances(kinds, X, graph)
    assert len(one.nodes)
    for first in range(N_ITEMS):
        mine = slice(one.start[first], one.start[first + 1])
        expected = []
        for last in range(N_ITEMS):
            expected += [p for p in paths_of[first] if p[1][-1] == last][:2]
        assert (one.nodes[mine, 0] == first).all()
        # Of equally strong ones any may come first.
        np.testing.assert_allclose(one.strength[mine], [p[0] for p in expected], rtol=1e-5)
        np.testing.assert_array_equal(one.nodes[mine, -1], [p[1][-1] for p in expected])
        strengths = {p[1]: p[0] for p in paths_of[first]}
        for nodes, strength in zip(one.nodes[mine], one.strength[mine], strict=True):
            assert strengths[tuple(nodes.tolist())] == pytest.approx(strength, rel=1e-5)
    finder = PathFinder([one], 3)
    for u in range(new.shape[0]):
        row = new.indices[new.indptr[u] : new.indptr[u + 1]]
        found = finder.of_row(row)[0]
        for item in range(N_ITEMS):
            expected = best_of_row(paths_of, row, item, 3)
            some = found[item][found[item] >= 0]
            np.testing.assert_allclose(one.strength[some], [p[0] for p in expected], rtol=1e-5)
            assert len(set(one.nodes[some, 0])) == len(some)


@pytest.mark.parametrize("place", range(len(METAPATHS)), ids=METAPATHS)
def test_paths_of_pairs_are_those_of_rows_without_the_own_user(place, X, graph):
    kinds = graph[2][place]
    paths_of, one = brute(kinds, X, graph), instances(kinds, X, graph)
    finder = PathFinder([one], 2)
    rows, items = np.arange(X.shape[0]), np.tile(np.arange(N_ITEMS), (X.shape[0], 1))
    plain = finder.of_pairs(X, rows, items, own=False)[0]
    own = finder.of_pairs(X, rows, items, own=True)[0]
    users = [c for c, kind in enumerate(kinds[1:]) if kind == "user"]
    n_other = 0
    for u in rows:
        row = X.indices[X.indptr[u] : X.indptr[u + 1]]
        np.testing.assert_array_equal(plain[u], finder.of_row(row)[0])
        for item in range(N_ITEMS):
            some = own[u, item][own[u, item] >= 0]
            assert not (one.nodes[some][:, users] == u).any()
            expected = best_of_row(
                paths_of, row, item, 2, lambda nodes, u=u: u in [nodes[c] for c in users]
            )
            if not users:
                np.testing.assert_array_equal(own[u, item], plain[u, item])
            # The path of an interaction is that of the row without it.
            if item in row and not users:
                without = finder.of_row(row[row != item])[0][item]
                np.testing.assert_array_equal(own[u, item], without)
            np.testing.assert_allclose(one.strength[some], [p[0] for p in expected], rtol=1e-5)
            n_other += not np.array_equal(own[u, item], plain[u, item])
    assert bool(users) == (n_other > 0)


def test_few_last_items_and_few_links_are_kept(X, graph):
    kinds = graph[2][0]
    whole, few = instances(kinds, X, graph), instances(kinds, X, graph, max_paths=3)
    for first in range(N_ITEMS):
        of_whole, of_few = (slice(*one.start[first : first + 2]) for one in (whole, few))
        best = {}
        for last, strength in zip(whole.nodes[of_whole, -1], whole.strength[of_whole], strict=True):
            best[last] = max(best.get(last, 0), strength)
        assert len(set(few.nodes[of_few, -1])) == min(3, len(best))
        least = min((best[last] for last in few.nodes[of_few, -1]), default=0)
        assert sum(value > least + 1e-7 for value in best.values()) < 3
    links, vectors, _ = graph
    table = links_between("item", "user", X, links)
    some = strongest_links(table, vectors["item"], vectors["user"], 2)
    np.testing.assert_array_equal(
        np.diff(some.indptr), np.minimum(np.diff(table.tocsr().indptr), 2)
    )
    cosine = (1 + vectors["item"] @ vectors["user"].T) / 2
    for item in range(N_ITEMS):
        linked = cosine[item][table.toarray()[item] > 0]
        kept = some.toarray()[item]
        np.testing.assert_allclose(
            np.sort(kept[kept > 0]), np.sort(linked)[-2:][-len(kept[kept > 0]) :], rtol=1e-5
        )
    assert len(instances(kinds, X, graph, max_neighbors=1).nodes) < len(whole.nodes)


def test_vectors_of_nodes_are_means_of_their_neighbours(X, graph):
    links, vectors, _ = graph
    length = np.linalg.norm(vectors["item"], axis=1)
    np.testing.assert_allclose(length, (np.diff(X.T.tocsr().indptr) > 0) * 1.0, atol=1e-6)
    for kind, table in (
        ("genre", links["item", "genre"].T.toarray() @ vectors["item"]),
        ("user", (X.toarray() > 0) @ vectors["item"]),
        ("job", links["job", "user"].toarray() @ vectors["user"]),
    ):
        length = np.linalg.norm(table, axis=1, keepdims=True)
        np.testing.assert_allclose(vectors[kind] * length, table, atol=1e-5)


def context_of(model, graph, X, row, item):
    """The paths that a model reads, by brute force; for the twin."""
    return {
        kinds: [p[1] for p in best_of_row(brute_of(model, kinds, X, graph), row, item, 3)]
        for kinds in graph[2]
    }


def brute_of(model, kinds, X, graph, known={}):  # noqa: B006
    if (id(model), kinds) not in known:
        known[id(model), kinds] = brute(kinds, X, (graph[0], model.node_vectors_, None))
    return known[id(model), kinds]


def test_scores_are_those_of_the_twin(X, graph, relations, new, monkeypatch):
    model = MCRec(
        6, metapaths=METAPATHS, n_node_components=5, n_instances=3, alpha=0.01, **FAST
    ).fit(X, relations=relations)
    both = vstack([new, X[:3]]).tocsr().astype(np.float64)
    vectors = model.transform(both)
    found = model.decision_function(both)
    for u in range(both.shape[0]):
        row = both.indices[both.indptr[u] : both.indptr[u + 1]]
        expected = [
            score(
                vectors[u], item, row, model.weights_,
                context_of(model, graph, X, row, item), model.node_vectors_,
            )
            for item in range(N_ITEMS)
        ]  # fmt: skip
        np.testing.assert_allclose(found[u], expected, rtol=1e-5, atol=1e-6)
    rows, items = np.nonzero(np.ones(both.shape))
    pairs = model.score_pairs(both, rows[::-1], items[::-1])[::-1].reshape(both.shape)
    np.testing.assert_allclose(pairs, found, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(model.decision_function(both.astype("f")), found, atol=1e-4)
    monkeypatch.setattr("skrec.content._path_net._N_NUMBERS", 200)  # a few items at once
    np.testing.assert_allclose(model.decision_function(both), found, rtol=1e-9, atol=1e-12)


@pytest.fixture(scope="module")
def network(X, graph, relations):
    """A model, its network in float64 with large weights, and a batch for it."""
    model = MCRec(
        3, metapaths=METAPATHS, n_node_components=5, n_instances=3, dropout=0.0, alpha=0.3, **FAST
    ).fit(X, relations=relations)
    generator = torch.Generator().manual_seed(0)
    net = model._build_module(X.shape).double()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.normal_(std=0.7, generator=generator)
    users, items = (torch.from_numpy(a[:8].astype(np.int64)) for a in X.nonzero())
    dense = X.toarray()
    drawn = [np.flatnonzero(dense[u] == 0)[:2] for u in users]
    negatives = torch.from_numpy(np.array(drawn, np.int64))
    everything = torch.cat([items[:, None], negatives], dim=1)
    found = net.graph.finder.of_pairs(X, users.numpy(), everything.numpy(), own=True)
    sums = torch.from_numpy(net.graph.sums(X)[users]).double()
    weight = torch.ones(8, dtype=torch.float64)
    found = [torch.from_numpy(part) for part in found]
    return model, net, PathPairs(users, items, negatives, weight, sums, found)


def test_the_loss_is_that_of_the_twin_and_so_are_its_gradients(X, graph, network):
    model, net, batch = network
    value = model._loss(net, batch, 0, torch.Generator())
    state = {name: w.detach().numpy().copy() for name, w in net.named_parameters()}
    nodes = [model.paths_[name]["nodes"] for name in METAPATHS]

    def context(r, m):
        return {
            kinds: [tuple(nodes[p][i]) for i in batch.found[p][r, m].tolist() if i >= 0]
            for p, kinds in enumerate(graph[2])
        }

    def twin():
        total = 0.0
        for r, user in enumerate(batch.users.tolist()):
            row = X.indices[X.indptr[user] : X.indptr[user + 1]]
            x = state["user.weight"][user]
            items = [int(batch.items[r]), *batch.negatives[r].tolist()]
            total += 0.15 * (x**2).sum()
            for m, item in enumerate(items):
                s = score(x, item, row, state, context(r, m), model.node_vectors_)
                total += np.logaddexp(0, -s if m == 0 else s)
                total += 0.15 * (state["item.weight"][item] ** 2).sum()
        return total / len(batch.users)

    assert value.item() == pytest.approx(twin(), rel=1e-7)
    value.backward()
    rng = np.random.default_rng(0)
    for name, parameter in net.named_parameters():
        step = rng.normal(size=state[name].shape)
        ends = []
        for sign in (1, -1):
            state[name] += sign * 1e-6 * step
            ends.append(twin())
            state[name] -= sign * 1e-6 * step
        slope = (parameter.grad.numpy() * step).sum()
        assert slope == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-4, abs=1e-7), name
        assert parameter.grad.any(), name


def test_shares_of_metapaths_sum_to_one(network):
    _, net, batch = network
    item = torch.cat([batch.items[:, None], batch.negatives], dim=1)
    own = torch.zeros_like(item, dtype=torch.bool)
    found = [part.clone() for part in batch.found]
    for part in found:  # a pair without any path
        part[0, 0] = -1
    vectors, present = net.path_vectors(batch.sums, item, own, found)
    share = net.shares(net.user(batch.users)[:, None], net.item(item), vectors, present)
    expected = present.any(dim=2).double()
    torch.testing.assert_close(share.sum(dim=2), expected)
    assert not share[~present].any()
    assert expected[0, 0] == 0
    assert (share[present] > 0).all()
    assert not present.all()
    assert present.any(dim=(0, 1)).all()
    assert not vectors[~present].any()


def test_it_learns_and_the_same_seed_gives_the_same_bits(X, new, relations):
    options = {"max_iter": 15, "learning_rate": 0.01, "batch_size": 32, "random_state": 3}
    one, two = (MCRec(8, **options).fit(X, relations=relations) for _ in range(2))
    assert list(one.paths_) == ["user-item-user-item", "user-item-genre-item", "user-item-item"]
    assert one.loss_curve_ == two.loss_curve_
    np.testing.assert_array_equal(one.user_factors_, two.user_factors_)
    np.testing.assert_array_equal(one.decision_function(new), two.decision_function(new))
    assert one.loss_curve_[-1] < 0.8 * one.loss_curve_[0]
    assert one.score(X) > DummyRecommender().fit(X).score(X)
    np.testing.assert_array_equal(one.weights_["item.weight"][-1], 0)  # no user, no vector


def test_columns_without_users_change_nothing(X, new):
    wide = csr_array(hstack([X, csr_array((X.shape[0], 3))], format="csr"))
    one, two = (MCRec(6, **FAST).fit(rows) for rows in (X, wide))
    for name, value in one.weights_.items():
        longer = two.weights_[name]
        np.testing.assert_allclose(longer[: len(value)], value, rtol=1e-3, atol=1e-5, err_msg=name)
    assert not two.weights_["item.weight"][N_ITEMS:].any()
    rows = csr_array(hstack([new, csr_array((new.shape[0], 3))], format="csr"))
    np.testing.assert_allclose(
        two.decision_function(rows)[:, :N_ITEMS], one.decision_function(new), atol=1e-3
    )


def test_without_metapaths_there_is_no_context(X, new):
    model = MCRec(6, metapaths=(), **FAST).fit(X)
    assert model.paths_ == {}
    assert set(model.node_vectors_) == {"item"}
    assert not any(name.startswith(("paths", "attention", "share")) for name in model.weights_)
    vectors = model.transform(new)
    found = model.decision_function(new)
    for u in range(new.shape[0]):
        row = new.indices[new.indptr[u] : new.indptr[u + 1]]
        expected = [
            score(vectors[u], i, row, model.weights_, {}, model.node_vectors_)
            for i in range(N_ITEMS)
        ]
        np.testing.assert_allclose(found[u], expected, rtol=1e-4, atol=1e-4)


def test_a_genre_leads_to_an_item_without_users(X):
    genres = np.zeros((N_ITEMS, 2))
    genres[: N_ITEMS // 2, 0] = genres[N_ITEMS // 2 :, 1] = 1
    model = MCRec(6, metapaths=["user-item-genre-item"], **FAST).fit(
        X, relations={"item-genre": genres}
    )
    last = model.paths_["user-item-genre-item"]["nodes"]
    assert set(last[last[:, -1] == N_ITEMS - 1][:, 0]) == set(range(N_ITEMS // 2, N_ITEMS - 1))


def test_vectors_of_nodes_are_those_of_the_first_relation_of_their_kind(X, relations):
    """Users have theirs by X, whatever `relations` say of users; of two, the first one counts."""
    links = check_relations(
        {"item-genre": relations["item-genre"], "user-genre": table(3, (X.shape[0], 4))}, X.shape
    )
    items = item_vectors(X, 5, 0)
    found = node_vectors({"item", "user", "genre"}, items, X, links)
    for kind, linked in (("user", X > 0), ("genre", relations["item-genre"].T)):
        mean = linked @ items.astype(float)
        np.testing.assert_allclose(
            found[kind], mean / np.linalg.norm(mean, axis=1, keepdims=True), atol=1e-5
        )


@pytest.mark.slow
def test_what_paths_take_counts_for_the_groups_of_users_who_are_folded_in(
    X, relations, monkeypatch
):
    model = MCRec(
        3, metapaths=METAPATHS, n_node_components=5, n_instances=9, known_users="fold_in", **FAST
    ).fit(X, relations=relations)
    many, sizes, largest = vstack([X] * 20, format="csr"), [], _path_net._largest

    def watched(layer, parts):
        windows = parts.unfold(-1, layer.in_features, layer.in_features // 3)
        sizes.append(2 * parts.numel() + windows.numel())  # the parts, joined, and once more
        return largest(layer, parts)

    monkeypatch.setattr(_path_net, "_largest", watched)
    model.transform(many)
    assert 0.1 * 2**21 < max(sizes) < 2**21


def test_folded_in_users_have_a_lower_objective(X, graph, relations, new):
    """Of the whole row with the negatives that count, and with the prior of the vectors."""
    model = MCRec(
        5, metapaths=METAPATHS, n_node_components=5, n_instances=3, alpha=0.0,
        known_users="fold_in", **FAST,
    ).fit(X, relations=relations)  # fmt: skip
    hashes = row_hashes((new > 0) * 1.0)
    found, drawn = model.transform(new), model._drawn(new, hashes)

    def total(u, x):
        row = new.indices[new.indptr[u] : new.indptr[u + 1]]
        s = np.array(
            [
                score(
                    x, i, row, model.weights_, context_of(model, graph, X, row, i),
                    model.node_vectors_,
                )
                for i in range(N_ITEMS)
            ]
        )  # fmt: skip
        away = x - model.user_mean_
        mine = np.logaddexp(0, -s[row]).sum()
        others = len(row) * 4 / drawn.shape[1] * np.logaddexp(0, s[drawn[u]]).sum()
        return mine + others + away @ model.user_precision_ @ away / 2

    for u in range(3):
        assert total(u, found[u]) < total(u, model.user_mean_) - 1e-6
        steps = np.random.default_rng(u).normal(scale=0.1, size=(5, 5))
        assert min(total(u, found[u] + step) for step in steps) > total(u, found[u]) - 1e-3


def test_a_resumed_fit_keeps_the_vectors_of_nodes(X, relations):
    model = MCRec(4, warm_start=True, **FAST).fit(X, relations=relations)
    items, users = model.node_vectors_["item"], model.user_factors_.copy()
    reverse = relations | {"job-user": relations["job-user"][:, ::-1]}
    model.set_params(max_iter=1, learning_rate=1e-12).fit(X[::-1], relations=reverse)
    np.testing.assert_array_equal(model.node_vectors_["item"], items)
    np.testing.assert_allclose(model.user_factors_, users[::-1], atol=1e-6)
    assert model.n_iter_ == 4
    with pytest.raises(ValueError, match="warm_start continues"):
        model.fit(X)  # without the relations


@pytest.mark.parametrize(
    ("options", "relations", "error", "text"),
    [
        ({}, [np.eye(N_ITEMS)], TypeError, "must be a dict"),
        ({}, {"itemgenre": np.eye(N_ITEMS)}, ValueError, "hyphen"),
        ({}, {"item-my genre": np.eye(N_ITEMS)}, ValueError, "hyphen"),
        ({}, {3: np.eye(N_ITEMS)}, ValueError, "hyphen"),
        ({}, {"item-user": np.eye(N_ITEMS)}, ValueError, "X is that relation"),
        ({}, {"item-genre": np.eye(3)}, ValueError, "14 rows or columns for 'item'"),
        ({}, {"item-item": np.ones((N_ITEMS, 2))}, ValueError, "for 'item'"),
        ({}, {"user-job": np.eye(N_ITEMS)}, ValueError, "folds of users"),
        ({}, {"item-genre": np.full((N_ITEMS, 2), np.nan)}, ValueError, "finite"),
        ({}, {"item-genre": np.array([["a"]] * N_ITEMS)}, ValueError, "numbers"),
        (
            {},
            {"item-genre": np.ones((N_ITEMS, 2)), "genre-item": np.ones((2, N_ITEMS))},
            ValueError,
            "its reverse",
        ),
        ({"metapaths": ["user-item-genre-item"]}, None, ValueError, "relation 'item-genre'"),
        ({"metapaths": ["user-user-item"]}, None, ValueError, "must begin with 'user-item-'"),
        ({"metapaths": ["user-item"]}, None, ValueError, "must begin"),
        ({"metapaths": ["user-item-user"]}, None, ValueError, "end with '-item'"),
        ({"metapaths": [3]}, None, ValueError, "must begin"),
        ({"metapaths": ["user-item-user-item"] * 2}, None, ValueError, "distinct"),
        ({"metapaths": "user-item-user-item"}, None, ValueError, "a tuple of metapaths"),
    ],
    ids=str,
)  # fmt: skip
def test_wrong_relations_and_metapaths_are_refused(options, relations, error, text, X):
    model = MCRec(4, **FAST)
    model.fit(X)
    before = model.decision_function(X)
    model.set_params(**options)
    with pytest.raises(error, match=text):
        model.fit(X, relations=relations)
    np.testing.assert_array_equal(model.decision_function(X), before)


def test_broken_relations_are_refused(X):
    broken = table(0, (N_ITEMS, 4))
    broken.indices[3] = 400
    with pytest.raises(ValueError, match="item-genre"):
        MCRec(4, **FAST).fit(X, relations={"item-genre": broken})


def test_relations_are_read_in_any_form_and_not_changed(X, new):
    genres = table(0, (N_ITEMS, 4))
    twice = csr_array(
        (
            np.concatenate([genres.data, [0.0]]),
            (np.append(genres.nonzero()[0], 0), np.append(genres.nonzero()[1], 3)),
        ),
        shape=genres.shape,
    )
    expected = MCRec(4, **FAST).fit(X, relations={"item-genre": genres}).decision_function(new)
    for form in (7 * genres, genres.toarray(), genres.tocoo(), csr_array(genres.T), twice):
        name = "genre-item" if form.shape[0] == 4 else "item-genre"
        stored = form.copy()
        found = MCRec(4, metapaths=("user-item-user-item", "user-item-genre-item"), **FAST)
        found = found.fit(X, relations={name: form}).decision_function(new)
        np.testing.assert_array_equal(found, expected)
        assert (form != stored).sum() == 0


def test_a_search_hands_relations_on(X):
    relations = {"item-genre": table(0, (N_ITEMS, 4))}
    grid = {"dropout": [0.0, 0.5]}
    search = GridSearchCV(
        MCRec(4, **FAST), grid, cv=2, scoring=make_ranking_scorer("ndcg@5"), error_score="raise"
    )
    search.fit(X, relations=relations)
    assert list(search.best_estimator_.paths_) == ["user-item-user-item", "user-item-genre-item"]
    assert np.isfinite(search.best_score_)
    relations = relations | {"user-job": table(3, (X.shape[0], 3))}
    train, held = holdout_split(X, 0.3, random_state=0)
    search.set_params(cv=SameUsersSplit()).fit(train, held, relations=relations)
    assert np.isfinite(search.best_score_)
    with pytest.raises(ValueError, match="leave relations of users out"):
        search.set_params(cv=2).fit(X, relations=relations)


def test_what_is_stored_is_checked(X, relations, new, tmp_path):
    path = tmp_path / "model.skops"
    model = MCRec(4, metapaths=METAPATHS, **FAST).fit(X, relations=relations)
    save(model, path)
    np.testing.assert_array_equal(load(path).decision_function(new), model.decision_function(new))
    name = METAPATHS[1]
    for key, change in (
        ("nodes", lambda a: a + N_ITEMS),
        ("nodes", lambda a: a[:, :2].copy()),
        ("nodes", lambda a: a[:-1].copy()),
        ("start", lambda a: a[::-1].copy()),
        ("start", lambda a: a[:-1].copy()),
        ("strength", lambda a: a[1:].copy()),
    ):
        broken = MCRec(4, metapaths=METAPATHS, **FAST).fit(X, relations=relations)
        broken.paths_[name] = {**broken.paths_[name], key: change(broken.paths_[name][key])}
        with pytest.warns(UserWarning, match="paths_"):
            save(broken, path)
        with pytest.raises(ValueError, match="paths_"):
            load(path)
    # Numbers of items lead into arrays of compiled code: more of them are refused.
    broken = MCRec(4, metapaths=METAPATHS, **FAST).fit(X, relations=relations)
    broken.node_vectors_ = dict(broken.node_vectors_)
    broken.node_vectors_["item"] = np.tile(broken.node_vectors_["item"], (50, 1))
    with pytest.raises(ValueError, match=r"node_vectors_\['item'\]"):
        broken._check_fitted()
    broken = MCRec(4, metapaths=METAPATHS, **FAST).fit(X, relations=relations)
    broken.paths_ = {"user-item-genre": broken.paths_[name]}
    with pytest.raises(ValueError, match=r"another metapath"):
        broken._check_fitted()


def test_items_that_look_opposite_ways_have_one_path_between_them():
    links = check_relations({"item-genre": csr_array(np.ones((3, 1)))}, (2, 3))
    items = np.array([[1, 0], [-1, 0], [0, 1]], np.float32)
    vectors = {"item": items, "genre": np.array([[0, 1]], np.float32)}
    kinds, X = ("user", "item", "genre", "item"), csr_array((2, 3))
    found = find_instances(kinds, vectors, X, links, max_paths=5, max_neighbors=5)
    np.testing.assert_array_equal(found.nodes, [[0, 0, 1], [0, 0, 2], [1, 0, 0], [1, 0, 2],
                                                [2, 0, 0], [2, 0, 1]])  # fmt: skip
    np.testing.assert_allclose(found.strength, [0, 0.25, 0, 0.25, 0.25, 0.25])


@pytest.mark.cuda
@pytest.mark.usefixtures("host_noise")
def test_cuda_agrees(X, relations, new):
    options = {"early_stopping": True, "dropout": 0.2} | FAST
    there, here = (
        MCRec(6, device=device, **options).fit(X, relations=relations) for device in ("cuda", "cpu")
    )
    np.testing.assert_allclose(there.loss_curve_, here.loss_curve_, rtol=1e-3)
    on_cuda = there.decision_function(new)
    np.testing.assert_allclose(on_cuda, here.decision_function(new), rtol=1e-2, atol=1e-2)
    there.set_params(device="cpu")
    np.testing.assert_allclose(there.decision_function(new), on_cuda, rtol=1e-4, atol=1e-4)
