"""The documentation site: Sphinx over the Markdown pages of this folder and over pages made from the code.

``make docs`` builds it; a warning is an error. Nothing is fetched from the network.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import pages  # noqa: E402 beside this file

import flowclass  # noqa: E402 the installed package

project = "flowclass"
version = release = flowclass.__version__
author = "the flowclass authors"
copyright = "2026, the flowclass authors"

extensions = ["myst_parser", "sphinx.ext.autodoc", "numpydoc"]
exclude_patterns = ["_build"]
source_suffix = {".md": "markdown"}

nitpicky = True
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]
highlight_language = "none"

autodoc_typehints = "none"  # the docstrings name shapes, types and units
autodoc_member_order = "bysource"
autosummary_generate = False
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

html_theme = "furo"
html_title = f"flowclass {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False
html_theme_options = {"navigation_with_keys": True}

pages.write(HERE / "generated")
