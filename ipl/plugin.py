"""What the bench finds by entry point: light to import, as `ipl-bench list` imports it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bench.base import Arch, OptionError, Prediction, Problem, Searcher
from ipl.options import takes_options


@takes_options
def ipl(problem: Problem, rng: np.random.Generator, **options: Any) -> Searcher:
    """IPL, the Integrated Proxy Learner, as a searcher; see `ipl/searcher.py`."""
    _need_torch()
    from ipl.searcher import IPL

    return IPL(problem, rng, **options)


@takes_options
def predict(
    problem: Problem,
    query: Callable[[Arch], float],
    rng: np.random.Generator,
    *,
    learned: bool = True,
    **options: Any,
) -> Prediction:
    """IPL's proxy learner, and its unified scores, as a predictor; see `ipl/predictor.py`."""
    _need_torch()
    from ipl.predictor import predict as predicted

    return predicted(problem, query, rng, learned=learned, **options)


def _need_torch() -> None:
    try:
        import torch  # noqa: F401
    except ModuleNotFoundError as error:
        raise OptionError(
            "ipl needs torch, which is not installed: pip install 'ipl-bench[ipl]'"
        ) from error
