"""The scorer: a proxy over many architectures, failures kept as failures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from bench.base import Arch, Floats, GraphProxy, Proxy, Space

_LONGEST = 160
"""Of what an error says, in a row."""


@dataclass(frozen=True, eq=False)
class Scored:
    """What scoring `a` architectures gave: values, -inf where failed, and why they failed."""

    values: Floats
    errors: Counter[str] = field(default_factory=Counter)
    """How many architectures failed for each reason."""
    messages: dict[str, str] = field(default_factory=dict)
    """What was said at the first failure for a reason, where something was."""

    @property
    def reasons(self) -> dict[str, int]:
        """How many failed for each reason, with what was said at the first: `ValueError: why`."""
        return {
            f"{reason}: {said}" if (said := self.messages.get(reason)) else reason: count
            for reason, count in self.errors.items()
        }


def oriented(values: Floats, proxy: Proxy | None) -> Floats:
    """Turn scores so that larger is better, by what the proxy says of itself.

    Failures (-inf) stay failures, NaN stays NaN. A column without a proxy's facts stays as it is.
    """
    if proxy is None or proxy.higher_is_better:
        return values
    return np.where(np.isfinite(values), -values, values)


def score_graphs(proxy: GraphProxy, space: Space, archs: Sequence[Arch]) -> Scored:
    """Score `a` architectures by a proxy of graphs.

    An exception or a value that is not finite is a failure: it becomes -inf with its reason
    counted. One architecture's failure does not stop the others.
    """
    values = np.full(len(archs), -np.inf)
    errors: Counter[str] = Counter()
    messages: dict[str, str] = {}
    for i, arch in enumerate(archs):
        try:
            value = float(proxy(space.graph(arch)))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a user's proxy may raise anything
            errors[type(error).__name__] += 1
            messages.setdefault(type(error).__name__, " ".join(str(error).split())[:_LONGEST])
            continue
        if np.isfinite(value):
            values[i] = value
        else:
            errors["non-finite"] += 1
    return Scored(values, errors, messages)
