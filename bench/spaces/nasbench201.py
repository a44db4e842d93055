"""NAS-Bench-201: one cell of four nodes, five operations on each of its six edges.

Paper: Dong and Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture
Search", ICLR 2020, https://arxiv.org/abs/2001.00326. The "tuple" form follows
NAS-Bench-Suite-Zero (NASLib, branch zerocost, commit 8c45f19, nasbench201/conversions.py).

Our numbering of the operations, used in an architecture: 0 none, 1 skip_connect, 2 nor_conv_1x1,
3 nor_conv_3x3, 4 avg_pool_3x3; the edges are in the order of the arch string, destination first.
The suite's tuple numbers them 0 skip_connect, 1 none, 2 nor_conv_3x3, 3 nor_conv_1x1,
4 avg_pool_3x3, and orders the edges source first: (0-1), (0-2), (0-3), (1-2), (1-3), (2-3).
Six numbers are a valid cell by either, so a stranger's tuple needs a word: `naslib:(...)` or
`nasbench201:(...)`.

How many cells are there? All figures are counted by the tests.

- 15,625 as written.
- 9,445 once edges on no path from input to output are set to none; these are just the cells
  with no such edge that files "without unreachable operations" list (the empty cell among them).
- 12,751 and 6,466 are the literature's, of cells spelled out as strings with skip_connect as its
  input and the terms of every node sorted; 6,466 carries a zero on, if it is a node's only term.
  A sum that skip_connect brings in is sorted as one piece, so a + c + b and a + b + c count
  twice; with sums flattened, and all zero terms dropped, 4,930 are left.
  All of these merge c1(x) + c2(x), two convolutions, with 2 c1(x), one used twice: they differ.
- 5,653 is ours, `canonical`: equal for all weights, up to which edge's weights are called which
  (bench/spaces/_function.py says what is used and what is not). It keeps such convolutions
  apart, and a convolution of zeros too, which is a bias; it merges where average pooling goes
  through a sum.
"""

from __future__ import annotations

import re
from collections.abc import Hashable

from bench.base import Arch
from bench.spaces import _text
from bench.spaces._edges import EdgeSpace, read_digits, source_first
from bench.spaces._function import EDGES, IDENTITY, POOL, ZERO, function_key

_LABELS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
_KINDS = (ZERO, IDENTITY, "nor_conv_1x1", "nor_conv_3x3", POOL)
_SUITE_LABELS = ("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")
# An operation's number in the suite's tuple by ours, and which of our edges stands there.
_TO_SUITE = tuple(_SUITE_LABELS.index(label) for label in _LABELS)
_EDGES = tuple(EDGES.index(edge) for edge in sorted(EDGES))

_TEMPLATE = "|{}~0|+|{}~0|{}~1|+|{}~0|{}~1|{}~2|"
_STRING = re.compile(re.escape(_TEMPLATE).replace(r"\{\}", f"({'|'.join(_LABELS)})"))


def _read_string(compact: str) -> Arch | None:
    match = _STRING.fullmatch(compact)
    return tuple(map(_LABELS.index, match.groups())) if match else None


def _write_string(arch: Arch) -> str:
    return _TEMPLATE.format(*(_LABELS[operation] for operation in arch))


_read_tuple = source_first(_LABELS, _SUITE_LABELS)


def _read_own_numbers(compact: str) -> Arch | None:
    return read_digits(compact, len(_LABELS))


def _write_tuple(arch: Arch) -> str:
    return str(tuple(_TO_SUITE[arch[edge]] for edge in _EDGES))


def _function(arch: Arch) -> Hashable:
    return function_key([_KINDS[operation] for operation in arch])


NASBENCH201 = EdgeSpace(
    name="nasbench201",
    labels=_LABELS,
    # In the order of arch2vec.
    operations=(
        "input",
        "nor_conv_1x1",
        "nor_conv_3x3",
        "avg_pool_3x3",
        "skip_connect",
        "none",
        "output",
    ),
    texts={
        "string": _text.Form(
            _read_string, _write_string, _TEMPLATE.format(*["skip_connect"] * 3, *["none"] * 3)
        ),
        "tuple": _text.Form(_read_tuple, _write_tuple, "(4, 0, 3, 1, 4, 3)"),
    },
    function=_function,
    numbered={
        "naslib": _text.Encoding(
            _read_tuple,
            "NASLib's, of NAS-Bench-Suite-Zero: "
            + ", ".join(f"{number} {label}" for number, label in enumerate(_SUITE_LABELS))
            + ", edges ordered by their source",
        ),
        "nasbench201": _text.Encoding(
            _read_own_numbers,
            "NAS-Bench-201's own list: "
            + ", ".join(f"{number} {label}" for number, label in enumerate(_LABELS))
            + ", edges in the order of the arch string",
        ),
    },
)
