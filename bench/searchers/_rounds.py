"""What the searchers with a model share: a first draw, then rounds chosen from all told so far."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from bench.base import Arch, Floats


class Rounds:
    """Hands out architectures round by round, none of them twice.

    `choose` is called when a round is over, with all that was asked so far and told of it (`a`
    architectures and `a` validation accuracies, in order), and gives the next round, best first.
    An empty round ends the search.
    """

    def __init__(
        self,
        first: Sequence[Arch],
        choose: Callable[[Sequence[Arch], Floats], Sequence[Arch]],
    ) -> None:
        self._choose = choose
        self._waiting = list(first)[::-1]
        self._told: dict[Arch, float] = {}

    def ask(self) -> Arch:
        """Return the next architecture of the round, or of a new one; stop at an empty round."""
        if not self._waiting:
            told = np.array(list(self._told.values()))
            self._waiting = list(self._choose(list(self._told), told))[::-1]
        if not self._waiting:
            raise StopIteration
        return self._waiting.pop()

    def tell(self, arch: Arch, validation: float) -> None:
        """Keep the accuracy for the next round."""
        self._told[arch] = validation
