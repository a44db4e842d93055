"""Figures of what the verbs give, drawn as reports draw them; matplotlib is needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.api.search import Searches
from bench.base import OptionError, Record
from bench.reports.attachments import Trace
from bench.reports.load import Search, search_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


def heatmap(
    frame: pd.DataFrame, metric: str = "kendall", *, proxies: Sequence[str] | None = None
) -> list[Axes]:
    """Draw correlations: proxies down, tasks across, a value and its interval in every cell.

    Args:
        frame: As `bench.correlate` gives.
        metric: Which of its columns to show.
        proxies: Their order from top to bottom; by their mean over tasks, best first, if None.

    Returns:
        Axes, one for as many tasks as fit a page; `axes.figure.savefig` writes it.

    Raises:
        OptionError: The frame is none of correlations, or matplotlib is not here.
    """
    lacking = {"task", "proxy", metric} - {*frame.columns}
    if lacking or frame.empty:
        raise OptionError(
            f"expected a frame of bench.correlate with the columns task, proxy and {metric}, got "
            + (f"one without {', '.join(sorted(lacking))}" if lacking else "no row")
        )
    with _drawing():
        from bench.reports.figures.heatmap import heatmaps

        return [figure.axes[0] for figure in heatmaps(_records(frame), metric, proxies)]


def regret(found: Searches, unit: str = "queries") -> list[Axes]:
    """Draw mean validation regret so far against queries or seconds, with its band over seeds.

    The band has no width where there are too few seeds for an interval.

    Args:
        found: As `bench.search` gives.
        unit: `queries` or `seconds`.

    Returns:
        Axes, one a task.

    Raises:
        OptionError: Nothing was searched within such a budget, or matplotlib is not here.
    """
    from bench.reports.searches import curves

    if unit not in {"queries", "seconds"}:
        raise OptionError(f"expected unit='queries' or 'seconds', got {unit!r}")
    drawn = curves(list(_traced(found)), unit)
    if not drawn:
        raise OptionError(f"expected searches within a budget of {unit}, got none that succeeded")
    with _drawing():
        from bench.reports.figures.search import search_curves

        return [axes for figure in search_curves(drawn, None) for axes in figure.axes]


@contextmanager
def _drawing() -> Iterator[None]:
    """In the style of reports. Raises OptionError where matplotlib is not here."""
    try:
        from bench.reports.style import paper_style
    except ModuleNotFoundError as error:
        raise OptionError(
            f"figures need {error.name}, which is not here; pip install 'ipl-bench[figures]'"
        ) from error
    with paper_style():
        yield


def _traced(found: Searches) -> Iterator[Search]:
    """The searches that succeeded, each with what it saw after every query."""
    traces = found.traces().groupby(["task", "budget", "searcher", "seed"])
    for row in found.rows:
        if row["status"] == "ok":
            key = row["task"], row["budget"], row["searcher"], row["seed"]
            seen = traces.get_group(key)
            seconds = seen["seconds"].to_numpy(np.float64)
            yield search_of(
                row,
                Trace(
                    seen["validation"].to_numpy(np.float64),
                    seen["queries"].to_numpy(np.int64),
                    None if np.isnan(seconds).any() else seconds,
                ),
            )


def _records(frame: pd.DataFrame) -> list[Record]:
    """The rows as reports have them: None where undefined."""
    return [
        {str(name): _known(value) for name, value in row.items()}
        for row in frame.to_dict(orient="records")
    ]


def _known(value: Any) -> Any:
    return None if isinstance(value, float) and np.isnan(value) else value
