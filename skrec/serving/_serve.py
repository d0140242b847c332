"""serve: run the HTTP application in one process, or in several behind one socket."""

import gc
import json
import logging
import os
import socket
from pathlib import Path

from skrec.serving._options import check_options

_LOG = logging.getLogger("skrec.serving")
_OPTIONS = "SKREC_SERVE"  # the environment tells worker processes what to serve
# Longer than proxies keep an idle connection, 60 s by custom, and than any pause of the event loop:
# a connection that the service closes meets the request which the client is sending.
_IDLE_SECONDS = 75
_FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"


def serve(
    model,
    *,
    host="127.0.0.1",
    port=8000,
    workers=1,
    quantize=None,
    max_k=1000,
    max_body=1 << 20,
    reload_seconds=1.0,
    log_level="info",
):
    """Serve a saved model over HTTP until a signal ends it.

    ``python -m skrec serve`` calls this function. After SIGTERM or Ctrl-C the requests that have
    begun are answered, for at most 30 seconds, and then the signal does what it does elsewhere. An
    idle connection is kept for 75 seconds.

    Parameters
    ----------
    model : str or path-like
        A file, see `make_application`, also for `quantize`, `max_k`, `max_body` and
        `reload_seconds`.
    host : str, default="127.0.0.1"
        Address to listen at. The service has no passwords and no encryption: put a proxy before
        it where others can reach it.
    port : int, default=8000
        0: any that is free; the log names it.
    workers : int, default=1
        Processes that answer, >= 1. Each has the model and figures of its own.
    quantize : {None, "int8"}, default=None
        See `Server`.
    max_k : int, default=1000
        Greatest length of a list.
    max_body : int, default=1048576
        Greatest size of a request's body, in bytes.
    reload_seconds : float, default=1.0
        How often the file is looked at.
    log_level : {"debug", "info", "warning", "error"}, default="info"
        Level of the log on standard error. "info" has a line for each request, with its id.

    Raises
    ------
    ImportError
        If a package is missing: ``pip install "scikit-recsys[serving]"``.
    OSError
        If the address is taken, or the file is not there.
    ModelFileError, TypeError, ValueError
        As `make_application`.

    See Also
    --------
    make_application : The application, for an ASGI server of your choice.

    Examples
    --------
    >>> from skrec.serving import serve
    >>> serve("model.skops", port=8000) # doctest: +SKIP
    """
    try:
        import uvicorn
    except ImportError as error:
        raise ImportError(
            f"To serve over HTTP takes more packages ({error}): pip install "
            '"scikit-recsys[serving]".'
        ) from error

    check_options({"port": port, "workers": workers, "log_level": log_level})
    options = {"model": str(Path(model).absolute()), "quantize": quantize, "max_k": max_k}
    options |= {"max_body": max_body, "reload_seconds": reload_seconds, "log_level": log_level}
    settings = {"access_log": False, "log_config": None, "timeout_graceful_shutdown": 30}
    settings |= {"timeout_keep_alive": _IDLE_SECONDS}
    settings |= {"server_header": False, "lifespan": "on"}
    with _listening(host, port) as listening:
        # A bad model or option is one error here, also where workers make their own application.
        application = worker_application(options)
        _LOG.info("serving %s at http://%s (help: /docs)", model, _address(listening))
        if workers == 1:
            config = uvicorn.Config(application, **settings)
            uvicorn.Server(config).run(sockets=[listening])
            return
        # This process has no use for the model. FastAPI keeps handlers, and they the holder.
        application.state.holder.current = None
        del application
        gc.collect()
        os.environ[_OPTIONS] = json.dumps(options)
        made = f"{__name__}:worker_application"
        uvicorn.run(made, factory=True, workers=workers, fd=listening.fileno(), **settings)


def _listening(host, port):
    """A socket, so that an address which is taken is an error at once."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=2048)
        # Connections inherit it. Workers get the socket by its number, and asyncio then does not
        # set it: the second part of an answer would wait for the client to confirm the first.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listening
    except OSError as error:
        raise OSError(
            error.errno,
            f"cannot listen at {host}, port {port}: {error.strerror or error}. Choose another "
            "host or port.",
        ) from error


def _address(listening):
    host, port = listening.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def worker_application(options=None):
    """The application of a process.

    Parameters
    ----------
    options : dict, default=None
        None: those that the environment names, in a worker process.

    Returns
    -------
    application : fastapi.FastAPI
    """
    from skrec.serving._application import make_application

    options = dict(json.loads(os.environ[_OPTIONS]) if options is None else options)
    _start_log(options.pop("log_level"))
    return make_application(options.pop("model"), **options)


def _start_log(level):
    """Write the log of the service, and uvicorn's, to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter(_FORMAT))
    for name in ("skrec.serving", "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level.upper())
