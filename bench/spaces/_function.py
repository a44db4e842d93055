"""What a cell with operations on its edges computes, as a key that two cells share if equal.

A cell has nodes 0 (input) to 3 (output); a node is the sum over its incoming edges. With what
the four kinds of operation do, a node's value is a sum of terms `coefficient * P^k(atom)`:

- `ZERO` gives nothing, `IDENTITY` the value itself;
- `POOL` is a fixed linear map P (average pooling), so it goes through sums: P(a + b) = P(a) + P(b);
- a learned operation, named by its label, is an opaque function with weights of its own. Every
  *edge* with one is an atom, and so is the input. Its weights are shared only with itself: two
  convolutions of one value sum to c1(x) + c2(x), a convolution used twice to 2 c1(x), and the
  two differ. A convolution of zeros is its batch norm's bias, which training moves: it stays.

Only atoms that the output depends on are kept. Atoms form a directed acyclic graph with the
coefficients as edge labels, and its canonical form is the key: so cells with one key compute the
same function up to which edge's weights are called which. Never used, because it would hold only
up to the weights' values or the batch norm's epsilon: that scales vanish behind a batch norm,
and that sums of biases are a bias.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import TypeAlias

from bench.spaces._order import canonical_order

ZERO, IDENTITY, POOL = "zero", "identity", "pool"

EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""(source, destination) of the six edges, ordered by destination, then source."""

_INPUT, _OUTPUT = -1, len(EDGES)
# A coefficient is at most 4, the number of paths from node 0 to node 3: 3 bits, with one to spare.
_BITS = 4

_Value: TypeAlias = Counter[tuple[int, int]]
"""Coefficients by (atom, power of P); an atom is `_INPUT` or the index of its edge."""


def function_key(kinds: Sequence[str]) -> Hashable:
    """The key of the cell whose six edges are of these kinds, in the order of `EDGES`."""
    inputs, output = _values(kinds)
    live: set[int] = set()
    waiting = {atom for atom, _ in output}
    while waiting:
        atom = waiting.pop()
        live.add(atom)
        if atom != _INPUT:
            waiting |= {source for source, _ in inputs[atom]} - live
    atoms = [*sorted(live), _OUTPUT]
    terms = {atom: inputs[atom] for atom in live if atom != _INPUT} | {_OUTPUT: output}
    matrix = [[_label(terms.get(target), source) for target in atoms] for source in atoms]
    labels = sorted({kinds[atom] for atom in live if atom != _INPUT})
    depth: dict[int, int] = {_INPUT: 0}
    for atom in atoms:
        if atom != _INPUT:
            depth[atom] = 1 + max((depth[source] for source, _ in terms[atom]), default=0)
    colours = [
        depth[atom] * (len(labels) + 1)
        + (labels.index(kinds[atom]) if atom not in (_INPUT, _OUTPUT) else len(labels))
        for atom in atoms
    ]
    order = canonical_order(colours, matrix)
    names = tuple(
        {_INPUT: "input", _OUTPUT: "output"}.get(atoms[i]) or kinds[atoms[i]] for i in order
    )
    return names, tuple(matrix[i][j] for i in order for j in order)


def _values(kinds: Sequence[str]) -> tuple[dict[int, _Value], _Value]:
    """The input of every edge with a learned operation, and the output node's value."""
    nodes: list[_Value] = [Counter({(_INPUT, 0): 1}), Counter(), Counter(), Counter()]
    inputs: dict[int, _Value] = {}
    for edge, (source, target) in enumerate(EDGES):
        kind = kinds[edge]
        if kind == IDENTITY:
            nodes[target].update(nodes[source])
        elif kind == POOL:
            pooled = {(atom, power + 1): n for (atom, power), n in nodes[source].items()}
            nodes[target].update(pooled)
        elif kind != ZERO:
            inputs[edge] = nodes[source]
            nodes[target][edge, 0] += 1
    return inputs, nodes[3]


def _label(value: _Value | None, atom: int) -> int:
    """The coefficients of one atom's terms in a value, as one integer."""
    if value is None:
        return 0
    return sum(n << (_BITS * power) for (source, power), n in value.items() if source == atom)
