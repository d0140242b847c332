"""The pages of the API reference: one for each public module, from its ``__all__``."""

import importlib
import inspect
import pkgutil

import skrec

# Public modules that are not sub-packages of skrec itself.
NESTED = ("skrec.utils.estimator_checks",)

KINDS = ("Classes", "Functions")


def public_modules():
    """List the names of the modules whose ``__all__`` is the public interface.

    Returns
    -------
    names : list of str
        "skrec" first, the others sorted.
    """
    names = [
        f"skrec.{info.name}"
        for info in pkgutil.iter_modules(skrec.__path__)
        if not info.name.startswith("_")
    ]
    return ["skrec", *sorted([*names, *NESTED])]


def public_objects(module_name):
    """List the classes and functions that a module makes public.

    Parameters
    ----------
    module_name : str
        One of `public_modules`.

    Returns
    -------
    objects : dict of str to list of str
        Names in ``__all__`` under "Classes" and "Functions".

    Raises
    ------
    TypeError
        If ``__all__`` names anything but a class, a function, a module or the version: the
        reference would miss it.
    """
    module = importlib.import_module(module_name)
    objects = {kind: [] for kind in KINDS}
    for name in module.__all__:
        value = getattr(module, name)
        if inspect.isclass(value):
            objects["Classes"].append(name)
        elif inspect.isroutine(value):
            objects["Functions"].append(name)
        elif not (inspect.ismodule(value) or name == "__version__"):
            raise TypeError(f"{module_name}.{name} is a {type(value).__name__}: where does it go?")
    return objects


def short_names():
    """Find the public objects whose name is unique without its module.

    Returns
    -------
    names : dict of str to str
        From the short name to the name with its module.
    """
    found = {}
    for module_name in public_modules():
        for names in public_objects(module_name).values():
            for name in names:
                found.setdefault(name, []).append(f"{module_name}.{name}")
    return {name: full[0] for name, full in found.items() if len(full) == 1}


def page(module_name):
    """Write the text of one page.

    Parameters
    ----------
    module_name : str
        One of `public_modules`.

    Returns
    -------
    text : str
        reStructuredText.
    """
    module = importlib.import_module(module_name)
    lines = [module_name, "=" * len(module_name), "", inspect.getdoc(module), ""]
    lines += [f".. currentmodule:: {module_name}", ""]
    for kind, names in public_objects(module_name).items():
        if names:
            lines += [f".. rubric:: {kind}", "", ".. autosummary::", "   :toctree: generated", ""]
            lines += [*(f"   {name}" for name in names), ""]
    return "\n".join(lines)


def write_api_pages(folder):
    """Write an index and a page for each public module.

    Leave unchanged files alone, so that a second build is quick. Remove the pages of objects
    that are no longer public: Sphinx would miss them in the table of contents.

    Parameters
    ----------
    folder : pathlib.Path
        Created if missing.

    Returns
    -------
    written : list of str
        The pages of the modules, relative to the parent of `folder`.
    """
    folder.mkdir(exist_ok=True)
    names = public_modules()
    index = ["API reference", "=============", ""]
    index += ["Everything public, by module.", "", ".. toctree::", "   :hidden:", ""]
    index += [*(f"   {name}" for name in names), ""]
    for name in names:
        summary = inspect.getdoc(importlib.import_module(name)).split("\n\n")[0].split("\n")
        index += [f":doc:`{name}`", *(f"   {line}" for line in summary), ""]
    texts = {"index": "\n".join([*index, ""]), **{name: page(name) for name in names}}
    stubs = {
        f"{name}.{item}"
        for name in names
        for items in public_objects(name).values()
        for item in items
    }
    for path in [*folder.glob("*.rst"), *folder.glob("generated/*.rst")]:
        if path.stem not in (texts if path.parent == folder else stubs):
            path.unlink()
    for name, text in texts.items():
        path = folder / f"{name}.rst"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    return [f"{folder.name}/{name}.rst" for name in names]
