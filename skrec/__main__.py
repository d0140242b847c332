"""The command line: ``python -m skrec`` and the console script ``skrec``."""

import sys

from skrec._cli._main import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
