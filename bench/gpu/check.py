"""Run the parts of the check, each in a process and a time of its own, and keep what they give.

Every figure has a row: with its value; or empty with a note, where there is no GPU; or failed, with
the reason. Rows are written as they come, so a check that is cut off leaves what it had. Where
there is no GPU, parts are rehearsed: tiny, on the CPU, kernels by Triton's interpreter.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from threading import Lock, Timer, current_thread, main_thread
from time import monotonic
from typing import Any

from bench.base import DataError, OptionError, Record
from bench.gpu.parts import PARTS, Part, processors
from bench.runs.provenance import shared, versions

STUDY = "gpu"
ROWS = "rows.jsonl"
PROVENANCE = "provenance.json"
NO_DEVICE = "no CUDA device on this machine"
_TOLD = ("throughput/", "sweep/", "profile/", "training/", "ncu/")
_GRACE = 5.0
"""Seconds between a part's own end and the one it is held to."""


@dataclass
class Check:
    """One run of the check."""

    folder: Path
    """The folder that rows are written to."""
    seconds: float
    """For all of it."""
    parts: Sequence[Part] = PARTS
    source: str = "bench.gpu.parts"
    """The module whose `PARTS` a part's process finds it in."""

    def run(self) -> int:
        """Do all parts; returns how many rows failed.

        Raises:
            OptionError: The folder holds values that a GPU gave.
            DataError: It cannot be written to.
        """
        _check_folder(self.folder)
        self._end = monotonic() + self.seconds
        self._running: set[subprocess.Popen[str]] = set()
        self._stopped: str | None = None
        scratch = Path(tempfile.mkdtemp(prefix="ipl-bench-gpu-", dir=_temporary(self.folder)))
        try:
            with self._heeding():
                return self._run(scratch)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    @contextmanager
    def _heeding(self) -> Iterator[None]:
        """Told to end, end the parts that run, and write why all other figures are missing."""

        def stop(number: int, _: object) -> None:
            self._stopped = f"stopped by {signal.Signals(number).name}"
            for process in tuple(self._running):
                _kill(process)

        if current_thread() is not main_thread():
            yield
            return
        before = {each: signal.signal(each, stop) for each in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for each, was in before.items():
                signal.signal(each, was)

    def _run(self, scratch: Path) -> int:
        facts = _facts(self._environment(scratch))
        self._triton = True
        said = {**versions(), **{name: facts[name] for name in ("triton", "cuda", "driver")}}
        about = {**shared(STUDY), "versions": said, "command": "bash tools/gpu.sh FOLDER"}
        about |= {"device": facts["device"], "errors": facts["errors"]}
        (self.folder / PROVENANCE).write_text(json.dumps(about, indent=2) + "\n", "utf-8")
        with (self.folder / ROWS).open("w", encoding="utf-8") as stream:
            book = Book(stream, scratch, facts, facts["device"] is not None)
            say(f"device: {facts['device'] or NO_DEVICE}; rows: {self.folder / ROWS}")
            for _, stage in groupby(sorted(self.parts, key=book.stage), key=book.stage):
                together = list(stage)
                with ThreadPoolExecutor(max(1, min(len(together), processors()))) as pool:
                    for _ in pool.map(lambda part: self._part(part, book, scratch), together):
                        pass
                self._triton &= not (together[0].name == "probe" and book.failed)
        for line in book.lines:
            say(line)
        say(f"{book.written} rows, {book.failed} failed")
        return book.failed

    def _part(self, part: Part, book: Book, scratch: Path) -> None:
        """Run one part, unless there is no time or nothing to try it on."""
        left = self._end - monotonic()
        if self._stopped:
            book.close(part, self._stopped)
        elif not (book.has_device or part.rehearsed or not part.gpu):
            book.close(part, None)
        elif left < 2 * _GRACE:
            book.close(part, f"the time for all, {self.seconds:g} s, was over before this part")
        else:
            started = monotonic()
            limit = min(part.seconds, left)
            error = self._process(part, book, scratch, limit)
            spent = monotonic() - started
            told = "the part ended without it"
            if spent >= limit - _GRACE:
                told = f"the part's time, {limit:.0f} s, was over before it"
            book.close(part, error, told)
            say(f"{part.name}: {spent:.1f} s{f'; {error}' if error else ''}")

    def _process(self, part: Part, book: Book, scratch: Path, limit: float) -> str | None:
        """Run a part in a process; returns why it did not end well."""
        device = "cuda" if book.has_device else "cpu"
        setting: Record = {"device": device, "scratch": str(scratch), "triton": self._triton}
        setting["end"] = monotonic() + limit - _GRACE
        environment = self._environment(scratch)
        if not book.has_device and part.name != "compiled":
            environment["TRITON_INTERPRET"] = "1"
        command = [sys.executable, "-m", "bench.gpu", "--part", f"{self.source}:{part.name}"]
        told = scratch / f"{part.name}.err"
        stopped: list[bool] = []
        with (
            told.open("wb") as errors,
            subprocess.Popen(
                [*command, json.dumps(setting)],
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment,
                text=True,
                process_group=0,
            ) as process,
        ):

            def stop() -> None:
                stopped.append(True)
                _kill(process)

            timer = Timer(limit, stop)
            timer.start()
            self._running.add(process)
            assert process.stdout is not None
            for line in process.stdout:
                book.take(part, line)
            code = process.wait()
            self._running.remove(process)
            timer.cancel()
        if self._stopped:
            return self._stopped
        if stopped:
            return f"stopped at its limit of {limit:.0f} s"
        if code < 0:
            return f"killed by {signal.Signals(-code).name}"
        return _last_line(told) if code else None

    def _environment(self, scratch: Path) -> dict[str, str]:
        root = str(Path(__file__).resolve().parents[2])
        paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
        own = {
            "PYTHONPATH": os.pathsep.join(paths),
            "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_NUM_THREADS": "1",
            "TMPDIR": str(scratch),
            "TRITON_CACHE_DIR": str(scratch / "triton"),
            "CUDA_CACHE_PATH": str(scratch / "cuda"),
            "TRITON_DEFAULT_FP_FUSION": "1",
        }
        kept = {name: it for name, it in os.environ.items() if name != "TRITON_INTERPRET"}
        return {**kept, **own}


class Book:
    """Takes rows from parts, and writes them."""

    def __init__(self, stream: Any, scratch: Path, facts: Record, has_device: bool) -> None:
        self.has_device = has_device
        self.written = 0
        self.failed = 0
        self._stream, self._scratch = stream, scratch
        named = ("device", "torch", "triton", "driver")
        self._common = {**shared(STUDY), "seed": 0, "task": "nasbench201"}
        self._facts = {name: facts[name] for name in named}
        self._lock = Lock()
        self.lines: list[str] = []
        """What is told at the end: what failed, and the figures that matter most."""
        self._given: set[str] = set()
        self._parts: dict[str, int] = {}
        self._errors: dict[str, str] = {}

    def stage(self, part: Part) -> int:
        """When a part runs: of a rehearsal, whose times say nothing, most at once."""
        return part.stage if self.has_device else min(part.stage, 2)

    def take(self, part: Part, line: str) -> None:
        """Take what a part says of a figure; of a rehearsal, its errors alone."""
        row: Record = {name: _finite(it) for name, it in json.loads(line).items()}
        figure = row.pop("figure", None)
        with self._lock:
            if figure is None:
                if self.has_device:
                    self._write(self._profile(row))
            elif figure in part.units:
                if not self.has_device and part.gpu:
                    if row.get("error"):
                        self._errors[figure] = f"in a rehearsal: {row['error']}"
                    return
                error = row.pop("error", None)
                self._figure(part, figure, {**row, "status": "failed" if error else "ok"}, error)

    def close(self, part: Part, error: str | None, ended: str = "") -> None:
        """Write the rows of figures that a part has not given, and why.

        Args:
            part: It has ended.
            error: Why it did not end well, if so.
            ended: What is said of a part that did.
        """
        with self._lock:
            for figure in part.units:
                if figure not in self._given:
                    self._missing(part, figure, error, ended)

    def _missing(self, part: Part, figure: str, error: str | None, ended: str) -> None:
        row: Record = {"value": None}
        if self.has_device or not part.gpu:
            self._figure(part, figure, row, error or ended)
        else:
            said = self._errors.get(figure) or error
            row["note"] = NO_DEVICE
            self._figure(part, figure, row, said)

    def _figure(self, part: Part, figure: str, row: Record, error: str | None) -> None:
        self._given.add(figure)
        status = "failed" if error else "ok"
        about: Record = {"kind": STUDY, "run": f"{STUDY}/{figure}", "part": 0, "parts": 1}
        about |= {"figure": figure, "unit": part.units[figure], "of": part.name}
        about |= {"note": None} | row | {"status": status, "error": error}
        with (self._scratch / ROWS).open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({"figure": figure, **row}) + "\n")
        self.failed += status == "failed"
        if error:
            self.lines.append(f"FAILED {figure}: {error}")
        elif row["value"] is not None and figure.startswith(_TOLD):
            self.lines.append(f"{figure}: {row['value']:.4g} {part.units[figure]}")
        self._write({**self._common, **about, **self._facts})

    def _profile(self, row: Record) -> Record:
        """A row as `ipl-bench profile` has it, which the report draws."""
        number = self._parts[row["run"]] = self._parts.get(row["run"], -1) + 1
        about: Record = {"kind": "profile", "status": "ok", "error": None, "part": number}
        about |= {"parts": number + 1, "dataset": "noise", "batch": 64}
        return {**self._common, **about, **row}

    def _write(self, row: Record) -> None:
        self._stream.write(json.dumps(row, allow_nan=False) + "\n")
        self._stream.flush()
        self.written += 1


def say(text: str) -> None:
    """Tell whoever started the check."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def _finite(value: Any) -> Any:
    """A value as JSON has it: what is no number is nothing."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _check_folder(folder: Path) -> None:
    """Make the folder. Raises OptionError, DataError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / ROWS).open("a+", encoding="utf-8") as stream:
            stream.seek(0)
            rows = [json.loads(line) for line in stream if line.strip()]
    except OSError as error:
        said = f"expected a folder that can be written to, got {folder}: {error}"
        raise DataError(said) from error
    except ValueError:
        rows = [{"device": "something else"}]
    if any(row.get("device") is not None for row in rows):
        raise OptionError(
            f"expected a new folder, or one whose figures are still empty, got {folder}, whose "
            f"{ROWS} a GPU gave"
        )


def _temporary(folder: Path) -> Path:
    """Where files for a while go: the system's place, or the folder where there is none."""
    try:
        found = Path(tempfile.gettempdir())
        with tempfile.TemporaryFile(dir=found):
            return found
    except OSError:
        return folder.resolve()


def _facts(environment: Mapping[str, str]) -> Record:
    """The device's name, None where there is none, and versions, as a process of its own finds."""
    command = [sys.executable, "-m", "bench.gpu", "--facts"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, env=dict(environment), timeout=120, check=True
        )
        found: Record = json.loads(done.stdout.splitlines()[-1])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError) as error:
        said = getattr(error, "stderr", None) or str(error)
        found = dict.fromkeys(("device", "torch", "triton", "cuda", "driver"))
        found["errors"] = said.strip().splitlines()[-1][:300] if said.strip() else "no facts"
    return found


def _kill(process: subprocess.Popen[str]) -> None:
    """End a part's process and those that it started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        process.kill()


def _last_line(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1][:200] if lines else "ended without a word"
