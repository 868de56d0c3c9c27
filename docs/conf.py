"""Sphinx configuration; ``sphinx-build -W -b html docs docs/_build/html`` builds the pages."""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

project = "rare_market"
author = "The rare_market contributors"
project_copyright = author
version = release = importlib.metadata.version("rare-market")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
]
myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build", "**/_*.md"]  # tables written by _generate.py are included, not pages

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings give shape and unit, which the types cannot
napoleon_numpy_docstring = True
napoleon_google_docstring = False
napoleon_use_rtype = False  # results have names and shapes rather than types
napoleon_custom_sections = [("Fields", "params_style")]

html_theme = "alabaster"
html_theme_options = {
    "description": "An agent-based model of rare-earth markets",
    "fixed_sidebar": True,
    "page_width": "1100px",
}


TYPESET = {"rare_market.clearing"}  # modules whose docstring is laid out in plain text


def prepare(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Show attributes as a list, several to a line, and plain-text layouts as they stand.

    Sphinx would describe the attributes of a named tuple twice and take commas for types.
    """
    for i, line in enumerate(lines[:-1]):
        if line == "Attributes" and set(lines[i + 1]) == {"-"}:
            lines[i : i + 2] = ["Fields", "------"]
    if what == "module" and name in TYPESET:
        lines[:] = ["::", "", *(f"   {line}" for line in lines)]


def setup(app: Any) -> dict[str, Any]:
    """Write the tables that the pages include, before Sphinx reads the pages."""
    from _generate import write_tables

    write_tables(HERE / "model")
    app.connect("autodoc-process-docstring", prepare, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
