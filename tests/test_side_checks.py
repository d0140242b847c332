"""Recommenders that read side information keep the whole contract, and broken ones are caught."""

import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from skrec.linear_model import EASE
from skrec.utils.estimator_checks import check_recommender, parametrize_with_recommender_checks
from tests.side_recommenders import ContentKNN, SampledContent, SituationRidge

RECOMMENDERS = [ContentKNN(), SampledContent(), SituationRidge()]


def _cannot_hold(estimator):
    # Pairs are drawn entry by entry, so another order of the items is another draw.
    drawn = [
        "check_item_permutation",
        "check_item_features_permutation",
        "check_duplicate_items_tie",
    ]
    return drawn if isinstance(estimator, SampledContent) else ()


@parametrize_with_checks(RECOMMENDERS)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@parametrize_with_recommender_checks(RECOMMENDERS, skip=_cannot_hold)
def test_contract(estimator, check):
    check(estimator)


class ColdFromInitialisation(ContentKNN):
    """Cold items keep what a first draw gave them."""

    def fit(self, X, y=None, *, item_features=None):
        super().fit(X, item_features=item_features)
        noise = np.random.RandomState(0).normal(size=X.shape[1])
        self.similarity_ = self.similarity_ + np.where(self.warm_, 0.0, noise)
        return self


class ColdCount(ContentKNN):
    """Items that nobody has are neighbours like others and take the places of warm ones."""

    def _similarity(self, features, warm):
        return super()._similarity(features, np.ones_like(warm))


class DrawsEmptyColumns(SampledContent):
    """Items that nobody has are drawn as negatives."""

    def _candidates(self, X):
        return np.arange(X.shape[1])


class BlindToFeatures(ContentKNN):
    """Reads features and does not use them."""

    def fit(self, X, y=None, *, item_features=None):
        super().fit(X, item_features=item_features)
        self.similarity_ = np.where(self.warm_[:, None], 1.0, 0.0) * np.ones(X.shape[1])
        return self


class ExtendsInPlace(ContentKNN):
    """Making a longer model changes this one."""

    def _extended(self, item_features):
        found = super()._extended(item_features)
        self.similarity_ *= 2
        return found


class ExtendsOtherwise(ContentKNN):
    """A longer model scores new items otherwise than a fit with them does."""

    def _extended(self, item_features):
        return super()._extended(2 * item_features + 1)


class KeepsByPosition(ContentKNN):
    """Features that do not go with the columns."""

    def fit(self, X, y=None, *, item_features=None):
        super().fit(X, item_features=item_features)
        self.similarity_ = self.similarity_ + np.arange(X.shape[1])
        return self


class TakesAnything(ContentKNN):
    """Reads features past the base's check."""

    def fit(self, X, y=None, *, item_features=None):
        if isinstance(item_features, np.ndarray) and item_features.dtype.kind == "f":
            item_features = np.nan_to_num(item_features)
        return super().fit(X, item_features=item_features)


class ReadsPastTheIndex(ContentKNN):
    """Takes a dataframe for an array."""

    def fit(self, X, y=None, *, item_features=None):
        values = getattr(item_features, "values", item_features)
        return super().fit(X, item_features=None if values is None else np.asarray(values))


class CannotUnwrap(ContentKNN):
    """Knows nothing of ItemFeatures, which a search needs."""

    def fit(self, X, y=None, *, item_features=None):
        return super().fit(X, item_features=None if item_features is None else [*item_features])


class PicklesHalf(ContentKNN):
    """A copy has lost what was learned of the features."""

    def __getstate__(self):
        state = super().__getstate__()
        return {**state, "similarity_": 0 * state.get("similarity_", 0)}


class ForgetsFirst(ContentKNN):
    """Gives up the model before it knows whether there will be another one."""

    def fit(self, X, y=None, *, item_features=None):
        if hasattr(self, "similarity_"):
            self.similarity_[:] = 0
        return super().fit(X, item_features=item_features)


class PairsOfRows(SituationRidge):
    """Takes the situations of pairs for those of rows."""

    def _pair_scores(self, X, rows, items, side):
        context = side.context if side.context is None else side.context[: X.shape[0]]
        return self._scores(X, side._replace(context=context))[rows, items]


class FillsUsers(SituationRidge):
    """Imputes silently."""

    def fit(self, X, y=None, *, user_features=None, context=None):
        if isinstance(user_features, np.ndarray) and user_features.dtype.kind == "f":
            user_features = np.nan_to_num(user_features)
        return super().fit(X, user_features=user_features, context=context)


class RowsByPosition(SituationRidge):
    """Features of users by their place in the batch."""

    def _scores(self, X, side):
        scores = super()._scores(X, side)
        return scores + np.arange(len(scores))[:, None]


class OneSituation(SituationRidge):
    """All rows are in the situation of the first."""

    def _scores(self, X, side):
        first = None if side.context is None else np.repeat(side.context[:1], X.shape[0], axis=0)
        return super()._scores(X, side._replace(context=first))


class BlindToUsers(SituationRidge):
    """Reads features of users and does not use them."""

    def _scores(self, X, side):
        return super()._scores(X, side._replace(user_features=None))


class BlindToContext(SituationRidge):
    """Reads context and does not use that of the entries."""

    def fit(self, X, y=None, *, user_features=None, context=None):
        super().fit(X, user_features=user_features, context=context)
        if self.context_weights_ is not None:
            self.context_weights_ = np.ones_like(self.context_weights_)
        return self


class Silent(SituationRidge):
    """Takes the means without a word."""

    def _start_rows(self, X, user_features=None, context=None, **how):
        n = np.shape(X)[0]
        if user_features is None and hasattr(self, "user_feature_means_"):
            user_features = np.tile(self.user_feature_means_, (n, 1))
        if context is None and hasattr(self, "context_means_"):
            context = np.tile(self.context_means_, (n, 1))
        return super()._start_rows(X, user_features, context, **how)


BROKEN = [
    (ColdFromInitialisation, "check_cold_items", "cold items of equal features"),
    (ColdCount, "check_empty_columns_change_nothing", "with empty columns"),
    (DrawsEmptyColumns, "check_empty_columns_change_nothing", "with empty columns"),
    (BlindToFeatures, "check_cold_items", "features do not matter"),
    (ExtendsInPlace, "check_with_items", "not equal"),
    (ExtendsOtherwise, "check_with_items_equals_fit", "with_items and fit"),
    (KeepsByPosition, "check_item_features_permutation", "permuted items"),
    (TakesAnything, "check_item_features_input", "should have raised.*NaN"),
    (ReadsPastTheIndex, "check_item_frame_in_another_order", r"should have raised.*order"),
    (CannotUnwrap, "check_as_many_users_as_items_and_entries", "iterable, not ItemFeatures"),
    (PicklesHalf, "check_side_copies", "pickle"),
    (ForgetsFirst, "check_failed_fit_with_side", "not equal"),
    (PairsOfRows, "check_pairs_have_their_own_side", "pairs"),
    (FillsUsers, "check_user_features_input", r"should have raised.*NaN"),
    (RowsByPosition, "check_rows_have_their_own_side", "Not equal"),
    (OneSituation, "check_rows_have_their_own_side", "Not equal"),
    (BlindToUsers, "check_cold_users", "features of a cold user do not matter"),
    (BlindToContext, "check_context_input", "context of an entry does not matter"),
    (Silent, "check_missing_side_warns", "warned 0 times"),
]


@pytest.mark.parametrize(("broken", "check", "message"), BROKEN, ids=[c[1] for c in BROKEN])
def test_a_broken_recommender_is_caught_by_the_check_for_it(broken, check, message):
    with pytest.raises(AssertionError, match=f"(?is)^{check}: .*{message}") as found:
        check_recommender(broken(), skip=set(_names(broken())) - {check})
    kind = TypeError if broken is CannotUnwrap else AssertionError
    assert isinstance(found.value.__cause__, kind)


def test_every_check_of_side_information_can_fail():
    side = {*_names(ContentKNN()), *_names(SituationRidge())} - {*_names(EASE())}
    assert side == {check for _, check, _ in BROKEN}


def _names(estimator):
    mark = parametrize_with_recommender_checks([estimator])
    return [case.id.rpartition("-")[2] for case in mark.args[1]]


def test_checks_are_run_for_what_is_read_only():
    side = {"check_cold_items", "check_cold_users", "check_context_input", "check_side_copies"}
    assert not side & set(_names(EASE()))
    assert side & set(_names(ContentKNN())) == {"check_cold_items", "check_side_copies"}
    assert side & set(_names(SituationRidge())) == side - {"check_cold_items"}
