"""Tables as Markdown, CSV and LaTeX (booktabs).

A number is bold only where it is the best of its group and the paired 95 % interval of its
difference to the runner-up excludes zero.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from bench.base import Record
from bench.runs.row import in_words
from bench.runs.score import told_by_class

_MINUS = "\N{MINUS SIGN}"
_NOTHING = "\N{EM DASH}"

_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"''",
    _MINUS: "$-$",
    _NOTHING: "---",
    "±": r"$\pm$",
    "×": r"$\times$",
    "\N{EN DASH}": "--",
    "\N{HORIZONTAL ELLIPSIS}": r"\ldots{}",
    "\N{LEFT SINGLE QUOTATION MARK}": "`",
    "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "\N{LEFT DOUBLE QUOTATION MARK}": "``",
    "\N{RIGHT DOUBLE QUOTATION MARK}": "''",
    "τ": r"$\tau$",
    "ρ": r"$\rho$",
}
# Printable ASCII, and letters that LaTeX knows in its oldest font encoding without a package.
_LATEX_PLAIN = re.compile(r"[ -~À-ÏÑ-ÖØ-Ýß-ïñ-öø-ýÿ]")


@dataclass(frozen=True)
class Cell:
    """One entry of a table, as plain text."""

    text: str
    bold: bool = False


@dataclass(frozen=True)
class Table:
    """A table as it is shown; `columns` are headings, and `rows` hold as many cells each.

    `numeric` says from which column on entries are set to the right.
    """

    label: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    numeric: int


def csv_text(records: Sequence[Record]) -> str:
    """All fields of records as CSV, in the first record's order; None is left empty."""
    if not records:
        return ""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(records[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return buffer.getvalue()


def markdown_text(table: Table) -> str:
    """A table in GitHub's Markdown, its caption in a line above."""
    rule = ["---" if i < table.numeric else "--:" for i in range(len(table.columns))]
    lines = [f"{_markdown(table.caption)}\n", _markdown_row(map(_markdown, table.columns))]
    lines.append(_markdown_row(rule))
    for row in table.rows:
        cells = (f"**{_markdown(c.text)}**" if c.bold else _markdown(c.text) for c in row)
        lines.append(_markdown_row(cells))
    return "\n".join(lines) + "\n"


def _markdown_row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _markdown(text: str) -> str:
    """Escape what Markdown would read as a mark; an underscore inside a word is none."""
    text = re.sub(r"([\\`*|<>])", r"\\\1", " ".join(text.split()))
    return re.sub(r"(?<!\w)_|_(?!\w)", r"\\_", text)


def latex_text(table: Table) -> str:
    """A table for LaTeX with the package booktabs, as wide as the page in a two-column paper."""
    shape = "".join("l" if i < table.numeric else "r" for i in range(len(table.columns)))
    label = re.sub(r"[^A-Za-z0-9:/.-]", "-", table.label)
    lines = [r"\begin{table*}", r"\centering\footnotesize\setlength{\tabcolsep}{4pt}"]
    lines += [rf"\caption{{{latex_escape(table.caption)}}}", rf"\label{{tab:{label}}}"]
    lines += [rf"\begin{{tabular}}{{{shape}}}", r"\toprule"]
    lines += [_latex_row(map(latex_escape, table.columns)), r"\midrule"]
    for row in table.rows:
        cells = (latex_escape(c.text) for c in row)
        marked = (
            rf"\textbf{{{text}}}" if cell.bold else text
            for cell, text in zip(row, cells, strict=True)
        )
        lines.append(_latex_row(marked))
    lines += [r"\bottomrule", r"\end{tabular}", r"\end{table*}"]
    return "\n".join(lines) + "\n"


def _latex_row(cells: Iterable[str]) -> str:
    row = " & ".join(cells)
    # A row that opens with a bracket would be read as the option of the line break before it.
    return (f"{{}}{row}" if row.startswith("[") else row) + r" \\"


def latex_escape(text: str) -> str:
    r"""Text as LaTeX prints it without a package; of a character it lacks, the code point.

    >>> print(latex_escape("epe_nas & 5 % of λ"))
    epe\_nas \& 5 \% of [U+03BB]
    """
    return "".join(map(_latex_character, " ".join(text.split())))


def _latex_character(character: str) -> str:
    if character in _LATEX:
        return _LATEX[character]
    return character if _LATEX_PLAIN.match(character) else f"[U+{ord(character):04X}]"


def number(value: float | None, digits: int) -> str:
    """A number with a true minus sign; a dash for None.

    >>> number(-0.5, 3)
    '−0.500'
    """
    if value is None:
        return _NOTHING
    text = f"{value:.{digits}f}"
    if not text.strip("-0."):
        text = text.removeprefix("-")
    return text.replace("-", _MINUS)


def with_interval(record: Record, name: str, digits: int) -> str:
    """A value of a record and its interval: `0.632 [0.621, 0.643]`."""
    low, high = record.get(f"{name}_low"), record.get(f"{name}_high")
    if low is None or high is None:
        return number(record[name], digits)
    return f"{number(record[name], digits)} [{number(low, digits)}, {number(high, digits)}]"


def correlation_tables(records: Sequence[Record], leads: Sequence[Record]) -> list[Table]:
    """A table a task: τ and ρ with intervals, failures, and the best of the ten highest-scored.

    Args:
        records: As from `bench.reports.correlations.correlate`.
        leads: As from `bench.reports.correlations.lead`: who may be bold.
    """
    bold = {(r["task"], r["best"]) for r in leads if r["low"] is not None and r["low"] > 0}
    tables = []
    for task, group in groupby(records, key=lambda record: record["task"]):
        rows = []
        ranked = sorted(group, key=lambda r: -2.0 if r["kendall"] is None else r["kendall"])
        for r in reversed(ranked):
            best = Cell(with_interval(r, "kendall", 3), (task, r["proxy"]) in bold)
            rest = [with_interval(r, "spearman", 3), number(r["kendall_common"], 3)]
            rest += [number(r["best_of_10"], 2), f"{r['n_failed']:,}", f"{r['n']:,}"]
            rows.append((Cell(r["proxy"]), best, *map(Cell, rest)))
        caption = (
            f"Rank correlation of proxies with accuracy on {task}, failures last, with 95 % "
            "intervals; τ common is on the architectures that every proxy scored."
        )
        if any(r.get("undefined") and r["best_of_10"] is None for r in ranked):
            caption += (
                f" Best of 10 is {_NOTHING}: fewer than ten have a score, so failures would be "
                "among them."
            )
        by_class = max(r.get("by_class", 0) for r in ranked)
        if by_class:
            caption += f" {told_by_class(by_class, max(r['n'] for r in ranked))}."
        columns = ("proxy", "τ", "ρ", "τ common", "best of 10", "failed", "n")
        tables.append(Table(f"correlations-{task}", caption, columns, tuple(rows), 1))
    return tables


def search_tables(records: Sequence[Record]) -> list[Table]:
    """A table a task: final regret on test and validation by budget and searcher.

    Args:
        records: As from `bench.reports.searches.summarise`.
    """
    tables = []
    for task, group in groupby(records, key=lambda record: record["task"]):
        rows = []
        for r in group:
            cells = [Cell(r["budget"]), Cell(r["searcher"])]
            for name in ("test_regret", "regret"):
                cells.append(Cell(_mean_and_deviation(r, name), r[f"{name}_best"]))
                cells.append(Cell(_interval_only(r, name)))
            rows.append((*cells, Cell(f"{r['seeds']:,}")))
        columns = (
            *("budget", "searcher", "test regret", "95 % interval"),
            *("validation regret", "95 % interval", "seeds"),
        )
        caption = (
            f"Regret of the architecture picked on {task}: mean ± standard deviation over seeds, "
            "and the 95 % interval of the mean."
        )
        tables.append(Table(f"searches-{task}", caption, columns, tuple(rows), 2))
    return tables


def _mean_and_deviation(record: Record, name: str) -> str:
    mean, deviation = record[name], record[f"{name}_sd"]
    return number(mean, 2) + ("" if deviation is None else f" ± {number(deviation, 2)}")


def _interval_only(record: Record, name: str) -> str:
    low, high = record[f"{name}_low"], record[f"{name}_high"]
    return _NOTHING if low is None else f"[{number(low, 2)}, {number(high, 2)}]"


def failure_records(
    correlations: Sequence[Record],
    failed: Sequence[Record],
    reasons: Mapping[str, Mapping[str, Mapping[str, int]]],
) -> list[Record]:
    """What failed, counted: runs by what was run and why, then scores by task and proxy.

    Args:
        correlations: As from `bench.reports.correlations.correlate`.
        failed: The rows of runs that failed.
        reasons: By task and proxy, how many architectures failed for each reason, where known.
    """
    names = ("kind", "task", "searcher", "predictor", "budget", "error")
    runs = Counter(tuple(str(row.get(name) or "") for name in names) for row in failed)
    records: list[Record] = [
        {"kind": kind, "task": task, "what": f"{searcher}{predictor} {budget}".strip()}
        | {"failed": count, "of": None, "error": error}
        for (kind, task, searcher, predictor, budget, error), count in sorted(runs.items())
    ]
    for record in correlations:
        if record["n_failed"]:
            why = in_words(reasons.get(record["task"], {}).get(record["proxy"], {}))
            records.append(
                {"kind": "architecture", "task": record["task"], "what": record["proxy"]}
                | {"failed": record["n_failed"], "of": record["n"]}
                | {"error": why or "no finite score"}
            )
    return records


def failure_table(records: Sequence[Record]) -> Table:
    """The table of `failure_records`."""
    rows = tuple(
        (
            *(Cell(record[name] or _NOTHING) for name in ("kind", "task", "what", "error")),
            Cell(f"{record['failed']:,}"),
            Cell(_NOTHING if record["of"] is None else f"{record['of']:,}"),
        )
        for record in records
    )
    columns = ("kind", "task", "what", "error", "failed", "of")
    return Table("failures", "Runs and scores that failed.", columns, rows, 4)
