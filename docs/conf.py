"""The settings of the documentation; `tox -e docs` builds it, and a warning is an error."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx
from sphinx.ext.napoleon.docstring import GoogleDocstring

from bench import __version__
from bench.commands.documenting import write_pages

project = "ipl-bench"
author = "The ipl-bench developers"
version = release = __version__
copyright = author  # noqa: A001 - Sphinx calls it so

extensions = ["myst_parser", "sphinx.ext.autodoc"]
myst_heading_anchors = 3
# Names of other projects: their pages cannot be asked where there is no network.
nitpick_ignore_regex = [("py:.*", r"(collections|numpy|pathlib|pd|torch|typing)\..*")]

html_theme = "furo"
html_title = f"ipl-bench {__version__}"
html_show_copyright = False
html_copy_source = False
smartquotes = False

# One backtick in a docstring is code, as in Markdown.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
# PyTorch is large, and nothing of it is documented here.
autodoc_mock_imports = ["torch"]


def setup(app: Sphinx) -> None:
    """Write the pages of proxies before Sphinx looks which pages there are.

    They show the correlations of the committed baseline, and of the folder of `ipl-bench report`
    that `BENCH_REPORTS` names.
    """
    folder = Path(app.srcdir)
    baseline = folder.parent / "results" / "baseline"
    reports = os.environ.get("BENCH_REPORTS")
    write_pages(
        folder / "proxies",
        baseline=baseline if baseline.is_dir() else None,
        reports=Path(reports) if reports else None,
    )
    app.add_lexer("csv", TextLexer)
    app.connect("autodoc-process-docstring", sections)
    app.connect("autodoc-process-signature", unsigned)


def sections(_app: Sphinx, what: Any, name: str, member: Any, _: Any, lines: list[str]) -> None:
    """Read the sections of a docstring (`Args:`, `Returns:`, ...) as Google writes them.

    Those of attributes have none. The extension of the same class would take what stands before a
    colon in them for a type.
    """
    if what not in {"attribute", "data", "property"}:
        lines[:] = GoogleDocstring(lines, what=what, name=name, obj=member).lines()


def unsigned(_app: Sphinx, _what: str, _name: str, member: Any, *_: Any) -> tuple[str, Any] | None:
    """Leave out the signature of what nobody calls, and of what lists its fields below."""
    listed = getattr(member, "_is_protocol", False) or hasattr(member, "__dataclass_fields__")
    return ("", None) if listed else None
