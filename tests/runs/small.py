"""A few trainings small enough for tests, shared by the tests of tables in the making."""

from __future__ import annotations

from bench.base import Arch
from bench.runs import live
from bench.runs.train import TrainRun
from bench.spaces.nasbench201 import NASBENCH201 as SPACE
from bench.training.recipe import Recipe

RECIPE = Recipe(
    skeleton=(("cells", 1), ("channels", 2)),
    training=40,
    validation=60,
    test=50,
    epochs=2,
    batch=5,
    checkpoints=(1, 2),
)
ARCHS: list[Arch] = [
    *((3, 2, 4, 0, 1, 3), (1,) * 6, (3, 3, 3, 2, 3, 2), (0,) * 6, (3, 0, 2, 1, 0, 3)),
]
"""Five, one of which is cut off from its input."""


def run_of(recipe: Recipe = RECIPE, **fields: object) -> TrainRun:
    """The run that trains them in stacks of two, and the first of them by one seed more."""
    options: dict[str, object] = {"stack": 2, "repeated": 1, "more_seeds": (1,), **fields}
    return TrainRun(
        space=SPACE.name,
        archs=len(ARCHS),
        archs_sha256=live.digest(SPACE, ARCHS),
        recipe=str(recipe),
        recipe_hash=recipe.hash,
        **options,
    )
