"""A writer of results folders, in the layout that runs leave, from arrays made up by a test."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.base import Floats, Ints, Record


@dataclass
class Results:
    """Appends rows and attachments to one folder of one study."""

    root: Path
    study: str = "made-up"
    commit: str = "abc123"
    machine: str = "linux-x86_64-2cpu"

    @property
    def folder(self) -> Path:
        return self.root / self.study / f"{self.commit}-{self.machine}"

    @property
    def rows(self) -> Path:
        return self.folder / "rows.jsonl"

    def append(self, **fields: Any) -> None:
        row: Record = {"study": self.study, "machine": self.machine, "commit": self.commit}
        row |= {"seed": 0, "part": 0, "parts": 1, "status": "ok", "error": None}
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.rows.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row | fields, allow_nan=False) + "\n")

    def attach(self, name: str, columns: Mapping[str, Any]) -> Record:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(dict(columns)), path)
        return {"file": name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}

    def add_scores(
        self,
        task: str,
        accuracy: Mapping[str, Floats],
        scores: Mapping[str, Floats],
        truth: str = "validation",
        archs: Sequence[str] | None = None,
        groups: Ints | None = None,
        **fields: Any,
    ) -> None:
        n = len(accuracy[truth])
        names = list(archs) if archs is not None else [f"arch-{i}" for i in range(n)]
        columns = {"arch": pa.array(names)} | dict(accuracy)
        columns |= {f"score:{name}": values for name, values in scores.items()}
        columns |= {} if groups is None else {"group": groups}
        attached = self.attach(f"scores/score_{task.replace('/', '_')}.parquet", columns)
        facts: Record = {
            "space": "space",
            "dataset": task.rsplit("/", maxsplit=1)[-1],
            "truth": truth,
        }
        facts |= {"metric": "accuracy_percent", "maximise": True, "n": n}
        facts |= {"kind": "score", "task": task, "run": f"score/{task}", "proxies": list(scores)}
        self.append(**(facts | fields | attached))

    def add_searches(
        self,
        task: str,
        searcher: str,
        picks: Sequence[Sequence[float]],
        optimum: float,
        budget: str | None = None,
        test: float | None = 90.0,
    ) -> None:
        """Searches that saw these validation values, one sequence a seed; the pick is the best."""
        budget = budget or f"queries={max(map(len, picks))}"
        run = f"search/{task}/{searcher}/{budget}/seeds=0-{len(picks) - 1}"
        lengths = [len(seen) for seen in picks]
        steps = np.concatenate([np.arange(length) for length in lengths])
        columns = {
            "run": pa.array([run] * sum(lengths)).dictionary_encode(),
            "seed": np.repeat(np.arange(len(picks)), lengths),
            "step": steps,
            "arch": pa.array(["a"] * sum(lengths)).dictionary_encode(),
            "validation": np.concatenate([np.array(seen, dtype=np.float64) for seen in picks]),
            "queries": steps + 1,
            "seconds": (steps + 1) * 10.0,
            "scored": np.zeros(len(steps), dtype=np.int64),
        }
        attached = self.attach(f"traces/{run.replace('/', '_')}.parquet", columns)
        for seed, seen in enumerate(picks):
            facts: Record = {"kind": "search", "task": task, "run": run, "searcher": searcher}
            facts |= {"budget": budget, "seed": seed, "part": seed, "parts": len(picks)}
            facts |= {"queries": len(seen), "seconds": 10.0 * len(seen), "scored": 0, "arch": "a"}
            facts |= {"validation": max(seen), "regret": optimum - max(seen)}
            facts |= {"test": test, "test_regret": None if test is None else 95.0 - test + seed}
            self.append(**(facts | attached))

    def add_predictions(
        self,
        task: str,
        predictor: str,
        scores: Mapping[str, Floats],
        *,
        archs: Sequence[str],
        scored: int = 0,
        queried: int = 0,
        budget: str = "queries=0",
        facts: Sequence[Mapping[str, float]] | None = None,
        first_seed: int = 0,
        places: Floats | None = None,
        **fields: Any,
    ) -> None:
        """Predictions of `s` seeds, `s x n` values by name; the first architectures were read."""
        seeds, n = next(iter(scores.values())).shape
        run = f"predict/{task}/{predictor}/{budget}/seeds={first_seed}-{first_seed + seeds - 1}"
        at = np.tile(np.arange(n), seeds)
        columns = {
            "seed": np.repeat(np.arange(first_seed, first_seed + seeds), n),
            "arch": pa.array([archs[i] for i in at]).dictionary_encode(),
            "scored": at < scored,
            "queried": at < queried,
        } | {f"score:{name}": values.ravel() for name, values in scores.items()}
        if places is not None:
            columns |= {"map:x": places[..., 0].ravel(), "map:y": places[..., 1].ravel()}
        attached = self.attach(f"predictions/{run.replace('/', '_')}.parquet", columns)
        for part in range(seeds):
            row: Record = {"kind": "predict", "task": task, "run": run, "predictor": predictor}
            row |= {"budget": budget, "seed": first_seed + part, "part": part, "parts": seeds}
            row |= {"queries": queried, "seconds": 10.0 * scored, "scored": scored, "n": n}
            row |= {"predicted": list(scores), "facts": dict(facts[part]) if facts else {}}
            self.append(**(row | attached | fields))


@pytest.fixture
def results(tmp_path: Path) -> Results:
    """An empty results folder."""
    return Results(tmp_path / "results")


def made_scores(rng: np.random.Generator, n: int) -> tuple[Floats, dict[str, Floats]]:
    """Accuracies, and scores that follow them more or less; `jacov` has failures and gaps."""
    truth = 60 + 30 * rng.beta(4, 1.5, n)
    noise = rng.normal(size=(4, n)) * np.array([[3.0], [6.0], [10.0], [60.0]])
    scores = dict(zip(["nwot", "params", "jacov", "plain"], truth + noise, strict=True))
    scores["jacov"][:5] = -np.inf
    scores["jacov"][5:9] = np.nan
    scores["params"] = np.round(scores["params"] / 5) * 5
    return truth, scores


@pytest.fixture
def study(results: Results) -> Results:
    """Two tasks with scores, one of them with searches, and two failures."""
    rng = np.random.default_rng(7)
    truth, scores = made_scores(rng, 120)
    test = truth + rng.normal(size=120)
    results.add_scores("nasbench201-suite/cifar10", {"validation": truth, "test": test}, scores)
    better = truth + rng.normal(size=120) * 0.1
    results.add_scores(
        "nasbench201/cifar10-valid",
        {"validation": better[::-1]},
        {"nwot": scores["nwot"][::-1]},
        archs=[f"arch-{i}" for i in range(120)][::-1],
    )
    for name in ("random", "evolution,warm=nwot"):
        picks = [rng.choice(truth, 12) for _ in range(4)]
        results.add_searches("nasbench201-suite/cifar10", name, picks, float(truth.max()))
    for seed in range(2):
        results.append(
            kind="search", task="nasbench201/cifar10-valid", run=f"broken-{seed}", seed=seed,
            searcher="broken", budget="queries=5", status="failed", error="ValueError: no | way_5%",
        )  # fmt: skip
    (results.folder / "provenance.json").write_text('{"versions": {"numpy": "2.0"}}')
    return results
