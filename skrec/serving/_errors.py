"""What is wrong with a request: separate from what is wrong with the service.

Each is also the error of Python that whoever calls a `Server` expects. The HTTP application blames
the client for these alone.
"""


class RequestError(Exception):
    """What is wrong with a request."""


class RequestTypeError(RequestError, TypeError):
    """A part of a request has a wrong type."""


class RequestValueError(RequestError, ValueError):
    """A part of a request has a value that cannot be used."""


class RequestKeyError(RequestError, KeyError):
    """What a request asks for is not there."""
