"""What the check of a user-item matrix says."""

import numpy as np
import pandas
import pytest

from skrec.dummy import DummyRecommender

LOG = [["ann", "tea", "2"], ["bob", "rum", "1"]]


@pytest.mark.parametrize("form", [list, np.array, pandas.DataFrame])
def test_a_log_is_told_from_a_matrix(form):
    with pytest.raises(ValueError, match=r"'ann'.*matrix of numbers.*InteractionEncoder"):
        DummyRecommender().fit(form(LOG))


def test_text_at_scoring_is_refused_in_the_same_words():
    model = DummyRecommender().fit(np.eye(3))
    with pytest.raises(ValueError, match="load_interactions makes one from a file"):
        model.recommend(LOG, k=1)


def test_other_messages_stay():
    with pytest.raises(ValueError, match="contains NaN") as caught:
        DummyRecommender().fit([[1.0, np.nan]])
    assert "InteractionEncoder" not in str(caught.value)


@pytest.mark.parametrize("zone", [None, "UTC"])
def test_a_log_with_dates_is_told_from_a_matrix(zone):
    when = pandas.to_datetime(["2020-01-01", "2020-01-02"]).tz_localize(zone)
    log = pandas.DataFrame({"user": [1, 2], "item": [3, 4], "when": when})
    with pytest.raises(ValueError, match=r"holds dates.*matrix of numbers.*InteractionEncoder"):
        DummyRecommender().fit(log)
