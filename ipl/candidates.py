"""From latents to architectures that may be asked for."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

from bench.base import Arch, ArchError, Problem
from ipl.autoencoder import Autoencoder


class Candidates:
    """What a decoded latent may stand for.

    An architecture that is not in the pool stands for the member that computes the same function,
    if there is one. Where there is none (a partial table of a vast space knows next to nothing of
    what is decoded), the latent stands for the pool's nearest member.
    """

    def __init__(self, problem: Problem, autoencoder: Autoencoder) -> None:
        self._space = problem.space
        self._pool = problem.pool
        self._autoencoder = autoencoder

    def of(self, latents: Tensor) -> list[Arch]:
        """The different architectures that `a x d` latents stand for, in the order met."""
        return list(dict.fromkeys(arch for arch in self.each(latents) if arch is not None))

    def each(self, latents: Tensor) -> list[Arch | None]:
        """What each of `a x d` latents stands for; without a pool, None for what is no cell."""
        decoded = self._autoencoder.decode(latents)
        found = [None if arch is None else self._askable(arch) for arch in decoded]
        missing = [place for place, arch in enumerate(found) if arch is None]
        if missing and self._pool is not None:
            nearest = torch.cdist(latents[missing], self.pool).argmin(1).tolist()
            for place, member in zip(missing, nearest, strict=True):
                found[place] = self._pool[member]
        return found

    def _askable(self, arch: Arch) -> Arch | None:
        if self._pool is None or arch in self._members:
            return arch
        try:
            return self._by_function.get(self._space.canonical(arch))
        except ArchError:
            return None

    @cached_property
    def _members(self) -> frozenset[Arch]:
        return frozenset(self._pool or ())

    @cached_property
    def _by_function(self) -> dict[Arch, Arch]:
        pool: Sequence[Arch] = self._pool or ()
        return {self._space.canonical(arch): arch for arch in reversed(pool)}

    @cached_property
    def pool(self) -> Tensor:
        """The `n x d` latents of the pool, worked out together."""
        return self._autoencoder.encode(self._pool or ())
