"""Reports: what `results/` holds, as tables and figures for a paper.

load.py reads results; correlations.py and searches.py turn them into records; tables.py and
figures/ show them; write.py puts everything under `reports/<study>/`.
"""

__all__ = [
    "attachments",
    "comparisons",
    "correlations",
    "figures",
    "load",
    "noise",
    "numbers",
    "page",
    "sample",
    "searches",
    "style",
    "tables",
    "write",
]
