"""Where the numbers come from: commit, machine, versions, data, seeds, and commands."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bench.base import Record
from bench.reports.load import Study


@dataclass(frozen=True)
class Origin:
    """One results folder: what ran there, on what, and from which files."""

    folder: str
    machine: str
    command: str
    versions: tuple[tuple[str, str], ...]
    hashes: tuple[tuple[str, str], ...]
    """Names of data files, and their SHA-256."""
    left_out: tuple[tuple[str, str], ...]
    """Tasks that were not run, and why."""


def origins(study: Study) -> list[Origin]:
    """What every results folder of the study says of itself."""
    return [_origin(study, folder, facts) for folder, facts in study.provenance.items()]


def _origin(study: Study, folder: str, facts: Record) -> Origin:
    versions = {name: it for name, it in facts.get("versions", {}).items() if it is not None}
    return Origin(
        folder=folder,
        machine=str(facts.get("machine") or folder.removeprefix(f"{study.commit}-")),
        command=command_of(study, facts),
        versions=_pairs(versions),
        hashes=_pairs(facts.get("data_sha256") or {}),
        left_out=_pairs(facts.get("left_out") or {}),
    )


def _pairs(values: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((str(name), str(value)) for name, value in values.items())


def command_of(study: Study, facts: Record | None = None) -> str:
    """A command that makes the results anew.

    Args:
        study: The study.
        facts: What the folder's provenance says; that of the study's first folder if None.
    """
    facts = next(iter(study.provenance.values()), {}) if facts is None else facts
    if isinstance(facts.get("command"), str):
        return str(facts["command"])
    if "recipe_hash" in facts.get("run", {}):
        return shlex.join(["ipl-bench", *map(str, facts["command"])])
    if "run" in facts:
        return _scoring(study.name, facts)
    if study.profiles and not (study.score_sets or study.searches or study.predictions):
        spaces = sorted({str(row.get("space", "SPACE")) for row in study.profiles})
        return f"ipl-bench profile {' '.join(spaces)}"
    return f"ipl-bench run {shlex.quote(study.name)} --resume"


def _scoring(name: str, facts: Record) -> str:
    """The `ipl-bench score` that a live run stands for."""
    run = facts["run"]
    # Of a task, its name comes after what was chosen.
    chosen, _, task = str(facts.get("architectures", "")).partition(" of ")
    words = ["ipl-bench", "score", task or str(run["space"])]
    if chosen.startswith("sample="):
        words += ["--sample", chosen.removeprefix("sample=").partition(",")[0]]
    else:
        words += ["--all"] if chosen in ("all", "") else ["--archs", chosen]
    words += ["--distinct"] if run.get("distinct") else []
    words += ["--proxies", ",".join(map(str, run["proxies"]))]
    words += ["--recipe", str(run["recipe"])] if run.get("recipe") else _images(run)
    words += ["--batch", str(run["batch"])]
    # The first one draws samples, too.
    words += ["--seed", str(run["seeds"][0])] if run["seeds"][0] else []
    words += ["--seeds", str(len(run["seeds"]))] if len(run["seeds"]) > 1 else []
    words += ["--stack", str(run["stack"])] if run.get("stack", 1) > 1 else []
    return shlex.join([*words, "--name", name])


def _images(run: Record) -> list[str]:
    """The images and the networks' size, where no recipe has decided them."""
    words = ["--dataset", str(run["dataset"])]
    for size in run.get("shape", ()):
        words += ["--shape", "=".join(map(str, size))]
    return words


def seeds(study: Study, report_seed: int, resamples: int) -> Iterator[tuple[str, str]]:
    """What was drawn with which seeds: searches, predictions, live scores, and intervals."""
    searched = {each.seed for each in study.searches}
    predicted = {int(row["seed"]) for group in study.predictions for _, row in group.rows}
    scored = {each.seed for each in (*study.score_sets, *study.repeats)}
    for what, found in (("scores", scored), ("searches", searched), ("predictions", predicted)):
        if found:
            yield what, ranges(found)
    yield "intervals", f"{report_seed}; {resamples:,} resamples"


def ranges(numbers: set[int]) -> str:
    """Numbers as text, runs of them shortened: `0–9, 12`."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(f"{a}–{b}" if b > a else str(a) for a, b in runs)
