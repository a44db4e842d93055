"""Score untrained networks: models of one's own, or architectures of a space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.api.arguments import texts, whole
from bench.api.say import quietly, tell
from bench.base import Arch, DataError, OptionError, Record
from bench.draws import keyed
from bench.proxies.computed import Computed
from bench.runs import choose, live, live_rows, live_tasks, members
from bench.runs.live import LiveRun
from bench.tables import images as image_tables

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

    from bench.proxies.live import Batch

BATCH = 64
DATASET = "cifar10"


def score(  # noqa: PLR0913 - a notebook's one call
    of: Any,
    proxies: Any = (),
    images: Any = None,
    *,
    sample: int | None = None,
    archs: Sequence[str] = (),
    dataset: str | None = None,
    against: str | None = None,
    batch: int = BATCH,
    shape: Mapping[str, int] | None = None,
    seed: int = 0,
    seeds: int = 1,
    device: str = "cpu",
    threads: int = 1,
    passes: Mapping[str, Any] | None = None,
    quiet: bool = False,
) -> pd.DataFrame:
    """Score untrained networks by zero-cost proxies.

    Args:
        of: A torch module, a mapping of names to modules, or the name of a space.
        proxies: All of networks, if none is given. A name, a proxy, a function of passes, a pair
            (name, object), or a list of them.
        images: For modules: a pair (images, labels) of tensors, `n x c x h x w` floating point and
            `n` int64; images alone, for which labels are drawn by the seed; or a data set's name.
        sample: Of a space, how many architectures to draw by the seed.
        archs: Of a space, architectures as texts, in place of `sample`.
        dataset: Of a space, what the networks see; `cifar10` if none is named.
        against: Of a space, a task; its accuracy stands beside every score.
        batch: Images of a minibatch, where they come from a data set.
        shape: Of a space, what sizes its networks, such as `{"channels": 8}`.
        seed: The first seed: of draws, and for a space of initial weights too.
        seeds: How many seeds.
        device: `cpu` or `cuda`, where networks of a space are run; a module is where it is.
        threads: Threads of torch.
        passes: Passes of your own, by name: functions of the network and of other passes' records.
        quiet: Say nothing on stderr.

    Returns:
        A frame, with a row a network, seed and proxy. Its columns are `model` or `arch`, `seed`,
        `proxy`, `value` (as the proxy defines it; NaN where it failed), `seconds`, `error` (why it
        failed, or None); with `against` also that task's accuracy, by the name of its split.

    Raises:
        BenchError: Something is not known, does not fit, or is not here.
    """
    import pandas as pd

    live.require_torch()
    batch, threads = whole("batch", batch, 1), whole("threads", threads, 1, 1024)
    seed, seeds = whole("seed", seed), whole("seeds", seeds, 1, 1_000_000)
    device = live.device(device)
    if passes is not None and not isinstance(passes, Mapping):
        raise OptionError(f"expected passes as a mapping of names, got {type(passes).__name__}")
    own = list((passes or {}).items())
    with (
        quietly(quiet),
        live_rows.threaded(threads),
        members.lent("passes", own),
        members.lent("proxies", members.listed(proxies)) as names,
    ):
        if isinstance(of, str):
            if images is not None:
                raise OptionError("expected dataset= with a space, got images")
            if not isinstance(shape or {}, Mapping):
                raise OptionError(f"expected shape as a mapping of numbers, got {shape!r}")
            fields = {
                "dataset": str(dataset or DATASET),
                "shape": tuple(sorted((shape or {}).items())),
            }
            chosen = _chosen(of, sample, archs, seed)
            run = _run(of, chosen, names, range(seed, seed + seeds), batch, device, fields)
            found = _of_space(run, chosen, against)
        else:
            if any((sample, archs, dataset, against, shape)):
                raise OptionError(
                    "expected sample, archs, dataset, shape and against with the name of a space, "
                    f"got them with {type(of).__name__}"
                )
            found = [
                record
                for each in range(seed, seed + seeds)
                for record in _of_models(_models(of), names, images, each, batch)
            ]
    frame = pd.DataFrame.from_records(found)
    # None where there is no error, in every row alike.
    frame["error"] = pd.Series([each["error"] for each in found], dtype=object)
    return frame


def _models(of: Any) -> dict[str, nn.Module]:
    """The modules by name. Raises OptionError."""
    from torch import nn

    named = dict(of) if isinstance(of, Mapping) else {type(of).__name__: of}
    wrong = [type(each).__name__ for each in named.values() if not isinstance(each, nn.Module)]
    if wrong or not named:
        raise OptionError(
            "expected a torch module, a mapping of names to modules, or the name of a space, got "
            + (wrong[0] if wrong else "no model")
        )
    return named


def _computed(names: Sequence[str]) -> list[Computed]:
    """The proxies of networks by name, all there are for none. Raises OptionError."""
    wanted = names or [
        name for name in live.every_proxy() if isinstance(members.proxy(name), Computed)
    ]
    return live.of_networks(wanted)


def _of_models(
    models: Mapping[str, nn.Module], names: Sequence[str], images: Any, seed: int, size: int
) -> list[Record]:
    from bench.proxies.live import score as score_module

    computed = _computed(names)
    found = []
    for model, module in models.items():
        batches = _batches(images, module, seed, size)
        for proxy, each in score_module(module, batches, computed, seed=seed).items():
            found.append(_record({"model": model, "seed": seed, "proxy": proxy}, each.value, each))
    return found


def _record(of: Record, value: float | None, result: Any) -> Record:
    value = float("nan") if value is None else value
    return of | {"value": value, "seconds": result.seconds, "error": result.error}


def _batches(images: Any, module: nn.Module, seed: int, size: int) -> Batch | list[Batch]:
    """The minibatches of a model. Raises OptionError."""
    import torch

    from bench.proxies.live import Batch

    if images is None:
        raise OptionError("expected images=: (images, labels), images, or a data set's name")
    if isinstance(images, str | Path):
        return live.minibatches(str(images), size, seed)
    given = images if isinstance(images, tuple | list) else (images,)
    if not given or len(given) > 2 or not all(isinstance(each, torch.Tensor) for each in given):
        raise OptionError(
            "expected images as a tensor, a pair (images, labels) of tensors, or a data set's "
            f"name, got {type(images).__name__}"
        )
    if len(given) == 2:
        return Batch(*given)
    classes = _classes(module, given[0])
    tell(f"labels of {len(given[0])} images drawn by seed {seed}, among {classes} classes")
    labels = keyed(seed, "labels", len(given[0]), classes).integers(classes, size=len(given[0]))
    return Batch(given[0], torch.from_numpy(labels))


def _classes(module: nn.Module, images: Any) -> int:
    """How many logits a module gives, by a run of a copy. Raises what the module raises."""
    import copy

    import torch

    from bench.proxies.passes.network import device_of, logits_of, seeded

    place, kind = device_of(module)
    try:
        with seeded(0, place), torch.no_grad():
            output = copy.deepcopy(module)(images.detach().to(device=place, dtype=kind, copy=True))
        return int(logits_of(output, len(images)).shape[1])
    except Exception as error:
        raise OptionError(
            "expected labels beside the images, as the model, run on them to count its logits, "
            f"gave {type(error).__name__}: {error}"
        ) from error


def _chosen(space: str, sample: int | None, archs: Sequence[str], seed: int) -> list[Arch]:
    """The architectures asked for. Raises OptionError, ArchError or UnknownNameError."""
    known = members.space(space)
    archs = texts("archs", archs)
    if (sample is None) == (not archs):
        raise OptionError(
            f"expected either sample= or archs= to say what of {space} is scored, got "
            + ("neither" if sample is None else "both")
        )
    if sample is None:
        return [known.parse(text) for text in dict.fromkeys(archs)]
    sample = whole("sample", sample, 1)
    return choose.sampled(known, sample, keyed(seed, "sample", known.name))


def _run(
    space: str,
    archs: Sequence[Arch],
    names: Sequence[str],
    seeds: range,
    batch: int,
    device: str,
    fields: Mapping[str, Any],
) -> LiveRun:
    wanted, rankings = live.with_components(names or live.every_proxy())
    if rankings:
        tell(f"{', '.join(rankings)} ranks a population: ipl-bench score --against TASK tells it")
    known = members.space(space)
    return LiveRun(
        space=space if ":" in space else known.name,
        archs=len(archs),
        archs_sha256=live.digest(known, archs),
        proxies=wanted,
        batch=batch,
        seeds=tuple(seeds),
        dataset=image_tables.dataset(fields["dataset"]).name,
        shape=fields["shape"],
        device=device,
    )


def _of_space(run: LiveRun, archs: Sequence[Arch], against: str | None) -> list[Record]:
    truth = {} if against is None else _truth(against, run, archs)
    live_rows.Scorer(run).check(archs[0])
    return [
        {
            "arch": row["arch"],
            "seed": row["seed"],
            "proxy": proxy,
            "value": float("nan") if row["values"][proxy] is None else row["values"][proxy],
            "seconds": row["seconds"][proxy],
            "error": row["errors"].get(proxy),
            **truth.get(row["arch"], {}),
        }
        for row in live_rows.rows(run, archs)
        for proxy in run.proxies
    ]


def _truth(against: str, run: LiveRun, archs: Sequence[Arch]) -> dict[str, dict[str, float]]:
    """By the text of an architecture, its accuracy in a task. Raises DataError where none is."""
    matched = live_tasks.against(against, run, archs)
    name, values = matched.task.truth()
    space = matched.task.space
    known = dict(zip(matched.scored.tolist(), matched.rows.tolist(), strict=True))
    if not known:
        raise DataError(f"the task {against} knows none of the {len(archs):,} architectures")
    return {
        space.text(arch): {name: float(values[known[at]]) if at in known else np.nan}
        for at, arch in enumerate(archs)
    }
