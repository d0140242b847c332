"""The frame of each request: its id, the limit of its body, its line in the log."""

import json
import logging
import re
import time
import uuid

_LOG = logging.getLogger("skrec.serving")
_ID = re.compile(rb"[\w.-]{1,128}", re.ASCII)  # what may stand in a log
# So many bytes of a body above the limit are read and dropped: the client gets to its answer.
_DROPPED = 1 << 26
_GONE = 499  # the status that logs of proxies have for a client that has left


class _ClientIsGone(Exception):
    """The connection ended within a body."""


class Guard:
    """An ASGI application around another one.

    A request whose header X-Request-ID is plain keeps this id, any other gets a new one. The
    answer has it, and so has the line in the log. A body above the limit is answered with 413.
    Errors of the inner application are logged, and answered with 500. A client that leaves before
    its body is complete gets no answer, and counts as 499.

    Parameters
    ----------
    app : ASGI application
    max_body : int
        Bytes.
    metrics : skrec.serving._metrics.Metrics
    paths : frozenset of str
        Paths that are counted by their names.
    """

    def __init__(self, app, *, max_body, metrics, paths):
        self._app, self._max_body, self._metrics, self._paths = app, max_body, metrics, paths

    async def __call__(self, scope, receive, send):
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id, started, status = _request_id(scope), time.perf_counter(), None

        async def send_marked(message):
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [*message.get("headers", ()), (b"x-request-id", request_id)]
                message = {**message, "headers": headers}
            await send(message)

        try:
            body = await self._body(receive)
        except _ClientIsGone:
            self._note(scope, _GONE, time.perf_counter() - started, request_id)
            return
        started = time.perf_counter()
        try:
            if body is None:
                text = f"The body is larger than {self._max_body:,} bytes; send less at a time."
                await _answer(send_marked, 413, text)
            else:
                await self._app(scope, _replayed(body, receive), send_marked)
        except Exception:
            _LOG.exception("error in request id=%s", request_id.decode())
            if status is not None:  # half of an answer is out
                raise
            await _answer(send_marked, 500, "The service failed; its log says why.")
        self._note(scope, status, time.perf_counter() - started, request_id)

    def _note(self, scope, status, seconds, request_id):
        path = scope["path"] if scope["path"] in self._paths else "other"
        self._metrics.count(path, status, seconds)
        if _LOG.isEnabledFor(logging.INFO):
            _LOG.info(
                "method=%s path=%s status=%s ms=%.2f id=%s", scope["method"], path, status,
                1000 * seconds, request_id.decode(),
            )  # fmt: skip

    async def _body(self, receive):
        """The whole body, or None where it is too large."""
        parts, size, more = [], 0, True
        while more and size < self._max_body + _DROPPED:
            message = await receive()
            if message["type"] != "http.request":
                raise _ClientIsGone
            part, more = message.get("body", b""), message.get("more_body", False)
            size += len(part)
            if size <= self._max_body:
                parts.append(part)
        return b"".join(parts) if size <= self._max_body else None


def _request_id(scope):
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _ID.fullmatch(value):
            return value
    return uuid.uuid4().hex.encode()


def _replayed(body, receive):
    """A `receive` that has the body in one piece, and then what comes."""
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay():
        return waiting.pop() if waiting else await receive()

    return replay


async def _answer(send, status, text):
    content = json.dumps({"detail": text}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(content)).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
