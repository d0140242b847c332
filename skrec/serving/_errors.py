"""Errors of requests, separate from faults of the service.

Each is also the error of Python that whoever calls a `Server` expects. The HTTP application blames
the client for these alone.
"""


class RequestError(Exception):
    """An error of a request."""


class RequestTypeError(RequestError, TypeError):
    """A part of a request has a wrong type."""


class RequestValueError(RequestError, ValueError):
    """A part of a request has a value that cannot be used."""


class RequestKeyError(RequestError, KeyError):
    """A request asks for something that is not there."""
