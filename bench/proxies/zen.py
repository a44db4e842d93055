"""zen: how far features move when Gaussian images move a little."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.proxies.computed import Computed, UndefinedError

if TYPE_CHECKING:
    from bench.proxies.passes.perturbed import Perturbed


def score(perturbed: Perturbed) -> float:
    """Give log E|f(x) - f(x')| + sum over norms of log sqrt(mean running variance)."""
    moved = (perturbed.features - perturbed.moved).abs().flatten(1).sum(1).mean()
    if moved == 0:
        raise UndefinedError("features do not move with the images")
    norms = sum(variance.mean().sqrt().log() for variance in perturbed.variances.values())
    return float(moved.log() + norms)


zen = Computed(
    name="zen",
    function=score,
    passes=("perturbed",),
    needs=frozenset({"weights"}),
    paper="Lin et al., ICCV 2021, arXiv:2102.01063",
    follows="NASLib, branch zerocost @8c45f19",
    definition="log of the mean move of the features, plus the logs of the norms' deviations",
    deviations=(
        (
            "a norm's recorded variance is what default settings would record, whatever the "
            "module's own momentum and record"
        ),
        "Gaussian weights and images are drawn by seed and name, the same for all architectures",
    ),
)
