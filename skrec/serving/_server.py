"""Server: lists for single requests from a frozen copy of a model."""

import reprlib
from contextlib import contextmanager, suppress
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array, vstack

from skrec._log._ids import describe_ids
from skrec._log_recommender._answers import inner_model, require_method, similar_lists
from skrec.serving._answer import Answer
from skrec.serving._blame import are_to_blame, values_error
from skrec.serving._content import read_content
from skrec.serving._errors import RequestError, RequestKeyError, RequestValueError
from skrec.serving._fallback_rows import fallback_rows
from skrec.serving._histories import Histories, ItemIds
from skrec.serving._narrow_lists import narrow_lists
from skrec.serving._scorers import make_scorer
from skrec.utils._memory import check_lists_memory
from skrec.utils._parallel import row_chunks
from skrec.utils._topk import top_k
from skrec.utils._validation import check_k

_NOTHING = np.empty(0, dtype=np.int64)
_WARM = 9  # items of a first request: whole groups of those that kernels go through, and a rest


class _Marks(NamedTuple):
    """Marked items of each row, as `skrec.utils._topk.top_k` reads them."""

    indptr: np.ndarray
    indices: np.ndarray


class Server:
    """Lists for one process that serves: made once, asked from any thread.

    The constructor makes all that a request needs: a dictionary of the ids, compiled kernels, the
    network of a neural model. Only threads that ask at the same time need networks of their own:
    the first such request builds each of them, and all share their weights. The model is frozen:
    whoever fits the estimator again changes nothing here. Lists equal the lists of the model's own
    ``recommend`` for the same row, with its rule for ties.

    Parameters
    ----------
    model : recommender, LogRecommender, mapping, str or path-like
        A fitted `skrec.LogRecommender`; or a fitted recommender, pipeline or search, whose ids
        are the names of its columns or else their numbers; or a mapping with ``"model"`` and
        ``"encoder"`` and, if there are any, ``"interactions"`` (the rows of the known users),
        ``"seen"`` (what they have, where that is more; a zero, stored or not, is not an item),
        ``"titles"`` (a text for each item, "" where it has none), ``"values"`` ("ones" or "keep")
        and ``"min_value"`` (of an interaction that counts); or the path of a file with one of them,
        such as ``python -m skrec fit`` writes.
    quantize : {None, "int8"}, default=None
        "int8": the weights of the last layer of a network (`MultDAE
        <skrec.autoencoder.MultDAE>`, `MultVAE <skrec.autoencoder.MultVAE>`, `GaussianMixtureVAE
        <skrec.autoencoder.GaussianMixtureVAE>`) are kept in 8 bits alone: a quarter of their
        memory, and 4 bytes an item. The server keeps no other copy; the given model keeps its own.
        Lists then nearly equal the model's, see Notes.

    Attributes
    ----------
    n_items : int
        Number of items.
    n_users : int
        Number of users who are known by their ids.
    item_ids : list
        Ids of the items, in the order of the columns.
    has_similar : bool
        Whether the model has `similar` items.

    Raises
    ------
    OSError, ModelFileError
        If the file is not there, or no model file.
    TypeError, ValueError
        If the parts of `model` do not fit to each other, or nothing of it can be quantised.
    NotFittedError
        If the model is not fitted.

    See Also
    --------
    make_application : The HTTP application around it.
    skrec.LogRecommender : Whole frames of lists.

    Notes
    -----
    Rows have the dtype of the fit's interactions, or float64 where these are not floats. The dtype
    is float32 but for logs whose values float32 cannot hold. A model that came without interactions
    scores float32 rows, or what the encoder's `dtype` says.

    A history is a sequence of ids, each of which counts as 1, or a mapping of values by id, for
    models that read values, such as ratings. Repeated ids and values become what the encoder's
    `duplicates` says, or ones where the model counts users and items alone. Ids that the fit did
    not see count for nothing. The answer names them. A value that does not count, such as 0, is not
    an item of the history, as in ``recommend`` of the model; where ``"seen"`` or ``"min_value"`` is
    given, the user has the item all the same.

    The dictionary takes some 150 bytes for a text id beside the array. Arrays of the model are
    shared with the estimator that was given, and no fit writes to them. A pipeline that pickle
    cannot copy is shared too: do not fit that again.

    ``quantize="int8"``: each item's weights have a scale of their own.
    ``docs/benchmarks/bench_serving.py`` measures how much of the lists, and of their nDCG, is lost;
    the user guide, :doc:`/guide/serving`, has the figures.

    Without it the server keeps the last layer of such a network, or the item vectors of a factor
    model, in 8 bits beside the whole weights: one byte a weight, at most a quarter of their memory,
    and 16 bytes an item more. The 8 bits tell which items cannot be in a list. The whole weights
    score the other items: the lists and scores of single requests equal the model's to the bit.

    Examples
    --------
    >>> import skrec
    >>> from skrec.serving import Server
    >>> log = {
    ...     "customer": ["ann", "ann", "bob", "bob", "cem", "cem", "dan"],
    ...     "product": ["tea", "pot", "tea", "pot", "rum", "mint", "tea"],
    ... }
    >>> server = Server(skrec.LogRecommender().fit(log))
    >>> server.recommend(["rum", "gin"], k=1)
    Answer(ids=['mint'], scores=[...], titles=None, fallback=False, unknown=['gin'])
    >>> server.recommend_user("dan", k=1).ids
    ['pot']
    >>> server.similar("mint", k=1).ids
    ['rum']
    """

    def __init__(self, model, *, quantize=None):
        content = read_content(model)
        self._encoder, self._least = content.encoder, content.least
        self._scorer = make_scorer(content.model, quantize)
        self._fallback = None if content.fallback is None else make_scorer(content.fallback, None)
        self._narrow = narrow_lists(self._scorer.model) if quantize is None else None
        self._falls_back = fallback_rows(self._scorer.model)
        self._similar = inner_model(self._scorer.model)
        self.has_similar = hasattr(self._similar, "similar_items")
        self._items = ItemIds(content.encoder.item_ids_)
        self._titles = None if content.titles is None else content.titles.tolist()
        self._histories = Histories(content, self._items)
        self.n_items, self.item_ids = content.n_items, self._items.ids
        self.n_users = 0 if content.interactions is None else content.interactions.shape[0]
        self._warm_up()

    def _warm_up(self):
        """Answer requests of each kind: kernels are compiled, networks and indexes built."""
        some = self.item_ids[: max(_WARM, self._least)]  # shorter ones are the fallback's
        values = dict.fromkeys(some, self._histories.least_value)
        self.recommend([], k=1)
        if not self._histories.needs_values:
            self.recommend(some, k=1)
            with suppress(RequestError):  # an encoder may refuse repeats
                self.recommend(some[:1] * 2, k=1, exclude=some)
        self.recommend(values, k=1)
        self.recommend(values, k=1, items=some)
        for user in self._encoder.user_ids_[:1].tolist():
            self.recommend_user(user, k=1)
        if self.has_similar:
            with suppress(TypeError, ValueError):  # said where it is asked for
                self.similar(some[0], k=1)
                self.similar(some[0], k=1, items=some)

    def recommend(self, history, k=10, *, items=None, exclude=None, exclude_seen=True):
        """List the best items for a history.

        Parameters
        ----------
        history : sequence of ids, or mapping of float by id
            Items of the user, known or new: the history alone counts.
        k : int, default=10
            Length of the list.
        items : sequence of ids, default=None
            Candidates, such as what is in stock. Unknown ones are left out. None: all items.
        exclude : sequence of ids, default=None
            Items that are never listed. Unknown ones do no harm.
        exclude_seen : bool, default=True
            Whether to leave out the items of the history.

        Returns
        -------
        answer : Answer
            The list.

        Raises
        ------
        TypeError
            If a history or list is not a sequence of ids, or a value is not a number.
        ValueError
            If k is not a whole number >= 1, no candidate is known, a value is not finite, or
            negative where the model takes no negative values, or there are ids without values
            for a model that predicts ratings.
        """
        row, k = self._histories.row(history), check_k(k)
        with self._blaming([row]):
            return self._answer(row, k, items, exclude, exclude_seen)

    def recommend_user(self, user, k=10, *, items=None, exclude=None, exclude_seen=True):
        """List the best items for a user of the fit, by what was known then.

        Parameters
        ----------
        user : id
            Somebody who is unknown gets the list of an empty history.
        k : int, default=10
            Length of the list.
        items, exclude : sequence of ids, default=None
            As in `recommend`.
        exclude_seen : bool, default=True
            Whether to leave out the user's items.

        Returns
        -------
        answer : Answer
            The list.

        Raises
        ------
        TypeError, ValueError
            As `recommend`.

        See Also
        --------
        knows : Whether a user is known.
        """
        row = self._histories.row_of_user(self._histories.place_of_user(user))
        return self._answer(row, check_k(k), items, exclude, exclude_seen)

    def knows(self, user):
        """Whether a user's row is known.

        Parameters
        ----------
        user : id
            As the log of the fit has it.

        Returns
        -------
        known : bool
            False for everybody where the model came without the rows of its users.
        """
        return self._histories.place_of_user(user) >= 0

    def recommend_batch(self, histories, k=10, *, items=None, exclude=None, exclude_seen=True):
        """List the best items for many histories at once.

        Parameters
        ----------
        histories : iterable of histories
            As `recommend` takes them.
        k : int, default=10
            Length of the lists.
        items, exclude : sequence of ids, default=None
            As in `recommend`, for all histories.
        exclude_seen : bool, default=True
            Whether to leave out the items of a history.

        Returns
        -------
        answers : list of Answer
            The answers of `recommend`, one for each history. Products of many rows may round the
            last bits of scores otherwise than products of one row: items whose scores are equal but
            for rounding may change places.

        Raises
        ------
        TypeError, ValueError
            As `recommend`.
        MemoryError
            If the lists do not fit into memory.
        """
        k = check_k(k)
        rows = [self._histories.row(history) for history in histories]
        check_lists_memory(len(rows), min(k, self.n_items), self.n_items, np.float32)
        allowed = self._mask(items, exclude)
        answers = [None] * len(rows)
        for short in (False, True):
            places = [p for p, row in enumerate(rows) if self._is_short(row) == short]
            for start, stop in row_chunks(len(places), 4 * self.n_items):
                some = places[start:stop]
                part = [rows[place] for place in some]
                X = csr_array(vstack([row.X for row in part], format="csr"))
                X.has_canonical_format = True
                seen = _stacked([row.seen if exclude_seen else _NOTHING for row in part])
                with self._blaming(part):
                    found = self._lists(X, k, short, seen, allowed)
                    marks = self._marks(X, short)
                for place, row, mark, *one in zip(some, part, marks, *found, strict=True):
                    answers[place] = self._named(*one, mark, row.unknown)
        return answers

    def similar(self, item, k=10, *, items=None, exclude=None):
        """List the items that are most similar to one.

        Parameters
        ----------
        item : id
            The item that the others are to be like.
        k : int, default=10
            Length of the list.
        items, exclude : sequence of ids, default=None
            As in `recommend`.

        Returns
        -------
        answer : Answer
            Never with the item itself.

        Raises
        ------
        KeyError
            If the item is unknown.
        TypeError
            If the model has no ``similar_items``; the message names some that do.
        ValueError
            If k is not a whole number >= 1, or no candidate is known.
        """
        model = require_method(self._similar, "similar_items")
        (place,) = self._items.places([item], "item")[1]
        if place < 0:
            raise RequestKeyError(
                f"Item {reprlib.repr(item)} is unknown; those of the fit are like "
                f"{describe_ids(self._encoder.item_ids_)}."
            )
        found, scores = similar_lists(
            model,
            np.array([place]),
            min(check_k(k), self.n_items),
            self._mask(items, exclude),
            self.n_items,
        )
        return self._named(found[0], scores[0], False, [])

    @contextmanager
    def _blaming(self, rows):
        """A block that scores rows of histories, and blames a request whose values fail."""
        try:
            yield
        except RequestError:
            raise
        except (ValueError, ArithmeticError) as error:
            for row in rows:
                scorer = self._fallback if self._is_short(row) else self._scorer
                if are_to_blame(row.X, scorer):
                    raise values_error(row.X, self._histories.largest) from error
            raise

    def _is_short(self, row):
        return self._fallback is not None and row.X.nnz < self._least

    def _answer(self, row, k, items, exclude, exclude_seen):
        """The answer of one row; marks are lists of columns, no array is as long as all items."""
        out = row.seen if exclude_seen else _NOTHING
        if exclude is not None:
            out = np.concatenate([out, self._items.known(exclude, "exclude")[0]])
        allowed = None if items is None else _stacked([self._candidates(items)])
        short = self._is_short(row)
        found, scores = self._lists(row.X, k, short, _stacked([out]), allowed)
        return self._named(found[0], scores[0], self._marks(row.X, short)[0], row.unknown)

    def _marks(self, X, short):
        """Whether each list comes from a fallback, a list of bool."""
        if short or self._falls_back is None:
            return [short] * X.shape[0]
        return self._falls_back(X).tolist()

    def _lists(self, X, k, short, seen, allowed):
        scorer = self._fallback if short else self._scorer
        if X.shape[0] == 1 and self._narrow is not None and allowed is None and not short:
            return self._narrow(X, min(k, self.n_items), seen, scorer.what)
        n_jobs = 1 if X.shape[0] == 1 else None
        return top_k(
            scorer(X),
            min(k, self.n_items),
            seen=seen,
            allowed=allowed,
            finite=scorer.what,
            n_jobs=n_jobs,
        )

    def _candidates(self, items):
        columns, n_ids = self._items.known(items, "items")
        if not len(columns):
            raise RequestValueError(
                f"items names {n_ids:,} candidates, none of which the model knows. Its ids are "
                f"like {describe_ids(self._encoder.item_ids_)}. Pass None for all items."
            )
        return columns

    def _mask(self, items, exclude):
        """Which items may be listed, an ndarray of bool of shape (n_items,); None: all."""
        if items is None and exclude is None:
            return None
        mask = np.full(self.n_items, items is None)
        if items is not None:
            mask[self._candidates(items)] = True
        if exclude is not None:
            mask[self._items.known(exclude, "exclude")[0]] = False
        return mask

    def _named(self, found, scores, fallback, unknown):
        columns, values = found.tolist(), scores.tolist()
        if columns and columns[-1] < 0:  # what is missing stands at the end
            n_found = columns.index(-1)
            columns, values = columns[:n_found], values[:n_found]
        ids = self.item_ids
        titles = None if self._titles is None else [self._titles[place] for place in columns]
        return Answer([ids[place] for place in columns], values, titles, fallback, unknown)


def _stacked(parts):
    if len(parts) == 1:
        return _Marks(np.array((0, len(parts[0]))), parts[0])
    return _Marks(np.cumsum([0, *map(len, parts)]), np.concatenate(parts))
