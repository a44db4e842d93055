"""ipl-bench: proxies and searchers of neural architecture search, measured fairly.

The names below are loaded when they are used, so that `import bench` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.api import plot
    from bench.api.correlate import correlate
    from bench.api.members import list_members
    from bench.api.predict import predict
    from bench.api.score import score
    from bench.api.search import search
    from bench.api.tasks import load_task
    from bench.base import BenchError

__version__ = "0.1.0"
__all__ = [
    "BenchError",
    "correlate",
    "list_members",
    "load_task",
    "plot",
    "predict",
    "score",
    "search",
]

_WHERE = {
    "BenchError": "bench.base",
    "correlate": "bench.api.correlate",
    "list_members": "bench.api.members",
    "load_task": "bench.api.tasks",
    "plot": "bench.api.plot",
    "predict": "bench.api.predict",
    "score": "bench.api.score",
    "search": "bench.api.search",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module = import_module(_WHERE[name])
    return module if name == "plot" else getattr(module, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
