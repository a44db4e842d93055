"""Architectures as categorical parameters, for optimisers that know nothing of graphs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.base import Arch, Ints, OptionError, Problem


class Categories:
    """The pool as `a x c` categories, and which of its members are left to be asked for.

    The parameters are the entries of the tuples, where these are all of one length; else, of the
    graph padded to the pool's largest, every vertex's operation (or that there is none) and every
    edge. Entries that are the same in the whole pool are left out, and each parameter's
    categories are the values that occur.
    """

    def __init__(self, problem: Problem) -> None:
        if problem.pool is None:
            raise OptionError(
                f"expected a task whose architectures can be listed, to take the nearest of them "
                f"to what is suggested, got the space {problem.space.name}"
            )
        self._pool = problem.pool
        codes = _entries(problem, problem.pool)
        self._codes = codes[:, (codes != codes[:1]).any(axis=0)]
        self._place = {arch: place for place, arch in enumerate(self._pool)}
        self._left = np.ones(len(self._pool), dtype=np.bool_)

    @property
    def choices(self) -> dict[str, tuple[int, ...]]:
        """The categories of every parameter, by its name."""
        return {
            str(place): tuple(np.unique(column).tolist())
            for place, column in enumerate(self._codes.T)
        }

    def nearest(self, suggested: Sequence[int], rng: np.random.Generator) -> Arch | None:
        """The member left that differs from the suggestion in the fewest parameters.

        One of the nearest is drawn; it is left no longer. None where no member is left.
        """
        left = np.flatnonzero(self._left)
        if not len(left):
            return None
        distance = (self._codes[left] != np.asarray(suggested)).sum(axis=1)
        near = left[distance == distance.min()]
        place = int(near[rng.integers(len(near))])
        self._left[place] = False
        return self._pool[place]

    def parameters(self, arch: Arch) -> dict[str, int]:
        """A member's categories, by parameter."""
        codes = self._codes[self._place[arch]].tolist()
        return {str(place): code for place, code in enumerate(codes)}


def _entries(problem: Problem, pool: Sequence[Arch]) -> Ints:
    if len({len(arch) for arch in pool}) == 1:
        return np.array(pool, dtype=np.int64)
    flat = problem.features(pool, "one-hot")
    o = len(problem.space.operations)
    # A row is v vertices of o operations and v edges each: v (o + v) = f.
    v = round((np.sqrt(o**2 + 4 * flat.shape[1]) - o) / 2)
    vertices = flat.reshape(len(pool), v, o + v).astype(np.int64)
    operations = np.where(vertices[:, :, :o].any(axis=2), vertices[:, :, :o].argmax(axis=2), -1)
    return np.concatenate([operations, vertices[:, :, o:].reshape(len(pool), -1)], axis=1)
