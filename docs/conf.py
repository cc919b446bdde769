"""Configuration of the site: Sphinx, MyST, furo. `make docs` builds it; it needs no network and loads nothing from one."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE / "_ext")]

from hwscale import __version__

project = "hwscale"
author = "the authors of hwscale"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "docstring_fields", "generated_text"]
exclude_patterns = ["_ext", "_static"]
nitpicky = True
# types stand in signatures as text: those of numpy, torch and private names have no page here
nitpick_ignore_regex = [("py:class", ".*")]
suppress_warnings: list[str] = []

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4
smartquotes = False  # --limit is two hyphens
highlight_language = "text"
default_role = "code"  # docstrings write `name`

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_class_signature = "mixed"
add_module_names = False
python_use_unqualified_type_names = True
python_display_short_literal_types = True
python_maximum_signature_line_length = 80

html_theme = "furo"
html_title = f"hwscale {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_theme_options = {"navigation_with_keys": True}
