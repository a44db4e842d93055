"""What moved between a baseline and now, said in one sentence each."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bench.base import Record
from bench.reports.baseline import EXACT, OUTCOME, TIMES, Baseline, Provenance, Range, Value

MOVED, ROUNDED, VANISHED, APPEARED = "moved", "rounded", "vanished", "appeared"
"""What became of a value; `rounded` is one that moved no further than rounding may move it."""

RULES = {
    "task": "what a table records is read back, so it is equal or another",
    "correlation": "recorded scores are read back, so it is equal or another",
    "search": "the same seeds find the same, whatever the processor",
    "live": "rounding moves it less",
    "speed": "a ratio of two times in one run may fall to half",
    "benchmark": "a ratio of two times in one run may fall to half",
}
LEAST = 1e-3
"""How often seeds that are alike are told apart. With ten seeds of either run, means that differ
by 1.8 standard deviations are told apart in one case of two."""
DEALS = 20_000
"""How many ways of dealing out the seeds of both runs are looked at."""


@dataclass(frozen=True)
class Change:
    """One value that left its interval, vanished or appeared."""

    status: str
    before: Value | None
    after: Value | None
    allowed: Range | None = None
    """Where it should have been, if that is an interval."""
    chance: float | None = None
    """How often seeds that are alike lie as far apart, where seeds judge."""

    @property
    def value(self) -> Value:
        """The value now, or else the one that was."""
        found = self.after if self.after is not None else self.before
        if found is None:
            raise ValueError("wanted a change of a value, got one of none")
        return found

    @property
    def fails(self) -> bool:
        """Whether it is a reason to fail, if its kind is one that decides."""
        if self.status == APPEARED:
            return self.value.measure == OUTCOME
        return self.status != ROUNDED

    @property
    def widths(self) -> float | None:
        """How many interval widths the value is away from its interval; None without one.

        An interval without an upper end is as wide as its value is above its lower end.
        """
        before, after = self.before, self.after
        if self.allowed is None or before is None or after is None:
            return None
        if isinstance(before.value, str) or isinstance(after.value, str):
            return None
        low, high = self.allowed
        width = (high if math.isfinite(high) else before.value) - low
        # An interval of one point, which a file may hold, has no width to count by.
        return max(low - after.value, after.value - high) / width if width > 0 else None

    @property
    def sentence(self) -> str:
        """What moved, from where to where, and by how much."""
        value = self.value
        if self.status == APPEARED:
            return f"{value.name} appeared: {text(value.value)}"
        if self.before is None:
            raise ValueError(f"wanted what {value.name} was before, got nothing")
        was = text(self.before.value)
        if self.after is None:
            return f"{value.name} vanished: it was {was}"
        moved = f"{value.name} moved from {was} to {text(self.after.value)}"
        if self.chance is not None:
            return f"{moved}; {self._of_seeds}"
        rule = RULES[value.kind]
        if self.allowed is None or self.widths is None:
            return f"{moved}; {rule}"
        low, high = map(text, self.allowed)
        if self.status == ROUNDED:
            return f"{moved}, within {low} … {high}: rounding alone may move it so far"
        return f"{moved}, out of {low} … {high} by {self.widths:.3g} interval widths; {rule}"

    @property
    def _of_seeds(self) -> str:
        """What its seeds say of a mean that moved."""
        apart = f"seeds that are alike lie as far apart with p = {self.chance:.2g}"
        if self.status == ROUNDED:
            return f"{apart}, so rounding alone may move what its model picks so far"
        return f"{apart}, which is less than {LEAST:g}: rounding alone does not do that"

    def record(self) -> Record:
        """The change as one row."""
        value = self.value
        low, high = self.allowed or (None, None)
        return {
            "status": self.status,
            "kind": value.kind,
            "task": value.task,
            "of": value.of,
            "measure": value.measure,
            "before": None if self.before is None else self.before.value,
            "after": None if self.after is None else self.after.value,
            "low": low,
            "high": high,
            "widths": self.widths,
            "chance": self.chance,
            "sentence": self.sentence,
        }


def text(value: float | str) -> str:
    """A value as a sentence has it."""
    return value if isinstance(value, str) else f"{value:.10g}"


def changes(
    before: Baseline, after: Baseline, *, kinds: Collection[str], without: Collection[str] = ()
) -> Iterator[Change]:
    """What moved, vanished and appeared, in the order of names.

    Args:
        before: The baseline.
        after: What was measured now.
        kinds: Which kinds were measured now; values of others have not vanished.
        without: Tasks that were not measured now, whose values have not vanished.
    """
    was = {value.key: value for value in before.values}
    now = {value.key: value for value in after.values}
    for key in sorted(was.keys() | now.keys()):
        old, new = was.get(key), now.get(key)
        if old is None:
            yield Change(APPEARED, None, new)
        elif new is None:
            if old.kind in kinds and old.task not in without:
                yield Change(VANISHED, old, None)
        elif not _within(old, new, old.tight):
            yield _moved(old, new)


def _moved(old: Value, new: Value) -> Change:
    """How a value moved: as rounding may move it, or further."""
    if old.seeds and new.seeds:
        chance = alike(old.seeds, new.seeds)
        return Change(ROUNDED if chance >= LEAST else MOVED, old, new, chance=chance)
    allowed = old.tight if old.wide is None else old.wide
    return Change(ROUNDED if _within(old, new, allowed) else MOVED, old, new, allowed)


def alike(before: Sequence[float], after: Sequence[float]) -> float:
    """How often the means of two lists of seeds are as far apart if nothing but chance parts them.

    The permutation test (R. A. Fisher, 1935; E. J. G. Pitman, 1937), two-sided: all values are
    dealt out anew to lists of these lengths. It asks for no distribution, so it holds where most
    seeds reach a regret of 0. Seeds that two runs share only make it milder. All deals are looked
    at where they are few enough, and else as many, drawn the same at every call.
    """
    from scipy.stats import permutation_test

    found = permutation_test(
        (np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)),
        lambda one, two, axis: one.mean(axis=axis) - two.mean(axis=axis),
        vectorized=True,
        n_resamples=DEALS,
        random_state=np.random.default_rng(0),
    )
    return float(found.pvalue)


def _within(old: Value, new: Value, allowed: Range | None) -> bool:
    if allowed is None or isinstance(new.value, str):
        return old.value == new.value
    low, high = allowed
    # The interval was written with twelve digits.
    room = EXACT * 1e-2 * max(1.0, abs(new.value))
    return low - room <= new.value <= high + room


def differing(before: Provenance, after: Provenance) -> list[str]:
    """In what two environments differ, a phrase each, such as `numpy 2.4.0, and was 2.3.1`."""
    names = sorted(before.environment.keys() | after.environment.keys())
    pairs = [(it, before.environment.get(it), after.environment.get(it)) for it in names]
    return [f"{name} {now}, and was {was}" for name, was, now in pairs if was != now]


def decides(change: Change, *, times: bool) -> bool:
    """Whether a change is a reason to fail; ratios of times are only where `times` says so."""
    return change.fails and (times or change.value.kind not in TIMES)
