"""`ipl-bench score`: untrained networks scored live, those of a space or a user's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.api.say import tell
from bench.base import Arch, BenchError, OptionError, Record, Space, UnknownNameError
from bench.commands.showing import rated_bar
from bench.draws import keyed
from bench.proxies.computed import Computed
from bench.runs import (
    choose,
    live,
    live_files,
    live_rows,
    live_store,
    live_tasks,
    members,
    streamed,
)
from bench.runs.live import LiveRun
from bench.runs.recipes import read
from bench.runs.row import in_words
from bench.runs.score import told_by_class
from bench.runs.tasks import BORROWS, load_task
from bench.tables import images

if TYPE_CHECKING:
    from torch import nn

    from bench.runs.live_tasks import Against
    from bench.runs.store import Store

EVERY = "all"
DATASET = "cifar10"
"""Where none is named, nor a recipe."""
SHOWN = ("proxy", "n", "n_failed", "seconds", "errors")
SHOWN_OF_MODEL = ("model", "proxy", "seed", "value", "seconds", "error")


@dataclass(frozen=True)
class What:
    """What is to be scored by what, as the command line says it."""

    dataset: str
    batch: int
    seed: int
    """The first one; samples are drawn by it too."""
    seeds: int
    threads: int = 1
    device: str = "cpu"
    stack: int = 1
    proxies: str | None = None
    """Names with commas between them, or `all`."""
    proxy: tuple[str, ...] = ()
    shape: tuple[str, ...] = ()
    every: bool = False
    sample: int | None = None
    archs: Path | None = None
    distinct: bool = False
    canonical: bool = False
    """Whether the canonical form of each is scored in place of it as written."""
    against: tuple[str, ...] = ()
    recipe: str | None = None
    """Of which training these are the networks and images, in place of dataset and shape."""

    @property
    def all_seeds(self) -> tuple[int, ...]:
        """The seeds."""
        return tuple(range(self.seed, self.seed + self.seeds))

    @property
    def ways(self) -> int:
        """In how many ways architectures of a space are chosen; it should be one."""
        return self.every + (self.sample is not None) + (self.archs is not None)


def what(*, dataset: str | None = None, recipe: str | None = None, **said: Any) -> What:
    """What the command line says. Raises OptionError where a recipe meets what it decides."""
    if recipe is not None and (dataset is not None or said.get("shape")):
        raise OptionError(
            "expected --recipe, which has images and networks of its own, without --dataset and "
            f"--shape, got {'--shape' if dataset is None else '--dataset'} too"
        )
    return What(dataset=dataset or DATASET, recipe=recipe, **said)


def score_space(
    name: str, what: What, results: Path, study: str, *, workers: int = 1, resume: bool = False
) -> tuple[Path, list[Record]]:
    """Score architectures of a space into a results folder.

    Returns:
        The folder, and one record a proxy: how many scores, failures, and mean seconds.

    Raises:
        BenchError: Something is wrong that a user can mend, told before anything is scored.
    """
    folder = streamed.folder_for(results, study, resume=resume, stream=live_store.STREAM)
    space, meant = _drawn(name, what)
    archs = meant
    if what.canonical:
        archs = list(dict.fromkeys(space.canonical(arch) for arch in meant))
    names, rankings = live.with_components(proxies(what, live.every_proxy))
    run = LiveRun(
        # A space that is no plugin is found again by the text that names it.
        space=name if ":" in name and not is_task(name) else space.name,
        archs=len(archs),
        archs_sha256=live.digest(space, archs),
        proxies=names,
        batch=what.batch,
        seeds=what.all_seeds,
        **_images(what),
        distinct=what.distinct,
        whole=name if what.every else None,
        canonical=what.canonical,
        threads=what.threads,
        device=live.device(what.device),
        stack=what.stack,
        rankings=rankings,
    )
    live_rows.Scorer(run).check(archs[0])
    scored = archs if what.canonical else None
    tasks = [live_tasks.against(task, run, meant, scored) for task in dict.fromkeys(what.against)]
    for found in tasks:
        if found.by_class:
            tell(f"{found.task.name}: {told_by_class(found.by_class, len(found.rows))}")
    about = {
        "data_sha256": live_files.hashes(run, what.against),
        "architectures": _chosen(what) + (f" of {name}" if is_task(name) else ""),
        "workers": workers,
    }
    with streamed.opened(folder) as store:
        streamed.claim(store, run, about, live_store.STREAM)
        if live_store.KEY not in store.done:
            with live_store.Stream.opened(folder / live_store.STREAM) as stream:
                done = stream.count(run, space, archs)
                rows = live_rows.rows(run, archs, skip=done, workers=workers)
                with rated_bar(study, run.rows, done) as advance:
                    stream.extend(rows, advance)
                live_store.finish(store, run, stream)
        _compare(store, run, tasks)
        (folder / live_store.STREAM).unlink(missing_ok=True)
    return folder, list(_summary(streamed.finished(folder, live_store.KEY)))


def end(folder: Path, rows: Sequence[Record]) -> None:
    """Raise BenchError where whole networks failed, or no proxy scored any; for after the rows."""
    failed = streamed.finished(folder, live_store.KEY)["failed_networks"]
    if failed:
        raise BenchError(
            f"{sum(failed.values())} of {rows[0]['n']} networks failed, by {', '.join(failed)}; "
            f"{folder / live_store.SCORES} says which"
        )
    if all(row["n_failed"] == row["n"] for row in rows):
        first = rows[0]
        why = in_words(first["errors"])
        raise BenchError(f"no score to show: {first['proxy']} failed on all {first['n']:,}, {why}")


def end_of_models(rows: Sequence[Record]) -> None:
    """Raise BenchError where no proxy scored any model; for after the rows."""
    if rows and all(row["error"] is not None for row in rows):
        first = rows[0]
        raise BenchError(f"no score to show: {first['proxy']} failed, with {first['error']}")


def is_task(name: str) -> bool:
    """Whether a name is a task's, and no space's."""
    own = name.partition(BORROWS)[0]
    if members.known("spaces", name):
        return False
    return members.known("tables", own) or own.endswith(".parquet")


def beside(name: str | None, what: What) -> What:
    """What is to be scored; against the task, where it is a task that is named for a space."""
    if name is None or not is_task(name):
        return what
    return replace(what, against=tuple(dict.fromkeys([name, *what.against])))


def _drawn(name: str, what: What) -> tuple[Space, list[Arch]]:
    """The space, and the architectures asked for: of a task, those whose truth it knows.

    Raises OptionError, DataError, ArchError or UnknownNameError.
    """
    if not is_task(name):
        space = members.space(name)
        return space, architectures(space, what)
    task = load_task(name)
    _, truth = task.truth()
    known = [task.table.archs[row] for row in np.flatnonzero(~np.isnan(truth)).tolist()]
    if what.archs is not None or what.ways != 1:
        return task.space, architectures(task.space, what)
    if what.sample is not None:
        if what.sample > len(known):
            raise OptionError(
                f"expected a sample of at most the {len(known):,} architectures that {name} "
                f"knows, got {what.sample:,}"
            )
        order = keyed(what.seed, "sample", name).permutation(len(known))
        known = [known[place] for place in order[: what.sample].tolist()]
    archs = [task.space.parse(text) for text in known]
    return task.space, choose.distinct(task.space, archs) if what.distinct else archs


def _images(what: What) -> dict[str, Any]:
    """The fields of a run that say what images and how large networks are."""
    if what.recipe is not None:
        return live.by_recipe(read(what.recipe))
    return {"dataset": images.dataset(what.dataset).name, "shape": shape_of(what.shape)}


def score_models(texts: Sequence[str], what: What) -> Iterator[Record]:
    """Score several models, each once: the records of one, then those of the next.

    Raises what is wrong with the name of any before the first is scored, and as `score_model` does.
    """
    different = dict.fromkeys(texts)
    if len(different) > 1:
        for text in different:
            members.named(text)
    for text in different:
        yield from score_model(text, what)


def score_model(text: str, what: What) -> Iterator[Record]:
    """Score a user's own model, `module:function` or `file.py:function`: one record a proxy.

    The function is called without arguments, under a random state of the seed's.

    Raises:
        BenchError: Something is wrong that a user can mend.
    """
    of_space = (what.ways, what.distinct, what.shape, what.against, what.recipe, what.stack > 1)
    if any(of_space) or what.canonical:
        raise OptionError(
            "expected --model alone, got it with one of --all, --sample, --archs, --distinct, "
            "--canonical, --shape, --recipe, --stack and --against, which are for a SPACE"
        )
    names = proxies(what, lambda: [n for n in live.every_proxy() if _of_networks(n)])
    computed = live.of_networks(names)
    live.require_torch()
    from bench.proxies.live import score

    for seed in what.all_seeds:
        batches = live.minibatches(what.dataset, what.batch, seed)
        with live_rows.threaded(what.threads):
            module = _model(text, seed).to(live.device(what.device))
            found = score(module, batches, computed, seed=seed)
        for proxy, each in found.items():
            yield {
                "model": text,
                "proxy": proxy,
                "seed": seed,
                "value": each.value,
                "seconds": each.seconds,
                "error": each.error,
            }


def architectures(space: Space, what: What) -> list[Arch]:
    """The architectures asked for. Raises OptionError, DataError or ArchError."""
    if what.ways != 1:
        raise OptionError(
            f"expected one of --all, --sample N and --archs FILE to say what of {space.name} is "
            f"scored, got {what.ways or 'none'}"
        )
    if what.every:
        archs = choose.whole(space) if what.stack == 1 else choose.balanced(space, what.stack)
    elif what.sample is not None:
        archs = choose.sampled(space, what.sample, keyed(what.seed, "sample", space.name))
    else:
        archs = choose.read(space, Path(str(what.archs)))
    return choose.distinct(space, archs) if what.distinct else archs


def proxies(what: What, every: Callable[[], list[str]]) -> tuple[str, ...]:
    """The names of the proxies asked for, each once; whether they exist is not looked at."""
    names: list[str] = []
    if what.proxies is not None:
        names += every() if what.proxies == EVERY else what.proxies.split(",")
    names += what.proxy
    if not names:
        raise OptionError(
            "expected --proxies with names (commas between them) or all, or --proxy, got neither"
        )
    return tuple(dict.fromkeys(name.strip() for name in names))


def _of_networks(name: str) -> bool:
    return isinstance(members.proxy(name), Computed)


def shape_of(pairs: Sequence[str]) -> tuple[tuple[str, int], ...]:
    """What sizes networks, from `name=number` each. Raises OptionError."""
    shape: dict[str, int] = {}
    for pair in pairs:
        key, _, value = pair.partition("=")
        if not (key.isidentifier() and value.isdecimal() and int(value)):
            raise OptionError(f"expected --shape as NAME=NUMBER, from 1 on, got {pair!r}")
        if key in shape:
            raise OptionError(f"expected every --shape once, got {key} twice")
        shape[key] = int(value)
    return tuple(sorted(shape.items()))


def _chosen(what: What) -> str:
    """How the architectures were chosen, for provenance."""
    if what.sample is not None:
        return f"sample={what.sample}, seed={what.seed}"
    return EVERY if what.every else str(what.archs)


def _compare(store: Store, run: LiveRun, tasks: Sequence[Against]) -> None:
    """Add the rows of tasks that are not there yet."""
    for found in tasks:
        for seed in run.seeds:
            key = live_tasks.key(found.task.name, seed)
            if key not in store.done:
                scores = store.folder / live_store.SCORES
                store.append(key, live_tasks.outcome(scores, run, found, seed))


def unranked(what: What) -> tuple[str, ...]:
    """The rankings asked for that nothing will show: they stand in the files of --against alone."""
    if what.against:
        return ()
    return live.with_components(proxies(what, live.every_proxy))[1]


def _summary(row: Record) -> Iterator[Record]:
    for name in row["proxies"]:
        errors = row["errors"].get(name, {})
        yield {
            "proxy": name,
            "n": row["n"],
            "n_failed": sum(errors.values()),
            "seconds": row["seconds"][name] / row["n"],
            "errors": errors,
        }


def _model(text: str, seed: int) -> nn.Module:
    """The user's model. Raises UnknownNameError for what is none, or cannot be made."""
    import torch
    from torch import nn

    with torch.random.fork_rng():
        # Seeded before the import too: it may make the model.
        torch.manual_seed(seed)
        made = members.named(text)
        if not isinstance(made, nn.Module):
            if not callable(made):
                raise UnknownNameError(
                    f"expected {text} to be a function that makes a torch module, got a "
                    f"{type(made).__name__}"
                )
            torch.manual_seed(seed)
            try:
                made = made()
            except (Exception, SystemExit) as error:
                raise UnknownNameError(
                    f"{text} made no model: {type(error).__name__}: {error}"
                ) from error
    if not isinstance(made, nn.Module):
        raise UnknownNameError(
            f"expected {text} to give a torch module, got a {type(made).__name__}"
        )
    return made
