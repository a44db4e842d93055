"""What moved between a baseline and now, said in one sentence each."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from bench.base import Record
from bench.reports.baseline import EXACT, OUTCOME, TIMES, Baseline, Provenance, Range, Value

MOVED, VANISHED, APPEARED = "moved", "vanished", "appeared"

RULES = {
    "task": "what a table records is read back, so it is equal or another",
    "correlation": "recorded scores are read back, so it is equal or another",
    "search": "the same seeds on the same versions find the same",
    "live": "rounding alone may move it",
    "speed": "a ratio of two times in one run may fall to half",
    "benchmark": "a ratio of two times in one run may fall to half",
}
ELSEWHERE = {
    "search": "on other versions the mean of seeds stays where other seeds would have it",
    "live": "on other versions rounding may move it further",
}


@dataclass(frozen=True)
class Change:
    """One value that left its interval, vanished or appeared."""

    status: str
    before: Value | None
    after: Value | None
    allowed: Range | None = None
    """Where it should have been, if that is an interval."""
    rule: str = ""

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
        return self.status != APPEARED or self.value.measure == OUTCOME

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
        if self.allowed is None or self.widths is None:
            return f"{moved}; {self.rule}"
        low, high = map(text, self.allowed)
        return f"{moved}, out of {low} … {high} by {self.widths:.3g} interval widths; {self.rule}"

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
    elsewhere = bool(differing(before.provenance, after.provenance))
    for key in sorted(was.keys() | now.keys()):
        old, new = was.get(key), now.get(key)
        if old is None:
            yield Change(APPEARED, None, new)
        elif new is None:
            if old.kind in kinds and old.task not in without:
                yield Change(VANISHED, old, None)
        else:
            allowed, rule = _allowed(old, elsewhere)
            if not _within(old, new, allowed):
                yield Change(MOVED, old, new, allowed, rule)


def _allowed(old: Value, elsewhere: bool) -> tuple[Range | None, str]:
    if elsewhere and old.wide is not None:
        return old.wide, ELSEWHERE.get(old.kind, RULES[old.kind])
    return old.tight, RULES[old.kind]


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
