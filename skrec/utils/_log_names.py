"""Usual names of the columns of an interaction log."""

# By role, the most common names first, in the form that `plain_name` returns.
KNOWN_NAMES = {
    "user": ("user", "userid", "uid", "useridx", "customer", "customerid", "reviewerid"),
    "item": (
        "item", "itemid", "iid", "itemidx", "movie", "movieid", "product", "productid", "asin",
        "song", "songid", "track", "trackid", "artist", "artistid", "book", "bookid", "isbn",
    ),
    "value": (
        "rating", "ratings", "value", "score", "stars", "count", "plays", "weight", "quantity",
        "qty", "overall", "bookrating", "playcount",
    ),
    "timestamp": ("timestamp", "time", "date", "datetime", "unixtime", "unixreviewtime"),
}  # fmt: skip


def plain_name(name):
    """Plain form of a name: "userid" for "user_id:token" (RecBole), "User-ID" and "userId"."""
    return "".join(c for c in name.split(":")[0].lower() if c.isalnum())


def is_time_name(name):
    """Whether a name is a usual name of a column of times."""
    return isinstance(name, str) and plain_name(name) in KNOWN_NAMES["timestamp"]


def guess_column(names, role):
    """Index of the name that fits a role, or None."""
    plain = [plain_name(name) for name in names]
    for known in KNOWN_NAMES[role]:
        if known in plain:
            return plain.index(known)
    return None
