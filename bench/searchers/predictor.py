"""predictor: a tree ensemble on proxies and graph features, followed greedily."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from bench.base import Arch, Floats, OptionError, Problem
from bench.searchers._inputs import Inputs
from bench.searchers._models import Boosting, Forest, Model
from bench.searchers._rounds import Rounds
from bench.searchers._warm import at_least

_MODELS: Mapping[str, Callable[[np.random.Generator], Model]] = {
    "forest": Forest,
    "boosting": Boosting,
}


class PredictorSearch:
    """Trees on proxies and features of the graph (GRAF; Kadlecova et al., ICML 2024).

    Asks for `initial` uniformly drawn architectures (scored ones, where proxies are read), then
    round by round for the `batch` that `model`, a forest or boosting, predicts the highest
    accuracy for, and learns it anew. `features` names what is read of an architecture: any of
    proxies, one-hot, paths and graph, joined by +.

    Candidates are all of the pool: where only `scored` architectures have proxies, the trees send
    a missing one to the side that most of what they learned from went to. With proxies alone
    nothing would be known of the others, and the scored ones are the candidates.
    """

    def __init__(
        self,
        problem: Problem,
        rng: np.random.Generator,
        *,
        features: str = "proxies+graph",
        proxies: str | None = None,
        scored: int | None = None,
        model: str = "forest",
        initial: int = 10,
        batch: int = 10,
    ) -> None:
        at_least("initial", initial, 1)
        at_least("batch", batch, 1)
        if model not in _MODELS:
            raise OptionError(f"expected model to be {' or '.join(_MODELS)}, got {model!r}")
        self._inputs = Inputs(problem, rng, features=features, proxies=proxies, scored=scored)
        first = self._inputs.complete(rng)[:initial]
        self._candidates = self._inputs.candidates(rng)
        self._rows = self._inputs(self._candidates)
        self._model = _MODELS[model](rng)
        self._batch = batch
        self._rounds = Rounds(first, self._choose)

    def ask(self) -> Arch:
        """Return a drawn architecture at first, then the round's next."""
        return self._rounds.ask()

    def tell(self, arch: Arch, validation: float) -> None:
        """Keep the answer for the next round."""
        self._rounds.tell(arch, validation)

    def _choose(self, archs: Sequence[Arch], told: Floats) -> list[Arch]:
        self._model.fit(self._inputs(archs), told)
        order = np.argsort(-self._model.predict(self._rows), kind="stable").tolist()
        asked = set(archs)
        left = (arch for i in order if (arch := self._candidates[i]) not in asked)
        return [arch for _, arch in zip(range(self._batch), left, strict=False)]
