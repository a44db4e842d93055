"""The files that a live run's rows depend on, and their hashes."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path

from bench.runs import members
from bench.runs.live import LiveRun
from bench.runs.tasks import task_reader
from bench.tables import files, images
from bench.training.recipe import parse


def hashes(run: LiveRun, tasks: Sequence[str]) -> dict[str, str]:
    """The SHA-256 of all that goes into the rows: images, tables, a user's proxies.

    Raises what is wrong with an image, a table or a proxy.
    """
    paths = _image_files(run)
    paths += [path for task in tasks for path in task_reader(task).files]
    found = {path: files.source(path).sha256 for path in paths if path in files.known()}
    own = [path for name in run.proxies if (path := _written_in(name)) is not None]
    for path in [*own, *(path for path in paths if path not in found)]:
        found[path] = images.digest(Path(path))
    if run.recipe is not None:
        from bench.runs.recipes import images_sha256

        found[run.dataset] = images_sha256(parse(run.recipe))
    return found


def _image_files(run: LiveRun) -> list[str]:
    """The files of images; none where a recipe, which may have read a folder, tells of them."""
    found = None if run.recipe is not None else images.dataset(run.dataset).path
    return [] if found is None else [found]


def _written_in(name: str) -> str | None:
    """The file of a proxy that is not built in, where it has one."""
    if members.known("proxies", name) and members.origin("proxies", name) == "built-in":
        return None
    proxy = members.proxy(name)
    function = getattr(proxy, "function", proxy)
    code = function if inspect.isroutine(function) else type(function)
    try:
        return inspect.getsourcefile(code)
    except TypeError:
        return None
