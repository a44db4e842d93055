"""What is checked and measured of stacks, passes and training; every function yields rows.

A row says which `figure` it is, its `value`, and what else belongs to it; where there is no value,
an `error` says why. Networks are those of NAS-Bench-201, whose cells are counted out, so no table
is needed; images are noise, as the time of a network does not depend on what it sees.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from time import monotonic, perf_counter

import numpy as np
import torch
from torch import Tensor

from bench.base import Arch, Record
from bench.draws import keyed
from bench.networks import Stack, Weights, network
from bench.networks.stacked import balanced
from bench.proxies import COMPUTED
from bench.proxies._stacked_passes import RUNS
from bench.proxies.computed import Computed
from bench.proxies.live import Batch, Result, reason, score
from bench.proxies.profile import Ceilings, ceilings, profile, profile_stack
from bench.proxies.stacked import StackScorer
from bench.spaces.nasbench201 import NASBENCH201 as SPACE
from bench.training.data import split
from bench.training.recipe import Recipe
from bench.training.stacked import train_stack
from bench.training.trainer import train

CLASSIC = COMPUTED[:13]
DEAR = COMPUTED[13:]
STACKABLE = tuple(proxy for proxy in COMPUTED if all(name in RUNS for name in proxy.passes))
"""What stacks have the passes for."""

FLOAT64 = 1e-9
"""How far scores in float64 may be from a CPU's, relative: what tests hold of stacks."""
FLOAT32 = {
    "epe_nas": 0.3,
    "fisher": 0.2,
    "grad_norm": 0.03,
    "snip": 0.03,
    "jacov": 1e-3,
    "plain": 1e-3,
    "grasp": 1e-3,
}
"""How far scores in float32 may be from float64's, relative, and by default `ROUNDED`: ten times
what a CPU was, on eight cells. A sign that rounding turns moves gradients of a deep network."""
ROUNDED = 1e-5

SHARDS = 10
"""Processes that score for reference on the CPU."""
SIZES = (25, 125, 50, 5, 250, 1)
"""Networks of a stack, in the order in which they are timed."""
TRAINED = (1, 25, 125, 625)


@dataclass(frozen=True)
class Setting:
    """Where, how large and how long; on a CPU everything is tiny, and is a rehearsal."""

    device: str
    scratch: Path
    """A folder that parts leave files for each other in."""
    end: float
    """When to stop, by `time.monotonic`."""
    triton: bool = True
    """Whether Triton compiles here; where it does not, all but its own parts go without."""

    @property
    def tiny(self) -> bool:
        """Whether this is a rehearsal."""
        return self.device != "cuda"

    @property
    def shape(self) -> dict[str, int]:
        """What sizes the networks."""
        return {"channels": 2, "cells": 1} if self.tiny else {"channels": 16, "cells": 5}

    @property
    def cells(self) -> int:
        """How many are compared."""
        return 2 if self.tiny else 200

    def sizes(self, wanted: Sequence[int]) -> Sequence[int]:
        """Those that are done here: two small ones in a rehearsal."""
        return (5, 1) if self.tiny else wanted

    @property
    def over(self) -> bool:
        """Whether the time is over."""
        return monotonic() >= self.end

    def batch(self, images: int, dtype: torch.dtype = torch.float32) -> Batch:
        """Noise of CIFAR-10's size; in a rehearsal four images of 8 x 8, of two classes."""
        n, side, classes = (4, 8, 2) if self.tiny else (images, 32, 4)
        drawn = keyed(0, "gpu", "images").standard_normal((n, 3, side, side), dtype=np.float32)
        return Batch(torch.from_numpy(drawn).to(dtype), torch.arange(n) % classes)


def compared(count: int) -> list[Arch]:
    """Cells that are compared, drawn from all 15,625."""
    every = np.indices((len(SPACE.labels),) * 6).reshape(6, -1).T
    rows = keyed(0, "gpu", "cells").choice(len(every), count, replace=False)
    return [tuple(int(one) for one in every[row]) for row in rows]


# Scores of stacks, of single networks, and a CPU's.


def refer(setting: Setting, shard: int) -> Iterator[Record]:
    """Score a part of the cells one by one on the CPU in float64, and leave the scores."""
    torch.set_num_threads(1)
    own = compared(setting.cells)[shard::SHARDS]
    batch, weights = setting.batch(12, torch.float64), Weights(0)
    found: dict[str, dict[str, list[float | str | None]]] = {}
    path = setting.scratch / f"reference-{shard}.json"
    started = perf_counter()
    for arch in own:
        module = network(SPACE.name, arch, weights, **setting.shape).double()
        results = score(module, batch, STACKABLE)
        found[SPACE.text(arch)] = {n: [it.value, it.error] for n, it in results.items()}
        # A part that is cut off leaves what it has.
        _replace(path, json.dumps(found))
        if setting.over:
            break
    spent = perf_counter() - started
    yield {"figure": f"reference/{shard}", "value": spent / max(len(found), 1), "cells": len(found)}


def _replace(path: Path, text: str) -> None:
    new = path.with_suffix(".new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)


def agree(setting: Setting) -> Iterator[Record]:
    """Compare scores on the device with a CPU's: stacks and single networks, in two precisions."""
    reference: dict[str, dict[str, tuple[float | None, str | None]]] = {}
    for path in sorted(setting.scratch.glob("reference-*.json")):
        reference |= json.loads(path.read_text(encoding="utf-8"))
    archs = [arch for arch in compared(setting.cells) if SPACE.text(arch) in reference]
    if not archs:
        raise LookupError("no cell was scored on the CPU in the time that was given")
    for dtype in (torch.float64, torch.float32):
        name = str(dtype).removeprefix("torch.")
        for way, run in (("stack", _stacks), ("alone", _singles)):
            found = dict(run(setting, archs, dtype))
            yield from _agreements(setting, f"{way}-{name}", found, reference, dtype)
    yield _graphs_agree(setting)


def _stacks(
    setting: Setting, archs: Sequence[Arch], dtype: torch.dtype
) -> Iterator[tuple[str, dict[str, Result]]]:
    size, weights = (2 if setting.tiny else 20), Weights(0)
    for first in range(0, len(archs), size):
        group = archs[first : first + size]
        stack = _stack(setting, group, weights, dtype)
        results = StackScorer(stack, setting.batch(12, dtype), STACKABLE).score()
        yield from zip(map(SPACE.text, group), results, strict=True)


def _singles(
    setting: Setting, archs: Sequence[Arch], dtype: torch.dtype
) -> Iterator[tuple[str, dict[str, Result]]]:
    weights, batch = Weights(0), setting.batch(12, dtype)
    for arch in archs:
        if setting.over:
            return
        module = network(SPACE.name, arch, weights, **setting.shape)
        yield SPACE.text(arch), score(module.to(setting.device, dtype), batch, STACKABLE)


def _stack(
    setting: Setting,
    archs: Sequence[Arch],
    weights: Weights,
    dtype: torch.dtype = torch.float32,
) -> Stack:
    stack = Stack(archs, weights, **setting.shape)
    stack.module.to(setting.device, dtype)
    return stack


def _tolerance(setting: Setting, proxy: str) -> float:
    """In float32; networks of two channels cancel more than those that tolerances are of."""
    return FLOAT32.get(proxy, ROUNDED) * (100 if setting.tiny else 1)


def _agreements(
    setting: Setting,
    way: str,
    found: Mapping[str, Mapping[str, Result]],
    reference: Mapping[str, Mapping[str, Sequence[float | str | None]]],
    dtype: torch.dtype,
) -> Iterator[Record]:
    """For each proxy the largest difference from the reference, and how many reasons differ."""
    for proxy in STACKABLE:
        double = dtype == torch.float64
        tolerance = FLOAT64 if double else _tolerance(setting, proxy.name)
        worst, at, other = 0.0, "", 0
        for text, results in found.items():
            values = {name: pair[0] for name, pair in reference[text].items()}
            got, wanted = results[proxy.name].value, values[proxy.name]
            if got is None or wanted is None:
                other += (got is None) != (wanted is None)
                continue
            apart = abs(got - float(wanted)) / max(_scale(proxy.name, values), 1e-300)
            if apart > worst:
                worst, at = apart, text
        row: Record = {"figure": f"agreement/{way}/{proxy.name}", "value": worst, "at": at}
        row |= {"tolerance": tolerance, "cells": len(found), "one_has_none": other}
        yield row | _beyond(worst, tolerance, at, other if double else 0)


def _scale(proxy: str, values: Mapping[str, float | str | None]) -> float:
    """What a difference is a part of: the value, or where its terms cancel, what they come to."""
    if proxy == "plain":
        return float(values["snip"] or 0)
    if proxy == "grasp":
        return 10 * float(values["grad_norm"] or 0) ** 2
    return abs(float(values[proxy] or 0))


def _beyond(worst: float, tolerance: float, at: str, other: int = 0) -> Record:
    """The error of a row whose difference is above its tolerance, or empty."""
    if not worst <= tolerance:
        return {"error": f"expected a difference of at most {tolerance:g}, got {worst:.3g} at {at}"}
    if other:
        return {"error": f"expected a score where a CPU has one and only there, not so in {other}"}
    return {}


def _graphs_agree(setting: Setting) -> Record:
    """Compare replayed CUDA graphs with the same stacks run eagerly."""
    groups = list(islice(balanced(1 if setting.tiny else 2), 3))
    weights, batch = Weights(0), setting.batch(16)
    stack = _stack(setting, groups[0], weights)
    scorer = StackScorer(stack, batch, STACKABLE, graphs=True)
    worst, at = 0.0, ""
    for group in groups:
        stack.refill(group)
        replayed = scorer.score()
        eager = StackScorer(_stack(setting, group, weights), batch, STACKABLE).score()
        for arch, one, other in zip(group, replayed, eager, strict=True):
            for name, result in other.items():
                apart = _relative(one[name].value, result.value)
                apart /= _tolerance(setting, name)
                if not apart <= worst:
                    worst, at = apart, f"{name} of {SPACE.text(arch)}"
    row: Record = {
        "figure": "throughput/graphs/difference",
        "value": worst,
        "tolerance": 1.0,
        "at": at,
    }
    return row | _beyond(worst, 1.0, at)


def _relative(one: float | None, other: float | None) -> float:
    if one is None or other is None:
        return 0.0 if one is other else float("inf")
    return abs(one - other) / max(abs(other), 1e-300) if one != other else 0.0


# Throughput.


def one_by_one(setting: Setting) -> Iterator[Record]:
    """Networks a second, one by one, by the 13 classic proxies."""
    archs, weights, batch = compared(2 if setting.tiny else 12), Weights(0), setting.batch(64)
    modules = [network(SPACE.name, arch, weights, **setting.shape) for arch in archs]
    modules = [module.to(setting.device) for module in modules]
    score(modules[0], batch, CLASSIC)
    started = perf_counter()
    for module in modules[1:]:
        score(module, batch, CLASSIC)
    spent = perf_counter() - started
    yield {"figure": "throughput/alone", "value": (len(modules) - 1) / spent}


def throughput(setting: Setting, *, graphs: bool) -> Iterator[Record]:
    """Networks a second by networks of a stack, by the 13 classic proxies."""
    mode = "graphs" if graphs else "eager"
    for size in setting.sizes(SIZES):
        if graphs and size == 1:
            continue  # single networks differ in structure, so no graph serves the next
        row: Record = {"figure": f"throughput/{mode}/{size}", "value": None}
        if setting.over:
            return
        try:
            yield row | _timed_stacks(setting, size, graphs)
        except Exception as error:  # noqa: BLE001 - one size's failure is no other's
            yield row | {"error": reason(error)}
        _emptied(setting)


def stacks_of(size: int) -> Iterator[list[Arch]]:
    """Stacks of equal counts of operations, so that they take turns in one module.

    They cover the space; those of one network are some cells, drawn.

    Raises KeyError where a size is not of `SIZES`.
    """
    if size == 1:
        yield from ([arch] for arch in compared(200))
        return
    free, rest = {5: (1, 1), 25: (2, 1), 50: (2, 2), 125: (3, 1), 250: (3, 2)}[size]
    groups = balanced(free)
    while group := [arch for part in islice(groups, rest) for arch in part]:
        yield group  # the last may be smaller


def _timed_stacks(setting: Setting, size: int, graphs: bool) -> Record:
    """Seconds of stacks after the first two, of which the second captures."""
    if setting.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    groups, weights, batch = stacks_of(size), Weights(0), setting.batch(64)
    made = perf_counter()
    first = next(groups)
    stack = _stack(setting, first, weights)
    scorer = StackScorer(stack, batch, CLASSIC, graphs=graphs)
    made = perf_counter() - made
    for _ in range(1 if setting.tiny else 2):
        scorer.score()
    seconds, hosts, done = 0.0, 0.0, 0
    while done < (1 if setting.tiny else 3) or (seconds < 2 and done < 50 and not setting.over):
        if size > 1:
            stack.refill(next(groups))
        else:  # of another structure each time
            stack = _stack(setting, next(groups), weights)
            scorer = StackScorer(stack, batch, CLASSIC)
        started = perf_counter()
        pending = scorer.start()
        _waited(setting)
        ran = perf_counter()
        results = pending.results()
        seconds, hosts = seconds + ran - started, hosts + perf_counter() - ran
        done += 1
    peak = torch.cuda.max_memory_allocated() if setting.device == "cuda" else None
    row: Record = {"value": size * done / seconds, "host": size * done / hosts, "stacks": done}
    row |= {"peak_bytes": peak, "seconds_to_make": made}
    return row | {"scores": sum(it.value is not None for each in results for it in each.values())}


def _waited(setting: Setting) -> None:
    if setting.device == "cuda":
        torch.cuda.synchronize()


def _emptied(setting: Setting) -> None:
    if setting.device == "cuda":
        torch.cuda.empty_cache()


WHOLE = 15625
"""Cells of the space."""


def sweep(setting: Setting) -> Iterator[Record]:
    """Score all cells by the 13 proxies, in several processes that share the device.

    What a process computes on the host, another's passes run beside. How many there are and how
    large their stacks is decided by what was timed before, as `plan_sweep` says.
    """
    workers, size = plan_sweep(_told(setting), os.cpu_count() or 1, _memory(setting))
    started = monotonic()
    command = [sys.executable, "-m", "bench.gpu", "--sweep"]
    processes = []
    for worker in range(workers):
        end = setting.end - 2
        job = {"device": setting.device, "scratch": str(setting.scratch), "end": end}
        job |= {"worker": worker, "workers": workers, "size": size, "triton": setting.triton}
        given = [*command, json.dumps(job)]
        processes.append(subprocess.Popen(given, stdout=subprocess.PIPE, text=True))
    told = [process.communicate()[0] for process in processes]
    spent = monotonic() - started
    done = [json.loads(text) for text in told if text]
    cells = sum(each["cells"] for each in done)
    about = {"workers": workers, "stack": size, "cells": cells, "processes_that_ended": len(done)}
    wanted = 5 * workers if setting.tiny else WHOLE
    busy = max((each["seconds"] for each in done), default=0.0)
    scores = sum(each["scores"] for each in done)
    row: Record = {"figure": "sweep/rate", **about, "scores": scores}
    broken = f"{workers - len(done)} of {workers} processes broke, the others finished no stack"
    yield row | ({"value": cells / busy} if cells else {"value": None, "error": broken})
    whole: Record = {"figure": "sweep/seconds", "value": spent, "target": 300, **about}
    if cells < wanted:
        said = f"the limit came after {cells:,} of {wanted:,} cells, {spent:.0f} s"
        whole |= {"value": None, "error": said}
    yield whole


def plan_sweep(told: Mapping[int, Record], processors: int, memory: float) -> tuple[int, int]:
    """How many processes, and networks of a stack: the fastest size, as often as memory holds it.

    Args:
        told: Rows of stacks with CUDA graphs by their size.
        processors: Of the host; a process keeps one busy.
        memory: Bytes of the device.
    """
    usable = {
        size: row
        for size, row in told.items()
        if row.get("value") and size in (5, 25, 125) and row.get("peak_bytes")
    }
    if not usable:
        return 1, 5 if memory == 0 else 25
    best = max(usable, key=lambda size: _rate(usable[size], processors, memory))
    return _workers(usable[best], processors, memory), best


def _workers(row: Mapping[str, float], processors: int, memory: float) -> int:
    held = row["peak_bytes"] + 2**30  # of which a context takes half
    return max(1, min(8, processors // 2, int(0.85 * memory / held)))


def _rate(row: Mapping[str, float], processors: int, memory: float) -> float:
    """What a size may come to: the device's rate, or what hosts reckon beside it."""
    return min(row["value"], _workers(row, processors, memory) * row["host"])


def sweep_part(job: Mapping[str, float | str]) -> Record:
    """Score one process's share of all cells; proxies of the last stack while the next one runs."""
    setting = Setting(str(job["device"]), Path(str(job["scratch"])), float(job["end"]))
    worker, workers, size = (int(job[name]) for name in ("worker", "workers", "size"))
    torch.set_num_threads(1)
    groups = list(islice(stacks_of(size), worker, None, workers))
    groups = groups[:1] if setting.tiny else groups
    weights, batch = Weights(0), setting.batch(64)
    stack = _stack(setting, groups[0], weights)
    scorer = StackScorer(stack, batch, CLASSIC, graphs=True)
    started = perf_counter()
    cells = scores = 0

    def count(results: Sequence[Mapping[str, Result]]) -> None:
        nonlocal cells, scores
        cells += len(results)
        scores += sum(it.value is not None for each in results for it in each.values())

    with ThreadPoolExecutor(1) as pool:
        waiting: deque[Future[list[dict[str, Result]]]] = deque()
        for at, group in enumerate(groups):
            if setting.over:
                break
            if len(group) != stack.size:
                break  # a rest: none where sizes are powers of five
            stack.refill(group)
            pending = scorer.start()
            if at < 2:  # nothing else may touch the device while a graph is captured
                count(pending.results())
                continue
            waiting.append(pool.submit(pending.results))
            if len(waiting) > 2:
                count(waiting.popleft().result())
        for each in waiting:
            count(each.result())
    return {"cells": cells, "scores": scores, "seconds": perf_counter() - started}


def _told(setting: Setting) -> dict[int, Record]:
    """Rows of throughput with graphs that earlier parts left; none where none came that far."""
    try:
        text = (setting.scratch / "rows.jsonl").read_text(encoding="utf-8")
    except OSError:
        return {}
    rows = [json.loads(line) for line in text.splitlines()]
    mark = "throughput/graphs/"
    return {
        int(row["figure"].removeprefix(mark)): row
        for row in rows
        if row["figure"].startswith(mark) and row["figure"].removeprefix(mark).isdigit()
    }


def _memory(setting: Setting) -> float:
    if setting.device != "cuda":
        return 0.0
    return float(torch.cuda.get_device_properties(0).total_memory)


def dear(setting: Setting) -> Iterator[Record]:
    """Seconds a network of the proxies beyond the 13, each alone, its passes among them."""
    archs = compared(1 if setting.tiny else 3)
    weights = Weights(0)
    batches = [setting.batch(64)] * 2
    modules = [network(SPACE.name, arch, weights, **setting.shape) for arch in archs]
    modules = [module.to(setting.device) for module in modules]
    for proxy in DEAR:
        if setting.over:
            return
        known = replace(proxy.of_space(SPACE.name), name=proxy.name) if proxy.of_space else proxy
        yield _dear(setting, known, modules, batches)


def _dear(
    setting: Setting, proxy: Computed, modules: Sequence[torch.nn.Module], batches: Sequence[Batch]
) -> Record:
    spent, errors = [], []
    for at, module in enumerate([modules[0], *modules]):
        started = perf_counter()
        result = score(module, batches, [proxy])[proxy.name]
        _waited(setting)
        if at:  # the first is a warm-up
            spent.append(perf_counter() - started)
            errors += [result.error] if result.error else []
    row: Record = {"figure": f"dear/{proxy.name}", "value": min(spent), "networks": len(spent)}
    # What is undefined of a network took its time all the same.
    failed = [each for each in errors if not each.startswith("undefined")]
    return row | ({"error": failed[0]} if failed else {})


# Where the time goes.


def profiles(setting: Setting) -> Iterator[Record]:
    """Ceilings, passes of a stack, their operations, and every kernel beside plain torch."""
    device = torch.device(setting.device)
    limits = ceilings(device)
    yield {"figure": "profile/flops", "value": limits.flops_per_second}
    yield {"figure": "profile/bytes", "value": limits.bytes_per_second}
    group = next(balanced(1 if setting.tiny else 2))
    stack = _stack(setting, group, Weights(0))
    scorer = StackScorer(stack, setting.batch(64), CLASSIC)
    rows = []
    for row in profile_stack(scorer, len(group), device):
        rows.append(row)
        yield {"figure": None, "run": f"gpu/stack of {len(group)}", **row}
    yield from _passes(rows, limits)
    yield from _ratios(rows)
    if setting.over or setting.tiny:
        return
    modules = [
        network(SPACE.name, arch, Weights(0), **setting.shape).to(device) for arch in compared(2)
    ]
    batch = setting.batch(64)
    moved = Batch(batch.images.to(device), batch.labels.to(device))
    for row in profile(modules, [moved], CLASSIC):
        yield {"figure": None, "run": "gpu/one by one", **row}


def _passes(rows: Sequence[Record], limits: Ceilings) -> Iterator[Record]:
    """Seconds a network of each pass, and the rates that its operations come to in that time."""
    for row in rows:
        if row["what"] != "pass":
            continue
        of = [it for it in rows if it["what"] == "operation" and it["pass"] == row["pass"]]
        flops, moved = sum(it["flops"] for it in of), sum(it["bytes"] for it in of)
        spent = row["seconds"] * row["networks"]
        rates = {"flops_per_second": flops / spent, "bytes_per_second": moved / spent}
        rates["of_roof"] = flops / spent / limits.roof(flops, moved) if flops else None
        yield {"figure": f"profile/pass/{row['pass']}", "value": row["seconds"], **rates}


def _ratios(rows: Sequence[Record]) -> Iterator[Record]:
    """How many times as fast each kernel is in Triton as in plain torch, where it ran."""
    of = {(row["name"], row["implementation"]): row for row in rows if row["what"] == "kernel"}
    for (name, implementation), row in of.items():
        if implementation == "triton" and row["seconds"] is not None:
            ratio = of[name, "torch"]["seconds"] / row["seconds"]
            about = ("seconds", "flops_per_second", "bytes_per_second", "of_roof", "bound")
            told = {key: row[key] for key in about}
            yield {"figure": f"profile/kernel/{name}", "value": ratio, **told}


# Training.


def train_networks(setting: Setting) -> Iterator[Record]:
    """Networks a second by the recipe of `make-table digits`, alone and stacked.

    First that a stack trains as its networks do alone, in float64.
    """
    yield _trains_alike(setting)
    recipe = Recipe()
    if setting.tiny:
        recipe = replace(recipe, training=100, epochs=1, checkpoints=(1,))
    images = _digits_like(recipe)
    for size in setting.sizes(TRAINED):
        if setting.over:
            return
        row: Record = {"figure": f"training/{size}", "value": None}
        try:
            stack = Stack(_cells(size), Weights(0), **recipe.shape)
            stack.module.to(setting.device)
            _waited(setting)
            started = perf_counter()
            trained = train_stack(stack, split(*images, recipe), recipe, seed=0)
            spent = perf_counter() - started
            finished = sum(each.status == "ok" for each in trained)
            yield row | {"value": size / spent, "seconds": spent, "finished": finished}
        except Exception as error:  # noqa: BLE001 - one size's failure is no other's
            yield row | {"error": reason(error)}
        _emptied(setting)


def _cells(size: int) -> list[Arch]:
    return compared(size)


def _digits_like(recipe: Recipe) -> tuple[np.ndarray, np.ndarray]:
    """As many images as scikit-learn's digits, of their shape, drawn: it may not be here."""
    rng = keyed(0, "gpu", "digits")
    labels = np.arange(1797) % recipe.classes
    pixels = rng.integers(17, size=(1797, 1, recipe.size, recipe.size)).astype(np.float64)
    return pixels + labels[:, None, None, None], labels


def _trains_alike(setting: Setting) -> Record:
    """The largest difference of a weight after an epoch, in a stack and alone; float64."""
    recipe = replace(
        Recipe(), training=100, validation=50, test=50, epochs=1, checkpoints=(1,), batch=25
    )
    images = split(*_digits_like(recipe), recipe)
    archs = compared(2 if setting.tiny else 4)
    stack = Stack(archs, Weights(0), **recipe.shape)
    stack.module.to(setting.device, torch.float64)
    train_stack(stack, images, recipe, seed=1)
    worst, at = 0.0, ""
    for place, arch in enumerate(archs):
        module = network(SPACE.name, arch, Weights(0), **recipe.shape)
        module.to(setting.device, torch.float64)
        train(module, images, recipe, seed=1)
        for name, value in module.named_parameters():
            wide = stack.module.get_parameter(name)
            apart = _apart(stack, place, name, wide, value)
            if not apart <= worst:
                worst, at = apart, f"{name} of {SPACE.text(arch)}"
    row: Record = {"figure": "training/agreement", "value": worst, "tolerance": FLOAT64, "at": at}
    return row | _beyond(worst, FLOAT64, at)


def _apart(stack: Stack, place: int, name: str, wide: Tensor, alone: Tensor) -> float:
    owners = stack.owners[stack.part(name)]
    lane = wide.chunk(len(owners))[owners.index(place)].detach().view(alone.shape)
    return float((lane - alone.detach()).abs().nan_to_num(nan=torch.inf).max())
