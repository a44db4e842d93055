"""The parts of the check, in order of worth, and the figures that each of them is to give."""

from __future__ import annotations

import csv
import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from time import monotonic, perf_counter

import torch

from bench.base import Record
from bench.gpu import kernels, measures
from bench.gpu.measures import Setting
from bench.kernels import KERNELS
from bench.kernels.pattern_gram import pattern_gram
from bench.proxies._stacked_passes import RUNS
from bench.proxies.live import reason
from bench.proxies.profile import inputs

FUNCTIONS: Mapping[str, tuple[str, ...]] = {
    "batch_norm_jet": ("_moments", "_join", "_apply"),
    "grouped_conv_norm_relu": ("_convolve", "_norm"),
    "normalised_difference": ("_epsilon",),
    "pattern_gram": ("_pack", "_differ"),
    "saliency": ("_sum",),
    "sign_codes": ("_code",),
}
"""The Triton functions of each kernel."""
SHARED_BYTES = 227 * 1024
"""What a program may use on compute capability 9.0."""


@dataclass(frozen=True)
class Part:
    """One part: a process of its own."""

    name: str
    stage: int
    """Those of one stage run at once."""
    seconds: float
    """At most; a part stops by itself a little earlier, where it can."""
    units: Mapping[str, str]
    """What it is to give: figures, and the unit of each."""
    run: Callable[[Setting], Iterable[Record]]
    gpu: bool = True
    """Whether what it gives is of a GPU; else it is given wherever it runs."""
    rehearsed: bool = True
    """Whether it can be tried without a GPU."""


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _probe(setting: Setting) -> Iterator[Record]:
    """Whether Triton compiles and runs here: what it takes the first time, and the next."""
    x = torch.ones(3, 40, device=setting.device)
    for figure in ("first launch", "next launch"):
        started = perf_counter()
        found = pattern_gram(x, implementation="triton")
        if found.cpu().tolist() != [[40.0] * 3] * 3:
            raise ValueError(f"expected 40 everywhere, got {found.cpu().tolist()}")
        yield {"figure": f"probe/{figure}", "value": perf_counter() - started}


def _checked(kernel: str, setting: Setting) -> Iterator[Record]:
    """Check a kernel by type."""
    every = kernels.DTYPES[kernel]
    # The interpreter is slow at convolutions: tests have them in halves.
    for dtype in every[:2] if setting.tiny and kernel == "grouped_conv_norm_relu" else every:
        if setting.over:
            return
        tolerance = kernels.TOLERANCES[kernel][dtype]
        row: Record = {"figure": f"kernels/{kernel}/{_name(dtype)}", "value": None}
        row |= {"tolerance": tolerance}
        try:
            found = kernels.check(kernel, dtype, setting.device, large=not setting.tiny)
        except Exception as error:  # noqa: BLE001 - what fails for one type need not for another
            yield row | {"error": reason(error)}
            continue
        row |= {"value": found.difference, "cases": found.cases, "at": found.shape}
        if not found.difference <= tolerance:
            said = f"expected a difference of at most {tolerance:g}, got {found.difference:.3g}"
            row |= {"value": None, "error": f"{said} at {found.shape}"}
        yield row


def _compiled(setting: Setting) -> Iterator[Record]:
    """Compile every kernel for capability 9.0: the most registers, spills and shared memory."""
    for kernel, functions in FUNCTIONS.items():
        for dtype in kernels.DTYPES[kernel][:2]:
            if setting.over:
                return
            # In the second type the largest alone: what differs by size is seen in the first.
            most = None if dtype == kernels.DTYPES[kernel][0] else 2
            found = list(kernels.compile_cases(kernel, dtype, most=most))
            yield from _resources(functions, _name(dtype), found)


def _resources(
    functions: Iterable[str], dtype: str, found: Iterable[kernels.Compiled | tuple[str, str]]
) -> Iterator[Record]:
    every = list(found)
    for function in functions:
        row: Record = {"figure": f"compiled/{function}/{dtype}", "value": None}
        errors = [each[1] for each in every if isinstance(each, tuple) and each[0] == function]
        made = [
            each for each in every if isinstance(each, kernels.Compiled) and each.kernel == function
        ]
        if errors or not made:
            yield row | {"error": errors[0] if errors else "no case launches it"}
            continue
        shared = max(each.shared for each in made)
        row |= {"programs": len(made), "shared_bytes": shared}
        spills = [each.spills for each in made if each.spills is not None]
        row["spilled_bytes"] = max(spills, default=None)
        used = [each.registers for each in made if each.registers is not None]
        row["value"] = max(used, default=None)
        if shared > SHARED_BYTES:
            said = f"expected at most {SHARED_BYTES} bytes of shared memory, got {shared}"
            row |= {"value": None, "error": said}
        elif not used:
            row["error"] = "no ptxas that reads the PTX is here"
        yield row


# Counters of single kernels, by NVIDIA's profiler.

_COUNTERS = {
    "gpu__time_duration.sum": "nanoseconds",
    "gpu__compute_memory_throughput.avg.pct_of_peak_sustained_elapsed": "of_peak",
    "sm__throughput.avg.pct_of_peak_sustained_elapsed": "of_peak_compute",
    "dram__throughput.avg.pct_of_peak_sustained_elapsed": "of_peak_memory",
    "sm__warps_active.avg.pct_of_peak_sustained_active": "occupancy",
    "launch__registers_per_thread": "registers",
}


def ncu() -> str | None:
    """NVIDIA's kernel profiler, if it is here."""
    found = shutil.which("ncu")
    usual = sorted(Path("/").glob("usr/local/cuda*/bin/ncu"))
    usual += sorted(Path("/").glob("opt/nvidia/nsight-compute/*/ncu"))
    return found or next(map(str, usual), None)


def _counted(setting: Setting) -> Iterator[Record]:
    """Have ncu count every kernel, on the inputs that `profile` times; clocks stay as they are."""
    program = ncu()
    text, error = "", "ncu is not here"
    if program is not None:
        text, error = _count(program, setting.end - monotonic())
    told = read_counters(text)
    for functions in FUNCTIONS.values():
        for function in functions:
            row: Record = {"figure": f"ncu/{function}", "value": None}
            counters = told.get(function)
            if counters is None or "of_peak" not in counters:
                yield row | {"error": error or f"ncu said nothing of {function}"}
            else:
                yield row | {"value": counters["of_peak"], **counters}


def _count(program: str, seconds: float) -> tuple[str, str]:
    """What ncu prints of all kernels' functions, and why it prints nothing."""
    functions = [name for names in FUNCTIONS.values() for name in names]
    command = [program, "--csv", "--print-units", "base", "--clock-control", "none"]
    command += [
        "--metrics",
        ",".join(_COUNTERS),
        "--kernel-name",
        f"regex:^({'|'.join(functions)})$",
    ]
    command += [sys.executable, "-m", "bench.gpu", "--launch"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=max(seconds, 1), check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return "", reason(error)
    said = [line for line in done.stdout.splitlines() if line.startswith("==ERROR==")]
    failed = done.stderr.strip().splitlines()[-1:] if done.returncode else []
    return done.stdout, next(iter([*said, *failed]), "")[:160]


def read_counters(text: str) -> dict[str, dict[str, float]]:
    """Counters by kernel from what `ncu --csv` prints; the last launch of each counts."""
    lines = text.splitlines()
    start = next((at for at, line in enumerate(lines) if line.startswith('"ID"')), len(lines))
    told: dict[str, dict[str, float]] = {}
    for row in csv.DictReader(io.StringIO("\n".join(lines[start:]))):
        name, counter = str(row.get("Kernel Name")), _COUNTERS.get(str(row.get("Metric Name")))
        if counter is None:
            continue
        try:
            value = float(str(row.get("Metric Value")).replace(",", ""))
        except ValueError:
            continue
        told.setdefault(name.partition("(")[0], {})[counter] = value
    return told


def launch() -> None:
    """Call every kernel twice on the inputs that `profile` times, for a profiler to see."""
    for kernel, launcher in KERNELS.items():
        given = inputs(kernel, torch.device("cuda"))
        try:
            for _ in range(2):
                run = getattr(import_module(f"bench.kernels.{kernel}"), launcher)
                run(*given, implementation="triton")
            torch.cuda.synchronize()
        except Exception as error:  # noqa: BLE001 - a kernel's failure is no other's
            sys.stderr.write(f"{kernel}: {reason(error)}\n")


# All of them.


def _agreements() -> dict[str, str]:
    ways = [f"{way}-{dtype}" for dtype in ("float64", "float32") for way in ("stack", "alone")]
    names = [f"{way}/{proxy.name}" for way in ways for proxy in measures.STACKABLE]
    units = dict.fromkeys([f"agreement/{name}" for name in names], "difference")
    return {**units, "throughput/graphs/difference": "of what may be"}


def _throughputs(mode: str) -> dict[str, str]:
    sizes = [size for size in measures.SIZES if mode == "eager" or size > 1]
    return {f"throughput/{mode}/{size}": "networks/s" for size in sizes}


def _profiled() -> dict[str, str]:
    passes = [name for name in RUNS if name not in {"operations", "linearised_norms"}]
    return {
        "profile/flops": "flop/s",
        "profile/bytes": "byte/s",
        **{f"profile/pass/{name}": "s a network" for name in passes},
        **{f"profile/kernel/{name}": "× torch" for name in KERNELS.values()},
    }


def _parts() -> Iterator[Part]:
    launches = {"probe/first launch": "s", "probe/next launch": "s"}
    yield Part("probe", 0, 60, launches, _probe)
    for kernel, dtypes in kernels.DTYPES.items():
        figures = {f"kernels/{kernel}/{_name(dtype)}": "difference" for dtype in dtypes}
        yield Part(f"kernels-{kernel}", 1, 110, figures, partial(_checked, kernel))
    for shard in range(measures.SHARDS):
        figures = {f"reference/{shard}": "s a network"}
        run = partial(measures.refer, shard=shard)
        tried = shard < 2  # a rehearsal has two cells
        yield Part(f"reference-{shard}", 1, 110, figures, run, rehearsed=tried)
    yield Part("agreement", 2, 70, _agreements(), measures.agree)
    for mode in ("graphs", "eager"):
        run = partial(measures.throughput, graphs=mode == "graphs")
        yield Part(f"throughput-{mode}", 3 + (mode == "eager"), 60, _throughputs(mode), run)
    yield Part("sweep", 5, 210, {"sweep/seconds": "s", "sweep/rate": "networks/s"}, measures.sweep)
    yield Part("alone", 6, 30, {"throughput/alone": "networks/s"}, measures.one_by_one)
    yield Part("profile", 7, 50, _profiled(), measures.profiles)
    trained = {f"training/{size}": "networks/s" for size in measures.TRAINED}
    trained["training/agreement"] = "difference"
    yield Part("training", 8, 60, trained, measures.train_networks)
    dear = {f"dear/{proxy.name}": "s a network" for proxy in measures.DEAR}
    yield Part("dear", 9, 60, dear, measures.dear)
    counted = {f"ncu/{name}": "% of peak" for names in FUNCTIONS.values() for name in names}
    yield Part("ncu", 10, 60, counted, _counted, rehearsed=False)
    compiled = {
        f"compiled/{function}/{_name(dtype)}": "registers"
        for kernel, functions in FUNCTIONS.items()
        for dtype in kernels.DTYPES[kernel][:2]
        for function in functions
    }
    yield Part("compiled", 1, 110, compiled, _compiled, gpu=False)


PARTS = tuple(_parts())


def processors() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
