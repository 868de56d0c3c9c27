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
suppress_warnings = ["toc.empty_glob"]  # a folder of notes may still be empty

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings give shape and unit, which the types cannot
napoleon_numpy_docstring = True
napoleon_google_docstring = False
napoleon_use_ivar = True  # attributes of named tuples would otherwise be described twice

html_theme = "alabaster"
html_theme_options = {
    "description": "An agent-based model of rare-earth markets",
    "fixed_sidebar": True,
    "page_width": "1100px",
}


def setup(app: Any) -> dict[str, Any]:
    """Write the tables that the pages include, before Sphinx reads the pages."""
    from _generate import write_tables

    write_tables(HERE / "model")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
