"""What `tools/gpu.sh` checked and measured on a GPU, as tables; what was not measured says why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.base import Record
from bench.reports.tables import Cell, Table, number

_CAPTIONS = {
    "probe": "Seconds until Triton's first kernel had run, compiling it, and until the next had",
    "kernels": "The largest difference of each kernel from its reference in float64 on the CPU",
    "throughput": "Networks a second by the 13 classic proxies, by networks of a stack",
    "sweep": "All 15,625 cells of NAS-Bench-201 by the 13 classic proxies",
    "profile": "Measured ceilings, seconds a network of each pass over a stack, and how many "
    "times as fast each Triton kernel is as plain torch",
    "training": "Training by the recipe of make-table digits, by networks of a stack",
    "dear": "Seconds a network of each proxy that is not of the classic 13, one by one",
    "ncu": "How much each Triton function has of the chip's peak, compute or memory, as ncu counts",
    "compiled": "What each Triton function needs for capability 9.0, compiled without a GPU: "
    "registers a thread, bytes spilled, bytes of shared memory",
}
"""By the first part of a figure's name."""
_AGREEMENT = (
    "The largest relative difference of a proxy's score from a CPU's in float64, over the cells "
    "that were compared"
)
_FURTHER = (
    *("tolerance", "target", "flops_per_second", "bytes_per_second", "of_roof"),
    *("spilled_bytes", "shared_bytes", "host", "peak_bytes", "workers", "stack"),
)


def gpu_tables(rows: Sequence[Record]) -> list[Table]:
    """A table a part of the check, and one of how far scores agree.

    Args:
        rows: Rows of kind `gpu`, one a figure.
    """
    tables = []
    for group, caption in _CAPTIONS.items():
        of = [row for row in rows if _group(row) == group]
        if of:
            tables.append(_figures(group, f"{caption}{_where(of)}.", of))
        if group == "kernels":
            tables += _agreements([row for row in rows if _group(row) == "agreement"])
    return tables


def _group(row: Record) -> str:
    return str(row["figure"]).partition("/")[0]


def _where(rows: Sequence[Record]) -> str:
    """On what it was measured, if it was."""
    devices = sorted({str(row["device"]) for row in rows if row.get("device")})
    return f", on {', '.join(devices)}" if devices else ""


def _figures(group: str, caption: str, rows: Sequence[Record]) -> Table:
    """A row a figure, with what further it says."""
    further = [name for name in _FURTHER if any(row.get(name) is not None for row in rows)]
    remarks = any(_remark(row) for row in rows)
    columns = ("figure", *(["remark"] if remarks else []), "value", "unit")
    columns += tuple(name.replace("_", " ") for name in further)
    shown = tuple(
        (
            Cell(str(row["figure"]).partition("/")[2]),
            *([Cell(_remark(row))] if remarks else []),
            Cell(_said(row["value"])),
            Cell(str(row["unit"])),
            *(Cell(_said(row.get(name))) for name in further),
        )
        for row in sorted(rows, key=_order)
    )
    return Table(f"gpu-{group}", caption, columns, shown, 2 if remarks else 1)


def _agreements(rows: Sequence[Record]) -> Iterator[Table]:
    """A row a proxy: stacks and single networks, in two precisions."""
    if not rows:
        return
    ways = ("stack-float64", "alone-float64", "stack-float32", "alone-float32")
    told = {str(row["figure"]): row for row in rows}
    proxies = sorted({name.split("/")[2] for name in told if name.count("/") == 2})
    shown = []
    for proxy in proxies:
        of = [told.get(f"agreement/{way}/{proxy}", {"value": None}) for way in ways]
        remarks = dict.fromkeys(filter(None, map(_remark, of)))
        cells = (Cell(_said(row["value"])) for row in of)
        shown.append((Cell(proxy), Cell("; ".join(remarks)), *cells))
    columns = ("proxy", "remark", *(way.replace("-", ", ") for way in ways))
    yield Table("gpu-agreement", f"{_AGREEMENT}{_where(rows)}.", columns, tuple(shown), 2)


def _remark(row: Record) -> str:
    return str(row.get("error") or row.get("note") or "")


def _said(value: object) -> str:
    """A number of four digits; a dash where there is none."""
    if not isinstance(value, int | float):
        return number(None, 0)
    if abs(value) < 1e4 or abs(value) >= 1e9:
        return f"{value:.4g}"
    return f"{value:,.0f}"


def _order(row: Record) -> tuple[str, ...]:
    """By name, numbers in it by size."""
    parts = str(row["figure"]).split("/")
    return tuple(f"{int(part):09d}" if part.isdigit() else part for part in parts)
