"""What else proxies rank: hardware costs and robustness, beside accuracy.

A proxy that finds accurate architectures may find slow or fragile ones. So every proxy's Kendall
correlation with a target stands beside its correlation with accuracy on the same architectures,
with the interval of both and of their difference.

Direction. Costs (latency, energy, ...) are turned round, so that a positive correlation always
says: a high score finds what is wanted, a fast architecture as well as a robust one.

Intervals are 95 %, over architectures (`bench.metrics.intervals.tau_interval`). Failures rank last.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from bench.base import Bools, Floats, Record
from bench.metrics.influence import Tau, pair_tau
from bench.metrics.intervals import tau_interval
from bench.metrics.pareto import pareto_front
from bench.reports.sample import Sample, defined
from bench.reports.score_sets import ScoreSet

_COSTS = frozenset(
    {
        *(
            "latency",
            "latencies",
            "energy",
            "power",
            "time",
            "runtime",
            "seconds",
            "memory",
            "bytes",
        ),
        *("flops", "macs", "params", "parameters", "loss", "losses", "error", "perplexity"),
    }
)
_STRENGTH = re.compile(r"_eps-[0-9.]+$")
"""What tells targets apart that are one attack at several strengths."""


def smaller_is_better(target: str) -> bool:
    """Whether a target is a cost, such as a latency or a loss, by the words of its name.

    >>> smaller_is_better("raspi4_latency_ms"), smaller_is_better("fgsm@Linf_eps-1.0")
    (True, False)
    """
    return not _COSTS.isdisjoint(re.split(r"[^a-z]+", target.lower()))


def accuracy_name(each: ScoreSet) -> str:
    """How records call accuracy itself, where it is ranked like a proxy: no proxy has a space."""
    return f"{each.truth} accuracy"


def score_targets(each: ScoreSet, data: Sample) -> list[Record]:
    """Correlate every proxy, and accuracy itself, with every target.

    Args:
        each: The scores of one task, with its targets.
        data: Its sample.

    Returns:
        Records of task, target, better (`smaller` or `larger`), spread (the target's interquartile
        range), proxy, n (architectures for which all is recorded), n_failed, kendall,
        accuracy_kendall (of the proxy with accuracy, on the same architectures), each with `_low`
        and `_high`, difference (kendall less accuracy_kendall) with its low and high; inverted:
        whether both intervals exclude zero, on opposite sides; and best: whether this proxy's
        kendall is the highest, and the paired interval of its lead excludes zero (never where the
        next one is recorded for other architectures). None where undefined.
    """
    known = np.isfinite(each.target)
    scores = {**data.scores, accuracy_name(each): data.truth}
    with_accuracy: dict[bytes, list[Tau]] = {}
    records = []
    for name, values in each.targets.items():
        target = values[known]
        told = np.isfinite(target)
        if not told.any():
            continue
        lower = smaller_is_better(name)
        wanted = np.where(told, -target if lower else target, np.nan)
        key = told.tobytes()
        if key not in with_accuracy:
            truth = np.where(told, data.truth, np.nan)
            with_accuracy[key] = [pair_tau(score, truth) for score in scores.values()]
        found = [pair_tau(score, wanted) for score in scores.values()]
        quarter, three = np.quantile(target[told], [0.25, 0.75])
        shared: Record = {"task": each.task, "target": name}
        shared |= {"better": "smaller" if lower else "larger", "spread": float(three - quarter)}
        recorded = [told & ~np.isnan(score) for score in scores.values()]
        rows = _records(data, found, with_accuracy[key], recorded)
        for (proxy, score), here, row in zip(scores.items(), recorded, rows, strict=True):
            counted = {"n": int(here.sum()), "n_failed": int(np.isneginf(score[here]).sum())}
            records.append(defined(shared | {"proxy": proxy} | counted | row))
    return records


def _records(
    data: Sample, found: Sequence[Tau], accuracy: Sequence[Tau], recorded: Sequence[Bools]
) -> list[Record]:
    """The values of `p` proxies with a target and with accuracy, and their intervals.

    Accuracy itself is the last of them.
    """
    best = _clear_best(data, found[:-1], recorded)
    records = []
    for place, (of_target, of_accuracy) in enumerate(zip(found, accuracy, strict=True)):
        record: Record = {}
        rows = recorded[place]
        for name, tau in (("kendall", of_target), ("accuracy_kendall", of_accuracy)):
            low, high = tau_interval(tau.value, tau.influence, rows, data.groups)
            record |= {name: tau.value, f"{name}_low": low, f"{name}_high": high}
        record["difference"] = of_target.value - of_accuracy.value
        record["low"], record["high"] = _difference(data, of_target, of_accuracy, rows)
        record["inverted"] = (_side(record, "kendall") * _side(record, "accuracy_kendall")) < 0
        record["best"] = place == best
        records.append(record)
    return records


def _difference(data: Sample, one: Tau, two: Tau, rows: Bools) -> tuple[float, float]:
    """The interval of one tau less another on the same rows."""
    influence = one.influence - two.influence
    return tau_interval(one.value - two.value, influence, rows, data.groups, "difference")


def _clear_best(data: Sample, found: Sequence[Tau], recorded: Sequence[Bools]) -> int | None:
    """Which of `p` proxies leads the next one, by an interval of the lead that excludes zero."""
    values = np.array([tau.value for tau in found])
    ranked = [place for place in np.argsort(-values, kind="stable") if not np.isnan(values[place])]
    if len(ranked) < 2:
        return None
    first, second = (int(place) for place in ranked[:2])
    if not np.array_equal(recorded[first], recorded[second]):
        return None
    low, _ = _difference(data, found[first], found[second], recorded[first])
    return first if low > 0 else None


def _side(record: Record, name: str) -> int:
    """On which side of zero a whole interval lies; 0 where it holds zero or is undefined."""
    return int(record[f"{name}_low"] > 0) - int(record[f"{name}_high"] < 0)


def shown_targets(records: Sequence[Record]) -> dict[str, list[str]]:
    """The targets that figures show, of one task, by what is better: costs, and the others.

    Of an attack at several strengths, the one whose accuracies differ most between architectures;
    of costs, latencies if there are any. All others are in the records alone.
    """
    facts = {r["target"]: (r["better"], r["spread"]) for r in records}
    costs = [name for name, (better, _) in facts.items() if better == "smaller"]
    costs = [name for name in costs if "latency" in name] or costs
    widest: dict[str, str] = {}
    for name, (better, spread) in facts.items():
        family = _STRENGTH.sub("", name)
        if better == "larger" and (family not in widest or spread > facts[widest[family]][1]):
            widest[family] = name
    found = {"smaller": sorted(costs), "larger": sorted(widest.values())}
    return {better: names for better, names in found.items() if names}


def fronts(each: ScoreSet) -> list[Record]:
    """The architectures that no other beats at a target and at accuracy.

    Returns:
        Records of task, target, better, arch, value (of the target) and accuracy (in the source's
        units), by target and from the least accuracy to the best.
    """
    sign = 1.0 if each.maximise else -1.0
    records: list[Record] = []
    for name, values in each.targets.items():
        cost = cost_of(name, values)
        front = np.flatnonzero(pareto_front(cost, sign * each.target))
        better = "smaller" if smaller_is_better(name) else "larger"
        for row in sorted(front.tolist(), key=lambda row: (sign * each.target[row], row)):
            record: Record = {"task": each.task, "target": name, "better": better}
            record |= {"arch": each.archs[row], "value": float(values[row])}
            records.append(record | {"accuracy": float(each.target[row])})
    return records


def cost_of(target: str, values: Floats) -> Floats:
    """A target's `n` values so that smaller is better."""
    return values if smaller_is_better(target) else -values
