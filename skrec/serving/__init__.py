"""From a saved model to a service: fast lists in one process, an HTTP application, ONNX files."""

from skrec.serving._answer import Answer
from skrec.serving._application import make_application
from skrec.serving._onnx import to_onnx
from skrec.serving._serve import serve
from skrec.serving._server import Server

__all__ = ["Answer", "Server", "make_application", "serve", "to_onnx"]
