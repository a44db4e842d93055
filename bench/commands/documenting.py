"""The documentation's pages of proxies, each made from what the proxy says of itself.

`docs/conf.py` calls `write_pages` before every build; nothing here is written by hand, and a proxy
that does not say what it needs, which sign it has or where it comes from gets no page but an error.
Measured correlations are those of the task that comes with the package, of a baseline, and of
reports; each stands beside the command that made it.
"""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from bench.api import correlate as correlating
from bench.base import DataError, Proxy, Record
from bench.commands.demo import TASK, YARDSTICKS
from bench.proxies import PROXIES
from bench.proxies.computed import Computed, PopulationRanking
from bench.proxies.recorded import Recorded
from bench.reports import baseline as baselines
from bench.reports._written import replace_files
from bench.runs import members
from bench.runs.tasks import load_task

NEEDS: Mapping[str, str] = {
    "graph": "the architecture's graph",
    "weights": "initial weights",
    "data": "images",
    "labels": "their labels",
    "gradients": "gradients",
}
"""What `needs` may name, in the order in which pages tell it, in words."""

_LIVE = """\
ipl-bench score nasbench201 --sample 4 --name try --proxies {name} \\
    --dataset noise,size=16 --batch 8 --shape channels=4"""
_OF_GRAPHS = "ipl-bench correlate {task} --proxy {name}"
_COLUMNS = ("task", "n", "failed", "Kendall's τ", "Spearman's ρ", "made by")
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#$~])")
_ARXIV = re.compile(r"arXiv:(\d{4}\.\d{4,5}(?:v\d+)?)")


def write_pages(
    folder: Path, *, baseline: Path | None = None, reports: Path | None = None
) -> list[Path]:
    """Write a page for every built-in proxy, and an index of them.

    Args:
        folder: Where to write; pages of an earlier call that are no longer made are removed.
        baseline: A folder of `ipl-bench baseline`, whose correlations are shown too.
        reports: A folder of `ipl-bench report`, likewise.

    Returns:
        The files written.

    Raises:
        DataError: A proxy lacks a fact, or a file cannot be read or written.
    """
    measured = packaged()
    measured += [] if baseline is None else frozen(baseline)
    measured += [] if reports is None else reported(reports)
    texts = {"index.md": index(PROXIES)}
    for proxy in PROXIES:
        mine = [row for row in measured if row["proxy"] == proxy.name]
        texts[f"{proxy.name}.md"] = page(proxy, mine)
    return replace_files(folder, {name: text.encode() for name, text in texts.items()})


def packaged() -> list[Record]:
    """Correlations of the task that comes with the package; none where it does not."""
    if TASK not in members.names("tables"):
        return []
    task = load_task(TASK)
    proxies = [*task.table.scores, *(it for it in YARDSTICKS if it not in task.table.scores)]
    made = f"ipl-bench correlate {TASK} --proxy"
    rows = correlating.rows(task, proxies, None, 1000, 0)
    return [{**row, "made_by": f"`{made} {row['proxy']}`"} for row in rows]


def frozen(folder: Path) -> list[Record]:
    """The correlations that a baseline holds. Raises DataError where it is none."""
    found = baselines.read(folder)
    made = f"`ipl-bench baseline` at `{found.provenance.commit}`"
    rows: dict[tuple[str, str], Record] = {}
    for it in found.values:
        if it.kind != "correlation":
            continue
        row = rows.setdefault((it.task, it.of), {"task": it.task, "proxy": it.of, "made_by": made})
        # A word, such as `undefined`, is no number.
        row[it.measure] = it.value if isinstance(it.value, float) else None
        low, high = it.bootstrap or (None, None)
        row |= {f"{it.measure}_low": low, f"{it.measure}_high": high}
    return list(rows.values())


def reported(reports: Path) -> list[Record]:
    """The correlations that reports hold: `<study>/<commit>/correlations.csv`.

    Raises:
        DataError: A file is none that `ipl-bench report` wrote.
    """
    found: list[Record] = []
    for path in sorted(reports.glob("*/*/correlations.csv")):
        study = path.parent.parent.name
        try:
            with path.open(encoding="utf-8", newline="") as file:
                rows = [_measured(row) for row in csv.DictReader(file)]
        except (KeyError, ValueError) as error:
            raise DataError(
                f"expected correlations that ipl-bench report wrote, got {path}: {error!r}"
            ) from error
        made = f"`ipl-bench report` of {study} at `{path.parent.name}`"
        found += [{**row, "made_by": made} for row in rows]
    return found


def _measured(row: Mapping[str, str]) -> Record:
    """A row of a report's CSV with its numbers; None for what is undefined."""
    names = [f"{name}{end}" for name in ("kendall", "spearman") for end in ("", "_low", "_high")]
    record: Record = {name: float(row[name]) if row[name] else None for name in names}
    record |= {name: int(row[name]) for name in ("n", "n_failed")}
    return record | {"task": row["task"], "proxy": row["proxy"]}


def page(proxy: Proxy, measured: Sequence[Record]) -> str:
    """The page of one proxy, as Markdown. Raises DataError where it lacks a fact."""
    parts = [f"# {_plain(proxy.name)}\n", _about(proxy), f"> {_plain(_definition(proxy))}\n"]
    facts = {
        "Sign": _sign(proxy),
        "Needs": _needs(proxy),
        "Computed": _computed(proxy),
        "Paper": _linked(_stated(proxy, "paper")),
    }
    if follows := getattr(proxy, "follows", ""):
        facts["Code it follows"] = _plain(follows)
    parts.append(_table(("", ""), [(f"**{name}**", text) for name, text in facts.items()]))
    if deviations := getattr(proxy, "deviations", ()):
        parts.append("## How it differs from that code\n")
        parts += [f"{number}. {_plain(text)}" for number, text in enumerate(deviations, start=1)]
        parts.append("")
    if measured:
        parts += [_MEASURED, _table(_COLUMNS, [_cells(row) for row in measured])]
    if command := _command(proxy):
        parts.append(f"## Try it\n\n```console\n{command}\n```\n")
    return "\n".join(part for part in parts if part is not None)


_MEASURED = """\
## Measured

How well its ranking agrees with accuracy, with 95 % intervals; [](../metrics.md) says how to read
them.
"""


def index(proxies: Iterable[Proxy]) -> str:
    """The page that lists all proxies, as Markdown. Raises DataError where one lacks a fact."""
    proxies = list(proxies)
    rows = [
        (f"[{_plain(it.name)}]({it.name}.md)", _needs(it), _plain(_definition(it)))
        for it in proxies
    ]
    names = "\n".join(proxy.name for proxy in proxies)
    return (
        "# Proxies\n\n"
        "Every built-in proxy, from what it says of itself; `ipl-bench list proxies --json` tells "
        "the same of yours.\n\n"
        f"{_table(('proxy', 'needs', 'definition'), rows)}\n"
        f"```{{toctree}}\n:hidden:\n\n{names}\n```\n"
    )


def _about(proxy: Proxy) -> str | None:
    """What the head of the proxy's file says, without its name; None where it has no file."""
    module = sys.modules.get(f"bench.proxies.{proxy.name}")
    if module is None and not isinstance(proxy, Recorded):
        module = sys.modules[getattr(proxy, "function", type(proxy)).__module__]
    if module is None:
        return None
    text = (module.__doc__ or "").strip().partition(": ")[2]
    return f"{_prose(text[:1].upper() + text[1:])}\n"


def _definition(proxy: Proxy) -> str:
    return _stated(proxy, "definition")


def _stated(proxy: Proxy, fact: str) -> str:
    """A fact that has to be there, as text."""
    text = str(getattr(proxy, fact, "")).strip()
    if not text:
        raise DataError(f"expected the proxy {proxy.name} to state its {fact}, got none")
    return text


def _needs(proxy: Proxy) -> str:
    """What it needs, in words."""
    unknown = proxy.needs - NEEDS.keys()
    if unknown or not proxy.needs:
        raise DataError(
            f"expected the proxy {proxy.name} to need any of {', '.join(NEEDS)}, got "
            f"{', '.join(sorted(unknown)) or 'nothing'}"
        )
    return ", ".join(words for name, words in NEEDS.items() if name in proxy.needs)


def _sign(proxy: Proxy) -> str:
    if proxy.higher_is_better:
        return "larger is better"
    return "smaller is better; scores are turned round before anything is measured"


def _computed(proxy: Proxy) -> str:
    """How its value comes about."""
    if isinstance(proxy, Computed):
        shared = ", ".join(f"`{name}`" for name in proxy.passes)
        own = "; its constants are the space's own" if proxy.of_space else ""
        return f"live, of any network, from the passes {shared}{own}"
    if isinstance(proxy, PopulationRanking):
        ranked = ", ".join(f"[{_plain(name)}]({name}.md)" for name in proxy.components)
        return f"by ranking networks among each other, by {ranked}"
    if isinstance(proxy, Recorded):
        return "not here: it is read from tables that record it"
    return "from the graph alone, in every space"


def _command(proxy: Proxy) -> str | None:
    """A command that shows it, where one line can."""
    if isinstance(proxy, Computed):
        return _LIVE.format(name=proxy.name)
    if isinstance(proxy, PopulationRanking | Recorded):
        return None
    return _OF_GRAPHS.format(task=TASK, name=proxy.name)


def _cells(row: Record) -> tuple[str, ...]:
    return (
        f"`{row['task']}`",
        f"{row['n']:,.0f}",
        f"{row['n_failed']:,.0f}",
        _with_interval(row, "kendall"),
        _with_interval(row, "spearman"),
        row["made_by"],
    )


def _with_interval(row: Record, name: str) -> str:
    value, low, high = (row[f"{name}{end}"] for end in ("", "_low", "_high"))
    if value is None:
        return "undefined"
    return f"{value:.3f}" if low is None else f"{value:.3f} ({low:.3f} to {high:.3f})"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _plain(text: str) -> str:
    """Text as it stands: nothing in it is markup."""
    return _SPECIAL.sub(r"\\\1", text)


def _prose(text: str) -> str:
    """A docstring's text, in which backticks alone are markup."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else _linked(part) for part in parts)


def _linked(text: str) -> str:
    """Plain text, in which what arXiv holds leads there."""
    parts = _ARXIV.split(text)
    return "".join(
        f"[arXiv:{part}](https://arxiv.org/abs/{part})" if number % 2 else _plain(part)
        for number, part in enumerate(parts)
    )
