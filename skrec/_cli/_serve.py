"""The verb `serve`."""

import sys
from contextlib import suppress

from skrec._cli._signals import Terminated
from skrec.serving import serve


def run(arguments):
    """Serve a model over HTTP until a signal ends it.

    Parameters
    ----------
    arguments : argparse.Namespace
        See `skrec._cli._parser`.
    """
    # A signal ends the service, after it has answered the requests that had begun.
    with suppress(Terminated, KeyboardInterrupt):
        serve(
            arguments.model,
            host=arguments.host,
            port=arguments.port,
            workers=arguments.workers,
            quantize=arguments.quantize,
            max_k=arguments.max_k,
            max_body=arguments.max_body,
            reload_seconds=arguments.reload_seconds,
            log_level=arguments.log_level,
        )
        return
    sys.stdout.write("stopped\n")
