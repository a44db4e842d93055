"""What is done to a proxy's scores before they are learnt, fitted on the training scores alone.

The thesis transforms each proxy by the distribution of its scores, and does not say how. Ours to
choose; the study `ipl-paper` compares them. Failed scores stay NaN through all of them.

Shapes: `n` training architectures, `a` architectures, `p` proxies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from bench.base import Floats, OptionError

CLIP = 5.0
"""Standardised values end here: an outlier shall not own the loss."""


@dataclass(frozen=True, eq=False)
class Transform:
    """A fitted transform of `p` proxies."""

    kind: str
    columns: tuple[Callable[[Floats], Floats], ...]

    def __call__(self, scores: Floats) -> Floats:
        """Transform `a x p` scores; NaN stays NaN."""
        found = np.full(scores.shape, np.nan)
        for place, column in enumerate(self.columns):
            known = np.isfinite(scores[:, place])
            found[known, place] = column(scores[known, place])
        return found


def fitted(kind: str, scores: Floats) -> Transform:
    """Fit a transform on `n x p` training scores.

    Kinds: `raw`; `min-max` to [0, 1]; `z-score`; `signed-log`, sgn(x) log(1 + |x| / median |x|),
    then a z-score; `rank`, the normal quantile of the rank among the training scores. Those with a
    z-score are clipped at 5. A proxy that is constant, or never defined, becomes 0.

    Raises:
        OptionError: There is no such kind.
    """
    if kind not in KINDS:
        raise OptionError(f"expected a transform among {', '.join(KINDS)}, got {kind!r}")
    fit = KINDS[kind]
    columns = (column[np.isfinite(column)] for column in scores.T)
    return Transform(kind, tuple(fit(column) if len(column) else _zero for column in columns))


def _zero(values: Floats) -> Floats:
    return np.zeros(len(values))


def _raw(_: Floats) -> Callable[[Floats], Floats]:
    return np.asarray


def _min_max(seen: Floats) -> Callable[[Floats], Floats]:
    low, high = seen.min(), seen.max()
    return (lambda values: (values - low) / (high - low)) if high > low else _zero


def _z_score(seen: Floats) -> Callable[[Floats], Floats]:
    mean, deviation = seen.mean(), seen.std()
    # Rounding leaves the deviation of equal values a little above 0.
    if deviation <= 1e-12 * abs(mean):
        return _zero
    return lambda values: np.clip((values - mean) / deviation, -CLIP, CLIP)


def _signed_log(seen: Floats) -> Callable[[Floats], Floats]:
    unit = float(np.median(np.abs(seen))) or 1.0

    def squeeze(values: Floats) -> Floats:
        squeezed: Floats = np.sign(values) * np.log1p(np.abs(values) / unit)
        return squeezed

    standard = _z_score(squeeze(seen))
    return lambda values: standard(squeeze(values))


def _rank(seen: Floats) -> Callable[[Floats], Floats]:
    ordered = np.sort(seen)
    if ordered[0] == ordered[-1]:
        return _zero
    n = len(ordered)
    # Whoever has k below it and m equal to it stands at the middle of its ties, of 2n + 1 steps.
    quantiles = np.array([NormalDist().inv_cdf((i + 1) / (2 * n + 2)) for i in range(2 * n + 1)])

    def rank(values: Floats) -> Floats:
        below = np.searchsorted(ordered, values, side="left")
        upto = np.searchsorted(ordered, values, side="right")
        found: Floats = quantiles[below + upto]
        return found

    return rank


KINDS: Mapping[str, Callable[[Floats], Callable[[Floats], Floats]]] = {
    "raw": _raw,
    "min-max": _min_max,
    "z-score": _z_score,
    "signed-log": _signed_log,
    "rank": _rank,
}
