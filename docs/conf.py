# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The book: settings of Sphinx. What is made of the code stands in book/."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

import mfresnet

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "book"))

project = "mfresnet"
author = "the mfresnet authors"
copyright = "2026 the mfresnet authors, MIT licence"
release = version = mfresnet.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
    "links",
    "reference_pages",
]
exclude_patterns = ["requirements.txt", "rooms.py", "build.sh", "conf.py", "book", "paper"]
nitpick_ignore_regex = [("py:.*", r".*")]
"""Types in signatures name other packages, whose documents are not here."""

# ---------------------------------------------------------------------- pages and notebooks
source_suffix = {".md": "myst-nb", ".rst": "restructuredtext", ".py": "myst-nb"}
nb_custom_formats = {".py": ["links.script", {}]}
nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_timeout = 120
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_merge_streams = True
nb_output_stderr = "remove"
myst_enable_extensions = ["amsmath", "attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 4
myst_dmath_double_inline = True
suppress_warnings = ["mystnb.unknown_mime_type", "ref.python"]
"""A type in a signature may have the name of a method elsewhere, such as bytes."""

# ---------------------------------------------------------------------- the code
autodoc_typehints = "signature"
autodoc_type_aliases = {name: name for name in ("Array", "Indices", "Density", "Visit")}
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
napoleon_google_docstring, napoleon_numpy_docstring = True, False
napoleon_use_ivar = True
napoleon_custom_sections = ["Parallel"]
python_maximum_signature_line_length = 120

# ---------------------------------------------------------------------- how it looks
MATHJAX = metadata.distribution("sphinx-mathjax-offline").locate_file(
    "sphinx-mathjax-offline/static/mathjax/tex-svg-full.js"
)
html_theme = "furo"
html_title = "mfresnet"
html_static_path = ["_static", str(MATHJAX)]
html_css_files = ["book.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {"sidebar_hide_name": False, "navigation_with_keys": True}
mathjax_path = "tex-svg-full.js"
mathjax3_config = {"svg": {"fontCache": "global", "scale": 0.92}, "options": {"enableMenu": False}}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
