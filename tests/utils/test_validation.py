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
    with pytest.raises(ValueError, match="load_interactions of a file"):
        model.recommend(LOG, k=1)


def test_other_messages_stay():
    with pytest.raises(ValueError, match="contains NaN") as caught:
        DummyRecommender().fit([[1.0, np.nan]])
    assert "InteractionEncoder" not in str(caught.value)
