"""How alike things rank, as a matrix of correlations with a tree of clusters beside it."""

from __future__ import annotations

from itertools import product

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from bench.base import Floats
from bench.reports.figures.heatmap import ink_on
from bench.reports.proxy_pairs import Alike
from bench.reports.style import (
    BLACK,
    COLUMN_INCHES,
    PAGE_INCHES,
    PALE,
    fitted,
    new_figure,
    short_number,
    text_inches,
)

_CELL_INCHES = 0.2
"""How high a cell is, and how wide at the least where there is room."""
_NARROW_CELL_INCHES = 0.19
_WIDE_CELL_INCHES = 0.26
_NAME_INCHES = 2.1
_TREE_INCHES = 0.8
_SCALE_INCHES = 0.5
_COLOURS = "RdBu"


def cluster_figure(alike: Alike) -> Figure:
    """Draw the correlations of every two, in the clusters' order, and their tree to the right.

    Numbers are left out where there are too many for the page.
    """
    names = [fitted(alike.names[place], _NAME_INCHES) for place in alike.order]
    room = max(map(text_inches, names)) + 0.2
    count = len(names)
    beside = room + _TREE_INCHES
    width = COLUMN_INCHES if beside + count * _CELL_INCHES <= COLUMN_INCHES else PAGE_INCHES
    across = (width - beside) / count
    figure = new_figure(width, count * min(_CELL_INCHES, across) + room + _SCALE_INCHES)
    matrix, tree = figure.subplots(1, 2, width_ratios=[width - beside, _TREE_INCHES])
    taus = alike.taus[np.ix_(alike.order, alike.order)]
    _draw_matrix(matrix, taus, _digits(across))
    matrix.set_xticks(range(count), names, rotation=90)
    matrix.set_yticks(range(count), names)
    _draw_tree(tree, alike)
    tree.set_ylim(*matrix.get_ylim())
    scale = mpl.cm.ScalarMappable(mpl.colors.Normalize(-1, 1), mpl.colormaps[_COLOURS])
    bar = figure.colorbar(
        scale, ax=matrix, orientation="horizontal", fraction=0.04, pad=0.02, aspect=40
    )
    bar.set_ticks([-1.0, -0.5, 0.0, 0.5, 1.0])
    bar.outline.set_visible(False)
    bar.set_label("Kendall τ")
    return figure


def _digits(inches: float) -> int:
    """How many decimals a cell of a width has room for; none at all is 0."""
    return 2 if inches >= _WIDE_CELL_INCHES else int(inches >= _NARROW_CELL_INCHES)


def _draw_matrix(axes: Axes, taus: Floats, digits: int) -> None:
    count = len(taus)
    colours = mpl.colormaps[_COLOURS]
    for row, column in product(range(count), repeat=2):
        value = float(taus[row, column])
        box = Rectangle((column - 0.5, row - 0.5), 1, 1, edgecolor="white", linewidth=0.5)
        axes.add_patch(box)
        if np.isnan(value):
            box.set(facecolor="white", hatch="/////", edgecolor=PALE)
            continue
        shade = colours((value + 1) / 2)
        box.set_facecolor(shade)
        if digits and row != column:
            text = short_number(value, digits)
            axes.text(column, row, text, ha="center", va="center", color=ink_on(shade))
    axes.set_xlim(-0.5, count - 0.5)
    axes.set_ylim(count - 0.5, -0.5)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _draw_tree(axes: Axes, alike: Alike) -> None:
    """Every merge as a bracket, as far to the right as its clusters are apart."""
    places = {thing: float(place) for place, thing in enumerate(alike.order)}
    reach = dict.fromkeys(places, 0.0)
    for number, merge in enumerate(alike.merges, start=len(alike.names)):
        ends = [(reach[each], places[each]) for each in (merge.first, merge.second)]
        (left, top), (right, bottom) = ends
        # Later merges are no nearer, but for rounding.
        height = max(merge.height, left, right)
        axes.plot([left, height, height, right], [top, top, bottom, bottom], color=BLACK, lw=0.8)
        places[number], reach[number] = (top + bottom) / 2, height
    axes.set_xlim(0, max(1.0, 1.02 * max(reach.values())))
    axes.set_yticks([])
    axes.set_xticks([0.0, 0.5, 1.0], ["1", ".5", "0"])
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set_xlabel("mean τ")
    axes.spines[:].set_visible(False)
