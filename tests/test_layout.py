"""The import rules between rooms, kept by a test, and what an import may cost."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

MAY_IMPORT = {
    "base": set(),
    "draws": set(),
    "kernels": set(),
    "metrics": set(),
    "spaces": {"base"},
    "tables": {"base"},
    "searchers": {"base"},
    "predictors": {"base"},
    "ipl": {"base"},
    "networks": {"base", "draws", "spaces"},
    "proxies": {"base", "draws", "kernels"},
    "training": {"base", "draws"},
    "runs": {
        *("base", "draws", "spaces", "networks", "tables", "proxies", "training", "searchers"),
        "predictors",
    },
    "gpu": {"base", "draws", "kernels", "spaces", "networks", "proxies", "training", "runs"},
    "studies": {"base", "runs"},
    "reports": {"base", "metrics", "runs"},
    "api": {
        *("base", "draws", "spaces", "tables", "proxies", "metrics", "training", "runs"),
        *("studies", "reports"),
    },
    "__init__": {"api", "base"},
}
"""Room by room; a room may always import itself. `cli` and `commands` may import everything."""

EVERYTHING = {"cli", "commands", "pytest_plugin", "__main__"}


def rooms() -> Iterator[tuple[str, Path]]:
    for path in sorted((ROOT / "bench").rglob("*.py")):
        parts = path.relative_to(ROOT / "bench").parts
        yield (Path(parts[0]).stem if len(parts) == 1 else parts[0]), path
    for path in sorted((ROOT / "ipl").rglob("*.py")):
        yield "ipl", path


def imported(path: Path) -> Iterator[tuple[str, int]]:
    """The modules a file imports, as `bench.room.module`, with the level of relative imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, 0) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.module == "bench":
                yield from ((f"bench.{alias.name}", node.level) for alias in node.names)
            else:
                yield node.module or "", node.level


@pytest.mark.parametrize(
    ("room", "path"), list(rooms()), ids=lambda it: it.name if isinstance(it, Path) else it
)
def test_imports_keep_to_the_rules(room: str, path: Path) -> None:
    for module, level in imported(path):
        assert level == 0, f"{path} imports relatively"
        head, _, rest = module.partition(".")
        if head == "ipl":
            assert room == "ipl", f"{path} imports ipl"
        if head != "bench" or room in EVERYTHING:
            continue
        target = rest.partition(".")[0]
        if target in {"", "__version__"}:
            continue
        assert target in MAY_IMPORT[room] | {room}, f"{path} imports bench.{target}"


def test_every_room_has_a_rule() -> None:
    assert {room for room, _ in rooms()} - EVERYTHING <= set(MAY_IMPORT)


def test_the_test_catches_a_breach(tmp_path: Path) -> None:
    path = tmp_path / "cheat.py"
    path.write_text("from bench.tables import files\nfrom bench import runs\nfrom . import x\n")
    assert list(imported(path)) == [("bench.tables", 0), ("bench.runs", 0), ("", 1)]


def modules_after(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split()) | set(done.stderr.split())


def test_importing_bench_imports_nothing_heavy() -> None:
    loaded = modules_after("import bench, bench.base, bench.cli")
    heavy = {"torch", "pandas", "pyarrow", "matplotlib", "scipy", "sklearn", "optuna", "rich.table"}
    assert not loaded & heavy


@pytest.mark.parametrize(
    "kind", ["spaces", "tables", "tasks", "proxies", "searchers", "predictors", "studies"]
)
def test_list_imports_nothing_heavy(kind: str) -> None:
    code = f"""
import sys
sys.argv = ["ipl-bench", "list", {kind!r}, "--json"]
from bench.cli import main
try:
    main()
except SystemExit as end:
    assert end.code == 0, end.code
"""
    heavy = {"torch", "pandas", "pyarrow", "matplotlib", "scipy", "sklearn", "optuna"}
    assert not modules_after(code) & heavy


def test_files_stay_readable() -> None:
    """A file is a subject; past about 800 lines it is two."""
    long = {
        str(path.relative_to(ROOT)): count
        for _, path in rooms()
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > 800
    }
    assert long == {}
