"""A report's page: README.md, which shows every table and figure and says what made them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.reports.load import Study
from bench.reports.numbers import Numbers
from bench.reports.predictions import FACTS
from bench.reports.race import Race
from bench.reports.seeds import seed_table
from bench.reports.tables import Table, markdown_text, number, with_interval

_TITLES = {
    "correlations": "Correlations",
    "targets": "Hardware and robustness",
    "sampling": "Sampling error",
    "own-noise": "Seed noise",
    "searches": "Searches",
    "race": "Race",
    "predictions": "Predictions",
    "gpu": "GPU",
    "profiles": "Profile",
    "failures": "Failures",
}


@dataclass(frozen=True)
class Picture:
    """A figure's file name without ending, the section it belongs to, and what it shows."""

    name: str
    section: str
    caption: str

    @property
    def png(self) -> str:
        """Where the image lies, relative to the page."""
        return f"figures/{self.name}.png"

    @property
    def pdf(self) -> str:
        """Where the version for print lies, relative to the page."""
        return f"figures/{self.name}.pdf"


def page(
    study: Study,
    numbers: Numbers,
    race: Race | None,
    shown: Mapping[str, Sequence[Table]],
    pictures: Sequence[Picture],
    command: str,
) -> str:
    """The page of one study as Markdown, with paths relative to its own folder."""
    parts = [_head(study, command)]
    for section, title in _TITLES.items():
        here = [picture for picture in pictures if picture.section == section]
        if not shown[section] and not here:
            continue
        links = [f"[{ending}]({section}.{ending})" for ending in ("csv", "md", "tex")]
        parts.append(f"## {title}\n")
        if shown[section]:
            parts.append(f"These tables as {', '.join(links)}.\n")
        if section == "race" and race is not None:
            parts += _race(race)
        parts += [_picture(picture) for picture in here]
        parts += [markdown_text(table) for table in shown[section]]
        if section == "correlations":
            parts += _comparisons(numbers)
        parts += _more(section, numbers)
        if any(table.label.startswith(FACTS) for table in shown[section]):
            parts.append(f"What predictors tell of themselves: [{FACTS}.csv]({FACTS}.csv).\n")
    return "\n".join(parts)


def index(studies: Sequence[Study], command: str) -> str:
    """The page of a study's folder: what was reported at which commit, and where that lies."""
    parts = [f"# {studies[0].name}\n", f"Made by `{command}`; do not edit. One report a commit:\n"]
    for study in studies:
        where = f"[`{study.commit}`]({study.commit}/README.md)"
        parts.append(f"- {where}: {counts(study)}.")
    return "\n".join(parts) + "\n"


def counts(study: Study) -> str:
    """How much the study holds, in words."""
    numbers = {
        ("task with scores", "tasks with scores"): len(study.score_sets),
        ("search", "searches"): len(study.searches),
        ("prediction", "predictions"): sum(len(group.rows) for group in study.predictions),
        ("figure of a GPU", "figures of a GPU"): len(study.checks),
        ("profile", "profiles"): len({row["run"] for row in study.profiles}),
        ("table of trainings", "tables of trainings"): len(study.made),
        ("failed run", "failed runs"): len(study.failed),
    }
    return ", ".join(
        f"{number:,} {one if number == 1 else several}"
        for (one, several), number in numbers.items()
        if number or one == "failed run"
    )


def _head(study: Study, command: str) -> str:
    lines = [f"# {study.name}\n"]
    lines.append(
        f"Made by `{command}` from the results of commit `{study.commit}`; do not edit. "
        "Delete this folder, and the command brings it back byte for byte.\n"
    )
    for folder, facts in study.provenance.items():
        versions = {name: it for name, it in facts.get("versions", {}).items() if it is not None}
        told = [f"{name} {it}" for name, it in versions.items()]
        told += [f"{len(facts['data_sha256'])} data files"] if facts.get("data_sha256") else []
        told += [f"left out: {', '.join(facts['left_out'])}"] if facts.get("left_out") else []
        lines.append(f"- {'; '.join([f'`{folder}`', *told])} (all in its `provenance.json`)")
        if "run" in facts:
            lines.append(f"- {_protocol(facts['run'])}")
    lines.append(f"\n{counts(study)}. To sort, filter and see cells: [index.html](index.html).\n")
    lines.append(
        "Which rows a number comes from: its task, and searcher or predictor with budget, name "
        "their runs in [sources.csv](sources.csv), with seeds, files and their SHA-256.\n"
    )
    return "\n".join(lines)


def _protocol(run: Mapping[str, Any]) -> str:
    """How networks were scored live or, where the run has a recipe's hash, trained."""
    told = [f"{run['archs']:,} architectures of {run['space']}"]
    told[0] += ", one of each isomorphism class" if run["distinct"] else ""
    if "recipe_hash" in run:
        return "; ".join([f"trained: {told[0]}", *_training(run)])
    shape = ", ".join(f"{name} {value}" for name, value in run.get("shape", ()))
    told = [
        f"scored live: {told[0]}",
        f"{run['dataset']}, minibatches of {run['batch']}",
        f"networks of {shape or 'the usual size'}",
        _seeds_of(run["seeds"]),
    ]
    if len(run["seeds"]) > 1:
        told.append("tables and figures show the first seed, but where they say otherwise")
    return "; ".join(told)


def _training(run: Mapping[str, Any]) -> Iterator[str]:
    """By which recipe and seeds a table's networks were trained."""
    yield f"recipe {run['recipe']} ({run['recipe_hash']})"
    yield _seeds_of(run["seeds"])
    if run["repeated"]:
        more = len(run["seeds"]) + len(run["more_seeds"])
        yield f"the first {run['repeated']:,} by {more} seeds"


def _seeds_of(seeds: Sequence[int]) -> str:
    return f"seeds {', '.join(map(str, seeds))}"


def _picture(picture: Picture) -> str:
    return f"![{picture.name}]({picture.png})\n\n{picture.caption} ([pdf]({picture.pdf}))\n"


def _comparisons(numbers: Numbers) -> list[str]:
    parts = []
    if numbers.comparisons:
        clear = sum(r["p_holm"] is not None and r["p_holm"] < 0.05 for r in numbers.comparisons)
        parts.append(
            f"Against the reference proxy, {clear} of {len(numbers.comparisons)} paired "
            "differences of τ are significant at 5 % after Holm's correction within their task: "
            "[comparisons.csv](comparisons.csv).\n"
        )
    if numbers.noise:
        parts.append("One training run against the mean over seeds: [noise.csv](noise.csv).\n")
    parts += _beyond_parameters(numbers)
    parts += _seeds(numbers)
    if numbers.ceilings:
        parts.append(
            "The noise ceiling, τ between validation and test accuracy "
            "([ceilings.csv](ceilings.csv)):\n"
        )
        parts += [
            f"- {record['task']}: {with_interval(record, 'kendall', 3)}, n = "
            f"{number(record['n'], 0)}"
            for record in numbers.ceilings
        ]
        parts.append("")
    return parts


def _more(section: str, numbers: Numbers) -> list[str]:
    """Links to records that no table shows whole."""
    told = {
        "correlations": (
            ("How alike two proxies rank", "proxy-pairs", numbers.proxy_pairs),
            ("How alike two tasks rank proxies", "agreements", numbers.agreements),
        ),
        "targets": (
            (
                "Architectures that no other beats at a target and accuracy",
                "fronts",
                numbers.fronts,
            ),
        ),
        "own-noise": (
            (
                "Proxies beside the ceiling",
                "own-noise-proxies",
                [record for each in numbers.own_tables for record in each.proxies],
            ),
        ),
    }
    return [
        f"{words}: [{name}.csv]({name}.csv).\n"
        for words, name, records in told.get(section, ())
        if records
    ]


def _race(race: Race) -> list[str]:
    """Where the race's records lie, and what was done with incomplete results."""
    last = {(r["task"], r["searcher"]): r for r in race.regrets}
    counted = {
        name: sum(record[name] for record in last.values())
        for name in ("seeds", "failed", "missing", "stopped")
    }
    named = ", ".join(f"[{name}]({name}.csv)" for name, rows in race.records().items() if rows)
    belong = sum(counted[name] for name in ("seeds", "failed", "missing"))
    where = (
        f"Searchers are compared with `{race.reference}` and others of its family. What every "
        "searcher reached on every task: race-tasks as [md](race-tasks.md) and "
        f"[tex](race-tasks.tex). All records: {named}.\n"
    )
    incomplete = (
        f"Of {belong:,} searches that belong to it, {counted['failed']:,} failed (they rank last, "
        f"and are no part of means) and {counted['missing']:,} were not run (their seed is left "
        f"out of ranks). {counted['stopped']:,} gave back a part of their budget, and keep their "
        "last regret.\n"
    )
    return [where, incomplete]


def _beyond_parameters(numbers: Numbers) -> list[str]:
    """Which proxies say more than a parameter count, task by task."""
    tasks = list(dict.fromkeys(record["task"] for record in numbers.comparisons))
    if not tasks:
        return []
    text = (
        "Proxies whose τ is above that of the parameter count, by the paired interval and after "
        "Holm's correction; and those whose partial ρ given the parameter count is above 0 by its "
        "own 95 % interval, not corrected for how many proxies were looked at:\n"
    )
    parts = [text]
    for task in tasks:
        above = [
            record["proxy"]
            for record in numbers.comparisons
            if record["task"] == task
            and (record["low"] or 0) > 0
            and (1.0 if record["p_holm"] is None else record["p_holm"]) < 0.05
        ]
        given = [
            record["proxy"]
            for record in numbers.correlations
            if record["task"] == task and (record["partial_spearman_low"] or 0) > 0
        ]
        parts.append(f"- {task}: {_listed(above)}; given it: {_listed(given)}")
    return [*parts, ""]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def _seeds(numbers: Numbers) -> list[str]:
    """How much of each correlation is the seed's."""
    if not numbers.seeds:
        return []
    text = (
        "How much of a correlation is the seed's ([seeds.csv](seeds.csv)): initial weights and "
        "minibatch drawn anew, on the same architectures. The seed's share is its part of the "
        "variance of τ, the rest is that of the sample of architectures.\n"
    )
    return [text, markdown_text(seed_table(numbers.seeds))]
