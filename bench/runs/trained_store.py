"""What trainings came to, kept in the cache folder: one JSON file a network, told from all others.

A file's folder has a hash of all that its numbers depend on, and the file holds these facts again.
One that cannot be read, or tells of something else, counts as not there. Files are put into place
whole, so processes may share the folder: at worst one of them trains in vain.
"""

from __future__ import annotations

import json
import logging
import math
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from bench.base import Record
from bench.runs.provenance import versions
from bench.runs.recipes import by_content, images_sha256
from bench.runs.row import line
from bench.runs.train import kind_of_machine
from bench.tables import files
from bench.tables.columns import ACCURACIES
from bench.training.recipe import Recipe
from bench.training.trainer import Trained

_log = logging.getLogger(__name__)


class TrainedStore:
    """The finished trainings of a recipe, a space and a seed, alone, on one thread of a CPU."""

    def __init__(self, recipe: Recipe, space: str, seed: int) -> None:
        """Name the folder; nothing is made. Raises as `images_sha256` does."""
        self._recipe = recipe
        known = by_content(recipe)
        self._facts: Record = {
            "recipe": str(known),
            "recipe_hash": known.hash,
            "images_sha256": images_sha256(recipe),
            "space": space,
            "seed": seed,
            "trained_on": kind_of_machine("cpu"),
            "ipl-bench": versions()["ipl-bench"],
        }
        digest = sha256(json.dumps(self._facts, sort_keys=True).encode()).hexdigest()
        self._folder = files.cache_folder() / "trained" / f"{known.hash}-{digest[:16]}"

    def get(self, arch: str) -> Trained | None:
        """What training an architecture came to; None where that is not known, or is damaged."""
        place = self._place(arch)
        try:
            text = place.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            _log.warning("training %s again, as %s cannot be read: %s", arch, place, error)
            return None
        try:
            return self._read(json.loads(text), arch)
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            _log.warning("training %s again, as %s is damaged: %r", arch, place, error)
            return None

    def put(self, arch: str, trained: Trained) -> None:
        """Keep what a training came to; where that fails, say so once, since only time is lost."""
        content = {
            **self._facts,
            "arch": arch,
            "status": trained.status,
            "reason": trained.reason,
            "accuracy": {part: list(trained.accuracy[part]) for part in ACCURACIES},
            "seconds": trained.seconds,
        }
        # Whatever is written is checked against a hash of it: no flipped digit becomes a result.
        text = line(content)
        sealed = json.dumps({"sha256": sha256(text.encode()).hexdigest(), "content": text})
        try:
            with files.replacing(self._place(arch)) as temporary:
                temporary.write_text(sealed, encoding="utf-8")
        except OSError as error:
            # Without the temporary name, which is another one each time.
            _warn_once(self._folder, error.strerror or type(error).__name__)

    def _place(self, arch: str) -> Path:
        return self._folder / f"{sha256(arch.encode()).hexdigest()[:32]}.json"

    def _read(self, sealed: Any, arch: str) -> Trained:
        """The training in a file. Raises ValueError, TypeError, ... where it is not this one."""
        text = sealed["content"]
        if sha256(text.encode()).hexdigest() != sealed["sha256"]:
            raise ValueError("its content is not what was written")
        content = json.loads(text)
        told = {name: content[name] for name in self._facts}
        if told != self._facts or content["arch"] != arch:
            raise ValueError(f"it is of {content['arch']} and {told}")
        accuracy = {
            part: tuple(math.nan if value is None else value for value in content["accuracy"][part])
            for part in ACCURACIES
        }
        return Trained(
            content["status"],
            content["reason"],
            self._recipe.checkpoints,
            accuracy,
            content["seconds"],
        )


@cache
def _warn_once(folder: Path, reason: str) -> None:
    _log.warning("trained networks are not kept in %s: %s", folder, reason)
