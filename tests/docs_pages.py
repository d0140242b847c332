"""The modules of the site, which are part of no package."""

import importlib.util
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"


def _module(name):
    spec = importlib.util.spec_from_file_location(f"docs{name}", DOCS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


api_pages = _module("_api_pages")
gallery_order = _module("_gallery_order")
methods_table = _module("_methods_table")
