"""Explain why an item is not in a user's list."""

from typing import NamedTuple

import numpy as np

from skrec._recommend import rows_of
from skrec.utils._given_side import given_side
from skrec.utils._matrices import checked_array
from skrec.utils._ties import quantize_scores
from skrec.utils._topk import top_k
from skrec.utils._validation import canonical_csr, check_candidates, check_item_indices, check_k


class WhyNot(NamedTuple):
    """Result of `why_not`: the rank of an item for a row, and the reason for it.

    Attributes
    ----------
    reason : str
        The reason as a sentence.
    is_seen : bool
        Whether the row has the item.
    is_candidate : bool
        Whether `items` allows the item.
    rank : int
        Rank of the item, from 1, among all items that can be recommended. An item that cannot
        be recommended gets the rank that it would have.
    score : float
        Score of the item.
    last_score : float
        Score of the last item in the list; -inf if the list is not full.
    n_ranked : int
        Number of items that can be recommended.
    """

    reason: str
    is_seen: bool
    is_candidate: bool
    rank: int
    score: float
    last_score: float
    n_ranked: int


def why_not(
    estimator,
    X,
    row,
    item,
    k=10,
    *,
    user_features=None,
    context=None,
    items=None,
    exclude_seen=True,
):
    """Say why an item is not in a user's list, or which rank it has there.

    Parameters
    ----------
    estimator : fitted estimator
        A recommender, or a pipeline or search that ends in one.
    X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
        The interactions of the users, in the form that the estimator takes.
    row : int
        Row of X.
    item : int
        Column of X.
    k : int, default=10
        Length of the list.
    user_features, context : {array-like, sparse matrix, dataframe} of shape \
            (n_users, n_features), default=None
        For estimators that read them, see `recommend`.
    items : array-like of int or bool, or sparse matrix, default=None
        Candidates: indices or a mask of shape (n_items,) for all rows, or a sparse mask of shape
        (n_users, n_items). None: every item.
    exclude_seen : bool, default=True
        Whether the list leaves out the items of the row.

    Returns
    -------
    why : WhyNot
        Named tuple of the reason and its facts: whether the row has the item, whether the item
        is a candidate, its rank and score, and the score of the last item in the list.

    Raises
    ------
    ValueError
        If `row` or `item` is out of range, or for the reasons given in `recommend`.

    See Also
    --------
    recommend : Make the lists.

    Examples
    --------
    >>> import numpy as np
    >>> import skrec
    >>> from skrec.dummy import DummyRecommender
    >>> X = np.array([[1, 1, 0, 0], [1, 0, 1, 0], [1, 1, 0, 1]])
    >>> model = DummyRecommender().fit(X)
    >>> skrec.why_not(model, X, row=0, item=1).reason
    'The row has item 1 already.'
    >>> why = skrec.why_not(model, X, row=0, item=3, k=1)
    >>> why.reason
    'Item 3 has rank 2 of 2: its score of 1 ties with that of the last item in the list.'
    >>> why.rank
    2
    """
    if not hasattr(estimator, "decision_function"):
        raise TypeError(
            "why_not takes a fitted recommender of matrices. Got "
            f"{type(estimator).__name__}; a LogRecommender has a method why_not, which takes ids."
        )
    if not (hasattr(X, "iloc") or hasattr(X, "slice")):
        X = checked_array(X, accept_sparse="csr", ensure_all_finite=False)
    n_rows, n_items = X.shape
    k = check_k(k)
    row, item = _checked(row, n_rows, "row"), _checked(item, n_items, "item")
    takes_part = _allowed(check_candidates(items, n_rows, n_items), row, n_items)
    known = given_side(user_features, context, n_rows).keywords(slice(row, row + 1))
    asked = rows_of(X, row, row + 1)
    scores = np.asarray(estimator.decision_function(asked, **known))
    names = ("the row", f"item {item}")
    return standing(scores, asked, item, k, takes_part, exclude_seen=exclude_seen, names=names)


def standing(scores, asked, item, k, takes_part, *, exclude_seen, names):
    """Where an item stands for a row, and why.

    Parameters
    ----------
    scores : ndarray of shape (1, n_items)
    asked : {array-like, sparse matrix, dataframe} of shape (1, n_items)
        The row.
    item : int
    k : int
    takes_part : ndarray of bool of shape (n_items,)
        Mask of the candidates. It is changed.
    exclude_seen : bool
    names : tuple of str
        The row and the item as the reason names them.

    Returns
    -------
    why : WhyNot
    """
    n_items, is_candidate = scores.shape[1], bool(takes_part[item])
    has = canonical_csr(checked_array(asked, accept_sparse="csr")).indices
    is_seen = bool(np.isin(item, has))
    if exclude_seen:
        takes_part[has] = False
    last = top_k(scores, min(k, n_items), allowed=takes_part)[0][0, -1] if k <= n_items else -1
    cells = quantize_scores(scores)[0]
    better = cells > cells[item]
    better[:item] |= cells[:item] == cells[item]
    rank = 1 + int((better & takes_part).sum())
    score, last_score = float(scores[0, item]), float(scores[0, last]) if last >= 0 else -np.inf
    n_ranked = int(takes_part.sum())
    if is_seen and exclude_seen:
        reason = f"{_start(names[0])} has {names[1]} already."
    elif not is_candidate:
        reason = f"{_start(names[1])} is not among the {n_ranked:,} candidates."
    elif rank <= k:
        reason = f"{_start(names[1])} is in the list, at rank {rank} of {n_ranked:,}."
    else:
        against = f"is below {last_score:.6g}, that of the last item in the list"
        if cells[item] == cells[last]:
            against = "ties with that of the last item in the list"
        reason = (
            f"{_start(names[1])} has rank {rank:,} of {n_ranked:,}: its score of {score:.6g} "
            f"{against}."
        )
    return WhyNot(reason, is_seen, is_candidate, rank, score, last_score, n_ranked)


def _start(name):
    return name[:1].upper() + name[1:]


def _checked(index, n, name):
    return int(check_item_indices(np.asarray([index]), n, name=name)[0])


def _allowed(allowed, row, n_items):
    """The candidates of one row as a new mask."""
    if allowed is None:
        return np.ones(n_items, dtype=np.bool_)
    if isinstance(allowed, np.ndarray):
        return allowed.copy()
    mask = np.zeros(n_items, dtype=np.bool_)
    mask[allowed[row : row + 1].indices] = True
    return mask
