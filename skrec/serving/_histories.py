"""A user's history in ids -> a row; columns -> ids."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array
from sklearn.utils import get_tags

from skrec._delegation import kind_of_model
from skrec._log._id_index import kept_index
from skrec.base import BaseRecommender
from skrec.serving._errors import RequestTypeError, RequestValueError
from skrec.utils._sparse import one_row


class Row(NamedTuple):
    """A user to list items for.

    Attributes
    ----------
    X : csr_array of shape (1, n_items)
        The row that the model scores.
    seen : ndarray of int32
        Columns of the items that the user has.
    unknown : list
        Ids of the history that are not columns.
    """

    X: csr_array
    seen: np.ndarray
    unknown: list


class ItemIds:
    """Ids of the columns, as objects of Python: a dictionary of them, made once.

    To look up 28 ids takes a few microseconds, however many there are.

    Parameters
    ----------
    ids : ndarray of shape (n_items,)
    """

    def __init__(self, ids):
        self.ids = ids.tolist()
        self._places = {value: place for place, value in enumerate(self.ids)}

    def places(self, ids, what):
        """The ids as a list, and the column of each, -1 where it is unknown.

        Raises
        ------
        TypeError
            If `ids` is one text, or no sequence, or an id cannot be hashed.
        """
        if isinstance(ids, str | bytes):
            raise RequestTypeError(
                f"{what} must be a sequence of ids. Got {ids!r}; wrap it in a list."
            )
        get = self._places.get
        try:
            ids = ids.tolist() if hasattr(ids, "tolist") else list(ids)
            return ids, [get(value, -1) for value in ids]
        except TypeError as error:
            raise RequestTypeError(f"{what} must be a sequence of ids: {error}.") from error

    def known(self, ids, what):
        """Columns of the known ones among some ids, and how many ids there are.

        Returns
        -------
        columns : ndarray of int32
            Ascending, without repeats.
        n_ids : int
        """
        ids, places = self.places(ids, what)
        known = sorted({place for place in places if place >= 0})
        return np.array(known, dtype=np.int32), len(ids)


def _numbers(values):
    """Values of a history, an ndarray of finite float64."""
    values = list(values)
    try:
        numbers = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise RequestTypeError(
            f"The values of a history that is a mapping must be numbers: {error}."
        ) from error
    if numbers.shape != (len(values),) or not np.isfinite(numbers).all():
        raise RequestValueError(
            "The values of a history must be finite numbers. Got NaN or infinity; leave out items "
            "without a value."
        )
    return numbers


def _int64(value):
    """The whole number that a value equals, or None where an int64 cannot be that."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return int(value) if isinstance(value, int) and -(2**63) <= value < 2**63 else None


class Histories:
    """Makes rows of histories and of known users.

    Parameters
    ----------
    content : Content
    items : ItemIds
    """

    def __init__(self, content, items):
        # Without the models: a copy of them serves, and may be all that is left in memory.
        self._content, self._items = content._replace(model=None, fallback=None), items
        self._name = type(content.model).__name__
        # All requests have the dtype of the fit: kernels of another dtype would have to compile.
        self._dtype = np.dtype(np.float32)
        if content.interactions is not None:
            self._dtype = content.interactions.dtype
        elif content.encoder.dtype in (np.float64, "float64"):
            self._dtype = np.dtype(np.float64)
        models = [model for model in (content.model, content.fallback) if model is not None]
        # Others check their rows themselves.
        self._refuses_negative = any(
            isinstance(model, BaseRecommender) and get_tags(model).input_tags.positive_only
            for model in models
        )
        users = content.encoder.user_ids_
        self._anybody = next(iter(users[:1].tolist()), "" if users.dtype.kind == "U" else 0)
        #: Largest absolute value of the fit; None where it is not known.
        self.largest = None
        if content.interactions is not None and not content.ones:
            self.largest = float(np.abs(content.interactions.data).max(initial=0))
        #: A value that counts.
        self.least_value = 1.0 if content.min_value is None else max(1.0, content.min_value)
        # Whether a history without values says nothing: a rating of 1 is the worst.
        self.needs_values = not content.ones and kind_of_model(content.model).predicts_ratings

    def row(self, history):
        """`Row` of a sequence of ids, or of a mapping of values by id."""
        if isinstance(history, Mapping):
            ids, places = self._items.places(history.keys(), "history")
            values = _numbers(history.values())
        else:
            ids, places = self._items.places(history, "history")
            values = None
            if ids and self.needs_values:
                raise RequestValueError(
                    f"{self._name} predicts ratings: it needs the value of each id of a history, "
                    "in a mapping such as {'tea': 4.5}, over HTTP in values. Got ids alone."
                )
        unknown = []
        if places and min(places) < 0:
            unknown = [value for value, place in zip(ids, places, strict=True) if place < 0]
            if values is not None:
                values = values[np.array(places) >= 0]
            places = [place for place in places if place >= 0]
        if values is not None and self._refuses_negative and (values < 0).any():
            raise RequestValueError(
                f"Values of a history must be >= 0 for {self._name}. Got {values.min():g}."
            )
        columns = np.array(places, dtype=np.int32)
        columns.sort()
        if values is None and (columns[1:] > columns[:-1]).all():
            data = np.ones(len(columns), self._dtype)
            return Row(one_row(columns, data, self._content.n_items), columns, unknown)
        return self._merged(places, values, unknown)

    def _merged(self, places, values, unknown):
        """The row of a history with values or with repeats, as the encoder makes it."""
        content = self._content
        ids = [self._items.ids[place] for place in places]
        if values is None:
            rows = [(self._anybody, value) for value in ids]
        else:
            least = -np.inf if content.min_value is None else content.min_value
            rows = [
                (self._anybody, item, value)
                for item, value in zip(ids, values.tolist(), strict=True)
                if value >= least
            ]
        seen = np.unique(np.array(places, dtype=np.int32))
        if not rows:
            none = np.empty(0, np.int32)
            X = one_row(none, np.ones(0, self._dtype), content.n_items)
            return Row(X, seen if content.has_all else none, unknown)
        try:
            X = csr_array(content.encoder.transform_histories(rows)[0])
        except (TypeError, ValueError) as error:  # such as repeats that it refuses
            raise RequestValueError(str(error)) from error
        if content.ones:
            kept = X.data > 0
            X = one_row(X.indices[kept], np.ones(int(kept.sum()), X.dtype), content.n_items)
        with np.errstate(over="ignore"):
            X = X.astype(self._dtype, copy=False)
        if not np.isfinite(X.data).all():
            raise RequestValueError(
                f"A value of the history is beyond {self._dtype}, the dtype of the fit. Got values "
                f"up to {np.abs(values).max():g}; expected at most "
                f"{np.finfo(self._dtype).max:.3g}. Send values in the unit of the fit."
            )
        X.eliminate_zeros()
        return Row(X, seen if content.has_all else X.indices.astype(np.int32), unknown)

    def place_of_user(self, user):
        """Row of a known user, or -1."""
        content, ids = self._content, self._content.encoder.user_ids_
        if content.interactions is None:
            return -1
        value = user.item() if isinstance(user, np.generic) else user
        try:
            hash(value)
        except TypeError as error:
            raise RequestTypeError(f"user must be an id. Got {user!r}: {error}.") from error
        index, kind = kept_index(ids), ids.dtype.kind
        if not len(ids):
            return -1
        # Text and whole numbers are found without an object of Python for each of the users.
        if kind == "U":
            return index.find_one(ids, value) if isinstance(value, str) else -1
        if kind == "i":
            value = _int64(value)
            return -1 if value is None else index.find_one(ids, value)
        return index.places(ids).get(value, -1)

    def row_of_user(self, place):
        """`Row` of a user of the fit; place -1 means an unknown user."""
        content = self._content
        if place < 0:
            none = np.empty(0, np.int32)
            return Row(one_row(none, np.empty(0, self._dtype), content.n_items), none, [])
        parts = []
        for matrix in (content.interactions, content.seen):
            entries = slice(matrix.indptr[place], matrix.indptr[place + 1])
            parts.append((matrix.indices[entries], matrix.data[entries]))
        (columns, values), (seen, _) = parts
        return Row(one_row(columns, values, content.n_items), seen, [])
