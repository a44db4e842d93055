"""TransNAS-Bench-101, micro: one cell of four nodes, four operations on each of its six edges.

Paper: Duan et al., "TransNAS-Bench-101: Improving Transferability and Generalizability of
Cross-Task Neural Architecture Search", CVPR 2021, https://arxiv.org/abs/2105.11871.

An architecture is the six digits of `64-41414-a_bc_def`: 0 none, 1 skip, 2 conv1x1, 3 conv3x3,
edges in the order (0-1), (0-2), (1-2), (0-3), (1-3), (2-3). NAS-Bench-Suite-Zero's "tuple" is the
same digits (NASLib, branch zerocost, commit 8c45f19, transbench101/conversions.py). Tuples of its
svhn, ninapro and scifar100 files look the same but mean other operations in another order: 0 skip,
1 none, 2 conv3x3, 3 conv1x1, edges by their source; they are read as `naslib-graph:(...)` only.

Some cells halve the resolution, on the edges that leave node 0. There `skip` is a learned
downsampling, elsewhere the identity. So `canonical` calls two cells equal only if both readings
do: 1,666 classes among the 4,096. Of these 4,096, 2,128 have no edge off every path from input to
output, just the cells of tables "without unreachable operations". The tests count both.
"""

from __future__ import annotations

import re
from collections.abc import Hashable

from bench.base import Arch
from bench.spaces import _text
from bench.spaces._edges import EdgeSpace, read_digits, source_first
from bench.spaces._function import EDGES, IDENTITY, ZERO, function_key

_LABELS = ("none", "skip", "conv1x1", "conv3x3")
_KINDS = (ZERO, IDENTITY, "conv1x1", "conv3x3")
_GRAPH_LABELS = ("skip", "none", "conv3x3", "conv1x1")
_STRING = re.compile(r"64-41414-([0-3])_([0-3])([0-3])_([0-3])([0-3])([0-3])")


def _read_string(compact: str) -> Arch | None:
    match = _STRING.fullmatch(compact)
    return tuple(map(int, match.groups())) if match else None


def _write_string(arch: Arch) -> str:
    return "64-41414-{}_{}{}_{}{}{}".format(*arch)


def _read_tuple(compact: str) -> Arch | None:
    return read_digits(compact, len(_LABELS))


def _function(arch: Arch) -> Hashable:
    kinds = [_KINDS[operation] for operation in arch]
    halving = [
        "downsampling" if source == 0 and kind == IDENTITY else kind
        for kind, (source, _) in zip(kinds, EDGES, strict=True)
    ]
    return function_key(kinds), function_key(halving)


TRANSNASBENCH101_MICRO = EdgeSpace(
    name="transnasbench101-micro",
    labels=_LABELS,
    operations=("input", "conv1x1", "conv3x3", "skip", "none", "output"),
    texts={
        "string": _text.Form(_read_string, _write_string, "64-41414-1_00_210"),
        "tuple": _text.Form(_read_tuple, str, "(1, 0, 0, 2, 1, 0)"),
    },
    function=_function,
    numbered={
        "transnasbench101": _text.Encoding(
            _read_tuple, "the six digits of 64-41414-a_bc_def, as TransNAS-Bench-101 publishes them"
        ),
        "naslib": _text.Encoding(
            _read_tuple, "NASLib's for the tasks of TransNAS-Bench-101: these same digits"
        ),
        "naslib-graph": _text.Encoding(
            source_first(_LABELS, _GRAPH_LABELS),
            "NASLib's for svhn, ninapro and scifar100: "
            + ", ".join(f"{number} {label}" for number, label in enumerate(_GRAPH_LABELS))
            + ", edges ordered by their source",
        ),
    },
)
