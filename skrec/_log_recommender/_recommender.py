"""LogRecommender: a recommender that takes logs and returns frames."""

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.utils.validation import check_is_fitted

from skrec._log._ids import describe_ids, plain
from skrec._log_recommender._answers import (
    best_users,
    candidate_mask,
    contributions,
    known_columns,
    listed,
    recommended,
    require_method,
    similar_lists,
    standing_of,
    with_titles,
)
from skrec._log_recommender._frames import frame_kind, id_list, make_frame
from skrec._log_recommender._logs import fit_matrix, read_log, time_matrix
from skrec._log_recommender._refit import refit
from skrec._log_recommender._titles import plain_titles, titles_of_items
from skrec._log_recommender._users import find_users, treat_unknown
from skrec._persistence import load, save
from skrec.ensemble import Fallback
from skrec.linear_model import EASE
from skrec.metrics import evaluate
from skrec.model_selection import evaluation_split
from skrec.preprocessing import InteractionEncoder
from skrec.utils._fitted import Fitted, Flag, Instance, Maybe, Names, Number, OneOf, Sparse, refused
from skrec.utils._params import NONE, InstanceOf, check_parameters
from skrec.utils._restore import WholeFitMixin
from skrec.utils._search_grid import final_step
from skrec.utils._tags import recommender_tags
from skrec.utils._validation import check_k

_RECOMMENDER = InstanceOf((BaseEstimator,), "a recommender (not a class)")

_SPLITS = ("temporal", "strong", "weak", "leave_one_out", "ratings")


class LogRecommender(WholeFitMixin, MetaEstimatorMixin, BaseEstimator):
    """A recommender that takes an interaction log and returns frames with ids and titles.

    It keeps a recommender together with the ids of its rows and columns, the rows of its users
    and the titles of its items. `InteractionEncoder`, the recommender and `skrec.metrics` do all
    the work. It does not take matrices itself.

    A log is a dataframe of pandas or polars, a pyarrow Table, a mapping of columns, a path or
    paths that `skrec.datasets.load_interactions` reads, the result of that function or of a
    ``fetch_`` function, a list of tuples (user, item[, value[, timestamp]]), or these as a
    tuple of columns.

    The methods return frames of the same kind as their argument of users, histories or items.
    If that is not a frame, they return frames of the kind of the log of ``fit``, else pandas, or
    pyarrow if pandas is not installed.

    Parameters
    ----------
    estimator : recommender, default=None
        Also a pipeline or a search that ends in a recommender. None: ``EASE()``.
    encoder : InteractionEncoder, default=None
        Names the columns of a log and says what its values mean. None: columns with usual
        names, such as "customer_id", are used, and each pair whose values add up to more than
        0 counts as 1, so that a returned purchase does not count. For a model of ratings the
        last value of a pair is its rating.
    fallback : recommender, default=None
        Scores users without a known interaction, see `skrec.ensemble.Fallback`. None:
        popularity. Ignored if `estimator` is itself a `Fallback`.
    titles : mapping, Series, dataframe, path or None, default=None
        Titles by item id: a mapping, a pandas Series with ids as its index, a dataframe with a
        column of ids and a column of titles, or a CSV file with both. With more than two
        columns, the titles are in the column "title", "name" or the like. None: no titles,
        unless the log is a data set with titles.
    columns : dict of str to str or None, default=None
        Names of columns of a log by role, such as ``{"user": "buyer", "item": "article"}``; the
        roles are "user", "item", "value" and "timestamp". Columns that are not named here are
        found by usual names. Not together with `encoder`, which names all columns that count.

    Attributes
    ----------
    recommender_ : Fallback
        The fitted recommender of matrices.
    encoder_ : InteractionEncoder
        The ids of the rows and columns.
    interactions_ : csr_array of shape (n_users, n_items)
        The training matrix: the rows of the known users.
    titles_ : ndarray of str of shape (n_items,) or None
        "" for an item without a title.
    last_timestamp_ : int, float or None
        Time of the latest interaction; None if the log has no times.
    counts_ : bool
        Whether each pair with a value above 0 counts as 1.
    frame_ : {"pandas", "polars", "pyarrow"} or None
        Kind of the log.

    See Also
    --------
    skrec.preprocessing.InteractionEncoder : Map ids to rows and columns.
    skrec.ensemble.Fallback : Score users without a known interaction.

    Notes
    -----
    Scores order the list of one user. Scores of different users have no common unit, least of
    all scores of a fallback. No method holds a dense matrix of n_users x n_items.

    Examples
    --------
    >>> import skrec
    >>> from skrec.linear_model import EASE
    >>> log = {
    ...     "customer": ["ann", "ann", "bob", "bob", "cem", "cem", "dan"],
    ...     "product": ["tea", "pot", "tea", "pot", "rum", "mint", "tea"],
    ... }
    >>> titles = {"pot": "Tea pot", "tea": "Green tea", "mint": "Fresh mint"}
    >>> model = skrec.LogRecommender(EASE(alpha=1.0), titles=titles).fit(log)
    >>> model.recommend(["dan", "eve"], k=1)
      user  rank item  score      title  fallback
    0  dan     1  pot    0.5    Tea pot     False
    1  eve     1  tea    3.0  Green tea      True
    >>> model.similar_items("rum", k=1)
      item  rank similar  score       title
    0  rum     1    mint    0.5  Fresh mint
    """

    _parameter_rules = {
        "estimator": (NONE, _RECOMMENDER),
        "encoder": (NONE, InstanceOf((InteractionEncoder,), "an InteractionEncoder")),
        "fallback": (NONE, _RECOMMENDER),
        "columns": (NONE, InstanceOf((dict,), "a dict of roles to names of columns")),
    }

    _fitted_rules = {
        "recommender_": Fitted(),
        "encoder_": Instance(InteractionEncoder),
        "interactions_": Sparse("n_users", "n_items"),
        "titles_": Maybe(Names("n_items")),
        "counts_": Flag(),
        "last_timestamp_": Maybe(Number()),
        "frame_": OneOf((None, "pandas", "polars", "pyarrow")),
    }

    def __init__(self, estimator=None, *, encoder=None, fallback=None, titles=None, columns=None):
        self.estimator = estimator
        self.encoder = encoder
        self.fallback = fallback
        self.titles = titles
        self.columns = columns

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False  # a log is not a matrix of samples and features
        tags.input_tags.string = True
        tags.target_tags.required = False
        return tags

    def fit(self, log, y=None):
        """Fit the recommender to a log.

        Parameters
        ----------
        log : log
            See the class.
        y : ignored
            Present for scikit-learn's conventions.

        Returns
        -------
        self : LogRecommender
            The fitted recommender.

        Raises
        ------
        TypeError
            If the log has none of the known forms.
        ValueError
            If a parameter is invalid, if columns cannot be identified, or if `titles` has a
            title for none of the items.
        """
        check_parameters(self, self._parameter_rules)
        log = read_log(log, self.encoder, self.columns)
        return self._fit_columns(log.columns, log)

    def _check_fitted(self):
        encoder = self.encoder_
        ids = len(encoder.user_ids_), len(encoder.item_ids_)
        if ids != self.interactions_.shape:
            raise refused("LogRecommender.encoder_", f"{ids} ids", f"{self.interactions_.shape}")

    def __getstate__(self):
        state = super().__getstate__()
        # A file keeps a frame of titles as a plain dict.
        return state | {"titles": plain_titles(state["titles"])}

    def __setstate__(self, state):
        super().__setstate__({"columns": None} | state)  # a file of version 0.2.0 has no columns

    def _fit_columns(self, columns, log):
        """Fit to some of the columns of a log."""
        model = self._unfitted()
        rates = recommender_tags(final_step(model.estimator)).predicts_ratings
        encoder, X = fit_matrix(columns, self.encoder, ratings=rates)
        titles = titles_of_items(
            log.titles if self.titles is None else self.titles, encoder.item_ids_
        )
        self.recommender_ = model.fit(X)
        self.encoder_, self.interactions_, self.titles_ = encoder, X, titles
        self.counts_ = self.encoder is None and not rates
        times = columns.timestamp
        self.last_timestamp_ = None if times is None else times.max().item()
        self.frame_ = log.kind
        return self

    def _unfitted(self):
        model = EASE() if self.estimator is None else clone(self.estimator)
        return model if isinstance(model, Fallback) else Fallback(model, fallback=self.fallback)

    def recommend(
        self,
        users=None,
        k=10,
        *,
        items=None,
        exclude=None,
        exclude_seen=True,
        unknown_users="fallback",
    ):
        """Recommend items to users.

        Parameters
        ----------
        users : id, array-like of shape (n_users,), log or None, default=None
            Ids of users, in the log of ``fit`` or not. Or a log of histories: then only these
            histories count, not the log of ``fit``. A list of tuples is a log, and so is the
            path of a file. None: all users of ``fit``.
        k : int, default=10
            Length of the lists.
        items : array-like of shape (n_candidates,), default=None
            Ids of candidates, such as items in stock. Items that ``fit`` did not see are left
            out with a warning. None: all items.
        exclude : array-like of shape (n_excluded,), default=None
            Ids of items that are never recommended.
        exclude_seen : bool, default=True
            Whether to leave out the items that a user already has.
        unknown_users : {"fallback", "skip", "error"}, default="fallback"
            What to do for users without a known interaction: use the fallback, make no list,
            or raise an error.

        Returns
        -------
        frame : dataframe
            One line for each recommendation, with "user", "rank" (from 1), "item", "score",
            "title" if there are titles, and "fallback", whether the fallback made the scores.
            A user may have fewer than k lines.

        Raises
        ------
        ValueError
            If k is not a whole number >= 1, if no candidate is known, if ids of users or excluded
            items have another type than in ``fit``, or if a user is unknown and
            ``unknown_users="error"``.
        TypeError
            If candidates or excluded items are a path or a table.

        Warns
        -----
        UserWarning
            If candidates are unknown, or if ids of items in histories have another type than in
            ``fit``.
        """
        check_is_fitted(self)
        k, found = check_k(k), find_users(users, self)
        found = treat_unknown(found, unknown_users, self.encoder_.user_ids_)
        lists, scores, fallback = recommended(
            self.recommender_,
            found.X,
            k,
            items=candidate_mask(self.encoder_, items, exclude),
            exclude_seen=exclude_seen,
        )
        rows, places = listed(lists)
        columns = {
            "user": found.ids[rows],
            "rank": places + 1,
            "item": self.encoder_.item_ids_[lists[rows, places]],
            "score": scores[rows, places],
        }
        columns = with_titles(columns, self.titles_, lists[rows, places])
        columns["fallback"] = fallback[rows]
        return make_frame(columns, found.kind or self.frame_)

    def similar_items(self, ids, k=10, *, items=None, exclude=None):
        """Find similar items, such as the "similar products" of a shop.

        Parameters
        ----------
        ids : id or array-like of shape (n,)
            Ids of items of the log of ``fit``.
        k : int, default=10
            Length of the lists.
        items : array-like of shape (n_candidates,), default=None
            Ids of candidates, such as items in stock. None: all items.
        exclude : array-like of shape (n_excluded,), default=None
            Ids of items that are never listed.

        Returns
        -------
        frame : dataframe
            One line for each similar item, with "item", "rank" (from 1), "similar", "score"
            and, if there are titles, "title" of the similar item.

        Raises
        ------
        TypeError
            If the recommender has no ``similar_items``; the message names recommenders that do.
        ValueError
            If an id is unknown.
        """
        check_is_fitted(self)
        k, inner = check_k(k), require_method(self.recommender_, "similar_items")
        mask = candidate_mask(self.encoder_, items, exclude)
        given = id_list(ids, "item")
        found, scores = similar_lists(
            inner, known_columns(self.encoder_, given), k, mask, len(self.encoder_.item_ids_)
        )
        rows, places = listed(found)
        similar = found[rows, places]
        columns = {
            "item": given[rows],
            "rank": places + 1,
            "similar": self.encoder_.item_ids_[similar],
            "score": scores[rows, places],
        }
        return make_frame(
            with_titles(columns, self.titles_, similar), frame_kind(ids) or self.frame_
        )

    def users_for_item(self, ids, k=10, *, exclude_seen=True):
        """Find the users of ``fit`` with the highest scores for an item.

        Parameters
        ----------
        ids : id or array-like of shape (n,)
            Ids of items of the log of ``fit``.
        k : int, default=10
            Length of the lists.
        exclude_seen : bool, default=True
            Whether to leave out the users who have the item.

        Returns
        -------
        frame : dataframe
            One line for each user, with "item", "rank" (from 1), "user", "score" and, if there
            are titles, "title" of the item. Users whom the fallback scores are left out, since
            they all have the same scores.

        Raises
        ------
        ValueError
            If an id is unknown.

        Notes
        -----
        This method compares scores of different users. Models that sum over a user's items give
        higher scores to users with many items.
        """
        check_is_fitted(self)
        k, given = check_k(k), id_list(ids, "item")
        items = known_columns(self.encoder_, given)
        n_users = self.interactions_.shape[0]
        users, scores = best_users(
            self.recommender_,
            self.interactions_,
            items,
            min(k, n_users),
            exclude_seen=exclude_seen,
        )
        rows, places = listed(users)
        columns = {
            "item": given[rows],
            "rank": places + 1,
            "user": self.encoder_.user_ids_[users[rows, places]],
            "score": scores[rows, places],
        }
        return make_frame(
            with_titles(columns, self.titles_, items[rows]), frame_kind(ids) or self.frame_
        )

    def explain(self, user, item):
        """Split the score of an item into the contribution of each item of the user.

        Parameters
        ----------
        user : id, or log of one user
            As in `recommend`.
        item : id
            The recommended item.

        Returns
        -------
        frame : dataframe
            One line for each item of the user with a contribution, the largest first, with
            "user", "item", "because" (the user's item), "contribution" and, if there are
            titles, "title" of the user's item.

        Raises
        ------
        TypeError
            If the recommender has no ``explain``; the message names recommenders that do.
        ValueError
            If the item is unknown, if there is not exactly one user, or if the fallback scores
            the user.
        """
        check_is_fitted(self)
        require_method(self.recommender_, "explain")
        found, column, given = self._one_pair(user, item, "explain")
        if self.recommender_.uses_fallback(found.X)[0]:
            raise ValueError(
                f"Too little is known of user {describe_ids(found.ids)}: the fallback makes the "
                "list, and ignores the user's items."
            )
        because, shares = contributions(self.recommender_, found.X, column[0])
        columns = {
            "user": np.repeat(found.ids, len(because)),
            "item": np.repeat(given, len(because)),
            "because": self.encoder_.item_ids_[because],
            "contribution": shares,
        }
        return make_frame(with_titles(columns, self.titles_, because), found.kind or self.frame_)

    def why_not(self, user, item, k=10, *, items=None, exclude=None, exclude_seen=True):
        """Say why an item is not in a user's list, or which rank it has there.

        Parameters
        ----------
        user : id, or log of one user
            As in `recommend`.
        item : id
            An item of the log of ``fit``.
        k : int, default=10
            Length of the list.
        items, exclude : array-like of shape (n_ids,), default=None
            Ids, as in `recommend`.
        exclude_seen : bool, default=True
            Whether the list leaves out the items that the user already has.

        Returns
        -------
        why : WhyNot
            As of `skrec.why_not`; the reason names the user and the item by their ids.

        Raises
        ------
        ValueError
            If the item is unknown, if there is not exactly one user, or for the reasons given in
            `recommend`.

        Examples
        --------
        >>> import skrec
        >>> log = {"user": ["ann", "ann", "bob", "cem"], "item": ["tea", "pot", "pot", "rum"]}
        >>> model = skrec.LogRecommender().fit(log)
        >>> model.why_not("ann", "pot").reason
        "User 'ann' has item 'pot' already."
        >>> model.why_not("bob", "rum", k=1).rank
        2
        """
        check_is_fitted(self)
        k = check_k(k)
        found, column, given = self._one_pair(user, item, "why_not")
        return standing_of(
            self.recommender_,
            found,
            int(column[0]),
            k,
            candidate_mask(self.encoder_, items, exclude),
            exclude_seen=exclude_seen,
            names=(f"user {plain(found.ids[0])!r}", f"item {plain(given[0])!r}"),
        )

    def _one_pair(self, user, item, method):
        """One user with its row, and the column and id of one item."""
        found, given = find_users(user, self), id_list(item, "item")
        if len(found.ids) != 1 or len(given) != 1:
            raise ValueError(
                f"{method} takes one user and one item. Got {len(found.ids)} users and "
                f"{len(given)} items."
            )
        return found, known_columns(self.encoder_, given), given

    def evaluate(self, log, split="temporal", metrics=None, *, holdout=0.2, random_state=0):
        """Evaluate a recommender with these parameters on a log.

        The method holds out a part of the log, fits a clone to the rest, and measures how well
        the clone finds the held-out part. This recommender stays unchanged and need not be
        fitted.

        Parameters
        ----------
        log : log
            See the class.
        split : {"temporal", "strong", "weak", "leave_one_out", "ratings"}, default="temporal"
            The held-out part, see `skrec.model_selection.evaluation_split`: the latest
            interactions, other users, a share of each user's items, one item of each user, or
            ratings.
        metrics : str or list of str, default=None
            Names, see `skrec.metrics.evaluate`. None: "ndcg@10" and "recall@20"; "rmse" for a
            model of ratings.
        holdout : float, default=0.2
            The share that is held out.
        random_state : int, RandomState or None, default=0
            Seed of random splits.

        Returns
        -------
        result : `~sklearn.utils.Bunch`
            See `skrec.metrics.evaluate`.

        Raises
        ------
        ValueError
            If the split needs times and the log has none, or if it holds out no interaction.
        """
        check_parameters(self, self._parameter_rules)
        if split not in _SPLITS:
            raise ValueError(f"split must be one of {list(_SPLITS)}. Got {split!r}.")
        log, model = read_log(log, self.encoder, self.columns), self._unfitted()
        rates = recommender_tags(final_step(model.estimator)).predicts_ratings
        encoder, X = fit_matrix(log.columns, self.encoder, ratings=rates)
        times = time_matrix(log.columns, encoder)
        if split == "temporal" and times is None:
            raise ValueError(
                "split='temporal' needs times, and the log has no column of them. Name it: "
                "columns={'timestamp': ...}, or timestamp= of your encoder; or use split='weak'."
            )
        timed = split in ("temporal", "leave_one_out")
        parts = evaluation_split(
            X, split, timestamps=times if timed else None, holdout=holdout,
            random_state=random_state,
        )  # fmt: skip
        model.fit(parts.X_train)
        return evaluate(model, parts.X_test, parts.y_test, self._metrics(metrics, rates))

    @staticmethod
    def _metrics(metrics, rates):
        if metrics is not None:
            return metrics
        return ["rmse"] if rates else ["ndcg@10", "recall@20"]

    def refit(self, new_log, *, metrics=None, holdout=0.2):
        """Fit a new model with the same parameters, and compare it with this one.

        The method takes the interactions that are later than this model's fit, and holds out
        the last share of them, but no pair of user and item that this model learned from: a
        file's pairs have their latest time only. It fits a clone to the rest. Both models must
        find the held-out interactions from what the users had before, among the items that both
        know. At last, a clone is fitted to the whole new log.

        Parameters
        ----------
        new_log : log
            The whole log of today, with times: old interactions and new ones.
        metrics : str or list of str, default=None
            See `evaluate`.
        holdout : float, default=0.2
            Share of the new interactions that is held out.

        Returns
        -------
        result : `~sklearn.utils.Bunch`
            Prints as the comparison; with

            model : LogRecommender
                Fitted to the whole new log. This model stays unchanged.
            old, new : Bunch
                Results of `skrec.metrics.evaluate` for both models.
            comparison : dict of str to Bunch
                By metric, the result of `skrec.metrics.compare`: the mean difference of new
                and old, its interval and p-value.
            n_items, n_held_out : int
                Number of items that both know, and number of held-out pairs of user and item.
            since : str
                Time of the first held-out interaction.

        Raises
        ------
        ValueError
            If the log has no times, or the models have no item in common.

        Warns
        -----
        UserWarning
            If no interaction of the new log is later than this model's fit, so that this model
            may have learned from the held-out interactions.
        """
        check_is_fitted(self)
        rates = recommender_tags(final_step(self._unfitted().estimator)).predicts_ratings
        metrics = self._metrics(metrics, rates)
        return refit(self, new_log, metrics=metrics, holdout=holdout, rates=rates)

    def save(self, path):
        """Save the model to a file, see `skrec.save`.

        Parameters
        ----------
        path : str or path-like
            Path of the file; by custom it ends in ``.skops``.

        Returns
        -------
        path : pathlib.Path
            The path as a ``Path``.
        """
        check_is_fitted(self)
        return save(self, path)

    @classmethod
    def load(cls, path):
        """Load a model from a file, see `skrec.load`.

        Parameters
        ----------
        path : str or path-like
            A file that `save` wrote.

        Returns
        -------
        model : LogRecommender
            The saved model.

        Raises
        ------
        ValueError
            If the file holds another object, or `skrec.load` refuses it.
        """
        model = load(path)
        if not isinstance(model, cls):
            raise ValueError(
                f"{path} holds a {type(model).__name__}, expected a {cls.__name__}. Use "
                "skrec.load for other models, and skrec.serving.Server for a model of "
                "`python -m skrec fit`."
            )
        return model
