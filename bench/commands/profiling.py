"""`ipl-bench profile`: where the time of scoring goes, as rows that reports draw."""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

from bench.base import DataError, OptionError, Record
from bench.commands.scoring import What, architectures, proxies, shape_of
from bench.proxies.computed import Computed
from bench.runs import live, live_rows, members
from bench.runs.provenance import folder_of, shared, versions
from bench.runs.row import Outcome
from bench.runs.store import Store

STUDY = "profile"
SHOWN = ("what", "pass", "name", "implementation", "calls", "seconds", "bound", "of_roof", "note")


def profile_space(name: str, what: What, results: Path) -> tuple[Path, list[Record]]:
    """Profile the scoring of some architectures of a space, and keep the rows.

    Returns:
        The results folder, and its rows: ceilings, passes, operations and kernels.

    Raises:
        BenchError: Something is wrong that a user can mend, or rows of this commit and space are
            there already.
    """
    live.require_torch()
    import torch

    from bench.networks import Weights, network
    from bench.proxies.live import Batch
    from bench.proxies.profile import profile
    from bench.tables import images

    space = members.space(name)
    archs = architectures(space, what)
    if what.seeds > 1 or what.stack > 1 or what.against:
        raise OptionError("expected a profile of one seed, got --seeds, --stack or --against")
    names, _ = live.with_components(proxies(what, live.every_proxy))
    found = [live.in_space(live.scorable(each), space.name) for each in names]
    computed = [each for each in found if isinstance(each, Computed)]
    if not computed:
        raise OptionError("expected a proxy that runs the network, got those of its graph alone")
    place = torch.device(live.device(what.device))
    batches = [
        Batch(batch.images.to(place), batch.labels.to(place))
        for batch in live.minibatches(what.dataset, what.batch, what.seed)
    ]
    weights = Weights(what.seed)
    sizes = {"classes": images.dataset(what.dataset).classes, **dict(shape_of(what.shape))}
    known = members.network(space.name)
    modules = [network(known, arch, weights, **sizes).to(place) for arch in archs]
    folder, common = folder_of(results, STUDY), shared(STUDY)
    about = _about(what, live.digest(space, archs), names)
    key = f"profile/{space.name}/{what.dataset}/batch={what.batch}/{place.type}/{about['id']}"
    with Store.opened(folder, common) as store:
        if key in store.done:
            raise DataError(f"{folder} holds the profile {key} already; move it away to redo it")
        with live_rows.threaded(what.threads):
            rows = [
                {**_shared(space.name, what), **about, **row}
                for row in profile(modules, batches, computed)
            ]
        store.write_provenance({**common, "versions": versions()})
        store.append(key, Outcome(rows))
    return folder, rows


def _about(what: What, archs_sha256: str, names: Sequence[str]) -> Record:
    """What else tells one profile from another, and a short name of it all."""
    about: Record = {
        "archs_sha256": archs_sha256,
        "proxies": list(names),
        "shape": dict(shape_of(what.shape)),
        "threads": what.threads,
    }
    text = json.dumps([about, what.seed], sort_keys=True)
    return {**about, "id": blake2b(text.encode(), digest_size=3).hexdigest()}


def _shared(space: str, what: What) -> Record:
    """The fields that every row has."""
    return {
        "kind": "profile",
        "task": space,
        "seed": what.seed,
        "status": "ok",
        "error": None,
        "dataset": what.dataset,
        "batch": what.batch,
    }
