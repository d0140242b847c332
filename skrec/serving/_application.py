"""The HTTP application."""

import json
import reprlib
from contextlib import asynccontextmanager

from skrec._version import __version__
from skrec.serving._errors import RequestError, RequestKeyError, RequestValueError
from skrec.serving._holder import ModelHolder
from skrec.serving._options import check_options
from skrec.serving._server import Server

_PATHS = frozenset(("/recommend", "/similar", "/health", "/metrics"))
_JSON = "application/json"


def make_application(model, *, quantize=None, max_k=1000, max_body=1 << 20, reload_seconds=1.0):
    """Make the HTTP application around a saved model, for any ASGI server.

    ``python -m skrec serve model.skops`` runs it. POST /recommend and /similar answer with lists,
    GET /health says what is served, GET /metrics has figures for Prometheus, and /docs is a page
    that describes them all.

    Parameters
    ----------
    model : str, path-like or Server
        A file as `Server` reads it. When it is replaced, the new one is read in the background,
        and takes its place without a lost request; one that cannot be read is logged, and the old
        model stays. While it is read, both models take memory. A `Server` stays as it is.
    quantize : {None, "int8"}, default=None
        As `Server` takes it; only with a file.
    max_k : int, default=1000
        Greatest length of a list, >= 1.
    max_body : int, default=1048576
        Greatest size of a request's body, in bytes, >= 1.
    reload_seconds : float, default=1.0
        How often the file is looked at, above 0 and at most 604,800 (a week).

    Returns
    -------
    application : fastapi.FastAPI
        Its ``state.holder`` has the model.

    Raises
    ------
    ImportError
        If fastapi or prometheus_client is missing: ``pip install "scikit-recsys[serving]"``.
    ValueError
        If an option is not valid, or an id of an item is neither text nor a finite number: JSON
        has no word for it.
    OSError, ModelFileError, TypeError, ValueError
        As `Server`.

    See Also
    --------
    Server : Answers the requests.

    Notes
    -----
    A request that is wrong is answered with a status of 4xx and ``{"detail": "..."}``: 422 for a
    body that is not JSON, or has a wrong type, a `k` above the limit, no known candidate, or values
    so large that the model has no finite scores for them; 404 for an unknown item of /similar, for
    a model without similar items, and for an unknown user where ``"unknown_user": "error"``; 413
    for a body that is too large. Unknown ids are ignored; the answer lists the unknown ids of the
    history, not of ``items`` or ``exclude``. Ids have the type that they have in the log:
    "12" is not 12. Any other failure is a fault of the service: the log has it, and the status is
    500.

    The page /docs is FastAPI's own, and reads its scripts from the internet: without the
    internet it is blank. /openapi.json has the same content, and needs no internet.

    The event loop computes each list itself, without a pool of threads. While it computes one
    list, other requests wait.

    Examples
    --------
    >>> from skrec.serving import make_application
    >>> application = make_application("model.skops") # doctest: +SKIP
    """
    try:
        from fastapi import FastAPI

        from skrec.serving._metrics import Metrics
    except ImportError as error:
        raise ImportError(
            f"The HTTP application needs more packages ({error}): pip install "
            '"scikit-recsys[serving]".'
        ) from error
    from skrec.serving._guard import Guard

    check_options({"max_k": max_k, "max_body": max_body, "reload_seconds": reload_seconds})
    if isinstance(model, Server) and quantize is not None:
        raise ValueError(
            f"quantize is for a file. Got {quantize!r} with a Server: make that with quantize."
        )
    holder = ModelHolder(model, quantize=quantize, seconds=reload_seconds)

    @asynccontextmanager
    async def lifespan(application):
        application.openapi()  # it is kept: no request waits for it
        holder.start()
        yield
        holder.stop()

    application = FastAPI(
        title="skrec",
        version=__version__,
        description="Recommendations of a saved model.",
        lifespan=lifespan,
    )
    application.state.holder = holder
    metrics = Metrics(holder)
    _add_lists(application, holder, max_k)
    _add_state(application, holder, metrics)
    application.add_middleware(Guard, max_body=max_body, metrics=metrics, paths=_PATHS)
    return application


def _add_lists(application, holder, max_k):
    from fastapi import HTTPException, Request, Response
    from pydantic import ValidationError

    from skrec.serving._bodies import Items, Problem, request_bodies

    Recommend, Similar = request_bodies(max_k)
    statuses = {code: {"model": Problem} for code in (404, 413, 422)}

    def documented(summary, body):
        content = {_JSON: {"schema": body.model_json_schema()}}
        of_request = {"requestBody": {"required": True, "content": content}}
        return {
            "summary": summary,
            "response_model": Items,
            "responses": statuses,
            "openapi_extra": of_request,
        }

    # Whatever its content type says, a body is JSON: curl says that it is a form.
    async def answered(request, kind, function):
        try:
            body = kind.model_validate_json(await request.body())
            return Response(_as_json(function(holder.current.server, body)), media_type=_JSON)
        except ValidationError as error:
            raise HTTPException(422, _described(error)) from error
        except RequestKeyError as error:
            raise HTTPException(404, error.args[0]) from error
        except RequestError as error:
            raise HTTPException(422, str(error)) from error

    @application.post(
        "/recommend", **documented("List items for a history or for a user of the fit", Recommend)
    )
    async def recommend(request: Request):
        return await answered(request, Recommend, _recommended)

    @application.post("/similar", **documented("List similar items", Similar))
    async def similar(request: Request):
        return await answered(request, Similar, _similar)


def _similar(server, body):
    if not server.has_similar:
        raise RequestKeyError("This model has no similar items.")
    return server.similar(body.item, body.k, items=body.items, exclude=body.exclude)


def _recommended(server, body):
    options = {"items": body.items, "exclude": body.exclude, "exclude_seen": body.exclude_seen}
    if (body.history is None) == (body.user is None):
        given = "neither" if body.user is None else "both"
        raise RequestValueError(f"Give either history or user. Got {given}.")
    if body.user is not None:
        if body.values is not None:
            raise RequestValueError("values belong to a history; a user of the fit has them.")
        if body.unknown_user == "error" and not server.knows(body.user):
            raise RequestKeyError(f"User {reprlib.repr(body.user)} is unknown.")
        return server.recommend_user(body.user, body.k, **options)
    history = body.history
    if body.values is not None:
        if len(body.values) != len(history):
            raise RequestValueError(
                f"values must have one number for each id of history. Got {len(body.values)} for "
                f"{len(history)}."
            )
        if len(set(history)) < len(history):
            raise RequestValueError("With values, an id may stand in history once.")
        history = dict(zip(history, body.values, strict=True))
    return server.recommend(history, body.k, **options)


def _as_json(answer):
    names = ("id", "score") if answer.titles is None else ("id", "score", "title")
    columns = (answer.ids, answer.scores, *(() if answer.titles is None else (answer.titles,)))
    items = [dict(zip(names, one, strict=True)) for one in zip(*columns, strict=True)]
    content = {"items": items, "fallback": answer.fallback, "unknown": answer.unknown}
    return json.dumps(content, allow_nan=False)


def _described(error):
    """Say what is wrong with a body without its content, which may be long, or not JSON."""
    found = []
    for one in error.errors(include_url=False, include_context=False, include_input=False)[:3]:
        place = ".".join(str(part) for part in one["loc"][:2])
        found.append(f"{place}: {one['msg']}" if place else str(one["msg"]))
    return "; ".join(found)[:1000]


def _add_state(application, holder, metrics):
    from fastapi import Response

    from skrec.serving._bodies import Health
    from skrec.serving._metrics import CONTENT_TYPE

    @application.get("/health", summary="Say what is served", response_model=Health)
    async def health():
        server, since = holder.current
        return {
            "status": "ok" if holder.error is None else "stale",
            "error": holder.error,
            "loaded": since,
            "n_items": server.n_items,
            "n_users": server.n_users,
            "version": __version__,
        }

    @application.get("/metrics", summary="Figures for Prometheus", response_class=Response)
    async def figures():
        return Response(metrics.text(), media_type=CONTENT_TYPE)
