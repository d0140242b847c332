"""`partial_fit` of ItemKNN: users come in parts, and the products of items add up."""

import numpy as np
from scipy.sparse import csr_array

from skrec.neighbors._options import check_combination
from skrec.neighbors._parts import lists_of_products, products_of
from skrec.utils._begin_anew import forget_fit
from skrec.utils._fitted import Absent, Number, OneOf, Parts, Sparse, required_if
from skrec.utils._sparse import transposed

# The norms of these metrics are on the diagonal of the products; others need more than products.
_METRICS = ("asymmetric_cosine", "cosine", "jaccard")


class PartialFitMixin:
    """`partial_fit` of `ItemKNN`, which keeps the products of all items as `products_`."""

    _fitted_rules = {
        "products_": Absent(Sparse("n_items", "n_items")),
        "_compared": required_if(
            lambda self: hasattr(self, "products_"),
            Parts(
                {
                    "metric": OneOf(("cosine", "jaccard")),
                    "weighting": OneOf((None, "tfidf")),
                    "activity_exponent": Number(0),
                }
            ),
        ),
    }

    def __sklearn_is_fitted__(self):
        return hasattr(self, "similarity_")  # not before the first `partial_fit` that solves

    def partial_fit(self, X, y=None, *, solve=True):
        """Add more users, with the neighbours of one `fit` on all users so far.

        Keeps the products of all items, `products_`: 12 bytes for each pair of items that share a
        user, however many neighbours stay. `fit` keeps no products: a `partial_fit` after it
        begins anew. If all products are whole numbers, as for binary data with
        ``activity_exponent=0``, the result has the bits of one fit; otherwise it is the same up to
        rounding.

        All users must be compared in one way: `weighting`, `activity_exponent`, and whether
        `metric` is "jaccard", must not change between calls. Other parameters may change.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions of further users, >= 0.
        y : ignored
            Present for scikit-learn's conventions.
        solve : bool, default=True
            Whether to find the neighbours for the users so far. False saves time while more
            parts follow; use True in the last call.

        Returns
        -------
        self : object
            The recommender.

        Raises
        ------
        ValueError
            If a parameter or X is not valid; for ratings, ``weighting="bm25"`` and metrics of
            centred values, which need more than products; if earlier users were compared in
            another way.

        Warns
        -----
        UserWarning
            If it begins anew after `fit`.
        """
        first = not hasattr(self, "products_")
        X = self._start_fit(X, reset=first)
        check_combination(self)
        self._check_adds_up()
        compared = self._way_of_products()
        if not first:
            self._check_same_way(compared)
        if first:
            forget_fit(self, ("similarity_", "_content", "item_has_users_"), "products")
        products = products_of(X, self._how())
        self.products_ = products if first else csr_array(self.products_ + products)
        self._compared = compared
        if solve:
            square = self.products_.diagonal()
            norm = square if self.metric == "jaccard" else np.sqrt(square)
            lists = lists_of_products(
                self.products_,
                (0, len(norm)),
                self._sides(norm, (np.zeros(0), np.zeros(0))),
                metric=self.metric,
                n_neighbors=self.n_neighbors,
                shrinkage=self.shrinkage,
                n_jobs=self.n_jobs,
            )
            self.similarity_ = transposed(lists, dtype=X.dtype, n_jobs=self.n_jobs)
        return self

    def _check_adds_up(self):
        for name, allowed in (
            ("feedback", ("implicit",)),
            ("metric", _METRICS),
            ("weighting", (None, "tfidf")),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"{type(self).__name__}: partial_fit adds up products of items. Got "
                    f"{name}={getattr(self, name)!r}: use one of {allowed}, or fit with all users."
                )

    def _way_of_products(self):
        """The options that decide the products; each solve makes norms and lists from products."""
        _, weighting, exponent = self._how()
        return {
            "metric": "jaccard" if self.metric == "jaccard" else "cosine",
            "weighting": weighting,
            "activity_exponent": float(exponent),
        }

    def _check_same_way(self, compared):
        if compared != self._compared:
            before, now = (
                ", ".join(f"{name}={value!r}" for name, value in one.items())
                for one in (self._compared, compared)
            )
            raise ValueError(
                f"{type(self).__name__}: partial_fit adds products to those of earlier users, "
                f"which were compared with {before}. Got {now}: set the parameters back, or give "
                "all users to a clone."
            )
