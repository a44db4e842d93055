"""IPL as a predictor: proxies of a few architectures in, scores of the whole pool out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch

from bench.base import Arch, DataError, Prediction, Problem
from ipl.ascent import Ascent
from ipl.autoencoder import Autoencoder
from ipl.latents import Latents, shared
from ipl.maps import Map, climbed
from ipl.maximise import Landscape
from ipl.options import Options
from ipl.proxies import Knowledge, Study
from ipl.quality import quality
from ipl.threads import one_thread
from ipl.transforms import fitted
from ipl.weights import (
    MODES,
    found,
    found_on,
    is_own,
    of_mode,
    source,
    unify,
    weights,
)

HELD_OUT = 1_000
FACTS = ("reconstruction", "validity", "validity_standard", "uniqueness", "novelty")


@one_thread()
def predict(
    problem: Problem,
    query: Callable[[Arch], float],
    rng: np.random.Generator,
    *,
    learned: bool = True,
    **options: Any,
) -> Prediction:
    """Predict each proxy and the unified score of each mode for a pool.

    Args:
        problem: Whose pool is predicted.
        query: Answers accuracies; asked for `labels` of them, to find weights on.
        rng: Draws the scored and the labelled, trains, and at last draws where ascent starts.
        learned: Whether scores are predicted. If not, all of the pool is scored and nothing
            learnt: what the unified score of recorded proxies is worth.
        options: The searcher's, of which those of the learner, the weights and the ascent matter.

    Raises:
        OptionError: An option that makes no sense.
        DataError: A pool that cannot be listed.
    """
    chosen = Options(**options)
    ascent = Ascent(chosen.steps, chosen.rate, chosen.penalty)
    pool = problem.pool
    if pool is None:
        raise DataError(f"expected a pool to predict, got the whole space {problem.space.name}")
    where = source(chosen.weights, chosen.found_on, problem, leak=chosen.leak)
    leaks = is_own(found_on(chosen.found_on), problem) and not chosen.leak
    latents = shared(problem, auxiliary=chosen.auxiliary) if learned else None
    knowledge = None
    if latents is not None:
        knowledge = _learnt(problem, latents, chosen, rng)
        names = knowledge.names
        with torch.no_grad():
            scores = knowledge.predicted(latents.of(pool)).double().cpu().numpy()
    else:
        raw = problem.scores(pool, problem.proxies)
        names = problem.proxies
        uniform = rng.permutation(len(pool))[: chosen.scored]
        scores = fitted(chosen.transform, raw[uniform])(raw)
    columns = dict(zip(names, scores.T, strict=True)) if learned else {}
    modes = {
        mode: weights(mode, names, chosen.found_on)
        for mode in MODES
        # Of these very accuracies' weights nothing is told unasked, in any column.
        if mode != "found"
        and not (leaks and mode == "transferred")
        and set(names) & set(of_mode(mode, names, chosen.found_on))
    }
    facts = {} if latents is None else _facts(pool, latents.autoencoder, rng)
    if chosen.labels:
        places = rng.permutation(len(pool))[: chosen.labels].tolist()
        accuracies = np.array([query(pool[place]) for place in places])
        modes["found"] = found(
            scores[places],
            accuracies,
            objective=chosen.objective,
            trials=chosen.trials,
            rng=rng,
        )
        facts |= {f"weight:{n}": float(w) for n, w in zip(names, modes["found"], strict=True)}
    columns |= {f"unified:{mode}": unify(scores, vector) for mode, vector in modes.items()}
    if knowledge is None:
        return Prediction(columns, facts, weights_found_on=where)
    at = knowledge.latents.of(pool)
    drawn = Map(at)
    paths = None
    if chosen.weights in modes:
        landscape = Landscape(problem, knowledge.latents, ascent, chosen.restarts, chosen.polish)
        vector = torch.from_numpy(modes[chosen.weights]).float().to(at)
        unified = partial(knowledge.unified, weights=vector)
        paths = climbed(landscape, f"unified:{chosen.weights}", unified, drawn, rng)
    return Prediction(columns, facts, drawn.places(at), paths, where)


def _facts(
    pool: Sequence[Arch], autoencoder: Autoencoder, rng: np.random.Generator
) -> dict[str, float]:
    """What the autoencoder is worth, on up to 1,000 of the pool that it was not trained on."""
    unseen = [arch for arch in pool if arch not in autoencoder.trained_on]
    # Drawn, as the first of a pool are alike.
    held_out = [unseen[place] for place in rng.permutation(len(unseen))[:HELD_OUT].tolist()]
    generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
    found = quality(autoencoder, held_out, generator)
    # Not its seconds: the same seed gives the same facts.
    return {name: found[name] for name in FACTS if np.isfinite(found[name])}


def _learnt(
    problem: Problem, latents: Latents, options: Options, rng: np.random.Generator
) -> Knowledge:
    """What is learnt of proxies from a uniform draw of the pool."""
    pool = problem.pool or ()
    study = Study(problem, latents, options.transform, options.learner)
    drawn = [pool[place] for place in rng.permutation(len(pool))[: options.scored].tolist()]
    return study.of(drawn, rng)
