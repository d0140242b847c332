"""The fit loop alone, on a module of one number."""

import math

import pytest
import torch

from skrec._torch._fit_loop import EarlyStopping, fit_loop


class Number(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.value = torch.nn.Parameter(torch.tensor(4.0))


def run(loss, **options):
    module = Number()
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    options = {"epochs": range(1, 6), "batches": [1.0, 2.0], **options}
    batches = options.pop("batches")
    return module, fit_loop(module, optimizer, batches, lambda b, t: loss(module, b, t), **options)


def test_descends_and_counts_updates():
    seen = []

    def loss(module, batch, step):
        seen.append((batch, step))
        return module.value**2

    module, history = run(loss, step=7)
    assert seen == [(b, 7 + 2 * e + i) for e in range(5) for i, b in enumerate([1.0, 2.0])]
    assert module.value.item() == pytest.approx(4 * 0.8**10)
    assert history.n_epochs == 5
    assert history.losses[0] == pytest.approx((16 + 16 * 0.64) / 2)
    assert history.losses == sorted(history.losses, reverse=True)
    assert not module.training


def test_records_the_divergence_beside_the_loss():
    module, history = run(lambda m, b, t: (m.value**2, m.value * b))
    assert history.divergences[0] == pytest.approx((4 * 1 + 4 * 0.8 * 2) / 2)
    assert len(history.divergences) == 5
    assert module.value.item() == pytest.approx(4 * 0.8**10)  # of the loss alone
    assert run(lambda m, b, t: m.value**2)[1].divergences == []


def test_an_optimizer_that_updates_by_itself_is_not_asked_for_gradients():
    class Halves:
        def __init__(self, module):
            self.module = module

        def update(self, batch, step):
            self.module.value.data /= 2
            return batch + step

    module = Number()
    history = fit_loop(module, Halves(module), [1.0, 2.0], None, epochs=range(1, 3))
    assert module.value.item() == 4 / 2**4
    assert history.losses == [(1 + 3) / 2, (3 + 5) / 2]


def test_stops_and_restores_the_best():
    scores = iter([1.0, 3.0, 2.0, 2.5, 9.0])
    values = []

    def score(module):
        values.append(module.value.item())
        return next(scores)

    stopping = EarlyStopping(score, n_iter_no_change=2, tol=0.0)
    module, history = run(lambda m, b, t: m.value**2, stopping=stopping)
    assert history.scores == [1.0, 3.0, 2.0, 2.5]
    assert stopping.best_score == 3.0
    assert module.value.item() == values[1]


def test_small_rises_do_not_count():
    scores = iter([1.0, 1.05, 1.1, 9.0])
    stopping = EarlyStopping(lambda m: next(scores), n_iter_no_change=2, tol=0.2)
    _, history = run(lambda m, b, t: m.value**2, stopping=stopping)
    assert history.scores == [1.0, 1.05, 1.1]
    assert stopping.best_score == 1.1


def test_a_loss_that_is_not_finite_names_its_epoch():
    def loss(module, batch, step):
        return module.value * (math.nan if step == 5 else 1.0)

    with pytest.raises(FloatingPointError, match="epoch 3 is nan"):
        run(loss)


def test_an_interruption_keeps_the_last_whole_epoch():
    def loss(module, batch, step):
        if step == 5:  # in the middle of the third epoch
            raise KeyboardInterrupt
        return module.value**2

    module, history = run(loss)
    assert history.interrupted
    assert module.value.item() == pytest.approx(4 * 0.8**4)
    assert history.n_epochs == 2
