"""IPL as a predictor: proxies of a few architectures in, scores of the whole pool out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from bench.base import Arch, DataError, Floats, Prediction, Problem
from ipl.latents import Latents, shared
from ipl.options import Options
from ipl.proxies import Study
from ipl.quality import quality
from ipl.threads import one_thread
from ipl.transforms import fitted
from ipl.weights import MODES, found, of_mode, unify, weights

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
        rng: Draws the scored and the labelled, and trains.
        learned: Whether scores are predicted. If not, all of the pool is scored and nothing
            learnt: what the unified score of recorded proxies is worth.
        options: The searcher's, of which those that shape the learner and the weights matter.

    Raises:
        OptionError: An option that makes no sense.
        DataError: A pool that cannot be listed.
    """
    chosen = Options(**options)
    pool = problem.pool
    if pool is None:
        raise DataError(f"expected a pool to predict, got the whole space {problem.space.name}")
    if learned:
        names, scores = _learnt(problem, chosen, rng)
    else:
        raw = problem.scores(pool, problem.proxies)
        names = problem.proxies
        uniform = rng.permutation(len(pool))[: chosen.scored]
        scores = fitted(chosen.transform, raw[uniform])(raw)
    columns = dict(zip(names, scores.T, strict=True)) if learned else {}
    modes = {
        mode: weights(mode, names, chosen.found_on)
        for mode in MODES
        if mode != "found" and set(names) & set(of_mode(mode, names, chosen.found_on))
    }
    facts = _facts(problem, shared(problem, auxiliary=chosen.auxiliary), rng) if learned else {}
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
    return Prediction(columns, facts, _map(problem, chosen) if learned else None)


def _map(problem: Problem, options: Options) -> Floats:
    """The `n x 2` first principal components of the pool's latents, each of one sign for good."""
    latents = shared(problem, auxiliary=options.auxiliary).of(problem.pool or ()).double()
    centred = latents - latents.mean(0)
    _, vectors = torch.linalg.eigh(centred.mT @ centred)
    axes = vectors[:, -2:].flip(1)
    largest = axes.gather(0, axes.abs().argmax(0, keepdim=True))
    places: Floats = (centred @ (axes * largest.sign())).cpu().numpy()
    return places


def _facts(problem: Problem, latents: Latents, rng: np.random.Generator) -> dict[str, float]:
    """What the autoencoder is worth, on up to 1,000 of the pool that it was not trained on."""
    autoencoder = latents.autoencoder
    unseen = [arch for arch in problem.pool or () if arch not in autoencoder.trained_on]
    # Drawn, as the first of a pool are alike.
    held_out = [unseen[place] for place in rng.permutation(len(unseen))[:HELD_OUT].tolist()]
    generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
    found = quality(autoencoder, held_out, generator)
    # Not its seconds: the same seed gives the same facts.
    return {name: found[name] for name in FACTS if np.isfinite(found[name])}


def _learnt(
    problem: Problem, options: Options, rng: np.random.Generator
) -> tuple[tuple[str, ...], np.ndarray]:
    """Names and the `n x p` predicted scores of the pool, learnt from a uniform draw."""
    pool = problem.pool or ()
    latents = shared(problem, auxiliary=options.auxiliary)
    study = Study(problem, latents, options.transform, options.learner)
    drawn = [pool[place] for place in rng.permutation(len(pool))[: options.scored].tolist()]
    knowledge = study.of(drawn, rng)
    with torch.no_grad():
        predicted = knowledge.predicted(latents.of(pool)).double().cpu().numpy()
    return knowledge.names, predicted
