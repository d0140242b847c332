"""Configuration of the Sphinx site: ``python -m sphinx -W docs docs/_build``."""

import ast
import doctest
import importlib.util
import inspect
import sys
from pathlib import Path

from docutils import nodes
from sphinx_gallery.directives import imgsgnode

import skrec

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # Sphinx does not look for modules beside this file

from _api_pages import short_names, write_api_pages  # noqa: E402
from _family_pictures import write_pictures  # noqa: E402
from _gallery_order import example_path  # noqa: E402

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
    "sphinx_design",
    "myst_parser",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
    "matplotlib.sphinxext.plot_directive",
]

exclude_patterns = ["_build", "_templates", "examples", "benchmarks/results", "**/__pycache__"]
templates_path = ["_templates"]
# Single backticks name parameters and objects; what is public becomes a link.
default_role = "py:obj"

# Each class's page lists its methods itself, see _templates/autosummary/class.rst.
numpydoc_show_class_members = False
numpydoc_attributes_as_param_list = True

myst_heading_anchors = 3  # of pages that link to a heading of another one

bibtex_bibfiles = ["references.bib"]
bibtex_default_style = "unsrt"
bibtex_reference_style = "author_year"

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

# Formulas are set in the reader's browser, without a network: this one file has MathJax and its
# shapes. The package that brings it is not an extension here: its own hook copies all of 24 MB.
MATHJAX = importlib.util.find_spec("sphinx-mathjax-offline").submodule_search_locations[0]
mathjax_path = "tex-svg.js"
mathjax3_config = {
    "svg": {"fontCache": "global"},
    # No menu and no speech: both load further files.
    "options": {"enableMenu": False, "enableAssistiveMml": True},
}

plot_formats = [("png", 140)]
plot_html_show_formats = False
plot_html_show_source_link = False

html_theme = "pydata_sphinx_theme"
html_title = f"skrec {release}"
html_static_path = ["_static", f"{MATHJAX}/static/mathjax/{mathjax_path}"]
html_css_files = ["skrec.css"]
html_logo = "_static/logo.svg"
html_favicon = "_static/logo.svg"
html_show_sourcelink = False
html_theme_options = {
    "logo": {"text": "skrec", "alt_text": "skrec, to the first page"},
    "navbar_align": "left",
    "navbar_end": ["theme-switcher"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": True,
    "header_links_before_dropdown": 6,
}

toc_object_entries_show_parents = "hide"

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "auto_examples",
    "subsection_order": "_gallery_order.section_order",
    "within_subsection_order": "_gallery_order.example_order",
    "backreferences_dir": "api/backreferences",
    "doc_module": ("skrec",),
    "reference_url": {"skrec": None},
    "abort_on_example_error": True,
    "image_srcset": ["2x"],
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_memory": False,
    "write_computation_times": False,  # their page asks the network for its tables
    "parallel": 2,  # processes; each example sets its own state
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
    """Skip the members of scikit-learn's base classes: scikit-learn documents them."""
    module = getattr(obj, "__module__", None) or "skrec"
    return True if not module.startswith("skrec") else skip


def _unlink_addresses(app, doctree):
    """Make text again of what docutils takes for addresses of mail: nDCG@100."""
    for node in list(doctree.findall(nodes.reference)):
        if node.get("refuri", "").startswith("mailto:"):
            node.replace_self(node.children)


def _name_thumbnails(app, doctree):
    """Name the example in the gallery's thumbnails, and in pictures that have no title."""
    for image in doctree.findall(nodes.image):
        stem = Path(image["uri"]).stem.removeprefix("sphx_glr_").removesuffix("_thumb")
        if not image.get("alt") and "/thumb/" in image["uri"]:
            image["alt"] = f"Thumbnail of the example: {_title_of(stem)}"
    for image in doctree.findall(imgsgnode):
        # The name of the file, with blanks.
        if image["alt"].replace(" ", "_").startswith("plot_"):
            image["alt"] = f"A picture of the example: {_title_of(Path(app.env.docname).name)}"


def _title_of(stem):
    return ast.get_docstring(ast.parse(example_path(stem).read_text())).split("\n")[0]


def _show_display(app, what, name, obj, options, lines):
    """Draw what the example of a display's docstring draws, below it."""
    if what == "class" and name.endswith("Display"):
        examples = doctest.DocTestParser().get_examples(inspect.getdoc(obj))
        code = "".join(example.source for example in examples).splitlines()
        picture = f"   :alt: What the example of {name.rpartition('.')[2]} draws"
        lines += ["", ".. plot::", picture, "   :class: skrec-display", ""]
        lines += [*(f"   {line}" for line in code), ""]


def _write_api_pages(app, config):
    """Write the pages of the reference, and name them to autosummary.

    Left to itself it would look at the pages of the build before, and so miss a new module.
    """
    config.autosummary_generate = write_api_pages(HERE / "api")


def _draw_families(app, config):
    write_pictures(HERE / "methods" / "pictures")


def setup(app):
    """Connect the functions above."""
    app.add_config_value("skrec_short_names", short_names(), "env")
    app.connect("missing-reference", _link_short_name)
    app.connect("doctree-read", _unlink_addresses)
    app.connect("doctree-read", _name_thumbnails)
    app.connect("autodoc-process-docstring", _show_display, priority=900)  # after numpydoc
    app.connect("autodoc-skip-member", _is_of_another_package)
    app.connect("config-inited", _write_api_pages)
    app.connect("config-inited", _draw_families)
