"""95 % intervals that cover: which are made how, and where none is.

Over architectures. `redraw` resamples many of them (the bootstrap); of few, it leaves out one at a
time (the jackknife), as there the ties that a resample's repeated rows make would show: tau of 30
rows near .9 then varies a third more than it does. `Redrawn.interval` reads the interval off the
values that a metric takes. Kendall's taus whose influences are known (`bench.metrics.influence`)
need neither: `tau_interval` is the jackknife written out.

Over seeds. `mean_interval` is Student's t, widened where values are skewed, as regrets are;
`stratified_interval` is Student's t of a mean over tasks of means over seeds.

Ends are NaN where there is no interval: too few rows or seeds, or seeds that hardly vary. What no
row changes, such as the tau of a proxy with another that always orders alike, is its own interval.
`bench.reports.coverage` simulates how often each holds what it is an interval of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from bench.metrics.bootstrap import interval, resample
from bench.metrics.compare import summarise
from bench.metrics.draws import Bools, Counts, Floats, Indices

FEWEST = 20
"""With fewer architectures there is no interval."""
FEWEST_DRAWN = 100
"""Of a part of many architectures, such as the best tenth, the bootstrap needs so many."""
MANY = 200
"""From so many architectures on they are resampled; fewer are left out one at a time."""
FEWEST_SEEDS = 10
"""With fewer seeds there is no interval."""
LEVEL = 0.95

Scale: TypeAlias = Literal["tau", "correlation", "difference"]
"""How the jackknife's interval lies about a value. That of a correlation r is taken of atanh r
(R. A. Fisher, 1915), and the error of a tau is corrected; that of a difference is as it is."""
NONE = (float("nan"), float("nan"))


def effective_number(groups: ArrayLike) -> float:
    """As how many equal groups rows count whose groups have unequal sizes: n^2 / sum of sizes^2.

    >>> effective_number([0, 0, 1, 1]), effective_number([0, 0, 0, 1])
    (2.0, 1.6)
    """
    sizes = np.unique(np.asarray(groups), return_counts=True)[1].astype(np.float64)
    return float(sizes.sum() ** 2 / (sizes**2).sum()) if sizes.size else 0.0


@dataclass(frozen=True, eq=False)
class Redrawn:
    """`n` rows drawn anew, `r` times: what the values of a metric then say of its interval."""

    counts: Counts
    """`r x n`: how often each row stands in each table drawn anew."""
    left_out: bool
    """Whether each of them leaves out some rows (the jackknife), or resamples all."""
    groups: Indices | None = None
    """`n` numbers, equal in rows that are drawn together; None where each is drawn by itself."""

    def units(self, rows: Bools | None = None) -> float:
        """How many independent rows these are, of `n` flags; all if None."""
        chosen = np.ones(self.counts.shape[1], dtype=bool) if rows is None else rows
        if self.groups is None:
            return float(chosen.sum())
        return effective_number(self.groups[chosen])

    def interval(
        self, value: float, drawn: Floats, rows: Bools | None = None, scale: Scale = "difference"
    ) -> tuple[float, float]:
        """The 95 % interval of a value by the `r` values drawn anew, NaN where undefined.

        Args:
            value: The metric of the table.
            drawn: The metric of each table drawn anew.
            rows: `n` flags: of which rows it is; all if None.
            scale: What kind of value it is.
        """
        units = self.units(rows)
        if self.left_out:
            return t_interval(value, _jackknife(drawn), units, scale)
        ends: tuple[float, float] = interval(drawn)
        return ends if units >= FEWEST_DRAWN else NONE

    def p_value(self, difference: float, drawn: Floats, rows: Bools | None = None) -> float:
        """The two-sided p-value of a difference: that of its t, or counted over resamples.

        The arguments are those of `interval`; NaN where there is no interval for want of rows.
        """
        if not self.left_out:
            enough = self.units(rows) >= FEWEST_DRAWN
            return summarise(difference, drawn).p_value if enough else float("nan")
        from scipy.special import stdtr

        error, units = _jackknife(drawn), self.units(rows)
        if np.isnan(error) or units < FEWEST:
            return float("nan")
        if error == 0:
            return float(difference == 0)
        return float(2 * stdtr(units - 1, -abs(difference) / error))


def redraw(
    n: int, resamples: int, rng: np.random.Generator, groups: ArrayLike | None = None
) -> Redrawn:
    """Draw `n` rows anew, resampled where they are many and left out in turn where they are few.

    Rows of one group are drawn together, as `bench.metrics.bootstrap.resample` says; so many as
    `effective_number` has are many or few. Groups that are more than the resamples asked for, but
    so unequal that they count as few, are left out several at a time.

    Args:
        n: Rows.
        resamples: How many resamples; with none there are no draws of few rows either.
        rng: Draws them; not used where few rows are left out one at a time.
        groups: `n` integers, equal in rows of one group.

    Raises:
        ValueError: As `resample`.
    """
    codes: Indices | None = None if groups is None else np.asarray(groups)
    if n == 0 or resamples == 0:
        return Redrawn(np.zeros((resamples, n), dtype=np.uint16), True, codes)
    units = n if codes is None else effective_number(codes)
    if units >= MANY:
        return Redrawn(resample(n, resamples, rng, codes), False, codes)
    if codes is not None and codes.shape != (n,):
        raise ValueError(f"wanted groups of shape ({n},), got {codes.shape}")
    parts: Indices = np.arange(n) if codes is None else np.unique(codes, return_inverse=True)[1]
    number = int(parts.max()) + 1
    if number > max(resamples, MANY):
        parts = (rng.permutation(number) % max(resamples, MANY))[parts]
        number = max(resamples, MANY)
    left = (parts[None, :] != np.arange(number)[:, None]).astype(np.uint16)
    return Redrawn(left, True, codes)


def _jackknife(drawn: Floats) -> float:
    """The standard error by the values of `r` tables that each leave out an r-th of the rows."""
    if not len(drawn) or np.isnan(drawn).any():
        return float("nan")
    spread = float(((drawn - drawn.mean()) ** 2).sum())
    return float(np.sqrt(spread * (len(drawn) - 1) / len(drawn)))


def t_interval(
    value: float, error: float, units: float, scale: Scale = "difference"
) -> tuple[float, float]:
    """Student's interval of a value with a standard error found from so many independent rows."""
    if np.isnan(error) or np.isnan(value) or units < FEWEST:
        return NONE
    if error == 0:
        return value, value
    if scale == "tau":
        error = _corrected(value, error, units)
    reach = float(t_quantile(units - 1)) * error
    if scale == "difference":
        return value - reach, value + reach
    if not abs(value) < 1:  # atanh is infinite there
        return NONE
    middle, reach = float(np.arctanh(value)), reach / (1 - value**2)
    return float(np.tanh(middle - reach)), float(np.tanh(middle + reach))


def _corrected(tau: float, error: float, units: float) -> float:
    """The jackknife's standard error of a tau of n rows, without half of what it has too much.

    The jackknife counts twice what single pairs vary, 2 (1 - tau^2) / n^2. Its square times
    (n - 2) / (n - 3), less 2 (1 - tau^2) / ((n - 2) (n - 3)), is right on average, but varies so
    much that intervals are too short as often; the mean of both squares covers best.
    """
    unbiased = error**2 * (units - 2) / (units - 3)
    unbiased -= 2 * (1 - tau**2) / ((units - 2) * (units - 3))
    return float(np.sqrt((error**2 + max(unbiased, 0.0)) / 2))


def t_quantile(degrees: ArrayLike) -> Floats:
    """The 97.5 % quantile of Student's t with so many degrees of freedom, of any shape."""
    from scipy.special import stdtrit

    quantile: Floats = stdtrit(np.asarray(degrees, dtype=np.float64), (1 + LEVEL) / 2)
    return quantile


def tau_error(influence: Floats, rows: Bools, groups: ArrayLike | None = None) -> float:
    """The jackknife's standard error of a statistic of pairs of rows, by its influences.

    Leaving row i out of n moves a mean over pairs by u_i (n - 1) / (n - 2), u_i being its
    derivative by the weight of the row. So the error is sqrt(n (n - 1) sum_i u_i^2) / (n - 2).

    Args:
        influence: `n` derivatives, 0 where a row has no part in it.
        rows: `n` flags: which rows have a part.
        groups: `n` integers, equal in rows that are left out together.
    """
    u = influence[rows]
    if groups is not None:
        codes = np.unique(np.asarray(groups)[rows], return_inverse=True)[1]
        u = np.bincount(codes, weights=u).astype(np.float64)
    n = len(u)
    return float(np.sqrt(n * (n - 1) * (u @ u))) / (n - 2) if n > 2 else float("nan")


def tau_interval(
    value: float,
    influence: Floats,
    rows: Bools,
    groups: ArrayLike | None = None,
    scale: Scale = "tau",
) -> tuple[float, float]:
    """The 95 % interval of a tau, or of a difference of taus, by its influences.

    Args:
        value: The tau.
        influence: `n` influences, 0 where a row has no part in it.
        rows: `n` flags: which rows have a part.
        groups: `n` integers, equal in rows that are one observation.
        scale: `tau`, or `difference`.
    """
    units = float(rows.sum()) if groups is None else effective_number(np.asarray(groups)[rows])
    return t_interval(value, tau_error(influence, rows, groups), units, scale)


def mean_interval(values: ArrayLike) -> tuple[Floats, Floats]:
    """The 95 % intervals of the means over seeds, the `s` rows of `s x t` values.

    Student's t of regrets holds their mean too seldom, as many are small and few are large: of ten
    exponential ones in 90 of 100 cases. P. Hall transforms t by the skewness of the values (On the
    removal of skewness by transformation, J. R. Stat. Soc. B 54, 1992): with x = t / sqrt(s) and
    the skewness g, x + g x^2 / 3 + g^2 x^3 / 27 + g / (6 s) is nearer to Student's than x. But of a
    few values that are not skewed the transform is noise. So each end is the farther of both.

    Returns:
        `t` lows and highs. NaN where a column has fewer than `FEWEST_SEEDS` values, or a NaN among
        them, or where all seeds but one, or all, agree: what hardly varied tells no spread.

    Raises:
        ValueError: Values of another shape.
    """
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2:
        raise ValueError(f"wanted values of shape s x t, got {table.shape}")
    seeds, columns = table.shape
    low, high = np.full((2, columns), np.nan)
    if seeds < FEWEST_SEEDS:
        return low, high
    fine = np.flatnonzero(np.isfinite(table).all(axis=0) & _varies(table))
    known = table[:, fine]
    mean, deviation = known.mean(axis=0), known.std(axis=0, ddof=1)
    third = ((known - mean) ** 3).mean(axis=0) / known.var(axis=0) ** 1.5 / 3
    reach = t_quantile(seeds - 1) / np.sqrt(seeds)
    low[fine] = mean - deviation * np.maximum(_unskewed(reach, third, seeds), reach)
    high[fine] = mean - deviation * np.minimum(_unskewed(-reach, third, seeds), -reach)
    return low, high


def _varies(table: Floats) -> Bools:
    """In which of `t` columns two of `s` values or more differ from the commonest one."""
    ordered = np.sort(table, axis=0)
    # All but one agree where the second to the last, or the first to the last but one, do.
    varies: Bools = (ordered[1] != ordered[-1]) & (ordered[0] != ordered[-2])
    return varies


def _unskewed(reach: Floats, third: Floats, seeds: int) -> Floats:
    """The t / sqrt(s) whose transform is `reach`; `third` is a third of the skewness."""
    moved = reach - third / (2 * seeds)
    straight = np.abs(third) < 1e-9
    safe = np.where(straight, 1.0, third)
    found: Floats = np.where(straight, moved, (np.cbrt(1 + 3 * safe * moved) - 1) / safe)
    return found


def stratified_interval(strata: Sequence[Floats]) -> tuple[Floats, Floats]:
    """The 95 % intervals of means over strata, such as tasks, of the means over their rows.

    Student's t, with the degrees of freedom of F. E. Satterthwaite (1946): strata are given, and
    their rows, such as seeds, independent.

    Args:
        strata: One or more of `s x m` values each, `s` of any size.

    Returns:
        `m` lows and highs; NaN where a stratum has one row, all together have fewer than
        `FEWEST_SEEDS`, or no row varies.
    """
    sizes = np.array([len(each) for each in strata])
    mean: Floats = np.mean([each.mean(axis=0) for each in strata], axis=0)
    nothing = np.full(mean.shape, np.nan)
    if sizes.min() < 2 or sizes.sum() < FEWEST_SEEDS:
        return nothing, nothing.copy()
    parts = np.array([each.var(axis=0, ddof=1) / len(each) for each in strata])
    whole = parts.sum(axis=0)
    fine = whole > 0
    degrees = whole[fine] ** 2 / (parts[:, fine] ** 2 / (sizes - 1)[:, None]).sum(axis=0)
    reach = nothing.copy()
    reach[fine] = t_quantile(degrees) * np.sqrt(whole[fine]) / len(strata)
    return mean - reach, mean + reach
