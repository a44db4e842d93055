"""The options of IPL, told once, for the searcher and the predictor alike."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, TypeVar, get_type_hints

from bench.base import OptionError
from ipl.transforms import KINDS
from ipl.weights import MODES, OBJECTIVES

REGIMES = ("few-query", "zero-query")
SEARCHES = ("ascent", "evolution", "random", "pool")
_Member = TypeVar("_Member", bound=Callable[..., Any])


@dataclass(frozen=True)
class Settings:
    """How a learner is built and trained."""

    widths: tuple[int, ...] = (256, 128)
    members: int = 2
    steps: int = 400
    batch: int = 128
    rate: float = 2e-3
    decay: float = 1e-3

    def __post_init__(self) -> None:
        """Raise OptionError for what cannot be trained."""
        sizes = {"members": self.members, "steps": self.steps, "batch": self.batch}
        for name, value in [*sizes.items(), *(("widths", width) for width in self.widths)]:
            if value < 1:
                raise OptionError(f"expected {name} to be at least 1, got {value}")


@dataclass(frozen=True)
class Options:
    """What may be said of IPL, as in `ipl,scored=200,weights=published`."""

    regime: str = "few-query"
    """`zero-query` never learns from accuracy: the budget goes down the unified score."""
    scored: int = 500
    """How many architectures have their proxies read."""
    focus: float = 0.4
    """The share of these that is spent where the first learner sees the best."""
    weights: str = "transferred"
    found_on: str | None = None
    """Which task's weights are transferred; the first of transferred.json if not said."""
    leak: bool = False
    """Whether weights may be used on the very accuracies that they were found on."""
    labels: int = 0
    """How many queries, drawn uniformly, find weights first; for weights=found."""
    objective: str = "ranks"
    """What found weights maximise: `ranks` or `tau`."""
    trials: int = 300
    """How many weights are tried, for objective=tau."""
    transform: str = "rank"
    width: int = 256
    """Of the proxy learner's first layer; each further one is half as wide."""
    depth: int = 2
    members: int = 2
    auxiliary: bool = True
    """Whether graph features help the proxy learner."""
    search: str = "ascent"
    restarts: int = 24
    steps: int = 40
    rate: float = 0.1
    penalty: float = 0.0
    polish: int = 400
    """How many neighbours of what an ascent found are judged at most, by the learner alone."""
    initial: int = 6
    """How many queries are made before the head is told: down the unified score, and"""
    drawn: int = 0
    """this many of them drawn uniformly, for a head that shall mistrust the unified score."""
    batch: int = 3
    """Queries a round at first; a tenth of those told, once that is more."""

    def __post_init__(self) -> None:
        """Raise OptionError for what makes no sense by itself."""
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                raise OptionError(
                    f"expected {name} among {', '.join(known)}, got {getattr(self, name)!r}"
                )
        for name in ("scored", "width", "depth", "members", "restarts", "initial", "batch"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise OptionError(f"expected {name} to be a whole number above 0, got {value!r}")
        if self.polish < 0:
            raise OptionError(f"expected polish to be at least 0, got {self.polish}")
        if not 0 <= self.drawn <= self.initial:
            raise OptionError(
                f"expected drawn to be from 0 to initial={self.initial}, got {self.drawn!r}"
            )
        if not 0 <= self.focus < 1:
            raise OptionError(f"expected focus to be at least 0 and below 1, got {self.focus!r}")
        if self.labels < 0 or self.labels == 1:
            raise OptionError(f"expected labels to be 0, or at least 2, got {self.labels}")

    @property
    def learner(self) -> Settings:
        """How the proxy learner is built."""
        widths = tuple(max(self.width >> layer, 8) for layer in range(self.depth))
        return Settings(widths=widths, members=self.members)


_CHOICES: Mapping[str, Collection[str]] = {
    "regime": REGIMES,
    "weights": MODES,
    "objective": OBJECTIVES,
    "transform": KINDS,
    "search": SEARCHES,
}


def takes_options(member: _Member) -> _Member:
    """Let a member's signature name every one of the options, instead of `**options`.

    The bench reads a member's options, their types and defaults off its signature.
    """
    own = inspect.signature(member)
    stated = get_type_hints(Options)
    named = [p for p in own.parameters.values() if p.kind is not p.VAR_KEYWORD]
    told = [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if field.default is MISSING else field.default,
            annotation=stated[field.name],
        )
        for field in fields(Options)
    ]
    member.__signature__ = own.replace(parameters=[*named, *told])  # type: ignore[attr-defined]
    return member
