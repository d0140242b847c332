"""Bodies of requests and answers. Needs the package pydantic."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr

Number = Annotated[StrictFloat, Field(allow_inf_nan=False)]  # whole ones of JSON, too
Id = StrictStr | StrictInt | Number
_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)


class Item(BaseModel):
    """An item of a list."""

    id: str | int | float
    score: float
    title: str | None = None


class Items(BaseModel):
    """An answer of /recommend and /similar."""

    items: list[Item] = Field(description="Best first; fewer than k where no more are left.")
    fallback: bool = Field(description="Whether nothing was known: what most users have.")
    unknown: list[str | int | float] = Field(description="Ids of the history that the model lacks.")


class Problem(BaseModel):
    """An error of a request."""

    detail: str


class Health(BaseModel):
    """An answer of /health."""

    status: Literal["ok", "stale"] = Field(
        description="stale: the present file cannot be read, and an older model serves."
    )
    error: str | None
    loaded: float = Field(description="When the model was read, in Unix seconds.")
    n_items: int
    n_users: int
    version: str


def request_bodies(max_k):
    """The bodies of /recommend and /similar, with a limit of k.

    Parameters
    ----------
    max_k : int

    Returns
    -------
    Recommend, Similar : classes of pydantic.BaseModel
    """
    Length = Annotated[StrictInt, Field(ge=1, le=max_k, description="Length of the list.")]
    Candidates = Annotated[
        list[Id] | None,
        Field(description="Ids of candidates, such as what is in stock. Absent: all items."),
    ]
    Excluded = Annotated[list[Id] | None, Field(description="Ids that are never listed.")]

    class Recommend(BaseModel):
        """Whom to recommend to: a history, or a user of the fit."""

        model_config = _STRICT
        history: list[Id] | None = Field(
            None, description="What the user has; it alone counts. Unknown ids are ignored."
        )
        values: list[Number] | None = Field(
            None, description="A value for each id of the history, such as a rating."
        )
        user: Id | None = Field(None, description="Id of a user of the fit.")
        k: Length = 10
        items: Candidates = None
        exclude: Excluded = None
        exclude_seen: StrictBool = True
        unknown_user: Literal["fallback", "error"] = "fallback"

    class Similar(BaseModel):
        """An item to find others for."""

        model_config = _STRICT
        item: Id
        k: Length = 10
        items: Candidates = None
        exclude: Excluded = None

    return Recommend, Similar
