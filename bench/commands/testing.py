"""What the pytest plugin stands on: a proxy's Kendall's tau on tasks, held to what it was."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, cast

import numpy as np

from bench.base import DataError, Floats, OptionError
from bench.draws import keyed
from bench.metrics.rank import failures_last, kendall
from bench.proxies.computed import Computed
from bench.proxies.scorer import oriented, score_graphs
from bench.runs import members
from bench.runs.live import LiveRun, by_recipe, classes, in_space, minibatches_of, require_torch
from bench.runs.live_rows import threaded
from bench.runs.members import FunctionProxy
from bench.runs.recipes import read
from bench.runs.score import scores_of, with_something
from bench.runs.store import write_whole
from bench.runs.tasks import Task, load_task

OwnProxy: TypeAlias = str | Callable[..., float]
"""A name, `module:function`, `file.py:function`, a function of an architecture's graph, or one of
what passes record."""
Taus: TypeAlias = dict[str, float]

ROUNDING = 1e-9
UPDATE = "--tau-update"


@dataclass(frozen=True)
class Live:
    """How networks are scored where a proxy is computed live: few, small, the same each time."""

    sample: int = 50
    """How many architectures of the task, or all that it knows where these are fewer."""
    dataset: str = "noise,size=16"
    recipe: str | None = None
    """Of which training these are the networks and images, in place of the dataset and shape."""
    shape: tuple[tuple[str, int], ...] = ()
    batch: int = 16
    seed: int = 0


def tau(proxy: OwnProxy, task: str | Task, live: Live = Live()) -> float:
    """Kendall's tau-b of a proxy with a task's accuracy, both turned so that larger is better.

    Failures rank last; architectures of which a table does not record the proxy are left out. A
    proxy that is computed live, and that the task does not record, is scored as `live` says.

    Raises:
        BenchError: There is no such proxy or task, its files are not here, or a live proxy fails
            on every network.
    """
    known = load_task(task) if isinstance(task, str) else task
    rows = with_something(known)
    _, truth = known.truth()
    computed = _computed(proxy, known)
    if computed is None:
        score = _scores(proxy, known, rows)
    else:
        order = keyed(live.seed, "sample", known.name).permutation(len(rows))
        rows = np.sort(rows[order[: live.sample]])
        score = _scored_live(computed, known, rows, live)
    recorded = ~np.isnan(score)
    turned = truth[rows] if known.table.maximise else -truth[rows]
    return float(kendall(failures_last(score[recorded]), turned[recorded]))


def _scores(
    proxy: OwnProxy, task: Task, rows: np.ndarray[tuple[int], np.dtype[np.int64]]
) -> Floats:
    """The `n` oriented scores of a proxy on some rows of a task, -inf where failed."""
    if isinstance(proxy, str):
        return scores_of(task, [proxy], rows)[proxy].values
    own = FunctionProxy(
        name_of(proxy), proxy, higher_is_better=getattr(proxy, "higher_is_better", True)
    )
    archs = [task.space.parse(task.table.archs[row]) for row in rows.tolist()]
    return oriented(score_graphs(own, task.space, archs).values, own)


def _computed(proxy: OwnProxy, task: Task) -> Computed | None:
    """The proxy as one of passes, where it is one and the task does not record it."""
    known: Any = proxy
    if isinstance(proxy, str):
        known = None if proxy in task.table.scores else members.proxy(proxy)
    elif not isinstance(known, Computed):
        known = members.of_function(name_of(proxy), proxy)
    return known if isinstance(known, Computed) else None


def _scored_live(
    proxy: Computed, task: Task, rows: np.ndarray[tuple[int], np.dtype[np.int64]], how: Live
) -> Floats:
    """The `n` oriented scores of untrained networks, -inf where failed. Raises BenchError."""
    require_torch()
    from bench.networks import Weights, network
    from bench.proxies.live import score

    fields = {"dataset": how.dataset, "shape": how.shape}
    run = LiveRun(
        space=task.space.name,
        archs=len(rows),
        archs_sha256="",
        proxies=(proxy.name,),
        batch=how.batch,
        seeds=(how.seed,),
        **(fields if how.recipe is None else by_recipe(read(how.recipe))),
    )
    own = cast("Computed", in_space(proxy, task.space.name))
    batches, weights = minibatches_of(run, how.seed), Weights(how.seed)
    shape = {"classes": classes(run), **dict(run.shape)}
    values, reasons = [], []
    with threaded(1):
        for row in rows.tolist():
            arch = task.space.parse(task.table.archs[row])
            module = network(members.network(task.space.name), arch, weights, **shape)
            found = score(module, batches, [own], seed=how.seed)[own.name]
            values.append(-math.inf if found.value is None else found.value)
            reasons += [] if found.error is None else [found.error]
    if len(reasons) == len(rows):
        raise DataError(
            f"expected a score of one of {len(rows)} networks of {task.name} at least by "
            f"{proxy.name}, got {reasons[0] if reasons else 'none'}"
        )
    return oriented(np.array(values), proxy)


def name_of(proxy: OwnProxy) -> str:
    """The proxy's name in a file of taus and in messages."""
    if isinstance(proxy, str):
        return proxy
    return str(getattr(proxy, "name", None) or getattr(proxy, "__name__", type(proxy).__name__))


@dataclass(frozen=True)
class AssertTau:
    """Say that a proxy's tau on some tasks did not fall.

    `folder` is where a relative `baseline` is looked for. With `update`, taus are written into the
    baseline in place of being compared with it.
    """

    folder: Path
    update: bool = False

    def __call__(
        self,
        proxy: OwnProxy,
        tasks: Sequence[str | Task],
        *,
        at_least: float | Mapping[str, float] | None = None,
        baseline: str | Path | None = None,
        live: Live = Live(),
    ) -> Taus:
        """Compare, and return the tau by task.

        Args:
            proxy: The proxy.
            tasks: Names of tasks, as `ipl-bench list tasks` has them, or tasks.
            at_least: What tau should be on all tasks, or by task.
            baseline: A JSON file of taus, `{proxy: {task: tau}}`; a tau may rise above its own.
            live: How networks are scored, where the proxy is computed live.

        Raises:
            AssertionError: A tau fell, is undefined, or has nothing in the baseline.
            BenchError: There is no such proxy or task, or neither of the bounds is given.
        """
        if not tasks or (at_least is None and baseline is None):
            raise OptionError(
                "expected tasks, and at_least or baseline to hold tau to, got "
                + ("no tasks" if not tasks else "neither")
            )
        name = name_of(proxy)
        found = {_task_name(task): tau(proxy, task, live) for task in tasks}
        wrong = _below(name, found, at_least)
        if baseline is not None:
            path = self.folder / baseline
            if self.update:
                _write(path, name, found)
            wrong += _fallen(path, name, found)
        if wrong:
            # For a test's author an assertion is what a failure is.
            raise AssertionError("; ".join(wrong))
        return found


def _task_name(task: str | Task) -> str:
    return task if isinstance(task, str) else task.name


def _below(name: str, found: Taus, at_least: float | Mapping[str, float] | None) -> list[str]:
    """A phrase for every tau under its bound. Raises OptionError for a bound of another task."""
    if at_least is None:
        return []
    bounds = at_least if isinstance(at_least, Mapping) else dict.fromkeys(found, at_least)
    if bounds.keys() != found.keys():
        raise OptionError(
            f"expected at_least for {', '.join(found)}, got it for {', '.join(bounds) or 'none'}"
        )
    return [
        f"expected tau of {name} on {task} to be at least {bounds[task]:g}, got {value:.6f}"
        for task, value in found.items()
        if not value >= bounds[task] - ROUNDING
    ]


def _fallen(path: Path, name: str, found: Taus) -> list[str]:
    """A phrase for every tau that fell below its own in a file, or has none there."""
    before = _read(path).get(name, {})
    wrong = []
    for task, value in found.items():
        was = before.get(task)
        if was is None:
            wrong.append(
                f"expected a tau of {name} on {task} in {path.name}, got none; pytest {UPDATE} "
                "writes it"
            )
        elif not value >= was - ROUNDING:
            wrong.append(f"tau of {name} on {task} fell from {was:.6f} to {value:.6f}")
    return wrong


def _read(path: Path) -> dict[str, Taus]:
    """The taus of a file; none where there is no file. Raises DataError for another content."""
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise DataError(f"could not read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise DataError(f"expected {path} to hold taus as JSON, got {error}") from None
    taus = content.values() if isinstance(content, dict) else [None]
    for each in taus:
        if not isinstance(each, dict) or not all(
            isinstance(value, int | float) and math.isfinite(value) for value in each.values()
        ):
            raise DataError(
                f"expected {path} to hold {{proxy: {{task: tau}}}}, got {str(content)[:60]}"
            )
    return {name: dict(each) for name, each in content.items()}


def _write(path: Path, name: str, found: Taus) -> None:
    taus = _read(path)
    # Undefined taus fail; they are nothing to hold others to.
    taus[name] = taus.get(name, {}) | {it: tau for it, tau in found.items() if not np.isnan(tau)}
    write_whole(path, (json.dumps(taus, indent=1, sort_keys=True) + "\n").encode())
