"""IPL, the Integrated Proxy Learner: learn proxies from a few architectures, climb, and ask.

Thesis of Y.-C. Huang, National Taiwan University, 2023; published as UP-NAS (Huang, Li, Tsou, Chen
and Chen, "UP-NAS: Unified Proxy for Neural Architecture Search", CVPR 2024 workshops). No code was
published. Followed: a variational graph autoencoder; an MLP on its latent for all proxies at once;
the unified score, their weighted sum; gradient ascent on it with Adam; decoding on the way.

Deviations:
1. Graph features, learnt from architectures that cost nothing, are handed to the proxy learner.
2. The weights are ours (transferred.json), found on another task's labels. The published ones are
   an option, as are the thesis's other modes.
3. Part of the architectures to score is spent where the first learner sees the best.
4. A decoded architecture is encoded again and judged by itself; the drifted latent is not.
5. The few-query regime is ours: a Gaussian process on the predicted proxies and the latent, whose
   expected improvement is climbed instead. Every other round the unified score is its prior mean,
   which saves queries where the weights are right; in between its prior mean is flat, which saves
   the search where they are wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.base import Arch, Floats, OptionError, Problem
from ipl.ascent import Ascent
from ipl.latents import shared
from ipl.maximise import Landscape, candidates, judged
from ipl.options import Options
from ipl.proxies import Knowledge, Study
from ipl.ranks import normal_ranks
from ipl.surrogate import Head, expected_improvement, told
from ipl.threads import one_thread
from ipl.weights import found, source, unify, weights


class IPL:
    """The searcher. Its options are those of `Options`."""

    @one_thread()
    def __init__(self, problem: Problem, rng: np.random.Generator, **options: Any) -> None:
        self._options = Options(**options)
        if (self._options.weights == "found") != (self._options.labels > 0):
            raise OptionError(
                f"expected labels=N with weights=found and not else, got "
                f"labels={self._options.labels} with weights={self._options.weights}"
            )
        if self._options.labels > self._options.scored:
            raise OptionError(
                f"expected labels of at most scored={self._options.scored}, as the labelled are "
                f"among the scored, got {self._options.labels}"
            )
        queries = problem.budget.queries
        if queries is not None and self._options.labels > queries:
            raise OptionError(
                f"expected labels of at most the budget of {queries} queries, as labels are "
                f"queries, got {self._options.labels}"
            )
        self._rng = rng
        chosen = self._options
        self.weights_found_on = source(chosen.weights, chosen.found_on, problem, leak=chosen.leak)
        ascent = Ascent(chosen.steps, chosen.rate, chosen.penalty)
        if chosen.weights != "found" and problem.proxies:
            # Told now, not once the autoencoder is trained.
            weights(chosen.weights, problem.proxies, chosen.found_on)
        latents = shared(problem, auxiliary=chosen.auxiliary)
        self._where = Landscape(
            problem,
            latents,
            ascent,
            chosen.restarts,
            chosen.polish,
        )
        self._asked: dict[Arch, float] = {}
        self._believing = False
        self._plan = self._planned()

    @one_thread()
    def ask(self) -> Arch:
        """Return the next architecture of the plan; stop when nothing is left to ask for."""
        return next(self._plan)

    def tell(self, arch: Arch, validation: float) -> None:
        """Keep the answer; the plan goes on with it."""
        self._asked[arch] = validation

    def _planned(self) -> Iterator[Arch]:
        """All queries, in order; runs on as they are asked for."""
        chosen = self._options
        labelled = self._where.draw(self._rng, chosen.labels)
        yield from labelled
        unified = Unified.learnt(self._where, chosen, self._asked, self._rng)
        ranking = unified.ranking(self._rng)
        if chosen.regime == "zero-query":
            yield from (arch for arch in ranking if arch not in self._asked)
            while unmet := self._unmet(1):
                yield from unmet
            return
        top = chosen.initial - chosen.drawn
        yield from [arch for arch in ranking if arch not in self._asked][:top]
        yield from self._unmet(chosen.drawn)
        while True:
            size = max(chosen.batch, len(self._asked) // 10)
            batch = self._round(unified, ranking)[:size] or self._unmet(size)
            if not batch:
                return
            yield from batch

    def _unmet(self, count: int) -> list[Arch]:
        """Draw `count` architectures that were not asked for, or all where there are fewer."""
        drawn = self._where.draw(self._rng, len(self._asked) + count)
        return [arch for arch in drawn if arch not in self._asked][:count]

    def _round(self, unified: Unified, ranking: Sequence[Arch]) -> list[Arch]:
        """What the accuracy head would ask next, best first."""
        archs = list(self._asked)
        self._believing = not self._believing
        head = unified.head(archs, np.array(list(self._asked.values())), self._believing)

        def improvement(latents: Tensor) -> Tensor:
            return expected_improvement(*unified.posterior(head, latents), head.best)

        by_accuracy = sorted(archs, key=lambda arch: -self._asked[arch])
        half = self._options.restarts // 3
        starts = [*by_accuracy[:half], *ranking[:half]]
        found = candidates(self._options.search, self._where, improvement, starts, self._rng)
        fresh = [arch for arch, _ in found if arch not in self._asked]
        rest = (arch for arch in ranking if arch not in self._asked)
        return list(dict.fromkeys([*fresh, *rest]))


@dataclass(frozen=True, eq=False)
class Unified:
    """The unified score of any latent, and the head that corrects it."""

    where: Landscape
    options: Options
    knowledge: Knowledge
    weights: Tensor
    """`p`, float32."""
    mean: Tensor
    """`p`: of the predicted scores over a uniform draw."""
    deviation: Tensor
    """`p`."""
    level: tuple[float, float]
    """Mean and deviation of the unified score over the same draw."""

    @classmethod
    def learnt(
        cls,
        where: Landscape,
        options: Options,
        labelled: dict[Arch, float],
        rng: np.random.Generator,
    ) -> Unified:
        """Read the proxies of `options.scored` architectures and learn from them.

        The labelled are among the scored, as finding weights needs both.
        """
        study = Study(where.problem, where.latents, options.transform, options.learner)
        uniform = max(options.scored - int(options.focus * options.scored), len(labelled))
        focused = options.scored - uniform
        first = list(dict.fromkeys([*labelled, *where.draw(rng, uniform)]))[:uniform]
        knowledge = study.of(first, rng)
        # The labelled are among the first: what is scored later tells nothing new of weights.
        vector = _weights(options, knowledge, labelled, rng)
        unified = cls._weighed(where, options, knowledge, len(first), vector)
        if not focused:
            return unified
        best = candidates(options.search, where, unified, [], rng)
        known = set(knowledge.archs)
        archs = [arch for arch, _ in best if arch not in known][:focused]
        if len(archs) < focused:
            known |= set(archs)
            rest = where.draw(rng, options.scored + focused)
            archs += [arch for arch in rest if arch not in known][: focused - len(archs)]
        if not archs:
            return unified
        knowledge = study.of(archs, rng, knowledge)
        return cls._weighed(where, options, knowledge, len(first), vector)

    @classmethod
    def _weighed(
        cls,
        where: Landscape,
        options: Options,
        knowledge: Knowledge,
        uniform: int,
        weights: Floats,
    ) -> Unified:
        """Weigh what is known, of which the first `uniform` were drawn uniformly."""
        with torch.no_grad():
            predicted = knowledge.predicted(where.latents.of(knowledge.archs[:uniform]))
        spread = predicted.std(0, correction=0).clamp_min(1e-6)
        vector = torch.from_numpy(weights).float().to(predicted)
        summed = predicted @ vector
        level = float(summed.mean()), float(summed.std(correction=0)) or 1.0
        return cls(where, options, knowledge, vector, predicted.mean(0), spread, level)

    def __call__(self, latents: Tensor) -> Tensor:
        """The `a` unified scores predicted for `a x d` latents; differentiable."""
        return self.knowledge.unified(latents, self.weights)

    def ranking(self, rng: np.random.Generator) -> list[Arch]:
        """Architectures by their unified score, best first: the measured, where there is one.

        All that were scored, and what a search for the highest prediction finds besides. A score
        that failed counts as the worst.
        """
        starts = self._best_scored()
        found = candidates(self.options.search, self.where, self, starts, rng)
        value = dict(found)
        measured = unify(self.knowledge.scores, self.weights.double().cpu().numpy())
        value |= dict(zip(self.knowledge.archs, measured.tolist(), strict=True))
        return sorted(value, key=lambda arch: -value[arch])

    def _best_scored(self) -> list[Arch]:
        archs = self.knowledge.archs
        order = np.argsort(-judged(self.where, self, archs), kind="stable")
        return [archs[i] for i in order[: self.options.restarts // 2].tolist()]

    def head(self, archs: Sequence[Arch], accuracies: np.ndarray, believing: bool) -> Head:
        """A Gaussian process told accuracies, as normal quantiles of their ranks."""
        groups, unified = self._inputs(self.where.latents.of(archs))
        values = torch.from_numpy(normal_ranks(accuracies))
        return told(groups, unified, values, believing=believing)

    def posterior(self, head: Head, latents: Tensor) -> tuple[Tensor, Tensor]:
        """The head's mean and deviation for `a x d` latents, `a` each."""
        groups, unified = self._inputs(latents)
        return head(groups, unified)

    def _inputs(self, latents: Tensor) -> tuple[list[Tensor], Tensor]:
        """The kernel's groups of inputs and the prior mean's, float64."""
        predicted = self.knowledge.predicted(latents)
        standard = (predicted - self.mean) / self.deviation
        unified = (predicted @ self.weights - self.level[0]) / self.level[1]
        map_ = self.where.latents.autoencoder
        place = (latents - map_.mean) / map_.std.clamp_min(1e-6)
        groups = [standard / standard.shape[1] ** 0.5, place / place.shape[1] ** 0.5]
        return [group.double() for group in groups], unified.double()


def _weights(
    options: Options,
    knowledge: Knowledge,
    labelled: dict[Arch, float],
    rng: np.random.Generator,
) -> Floats:
    """The `p` weights of the options' mode, found on the labelled where that is the mode."""
    if options.weights != "found":
        return weights(options.weights, knowledge.names, options.found_on)
    scored = dict(zip(knowledge.archs, knowledge.scores, strict=True))
    return found(
        np.stack([scored[arch] for arch in labelled]),
        np.array(list(labelled.values())),
        objective=options.objective,
        trials=options.trials,
        rng=rng,
    )
