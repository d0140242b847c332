"""Configuration of the Sphinx site: ``python -m sphinx -W docs docs/_build``."""

import sys
from pathlib import Path

from docutils import nodes

import skrec

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # Sphinx does not look for modules beside this file

from _api_pages import short_names, write_api_pages  # noqa: E402

project = "skrec"
author = "The skrec developers"
project_copyright = author
release = version = skrec.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "sphinxcontrib.bibtex",
    "sphinx_copybutton",
    "myst_parser",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]

exclude_patterns = ["_build", "_templates", "examples", "benchmarks/results", "**/__pycache__"]
templates_path = ["_templates"]
# Single backticks name parameters and objects; what is public becomes a link.
default_role = "py:obj"

# Each class's page lists its methods itself, see _templates/autosummary/class.rst.
numpydoc_show_class_members = False
numpydoc_attributes_as_param_list = True

bibtex_bibfiles = ["references.bib"]
bibtex_default_style = "unsrt"
bibtex_reference_style = "author_year"

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

html_theme = "pydata_sphinx_theme"
html_title = f"skrec {release}"
html_show_sourcelink = False
html_theme_options = {
    "navbar_align": "left",
    "navbar_end": ["theme-switcher"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": True,
    "header_links_before_dropdown": 6,
}

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "auto_examples",
    "within_subsection_order": "_gallery_order.example_order",
    "backreferences_dir": "api/backreferences",
    "doc_module": ("skrec",),
    "reference_url": {"skrec": None},
    "abort_on_example_error": True,
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_memory": False,
}


SKLEARN_PAGES = "https://scikit-learn.org/stable/modules/generated/"
# Names of scikit-learn that the guide and the docstrings use without their module.
SKLEARN_NAMES = {
    "Binarizer": "sklearn.preprocessing.Binarizer",
    "GridSearchCV": "sklearn.model_selection.GridSearchCV",
    "KFold": "sklearn.model_selection.KFold",
    "Pipeline": "sklearn.pipeline.Pipeline",
    "RandomizedSearchCV": "sklearn.model_selection.RandomizedSearchCV",
    "check_estimator": "sklearn.utils.estimator_checks.check_estimator",
    "clone": "sklearn.base.clone",
    "cross_validate": "sklearn.model_selection.cross_validate",
}


def _link_short_name(app, env, node, contnode):
    """Resolve the name of a public object without its module, and names of scikit-learn."""
    target = node.get("reftarget", "")
    if node.get("refdomain") != "py" or node.get("reftype") != "obj":
        return None
    sklearn_name = SKLEARN_NAMES.get(target, target)
    if sklearn_name.startswith("sklearn."):
        return nodes.reference("", "", contnode, refuri=f"{SKLEARN_PAGES}{sklearn_name}.html")
    name, dot, rest = target.partition(".")
    if name not in app.config.skrec_short_names:
        return None
    full = app.config.skrec_short_names[name] + dot + rest
    domain = env.domains["py"]
    return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", full, node, contnode)


def _is_of_another_package(app, what, name, obj, skip, options):
    """Skip what scikit-learn's base classes bring: it is documented there."""
    module = getattr(obj, "__module__", None) or "skrec"
    return True if not module.startswith("skrec") else skip


def _unlink_addresses(app, doctree):
    """Make text again of what docutils takes for addresses of mail: nDCG@100."""
    for node in list(doctree.findall(nodes.reference)):
        if node.get("refuri", "").startswith("mailto:"):
            node.replace_self(node.children)


def _write_api_pages(app, config):
    """Write the pages of the reference, and name them to autosummary.

    Left to itself it would look at the pages of the build before, and so miss a new module.
    """
    config.autosummary_generate = write_api_pages(HERE / "api")


def setup(app):
    """Connect what is above."""
    app.add_config_value("skrec_short_names", short_names(), "env")
    app.connect("missing-reference", _link_short_name)
    app.connect("doctree-read", _unlink_addresses)
    app.connect("autodoc-skip-member", _is_of_another_package)
    app.connect("config-inited", _write_api_pages)
