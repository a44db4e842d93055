"""How many threads IPL computes on: one.

Sums over several threads round differently, so what is picked would depend on the machine's cores;
and networks as small as these lose more by waiting for each other than they win.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread inside, and on as many as before afterwards; also a decorator."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
