"""The one page: a study's report as a single HTML file that needs no network.

boards.py says what a sortable table is; leaderboards.py and architectures.py fill them from the
numbers that the Markdown and CSV files show; cells.py draws an architecture; pictures.py and
library.py bring in what is embedded; page.py puts everything together.
"""

__all__ = [
    "architectures",
    "boards",
    "cells",
    "leaderboards",
    "library",
    "page",
    "pictures",
    "provenance",
]
