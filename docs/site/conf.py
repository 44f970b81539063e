# SPDX-License-Identifier: MIT
"""Sphinx: the site of docs/, built by `make html` from a copy of the pages (see docs/local.mk)."""
import os
import re
from pathlib import Path

top = Path(__file__).resolve().parents[2]      # of the copy
project = "libdevio"
author = "the libdevio authors"
release = version = os.environ.get("DEVIO_VERSION", "")
root_doc = "docs/index"
extensions = ["myst_parser", "breathe", "sphinx.ext.autodoc"]
myst_heading_anchors = 4
breathe_projects = {"devio": str(top / "xml")}
breathe_default_project = "devio"
breathe_domain_by_extension = {"h": "c"}
breathe_show_include = False
breathe_show_define_initializer = True
html_theme = "furo"
html_title = f"libdevio {version}".strip()
html_show_copyright = False
exclude_patterns = ["xml", "docs/site/toctree.md"]
highlight_language = "none"
pygments_style = "friendly"
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_mock_imports = ["torch"]
default_role = "code"
suppress_warnings = ["myst.header"]


def links(app, docname, source):
    """Links to files that are not pages of the site stay as text; the index gets the contents."""
    page = Path(app.srcdir) / docname

    def keep(m):
        target = m.group(2).partition("#")[0]
        if not target or re.match(r"[a-z]+:", target) or (page.parent / target).is_file():
            return m.group(0)
        return m.group(1)
    source[0] = re.sub(r"(?<!!)\[([^]]*)\]\(([^)\s]+)\)", keep, source[0])
    if docname == root_doc:
        source[0] += (Path(__file__).parent / "toctree.md").read_text().split("\n", 1)[1]


def docstring(app, what, name, obj, options, lines):
    """Docstrings are plain text: indented lines are examples, and a star is a star."""
    out, example = [], False
    for line in lines:
        indented = line.startswith("    ")
        if indented and not example:
            out += ["::", ""]
        elif example and line and not indented:
            out.append("")
        example = indented or (example and not line)
        out.append(line if indented else line.replace("*", "\\*").replace("|", "\\|"))
    lines[:] = out


def setup(app):
    app.connect("autodoc-process-docstring", docstring)
    app.connect("source-read", links)
