"""The generator of the API pages, which is part of the site and of no package."""

import importlib.util
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"

_spec = importlib.util.spec_from_file_location("docs_api_pages", DOCS / "_api_pages.py")
api_pages = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(api_pages)
