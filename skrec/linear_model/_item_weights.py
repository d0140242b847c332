"""Explanations and similar items of the linear models, whose scores are X @ B."""

from abc import abstractmethod

from sklearn.utils.validation import check_is_fitted

from skrec.utils._explain import explain_scores


class ItemWeightsMixin:
    """`explain` and `similar_items` of a recommender whose scores are ``X @ B``."""

    @abstractmethod
    def _weights(self, sources, targets):
        """Weights B[sources, targets], an ndarray of shape (n,)."""

    @abstractmethod
    def _heaviest(self, items, k):
        """Lists of the items with the largest weights B[:, items], and these weights."""

    def _explained_rows(self, X):
        """The rows x of ``x @ B``, made from checked rows X."""
        return X

    def explain(self, X, items):
        """Split scores into what each item of the user adds.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions of the users.
        items : array-like of int of shape (n_users,) or (n_users, m)
            The items to explain for each user, such as the result of `predict` or
            `recommend`; -1 for none.

        Returns
        -------
        contributions : csr_array of shape (n_users * m, n_items)
            Row ``u * m + j`` holds ``x_ui * B[i, items[u, j]]`` at each item i of user u,
            with the weights B (the `coef_` of EASE and SLIM). The row sums to the score of
            ``items[u, j]``. If the values of X are times, x are the weights of these times.

        Raises
        ------
        ValueError
            If `items` has the wrong shape or is out of range.
        """
        X = self._explained_rows(self._start_scoring(X))
        return explain_scores(X, items, self._weights)

    def similar_items(self, items, k=10, *, return_scores=False):
        """Find the items with the largest weights for given items.

        Parameters
        ----------
        items : array-like of int of shape (n,)
            Column indices of X.
        k : int, default=10
            Length of the lists.
        return_scores : bool, default=False
            Whether to return the weights as well.

        Returns
        -------
        neighbors : ndarray of intp of shape (n, k)
            Column indices of X: the items i with the largest weights ``B[i, items]``, never
            the item itself; padded with -1. SLIM lists only items with a non-zero weight.
        weights : ndarray of shape (n, k), dtype of the weights
            Only with ``return_scores=True``; -inf beside -1.

        Raises
        ------
        ValueError
            If an index is out of range or k is not a whole number >= 1.
        """
        check_is_fitted(self)
        found, weights = self._heaviest(items, k)
        return (found, weights) if return_scores else found
