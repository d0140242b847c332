"""Relations between items, users and other kinds of nodes, and metapaths over them."""

from collections.abc import Mapping

import numpy as np
from scipy.sparse import csr_array

from skrec.utils._feature_rows import check_rows

# X is this relation.
OWN = ("user", "item")


def check_relations(relations, shape):
    """Check the relations passed to `fit`.

    Parameters
    ----------
    relations : dict of str to {array-like, sparse matrix, dataframe}, or None
        "a-b" links each a with some b, as in "item-genre".
    shape : tuple of int
        Shape of X.

    Returns
    -------
    links : dict of (str, str) to csr_array of ones, float64
        Without links from a node to itself.
    """
    if relations is None:
        return {}
    if not isinstance(relations, Mapping):
        raise TypeError(
            "relations must be a dict of names such as 'item-genre' to matrices. Got "
            f"{type(relations).__name__}."
        )
    sizes, links = {"user": shape[0], "item": shape[1]}, {}
    for name, table in relations.items():
        ends = _ends(name)
        if ends[::-1] in links:
            raise ValueError(f"relations hold {name!r} and its reverse: pass one of the two.")
        rows = check_rows(table, name=f"relations[{name!r}]")
        for kind, size in zip(ends, rows.shape, strict=True):
            known = sizes.setdefault(kind, size)
            if size != known:
                raise ValueError(
                    f"relations[{name!r}] must have {known:,} rows or columns for {kind!r}. Got "
                    f"shape {rows.shape}. Users are the rows of X and items its columns: in a "
                    "search over folds of users, leave relations of users out."
                )
        links[ends] = _ones(csr_array(rows), without_loops=ends[0] == ends[1])
    return links


def _ends(name):
    ends = tuple(name.split("-")) if isinstance(name, str) else ()
    if len(ends) != 2 or not all(end.isidentifier() for end in ends):
        raise ValueError(
            "Names of relations must be two words of letters, digits and underscores with a hyphen "
            f"between, such as 'item-genre'. Got {name!r}."
        )
    if set(ends) == set(OWN):
        raise ValueError(f"relations must not hold {name!r}: X is that relation. Leave it out.")
    return ends


def _ones(rows, *, without_loops):
    """Ones at the entries other than zero."""
    rows.eliminate_zeros()
    row = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
    kept = row != rows.indices if without_loops else slice(None)
    place = (row[kept], rows.indices[kept])
    found = csr_array((np.ones(len(place[0])), place), shape=rows.shape)
    found.sort_indices()
    return found


def check_metapaths(metapaths, links):
    """Metapaths as tuples of kinds of nodes.

    Parameters
    ----------
    metapaths : sequence of str, or None
        For example "user-item-genre-item". None: "user-item-user-item", and one metapath through
        each relation of items.
    links : dict of (str, str) to csr_array
        The result of `check_relations`.
    """
    if metapaths is None:
        found = [("user", "item", "user", "item")]
        for ends in links:
            if ends == ("item", "item"):
                found.append(("user", "item", "item"))
            elif "item" in ends:
                found.append(("user", "item", *(set(ends) - {"item"}), "item"))
        return found
    found = [_kinds(name, links) for name in metapaths]
    if len(set(found)) < len(found):
        raise ValueError(f"metapaths must be distinct. Got {list(metapaths)}.")
    return found


def _kinds(name, links):
    kinds = tuple(name.split("-")) if isinstance(name, str) else ()
    if len(kinds) < 3 or kinds[:2] != OWN or kinds[-1] != "item":
        raise ValueError(
            "A metapath must begin with 'user-item-' and end with '-item', such as "
            f"'user-item-genre-item': paths start at the row of X. Got {name!r}."
        )
    for ends in zip(kinds[1:-1], kinds[2:], strict=True):
        if set(ends) != set(OWN) and ends not in links and ends[::-1] not in links:
            known = ", ".join(["user-item (X)", *("-".join(ends) for ends in links)])
            raise ValueError(
                f"The metapath {name!r} needs a relation {'-'.join(ends)!r}. Got {known}; pass it "
                "to fit in relations, or leave the metapath out."
            )
    return kinds


def links_between(source, target, X, links):
    """Links from nodes of one kind to nodes of another, a csr_array of ones."""
    if (source, target) in links:
        return links[source, target]
    if (target, source) in links:
        return csr_array(links[target, source].T.tocsr())
    own = csr_array((np.ones(X.nnz), X.indices, X.indptr), shape=X.shape)
    return own if (source, target) == OWN else csr_array(own.T.tocsr())
