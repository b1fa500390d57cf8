"""Configuration of Sphinx, which `make docs` runs; nothing is downloaded while it builds."""

from __future__ import annotations

from importlib.metadata import version as installed_version

project = "songform"
author = "The songform developers"
version = release = installed_version("songform")

extensions = ["myst_parser", "numpydoc", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.viewcode"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["_build"]
nitpicky = False

html_theme = "furo"
html_title = "songform"
html_copy_source = False
html_show_sourcelink = False

autosummary_generate = True
autodoc_typehints = "none"  # the docstrings name types and shapes
autodoc_member_order = "bysource"
numpydoc_show_class_members = False  # autodoc lists them
numpydoc_xref_param_type = False

myst_enable_extensions = ["colon_fence", "fieldlist"]
myst_heading_anchors = 4
# Links to files of the repository, such as ../CONTRIBUTING.md, are right there and have no page here.
suppress_warnings = ["myst.xref_missing"]
